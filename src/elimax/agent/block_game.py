"""The elimination game on graphs of blocks: one byte an edge, products and sums from a table.

The table (`elimax.agent.classes`) knows the structures that the graph leads to. As long as a game meets no other, its
costs are those of the reference elimination, exactly. Otherwise, or where its cost reaches `TOO_MUCH`, the cost is
`TOO_MUCH` from then on.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from elimax.agent.classes import Classes

TOO_MUCH = 2**29
"""Cost of games that are not counted; sums of two costs up to this fit in 32 bits."""


def eliminate(edges: jax.Array, v: jax.Array, is_output: jax.Array, classes: Classes) -> tuple[jax.Array, jax.Array]:
    """Eliminate one vertex.

    Args:
      edges: uint8 [N, N] class of the edge from row to column, 0 for none.
      v: int32 [].
      is_output: bool [N].
      classes: the algebra.

    Returns:
      The new edges and the cost, int32 [].
    """
    width = classes.products.shape[-1]
    out, into = edges[v].astype(jnp.int32), edges[:, v].astype(jnp.int32)
    pair = out[None, :] * width + into[:, None]
    product = _at(classes.products, pair)
    prices = _at(classes.costs, pair)
    total = _at(classes.sums, edges.astype(jnp.int32) * width + jnp.maximum(product, 0))
    unknown = ((product < 0) | (total < 0)).any() | (prices.astype(jnp.float32).sum() >= TOO_MUCH)
    cost = jnp.where(unknown, jnp.int32(TOO_MUCH), prices.sum(dtype=jnp.int32))
    here = jnp.arange(edges.shape[0], dtype=jnp.int32) == v
    # An output keeps its in-edges, they are entries of the Jacobian.
    gone = here[:, None] | (here & ~is_output)[None, :]
    return jnp.where(gone, 0, total).astype(jnp.uint8), cost


def _at(table: np.ndarray, index: jax.Array) -> jax.Array:
    return jnp.asarray(table).reshape(-1).at[index].get(mode="promise_in_bounds")


def degrees(edges: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Numbers of in- and out-edges, int32 [N] twice."""
    there = edges > 0
    return there.sum(0, dtype=jnp.int32), there.sum(1, dtype=jnp.int32)


def prices(edges: jax.Array, classes: Classes) -> jax.Array:
    """Cost of eliminating each vertex now, float32 [N]; products that the table lacks count nothing."""
    costs = jnp.asarray(classes.costs).astype(jnp.float32)
    rows = jnp.arange(edges.shape[0], dtype=jnp.int32)[:, None]
    none = jnp.zeros((edges.shape[0], costs.shape[0]), jnp.float32)

    def counts(ends: jax.Array) -> jax.Array:
        return none.at[rows, ends.astype(jnp.int32)].add(1.0, mode="promise_in_bounds")

    return ((counts(edges) @ costs) * counts(edges.T)).sum(1)


def settle(edges: jax.Array, waiting: jax.Array, is_output: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eliminate vertices without in-edges or without out-edges until there is none: they cost nothing.

    Args:
      edges: uint8 [N, N].
      waiting: bool [N] vertices still to be eliminated.
      is_output: bool [N].

    Returns:
      The same after that.
    """

    def free(edges: jax.Array, waiting: jax.Array) -> jax.Array:
        num_in, num_out = degrees(edges)
        return waiting & ((num_in == 0) | (num_out == 0))

    def step(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        edges, waiting, going = carry
        gone = going[:, None] | (going & ~is_output)[None, :]
        edges, waiting = jnp.where(gone, jnp.uint8(0), edges), waiting & ~going
        return edges, waiting, free(edges, waiting)

    began = (edges, waiting, free(edges, waiting))
    edges, waiting, _ = jax.lax.while_loop(lambda carry: carry[2].any(), step, began)
    return edges, waiting
