"""Programs on scalars: every element of every array is a number of its own, and moving elements costs nothing."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

COMMUTATIVE = frozenset(["add", "add_any", "mul", "max", "min", "and", "or", "xor", "eq", "ne"])

FOLDED: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(["add", "add_any"], np.add),
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
}
"""Operations on known floating-point numbers that are done beforehand: those that are rounded alike everywhere."""

MAX_STEPS = 1800
"""Programs with more operations than this are not taken apart: a kernel of about 2,400 instructions meets a cliff."""


class TooLarge(Exception):
    """A program has more operations than `MAX_STEPS`."""


class NotScalar(Exception):
    """A program has an operation that cannot be taken apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One operation on scalars.

    Attributes:
      name: of the primitive.
      call: evaluates it: a list of arrays of one shape in, a list with one array out.
      operands: numbers of its operands.
      result: number of its result.
      origin: number of the operation on arrays that it is part of.
    """

    name: str
    call: Callable[..., list[Any]]
    operands: tuple[int, ...]
    result: int
    origin: int


@dataclasses.dataclass(frozen=True, eq=False)
class ScalarProgram:
    """A program on scalars, without common subexpressions and dead operations.

    Attributes:
      dtypes: dtype of every scalar by number.
      constants: the scalars that are known.
      inputs: per argument an int array of its shape with the numbers of its elements.
      steps: operations in order.
      outputs: per result an int array of its shape with the numbers of its elements.
      gathered: how many elements of up to 32 and of 64 bits are read or written at places in a table.
    """

    dtypes: tuple[np.dtype, ...]
    constants: dict[int, np.ndarray]
    inputs: tuple[np.ndarray, ...]
    steps: tuple[Step, ...]
    outputs: tuple[np.ndarray, ...]
    gathered: tuple[int, int] = (0, 0)

    @functools.cached_property
    def settled(self) -> frozenset[int]:
        """Numbers of what steps compute from constants alone: the compiler does that."""
        known = set(self.constants)
        for step in self.steps:
            if known.issuperset(step.operands):
                known.add(step.result)
        return frozenset(known - self.constants.keys())

    @property
    def computed(self) -> list[int]:
        """Numbers of the distinct results that some step computes from inputs, ascending."""
        made = {step.result for step in self.steps} - self.settled
        return sorted({int(i) for ids in self.outputs for i in ids.flat} & made)


class Builder:
    """Collects the operations of a `ScalarProgram`; equal operations on equal operands are one.

    Attributes:
      dtypes: dtype of every scalar so far.
      constants: values of those that are known.
      origin: number of the operation on arrays whose steps are collected now.
    """

    def __init__(self) -> None:
        self.origin = 0
        self.dtypes: list[np.dtype] = []
        self.constants: dict[int, np.ndarray] = {}
        self._steps: list[Step] = []
        self._known: dict[Any, int] = {}

    def fresh(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Numbers of new scalars, an int array of the given shape."""
        start = len(self.dtypes)
        self.dtypes.extend([np.dtype(dtype)] * math.prod(shape))
        return np.arange(start, len(self.dtypes)).reshape(shape)

    def _one(self, dtype: Any) -> int:
        """Number of a new scalar."""
        self.dtypes.append(np.dtype(dtype))
        return len(self.dtypes) - 1

    def constant(self, value: Any) -> np.ndarray:
        """Numbers of the elements of a known array."""
        value = np.asarray(value)
        ids = np.empty(value.shape, np.int64)
        for index in np.ndindex(value.shape):
            key = (value.dtype.str, value[index].tobytes())
            if key not in self._known:
                number = self._one(value.dtype)
                self.constants[number] = np.asarray(value[index])
                self._known[key] = number
            ids[index] = self._known[key]
        return ids

    def apply(self, key: Any, name: str, call: Callable[..., list[Any]], operands: Sequence[int], dtype: Any) -> int:
        """Number of the result of an operation.

        Args:
          key: hashable; equal for operations that do the same.
          name: of the primitive.
          call: see `Step`.
          operands: numbers of the operands.
          dtype: of the result.

        Raises:
          TooLarge: there are too many operations.
        """
        operands = tuple(map(int, operands))
        if name in FOLDED and not self.constants.keys().isdisjoint(operands):
            simple = self._simplified(name, operands, np.dtype(dtype))
            if simple is not None:
                return simple
        whole = (key, tuple(sorted(operands)) if name in COMMUTATIVE else operands)
        number = self._known.get(whole)
        if number is None:
            if len(self._steps) >= MAX_STEPS:
                raise TooLarge
            number = self._known[whole] = self._one(dtype)
            self._steps.append(Step(name, call, operands, number, self.origin))
        return number

    def _simplified(self, name: str, operands: tuple[int, ...], dtype: np.dtype) -> int | None:
        """Number of the result of one of `FOLDED` that need not be done, as compilers hold, or None.

        A sum with zero is the other summand, even though the sum of two zeros has a sign of its own.
        """
        if dtype.kind != "f" or any(self.dtypes[i] != dtype for i in operands):
            return None
        known = [self.constants.get(i) for i in operands]
        if all(value is not None for value in known):
            with np.errstate(all="ignore"):
                return int(self.constant(np.asarray(FOLDED[name](*known), dtype)))
        if name in ("add", "add_any", "mul"):
            neutral = 1 if name == "mul" else 0
            for value, other in zip(known, operands[::-1], strict=True):
                if value is not None and value == neutral:
                    return other
        if name == "sub" and known[1] is not None and known[1] == 0:
            return operands[0]
        return None

    def finish(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> ScalarProgram:
        """The program with the given inputs and outputs, without what no output needs."""
        needed = {int(i) for ids in outputs for i in ids.flat}
        live: list[Step] = []
        for step in reversed(self._steps):
            if step.result in needed:
                needed.update(step.operands)
                live.append(step)
        return ScalarProgram(tuple(self.dtypes), self.constants, tuple(inputs), tuple(reversed(live)), tuple(outputs))


def evaluate(program: ScalarProgram, values: dict[int, Any], wanted: Sequence[int]) -> list[Any]:
    """Run a program on arrays of one common shape.

    Args:
      program: the program.
      values: an array for each of its inputs by number; all of one shape.
      wanted: numbers of the scalars to return.
    """
    env: dict[int, Any] = dict(values)
    shape = next(iter(values.values())).shape if values else ()

    def read(number: int) -> Any:
        if number not in env:
            env[number] = np.broadcast_to(program.constants[number], shape)
        return env[number]

    for step in program.steps:
        (env[step.result],) = step.call(*(read(i) for i in step.operands))
    return [read(i) for i in wanted]


def settled(program: ScalarProgram) -> dict[int, Any]:
    """Values of results that are computed from constants alone, by number."""
    wanted = sorted({int(i) for ids in program.outputs for i in ids.flat} & program.settled)
    steps = tuple(step for step in program.steps if step.result in program.settled)
    return dict(zip(wanted, evaluate(dataclasses.replace(program, steps=steps), {}, wanted), strict=True))


def columns(
    program: ScalarProgram, operands: Sequence[Any], sizes: tuple[int, ...], masks: Sequence[Sequence[bool]]
) -> dict[int, Any]:
    """An array over the batch for each input of a program, by its number.

    Args:
      program: the program.
      operands: its arguments, with the batch axes they have in front.
      sizes: lengths of the batch axes, outermost first.
      masks: for each batch axis, outermost first, which operands have it.

    Returns:
      Arrays of shape ``sizes``.
    """
    values: dict[int, Any] = {}
    for k, (ids, operand) in enumerate(zip(program.inputs, operands, strict=True)):
        own = [size for size, mask in zip(sizes, masks, strict=True) if mask[k]]
        spread = [size if mask[k] else 1 for size, mask in zip(sizes, masks, strict=True)]
        elements = jnp.reshape(operand, (*own, -1))
        for place, number in enumerate(ids.flat):
            column = lax.index_in_dim(elements, place, len(own), keepdims=False)
            values[int(number)] = jnp.broadcast_to(jnp.reshape(column, spread), sizes)
    return values
