"""What is learnt from a round of games, by either method.

Games without search are learnt from by proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347) with
generalised advantage estimation; games with search by imitating the improved policies and predicting the cost that was
reached; games that an expert judged by making the moves likely that lose nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent.block_game import TOO_MUCH
from elimax.agent.boards import Board
from elimax.agent.config import Config
from elimax.agent.features import View, symlog, view
from elimax.agent.game import Position
from elimax.agent.network import Judgement, Params, judge
from elimax.agent.selfplay import Record


class Sample(NamedTuple):
    """Positions to learn from, each field with a leading axis.

    Attributes:
      game: int32 which of the boards.
      outs: uint32 [P, N, W] or uint8 [N, N], and left: uint32 [W]: the position.
      move: int32 the move.
      log_probability: float32 of the move when it was chosen.
      advantage: float32 how much better than expected it was, about one in size.
      remaining: float32 cost that the value should say.
      weights: float32 [N] what the policy should become, or what each move loses if an expert says so, [0] for learning
        from moves.
      valid: float32 1 for a position, 0 for none.
    """

    game: jax.Array
    outs: jax.Array
    left: jax.Array
    move: jax.Array
    log_probability: jax.Array
    advantage: jax.Array
    remaining: jax.Array
    weights: jax.Array
    valid: jax.Array


def advantages(record: Record, smoothing: float) -> tuple[jax.Array, jax.Array]:
    """Generalised advantage estimation without discount.

    Args:
      record: the games.
      smoothing: lambda; 1 compares with the whole rest of the game, 0 with the next value alone.

    Returns:
      How much less than expected each move led to, float32 [T, B], and the cost from each position, float32 [T, B].
    """
    cost = record.cost.astype(jnp.float32)
    final = record.final.astype(jnp.float32)
    played = record.moves >= 0
    going_on = jnp.concatenate([played[1:], jnp.zeros_like(played[:1])])
    following_cost = jnp.where(going_on, jnp.concatenate([cost[1:], final[None]]), final)
    following_value = jnp.where(going_on, jnp.concatenate([record.remaining[1:], jnp.zeros_like(final)[None]]), 0.0)
    gain = jnp.where(played, record.remaining - (following_cost - cost) - following_value, 0.0)

    def back(later: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        gain, going_on = now
        advantage = gain + smoothing * jnp.where(going_on, later, 0.0)
        return advantage, advantage

    advantage = jax.lax.scan(back, jnp.zeros_like(final), (gain, going_on), reverse=True)[1]
    return advantage, final - cost


def against_rivals(final: jax.Array, rivals: int) -> jax.Array:
    """How much cheaper each game was than the games on the same board, in standard deviations of theirs.

    It takes the place of a value that is learnt, which on graphs that differ in everything is hard to learn; every move
    of a game gets the same credit (Kwon et al. 2020, arXiv 2010.16011).

    Args:
      final: int32 [B] costs; games on the same board are B / rivals apart.
      rivals: number of games on each board.

    Returns:
      float32 [B].
    """
    cost = final.astype(jnp.float32).reshape(rivals, -1)
    mean, deviation = cost.mean(0), cost.std(0)
    return ((mean - cost) / (deviation + 1e-3 * mean + 1e-3)).reshape(-1)


def samples(record: Record, config: Config) -> Sample:
    """The positions of a round, those of games that count first, so that a loop over them can stop there."""
    advantage, remaining = advantages(record, config.smoothing)
    if config.rivals:
        advantage = jnp.broadcast_to(against_rivals(record.final, config.rivals), advantage.shape)
    played = (record.moves >= 0) & (record.final < TOO_MUCH)
    weight = played.astype(jnp.float32)
    # Games on several boards differ in size: each game is measured by its own cost.
    scale = 1.0 if config.rivals else 1.0 / jnp.maximum(record.final.astype(jnp.float32), 1.0)
    advantage = advantage * scale
    count = jnp.maximum(weight.sum(), 1.0)
    mean = (advantage * weight).sum() / count
    deviation = jnp.sqrt((jnp.square(advantage - mean) * weight).sum() / count)
    advantage = (advantage - mean) / (deviation + 1e-6)
    games = jnp.broadcast_to(jnp.arange(played.shape[1], dtype=jnp.int32), played.shape)
    whole = Sample(
        games,
        record.outs,
        record.left,
        record.moves,
        record.log_probability,
        advantage,
        remaining,
        record.weights,
        weight,
    )
    flat = jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), whole)
    first = jnp.argsort(~(flat.valid > 0), stable=True)
    return jax.tree.map(lambda x: x[first], flat)


def loss(
    params: Params, boards: Board, sample: Sample, shown: Sample | None, config: Config, entropy: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The policy's loss, the error of the value on its transformed scale, and entropy.

    Args:
      params: the weights.
      boards: of the games.
      sample: positions, leading axis [M].
      shown: positions of games to imitate, or None.
      config: settings.
      entropy: float32 [] weight of the entropy.

    Returns:
      The loss, and what it consists of.
    """
    judged, seen = _judged(params, boards, sample)
    logs = jax.nn.log_softmax(judged.logits)
    if config.method == "ppo":
        ratio = jnp.exp(_of(logs, sample.move) - sample.log_probability)
        clipped = jnp.clip(ratio, 1.0 - config.clip, 1.0 + config.clip)
        policy = -jnp.minimum(ratio * sample.advantage, clipped * sample.advantage)
    elif config.method == "gumbel":
        policy = -(sample.weights * jnp.where(seen.left, logs, 0.0)).sum(-1)
    else:
        # Any of the moves that lose nothing will do: the logarithm of the chance of a good one.
        policy = -jax.nn.logsumexp(logs - sample.weights / config.tolerance, axis=-1)
    value = _huber(judged.excess - symlog(sample.remaining / seen.unit - seen.floor))
    spread = -(jnp.exp(logs) * logs).sum(-1)
    count = jnp.maximum(sample.valid.sum(), 1.0)

    def mean(x: jax.Array) -> jax.Array:
        return (x * sample.valid).sum() / count

    parts = {"policy": mean(policy), "value": mean(value), "entropy": mean(spread)}
    total = parts["policy"] + config.value_weight * parts["value"] - entropy * parts["entropy"]
    if shown is not None:
        logs = jax.nn.log_softmax(_judged(params, boards, shown)[0].logits)
        imitation = -(_of(logs, shown.move) * shown.valid).sum() / jnp.maximum(shown.valid.sum(), 1.0)
        total += jnp.float32(config.elite) * imitation
    return total, parts


def _judged(params: Params, boards: Board, sample: Sample) -> tuple[Judgement, View]:
    board = jax.tree.map(lambda x: jnp.asarray(x)[sample.game], boards)
    seen = jax.vmap(view)(board, Position(sample.outs, sample.left, jnp.zeros_like(sample.game)))
    return jax.vmap(lambda s: judge(params, s))(seen), seen


def _of(logs: jax.Array, move: jax.Array) -> jax.Array:
    return jnp.take_along_axis(logs, jnp.maximum(move, 0)[:, None], 1)[:, 0]


def _huber(error: jax.Array) -> jax.Array:
    """Square near zero, linear beyond one."""
    size = jnp.abs(error)
    return jnp.where(size < 1.0, 0.5 * error * error, size - 0.5)
