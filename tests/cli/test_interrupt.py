"""Control-C ends a search with the best order so far; the same work gives the same order in every process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from elimax.graph.json import dump, load
from elimax.order import search
from tests.problems import random_graph

COMMAND = (sys.executable, "-m", "elimax", "search")
# A shell in the background has its commands ignore interrupts, and they hand that on.
HEEDING = (
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)


@pytest.fixture
def hard(tmp_path):
    """A graph on which the portfolio goes on as long as it may."""
    path = tmp_path / "hard.json"
    dump(random_graph(3, inputs=6, middle=150, outputs=6, degree=3), path)
    return path


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_prints_the_best_so_far(hard, tmp_path):
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [*HEEDING, *COMMAND, str(hard), "--cost", "published", "--budget", "500", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ELIMAX_CACHE_DIR": str(cache)},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:  # the line of progress tells that the search is under way
            if line.startswith("best"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    found = json.loads(out.splitlines()[-1])
    assert found["seconds"] < 400
    assert search(load(hard), found["order"], "published").multiplications == found["multiplications"]
    assert found["multiplications"] <= min(found["baselines"].values())
    # An answer that was cut short is not kept as the answer to 500 seconds.
    assert not list(cache.rglob("*.json"))


def test_two_processes_with_the_same_work_agree(hard):
    def run():
        words = (*COMMAND, str(hard), "--max-evaluations", "20000", "--seed", "5", "--json")
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "ELIMAX_CACHE": "off"})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    first, second = run(), run()
    for what in ("order", "multiplications", "lower_bound", "method"):
        assert first[what] == second[what]
