"""Hamiltonian Monte Carlo for logistic regression: leapfrog steps along the gradient of the log posterior."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.coarsening.cases import Case

import elimax

SIZES = ((100, 1), (1000, 2), (800, 3))
LEAPS, STEP = 20, 0.01


def potential(weights: Any, features: Any, labels: Any) -> Any:
    """Minus the logarithm of the posterior, up to a constant; labels are -1 and 1."""
    return jnp.sum(jnp.logaddexp(0.0, -labels * (features @ weights))) + 0.5 * jnp.sum(weights**2)


def potential_by_record(weights: Any, features: Any, labels: Any) -> Any:
    """The same, one record after another."""

    def turn(total: Any, record: Any) -> tuple[Any, None]:
        row, label = record
        return total + jnp.logaddexp(0.0, -label * jnp.sum(row * weights)), None

    return jax.lax.scan(turn, 0.5 * jnp.sum(weights**2), (features, labels))[0]


def trajectory(potential: Callable[..., Any]) -> Callable[..., Any]:
    """Weights and momentum after the leaps of one proposal."""
    force = jax.grad(potential)

    def leaps(weights: Any, momentum: Any, features: Any, labels: Any) -> Any:
        def leap(state: Any, _: None) -> tuple[Any, None]:
            w, p = state
            p = p - 0.5 * STEP * force(w, features, labels)
            w = w + STEP * p
            return (w, p - 0.5 * STEP * force(w, features, labels)), None

        return jax.lax.scan(leap, (weights, momentum), None, length=LEAPS)[0]

    return leaps


def cases() -> Iterator[Case]:
    """One case for each number of records and weights."""
    coarse = elimax.coarsen(potential)
    for records, size in SIZES:
        random = np.random.default_rng(0)
        features = jnp.asarray(random.normal(size=(records, size)))
        labels = jnp.asarray(np.where(random.uniform(size=records) < 0.6, 1.0, -1.0))
        weights, momentum = jnp.full(size, 0.1), jnp.asarray(random.normal(size=size))
        yield Case(
            "logistic regression",
            f"{records:,} x {size}",
            trajectory(coarse),
            {"vectors": trajectory(potential), "vectors, checkpoint": trajectory(jax.checkpoint(potential))},
            trajectory(potential_by_record),
            (weights, momentum, features, labels),
            "vectors",
            elimax.plan(coarse, weights, features, labels).coarsening,
            more={"vectors, checkpoint": trajectory(jax.checkpoint(coarse))},
        )
