from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.problems import NAMES, expected_counts, published_graph, random_graph

from elimax.errors import GraphFormatError
from elimax.graph.json import dump, dumps, load, loads
from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Affine, IndexTable, Kind, Operator, Table, Term, scalar

OWN = Path(__file__).resolve().parents[1] / "data" / "two_by_two.json"


def block_graph() -> Graph:
    """Diagonal, shifted, tabulated and operator blocks, a sum of two terms, and scalar kinds."""
    table = IndexTable(np.array([2, 0, 1]))
    diagonal = Term((3,), (Affine(0, ((0, 1),)),), (Affine(0, ((0, 1),)),), (0,), Kind.VARIABLE)
    shifted = Term((2,), (Affine(1, ((0, 1),)),), (Affine(0, ((0, 1),)),), (), Kind.UNIT)
    listed = Term((3,), (Affine(0, ((0, 1),)),), (Table(0, table),), (0,), Kind.CONSTANT)
    column = Term((3,), (Affine(0, ((0, 1),)),), (), (0,), Kind.VARIABLE)
    return Graph(
        (Vertex((), "float32", "x"), *(Vertex((3,), "float64", f"v{k}") for k in range(4)), Vertex((), "", "y")),
        (0, 1),
        (4, 5),
        (
            Edge(0, 2, (column,)),
            Edge(1, 2, (diagonal, shifted)),
            Edge(2, 3, (listed,)),
            Edge(3, 4, Operator(3, 3, True, False, 9, "solve")),
            Edge(2, 4, (listed, diagonal)),
            Edge(0, 5, scalar(Kind.UNIT)),
        ),
    )


def test_own_file_round_trips():
    graph = load(OWN)
    assert dumps(graph) == OWN.read_text()
    assert graph.inputs == (0, 1)
    assert graph.eliminable == (2, 3, 4, 5)  # 5 is an output with an out-edge


@pytest.mark.parametrize("name", NAMES)
def test_published_files_round_trip(name):
    graph = published_graph(name)
    assert graph.is_scalar
    assert loads(dumps(graph)) == graph
    assert expected_counts(name)["published"]["best_known"] > 0


def test_block_graph_round_trips(tmp_path):
    graph = block_graph()
    dump(graph, tmp_path / "graph.json")
    again = load(tmp_path / "graph.json")
    assert again.vertices == graph.vertices
    assert again.edges == tuple(sorted(graph.edges, key=lambda edge: (edge.target, edge.source)))
    assert len(json.loads((tmp_path / "graph.json").read_text())["tables"]) == 1  # shared by two edges


@pytest.mark.parametrize("seed", range(5))
def test_random_graph_round_trips(seed):
    graph = random_graph(seed)
    assert loads(dumps(graph)) == graph


def test_empty_graph():
    graph = loads('{"num_vertices": 0, "inputs": [], "outputs": [], "edges": []}')
    assert graph == Graph((), (), (), ())


GOOD = {"num_vertices": 3, "inputs": [0], "outputs": [2], "edges": [[0, 1, "unit"], [1, 2, "variable"]]}
BAD = [
    ({"edges": [[0, 1, "unit"], [1, 2, "unit"], [2, 1, "unit"]]}, "cycle"),
    ({"edges": [[0, 1, "unit"], [1, 1, "unit"], [1, 2, "unit"]]}, "cycle"),
    ({"inputs": [2], "outputs": [0], "edges": [[2, 1, "unit"], [1, 0, "unit"]]}, "backwards"),
    ({"edges": [[0, 2, "unit"]]}, "vertex 1 have no edge"),
    ({"num_vertices": 10**15}, "mention at most 6"),
    ({"num_vertices": -1}, "number of vertices"),
    ({"num_vertices": True}, "number of vertices"),
    ({"num_vertices": "3"}, "number of vertices"),
    ({"inputs": [0, 7]}, "'inputs' names 7"),
    ({"inputs": [0, 0]}, "more than once"),
    ({"outputs": [-1]}, "'outputs' names -1"),
    ({"outputs": [1.5]}, "list of integers"),
    ({"outputs": None}, "list of integers"),
    ({"inputs": [0, 1]}, "inputs have none"),
    ({"edges": [[0, 1, "unit"], [0, 1, "unit"], [1, 2, "unit"]]}, "listed twice"),
    ({"edges": [[0, 9, "unit"]]}, "outside 0 to 2"),
    ({"edges": [[0, 1], [1, 2, "unit"]]}, "source, target, class"),
    ({"edges": [[0, 1, "big"], [1, 2, "unit"]]}, "class 'big'"),
    ({"edges": [[0, 1, 0], [1, 2, "unit"]]}, "class 0"),
    ({"edges": [[0, True, "unit"]]}, "list of integers"),
    ({"edges": {}}, "'edges' should be a list"),
    ({"format": 99}, "format 1"),
    ({"name": 3}, "'name'"),
    ({"vertices": [[[], "", ""]]}, "lists 1"),
    ({"vertices": [[[-1], "", ""]] * 3}, "negative size"),
    ({"vertices": [3, 4, 5]}, "shape, dtype, name"),
    ({"structures": [{}]}, "a structure should have"),
    ({"structures": [{"terms": [{"sizes": [], "values": [0], "kind": "unit", "out": [], "in": []}]}]}, "no size"),
    ({"tables": [[10**30]]}, "64 bits"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[f"{k}-{m}" for k, (_, m) in enumerate(BAD)])
def test_bad_graphs_are_refused(change, message):
    with pytest.raises(GraphFormatError, match=re.escape(message)):
        loads(json.dumps({**GOOD, **change}))


@pytest.mark.parametrize("key", ["num_vertices", "inputs", "outputs", "edges"])
def test_missing_keys_are_named(key):
    with pytest.raises(GraphFormatError, match=f"expected the key '{key}'"):
        loads(json.dumps({k: v for k, v in GOOD.items() if k != key}))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"graph"', "[" * 100_000])
def test_text_that_is_no_graph(text):
    with pytest.raises(GraphFormatError):
        loads(text)


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(GraphFormatError, match=r"picture\.png"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.json")
