"""Arrays and what they mean in one file, written so that a kill at any moment leaves the old or the new one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from elimax.errors import CheckpointError

FORMAT = 1
"""Version of the files."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by another in one step.

    Args:
      path: the file; its folder exists.
      data: the new content.

    Raises:
      OSError: if there is no room or no right; the old file is then untouched.
    """
    own = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(own, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(own, path)
    finally:
        own.unlink(missing_ok=True)


def save(path: Path, kind: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write arrays and a JSON-ready dict.

    Args:
      path: the file.
      kind: what it is, checked by `load`.
      arrays: by name.
      meta: what belongs to them.
    """
    head = json.dumps({"format": FORMAT, "kind": kind, "digest": _digest(arrays), "meta": meta})
    buffer = io.BytesIO()
    text = np.frombuffer(head.encode(), np.uint8)
    members: dict[str, Any] = {f"array {name}": array for name, array in arrays.items()}
    np.savez(buffer, head=text, **members)
    write_atomically(path, buffer.getvalue())


def load(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save` wrote.

    Args:
      path: the file.
      kind: what it should be.

    Returns:
      The arrays and the dict.

    Raises:
      CheckpointError: if it is missing, damaged, of another kind or of another version.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        head = json.loads(found.pop("head").tobytes().decode())
        version, what, digest, meta = head["format"], head["kind"], head["digest"], head["meta"]
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {kind} at {path}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(
            f"{path} is damaged or no {kind} of elimax ({error}); delete it, or take an older copy"
        ) from error
    if version != FORMAT or what != kind:
        raise CheckpointError(
            f"{path} is a {what!r} of format {version!r}, a {kind!r} of format {FORMAT} was expected; "
            "use the version of elimax that wrote it, or begin anew"
        )
    arrays = {name.removeprefix("array "): array for name, array in found.items()}
    if _digest(arrays) != digest:
        raise CheckpointError(f"{path} is damaged: its arrays are not those that were written; delete it")
    return arrays, meta


def _digest(arrays: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()
