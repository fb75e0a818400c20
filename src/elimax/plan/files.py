"""Files that are complete or absent, never half written; damaged ones are set aside."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write a text beside its place, then rename it: readers see the old file or the new one, whole."""
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> str:
    """Move a damaged file out of the way, for people to look at; returns what became of it, in words."""
    aside = path.with_suffix(".broken")
    try:
        os.replace(path, aside)
    except OSError:
        return "it is left where it is"
    return f"it was moved to {aside.name}"
