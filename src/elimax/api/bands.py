"""Values of a sparse block in the layouts of solvers, by static positions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

_MOST_RUNS = 16
"""Up to this many slices are put together; more positions are gathered."""


def picked(data: Any, places: np.ndarray) -> Any:
    """Elements of a vector at static places, zero where a place is -1.

    Args:
      data: vector [entries].
      places: int [K].

    Returns:
      Vector [K]. Places with few changes of step are read by slices.
    """
    runs = _runs(places)
    if runs is None:
        taken = data.at[np.maximum(places, 0).astype(np.int32)].get(mode="promise_in_bounds")
        return jnp.where(places >= 0, taken, jnp.zeros((), data.dtype)) if (places < 0).any() else taken
    parts = []
    for start, step, length in runs:
        if start < 0:
            parts.append(jnp.zeros((length,), data.dtype))
        else:
            parts.append(lax.slice(data, [start], [start + step * (length - 1) + 1], [max(step, 1)]))
    return jnp.concatenate(parts) if parts else jnp.zeros((0,), data.dtype)


def _runs(places: np.ndarray) -> list[tuple[int, int, int]] | None:
    """Cut places into runs ``(start, step, length)`` of one positive step, or of -1 alone; None if there are many."""
    runs, k = [], 0
    steps = np.diff(places)
    while k < places.size:
        if len(runs) == _MOST_RUNS:
            return None
        if places[k] < 0:
            others = np.flatnonzero(places[k:] >= 0)
            length = int(others[0]) if others.size else places.size - k
            runs.append((-1, 0, length))
        else:
            step = int(steps[k]) if k < steps.size else 1
            if step <= 0 or places[k] + step <= 0:
                step, length = 1, 1
            else:
                others = np.flatnonzero(steps[k:] != step)
                length = int(others[0]) + 1 if others.size else places.size - k
            runs.append((int(places[k]), step, length))
        k += runs[-1][2]
    return runs
