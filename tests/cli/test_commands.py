"""The commands as a user calls them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from elimax.cli.app import app

ROOT = Path(__file__).parents[2]

GRAPH = {
    "name": "diamond",
    "num_vertices": 6,
    "inputs": [0, 1],
    "outputs": [5],
    "edges": [
        [0, 2, "variable"],
        [1, 2, "variable"],
        [2, 3, "variable"],
        [2, 4, "variable"],
        [3, 5, "variable"],
        [4, 5, "variable"],
    ],
}
KEYS = {"name", "method", "order", "multiplications", "lower_bound", "optimal", "baselines", "seconds"}


def run(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), prog_name="elimax")
    if result.exit_code != exit_code and result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture
def graph_file(tmp_path):
    path = tmp_path / "diamond.json"
    path.write_text(json.dumps(GRAPH))
    return path


def test_search_prints_one_json_object(graph_file):
    found = json.loads(run("search", str(graph_file), "--order", "reverse", "--cost", "published", "--json"))
    assert found.keys() >= KEYS
    assert found["name"] == "diamond"
    assert found["order"] == [4, 3, 2]
    # Vertices 4 and 3 join one edge in with one out, vertex 2 then two in with one out.
    assert found["multiplications"] == found["baselines"]["reverse"] == 4
    # Forward meets vertex 2 while both its users are there: two in with two out, then two in with one out twice.
    assert found["baselines"]["forward"] == 8
    assert found["lower_bound"] <= 4


def test_search_takes_a_sequence(graph_file):
    found = json.loads(run("search", str(graph_file), "--order", "2,3,4", "--cost", "published", "--json"))
    assert found["order"] == [2, 3, 4]
    assert found["multiplications"] == 8


def test_search_limited_by_work_depends_on_the_seed_alone(graph_file):
    words = ("search", str(graph_file), "--order", "annealing", "--max-evaluations", "50", "--seed", "3", "--json")
    # A slow search prints lines of progress before its result.
    first, second = (json.loads(run(*words).splitlines()[-1]) for _ in range(2))
    assert first["order"] == second["order"]
    assert first["multiplications"] == 4


def test_search_prints_a_table(graph_file):
    shown = run("search", str(graph_file), "--cost", "published")
    for word in ("diamond", "forward", "reverse", "markowitz", "lower bound"):
        assert word in shown


def test_search_saves_a_plan_that_show_reads_and_search_reuses(graph_file, tmp_path):
    saved = tmp_path / "plan.json"
    run("search", str(graph_file), "--order", "4,2,3", "--save", str(saved))
    assert "diamond" in run("show", str(saved))
    again = json.loads(run("search", str(graph_file), "--order", str(saved), "--json"))
    assert again["order"] == [4, 2, 3]


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".html"])
def test_show_draws(graph_file, tmp_path, suffix):
    saved, drawn = tmp_path / "plan.json", tmp_path / f"picture{suffix}"
    run("search", str(graph_file), "--save", str(saved))
    run("show", str(saved), "--output", str(drawn))
    text = drawn.read_text(encoding="utf-8")
    assert "diamond" in text
    if suffix == ".svg":
        assert ElementTree.fromstring(text).tag.endswith("svg")


def test_show_refuses_other_formats(graph_file, tmp_path):
    saved = tmp_path / "plan.json"
    run("search", str(graph_file), "--save", str(saved))
    assert ".svg, .html, .dot" in run("show", str(saved), "--output", str(tmp_path / "a.png"), exit_code=2)


def test_plan_of_a_zoo_problem():
    found = json.loads(run("plan", "zoo:lighthouse", "--order", "forward", "--cost", "multiplications", "--json"))
    assert found.keys() >= KEYS
    assert found["name"] == "lighthouse"
    assert found["method"] == "forward"
    assert sorted(found["order"]) == found["order"]
    assert found["multiplications"] == found["baselines"]["forward"]


def test_plan_of_a_function():
    words = ("plan", "jax.numpy:hypot", "--args", "3.0, 4.0", "--argnums", "0", "--argnums", "1")
    assert "2 inputs, 1 outputs" in run(*words)
    assert json.loads(run(*words, "--json"))["name"] == "jax.numpy:hypot"


def test_a_saved_plan_is_an_order(tmp_path):
    saved = tmp_path / "plan.json"
    first = json.loads(run("plan", "zoo:roe_flux_1d", "--order", "markowitz", "--save", str(saved), "--json"))
    again = json.loads(run("plan", "zoo:roe_flux_1d", "--order", str(saved), "--json"))
    assert again["order"] == first["order"]
    wrong = run("plan", "zoo:lighthouse", "--order", str(saved), exit_code=2)
    assert "PlanMismatchError" in wrong


def test_memory_is_limited():
    words = ("plan", "zoo:burgers_1d", "--order", "reverse", "--max-memory")
    found = json.loads(run(*words, "1 GB", "--json"))
    assert found["memory"]["dense result"] <= found["memory"]["peak"] <= 10**9
    assert found["mode"] == "elimination"
    assert found["chunk"] is None
    assert "MemoryLimitError" in run(*words, "1 kB", exit_code=2)


def test_a_plan_with_blocks_is_saved_and_drawn(tmp_path):
    """The padding of the Brusselator comes as NumPy integers, which JSON does not take as they are."""
    saved, drawn = tmp_path / "plan.json", tmp_path / "picture.svg"
    run("plan", "zoo:brusselator_1d,points=4", "--save", str(saved))
    run("show", str(saved), "--output", str(drawn))
    assert "pad" in drawn.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan", "zoo:roe_flux_2d"), "no problem 'roe_flux_2d'"),
        (("plan", "zoo:lighthouse", "--order", "fastest"), "unknown order 'fastest'"),
        (("plan", "zoo:lighthouse", "--order", "1,1,2"), "OrderError"),
        (("plan", "zoo:lighthouse", "--budget", "-1"), "budget"),
        (("plan", "zoo:lighthouse", "--cost", "price"), "'price' is not one of"),
        (("plan", "jax.numpy:sin"), "example arguments were expected"),
        (("plan", "jax.numpy:sin", "--args", "1.0 2.0"), "Python values"),
        (("plan", "jax.numpy:sin", "--args", "1.0", "--argnums", "3"), "argnums"),
        (("search", "{folder}/missing.json"), "does not exist"),
        (("search", "{folder}/broken.json"), "GraphFormatError"),
        (("search", "{folder}/cyclic.json"), "GraphFormatError"),
        (("show", "{folder}/broken.json"), "PlanFormatError"),
        (("bench", "everything"), "was expected, got 'everything'"),
        (("fly",), "No such command"),
    ],
)
def test_failures_are_one_message_and_exit_code_2(tmp_path, words, message):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "cyclic.json").write_text(json.dumps({**GRAPH, "edges": [*GRAPH["edges"], [5, 2, "unit"]]}))
    shown = run(*(word.format(folder=tmp_path) for word in words), exit_code=2)
    assert message in shown
    assert "Traceback" not in shown


def test_errors_of_the_function_itself_keep_their_traceback(tmp_path):
    (tmp_path / "mine.py").write_text("def f(x):\n    return x['missing']\n")
    result = CliRunner().invoke(app, ["plan", f"{tmp_path}/mine.py:f", "--args", "{'a': 1.0}"])
    assert isinstance(result.exception, KeyError)


def test_demo_plans_verifies_and_times():
    words = ("--problem", "lighthouse", "--batch", "1", "--batch", "7", "--seconds", "1")
    report = json.loads(run("demo", *words, "--json"))
    (problem,) = report["problems"]
    assert problem.keys() >= KEYS
    assert problem["agrees"]
    assert [case["batch"] for case in problem["times"]] == [1, 7]
    for case in problem["times"]:
        assert set(case["seconds"]) == {"elimax", "jacfwd", "jacrev"}
        assert set(case["ratio"]) == {"jacfwd", "jacrev"}
    shown = run("demo", *words)
    for word in ("lighthouse", "agree with jax.jacfwd", "elimax/jacrev", "CPUs"):
        assert word in shown


def test_bench_lists_the_suites():
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    shared = {"documents", "rows"}
    assert scripts > shared
    shown = run("bench")
    assert {name for name in scripts if re.search(rf"^{name} +\S", shown, re.M)} == scripts - shared


def test_bench_runs_a_suite_and_prints_its_figures():
    content = json.loads(
        run(
            "bench",
            "jacobians",
            "--problem",
            "lighthouse",
            "--batch",
            "3",
            "--dtype",
            "float64",
            "--seconds",
            "0.1",
            "--json",
        )
    )
    (row,) = content["rows"]
    assert (row["problem"], row["batch"]) == ("lighthouse", 3)


def test_bench_needs_a_checkout(tmp_path, monkeypatch):
    from elimax.cli import bench

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "a" / "b" / "c" / "bench.py"))
    assert "checkout" in run("bench", exit_code=2)


@pytest.mark.parametrize(
    ("words", "rest", "as_json"),
    [
        (("--json",), [], True),
        (("--json", "--batch", "3"), ["--batch", "3"], True),
        (("--json", "file"), ["--json", "file"], False),
        (("--batch", "3"), ["--batch", "3"], False),
    ],
)
def test_bare_json_is_told_from_a_file(words, rest, as_json):
    from elimax.cli.bench import _without_bare_json

    assert _without_bare_json(words) == (rest, as_json)


def test_help_names_every_command():
    shown = run("--help")
    for name in ("plan", "search", "show", "demo", "bench"):
        assert name in shown
        assert "Usage: elimax" in run(name, "--help")


def test_versions():
    assert run("--version").startswith("elimax 0.1.0, JAX ")


def test_the_package_runs_as_a_module_and_imports_little():
    """A plain import brings in jax and numpy; search kernels, terminal and pictures wait until they are used."""
    code = (
        "import sys, elimax; late = {'numba', 'scipy', 'click', 'rich', 'matplotlib', 'platformdirs', 'ray'};"
        "print(sorted(late & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    done = subprocess.run([sys.executable, "-m", "elimax", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("elimax")


def test_plan_shows_a_line_about_the_running_search(monkeypatch):
    from elimax.cli import progress

    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.05)
    result = CliRunner().invoke(app, ["plan", "zoo:roe_flux_1d", "--budget", "1", "--seed", "11", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["name"] == "roe_flux_1d"
    assert "evaluations/s" in result.stderr


def test_thread_is_the_executor_of_this_process(graph_file):
    from elimax.cli.options import parse_executor

    assert [parse_executor(name) for name in ("thread", "processes", "ray")] == [None, "processes", "ray"]
    found = json.loads(run("search", str(graph_file), "--executor", "thread", "--json"))
    assert found["multiplications"] <= 4


@pytest.mark.slow
def test_search_over_processes():
    found = json.loads(
        run(
            "plan",
            "zoo:roe_flux_1d",
            "--cost",
            "published",
            "--executor",
            "processes",
            "--max-evaluations",
            "20000",
            "--json",
        ).splitlines()[-1]
    )
    assert found["multiplications"] < min(found["baselines"].values())
