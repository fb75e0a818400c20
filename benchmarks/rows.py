"""Walks over many problems that can be interrupted: a JSON line for each is appended to a file, and read again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

Row = TypeVar("Row")


def read(path: Path | None, kind: type[Row]) -> dict[str, Row]:
    """Rows of an earlier walk by name; none when there is no file. The last line of a problem counts.

    Args:
      path: file of JSON lines, or None.
      kind: dataclass of a row, with an attribute ``name``.
    """
    if path is None or not path.exists():
        return {}
    rows = [kind(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {vars(row)["name"]: row for row in rows}


def walk(names: Iterable[str], row_of: Callable[[str], Row], path: Path | None) -> Iterator[Row]:
    """Makes the rows one after the other and appends them to a file.

    Args:
      names: of the problems.
      row_of: makes the row of one.
      path: file of JSON lines, or None.
    """
    for name in names:
        row = row_of(name)
        if path is not None:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dataclasses.asdict(row)) + "\n")  # type: ignore[call-overload]
        yield row


def count(verdicts: list[str]) -> str:
    """How many rows have each verdict."""
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))) or "nothing to do"
