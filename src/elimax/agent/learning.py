"""One round of learning: passes of gradient descent over the positions of the games."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent import gumbel
from elimax.agent.boards import Board
from elimax.agent.config import Config
from elimax.agent.extras import need
from elimax.agent.game import Position, play_many, start
from elimax.agent.losses import Sample, loss, samples
from elimax.agent.network import Params
from elimax.agent.selfplay import Player, Record, sampled

IMITATED = 64
"""Positions of imitated games in a step of gradient descent."""


class Learner(NamedTuple):
    """What changes by learning.

    Attributes:
      params: weights of the network.
      optimiser: its state.
      replay: samples of the last rounds [R * M] and boards [R * B] of their games, or None.
    """

    params: Params
    optimiser: Any
    replay: tuple[Sample, Board] | None


def player_of(config: Config) -> Player:
    """Who plays under a configuration."""
    return gumbel.player(config) if config.method == "gumbel" else sampled


def optimiser_of(config: Config) -> Any:
    """Adam with clipped gradients.

    Raises:
      MissingExtraError: without optax.
    """
    optax = need("optax")
    return optax.chain(optax.clip_by_global_norm(0.5), optax.scale_by_adam(eps=1e-5))


def progress_of(config: Config, iteration: jax.Array) -> jax.Array:
    """A factor that falls from 1 to 0.1 by a cosine over the iterations, float32 []."""
    done = jnp.clip(iteration.astype(jnp.float32) / config.iterations, 0.0, 1.0)
    return 0.1 + 0.45 * (1.0 + jnp.cos(jnp.pi * done))


def empty_replay(record: Any, boards: Board, config: Config) -> tuple[Sample, Board]:
    """Room for the last rounds; ``record`` has the shapes of one."""
    one = jax.eval_shape(functools.partial(samples, config=config), record)
    rounds = config.replay
    return (
        jax.tree.map(lambda x: jnp.zeros((rounds * x.shape[0], *x.shape[1:]), x.dtype), one),
        jax.tree.map(lambda x: jnp.zeros((rounds * x.shape[0], *x.shape[1:]), x.dtype), boards),
    )


def _remember(replay: tuple[Sample, Board], sample: Sample, boards: Board) -> tuple[Sample, Board]:
    """Put a round in the place of the oldest; the newest comes first."""
    games = boards.is_output.shape[0]
    old = replay[0]._replace(game=replay[0].game + games)

    def shift(new: Any, past: Any) -> jax.Array:
        new, past = jnp.asarray(new), jnp.asarray(past)
        return jnp.concatenate([new, past[: past.shape[0] - new.shape[0]]])

    return jax.tree.map(shift, sample, old), jax.tree.map(shift, boards, replay[1])


def replayed(boards: Board, moves: jax.Array) -> Sample:
    """The positions of given games.

    Args:
      boards: B boards.
      moves: int32 [B, T] the moves, -1 after the end.

    Returns:
      Samples with a leading axis [B * T].
    """

    def step(positions: Position, move: jax.Array) -> tuple[Position, tuple[jax.Array, jax.Array]]:
        seen = (positions.outs, positions.left)
        return play_many(positions, jnp.maximum(move, 0), boards), seen

    outs, left = jax.lax.scan(step, jax.vmap(start)(boards), moves.T)[1]
    size = moves.size
    zeros = jnp.zeros(size, jnp.float32)
    game = jnp.broadcast_to(jnp.arange(moves.shape[0], dtype=jnp.int32), moves.T.shape).reshape(-1)
    flat = moves.T.reshape(-1)
    nothing = jnp.zeros((size, 0), jnp.float32)
    valid = (flat >= 0).astype(jnp.float32)
    return Sample(game, _flat(outs), _flat(left), flat, zeros, zeros, zeros, nothing, valid)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def learn(
    learner: Learner,
    boards: Board,
    record: Record,
    shown: jax.Array,
    key: jax.Array,
    iteration: jax.Array,
    config: Config,
) -> tuple[Learner, dict[str, jax.Array]]:
    """Learn from a round of games.

    Args:
      learner: the state.
      boards: B boards of the games.
      record: the games.
      shown: int32 [B, T] a game to imitate on each board.
      key: random key.
      iteration: int32 [] number of the round.
      config: settings.

    Returns:
      The new state, and means over the round: policy and value loss, entropy.
    """
    sample, replay = samples(record, config), learner.replay
    # The boards of the round come first among those that are remembered, so the numbers of these games hold there too.
    imitated = replayed(boards, shown) if config.elite > 0 else None
    if replay is not None:
        replay = _remember(replay, sample, boards)
        sample, boards = replay
        first = jnp.argsort(~(sample.valid > 0), stable=True)
        sample = jax.tree.map(lambda x: x[first], sample)
    optimiser, factor = optimiser_of(config), progress_of(config, iteration)
    rows = sample.valid.shape[0]
    size = min(config.batch, rows)
    count = (sample.valid > 0).sum(dtype=jnp.int32)
    steps = (count + size - 1) // size
    # A round of replay is seen once for each pass on average: old positions are seen again in later rounds.
    steps_in_all = (
        steps * config.epochs if replay is None else (steps * config.epochs + config.replay - 1) // config.replay
    )

    def shuffled(key: jax.Array) -> jax.Array:
        rank = jax.random.uniform(key, (rows,), jnp.float32)
        return jnp.argsort(jnp.where(jnp.arange(rows, dtype=jnp.int32) < count, rank, 2.0)).astype(jnp.int32)

    def step(i: jax.Array, carry: Any) -> Any:
        params, state, order, sums = carry
        own = jax.random.fold_in(key, i)
        order = jax.lax.cond(i % steps == 0, lambda: shuffled(own), lambda: order)
        batch = _rows(sample, order[((i % steps) * size + jnp.arange(size, dtype=jnp.int32)) % rows])
        if config.reanalyse and replay is not None:
            batch = _reanalysed(params, boards, batch, own, config)
        extra = None
        if imitated is not None:
            extra = _rows(imitated, jax.random.randint(own, (IMITATED,), 0, imitated.valid.shape[0], jnp.int32))
        grads, parts = jax.grad(loss, has_aux=True)(params, boards, batch, extra, config, config.entropy * factor)
        with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats with integers
            updates, state = optimiser.update(grads, state, params)
        rate = config.learning_rate * factor
        params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
        return params, state, order, jax.tree.map(jnp.add, sums, parts)

    sums = dict.fromkeys(("policy", "value", "entropy"), jnp.zeros((), jnp.float32))
    began = (learner.params, learner.optimiser, jnp.arange(rows, dtype=jnp.int32), sums)
    params, state, _, sums = jax.lax.fori_loop(0, steps_in_all, step, began)
    means = {name: value / jnp.maximum(steps_in_all, 1).astype(jnp.float32) for name, value in sums.items()}
    return Learner(params, state, replay), means


def _rows(sample: Sample, rows: jax.Array) -> Sample:
    return jax.tree.map(lambda x: x[rows], sample)


def _reanalysed(params: Params, boards: Board, batch: Sample, key: jax.Array, config: Config) -> Sample:
    """The first positions of a batch with targets of a search by the present network."""
    count = max(1, int(config.reanalyse * batch.valid.shape[0]))
    some = _rows(batch, jnp.arange(count, dtype=jnp.int32))
    board = jax.tree.map(lambda x: jnp.asarray(x)[some.game], boards)
    positions = Position(some.outs, some.left, jnp.zeros((count,), jnp.int32))
    choice = gumbel.player(config)(params, board, positions, key)
    return batch._replace(weights=batch.weights.at[:count].set(jax.lax.stop_gradient(choice.weights)))
