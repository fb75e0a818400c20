"""An expert, annealing, judges the moves of the policy's own games: the setting ``method = "expert"``.

It is no part of learning from nothing. The policy plays; in every position that it comes to, the expert says what each
move would lose (Ross, Gordon & Bagnell 2011, arXiv 1011.0686, label the positions of the learner likewise). The
expert's order is found once for each graph and improved a little in each position.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elimax.agent.boards import Setup, settle
from elimax.agent.config import Config
from elimax.agent.regrets import regrets, scalar_classes
from elimax.agent.selfplay import Record
from elimax.elimination.random import new_state
from elimax.elimination.reference import Elimination
from elimax.order.search import search

HOPELESS = 12.0
"""Losses of so many tolerances are all alike."""


def expert_order(setup: Setup, config: Config) -> np.ndarray:
    """An order found by annealing.

    Args:
      setup: the board.
      config: number of proposals and the seed.

    Returns:
      int64 [n] the vertices of the board that are left at the beginning of a game, in order.
    """
    found = search(setup.problem, "annealing", max_evaluations=config.proposals, seed=config.seed).vertices
    position, waiting = {v: k for k, v in enumerate(setup.labels)}, set(setup.problem.eliminable)
    settle(Elimination(setup.problem), waiting)
    return np.array([position[v] for v in found if isinstance(v, int) and v in waiting], np.int64)


def judged(
    record: Record, setups: Sequence[Setup], which: np.ndarray, orders: Sequence[np.ndarray], config: Config, seed: int
) -> np.ndarray:
    """What each move of recorded games would have lost, as a share of the cost of the expert's game.

    Args:
      record: the games, as numpy arrays.
      setups: the boards.
      which: int32 [B] board of each game.
      orders: the expert's order for each board.
      config: settings.
      seed: of the proposals that improve the order from each position.

    Returns:
      float32 [T, B, N], zero or more; `HOPELESS` tolerances for vertices that are gone.
    """
    moves = np.asarray(record.moves)
    most_share = HOPELESS * config.tolerance
    found = np.full((*moves.shape, setups[0].size), most_share, np.float32)
    random, losses = new_state(seed), np.zeros(setups[0].size, np.int64)
    for game, task in enumerate(which):
        setup, order = setups[task], orders[task].copy()
        classes = setup.board.classes or scalar_classes(setup.problem.rule)
        whole = 0
        for t in np.flatnonzero(moves[:, game] >= 0):
            left = _bits(np.asarray(record.left[t, game]))
            order = order[left[order]]
            polish, most = (0 if t == 0 else config.polish), int(most_share * whole) if whole else 1 << 30
            arguments = (classes.products, classes.costs, classes.sums, polish, random)
            edges = _edges(np.asarray(record.outs[t, game]))
            cost = regrets(edges, order, setup.board.is_output, *arguments, max(most, 1), losses)
            whole = whole or max(int(cost), 1)
            # A move that improves on the expert's order becomes the measure of the others.
            best = losses[order].min()
            found[t, game, order] = np.minimum((losses[order] - best) / whole, most_share)
    return found


def _bits(words: np.ndarray) -> np.ndarray:
    """Words uint32 [..., W] as bool [..., 32 W]."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little").astype(np.bool_)


def _edges(outs: np.ndarray) -> np.ndarray:
    """The class of each edge, uint8 [N, N], of a position as in `elimax.agent.game.Position`."""
    if outs.dtype == np.uint8:
        return outs
    planes = _bits(outs)
    return (planes * np.arange(1, 1 + planes.shape[0], dtype=np.uint8)[:, None, None]).sum(0, dtype=np.uint8)
