"""The elimination game on bits: states, moves and costs, compiled and batched by JAX.

A position is the graph in the course of elimination, one bit an edge and kind; of blocks one byte an edge
(`elimax.agent.block_game`). `play` eliminates a vertex and then makes all forced moves (`elimax.agent.boards`). It
agrees with `elimax.elimination.reference`, the specification.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent import block_game
from elimax.agent.block_game import TOO_MUCH
from elimax.agent.boards import Board


class Position(NamedTuple):
    """A state of the game; with leading axes, of many.

    Attributes:
      outs: uint32 [P, N, W], of blocks uint8 [N, N], as in `Board`.
      left: uint32 [W] vertices still to be eliminated.
      cost: int32 [] cost of the game so far.
    """

    outs: jax.Array
    left: jax.Array
    cost: jax.Array


def start(board: Board) -> Position:
    """The position at the beginning."""
    return Position(jnp.asarray(board.outs), jnp.asarray(board.left), jnp.zeros((), jnp.int32))


def unpack(words: jax.Array) -> jax.Array:
    """Words uint32 [..., W] as bool [..., 32 W]."""
    bits = (words[..., None] >> jnp.arange(32, dtype=jnp.uint32)) & jnp.uint32(1)
    return bits.reshape(*words.shape[:-1], -1).astype(jnp.bool_)


def one_bit(v: jax.Array, words: int) -> jax.Array:
    """Words uint32 [W] with bit ``v`` set."""
    word = jnp.arange(words, dtype=jnp.int32) == v // 32
    return jnp.where(word, jnp.uint32(1) << (v % 32).astype(jnp.uint32), jnp.uint32(0))


def is_over(position: Position) -> jax.Array:
    """Whether nothing is left to eliminate, bool []."""
    return ~jnp.any(position.left != 0)


def degrees(outs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Numbers of in- and out-edges in each plane, int32 [P, N] twice."""
    num_out = jax.lax.population_count(outs).astype(jnp.int32).sum(-1, dtype=jnp.int32)
    num_in = unpack(outs).sum(-2, dtype=jnp.int32)
    return num_in, num_out


def prices(num_in: jax.Array, num_out: jax.Array) -> jax.Array:
    """Cost of eliminating each vertex now, int32 [N], from its degrees int32 [P, N].

    With one plane every pair counts; with three a factor of +1 or -1 and a product of two constants are free.
    """
    if num_in.shape[0] == 1:
        return num_in[0] * num_out[0]
    return (num_in[1] + num_in[2]) * (num_out[1] + num_out[2]) - num_in[1] * num_out[1]


def eliminate(outs: jax.Array, v: jax.Array, is_output: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eliminate one vertex.

    Args:
      outs: uint32 [P, N, W].
      v: int32 [].
      is_output: bool [N].

    Returns:
      The new edges and the cost, int32 [].
    """
    row = outs[:, v, :]
    enters = ((outs[:, :, v // 32] >> (v % 32).astype(jnp.uint32)) & jnp.uint32(1)).astype(jnp.bool_)
    num_in = enters.sum(-1, dtype=jnp.int32)[:, None]
    num_out = jax.lax.population_count(row).astype(jnp.int32).sum(-1, dtype=jnp.int32)[:, None]
    cost = prices(num_in, num_out)[0]
    none = jnp.zeros_like(row[0])
    reached = [jnp.where(plane[:, None], jnp.uint32(0xFFFFFFFF), jnp.uint32(0)) for plane in enters]  # [N, 1] each
    if len(reached) == 1:
        joined = outs | (reached[0] & row[0])
    else:
        unit, constant, variable = reached
        new_unit = unit & row[0]
        new_constant = (unit & row[1]) | (constant & (row[0] | row[1]))
        new_variable = ((unit | constant) & row[2]) | (variable & (row[0] | row[1] | row[2]))
        met = (outs[0] | outs[1] | outs[2]) & (new_unit | new_constant | new_variable)
        variables = outs[2] | new_variable
        constants = (outs[1] | new_constant | met) & ~variables
        joined = jnp.stack([(outs[0] | new_unit) & ~met, constants, variables])
    # An output keeps its in-edges, they are entries of the Jacobian.
    lost = jnp.where(is_output[v], none, one_bit(v, row.shape[-1]))
    joined = joined & ~lost
    return joined.at[:, v, :].set(jnp.uint32(0)), cost


def _forced(outs: jax.Array, left: jax.Array, is_output: jax.Array) -> jax.Array:
    """Vertices of which the lowest has to go next, bool [N]."""
    num_in, num_out = degrees(outs)
    total_in, total_out = num_in.sum(0, dtype=jnp.int32), num_out.sum(0, dtype=jnp.int32)
    waiting = unpack(left)
    free = ((total_in == 0) | (total_out == 0)) & waiting
    if outs.shape[0] == 3:
        return free
    single = (total_in == 1) & (total_out == 1) & ~is_output & waiting
    return jnp.where(free.any(), free, single)


def settle(position: Position, board: Board) -> Position:
    """Make forced moves, as `elimax.agent.boards.settle` does, until none is left."""
    is_output = jnp.asarray(board.is_output)
    if board.classes is not None:
        edges, waiting = block_game.settle(position.outs, unpack(position.left), is_output)
        return Position(edges, repack(waiting), position.cost)

    def waiting_for(carry: tuple[Position, jax.Array]) -> jax.Array:
        return carry[1].any()

    def step(carry: tuple[Position, jax.Array]) -> tuple[Position, jax.Array]:
        position, forced = carry
        moved = _move(position, jnp.argmax(forced).astype(jnp.int32), board)
        return moved, _forced(moved.outs, moved.left, is_output)

    return jax.lax.while_loop(waiting_for, step, (position, _forced(position.outs, position.left, is_output)))[0]


def repack(bits: jax.Array) -> jax.Array:
    """The inverse of `unpack`."""
    words = bits.reshape(*bits.shape[:-1], -1, 32).astype(jnp.uint32)
    return (words << jnp.arange(32, dtype=jnp.uint32)).sum(-1, dtype=jnp.uint32)


def _move(position: Position, v: jax.Array, board: Board) -> Position:
    is_output = jnp.asarray(board.is_output)
    if board.classes is None:
        outs, cost = eliminate(position.outs, v, is_output)
    else:
        outs, cost = block_game.eliminate(position.outs, v, is_output, board.classes)
    left = position.left & ~one_bit(v, position.left.shape[-1])
    return Position(outs, left, jnp.minimum(position.cost + cost, TOO_MUCH))


def play(position: Position, v: jax.Array, board: Board) -> Position:
    """One move: eliminate a vertex, then make the forced moves that arise.

    Args:
      position: the state.
      v: int32 [] vertex; a vertex that is not left changes nothing.
      board: the board of the game.

    Returns:
      The state after the move.
    """
    legal = jnp.any((position.left & one_bit(v, position.left.shape[-1])) != 0)
    after = _move(position, v, board)
    kept = jax.tree.map(lambda new, old: jnp.where(legal, new, old), after, position)
    return settle(kept, board)


play_many = jax.vmap(play)
"""`play` with a leading axis [B] on everything."""
