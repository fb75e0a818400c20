"""Code blocks of Markdown files: Python ones are run together, shell ones one command at a time."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class Example:
    """A block and the output that is shown below it, or None."""

    language: str
    code: str
    line: int
    output: str | None


def examples(path: Path) -> list[Example]:
    """The blocks of a file; a ``text`` block right after a ``python`` block is its output."""
    text = path.read_text(encoding="utf-8")
    found: list[Example] = []
    end_of_last = -1
    for match in _BLOCK.finditer(text):
        language, code = match.groups()
        if language == "text" and found and not text[end_of_last : match.start()].strip():
            found[-1] = dataclasses.replace(found[-1], output=code)
        elif language != "text":
            found.append(Example(language, code, text[: match.start()].count("\n") + 1, None))
        end_of_last = match.end()
    return found


def commands(example: Example) -> list[tuple[str, str]]:
    """The commands of a ``console`` block with the output shown for each, or ""."""
    parts = re.split(r"^\$ ", example.code, flags=re.M)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]
