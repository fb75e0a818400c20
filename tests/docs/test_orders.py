"""The tables of docs/orders.md: every section is there, filled, and written between its marks."""

from __future__ import annotations

import pytest
from benchmarks.documents import section, write

from tests.docs.blocks import ROOT

SECTIONS = ("published", "executed", "edges", "arrays", "large")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_table_has_been_measured(name):
    content = section(ROOT / "docs" / "orders.md", name)
    assert content.count("\n| ") > 2
    assert "Python 3" in content


def test_sections_are_replaced(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n<!-- b -->\nkept\n<!-- /b -->\n")
    write(path, {"a": "new"}, "a machine.")
    assert path.read_text() == (
        "before\n<!-- a -->\n\nnew\n\na machine.\n\n<!-- /a -->\nafter\n<!-- b -->\nkept\n<!-- /b -->\n"
    )
    with pytest.raises(ValueError, match="<!-- c -->"):
        write(path, {"c": "new"}, "a machine")
