"""The policy on fresh graphs of the families that it was trained on, beside the expert of the training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from elimax.agent.block_families import draw_block_graph
from elimax.agent.families import draw_graph
from elimax.elimination.problem import Problem
from elimax.graph.types import Graph
from elimax.order import search

SEED = 987_654
"""No training draws with it."""

NUMBER = {"scalars": 96, "blocks": 48}
PROPOSALS = 20_000
SIMPLE = ("forward", "reverse", "markowitz")


def graphs(partials: str) -> Iterator[Graph]:
    """Graphs of all families, of sizes about those of the training."""
    rng = np.random.default_rng(SEED)
    for k in range(NUMBER[partials]):
        if partials == "scalars":
            yield draw_graph(rng, int(rng.integers(15, 100)))
        else:
            yield draw_block_graph(rng, int(rng.integers(8, 40)), k)


def table(rules: list[str]) -> str:
    """Geometric means against the best simple order."""
    lines = [
        "| partials | rule | number | policy alone | annealing, 20,000 proposals |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for partials in NUMBER:
        for rule in rules:
            sums = np.zeros(2)
            for graph in graphs(partials):
                problem = Problem.from_graph(graph, rule)
                simple = min(search(problem, order).multiplications for order in SIMPLE)
                policy = search(problem, "agent", simple=False).multiplications
                expert = search(problem, "annealing", max_evaluations=PROPOSALS).multiplications
                sums += [math.log(max(count, 1) / max(simple, 1)) for count in (policy, expert)]
            means = np.exp(sums / NUMBER[partials])
            lines.append(f"| {partials} | {rule} | {NUMBER[partials]} | {means[0]:.3f} | {means[1]:.3f} |")
    return "\n".join(lines)
