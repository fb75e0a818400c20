"""Steps d = a_i d + b_i with factors that vary from turn to turn, composed in pairs (C8)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def last(p: Any, a: Any, b: Any) -> Any:
    """The value after all turns.

    Pairs of neighbouring steps become one, until one is left: products alone, so that factors of zero do no harm.
    Where the whole factor is larger than one, the difference from the start is composed instead of the value, so that
    a value that stays where it is does so however large the factor is.

    Args:
      p: start [...].
      a: factors [n, ...].
      b: shifts [n, ...].

    Returns:
      [...].
    """
    factor, (shift, drift) = _reduced(a, (b, (a * p + b) - p))
    return jnp.where(jnp.abs(factor) <= 1, factor * p + shift, p + drift)


def every(p: Any, a: Any, b: Any) -> Any:
    """The values at the beginning of every turn [n, ...]; see `last` for the arguments."""
    factors, shifts, drifts = jax.lax.associative_scan(_joined, (a, b, (a * p + b) - p))
    after = jnp.where(jnp.abs(factors) <= 1, factors * p + shifts, p + drifts)
    return shifted(p, after)


def shifted(p: Any, after: Any) -> Any:
    """Values at the beginning of every turn from those at the end: the start, and all but the last."""
    return jnp.concatenate([jnp.broadcast_to(p, after.shape[1:])[None], after[:-1]])


def _joined(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """The composition of steps; parts behind the first are shifts."""
    return (second[0] * first[0], *(second[0] * x + y for x, y in zip(first[1:], second[1:], strict=True)))


def _reduced(a: Any, shifts: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    steps, tail = (a, *shifts), None
    while steps[0].shape[0] > 1:
        half = steps[0].shape[0] // 2
        if steps[0].shape[0] % 2:
            end = tuple(x[-1:] for x in steps)
            tail = end if tail is None else _joined(end, tail)
        even, odd = (tuple(x[k : 2 * half : 2] for x in steps) for k in (0, 1))
        steps = _joined(even, odd)
    if tail is not None:
        steps = _joined(steps, tail)
    return steps[0][0], tuple(x[0] for x in steps[1:])
