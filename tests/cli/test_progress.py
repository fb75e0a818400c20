"""The line about a running search."""

import time
from types import SimpleNamespace

import pytest

from elimax.cli.progress import line, watched


def state(best=None, bound=0, evaluations=0):
    order = None if best is None else SimpleNamespace(multiplications=best)
    return SimpleNamespace(best=order, lower_bound=bound, evaluations=evaluations)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (state(), "searching, 2 s"),
        (state(295, 223, 620_000), "best 295, bound 223, gap 24.4 %, 310,000 evaluations/s, 2 s"),
        (state(221, 221, 2), "best 221, bound 221, gap 0.0 %, 1 evaluations/s, 2 s"),
        (state(0, 0, 2), "best 0, bound 0, gap 0.0 %, 1 evaluations/s, 2 s"),
    ],
)
def test_line(progress, words):
    assert line(progress, 2.0) == words


def test_lines_go_to_the_error_stream_while_the_search_runs(capsys):
    progress = state(9, 3, 10)
    with watched(progress, every=0.01):
        time.sleep(0.1)
        progress.best.multiplications = 5
        time.sleep(0.1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "best 9, bound 3" in shown.err
    assert "best 5, bound 3" in shown.err


def test_a_failure_ends_the_watch():
    with pytest.raises(ValueError, match="inside"), watched(state(), every=0.01):
        raise ValueError("inside")
