"""Layers go from left to right, nothing overlaps, every edge is drawn from its source to its target."""

import itertools

import pytest

from elimax.graph.types import Graph, Vertex
from elimax.viz.layout import layered
from tests.viz.graphs import lighthouse, random_graph

GRAPHS = [lighthouse(), *(random_graph(seed, 12 + 9 * seed) for seed in range(6))]


@pytest.mark.parametrize("graph", GRAPHS)
def test_edges_run_to_the_right(graph):
    place = layered(graph).place
    assert all(place[edge.source][0] < place[edge.target][0] for edge in graph.edges)
    assert all(place[v][0] == 0 for v in graph.inputs)


@pytest.mark.parametrize("graph", GRAPHS)
def test_unused_outputs_are_in_the_last_layer(graph):
    layout = layered(graph)
    used = {edge.source for edge in graph.edges}
    assert all(layout.place[v][0] == layout.width for v in graph.outputs if v not in used)


@pytest.mark.parametrize("graph", GRAPHS)
def test_vertices_of_a_layer_are_a_row_apart(graph):
    columns = {}
    for x, y in layered(graph).place.values():
        columns.setdefault(x, []).append(y)
    for ys in columns.values():
        assert all(b - a >= 1 - 1e-9 for a, b in itertools.pairwise(sorted(ys)))


@pytest.mark.parametrize("graph", GRAPHS)
def test_segments_of_an_edge_join_its_ends(graph):
    layout = layered(graph)
    pieces = {}
    for start, end, numbers in layout.segments:
        assert end[0] == start[0] + 1
        for number in numbers:
            pieces.setdefault(number, []).append((start, end))
    for number, edge in enumerate(graph.edges):
        path = sorted(pieces[number])
        assert path[0][0] == layout.place[edge.source]
        assert path[-1][1] == layout.place[edge.target]
        assert all(a[1] == b[0] for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("graph", GRAPHS)
def test_everything_lies_inside(graph):
    layout = layered(graph)
    points = [*layout.place.values(), *(p for start, end, _ in layout.segments for p in (start, end))]
    assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in points)


def test_sweeps_untangle_a_ladder():
    """Edges 0-7, 1-6, 2-5, 3-4 cross pairwise in numbering order; a drawing without crossings exists."""
    from elimax.graph.types import Edge
    from elimax.structure.term import Kind, scalar

    edges = tuple(Edge(7 - target, target, scalar(Kind.UNIT)) for target in range(4, 8))
    graph = Graph((Vertex(),) * 8, (0, 1, 2, 3), (4, 5, 6, 7), edges)
    place = layered(graph).place
    ranks = [sorted(column, key=lambda v: place[v][1]) for column in (range(4), range(4, 8))]
    assert [7 - v for v in ranks[1]] == ranks[0]


def test_empty_graph():
    layout = layered(Graph((), (), (), ()))
    assert layout.place == {}
    assert layout.segments == ()


def test_a_vertex_that_is_input_and_output():
    assert layered(Graph((Vertex(),), (0,), (0,), ())).place == {0: (0.0, 0.0)}
