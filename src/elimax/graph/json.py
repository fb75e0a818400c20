"""Graph files: JSON text to and from graphs, scalar and block-structured.

Scalar partials are written as the name of their kind, so a scalar graph is the plain list of edges that published
tasks come as. Other structures are listed once under ``structures`` and named by position, and so are their index
tables under ``tables``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from elimax.errors import GraphFormatError
from elimax.graph.check import check_graph
from elimax.graph.encoding import Decoder, Encoder, field, integers
from elimax.graph.types import Edge, Graph, Vertex
from elimax.structure.term import Kind, Structure, scalar

FORMAT = 1
"""Version of the file format; files without one are read as version 1."""

_KINDS = {kind.name.lower(): scalar(kind) for kind in Kind}
_NAMES: dict[Structure, str] = {structure: name for name, structure in _KINDS.items()}


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a graph file.

    Args:
      path: the file.

    Returns:
      The graph.

    Raises:
      GraphFormatError: if the file cannot be read as text or does not describe a computational graph.
      OSError: if the file cannot be opened.
    """
    with open(path, encoding="utf-8") as file:
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            raise GraphFormatError(f"{os.fspath(path)} is no graph file: it is not UTF-8 text ({error})") from error
    try:
        return loads(text)
    except GraphFormatError as error:
        raise GraphFormatError(f"{os.fspath(path)}: {error}") from error


def loads(text: str) -> Graph:
    """Read a graph from JSON text.

    Args:
      text: one JSON object with ``num_vertices`` or ``vertices``, ``inputs``, ``outputs`` and ``edges``.

    Returns:
      The graph, its edges sorted by (target, source).

    Raises:
      GraphFormatError: if the text is not JSON or does not describe a computational graph.

    Example:
      >>> graph = loads('{"num_vertices": 2, "inputs": [0], "outputs": [1], "edges": [[0, 1, "variable"]]}')
      >>> graph.num_vertices
      2
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GraphFormatError(f"expected a graph as one JSON object, but the text is not JSON: {error}") from error
    return from_data(data)


def dumps(graph: Graph) -> str:
    """Write a graph as JSON text, one edge a line; `loads` returns an equal graph.

    Args:
      graph: any graph.

    Returns:
      The text, ending with a newline.
    """
    data = to_data(graph)
    lines = []
    for key, value in data.items():
        if key in ("edges", "vertices", "structures", "tables"):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            lines.append(f'"{key}": [\n{rows}\n]')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    return "{" + ",\n".join(lines) + "}\n"


def dump(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph file.

    Args:
      graph: any graph.
      path: the file, replaced if it exists.
    """
    text = dumps(graph)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def to_data(graph: Graph) -> dict[str, Any]:
    """The graph as a JSON-ready dict."""
    encoder = Encoder()
    positions: dict[Structure, int] = {}
    structures: list[Any] = []
    edges: list[list[Any]] = []
    for edge in graph.edges:
        label: str | int | None = _NAMES.get(edge.structure)
        if label is None:
            if edge.structure not in positions:
                positions[edge.structure] = len(structures)
                structures.append(encoder.structure(edge.structure))
            label = positions[edge.structure]
        edges.append([edge.source, edge.target, label])
    data: dict[str, Any] = {"format": FORMAT}
    if graph.name:
        data["name"] = graph.name
    data["num_vertices"] = graph.num_vertices
    if any(vertex != Vertex() for vertex in graph.vertices):
        data["vertices"] = [[list(vertex.shape), vertex.dtype, vertex.name] for vertex in graph.vertices]
    data["inputs"], data["outputs"] = list(graph.inputs), list(graph.outputs)
    if structures:
        data["structures"] = structures
    if encoder.tables:
        data["tables"] = [table.indices.tolist() for table in encoder.tables]
    data["edges"] = edges
    return data


def from_data(data: Any) -> Graph:
    """The graph that a JSON-ready dict describes.

    Args:
      data: what `to_data` returns, or the parsed content of a graph file.

    Returns:
      The graph.

    Raises:
      GraphFormatError: if the dict does not describe a computational graph.
    """
    if not isinstance(data, Mapping):
        raise GraphFormatError(
            f"expected a JSON object with 'num_vertices', 'inputs', 'outputs' and 'edges', got a {type(data).__name__}"
        )
    version = data.get("format", FORMAT)
    if version != FORMAT:
        raise GraphFormatError(
            f"expected graph format {FORMAT}, got {version!r}; write the file again with this version"
        )
    inputs = integers(field(data, "inputs"), "'inputs'")
    outputs = integers(field(data, "outputs"), "'outputs'")
    edges = _edges(data)
    vertices = _vertices(data, len(inputs) + len(outputs) + 2 * len(edges))
    name = data.get("name", "")
    if not isinstance(name, str):
        raise GraphFormatError(f"'name' should be a string, got {name!r}")
    graph = Graph(
        vertices=vertices,
        inputs=inputs,
        outputs=outputs,
        edges=tuple(sorted(edges, key=lambda edge: (edge.target, edge.source))),
        name=name,
    )
    check_graph(graph)
    return graph


def _vertices(data: Mapping[str, Any], most: int) -> tuple[Vertex, ...]:
    """Vertices of the file; ``most`` is the number that its edges, inputs and outputs can mention."""
    if "vertices" not in data:
        count = field(data, "num_vertices")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise GraphFormatError(f"'num_vertices' should be a number of vertices, got {count!r}")
        if count > most:
            # Found before anything is allocated: such a file has vertices that nothing mentions.
            raise GraphFormatError(
                f"'num_vertices' is {count}, but edges, inputs and outputs mention at most {most} vertices; "
                "leave unconnected vertices out"
            )
        return (Vertex(),) * count
    rows = data["vertices"]
    if not isinstance(rows, list):
        raise GraphFormatError("'vertices' should be a list of [shape, dtype, name]")
    if data.get("num_vertices", len(rows)) != len(rows):
        raise GraphFormatError(f"'num_vertices' is {data['num_vertices']!r}, but 'vertices' lists {len(rows)}")
    vertices = []
    for position, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[1], str) or not isinstance(row[2], str):
            raise GraphFormatError(f"vertex {position} should be [shape, dtype, name], got {row!r}")
        shape = integers(row[0], f"the shape of vertex {position}")
        if any(size < 0 for size in shape):
            raise GraphFormatError(f"the shape of vertex {position} has a negative size: {row[0]!r}")
        vertices.append(Vertex(shape, row[1], row[2]))
    return tuple(vertices)


def _edges(data: Mapping[str, Any]) -> list[Edge]:
    rows = field(data, "edges")
    if not isinstance(rows, list):
        raise GraphFormatError("'edges' should be a list of [source, target, class]")
    decoder = Decoder(data.get("tables", []))
    listed = data.get("structures", [])
    if not isinstance(listed, list):
        raise GraphFormatError("'structures' should be a list")
    structures = [decoder.structure(item) for item in listed]
    edges = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3:
            raise GraphFormatError(f"an edge should be [source, target, class], got {row!r}")
        source, target = integers(row[:2], "the ends of an edge")
        edges.append(Edge(source, target, _structure(row[2], structures, (source, target))))
    return edges


def _structure(label: Any, structures: list[Structure], ends: tuple[int, int]) -> Structure:
    if isinstance(label, str) and label in _KINDS:
        return _KINDS[label]
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(structures):
        return structures[label]
    raise GraphFormatError(
        f"edge {ends[0]} -> {ends[1]} has class {label!r}; expected one of {', '.join(sorted(_KINDS))}"
        + (f", or a position below {len(structures)} in 'structures'" if structures else "")
    )
