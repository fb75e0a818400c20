"""What the network sees of a position: numbers per vertex that do not depend on how vertices are numbered."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent.boards import STATIC, Board
from elimax.agent.game import Position, degrees, prices, unpack

DYNAMIC = 9
"""Number of features of a vertex that change during a game."""

WIDTH = STATIC + DYNAMIC
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
      floor: float32 [] no way to go on costs less.
    """

    edges: jax.Array
    vertices: jax.Array
    whole: jax.Array
    left: jax.Array
    floor: jax.Array


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
    elimination would add to the cost of its neighbours now; the share of cheaper edges; its rank by cost.
    """
    num_in, num_out = degrees(position.outs)
    any_edge = position.outs[0] if position.outs.shape[0] == 1 else _union(position.outs)
    edges = unpack(any_edge).astype(jnp.float32)
    left = unpack(position.left)
    here = left.astype(jnp.float32)
    total_in, total_out = (x.sum(0, dtype=jnp.int32).astype(jnp.float32) for x in (num_in, num_out))
    cost = prices(num_in, num_out).astype(jnp.float32) * here
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
        cost / jnp.maximum(pairs, 1.0),
        jnp.log1p(cost) - jnp.log1p(mean),
    ]
    vertices = jnp.concatenate([jnp.asarray(board.static), jnp.stack(dynamic, -1)], -1)
    published = jnp.float32(position.outs.shape[0] == 1)
    whole = jnp.stack([jnp.log1p(count), jnp.log1p(cost.sum()), jnp.log1p(floor), published])
    return View(edges, vertices, whole, left, floor)


def _union(planes: jax.Array) -> jax.Array:
    return planes[0] | planes[1] | planes[2]
