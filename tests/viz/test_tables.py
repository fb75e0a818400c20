"""The same table as plain text, Markdown and on a terminal."""

import io

import pytest

from elimax.viz.tables import Table, cell, seconds, table, to_markdown, to_rich, to_text

SMALL = table(("<order", "count"), [("forward", 1620), ("reverse", None)], title="Orders", note="lower is better")


def test_plain_text():
    assert to_text(SMALL).splitlines() == [
        "Orders",
        "order    count",
        "-------  -----",
        "forward  1,620",
        "reverse      -",
        "lower is better",
    ]


def test_markdown():
    assert to_markdown(SMALL).splitlines() == [
        "| order | count |",
        "| --- | ---: |",
        "| forward | 1,620 |",
        "| reverse | - |",
    ]


def test_terminal():
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=60).print(to_rich(SMALL))
    for word in ("Orders", "order", "forward", "1,620", "lower is better"):
        assert word in out.getvalue()


def test_no_rows():
    assert to_text(table(("a", "b"), [])) == "a  b\n-  -"


def test_rows_fit_the_columns():
    with pytest.raises(ValueError, match="a row of 2 words"):
        Table(("a", "b"), (("1",),))


@pytest.mark.parametrize(
    ("value", "words"), [(None, "-"), (True, "yes"), (1234567, "1,234,567"), (0.123456, "0.123"), ("x", "x")]
)
def test_cells(value, words):
    assert cell(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.5 us"), (3e-9, "3 ns"), (None, "-")]
)
def test_durations(value, words):
    assert seconds(value) == words
