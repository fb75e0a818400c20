"""A hash of a graph's structure, and the numbering of vertices that goes with it.

Vertices are coloured by what they compute from the inputs and by what the outputs do with them, as in colour
refinement. Inputs and outputs are told apart by position, so in practice only twins (copies of the same computation)
share a colour. Sorting by colour gives a numbering that does not depend on how the program numbered its equations; the
hash is the digest of the whole graph under that numbering. Equal hashes therefore mean isomorphic graphs, and
`canonical_numbering` carries an elimination order from one to the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from elimax.graph.encoding import Encoder
from elimax.graph.types import Graph
from elimax.structure.canonical import sort_key
from elimax.structure.term import Kind, Structure

_VERSION = b"elimax graph 1"
_SIZE = 16
_MOST_SPLITS = 64
"""Ties beyond this many are broken by vertex number: the hash stays valid, a renumbered graph may then miss."""


def structural_hash(graph: Graph) -> str:
    """Hexadecimal digest of vertices, edges and structures; names, dtypes and vertex numbers do not enter.

    Args:
      graph: any graph.

    Returns:
      64 hexadecimal digits, equal in every process.
    """
    ranks = canonical_numbering(graph)
    structures = _structure_digests(graph)
    digest = hashlib.blake2b(_VERSION, digest_size=32)
    shapes: list[bytes] = [b""] * graph.num_vertices
    for v, rank in enumerate(ranks):
        shapes[rank] = repr(graph.vertices[v].shape).encode()
    digest.update(b";".join(shapes))
    digest.update(repr([[ranks[v] for v in graph.inputs], [ranks[v] for v in graph.outputs]]).encode())
    rows = sorted((ranks[edge.source], ranks[edge.target], structures[edge.structure]) for edge in graph.edges)
    digest.update(b"".join(b"%d>%d:%b;" % row for row in rows))
    return digest.hexdigest()


def with_unknown_values(graph: Graph) -> Graph:
    """The graph as it would be if every known number became known at run time only."""

    def unknown(structure: Structure) -> Structure:
        if not isinstance(structure, tuple):
            return structure
        terms = (dataclasses.replace(t, kind=Kind.VARIABLE) if t.kind is Kind.CONSTANT else t for t in structure)
        return tuple(sorted(terms, key=sort_key))

    edges = tuple(dataclasses.replace(edge, structure=unknown(edge.structure)) for edge in graph.edges)
    return dataclasses.replace(graph, edges=edges)


def canonical_numbering(graph: Graph) -> tuple[int, ...]:
    """The rank of each vertex [V] under a numbering that depends on structure alone.

    Args:
      graph: any graph.

    Returns:
      ``ranks`` such that two graphs with equal `structural_hash` become identical when every vertex ``v`` is renamed
      ``ranks[v]``.
    """
    structures = _structure_digests(graph)
    ins: list[list[tuple[bytes, int]]] = [[] for _ in graph.vertices]
    outs: list[list[tuple[bytes, int]]] = [[] for _ in graph.vertices]
    for edge in graph.edges:
        ins[edge.target].append((structures[edge.structure], edge.source))
        outs[edge.source].append((structures[edge.structure], edge.target))
    marks = [b""] * graph.num_vertices
    colours = _colours(graph, ins, outs, marks)
    for split in range(_MOST_SPLITS):
        tied = _first_tie(colours, ins, outs)
        if tied is None:
            break
        marks[tied] = b"!%d" % split
        colours = _colours(graph, ins, outs, marks)
    by_colour = sorted(range(graph.num_vertices), key=lambda v: (colours[v], v))
    ranks = [0] * graph.num_vertices
    for rank, v in enumerate(by_colour):
        ranks[v] = rank
    return tuple(ranks)


def _colours(graph: Graph, ins, outs, marks: list[bytes]) -> list[bytes]:
    """Colour of each vertex [V]: first from the inputs downwards, then from the outputs upwards."""
    position_in = {v: position for position, v in enumerate(graph.inputs)}
    position_out = {v: position for position, v in enumerate(graph.outputs)}
    forward: list[bytes] = [b""] * graph.num_vertices
    for v, vertex in enumerate(graph.vertices):
        parts = sorted(key + forward[u] for key, u in ins[v])
        head = b"%d|%d|%b|%b|" % (
            position_in.get(v, -1),
            position_out.get(v, -1),
            repr(vertex.shape).encode() if vertex.shape else b"",
            marks[v],
        )
        forward[v] = hashlib.blake2b(head + b"".join(parts), digest_size=_SIZE).digest()
    colours: list[bytes] = [b""] * graph.num_vertices
    for v in range(graph.num_vertices - 1, -1, -1):
        parts = sorted(key + colours[w] for key, w in outs[v])
        colours[v] = hashlib.blake2b(forward[v] + b"".join(parts), digest_size=_SIZE).digest()
    return colours


def _first_tie(colours: list[bytes], ins, outs) -> int | None:
    """A vertex to tell from another of its colour, or None if only interchangeable twins are left.

    Twins with the same neighbours and the same partials can be swapped without changing the graph, so breaking
    their tie by vertex number is harmless.
    """
    classes: dict[bytes, list[int]] = {}
    for v, colour in enumerate(colours):
        classes.setdefault(colour, []).append(v)
    if len(classes) == len(colours):
        return None
    for colour in sorted(classes):
        members = classes[colour]
        if len(members) > 1:
            neighbours = {(tuple(sorted(ins[v])), tuple(sorted(outs[v]))) for v in members}
            if len(neighbours) > 1:
                return members[0]
    return None


def _structure_digests(graph: Graph) -> dict[Structure, bytes]:
    """Digest of each structure that occurs."""
    digests: dict[Structure, bytes] = {}
    for edge in graph.edges:
        if edge.structure not in digests:
            encoder = Encoder()
            text = json.dumps(encoder.structure(edge.structure), sort_keys=True)
            tables = ",".join(table.digest for table in encoder.tables)
            digests[edge.structure] = hashlib.blake2b(f"{text}|{tables}".encode(), digest_size=_SIZE).digest()
    return digests
