"""``elimax train`` as a user calls it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.problems import random_graph

pytest.importorskip("optax")

from elimax.cli.app import app
from elimax.graph import json as graph_files
from elimax.order import search

SETTINGS = "games = 4\niterations = 3\nwidth = 8\nlayers = 1\nbatch = 16\n"


def run(*words, exit_code=0):
    result = CliRunner().invoke(app, ["train", *map(str, words)], prog_name="elimax")
    assert result.exit_code == exit_code, result.output
    return result


@pytest.fixture
def files(tmp_path):
    graph_files.dump(random_graph(5, middle=14, degree=3), tmp_path / "graph.json")
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return tmp_path


def test_train_goes_on_and_leaves_curves_orders_and_weights(files):
    words = (files / "graph.json", "--config", files / "settings.toml", "--output", files / "out")
    first = run(*words, "--until", 1, "--json")
    assert json.loads(first.stdout)["rounds"] == 1
    second = run(*words, "--json", "--export", files / "weights.npz")
    told = json.loads(second.stdout)
    assert told["rounds"] == 3
    assert "going on after round 1" in second.stderr
    task = told["tasks"][0]
    graph = graph_files.load(files / "graph.json")
    assert search(graph, task["order"], "published").multiplications == task["multiplications"]
    assert {"checkpoint.npz", "curve.csv", "curve.json", "curve.png", "orders.json"} <= {
        path.name for path in (files / "out").iterdir()
    }
    found = search(graph, "agent", "published", weights=files / "weights.npz")
    assert search(graph, found.vertices, "published").multiplications == found.multiplications
    again = run(*words)
    assert "random 5: " in again.stdout
    other = run(*words, "--seed", 3, exit_code=2)
    assert "CheckpointError" in other.output
    assert "seed 0 -> 3" in other.output
    assert json.loads(run(*words, "--fresh", "--until", 1, "--json").stdout)["rounds"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("random", "zoo:kepler"), '"random" stands alone'),
        (("no-such-problem",), "The zoo has no problem"),
        (("zoo:hole", "zoo:perceptron"), "train them apart"),
        (("zoo:hole", "--method", "magic"), "'method' should be one of"),
        (("zoo:hole", "--games", "0"), "'games' should be one or more"),
        (("zoo:hole", "--config", "none.toml"), "cannot be read"),
        (("zoo:hole", "--distributed", "here"), "ADDRESS:PORT,COUNT,INDEX was expected"),
    ],
)
def test_bad_input(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words, exit_code=2)
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []
