"""Small tables, as plain lines or for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of words.

    Attributes:
      columns: headings; one that starts with ``<`` is aligned left, others right.
      rows: one tuple of words per row, as long as ``columns``.
      title: a line above, or "".
      note: a line below, or "".
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(self.columns)} words was expected, {row} has {len(row)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", note: str = "") -> Table:
    """Make a table; cells are written by `cell`."""
    return Table(tuple(columns), tuple(tuple(cell(value) for value in row) for row in rows), title, note)


def cell(value: Any) -> str:
    """Write one value: numbers with separators, truth as yes or no, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def seconds(value: float | None) -> str:
    """Write a duration with the unit that suits it."""
    if value is None:
        return "-"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def to_text(content: Table) -> str:
    """Write a table as plain lines, without a trailing newline.

    Example:
      >>> print(to_text(table(("<order", "multiplications"), [("forward", 620), ("reverse", 364)])))
      order    multiplications
      -------  ---------------
      forward              620
      reverse              364
    """
    heads = [name.removeprefix("<") for name in content.columns]
    left = [name.startswith("<") for name in content.columns]
    widths = [max(map(len, column)) for column in zip(heads, *content.rows, strict=True)]

    def line(words: Sequence[str]) -> str:
        aligned = (w.ljust(n) if side else w.rjust(n) for w, n, side in zip(words, widths, left, strict=True))
        return "  ".join(aligned).rstrip()

    lines = [content.title] if content.title else []
    lines += [line(heads), "  ".join("-" * width for width in widths)]
    lines += [line(row) for row in content.rows]
    return "\n".join([*lines, content.note] if content.note else lines)


def to_rich(content: Table) -> Any:
    """The same table for `rich`, returned as a ``rich.table.Table``."""
    import rich.box
    import rich.table
    from rich.text import Text

    drawn = rich.table.Table(
        title=Text(content.title) if content.title else None,
        caption=Text(content.note) if content.note else None,
        box=rich.box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for name in content.columns:
        drawn.add_column(Text(name.removeprefix("<")), justify="left" if name.startswith("<") else "right")
    for row in content.rows:
        drawn.add_row(*(Text(word) for word in row))
    return drawn


def to_markdown(content: Table) -> str:
    """The same table in Markdown, for the documentation."""
    heads = [name.removeprefix("<") for name in content.columns]
    rule = ["---" if name.startswith("<") else "---:" for name in content.columns]
    rows = [heads, rule, *content.rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
