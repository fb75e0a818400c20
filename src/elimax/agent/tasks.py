"""What is trained on: given graphs, or random ones drawn anew again and again."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import jax
import numpy as np

from elimax.agent.block_families import draw_block_graph
from elimax.agent.boards import Board, Setup, padded, set_up
from elimax.agent.config import Config
from elimax.agent.families import draw_graph
from elimax.elimination.problem import Problem
from elimax.errors import TrainingError
from elimax.graph.types import Graph

RANDOM = "random"
"""Name of the tasks that are drawn."""

SMALLER = 4
"""How many operations fewer are drawn after each graph that is of no use, if families are drawn evenly."""

SPARE = 24
"""Vertices of a board beyond the operations: inputs."""


@dataclasses.dataclass(frozen=True)
class Tasks:
    """Boards of one size.

    Attributes:
      setups: the boards.
      most_moves: no game has more moves.
      digest: tells other tasks from these.
    """

    setups: tuple[Setup, ...]
    most_moves: int
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(setup.name for setup in self.setups)

    def boards(self, games: int, first: int = 0) -> tuple[Board, np.ndarray]:
        """Boards for a round of games, the tasks in turn.

        Args:
          games: B.
          first: task of the first game.

        Returns:
          The boards, with a leading axis [B], and the task of each game, int32 [B].
        """
        which = (first + np.arange(games, dtype=np.int32)) % len(self.setups)
        return jax.tree.map(lambda *fields: np.stack(fields), *(self.setups[k].board for k in which)), which


def of_graphs(graphs: Sequence[tuple[str, Graph]], config: Config) -> Tasks:
    """Tasks of given graphs.

    Args:
      graphs: names and graphs.
      config: the cost rule, and whether bounds are worked out.

    Returns:
      The tasks, padded to one size.

    Raises:
      GraphSizeError: if one is too large.
      TrainingError: if nothing is left to decide in any of them, or some have blocks and some have none.
    """
    problems = [(name, Problem.from_graph(graph, config.rule)) for name, graph in graphs]
    scalar = [name for name, problem in problems if problem.is_scalar]
    if 0 < len(scalar) < len(problems):
        raise TrainingError(
            f"{', '.join(map(repr, scalar))} of these tasks are graphs of scalars, the others have blocks of arrays; "
            "train them apart"
        )
    made = [set_up(problem, name, bounds=config.bounds) for name, problem in problems]
    size = max(setup.size for setup in made)
    classes = None if scalar else max(setup.board.classes.entries.size for setup in made if setup.board.classes)
    if len(made) > 1:
        made = [set_up(problem, name, size, config.bounds, classes=classes) for name, problem in problems]
    most_moves = max(setup.most_moves for setup in made)
    if most_moves == 0:
        raise TrainingError("no task leaves anything to decide: its forced moves are an optimal order")
    return Tasks(tuple(made), most_moves, _digest(made))


def drawn(config: Config, number: int) -> Tasks:
    """The random tasks of a generation.

    Args:
      config: how many, how large.
      number: of the generation; it and the seed determine the graphs.

    Returns:
      The tasks; all generations of a configuration have the same size and number of moves.
    """
    rng = np.random.default_rng((config.seed, number))
    size = most_moves = padded(config.largest + SPARE)
    made, tries = [], 0
    while len(made) < config.graphs:
        largest = max(config.smallest, config.largest - SMALLER * tries) if config.evenly else config.largest
        operations, tries = int(rng.integers(config.smallest, largest + 1)), tries + 1
        if config.partials == "scalars":
            graph = draw_graph(rng, operations)
        else:
            graph = draw_block_graph(rng, operations, len(made) if config.evenly else None)
        problem = Problem.from_graph(graph, config.rule)
        try:
            name = f"{graph.name} {number}.{len(made)}"
            setup = set_up(problem, name, size, config.bounds, classes=config.classes + 1, only_closed=True)
        except ValueError:
            continue  # a family may make more vertices, or structures, than it was asked for
        if setup.most_moves >= 5:
            made.append(setup)
            tries = 0
    return Tasks(tuple(made), most_moves, f"{RANDOM} {config.seed}")


def _digest(setups: Sequence[Setup]) -> str:
    total = hashlib.sha256()
    for setup in setups:
        for field in jax.tree.leaves(setup.board):
            total.update(np.ascontiguousarray(field).tobytes())
    return total.hexdigest()[:16]
