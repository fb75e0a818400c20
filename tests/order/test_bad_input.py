"""Graphs and questions that make no sense are refused by name; the smallest graphs that do are fine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import elimax
from elimax.cli.app import app
from elimax.graph.json import loads
from elimax.order import search

CHAIN = {"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[0, 1, "variable"], [1, 2, "variable"]]}

BAD_GRAPHS = {
    "cycle": ({"num_vertices": 4, "edges": [[0, 1, "unit"], [1, 2, "unit"], [2, 1, "unit"], [2, 3, "unit"]]}, "cycle"),
    "loop": ({"edges": [[0, 1, "variable"], [1, 1, "variable"], [1, 2, "variable"]]}, "cycle"),
    "misnumbered": ({"outputs": [1], "edges": [[0, 2, "unit"], [2, 1, "unit"]]}, "backwards"),
    "unconnected": ({"num_vertices": 4}, "3 have no edge|vertex 3|no edge"),
    "unknown end": ({"edges": [[0, 1, "unit"], [1, 7, "unit"]]}, "outside 0 to 2"),
    "unknown output": ({"outputs": [9]}, "'outputs' names 9"),
    "unknown class": ({"edges": [[0, 1, "big"], [1, 2, "unit"]]}, "class 'big'"),
    "edge twice": ({"edges": [[0, 1, "unit"], [0, 1, "unit"], [1, 2, "unit"]]}, "listed twice"),
    "input twice": ({"inputs": [0, 0]}, "more than once"),
    "in-edge of an input": ({"inputs": [0, 1]}, "inputs have none"),
    "negative number": ({"num_vertices": -1}, "num_vertices"),
    "fractional vertex": ({"edges": [[0, 1.5, "unit"], [1, 2, "unit"]]}, "ends of an edge"),
}

FINE = {
    "empty": ({"num_vertices": 0, "inputs": [], "outputs": [], "edges": []}, 0),
    "one vertex, input and output": ({"num_vertices": 1, "inputs": [0], "outputs": [0], "edges": []}, 0),
    "one input alone": ({"num_vertices": 1, "inputs": [0], "outputs": [], "edges": []}, 0),
    "no intermediates": ({"num_vertices": 2, "inputs": [0], "outputs": [1], "edges": [[0, 1, "variable"]]}, 0),
    "one intermediate": (CHAIN, 1),
    # Vertex 1 is a constant: no input leads to it. Vertex 2 is dead: it leads to no output.
    "no path from an input": (
        {"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[0, 2, "unit"], [1, 2, "variable"]]},
        0,
    ),
    "no path to an output": (
        {"num_vertices": 3, "inputs": [0], "outputs": [1], "edges": [[0, 1, "unit"], [0, 2, "variable"]]},
        0,
    ),
    "an output that nothing reaches": ({"num_vertices": 2, "inputs": [0], "outputs": [1], "edges": []}, 0),
}
SEARCHES = ("auto", "forward", "reverse", "markowitz", "annealing", "edges", "exact")


def cli(*words: str):
    return CliRunner().invoke(app, list(words), prog_name="elimax")


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "chain.json"
    path.write_text(json.dumps(CHAIN))
    return str(path)


@pytest.mark.parametrize("case", BAD_GRAPHS)
def test_bad_graphs(case, tmp_path):
    changes, words = BAD_GRAPHS[case]
    text = json.dumps({**CHAIN, **changes, **({"outputs": [3]} if case == "cycle" else {})})
    with pytest.raises(elimax.GraphFormatError, match=words):
        loads(text)
    path = tmp_path / "bad.json"
    path.write_text(text)
    told = cli("search", str(path))
    assert told.exit_code == 2
    assert "GraphFormatError" in told.output
    assert "bad.json" in told.output


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"inputs": [0]}', "\x00"])
def test_no_graph_at_all(text, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    told = cli("search", str(path))
    assert told.exit_code == 2
    assert "GraphFormatError" in told.output


@pytest.mark.parametrize("order", SEARCHES)
@pytest.mark.parametrize("case", FINE)
def test_small_graphs_are_fine(case, order):
    data, count = FINE[case]
    for rule in ("published", "executed"):
        found = search(loads(json.dumps(data)), order, rule, max_evaluations=50)
        assert found.multiplications == count
        assert found.lower_bound <= count


@pytest.mark.parametrize("case", FINE)
def test_small_graphs_are_fine_on_the_command_line(case, tmp_path):
    data, count = FINE[case]
    path = tmp_path / "small.json"
    path.write_text(json.dumps(data))
    told = cli("search", str(path), "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.output.splitlines()[-1])["multiplications"] == count
    assert cli("search", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "best"}, "unknown order 'best'.*'auto'"),
        ({"cost": "flops"}, "unknown cost 'flops'.*'published'"),
        ({"budget": -1}, "budget.*-1"),
        ({"budget": float("nan")}, "budget.*nan"),
        ({"budget": "1"}, "budget.*'1'"),
        ({"budget": True}, "budget.*True"),
        ({"max_evaluations": 1.5}, "max_evaluations.*1.5"),
        ({"max_evaluations": -3}, "max_evaluations.*-3"),
        ({"max_evaluations": True}, "max_evaluations.*True"),
        ({"seed": -1}, "seed.*-1"),
        ({"seed": 0.5}, "seed.*0.5"),
        ({"order": [1, 1]}, "1"),
        ({"order": [0, 1]}, "0"),
        ({"order": []}, "1"),
        ({"order": [1, 5]}, "5"),
        ({"temperature": 3}, "no option 'temperature'"),
    ],
)
def test_bad_questions(options, words):
    with pytest.raises(elimax.OrderError, match=words):
        search(loads(json.dumps(CHAIN)), **options)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--order", "best"), "unknown order 'best'"),
        (("--order", "1,1"), "OrderError"),
        (("--order", "5"), "OrderError"),
        (("--cost", "flops"), "--cost"),
        (("--budget", "-1"), "budget"),
        (("--budget", "nan"), "budget"),
        (("--budget", "soon"), "--budget"),
        (("--max-evaluations", "-1"), "--max-evaluations"),
        (("--max-evaluations", "1.5"), "--max-evaluations"),
        (("--seed", "-1"), "seed"),
        (("--executor", "cloud"), "--executor"),
        (("--order", "forward", "--executor", "processes"), "OrderError"),
    ],
)
def test_bad_questions_on_the_command_line(chain, words, told):
    for command in (("search", chain), ("plan", "zoo:lighthouse")):
        if command[0] == "plan" and words[:2] == ("--order", "1,1"):
            continue
        shown = cli(*command, *words)
        assert shown.exit_code == 2, shown.output
        assert told in shown.output


def test_a_missing_file_and_an_unknown_problem(tmp_path):
    assert cli("search", str(tmp_path / "none.json")).exit_code == 2
    shown = cli("plan", "zoo:roe_flux_9d")
    assert shown.exit_code == 2
    assert "roe_flux_1d" in shown.output


def test_an_order_of_another_graph(chain, tmp_path):
    other = {**CHAIN, "num_vertices": 4, "outputs": [3], "edges": [*CHAIN["edges"], [2, 3, "variable"]]}
    path, plan = tmp_path / "other.json", tmp_path / "plan.json"
    path.write_text(json.dumps(other))
    assert cli("search", str(path), "--save", str(plan)).exit_code == 0
    shown = cli("search", chain, "--order", str(plan))
    assert shown.exit_code == 2
    assert "PlanMismatchError" in shown.output
    with pytest.raises(elimax.OrderError):
        search(loads(json.dumps(CHAIN)), search(loads(json.dumps(other)), "forward").vertices)


def test_no_traceback_in_a_real_process(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**CHAIN, "edges": [[0, 1, "unit"], [1, 1, "unit"], [1, 2, "unit"]]}))
    done = subprocess.run([sys.executable, "-m", "elimax", "search", str(path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "GraphFormatError" in done.stderr
