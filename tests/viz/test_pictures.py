"""SVG, DOT and HTML say what is in the graph, and are well-formed."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from elimax.elimination.steps import EdgeStep
from elimax.errors import ElimaxError
from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Affine, Kind, Operator, Term
from elimax.viz import style
from elimax.viz.dot import to_dot
from elimax.viz.html import to_html
from elimax.viz.svg import MAX_VERTICES, to_svg
from elimax.viz.tables import table
from tests.viz.graphs import lighthouse, random_graph

SVG = "{http://www.w3.org/2000/svg}"


def titles(svg: str, tag: str) -> list[str]:
    return [found.findtext(f"{SVG}title") for found in ElementTree.fromstring(svg).iter(f"{SVG}{tag}")]


@pytest.mark.parametrize("graph", [lighthouse(), random_graph(1, 60), Graph((), (), (), ())])
def test_svg_shows_every_vertex_and_edge_once(graph):
    svg = to_svg(graph)
    shown = [title for title in titles(svg, "g") if title is not None]
    assert [int(title.split()[0]) for title in shown] == list(range(graph.num_vertices))
    ends = {line for title in titles(svg, "path") for line in title.splitlines()}
    assert ends == {style.describe_edge(edge) for edge in graph.edges}


def test_svg_colours_edges_by_kind():
    """The last piece of an edge belongs to it alone, or to edges that share source and target layer."""
    svg = ElementTree.fromstring(to_svg(lighthouse()))
    colours = {path.findtext(f"{SVG}title"): path.get("stroke") for path in svg.iter(f"{SVG}path")}
    assert colours["2 -> 3: constant"] == style.EDGE_COLOURS["constant"]
    assert colours["3 -> 5: unit"] == style.EDGE_COLOURS["unit"]
    assert colours["2 -> 4: variable"] == style.EDGE_COLOURS["variable"]
    assert style.MIXED_COLOUR not in {colours["2 -> 3: constant"], colours["2 -> 4: variable"]}


def test_svg_shows_the_order():
    graph = lighthouse()
    shown = dict.fromkeys(graph.eliminable)
    for title in titles(to_svg(graph, order=(4, 2, 3, 5)), "g"):
        if title and "step" in title:
            vertex, step = re.match(r"(\d+)[^\n]*\nstep (\d+) of 4", title).groups()
            shown[int(vertex)] = int(step)
    assert shown == {4: 1, 2: 2, 3: 3, 5: 4}


def test_eliminations_of_edges_take_places_and_colour_nothing():
    graph = lighthouse()
    steps = (4, EdgeStep("front", 2, 3), 2, 3, 5)
    shown = [title for title in titles(to_svg(graph, steps), "g") if title and "step" in title]
    assert sorted(re.findall(r"step (\d) of 5", "".join(shown))) == ["1", "3", "4", "5"]
    assert "front 2-&gt;3" in to_html(graph, steps, "plan", {})


def test_svg_escapes_names():
    assert "light&lt;house&gt;" in to_svg(lighthouse())


def test_svg_refuses_what_cannot_be_read():
    graph = Graph((Vertex(),) * (MAX_VERTICES + 1), (0,), (0,), ())
    with pytest.raises(ElimaxError, match=f"at most {MAX_VERTICES} vertices"):
        to_svg(graph)


def test_dot_lists_vertices_and_edges():
    graph = lighthouse()
    text = to_dot(graph, order=(2, 3, 4, 5))
    nodes = {int(v) for v in re.findall(r"^  (\d+) \[", text, re.M)}
    edges = {(int(a), int(b)) for a, b in re.findall(r"^  (\d+) -> (\d+) ", text, re.M)}
    assert nodes == set(range(graph.num_vertices))
    assert edges == {(edge.source, edge.target) for edge in graph.edges}
    assert text.count("{") == text.count("}")
    assert '5 [label="5 y1\\n#4"' in text
    assert "rank=sink; 6;" in text


def test_dot_quotes_names():
    graph = Graph((Vertex(name='a"b\\'),), (0,), (0,), ())
    assert r'label="0 a\"b\\"' in to_dot(graph)


def test_html_is_well_formed_and_holds_the_parts():
    graph = lighthouse()
    counts = table(("<order", "multiplications"), [("forward", 12)], title="Orders & counts")
    text = to_html(graph, (2, 3, 4, 5), "A <plan>", {"method": "exact"}, [counts], "because & so")
    body = text[text.index("<body>") : text.index("</html>")]
    root = ElementTree.fromstring(body.replace('<meta charset="utf-8">', ""))
    words = " ".join(root.itertext())
    for part in ("A <plan>", "exact", "Orders & counts", "forward", "2, 3, 4, 5", "because & so"):
        assert part in words


@pytest.mark.parametrize(
    ("structure", "kind"),
    [
        ((), "zero"),
        ((Term((), (), (), (), Kind.UNIT),), "unit"),
        ((Term((), (), (), (), Kind.UNIT), Term((), (), (), (), Kind.CONSTANT)), "constant"),
        ((Term((3,), (Affine(0, ((0, 1),)),), (Affine(0, ((0, 1),)),), (0,), Kind.VARIABLE),), "variable"),
        (Operator(3, 3, True, True, 9, "solve"), "operator"),
    ],
)
def test_kind_of_a_structure(structure, kind):
    assert style.kind_of(structure) == kind


def test_descriptions():
    diagonal = Term((3,), (Affine(0, ((0, 1),)),), (Affine(0, ((0, 1),)),), (0,), Kind.VARIABLE)
    graph = Graph(
        (Vertex((3,), "float64", "x"), Vertex((3,), "float64", "sin")), (0,), (1,), (Edge(0, 1, (diagonal,)),)
    )
    assert style.describe_vertex(graph, 1) == "1 sin float64[3]"
    assert style.describe_edge(graph.edges[0]) == "0 -> 1: variable, 3 entries"
