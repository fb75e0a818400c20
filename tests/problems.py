"""Random elimination problems, a random algebra, and the graph files of published tasks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from elimax.elimination.algebra import _Remembered
from elimax.elimination.problem import Problem
from elimax.graph.json import load
from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, scalar

GRAPHS = Path(__file__).resolve().parents[2] / "shared" / "graphs"
NAMES = (
    "black_scholes_jacobian",
    "human_heart_dipole",
    "propane_combustion",
    "random_f_scalar",
    "random_g",
    "robot_arm_6dof",
    "roe_flux_1d",
    "roe_flux_3d_scalar",
)

TINY = {
    "empty": ('{"num_vertices": 0, "inputs": [], "outputs": [], "edges": []}', {"published": 0, "executed": 0}),
    "no intermediates": (
        '{"num_vertices": 2, "inputs": [0], "outputs": [1], "edges": [[0, 1, "unit"]]}',
        {"published": 0, "executed": 0},
    ),
    "input is output": (
        '{"num_vertices": 1, "inputs": [0], "outputs": [0], "edges": []}',
        {"published": 0, "executed": 0},
    ),
    "one vertex": (
        '{"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[0, 1, "variable"], [1, 2, "variable"]]}',
        {"published": 1, "executed": 1},
    ),
    "a unit": (
        '{"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[0, 1, "unit"], [1, 2, "variable"]]}',
        {"published": 1, "executed": 0},
    ),
    "no input": (
        '{"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[1, 2, "unit"]]}',
        {"published": 0, "executed": 0},
    ),
}
"""Graphs with nothing or next to nothing to eliminate, and the multiplications of every order by cost rule."""


def published_graph(name: str) -> Graph:
    """A graph file, or a skip if the files are not there."""
    return load(_file(name))


def expected_counts(name: str) -> dict:
    """The expected counts of a graph file under the rules that it knows."""
    counts = json.loads(_file(name).read_text())["expected_multiplications"]
    return {rule: counts[rule] for rule in ("published", "executed") if rule in counts}


def _file(name: str) -> Path:
    path = GRAPHS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the graph files of published tasks are not at {GRAPHS}")
    return path


def random_graph(seed: int, inputs: int = 3, middle: int = 10, outputs: int = 3, degree: int = 2) -> Graph:
    """A random scalar graph; some outputs have out-edges, some vertices are dead or constant."""
    draw = random.Random(seed)
    count = inputs + middle + outputs
    edges = []
    for target in range(inputs, count):
        recent = range(max(0, target - 8), target)
        sources = {
            draw.choice(recent if draw.random() < 0.7 else range(target)) for _ in range(draw.randint(1, degree))
        }
        edges += [Edge(source, target, scalar(draw.choice(list(Kind)))) for source in sorted(sources)]
    extra = draw.sample(range(inputs, inputs + middle), min(1, middle))
    ends = tuple(range(inputs + middle, count)) + tuple(extra if draw.random() < 0.5 else ())
    used = {edge.source for edge in edges} | set(ends)
    edges = [edge for edge in edges if edge.target in used or edge.target >= inputs]
    return Graph((Vertex(),) * count, tuple(range(inputs)), ends, tuple(edges), f"random {seed}")


class RandomAlgebra(_Remembered):
    """A made-up algebra of many structures: products may vanish, sums fall into other structures."""

    def __init__(self, seed: int, size: int = 12):
        super().__init__("executed")
        self.seed, self.size = seed, size

    def _product(self, left: int, right: int) -> tuple[int, int]:
        draw = random.Random(f"{self.seed} product {left} {right}")
        if draw.random() < 0.05:
            return -1, 0
        return draw.randrange(self.size), draw.randrange(20)

    def _sum(self, old: int, new: int) -> int:
        return random.Random(f"{self.seed} sum {old} {new}").randrange(self.size)


def random_problem(seed: int, rule: str = "executed", **sizes: int) -> Problem:
    """A random scalar problem."""
    return Problem.from_graph(random_graph(seed, **sizes), rule)


def block_like_problem(seed: int, **sizes: int) -> Problem:
    """A random problem over a made-up algebra."""
    plain = random_problem(seed, **sizes)
    algebra = RandomAlgebra(seed)
    structures = np.random.default_rng(seed).integers(0, algebra.size, plain.structures.size).astype(np.int32)
    return Problem(
        plain.num_vertices,
        plain.inputs,
        plain.outputs,
        plain.sources,
        plain.targets,
        structures,
        plain.eliminable,
        algebra,
    )
