"""Where to put the vertices of a graph: layers from inputs to outputs, few crossings, short edges.

The method is the classical layered one (Sugiyama, Tagawa, Toda 1981, IEEE Trans. SMC 11(2)): layers by longest path,
waypoints where an edge passes through a layer, sweeps that put every vertex at the mean place of its neighbours, and
coordinates by least squares under a minimal distance. All edges that leave one vertex share their waypoints, so a value
that is used in many places is drawn as one trunk with twigs.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from elimax.graph.types import Graph

_SWEEPS = 24
_WAYPOINT_ROOM = 0.35


@dataclasses.dataclass(frozen=True)
class Layout:
    """A drawing in units of one layer (x) and one vertex (y).

    Attributes:
      place: ``(x, y)`` of each vertex.
      segments: pieces of edges, ``((x0, y0), (x1, y1), edge numbers that run through it)``.
      width: largest x.
      height: largest y; the smallest is 0.
    """

    place: dict[int, tuple[float, float]]
    segments: tuple[tuple[tuple[float, float], tuple[float, float], tuple[int, ...]], ...]
    width: float
    height: float


def layered(graph: Graph) -> Layout:
    """Lay a graph out in layers.

    Args:
      graph: the graph; any number of vertices, edges from lower to higher numbers.

    Returns:
      The places of vertices and the pieces of edges.
    """
    layer = _layers(graph)
    nodes, links = _with_waypoints(graph, layer)
    rows = _rows(nodes)
    neighbours = _neighbours(nodes, links)
    _reduce_crossings(rows, neighbours)
    y = _coordinates(nodes, rows, neighbours)
    place = {v: (float(layer[v]), y[v]) for v in range(graph.num_vertices)}
    spot = {node: (float(nodes[node]), y[node]) for node in nodes}
    segments = tuple((spot[a], spot[b], tuple(edges)) for (a, b), edges in links.items())
    return Layout(place, segments, max(layer, default=0), max(y.values(), default=0.0))


def _layers(graph: Graph) -> list[int]:
    """[V] the layer of each vertex; inputs come first, outputs that nothing uses come last."""
    layer = [0] * graph.num_vertices
    for edge in graph.edges:  # sorted by target, so sources are final
        layer[edge.target] = max(layer[edge.target], layer[edge.source] + 1)
    last = max(layer, default=0)
    used = {edge.source for edge in graph.edges}
    for v in graph.outputs:
        if v not in used and v not in graph.inputs:
            layer[v] = max(last, 1)
    return layer


def _with_waypoints(graph: Graph, layer: list[int]) -> tuple[dict, dict]:
    """Nodes (vertices ``v`` and waypoints ``(v, layer)``) with their layers, and links with the edges they carry."""
    nodes: dict = dict(enumerate(layer))
    links: dict = {}
    for number, edge in enumerate(graph.edges):
        here = edge.source
        for x in range(layer[edge.source] + 1, layer[edge.target]):
            step = (edge.source, x)
            nodes[step] = x
            links.setdefault((here, step), []).append(number)
            here = step
        links.setdefault((here, edge.target), []).append(number)
    return nodes, links


def _rows(nodes: dict) -> list[list]:
    rows: list[list] = [[] for _ in range(max(nodes.values(), default=-1) + 1)]
    for node, x in nodes.items():
        rows[x].append(node)
    return rows


def _neighbours(nodes: dict, links: dict) -> dict:
    """For each node its neighbours in the layer before and in the layer after."""
    neighbours: dict = {node: ([], []) for node in nodes}
    for a, b in links:
        neighbours[a][1].append(b)
        neighbours[b][0].append(a)
    return neighbours


def _reduce_crossings(rows: list[list], neighbours: dict) -> None:
    """Sort every row by the mean place of neighbours, sweeping forth and back; the best arrangement met is kept."""
    best, best_crossings = [list(row) for row in rows], _crossings(rows, neighbours)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        order = range(1, len(rows)) if side == 0 else range(len(rows) - 2, -1, -1)
        for x in order:
            fixed = {node: i for i, node in enumerate(rows[x - 1 if side == 0 else x + 1])}
            scale = len(fixed) / max(len(rows[x]), 1)
            means = {
                node: np.mean([fixed[n] for n in neighbours[node][side]]) if neighbours[node][side] else i * scale
                for i, node in enumerate(rows[x])
            }
            rows[x].sort(key=means.__getitem__)
        crossings = _crossings(rows, neighbours)
        if crossings < best_crossings:
            best, best_crossings = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows: list[list], neighbours: dict) -> int:
    """Number of pairs of links that cross."""
    total = 0
    for row, following in itertools.pairwise(rows):
        index = {node: i for i, node in enumerate(following)}
        ends = [sorted(index[n] for n in neighbours[node][1]) for node in row]
        seen = np.zeros(len(following), dtype=np.int64)
        for targets in ends:
            for t in targets:
                total += int(seen[t + 1 :].sum())
            for t in targets:
                seen[t] += 1
    return total


def _coordinates(nodes: dict, rows: list[list], neighbours: dict) -> dict:
    """The y of every node: near its neighbours, in the order of its row, at least its room apart."""
    room = {node: 1.0 if isinstance(node, int) else _WAYPOINT_ROOM for node in nodes}
    y: dict = {}
    for row in rows:
        y.update(zip(row, _spread([0.0] * len(row), [room[n] for n in row]), strict=True))
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wish = []
            for node in row:
                near = [y[n] for n in (*neighbours[node][0], *neighbours[node][1])]
                wish.append(float(np.mean(near)) if near else y[node])
            y.update(zip(row, _spread(wish, [room[n] for n in row]), strict=True))
    lowest = min(y.values(), default=0.0)
    return {node: value - lowest for node, value in y.items()}


def _spread(wish: list[float], room: list[float]) -> list[float]:
    """The places nearest to those wished for (least squares) that keep the order and the distances.

    With the distances subtracted this is isotonic regression, solved by pooling adjacent violators.
    """
    offsets = np.concatenate([[0.0], np.cumsum((np.array(room[:-1]) + np.array(room[1:])) / 2)])
    pools: list[list[float]] = []  # [mean, number]
    for value in np.array(wish) - offsets[: len(wish)]:
        pools.append([float(value), 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * count) / (pools[-1][1] + count), pools[-1][1] + count]
    flat = [mean for mean, count in pools for _ in range(int(count))]
    return [float(value + offset) for value, offset in zip(flat, offsets, strict=False)]
