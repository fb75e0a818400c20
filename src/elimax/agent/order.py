"""``order="agent"``: the trained agent as a search."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from elimax.agent import weights as files
from elimax.agent.sweep import Sweep
from elimax.elimination.problem import Problem
from elimax.errors import GraphSizeError, OrderError
from elimax.order.limits import Limits
from elimax.order.result import Order

LARGEST = 20_000
"""Most vertices of a graph: a row of bits is kept for each."""


def agent(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    weights: str | os.PathLike[str] | None = None,
    temperature: float = 1.0,
) -> Order:
    """Follow the policy of a trained network, once greedily and, with a budget, again with chance.

    Args:
      problem: the graph and the cost rule; scalars or blocks.
      limits: without any, one pass; with time or a number of evaluations so many passes, the cheapest counts.
      seed: of the passes that draw moves.
      weights: a file of weights that a training wrote; by default the network that comes with the package.
      temperature: of passes that draw moves; 0 is greedy.

    Returns:
      The cheapest order found.

    Raises:
      CheckpointError: if the weights cannot be used.
      GraphSizeError: if the graph has more than `LARGEST` vertices.
      OrderError: if the temperature is negative.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not temperature >= 0:
        raise OrderError(f"temperature should be a number, zero or more, got {temperature!r}")
    if problem.num_vertices > LARGEST:
        raise GraphSizeError(
            f'order="agent" takes at most {LARGEST:,} vertices, this graph has {problem.num_vertices:,}; '
            'use order="markowitz" or order="annealing"'
        )
    network = _network(problem, weights)
    best = play(problem, network)
    rng, passes = np.random.default_rng(seed), 1
    most = limits.evaluations if limits.evaluations is not None else 2**31
    first = limits.spent
    while best.vertices and passes < most and limits.left > first:
        found = play(problem, network, rng, temperature)
        passes += 1
        if found.multiplications < best.multiplications:
            best = found
    return dataclasses.replace(best, evaluations=passes)


def _network(problem: Problem, weights: str | os.PathLike[str] | None) -> files.Weights:
    if weights is not None:
        return files.load(Path(weights))[0]
    return files.shipped(problem.rule, "scalars" if problem.is_scalar else "blocks")


def play(
    problem: Problem, network: files.Weights, rng: np.random.Generator | None = None, temperature: float = 1.0
) -> Order:
    """One pass.

    Args:
      problem: the graph and the cost rule.
      network: weights.
      rng: draws moves; without it the likeliest move is made.
      temperature: of the draw.

    Returns:
      The order.
    """
    sweep = Sweep(problem, network)
    while not sweep.ended:
        if rng is None:
            sweep.step(lambda logits: logits)
        else:
            sweep.step(lambda logits: logits + temperature * rng.gumbel(size=logits.shape))
    return Order(tuple(sweep.order), sweep.cost, "agent", evaluations=1)
