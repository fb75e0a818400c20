"""A line about a running search: moving on a terminal, now and then as plain text elsewhere."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from elimax.viz.tables import cell

TERMINAL_SECONDS, PLAIN_SECONDS = 0.1, 2.0
"""Time between lines."""


def line(progress: Any, seconds: float) -> str:
    """What is known so far.

    Args:
      progress: a `Progress` of a search.
      seconds: since it began.

    Returns:
      For example ``best 295, bound 223, gap 24.4 %, 310,000 evaluations/s, 4 s``.
    """
    best, bound = progress.best, progress.lower_bound
    if best is None:
        return f"searching, {seconds:.0f} s"
    gap = (best.multiplications - bound) / best.multiplications if best.multiplications > bound else 0.0
    rate = round(progress.evaluations / max(seconds, 1e-9))
    return (
        f"best {cell(best.multiplications)}, bound {cell(bound)}, gap {100 * gap:.1f} %, "
        f"{cell(rate)} evaluations/s, {seconds:.0f} s"
    )


def progress_for(order: Any) -> Any:
    """A new `Progress` if an order is a search that reports how far it is, otherwise None.

    Raises:
      OrderError: if it is the name of no search.
    """
    from elimax.order.progress import Progress
    from elimax.order.registry import find

    known = isinstance(order, str) and "progress" in inspect.signature(find(order)).parameters
    return Progress() if known else None


@contextlib.contextmanager
def watched(progress: Any, every: float | None = None) -> Iterator[None]:
    """Show a search while the block runs; lines go to the error stream, which leaves the output to the result.

    Args:
      progress: a `Progress` that the search in the block reports to; with None nothing is shown.
      every: seconds between lines; by default often on a terminal and rarely elsewhere.
    """
    if progress is None:
        yield
        return
    terminal = sys.stderr.isatty()
    every = (TERMINAL_SECONDS if terminal else PLAIN_SECONDS) if every is None else every
    with _terminal_line() if terminal else contextlib.nullcontext(_plain_line) as show:
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(progress, show, every, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(progress: Any, show: Callable[[str], object], every: float, ended: threading.Event) -> None:
    start = time.perf_counter()
    while not ended.wait(every):
        show(line(progress, time.perf_counter() - start))


def _plain_line(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def _terminal_line() -> Iterator[Callable[[str], object]]:
    from rich.console import Console

    with Console(stderr=True).status("searching") as status:
        yield status.update
