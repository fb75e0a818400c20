"""Taking a flat program apart into operations on scalars."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from elimax._jax import Equation, Program, inline
from elimax._jax.program import CALLS
from elimax._jax.replaced import called, pruned
from elimax.emit.movements import DATA, INDEXED, MOVES, destinations, indexed
from elimax.emit.scalars import MAX_STEPS, Builder, NotScalar, ScalarProgram, TooLarge

ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type cos cosh "
    "digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igammac integer_pow is_finite le lgamma log "
    "log1p log2 logistic lt max min mul ne neg nextafter not one_minus_square or polynomial pow reduce_precision "
    "rem round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square sub "
    "tan tanh xor".split()
)
"""Primitives that treat each element alone."""

_FOLDS: dict[str, Callable[..., Any]] = {
    "reduce_sum": lax.add,
    "reduce_prod": lax.mul,
    "reduce_max": lax.max,
    "reduce_min": lax.min,
    "reduce_and": lax.bitwise_and,
    "reduce_or": lax.bitwise_or,
    "cumsum": lax.add,
    "cumprod": lax.mul,
    "cummax": lax.max,
    "cummin": lax.min,
}

MAX_ELEMENTS = 20_000
"""Programs whose values have more elements than this in all are not looked into."""


def scalarise(closed: Any) -> ScalarProgram | None:
    """A closed jaxpr as a program on scalars, or None if it is too large or has operations that resist.

    Args:
      closed: the jaxpr; custom derivative rules are of no interest here, only values are.
    """
    found = attempt(closed)
    return None if isinstance(found, str) else found


def attempt(closed: Any) -> ScalarProgram | str:
    """The same, or in words why not."""
    program = inline(closed, [False] * len(closed.in_avals))
    elements = sum(math.prod(v.shape) for v in program.values)
    if elements > MAX_ELEMENTS:
        return f"its values have {elements:,} elements in all, more than {MAX_ELEMENTS:,}"
    found = _attempt(program)
    return found if isinstance(found, str) else dataclasses.replace(found, gathered=_gathered(pruned(closed).jaxpr))


def _gathered(jaxpr: Any) -> tuple[int, int]:
    """Numbers of up to 32 and of 64 bits that are read or written at places in a table, in all operations of a jaxpr.

    Blocks that are put together in one of several ways are left out: in large batches these ways do without tables.
    """
    short = wide = 0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in CALLS:
            own = _gathered(called(equation).jaxpr)
            short, wide = short + own[0], wide + own[1]
        if name == "gather" or name.startswith("scatter"):
            moved = (equation.outvars[0] if name == "gather" else equation.invars[2]).aval
            size = math.prod(moved.shape) if moved.dtype.kind == "f" else 0
            short, wide = short + size * (moved.dtype.itemsize < 8), wide + size * (moved.dtype.itemsize == 8)
    return short, wide


def scalarise_program(program: Program) -> ScalarProgram | None:
    """The same for a flat program of any size, as far as its values are used."""
    found = _attempt(program)
    return None if isinstance(found, str) else found


def _attempt(program: Program) -> ScalarProgram | str:
    used = {*program.constants, *(r.value for r in (*program.inputs, *program.outputs))}
    used |= {r.value for equation in program.equations for r in (*equation.inputs, *equation.outputs)}
    if not all(is_plain(program.values[v].dtype) for v in used):
        return "some numbers are neither real numbers of 32 or 64 bits nor integers"
    scalariser = _Scalariser(program)
    try:
        return scalariser.run()
    except TooLarge:
        return f"it has more than {MAX_STEPS:,} operations on scalars"
    except NotScalar:
        return f"{scalariser.current} cannot be taken apart into operations on scalars"


def is_simple(name: str, known: Sequence[bool]) -> bool:
    """Whether an operation can be taken apart into operations on scalars.

    Args:
      name: of its primitive.
      known: which of its operands are known beforehand; places in tables have to be.
    """
    if name in INDEXED:
        return all(is_known or k in DATA[name] for k, is_known in enumerate(known))
    if name in ("scatter-add", "scatter_add"):
        return all(known[1:2])
    others = ("dot_general", "iota", "bitcast_convert_type")
    return name in ELEMENTWISE or name in MOVES or name in _FOLDS or name in others


def is_plain(dtype: Any) -> bool:
    """Whether a dtype is boolean, an integer, or a real number of 32 or 64 bits."""
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended):
        return False
    return np.dtype(dtype).kind in "bui" or np.dtype(dtype) in (np.float32, np.float64)


class _Scalariser:
    """Walks through a program once."""

    def __init__(self, program: Program):
        self.program = program
        self.builder = Builder()
        self.ids: dict[int, np.ndarray] = {}
        self.current = "a captured array"

    def run(self) -> ScalarProgram:
        values = self.program.values
        inputs = [self.builder.fresh(values[r.value].shape, values[r.value].dtype) for r in self.program.inputs]
        self.ids.update((r.value, ids) for r, ids in zip(self.program.inputs, inputs, strict=True))
        for number, value in self.program.constants.items():
            if isinstance(value, Tracer):
                raise NotScalar
            self.ids[number] = self.builder.constant(value)
        for number, equation in enumerate(self.program.equations):
            self.current, self.builder.origin = equation.name, number
            if equation.effects:
                raise NotScalar
            results = self.equation(equation, [self.ids[r.value] for r in equation.inputs])
            for ref, ids in zip(equation.outputs, results, strict=True):
                assert ids.shape == values[ref.value].shape, equation.name
                self.ids[ref.value] = ids
        return self.builder.finish(inputs, [self.ids[r.value] for r in self.program.outputs])

    def equation(self, equation: Equation, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
        shape = self.program.values[equation.outputs[0].value].shape
        name = equation.name
        if name == "select_n":
            which = self.known(operands[0])
            if which is not None:
                cases = np.broadcast_arrays(*operands[1:])
                return [np.choose(np.broadcast_to(which.astype(np.int64), shape), cases)]
        if name in MOVES:
            return MOVES[name](equation.params, shape, operands)
        if name in INDEXED:
            return indexed(equation, operands, [self.known(ids) for ids in operands])
        if name in ("scatter-add", "scatter_add"):
            return [self.scattered(equation, operands)]
        if name == "iota":
            with jax.ensure_compile_time_eval():
                return [self.builder.constant(np.asarray(equation.call()[0]))]
        if name in ELEMENTWISE or (name == "bitcast_convert_type" and operands[0].shape == shape):
            return [self.elementwise(equation, operands, shape)]
        if name == "dot_general":
            return [self.dot(equation, *operands)]
        if name in _FOLDS and name.startswith("reduce"):
            return [self.reduction(equation, operands[0], shape)]
        if name in _FOLDS:
            return [self.cumulative(equation, operands[0])]
        raise NotScalar

    def known(self, ids: np.ndarray) -> np.ndarray | None:
        """Values of elements that are all constants."""
        constants = self.builder.constants
        if not all(int(i) in constants for i in ids.flat):
            return None
        flat = [constants[int(i)] for i in ids.flat]
        return np.array(flat, flat[0].dtype if flat else np.int64).reshape(ids.shape)

    def elementwise(self, equation: Equation, operands: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        if 0 in shape:
            return np.empty(shape, np.int64)
        dtype = self.program.values[equation.outputs[0].value].dtype
        if equation.name == "convert_element_type" and all(self.builder.dtypes[i] == dtype for i in operands[0].flat):
            return operands[0]
        if np.dtype(dtype).kind in "bui" or equation.name == "convert_element_type":
            # the arithmetic of indices is done here and now
            known = [self.known(ids) for ids in operands]
            if all(value is not None for value in known):
                with jax.ensure_compile_time_eval():
                    return self.builder.constant(np.asarray(equation.call(*known)[0]))
        own = tuple(sorted((k, str(v)) for k, v in equation.params.items())) if equation.params else ()
        key = (equation.name, own, np.dtype(dtype).str)
        if equation.name == "pow":
            power = self.power(operands, shape, np.dtype(dtype))
            if power is not None:
                return power
        if math.prod(shape) == 1:
            row = [ids.item() for ids in operands]
            return np.full(shape, self.builder.apply(key, equation.name, equation.call, row, dtype), np.int64)
        columns = [np.broadcast_to(ids, shape).ravel() for ids in operands]
        results = [
            self.builder.apply(key, equation.name, equation.call, row, dtype) for row in zip(*columns, strict=True)
        ]
        return np.array(results, np.int64).reshape(shape)

    def power(self, operands: Sequence[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        """Powers with a known exponent of 1 to 3, as XLA writes them: as products."""
        exponent = self.known(operands[1])
        if exponent is None or exponent.dtype != dtype or exponent.size == 0 or np.any(exponent != exponent.flat[0]):
            return None
        y = float(exponent.flat[0])
        if y not in (1.0, 2.0, 3.0):
            return None
        base = np.broadcast_to(operands[0], shape)
        powers = [int(i) for i in base.flat]
        for _ in range(int(y) - 1):
            powers = [self.binary(lax.mul, p, int(i), dtype) for p, i in zip(powers, base.flat, strict=True)]
        return np.array(powers, np.int64).reshape(shape)

    def binary(self, operation: Callable[..., Any], left: int, right: int, dtype: Any) -> int:
        name = _NAMES[operation]
        return self.builder.apply(
            (name, (), np.dtype(dtype).str), name, lambda x, y: [operation(x, y)], (left, right), dtype
        )

    def fold(self, operation: Callable[..., Any], ids: Sequence[int] | np.ndarray, dtype: Any) -> int:
        """Combine elements in pairs, pairs of pairs and so on: short chains, small errors."""
        row = [int(i) for i in ids]
        while len(row) > 1:
            pairs = [self.binary(operation, a, b, dtype) for a, b in zip(row[::2], row[1::2], strict=False)]
            row = pairs + row[len(row) // 2 * 2 :]
        return row[0]

    def reduction(self, equation: Equation, ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        axes = equation.params["axes"]
        dtype = self.program.values[equation.outputs[0].value].dtype
        rows = np.moveaxis(ids, axes, range(-len(axes), 0)).reshape(math.prod(shape), -1)
        if rows.shape[1] == 0:
            raise NotScalar
        return np.array([self.fold(_FOLDS[equation.name], row, dtype) for row in rows], np.int64).reshape(shape)

    def scattered(self, equation: Equation, operands: Sequence[np.ndarray]) -> np.ndarray:
        """Each element of the result is the sum of what was there, unless that is zero, and of all that is added."""
        base, places, updates = operands
        dtype = np.dtype(self.program.values[equation.outputs[0].value].dtype)
        groups: list[list[int]] = [[] for _ in range(base.size)]
        for number, own in zip(base.flat, groups, strict=True):
            value = self.builder.constants.get(int(number))
            if value is None or value != 0:
                own.append(int(number))
        found = destinations(equation, operands, self.known(places), dtype)
        for place, number in zip(found.flat, updates.flat, strict=True):
            if place >= 0:
                groups[place].append(int(number))
        summed = zip(groups, base.flat, strict=True)
        sums = [self.fold(lax.add, own, dtype) if own else int(number) for own, number in summed]
        return np.array(sums, np.int64).reshape(base.shape)

    def cumulative(self, equation: Equation, ids: np.ndarray) -> np.ndarray:
        axis, reverse = equation.params["axis"], equation.params["reverse"]
        dtype = self.program.values[equation.outputs[0].value].dtype
        step = functools.partial(self.binary, _FOLDS[equation.name], dtype=dtype)
        result = np.array(np.flip(ids, axis) if reverse else ids)
        moved = np.moveaxis(result, axis, 0)
        for k in range(1, len(moved)):
            pairs = zip(moved[k - 1].flat, moved[k].flat, strict=True)
            moved[k] = np.array([step(a, b) for a, b in pairs], np.int64).reshape(moved[k].shape)
        return np.flip(result, axis) if reverse else result

    def dot(self, equation: Equation, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        (left_sum, right_sum), (left_batch, right_batch) = equation.params["dimension_numbers"]
        value = self.program.values[equation.outputs[0].value]
        if any(self.builder.dtypes[i] != value.dtype for ids in (left, right) for i in ids.flat[:1]):
            raise NotScalar

        def rows(ids: np.ndarray, summed: Sequence[int], batch: Sequence[int]) -> np.ndarray:
            free = [k for k in range(ids.ndim) if k not in summed and k not in batch]
            ordered = ids.transpose([*batch, *free, *summed])
            count = math.prod(ids.shape[k] for k in batch)
            return ordered.reshape(count, math.prod(ids.shape[k] for k in free), -1)

        result = []
        for a, b in zip(rows(left, left_sum, left_batch), rows(right, right_sum, right_batch), strict=True):
            for row in a:
                for column in b:
                    terms = [self.binary(lax.mul, x, y, value.dtype) for x, y in zip(row, column, strict=True)]
                    if not terms:
                        raise NotScalar
                    result.append(self.fold(lax.add, terms, value.dtype))
        return np.array(result, np.int64).reshape(value.shape)


_NAMES = {
    lax.add: "add",
    lax.mul: "mul",
    lax.max: "max",
    lax.min: "min",
    lax.bitwise_and: "and",
    lax.bitwise_or: "or",
}
