"""What a problem of the zoo is, and the small things its builders share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Problem:
    """A named function with an example input and the literature it comes from.

    Attributes:
      name: its name in the zoo.
      fun: a plain JAX function of positional arrays; returns an array or a tuple of arrays.
      args: example arguments, NumPy arrays of one floating dtype (0-d for scalars).
      argnums: the arguments to differentiate with respect to, as ``jax.jacfwd`` takes them.
      reference: where the formulas were published.
      description: one sentence on what ``fun`` maps to what.
    """

    name: str
    fun: Callable[..., Any]
    args: tuple[np.ndarray, ...]
    argnums: int | tuple[int, ...]
    reference: str
    description: str


def float_dtype(dtype: npt.DTypeLike | None) -> np.dtype:
    """The dtype of example arguments: the one asked for, else JAX's default floating dtype at this moment."""
    return np.dtype(jnp.result_type(float) if dtype is None else dtype)


def scalars(values: tuple[float, ...], dtype: npt.DTypeLike | None) -> tuple[np.ndarray, ...]:
    """The values as 0-d arrays of the dtype."""
    return tuple(np.asarray(value, float_dtype(dtype)) for value in values)
