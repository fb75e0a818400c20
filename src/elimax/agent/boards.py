"""What the elimination game is played on: a graph as padded arrays, reduced by moves that cost nothing to decide.

Some eliminations are optimal whatever comes later. A vertex without in-edges or without out-edges costs nothing and
adds no edge. Under the published rule a vertex ``v`` that is no output and has one in-edge ``u -> v`` and one out-edge
``v -> w`` can go once no vertex is free in the first way: it costs 1, the least it ever costs, and ``u -> w`` takes
the place of its edges, so no vertex has more edges than before, whatever else has been eliminated. The game makes such
moves by itself, which leaves less to decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from elimax.cost.bounds import vertex_bounds
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import GraphSizeError, OrderError
from elimax.structure.term import Kind

SIZES = (32, 64, 96, 128, 160, 192, 256, 384, 512, 768, 1024)
"""Numbers of vertices that boards are padded to, so that few shapes are compiled."""

STATIC = 6
"""Number of features of a vertex that stay as they are during a game."""


class Board(NamedTuple):
    """The beginning of a game; with a leading axis [B] on every field, of many.

    P is the number of planes: 1 under the published rule, 3 (unit, constant, variable) under the executed one.

    Attributes:
      outs: uint32 [P, N, W] targets of the out-edges of each vertex as bits, W = N / 32.
      left: uint32 [W] vertices still to be eliminated.
      is_output: bool [N].
      static: float32 [N, STATIC] features of the whole graph: input, output, distance from the inputs and to the
        outputs, logarithms of the numbers of inputs above and of outputs below.
      bound: float32 [N] least cost of each vertex in any order.
    """

    outs: np.ndarray
    left: np.ndarray
    is_output: np.ndarray
    static: np.ndarray
    bound: np.ndarray


@dataclasses.dataclass(frozen=True)
class Setup:
    """A problem with its board.

    Attributes:
      problem: the graph and the cost rule.
      board: arrays of one game.
      labels: vertex of the problem for each vertex of the board.
      opening: vertices eliminated before the game begins.
      opening_cost: what they cost.
      most_moves: no game has more decisions.
      name: for people.
    """

    problem: Problem
    board: Board
    labels: tuple[int, ...]
    opening: tuple[int, ...]
    opening_cost: int
    most_moves: int
    name: str = ""

    @property
    def size(self) -> int:
        """N, the number of vertices that the board is padded to."""
        return self.board.is_output.shape[0]


def padded(count: int) -> int:
    """The size of the board for so many vertices.

    Raises:
      GraphSizeError: if there is none.
    """
    for size in SIZES:
        if count <= size:
            return size
    raise GraphSizeError(
        f"a game has at most {SIZES[-1]:,} vertices, this graph has {count:,} after reduction; "
        'order it with order="agent" without training, or with order="annealing"'
    )


def set_up(problem: Problem, name: str = "", size: int | None = None, bounds: bool = True) -> Setup:
    """The board of a problem.

    Args:
      problem: a problem with scalar partials.
      name: for people.
      size: pad to this size, by default to the next of `SIZES`.
      bounds: whether to work out the least cost of each vertex; 0 is a bound too.

    Returns:
      The board, with forced moves made.

    Raises:
      GraphSizeError: if the graph is too large, or larger than ``size``.
      OrderError: if it has blocks; see `elimax.agent.table_game` for these.
    """
    if not problem.is_scalar:
        raise OrderError("a bit-packed board has scalar partials; blocks are played with elimax.agent.table_game")
    state = Elimination(problem)
    waiting = set(problem.eliminable)
    opening = tuple(settle(state, waiting))
    joined = [v for v in range(problem.num_vertices) if state.ins[v] or state.outs[v]]
    size = padded(len(joined)) if size is None else size
    if len(joined) > size:
        raise GraphSizeError(f"a board of {size} vertices was asked for, the reduced graph has {len(joined)}")
    position = {v: k for k, v in enumerate(joined)}
    planes = np.zeros((1 if problem.rule == "published" else 3, size, size), np.bool_)
    for v in joined:
        for target, kind in state.outs[v].items():
            planes[0 if problem.rule == "published" else kind, position[v], position[target]] = True
    left = np.zeros(size, np.bool_)
    left[[position[v] for v in waiting]] = True
    is_output = np.zeros(size, np.bool_)
    is_output[[position[v] for v in problem.outputs if v in position]] = True
    is_input = np.zeros(size, np.bool_)
    is_input[[position[v] for v in problem.inputs if v in position]] = True
    edges = np.asarray(planes.any(0))
    bound = np.zeros(size, np.float32)
    if bounds:
        cheapest = vertex_bounds(_remaining(problem, state, tuple(sorted(waiting))))
        for v in waiting:
            bound[position[v]] = cheapest[v]
    board = Board(pack(planes), pack(left), is_output, static_features(edges, is_input, is_output), bound)
    return Setup(problem, board, tuple(joined), opening, state.cost, len(waiting), name)


def pack(bits: np.ndarray) -> np.ndarray:
    """Bits of the last axis, bool [..., N], as words uint32 [..., N / 32], the lowest bit first."""
    words = bits.reshape(*bits.shape[:-1], -1, 32).astype(np.uint32)
    return (words << np.arange(32, dtype=np.uint32)).sum(-1, dtype=np.uint32)


def is_free(state: Elimination, v: int) -> bool:
    """Whether eliminating ``v`` now costs nothing and adds nothing."""
    return not state.ins[v] or not state.outs[v]


def settle(state: Elimination, waiting: set[int]) -> list[int]:
    """Make forced moves until none is left: free vertices first, then the lowest vertex between two others.

    Args:
      state: the graph; changed.
      waiting: vertices still to be eliminated; changed.

    Returns:
      The vertices eliminated.
    """
    joined: list[int] = []
    published, outputs = state.problem.rule == "published", frozenset(state.problem.outputs)

    def pick() -> int | None:
        free = [v for v in candidates if is_free(state, v)]
        if free or not published:
            return min(free, default=None)
        # Now every vertex left is on a path from an input to an output and costs at least 1 whenever it goes.
        single = (v for v in candidates if len(state.ins[v]) == len(state.outs[v]) == 1 and v not in outputs)
        return min(single, default=None)

    candidates = set(waiting)
    while (v := pick()) is not None:
        state.eliminate(v)
        waiting.discard(v)
        candidates.discard(v)
        joined.append(v)
    return joined


def whole_order(setup: Setup, moves: Iterable[int]) -> tuple[tuple[int, ...], int]:
    """Replay a game on the reference elimination.

    Args:
      setup: the board.
      moves: vertices of the board that were chosen, in order.

    Returns:
      The order of all vertices of the problem, forced moves included, and its cost.

    Raises:
      OrderError: if a move is not legal or vertices are left in the end.
    """
    state, waiting = Elimination(setup.problem), set(setup.problem.eliminable)
    order = settle(state, waiting)
    for move in moves:
        v = setup.labels[move] if 0 <= move < len(setup.labels) else -1
        if v not in waiting:
            raise OrderError(f"move {move} of a recorded game is not legal in its position")
        order.append(v)
        state.eliminate(v)
        waiting.discard(v)
        order.extend(settle(state, waiting))
    if waiting:
        raise OrderError(f"the recorded game ends with {len(waiting)} vertices left")
    return tuple(order), state.cost


def _remaining(problem: Problem, state: Elimination, waiting: tuple[int, ...]) -> Problem:
    rows = sorted((w, v, kind) for v, fan in enumerate(state.outs) for w, kind in fan.items())
    targets, sources, kinds = np.array(rows, np.int32).reshape(-1, 3).T
    return dataclasses.replace(problem, sources=sources, targets=targets, structures=kinds, eliminable=waiting)


def static_features(edges: np.ndarray, is_input: np.ndarray, is_output: np.ndarray) -> np.ndarray:
    """Features of vertices that do not change, float32 [N, STATIC].

    Args:
      edges: bool [N, N] from row to column, upper triangular.
      is_input: bool [N].
      is_output: bool [N].
    """
    sources, targets = np.nonzero(edges)
    return static_of_edges(sources, targets, is_input, is_output)


def static_of_edges(
    sources: np.ndarray, targets: np.ndarray, is_input: np.ndarray, is_output: np.ndarray
) -> np.ndarray:
    """The same from lists of edges, int [E]; every edge runs from a lower to a higher number."""
    size = is_input.size
    inputs = {int(v): 1 << k for k, v in enumerate(np.flatnonzero(is_input))}
    outputs = {int(v): 1 << k for k, v in enumerate(np.flatnonzero(is_output))}
    above, below = [inputs.get(v, 0) for v in range(size)], [outputs.get(v, 0) for v in range(size)]
    down, up = [0] * size, [0] * size
    pairs = sorted(zip(targets.tolist(), sources.tolist(), strict=True))
    for target, source in pairs:
        above[target] |= above[source]
        down[target] = max(down[target], down[source] + 1)
    for source, target in sorted(((s, t) for t, s in pairs), reverse=True):
        below[source] |= below[target]
        up[source] = max(up[source], up[target] + 1)
    depth = np.array([down, up], np.float32)
    reach = np.log1p(np.array([[b.bit_count() for b in above], [b.bit_count() for b in below]], np.float32))
    longest = max(1.0, float(depth.max(initial=0.0)))
    return np.stack([is_input, is_output, *(depth / longest), *reach], -1).astype(np.float32)


assert [int(kind) for kind in (Kind.UNIT, Kind.CONSTANT, Kind.VARIABLE)] == [0, 1, 2]
