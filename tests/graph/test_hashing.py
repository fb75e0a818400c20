from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.problems import random_graph

from elimax.graph.hashing import canonical_numbering, structural_hash
from elimax.graph.json import load
from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, scalar

OWN = Path(__file__).resolve().parents[1] / "data" / "two_by_two.json"


def renumbered(graph: Graph, seed: int) -> Graph:
    """The same graph under a random other topological numbering, with other names."""
    draw = random.Random(seed)
    missing = [0] * graph.num_vertices
    for edge in graph.edges:
        missing[edge.target] += 1
    ready, sequence = [v for v in range(graph.num_vertices) if not missing[v]], []
    while ready:
        v = ready.pop(draw.randrange(len(ready)))
        sequence.append(v)
        for edge in graph.edges:
            if edge.source == v:
                missing[edge.target] -= 1
                if not missing[edge.target]:
                    ready.append(edge.target)
    new = {v: position for position, v in enumerate(sequence)}
    edges = sorted(
        (Edge(new[edge.source], new[edge.target], edge.structure) for edge in graph.edges),
        key=lambda edge: (edge.target, edge.source),
    )
    return Graph(
        tuple(dataclasses.replace(graph.vertices[v], name=f"other {v}", dtype="float32") for v in sequence),
        tuple(new[v] for v in graph.inputs),
        tuple(new[v] for v in graph.outputs),
        tuple(edges),
        "other",
    )


@pytest.mark.parametrize("seed", range(20))
def test_numbers_and_names_do_not_matter(seed):
    graph = random_graph(seed, middle=15, degree=3)
    other = renumbered(graph, seed)
    assert structural_hash(graph) == structural_hash(other)
    ranks, other_ranks = canonical_numbering(graph), canonical_numbering(other)
    assert sorted(ranks) == list(range(graph.num_vertices))
    edges = {(ranks[edge.source], ranks[edge.target], edge.structure) for edge in graph.edges}
    assert edges == {(other_ranks[edge.source], other_ranks[edge.target], edge.structure) for edge in other.edges}
    assert [ranks[v] for v in graph.inputs] == [other_ranks[v] for v in other.inputs]
    assert [ranks[v] for v in graph.outputs] == [other_ranks[v] for v in other.outputs]


def test_structure_matters():
    graph = random_graph(3)
    hashes = {structural_hash(graph)}
    first = graph.edges[0]
    for kind in Kind:
        hashes.add(
            structural_hash(
                dataclasses.replace(graph, edges=(dataclasses.replace(first, structure=scalar(kind)), *graph.edges[1:]))
            )
        )
    hashes.add(structural_hash(dataclasses.replace(graph, edges=graph.edges[1:])))
    hashes.add(structural_hash(dataclasses.replace(graph, inputs=graph.inputs[::-1])))
    hashes.add(structural_hash(dataclasses.replace(graph, outputs=graph.outputs[::-1])))
    hashes.add(structural_hash(dataclasses.replace(graph, vertices=(Vertex((3,)), *graph.vertices[1:]))))
    assert len(hashes) == 7  # one of the kinds was there before


def test_computing_twice_is_not_sharing():
    variable = scalar(Kind.VARIABLE)
    shared = Graph((Vertex(),) * 4, (0,), (2, 3), (Edge(0, 1, variable), Edge(1, 2, variable), Edge(1, 3, variable)))
    edges = (Edge(0, 1, variable), Edge(0, 2, variable), Edge(1, 3, variable), Edge(2, 4, variable))
    twice = Graph((Vertex(),) * 5, (0,), (3, 4), edges)
    assert structural_hash(shared) != structural_hash(twice)


def test_symmetric_chains_are_split():
    """Chains computed twice and added up: ties that are no twins, since their neighbours differ."""
    variable = scalar(Kind.VARIABLE)
    edges = [Edge(0, 1, variable), Edge(1, 2, variable), Edge(0, 3, variable), Edge(3, 4, variable)]
    graph = Graph((Vertex(),) * 6, (0,), (5,), (*edges, Edge(2, 5, variable), Edge(4, 5, variable)))
    other = renumbered(graph, 5)
    assert structural_hash(graph) == structural_hash(other)


def test_equal_in_every_process():
    script = (
        "import sys; from elimax.graph.json import load; from elimax.graph.hashing import structural_hash;"
        "print(structural_hash(load(sys.argv[1])))"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script, str(OWN)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in (1, 2)
    }
    assert hashes == {structural_hash(load(OWN))}
