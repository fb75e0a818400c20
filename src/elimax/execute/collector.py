"""Python's collector of cyclic garbage, paused while a program is planned.

A graph of a hundred thousand vertices is some millions of objects that all stay, and each full pass of the collector
visits all of them: a third of the time of planning, for nothing. What is not in a cycle is freed all the same.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
_INSIDE = 0
_RESUME = False


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector; it goes on when the last of the threads that paused it has left, if it ran before."""
    global _INSIDE, _RESUME
    with _LOCK:
        if not _INSIDE:
            _RESUME = gc.isenabled()
            gc.disable()
        _INSIDE += 1
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE -= 1
            if not _INSIDE and _RESUME:
                gc.enable()
