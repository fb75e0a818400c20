"""Games of an expert, annealing, to imitate: a setting of its own, never part of learning from nothing."""

from __future__ import annotations

import numpy as np

from elimax.agent.boards import Setup, settle
from elimax.agent.config import Config
from elimax.elimination.reference import Elimination
from elimax.order.search import search


def expert_moves(setup: Setup, config: Config, most_moves: int) -> np.ndarray:
    """The moves of a game that follows an order found by annealing.

    Args:
      setup: the board.
      config: seconds of annealing and the seed.
      most_moves: T.

    Returns:
      int32 [T], -1 after the end.
    """
    order = search(setup.problem, "annealing", budget=config.expert_seconds, seed=config.seed).vertices
    position = {v: k for k, v in enumerate(setup.labels)}
    state, waiting = Elimination(setup.problem), set(setup.problem.eliminable)
    settle(state, waiting)
    moves = []
    for v in order:
        if isinstance(v, int) and v in waiting:
            moves.append(position[v])
            state.eliminate(v)
            waiting.discard(v)
            settle(state, waiting)
    return np.array(moves + [-1] * (most_moves - len(moves)), np.int32)
