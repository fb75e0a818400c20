"""The best counts known of the unseen graphs, the ceiling of what there is to gain on them.

    python -m benchmarks.agent.ceiling --scalars 500000 --blocks 50000

Each graph is annealed with so many proposals, about a second and a tenth of one; a count in ``best_known.json``
beside this file is only ever replaced by a lower one, whoever found it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.agent import heldout

from elimax.elimination.problem import Problem
from elimax.order import search

FILE = Path(__file__).parent / "best_known.json"
RULES = ("published", "executed")


def load() -> dict[str, int]:
    """Best known counts by `key`."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def key(source: str, name: str, rule: str) -> str:
    """Name of a graph under a rule."""
    return f"{source}: {name}, {rule}"


def save(found: dict[str, int]) -> None:
    """Write the counts, lower ones alone."""
    known = load()
    known |= {name: min(count, known.get(name, count)) for name, count in found.items()}
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n", encoding="utf-8")


def main() -> None:
    """Anneals every unseen graph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, default=Path(__file__).parents[3] / "shared" / "graphs")
    parser.add_argument("--kinds", nargs="+", default=["published", "zoo", "cutest"])
    parser.add_argument("--scalars", type=int, default=500_000, help="proposals for a graph of scalars")
    parser.add_argument("--blocks", type=int, default=50_000, help="proposals for a graph of blocks")
    options = parser.parse_args()
    for source, name, graph in heldout.graphs(options.graphs, tuple(options.kinds)):
        for rule in RULES:
            problem = Problem.from_graph(graph, rule)
            proposals = options.scalars if problem.is_scalar else options.blocks
            count = search(problem, "annealing", max_evaluations=proposals, restarts=6).multiplications
            save({key(source, name, rule): count})
            print(source, name, rule, count, flush=True)


if __name__ == "__main__":
    main()
