"""Many games at once, from the beginning to the end, with a record of every position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent.boards import Board
from elimax.agent.features import view
from elimax.agent.game import Position, is_over, play_many, start
from elimax.agent.network import Judgement, Params, judge


class Record(NamedTuple):
    """Games move by move; [T, B] is the move and the game.

    Attributes:
      outs: uint32 [T, B, P, N, W] or uint8 [T, B, N, N], and left: uint32 [T, B, W]: the position before the move.
      cost: int32 [T, B] cost before the move.
      moves: int32 [T, B] the vertex chosen, -1 after the end.
      weights: float32 [T, B, N] what the policy should become, or what each move loses if an expert says so, [T, B, 0]
        if nothing but the moves is known.
      log_probability: float32 [T, B] of the move under the policy that chose it.
      remaining: float32 [T, B] cost from there as the network thought.
      length: int32 [] number of moves of the longest game.
      final: int32 [B] cost of the whole game.
    """

    outs: jax.Array
    left: jax.Array
    cost: jax.Array
    moves: jax.Array
    weights: jax.Array
    log_probability: jax.Array
    remaining: jax.Array
    length: jax.Array
    final: jax.Array


class Choice(NamedTuple):
    """What a player chose for each of B games; see `Record`."""

    moves: jax.Array
    weights: jax.Array
    log_probability: jax.Array
    remaining: jax.Array


Player = Callable[[Params, Board, Position, jax.Array], Choice]
"""``player(params, boards, positions, key) -> Choice``"""


def judge_many(params: Params, boards: Board, positions: Position) -> Judgement:
    """`judge` with a leading axis [B] on boards and positions."""
    return jax.vmap(lambda board, position: judge(params, view(board, position)))(boards, positions)


def sampled(params: Params, boards: Board, positions: Position, key: jax.Array) -> Choice:
    """A player without search: moves are drawn from the policy."""
    judged = judge_many(params, boards, positions)
    moves = jax.random.categorical(key, judged.logits).astype(jnp.int32)
    log_probability = jnp.take_along_axis(jax.nn.log_softmax(judged.logits), moves[:, None], 1)[:, 0]
    nothing = jnp.zeros((moves.shape[0], 0), jnp.float32)
    return Choice(moves, nothing, log_probability, judged.remaining)


def play_games(player: Player, params: Params, boards: Board, key: jax.Array, most_moves: int) -> Record:
    """Play B games to the end.

    Args:
      player: chooses the moves.
      params: weights of the network.
      boards: B boards, one a game.
      key: random key.
      most_moves: T; no game is longer.

    Returns:
      The games.
    """
    positions = jax.vmap(start)(boards)
    example: Any = jax.eval_shape(player, params, boards, positions, key)
    games = positions.cost.shape[0]

    def blank(shape: tuple[int, ...], dtype: Any, fill: int = 0) -> jax.Array:
        return jnp.full((most_moves, *shape), fill, dtype)

    rows = (
        blank(positions.outs.shape, positions.outs.dtype),
        blank(positions.left.shape, jnp.uint32),
        blank((games,), jnp.int32),
        blank((games,), jnp.int32, -1),
        blank(example.weights.shape, jnp.float32),
        blank((games,), jnp.float32),
        blank((games,), jnp.float32),
    )

    def going(carry: tuple[jax.Array, Position, Any]) -> jax.Array:
        t, positions, _ = carry
        return (t < most_moves) & ~jax.vmap(is_over)(positions).all()

    def step(carry: tuple[jax.Array, Position, Any]) -> tuple[jax.Array, Position, Any]:
        t, positions, rows = carry
        choice = player(params, boards, positions, jax.random.fold_in(key, t))
        over = jax.vmap(is_over)(positions)
        new = (
            positions.outs,
            positions.left,
            positions.cost,
            jnp.where(over, -1, choice.moves),
            choice.weights,
            choice.log_probability,
            choice.remaining,
        )
        rows = tuple(row.at[t].set(value) for row, value in zip(rows, new, strict=True))
        return t + 1, play_many(positions, choice.moves, boards), rows

    t, last, rows = jax.lax.while_loop(going, step, (jnp.zeros((), jnp.int32), positions, rows))
    return Record(*rows, length=t, final=last.cost)
