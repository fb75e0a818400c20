"""Text between marks of a Markdown file, where benchmarks put what they measured."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def section(path: Path, name: str) -> str:
    """What stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Raises:
      ValueError: if the file has no such pair of marks, or several.
    """
    found = _marks(name).findall(path.read_text(encoding="utf-8"))
    if len(found) != 1:
        raise ValueError(f"{path} should have one pair of marks <!-- {name} -->, it has {len(found)}")
    return found[0][1].strip("\n")


def write(path: Path, sections: dict[str, str], below: str = "") -> None:
    """Replace the text between the marks of each section; others stay as they are.

    Args:
      path: the file.
      sections: Markdown by the name of its marks.
      below: a paragraph that stands below each section, such as what the figures were measured on.

    Raises:
      ValueError: if the file lacks a pair of marks; nothing is written then.
    """
    text = path.read_text(encoding="utf-8")
    for name, content in sections.items():
        section(path, name)
        filled = "\n\n".join(filter(None, (content, below)))
        text = _marks(name).sub(lambda match, filled=filled: f"{match[1]}\n{filled}\n\n{match[3]}", text)
    path.write_text(text, encoding="utf-8")


def _marks(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {re.escape(name)} -->\n)(.*?)(<!-- /{re.escape(name)} -->)", re.S)
