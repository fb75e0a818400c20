"""Operations that only move elements, done on arrays of element numbers with NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import Equation
from elimax.emit.scalars import NotScalar

Ids = np.ndarray


def _reshape(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    if params.get("dimensions") is not None:
        raise NotScalar
    return [ids[0].reshape(shape)]


def _broadcast_in_dim(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    spread = [1] * len(shape)
    for axis, size in zip(params["broadcast_dimensions"], ids[0].shape, strict=True):
        spread[axis] = size
    return [np.broadcast_to(ids[0].reshape(spread), shape)]


def _slice(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    strides = params["strides"] or [1] * ids[0].ndim
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return [ids[0][tuple(slice(*b) for b in bounds)]]


def _pad(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    full = np.empty(shape, np.int64)
    full[...] = ids[1]
    source, target = [], []
    for (low, _, inner), size, length in zip(params["padding_config"], ids[0].shape, shape, strict=True):
        places = low + (inner + 1) * np.arange(size)
        inside = (places >= 0) & (places < length)
        source.append(np.flatnonzero(inside))
        target.append(places[inside])
    full[np.ix_(*target)] = ids[0][np.ix_(*source)]
    return [full]


def _split(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    return np.split(ids[0], np.cumsum(params["sizes"])[:-1], params["axis"])


def _unstack(params: dict[str, Any], shape: tuple[int, ...], ids: Sequence[Ids]) -> list[Ids]:
    return list(np.moveaxis(ids[0], params["axis"], 0))


MOVES: dict[str, Callable[[dict[str, Any], tuple[int, ...], Sequence[Ids]], list[Ids]]] = {
    **dict.fromkeys(
        ["copy", "copy_p", "stop_gradient", "name", "sharding_constraint", "device_put", "optimization_barrier"],
        lambda params, shape, ids: list(ids),
    ),
    "reshape": _reshape,
    "squeeze": lambda params, shape, ids: [ids[0].reshape(shape)],
    "expand_dims": lambda params, shape, ids: [ids[0].reshape(shape)],
    "broadcast_in_dim": _broadcast_in_dim,
    "slice": _slice,
    "pad": _pad,
    "split": _split,
    "unstack": _unstack,
    "transpose": lambda params, shape, ids: [ids[0].transpose(params["permutation"])],
    "concatenate": lambda params, shape, ids: [np.concatenate(ids, params["dimension"])],
    "stack": lambda params, shape, ids: [np.stack(ids, params["axis"])],
    "rev": lambda params, shape, ids: [np.flip(ids[0], params["dimensions"])],
    "tile": lambda params, shape, ids: [np.tile(ids[0], params["reps"])],
}

INDEXED = frozenset(["gather", "dynamic_slice", "dynamic_update_slice", "scatter"])
"""Operations that move elements to or from places given by index operands; those have to be known."""

DATA = {"gather": (0,), "dynamic_slice": (0,), "dynamic_update_slice": (0, 1), "scatter": (0, 2)}
"""Positions of the operands of these that are moved; the others say where."""


def indexed(equation: Equation, ids: Sequence[Ids], known: Sequence[np.ndarray | None]) -> list[Ids]:
    """Run an operation of `INDEXED` on element numbers.

    Args:
      equation: the operation.
      ids: element numbers of the operands.
      known: values of the operands where they are known.

    Raises:
      NotScalar: a place is not known, or lies outside and reads a filler.
    """
    data = DATA[equation.name]
    if any(value is None for k, value in enumerate(known) if k not in data):
        raise NotScalar

    def moved(offset: int) -> np.ndarray:
        operands = [ids[k].astype(np.int32) + np.int32(offset) if k in data else value for k, value in enumerate(known)]
        with jax.ensure_compile_time_eval():
            (result,) = equation.call(*operands)
            return np.asarray(result).astype(np.int64)

    # What is moved moves with its number; a filler, which can be any number, stays as it is.
    result = moved(0)
    if not np.array_equal(moved(1), result + 1):
        raise NotScalar
    return [result]


def destinations(equation: Equation, ids: Sequence[Ids], places: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    """Where a scatter that adds puts its updates.

    Args:
      equation: the operation.
      ids: element numbers of the array that is added to, of the places, and of the updates.
      places: values of the places, if they are known.
      dtype: of the array.

    Returns:
      For each update, in an int array of their shape, the flat position in the result, or -1 if it is dropped.

    Raises:
      NotScalar: the places are not known, or what is added are no real numbers.
    """
    if places is None or dtype.kind != "f":
        raise NotScalar
    # The transpose of adding at some places is reading there; what is read is which place it is.
    with jax.ensure_compile_time_eval():
        zeros, numbers = jnp.zeros(ids[0].shape, dtype), jnp.arange(1, ids[0].size + 1, dtype=dtype)
        reading = jax.linear_transpose(
            lambda x: equation.call(zeros, places, x)[0], jax.ShapeDtypeStruct(ids[2].shape, dtype)
        )
        (found,) = reading(numbers.reshape(ids[0].shape))
        return np.asarray(found).astype(np.int64) - 1
