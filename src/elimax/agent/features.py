"""What the network sees of a position: numbers per vertex that do not depend on how vertices are numbered."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent import block_game
from elimax.agent.boards import Board
from elimax.agent.game import Position, degrees, prices, unpack
from elimax.agent.statics import SIZED, STATIC

DYNAMIC = 9
"""Number of features of a vertex that change during a game."""

PLAIN = STATIC + DYNAMIC
"""Number of features of a vertex in graphs of scalars; in graphs of blocks it has some more, which are zero there."""

WIDTH = PLAIN + SIZED + 2
"""Number of features of a vertex."""

GLOBAL = 4
"""Number of features of a position as a whole."""


class View(NamedTuple):
    """A position as the network sees it.

    Attributes:
      edges: float32 [N, N] from row to column.
      vertices: float32 [N, WIDTH].
      whole: float32 [GLOBAL].
      left: bool [N] vertices still to be eliminated.
      floor: float32 [] no way to go on costs less, in units of the board.
      unit: float32 [] of costs.
    """

    edges: jax.Array
    vertices: jax.Array
    whole: jax.Array
    left: jax.Array
    floor: jax.Array
    unit: jax.Array


def symlog(x: jax.Array) -> jax.Array:
    """Logarithmic scale through zero: sign(x) log(1 + |x|)."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


def symexp(x: jax.Array) -> jax.Array:
    """The inverse of `symlog`."""
    return jnp.sign(x) * jnp.expm1(jnp.abs(x))


def view(board: Board, position: Position) -> View:
    """The features of a position.

    Per vertex, besides the static ones: whether it is left; in- and out-degree, cost, and cost above the least ever, on
    logarithmic scales; the number of edges that its elimination would add, less those that it removes; what its
    elimination would add to the cost of its neighbours now; the share of cheaper edges; its rank by cost. Of blocks,
    costs are in units of the board, and the sizes of values and of edges come last.
    """
    left = unpack(position.left)
    here = left.astype(jnp.float32)
    edges, cost, entries = _of_bits(position) if board.classes is None else _of_blocks(board, position)
    total_in, total_out = edges.sum(0), edges.sum(1)
    cost = cost * here
    pairs = total_in * total_out
    same_targets, same_sources = edges @ edges.T, edges.T @ edges
    present = (edges * same_targets).sum(0)  # pairs (i, j) around v that an edge i -> j joins already
    fill = pairs - present - total_in - total_out
    into = edges * (total_in[:, None] * (total_out[None, :] - same_targets - 1.0))  # [i, v]
    out_of = edges * (total_out[None, :] * (total_in[:, None] - same_sources - 1.0))  # [v, j]
    growth = (into * here[:, None]).sum(0) + (out_of * here[None, :]).sum(1)
    floor = (jnp.asarray(board.bound) * here).sum()
    count = here.sum()
    mean = cost.sum() / jnp.maximum(count, 1.0)
    dynamic = [
        here,
        jnp.log1p(total_in),
        jnp.log1p(total_out),
        jnp.log1p(cost),
        jnp.log1p(jnp.maximum(cost - jnp.asarray(board.bound), 0.0)),
        symlog(fill) * 0.5,
        symlog(growth) * 0.5,
        jnp.minimum(cost / jnp.maximum(pairs, 1.0), 1.0),
        jnp.log1p(cost) - jnp.log1p(mean),
    ]
    vertices = jnp.concatenate(
        [jnp.asarray(board.static), jnp.stack(dynamic, -1), jnp.asarray(board.sized), entries], -1
    )
    published = jnp.float32(board.classes is None and position.outs.shape[0] == 1)
    whole = jnp.stack([jnp.log1p(count), jnp.log1p(cost.sum()), jnp.log1p(floor), published])
    return View(edges, vertices, whole, left, floor, jnp.asarray(board.unit))


def _of_bits(position: Position) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Edges float32 [N, N], costs float32 [N], and no sizes, of a graph of scalars."""
    planes = position.outs
    edges = unpack(planes[0] if planes.shape[0] == 1 else planes[0] | planes[1] | planes[2]).astype(jnp.float32)
    cost = prices(*degrees(planes)).astype(jnp.float32)
    return edges, cost, jnp.zeros((edges.shape[0], 2), jnp.float32)


def _of_blocks(board: Board, position: Position) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same of a graph of blocks; sizes are logarithms of the mean entries of in-edges and of out-edges."""
    assert board.classes is not None
    edges = (position.outs > 0).astype(jnp.float32)
    cost = block_game.prices(position.outs, board.classes) / jnp.asarray(board.unit)
    entries = jnp.asarray(board.classes.entries)[position.outs]
    means = [jnp.maximum(entries.sum(axis) / jnp.maximum(edges.sum(axis), 1.0), 1.0) for axis in (0, 1)]
    return edges, cost, 0.5 * jnp.log(jnp.stack(means, -1))
