"""Tables between marks of a Markdown file."""

from __future__ import annotations

import re
from pathlib import Path


def write(path: Path, sections: dict[str, str], machine: str) -> None:
    """Replace the text between ``<!-- NAME -->`` and ``<!-- /NAME -->`` for each section; others stay as they are.

    Args:
      path: the file.
      sections: Markdown by the name of its marks.
      machine: what the figures were measured on; stands below each table.

    Raises:
      ValueError: if the file lacks a pair of marks.
    """
    text = path.read_text(encoding="utf-8")
    for name, content in sections.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        filled = f"\n{content}\n\n{machine}.\n\n"
        text, count = marks.subn(lambda match, filled=filled: f"{match[1]}{filled}{match[2]}", text)
        if count != 1:
            raise ValueError(f"{path} should have one pair of marks <!-- {name} -->, it has {count}")
    path.write_text(text, encoding="utf-8")
