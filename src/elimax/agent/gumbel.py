"""Gumbel AlphaZero: moves chosen by a tree search whose model is the game itself.

Danihelka et al. 2022, *Policy improvement by planning with Gumbel*; the search is that of mctx (extra
``elimax[agent]``).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from elimax.agent.boards import Board
from elimax.agent.config import Config
from elimax.agent.extras import need
from elimax.agent.game import Position, is_over, play_many, unpack
from elimax.agent.network import Params
from elimax.agent.selfplay import Choice, Player, judge_many


def player(config: Config) -> Player:
    """A player that searches.

    Args:
      config: numbers of simulations and of moves considered at the root.

    Returns:
      The player; its policy targets are the improved policies of the searches.

    Raises:
      MissingExtraError: without mctx.
    """
    mctx = need("mctx")

    def play(params: Params, boards: Board, positions: Position, key: jax.Array) -> Choice:
        judged = judge_many(params, boards, positions)
        root = mctx.RootFnOutput(prior_logits=judged.logits, value=-judged.remaining, embedding=positions)

        def model(_: Any, __: jax.Array, action: jax.Array, states: Position) -> tuple[Any, Position]:
            following = play_many(states, action.astype(jnp.int32), boards)
            judged = judge_many(params, boards, following)
            reward = (states.cost - following.cost).astype(jnp.float32)
            going_on = (~jax.vmap(is_over)(following)).astype(jnp.float32)
            output = mctx.RecurrentFnOutput(
                reward=reward, discount=going_on, prior_logits=judged.logits, value=-judged.remaining
            )
            return output, following

        # The weights travel by closure: mctx passes its first argument through unchanged.
        with jax.numpy_dtype_promotion("standard"):  # mctx mixes types of numbers
            found = mctx.gumbel_muzero_policy(
                params=(),
                rng_key=key,
                root=root,
                recurrent_fn=model,
                num_simulations=config.simulations,
                invalid_actions=~jax.vmap(unpack)(positions.left),
                max_num_considered_actions=config.considered,
            )
        moves = found.action.astype(jnp.int32)
        log_probability = jnp.take_along_axis(jax.nn.log_softmax(judged.logits), moves[:, None], 1)[:, 0]
        return Choice(moves, found.action_weights, log_probability, judged.remaining)

    return play
