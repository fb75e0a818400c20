"""Order search on published graphs: counts, bounds, and seconds to reach them, on one core.

    python -m benchmarks.orders                          # everything, about five minutes; prints the tables
    python -m benchmarks.orders --write                  # and writes them into docs/orders.md
    python -m benchmarks.orders --parts searches --graph roe_flux_1d --json figures.json

Each search runs in a process of its own. Compiled code is loaded from numba's cache, within the time of the search;
a first search that is not measured fills the cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import documents
from benchmarks.orders import large_graphs, report
from benchmarks.orders.measure import Found, measure
from benchmarks.orders.tasks import RULES, TASKS, Task

from elimax.graph import json as graph_files

ROOT = Path(__file__).parents[2]
PARTS = ("searches", "edges", "arrays", "large")
DRAWN = ("roe_flux_1d", "random_g", "black_scholes_jacobian", "roe_flux_3d_scalar")
EDGE_SECONDS, ARRAY_SECONDS, LARGE_SECONDS = 6.0, 20.0, 10.0


def best_known(path: Path, rule: str) -> int | None:
    """The best count that the file of a graph names."""
    counts = json.loads(path.read_text(encoding="utf-8")).get("expected_multiplications", {})
    return counts.get(rule, {}).get("best_known")


def say(words: str) -> None:
    """Progress goes to the error stream, which leaves the output to the tables."""
    print(words, file=sys.stderr, flush=True)


def told(name: str, rule: str, found: Found) -> Found:
    """Say what was found and return it."""
    say(f"{name:24} {rule:10} {found.count:>9,} >= {found.bound:<8,} {found.seconds:6.2f} s  {found.method}")
    return found


def scalar_searches(folder: Path, tasks: list[Task], options: argparse.Namespace) -> dict:
    """Every graph under both rules."""
    made: dict[str, list[tuple[Task, int | None, Found]]] = {rule: [] for rule in RULES}
    for rule, task in itertools.product(RULES, tasks):
        path = folder / f"{task.name}.json"
        budget = task.seconds * options.scale
        found = measure(path, rule, budget, options.order, options.seed, cores=options.cores)
        made[rule].append(
            (dataclasses.replace(task, seconds=budget), best_known(path, rule), told(task.name, rule, found))
        )
    return made


def edge_searches(folder: Path, tasks: list[Task], options: argparse.Namespace) -> list:
    """Eliminations of single edges where the graph is small enough for that search, against vertices alone."""
    from elimax.order.edges import MOST_VERTICES

    rows = []
    for rule, task in itertools.product(RULES, tasks):
        path = folder / f"{task.name}.json"
        if graph_files.load(path).num_vertices > MOST_VERTICES:
            continue
        budget = EDGE_SECONDS * options.scale
        pair = [
            measure(path, rule, budget, order, options.seed, simple=False, cores=options.cores)
            for order in ("auto", "edges")
        ]
        told(f"{task.name} (edges)", rule, pair[1])
        rows.append((task.name, rule, *pair))
    return rows


def array_searches(scratch: Path, options: argparse.Namespace) -> list:
    """Array programs under the published rule."""
    import jax
    from benchmarks.orders.arrays import graphs

    jax.config.update("jax_enable_x64", True)
    rows = []
    for name, graph in graphs().items():
        path = scratch / f"{name}.json"
        graph_files.dump(graph, path)
        found = measure(path, "published", ARRAY_SECONDS * options.scale, "auto", options.seed, cores=options.cores)
        rows.append((name, told(name, "published", found)))
    return rows


def large_searches(scratch: Path, options: argparse.Namespace) -> list:
    """Graphs of 20,000 scalar vertices."""
    rows = []
    for graph in (large_graphs.kinetics(options.vertices), large_graphs.bodies(options.vertices)):
        path = scratch / "large.json"
        graph_files.dump(graph, path)
        for rule in RULES:
            budget = LARGE_SECONDS * options.scale
            found = measure(path, rule, budget, "auto", options.seed, cores=options.cores)
            rows.append((graph.name, rule, budget, told(graph.name, rule, found)))
    return rows


def main() -> None:
    """Measures, prints, and writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, default=ROOT.parent / "shared" / "graphs", help="folder of graph files")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--graph", action="append", help="only this graph; may be repeated")
    parser.add_argument("--order", default="auto", help="search of the scalar graphs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=1, help="number of cores for each search")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every time allowed")
    parser.add_argument("--vertices", type=int, default=20_000, help="size of the large graphs")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--write", action="store_true", help="write docs/orders.md and docs/orders.svg")
    options = parser.parse_args()
    tasks = [task for task in TASKS if not options.graph or task.name in options.graph]
    results = report.Results()
    if {"searches", "edges"} & set(options.parts) and not options.graphs.is_dir():
        parser.error(f"there are no graph files at {options.graphs}; name their folder with --graphs")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if tasks and options.graphs.is_dir():
            say("filling the cache of compiled code")
            for rule in RULES:
                measure(options.graphs / f"{TASKS[3].name}.json", rule, 3.0, "auto")
        if "searches" in options.parts:
            results.searches = scalar_searches(options.graphs, tasks, options)
        if "edges" in options.parts:
            results.edges = edge_searches(options.graphs, tasks, options)
        if "arrays" in options.parts:
            results.arrays = array_searches(scratch, options)
        if "large" in options.parts:
            results.large = large_searches(scratch, options)
    made = report.sections(results)
    print("\n\n".join(made.values()))
    for line in report.missed(results):
        say(f"not reached: {line}")
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(results), indent=1) + "\n", encoding="utf-8")
    if options.write:
        from benchmarks.orders import picture

        documents.write(ROOT / "docs" / "orders.md", made, f"{report.machine(options.cores)}.")
        rows = [
            (task.name, task.seconds, known, found)
            for task, known, found in results.searches.get("published", [])
            if task.name in DRAWN
        ]
        if rows:
            picture.draw(rows, ROOT / "docs" / "orders.svg")


if __name__ == "__main__":
    main()
