"""Which values of a loop's body are linear in a few numbers, and by way of which sums they are read.

A value with many elements that is linear in small ones is *pushed* (it has columns), or an *image* of another one: of
a *joint*, where parts may cancel, as in residuals. What is read of it is a *sink*: a small value that is linear in
joints, or a sum of products of two joints.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from elimax._jax import Equation, Program
from elimax.coarsen.loops.carries import Open
from elimax.coarsen.loops.linear import is_linear

SMALL = 64
"""Values of so many elements stay in the loop as they are."""

EXACT = (np.dtype(np.float32), np.dtype(np.float64))
"""Dtypes of records."""

_SUMS = frozenset(("add", "sub", "add_any"))
_SCALED = frozenset(("mul", "div", "neg", "convert_element_type", "copy", "copy_p"))


class Kind(enum.Enum):
    """What a value of the body is."""

    FIXED = enum.auto()  # the same at every turn
    SMALL = enum.auto()
    PUSHED = enum.auto()  # many elements, linear in small values
    IMAGE = enum.auto()  # many elements, linear in a joint, and not the joint itself
    PRODUCT = enum.auto()  # elementwise products of two joints, added


@dataclasses.dataclass(frozen=True, eq=False)
class Joint:
    """A value of many elements that is linear in a few numbers.

    Attributes:
      value: its number.
      shape: its shape.
      dtype: its dtype.
      bases: numbers of the small values that it is made from.
      shapes: their shapes.
      equations: what it is made by from them, in program order.
      key: the same for values that are made alike from other bases.
    """

    value: int
    shape: tuple[int, ...]
    dtype: Any
    bases: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    equations: tuple[Equation, ...]
    key: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Sink:
    """A small value that is read from joints.

    Attributes:
      value: its number.
      shape: its shape.
      joints: numbers of the joints that it is linear in.
      equations: what leads from them to it, in program order.
      factors: scalars by which it is multiplied, besides; ones take their place among the equations.
      pairs: joints whose products are summed, instead.
      after: what happens to the sum: equations, and the position of the sum among the operands.
    """

    value: int
    shape: tuple[int, ...]
    joints: tuple[int, ...] = ()
    equations: tuple[Equation, ...] = ()
    factors: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    after: tuple[tuple[Equation, int], ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Read:
    """A body whose records can be compressed.

    Attributes:
      joints: by their numbers.
      sinks: what is read of them.
      steps: what remains of the body in program order: equations between small values, and sinks.
    """

    joints: dict[int, Joint]
    sinks: list[Sink]
    steps: list[Equation | Sink]


@dataclasses.dataclass(frozen=True)
class _Large:
    """What is known of a value of many elements."""

    kind: Kind
    bases: tuple[int, ...] = ()
    columns: int = 0
    joints: tuple[int, ...] = ()
    factors: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    after: tuple[tuple[Equation, int], ...] = ()


def read(body: Program, fixed: Collection[int]) -> Read:
    """Reads a body.

    Args:
      body: flat program from constants, carries and slices to carries and stacked results.
      fixed: numbers of the inputs that are the same at every turn.

    Raises:
      Open: if something of many elements is read otherwise, or nothing is.
    """
    return _Reader(body, fixed).read()


class _Reader:
    def __init__(self, body: Program, fixed: Collection[int]):
        self._body = body
        self._kinds: dict[int, Kind] = dict.fromkeys(body.constants, Kind.FIXED)
        self._made: dict[Any, int] = {}
        self._large: dict[int, _Large] = {}
        self._strict: dict[int, bool] = {}
        self._joints: dict[int, Joint] = {}
        self._sinks: list[Sink] = []
        self._steps: list[Equation | Sink] = []
        for r in body.inputs:
            self._kinds[r.value] = Kind.FIXED if r.value in fixed else self._varying(r.value)

    def read(self) -> Read:
        wanted = self._wanted()
        for equation in self._body.equations:
            if equation.effects:
                raise Open("side effects")
            if not wanted.isdisjoint(r.value for r in equation.outputs):
                self._equation(equation)
        if not self._sinks:
            raise Open("no records")
        for ref in self._body.outputs:
            if self._kinds[ref.value] not in (Kind.SMALL, Kind.FIXED):
                raise Open("records are results")
        return Read(self._joints, self._sinks, self._steps)

    def _wanted(self) -> set[int]:
        """Values that results depend on."""
        wanted = {r.value for r in self._body.outputs}
        for equation in reversed(self._body.equations):
            if not wanted.isdisjoint(r.value for r in equation.outputs):
                wanted.update(r.value for r in equation.inputs)
        return wanted

    def _size(self, number: int) -> int:
        return math.prod(self._body.values[number].shape)

    def _varying(self, number: int) -> Kind:
        if self._size(number) > SMALL:
            raise Open("many elements that vary")
        return Kind.SMALL

    def _equation(self, equation: Equation) -> None:
        inputs = [r.value for r in equation.inputs]
        kinds = [self._kinds[v] for v in inputs]
        if all(kind is Kind.FIXED for kind in kinds):
            self._kinds.update((r.value, Kind.FIXED) for r in equation.outputs)
            return
        large = [v for v, kind in zip(inputs, kinds, strict=True) if kind not in (Kind.FIXED, Kind.SMALL)]
        if not large and all(self._size(r.value) <= SMALL for r in equation.outputs):
            self._kinds.update((r.value, Kind.SMALL) for r in equation.outputs)
            self._steps.append(equation)
            return
        if len(equation.outputs) != 1:
            raise Open(f"{equation.name} of records")
        result = equation.outputs[0].value
        if self._body.values[result].dtype not in EXACT:
            raise Open(f"records of dtype {self._body.values[result].dtype}")
        found = self._product(equation, inputs, large) or self._linear(equation, inputs, kinds, large)
        if self._size(result) <= SMALL:
            self._sink(equation, result, found)
        else:
            self._kinds[result] = found.kind
            self._large[result] = found
            moved = [kind is not Kind.FIXED for kind in kinds]
            self._strict[result] = self._is_strict(equation, inputs, moved) and all(self._strict[v] for v in large)

    def _product(self, equation: Equation, inputs: list[int], large: list[int]) -> _Large | None:
        """Sums of products of joints; None if the result is none."""
        name = equation.name
        held = [self._large[v] for v in large]
        products = [x for x in held if x.kind is Kind.PRODUCT]
        if products:
            return self._of_products(equation, inputs, large, products)
        if any(x.factors for x in held) and (name in ("square", "integer_pow") or len(held) > 1):
            return None
        square = name == "square" or (name == "integer_pow" and equation.params["y"] == 2)
        if square and len(large) == 1:
            return _Large(Kind.PRODUCT, pairs=((large[0], large[0]),))
        if len(large) != 2 or name not in ("mul", "dot_general"):
            return None
        if large[0] != large[1] and any(self._scalar(v) is not None for v in large):
            return None  # a multiple of something fixed
        shapes = {self._body.values[v].shape for v in large}
        dots = equation.params.get("dimension_numbers", (((0,), (0,)), ((), ())))
        contracted = tuple(map(tuple, dots[0])) == ((0,), (0,)) and len(next(iter(shapes))) == 1
        if len(shapes) != 1 or (name == "dot_general" and not contracted):
            raise Open(f"{name} of records")
        return _Large(Kind.PRODUCT, pairs=((large[0], large[1]),))

    def _of_products(self, equation: Equation, inputs: list[int], large: list[int], products: list[_Large]) -> _Large:
        name, result = equation.name, equation.outputs[0].value
        first = products[0]
        if len(large) == 1:
            position = inputs.index(large[0])
            others = [v for k, v in enumerate(inputs) if k != position]
            same = self._body.values[result].dtype == self._body.values[large[0]].dtype
            plain = all(self._body.values[v].shape == () for v in others) and (name != "div" or position == 0)
            if name in _SCALED and same and plain:
                return dataclasses.replace(first, after=(*first.after, (equation, position)))
            if name == "reduce_sum" and self._body.values[result].shape == ():
                return first
        elif name in ("add", "add_any") and len(products) == len(large) and not any(x.after for x in products):
            return dataclasses.replace(first, pairs=(*first.pairs, *products[1].pairs))
        raise Open(f"{name} of squares of records")

    def _linear(self, equation: Equation, inputs: list[int], kinds: list[Kind], large: list[int]) -> _Large:
        moved = [kind is not Kind.FIXED for kind in kinds]
        factor = self._factor(equation, inputs, moved)
        if factor is not None:
            moved[factor] = False
            large = [v for v in large if v != inputs[factor]]
        if not is_linear(equation, moved, self._body):
            raise Open(f"{equation.name} of records")
        if factor is not None or any(self._large[v].factors for v in large):
            return self._multiplied(equation, inputs, moved, large, factor)
        bases: dict[int, None] = {}
        for value, kind in zip(inputs, kinds, strict=True):
            if kind is Kind.SMALL:
                bases[value] = None
            elif kind is not Kind.FIXED:
                bases.update(dict.fromkeys(self._large[value].bases))
        added = equation.name in _SUMS and not all(moved)
        columns = sum(self._size(b) for b in bases) + (added or any(self._shifted(v) for v in large))
        images = [self._large[v].joints for v in large]
        varying = sum(moved)
        if large and varying == 1 and not added and (self._large[large[0]].columns > 1 or images[0]):
            return _Large(Kind.IMAGE, tuple(bases), columns, images[0] or (large[0],))
        if large and len(large) == varying and not added and images[0] and all(x == images[0] for x in images):
            return _Large(Kind.IMAGE, tuple(bases), columns, images[0])
        return _Large(Kind.PUSHED, tuple(bases), columns)

    def _factor(self, equation: Equation, inputs: list[int], moved: list[bool]) -> int | None:
        """Position of an operand that is a scalar times something fixed, where another one varies, too."""
        if equation.name not in ("mul", "dot_general") or not all(moved) or inputs[0] == inputs[1]:
            return None
        for k, other in ((0, 1), (1, 0)):
            if self._scalar(inputs[k]) is not None and inputs[other] in self._large:
                return k
        return None

    def _scalar(self, number: int) -> int | None:
        """The scalar that a value is a multiple of; None if it is none of a single one."""
        if self._kinds[number] is Kind.SMALL:
            return number if self._body.values[number].shape == () else None
        held = self._large[number]
        if held.kind is not Kind.PUSHED or held.columns != 1 or len(held.bases) != 1 or not self._strict[number]:
            return None
        return held.bases[0] if self._body.values[held.bases[0]].shape == () else None

    def _multiplied(
        self, equation: Equation, inputs: list[int], moved: list[bool], large: list[int], factor: int | None
    ) -> _Large:
        """An image with scalar factors, to which nothing is added."""
        factors = {self._large[v].factors for v in large}
        images = {self._large[v].joints or (v,) for v in large}
        if len(factors) > 1 or len(images) > 1 or not self._is_strict(equation, inputs, moved):
            raise Open(f"{equation.name} of records with different factors")
        own = () if factor is None else (self._scalar(inputs[factor]),)
        bases = tuple(b for v in large for b in self._large[v].bases)
        found = (*next(iter(factors)), *(b for b in own if b is not None))
        return _Large(Kind.IMAGE, tuple(dict.fromkeys(bases)), 0, next(iter(images)), found)

    def _is_strict(self, equation: Equation, inputs: list[int], moved: list[bool]) -> bool:
        """Whether a linear equation adds nothing of its own."""
        rest = [v for v, m in zip(inputs, moved, strict=True) if not m]
        if equation.name == "pad":
            padding = self._body.constants.get(rest[0]) if rest else None
            return isinstance(padding, np.ndarray) and not padding.any()
        return not rest or equation.name in ("mul", "div", "dot_general", "dynamic_slice", "gather")

    def _shifted(self, number: int) -> bool:
        held = self._large[number]
        return held.columns > sum(self._size(b) for b in held.bases)

    def _sink(self, equation: Equation, result: int, found: _Large) -> None:
        """A small value that is read of records."""
        shape = tuple(self._body.values[result].shape)
        if found.kind is Kind.PRODUCT:
            if shape:
                raise Open("sums of squares of some of the records")
            joints = tuple(dict.fromkeys(j for pair in found.pairs for j in pair))
            sink = Sink(result, shape, pairs=found.pairs, after=found.after)
        else:
            joints = found.joints
            if not joints:
                large = [r.value for r in equation.inputs if r.value in self._large]
                joints = tuple(dict.fromkeys(large))
            others = {r.value for r in equation.inputs if self._kinds[r.value] is Kind.SMALL}
            if not others <= set(found.factors):
                raise Open(f"{equation.name} of records and numbers")
            between = tuple(self._between({result}, {*joints, *found.factors}))
            sink = Sink(result, shape, joints, between, found.factors)
        for number in joints:
            self._add_joint(number)
        self._kinds[result] = Kind.SMALL
        self._sinks.append(sink)
        self._steps.append(sink)

    def _add_joint(self, number: int) -> None:
        """Makes a value a joint, if it is none yet."""
        if number in self._joints:
            return
        value, bases = self._body.values[number], self._large[number].bases
        if any(self._body.values[b].dtype != value.dtype for b in bases):
            raise Open("records and numbers of different dtypes")
        equations = tuple(self._between({number}, set(bases)))
        shapes = tuple(tuple(self._body.values[b].shape) for b in bases)
        key = self._key(number, equations, bases)
        self._joints[number] = Joint(number, tuple(value.shape), value.dtype, bases, shapes, equations, key)

    def _between(self, ends: set[int], starts: set[int]) -> list[Equation]:
        """Equations that lead from some values to others, without those whose results are fixed."""
        wanted, found = set(ends), []
        for equation in reversed(self._body.equations):
            results = {r.value for r in equation.outputs} - starts
            if results.isdisjoint(wanted) or all(self._kinds.get(v) is Kind.FIXED for v in results):
                continue
            found.append(equation)
            wanted.update(r.value for r in equation.inputs)
        return found[::-1]

    def _key(self, number: int, equations: Sequence[Equation], bases: Sequence[int]) -> int:
        """A number for what a joint is made by, whatever the numbers of its bases are."""
        names: dict[int, Any] = {base: ("base", k, self._body.values[base].shape) for k, base in enumerate(bases)}

        def name(value: int) -> Any:
            constant = self._body.constants.get(value)
            if isinstance(constant, np.ndarray) and constant.size == 1:
                return "number", str(constant.dtype), constant.tobytes(), constant.shape
            return names.get(value, ("fixed", value))

        for equation in equations:
            made = equation.name, str(equation.params), tuple(name(r.value) for r in equation.inputs)
            place = self._made.setdefault(made, len(self._made))
            names.update((r.value, ("made", place, k)) for k, r in enumerate(equation.outputs))
        return self._made.setdefault(names[number], len(self._made))
