"""``order="agent"``: the trained agent as a search, never dearer than a simple order."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from elimax.agent import weights as files
from elimax.agent.sweep import Sweep
from elimax.elimination.problem import Problem
from elimax.errors import GraphSizeError, OrderError
from elimax.order.limits import Limits
from elimax.order.result import Order
from elimax.order.simple import simple_orders

LARGEST = 20_000
"""Most vertices of a graph: a row of bits is kept for each."""


SIMPLE = 3
"""How many simple orders take part: forward, reverse and Markowitz, fewer where one of them gets lost."""

PAIR = 5e-8
"""A pass is not begun with fewer seconds than this for each pair of vertices: its first look takes that long."""


def agent(
    problem: Problem,
    limits: Limits,
    seed: int,
    *,
    weights: str | os.PathLike[str] | None = None,
    temperature: float = 1.0,
    simple: bool = True,
) -> Order:
    """Follow the policy of a trained network, once greedily and, with a budget, again with chance.

    Args:
      problem: the graph and the cost rule; scalars or blocks.
      limits: without any, one pass; with time or a number of evaluations so many passes, the cheapest counts.
      seed: of the passes that draw moves.
      weights: a file of weights that a training wrote; by default the network that comes with the package.
      temperature: of passes that draw moves; 0 is greedy.
      simple: whether forward, reverse and Markowitz order are priced as well, and one of them is the answer if it is
        cheaper than the policy's. With them a pass ends when time is up; without them the first one does not.

    Returns:
      The cheapest order found; ``evaluations`` counts whole passes.

    Raises:
      CheckpointError: if the weights cannot be used.
      GraphSizeError: if the graph has more than `LARGEST` vertices.
      OrderError: if an option makes no sense.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not temperature >= 0:
        raise OrderError(f"temperature should be a number, zero or more, got {temperature!r}")
    if not isinstance(simple, bool):
        raise OrderError(f"simple should be True or False, got {simple!r}")
    if problem.num_vertices > LARGEST:
        raise GraphSizeError(
            f'order="agent" takes at most {LARGEST:,} vertices, this graph has {problem.num_vertices:,}; '
            'use order="markowitz" or order="annealing"'
        )
    network = _network(problem, weights)
    easy = min(_easy(problem, seed), key=lambda order: order.multiplications) if simple else None
    began = limits.spent
    best, passes = play(problem, network, until=limits if simple else None), 1
    first, rng = limits.spent - began, np.random.default_rng(seed)
    most = limits.evaluations if limits.evaluations is not None else 2**31
    while best is not None and best.vertices and passes < most and limits.left > first:
        found = play(problem, network, rng, temperature, limits)
        if found is None:
            break
        passes += 1
        best = min(best, found, key=lambda order: order.multiplications)
    return _cheaper(best, easy, passes)


def _easy(problem: Problem, seed: int) -> Iterable[Order]:
    """Forward, reverse and greedy order; of those that get lost fewer."""
    return itertools.islice(simple_orders(problem, Limits(evaluations=1), seed), SIMPLE)


def _cheaper(best: Order | None, easy: Order | None, passes: int) -> Order:
    """The policy's order or a simple one, with a word about which."""
    if best is None:
        assert easy is not None  # else the first pass goes on to its end
        note = f"{easy.method}, a simple order; time was up before the policy had one"
        return dataclasses.replace(easy, method="agent", evaluations=0, note=note)
    if easy is None or best.multiplications <= easy.multiplications:
        return dataclasses.replace(best, evaluations=passes)
    note = f"{easy.method}, a simple order, was cheaper than the policy's ({best.multiplications:,} multiplications)"
    return dataclasses.replace(easy, method="agent", evaluations=passes, note=note)


def _network(problem: Problem, weights: str | os.PathLike[str] | None) -> files.Weights:
    if weights is not None:
        return files.load(Path(weights))[0]
    return files.shipped(problem.rule, "scalars" if problem.is_scalar else "blocks")


def play(
    problem: Problem,
    network: files.Weights,
    rng: np.random.Generator | None = None,
    temperature: float = 1.0,
    until: Limits | None = None,
) -> Order | None:
    """One pass.

    Args:
      problem: the graph and the cost rule.
      network: weights.
      rng: draws moves; without it the likeliest move is made.
      temperature: of the draw.
      until: give up when its time is over.

    Returns:
      The order, or None if it was given up.
    """
    if until is not None and until.left <= PAIR * problem.num_vertices**2:
        return None
    sweep = Sweep(problem, network)
    while not sweep.ended:
        if until is not None and until.left == 0:
            return None
        if rng is None:
            sweep.step(lambda logits: logits)
        else:
            sweep.step(lambda logits: logits + temperature * rng.gumbel(size=logits.shape))
    return Order(tuple(sweep.order), sweep.cost, "agent", evaluations=1)
