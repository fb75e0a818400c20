"""Graphs that the shipped agent has never seen: published tasks, the zoo and its random programs, CUTEst residuals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax

from elimax.graph import json as graph_files
from elimax.graph.types import Graph

MOST_VERTICES = 300
FEWEST = 5
"""Graphs with fewer vertices to eliminate are left out: there is hardly anything to decide."""

MOST_EQUATIONS = 400
RANDOM_SEEDS = range(20)
SOURCES = ("published", "zoo", "random programs", "CUTEst")


def published(folder: Path) -> Iterator[tuple[str, str, Graph]]:
    """The graph files of published tasks."""
    for path in sorted(folder.glob("*.json")):
        yield "published", path.stem, graph_files.load(path)


def zoo_problems() -> Iterator[tuple[str, str, Graph]]:
    """Problems of the zoo at their usual sizes, and its random programs, scalars alone and with arrays."""
    from benchmarks.zoo_counts import zoo_graph

    from elimax import zoo

    for name in zoo.names():
        if name != "random_program":
            yield "zoo", name, zoo_graph(name)
    for seed in RANDOM_SEEDS:
        arrays = seed % 2 == 1
        graph = zoo_graph("random_program", seed=seed, size=60, arrays=arrays)
        yield "random programs", f"random_program {seed}" + (", arrays" if arrays else ""), graph


def cutest() -> Iterator[tuple[str, str, Graph]]:
    """Residuals of the nonlinear equations of CUTEst that trace to small graphs."""
    from benchmarks.sif2jax_walk import load_problems, num_equations

    from elimax.execute import linearisation_for

    for name, problem in load_problems().items():
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            leaves, tree = jax.tree.flatten(problem.y0)
            if num_equations(problem.constraint, problem.y0) > MOST_EQUATIONS:
                continue

            def flat(*active, problem=problem, tree=tree):
                return jax.tree.leaves(problem.constraint(jax.tree.unflatten(tree, active))), []

            yield "CUTEst", name, linearisation_for(flat, leaves, name).graph


def graphs(folder: Path, kinds: tuple[str, ...]) -> Iterator[tuple[str, str, Graph]]:
    """All held-out graphs of the kinds asked for with a number of vertices to eliminate within the limits."""
    sources = {"published": lambda: published(folder), "zoo": zoo_problems, "cutest": cutest}
    for kind in kinds:
        for source, name, graph in sources[kind]():
            if FEWEST <= len(graph.eliminable) <= MOST_VERTICES:
                yield source, name, graph
