"""Compiled code on disk is forgotten when any source it may contain has changed.

numba keeps compiled functions beside the source files and compiles a function again when its own file changes, but not
when a function that was inlined into it from another file does. Such code would go on to give old answers.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from elimax import errors

ROOMS = ("elimination", "cost", "order")
"""Rooms with compiled functions."""

STAMP = "compiled.stamp"


def forget_stale(root: Path | None = None) -> bool:
    """Drop numba's index files if sources have changed since they were written.

    Args:
      root: folder of the rooms; that of this package by default.

    Returns:
      Whether something had changed. Folders that cannot be written are left alone: numba does not write there either.
    """
    root = Path(errors.__file__).parent if root is None else root
    sources = sorted(path for room in ROOMS for path in (root / room).glob("*.py"))
    stats = [(path.name, os.stat(path)) for path in sources]
    digest = hashlib.sha256(repr([(name, s.st_mtime_ns, s.st_size) for name, s in stats]).encode()).hexdigest()
    stamp = root / ROOMS[0] / "__pycache__" / STAMP
    try:
        if stamp.read_text() == digest:
            return False
    except OSError:
        pass
    try:
        for room in ROOMS:
            for index in (root / room / "__pycache__").glob("*.nbi"):
                index.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        own = stamp.with_name(f"{STAMP}.{os.getpid()}")
        own.write_text(digest)
        os.replace(own, stamp)
    except OSError:
        pass
    return True
