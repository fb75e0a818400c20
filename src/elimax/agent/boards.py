"""What the elimination game is played on: a graph as padded arrays, reduced by moves that cost nothing to decide.

Some eliminations are optimal whatever comes later. A vertex without in-edges or without out-edges costs nothing and
adds no edge. For scalars under the published rule a vertex ``v`` that is no output and has one in-edge ``u -> v`` and
one out-edge ``v -> w`` can go once no vertex is free in the first way: it costs 1, the least it ever costs, and
``u -> w`` takes the place of its edges, so no vertex has more edges than before, whatever else has been eliminated. The
game makes such moves by itself, which leaves less to decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from elimax.agent.classes import SIZES as CLASS_SIZES
from elimax.agent.classes import Classes, class_table
from elimax.agent.statics import SIZED, sized_of_edges, static_of_edges
from elimax.cost.bounds import vertex_bounds
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.errors import GraphSizeError, OrderError
from elimax.structure.term import Kind

SIZES = (32, 64, 96, 128, 160, 192, 256, 384, 512, 768, 1024)
"""Numbers of vertices that boards are padded to, so that few shapes are compiled."""


class Board(NamedTuple):
    """The beginning of a game; with a leading axis [B] on every field, of many.

    P is the number of planes: 1 under the published rule, 3 (unit, constant, variable) under the executed one.

    Attributes:
      outs: uint32 [P, N, W] targets of the out-edges of each vertex as bits, W = N / 32; of blocks uint8 [N, N] the
        class of each edge from row to column, 0 for none.
      left: uint32 [W] vertices still to be eliminated.
      is_output: bool [N].
      static: float32 [N, STATIC] features of the whole graph: input, output, distance from the inputs and to the
        outputs, logarithms of the numbers of inputs above and of outputs below.
      bound: float32 [N] least cost of each vertex in any order.
      sized: float32 [N, SIZED] what the sizes of values add to the features; zero for scalars.
      unit: float32 [] mean cost of a pair of edges at the beginning, at least 1; 1 for scalars.
      classes: the algebra of blocks, None for scalars.
    """

    outs: np.ndarray
    left: np.ndarray
    is_output: np.ndarray
    static: np.ndarray
    bound: np.ndarray
    sized: np.ndarray
    unit: np.ndarray
    classes: Classes | None = None


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
      closed: whether every game is exact; a board of blocks may lack structures.
    """

    problem: Problem
    board: Board
    labels: tuple[int, ...]
    opening: tuple[int, ...]
    opening_cost: int
    most_moves: int
    name: str = ""
    closed: bool = True

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


def set_up(
    problem: Problem,
    name: str = "",
    size: int | None = None,
    bounds: bool = True,
    *,
    classes: int | None = None,
    only_closed: bool = False,
) -> Setup:
    """The board of a problem.

    Args:
      problem: a problem.
      name: for people.
      size: pad to this size, by default to the next of `SIZES`.
      bounds: whether to work out the least cost of each vertex; 0 is a bound too, and the one for blocks.
      classes: of blocks, pad their table to this size; by default to one that has room for it.
      only_closed: of blocks, whether a board is wanted only if every game on it is exact.

    Returns:
      The board, with forced moves made.

    Raises:
      GraphSizeError: if the graph is too large, or larger than ``size``, or has too many structures of blocks.
    """
    state = Elimination(problem)
    waiting = set(problem.eliminable)
    opening = tuple(settle(state, waiting))
    joined = [v for v in range(problem.num_vertices) if state.ins[v] or state.outs[v]]
    size = padded(len(joined)) if size is None else size
    if len(joined) > size:
        raise GraphSizeError(f"a board of {size} vertices was asked for, the reduced graph has {len(joined)}")
    position = {v: k for k, v in enumerate(joined)}

    def marked(vertices: Iterable[int]) -> np.ndarray:
        mask = np.zeros(size, np.bool_)
        mask[[position[v] for v in vertices if v in position]] = True
        return mask

    rows = [(position[u], position[w], kind) for u in joined for w, kind in state.outs[u].items()]
    sources, targets, kinds = np.array(rows, np.int64).reshape(-1, 3).T
    left, is_output, is_input = marked(waiting), marked(problem.outputs), marked(problem.inputs)
    static = static_of_edges(sources, targets, is_input, is_output)
    bound, sized, unit = np.zeros(size, np.float32), np.zeros((size, SIZED), np.float32), 1.0
    table, closed = None, True
    if problem.is_scalar:
        planes = np.zeros((1 if problem.rule == "published" else 3, size, size), np.bool_)
        planes[kinds if planes.shape[0] == 3 else 0, sources, targets] = True
        outs = pack(planes)
        if bounds:
            cheapest = vertex_bounds(_remaining(problem, state, tuple(sorted(waiting))))
            for v in waiting:
                bound[position[v]] = cheapest[v]
    else:
        table, numbers, closed = class_table(problem, classes or CLASS_SIZES[-1], classes is not None, only_closed)
        if only_closed and not closed:
            raise GraphSizeError(f"this graph can lead to more than {table.entries.size - 1} structures of blocks")
        if any(kind not in numbers for kind in kinds.tolist()):
            raise GraphSizeError(
                f"a game has at most {table.entries.size - 1} structures of blocks, the edges of this graph have more; "
                'order it with order="agent" without training, or with order="annealing"'
            )
        outs = np.zeros((size, size), np.uint8)
        outs[sources, targets] = [numbers[kind] for kind in kinds.tolist()]
        unit = price_unit(state, waiting)
        if problem.elements is not None:
            elements = np.ones(size, np.int64)
            elements[: len(joined)] = problem.elements[joined]
            sized = sized_of_edges(sources, targets, is_input, is_output, elements)
    board = Board(outs, pack(left), is_output, static, bound, sized, np.asarray(unit, np.float32), table)
    return Setup(problem, board, tuple(joined), opening, state.cost, len(waiting), name, closed)


def price_unit(state: Elimination, waiting: Iterable[int]) -> float:
    """Mean cost of a pair of an in- and an out-edge over the vertices to eliminate, at least 1.

    Costs of blocks are measured by it, so that they have the size that they have in graphs of scalars.
    """
    total = pairs = 0
    for v in waiting:
        total, pairs = total + state.price(v), pairs + len(state.ins[v]) * len(state.outs[v])
    return max(total / max(pairs, 1), 1.0)


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
    single_too = state.problem.rule == "published" and state.problem.is_scalar
    outputs = frozenset(state.problem.outputs)

    def pick() -> int | None:
        free = [v for v in candidates if is_free(state, v)]
        if free or not single_too:
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


assert [int(kind) for kind in (Kind.UNIT, Kind.CONSTANT, Kind.VARIABLE)] == [0, 1, 2]
