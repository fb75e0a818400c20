"""From the equations of a flat program to expressions."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax._jax import Equation, Program, Ref
from elimax._jax.program import Placeholder
from elimax.coarsen.arena import Arena
from elimax.coarsen.nodes import RULED, STOP, TANGENT, Node
from elimax.coarsen.operations import IDENTITIES, OPERATIONS, RENAMED, WITHOUT_DERIVATIVE

_NO_MATTER = frozenset(["weak_type", "new_dtype", "y", "sharding", "dimensions", "rounding_method"])


class NotExpressible(Exception):
    """An equation is none of the operations of expressions."""


@functools.lru_cache(maxsize=64)
def is_real(dtype: Any) -> bool:
    """Whether a dtype is a real floating one, boolean or an integer."""
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended):
        return False
    return jnp.issubdtype(dtype, np.floating) or np.dtype(dtype).kind in "bui"


def expressible(program: Program, equation: Equation) -> bool:
    """Whether an equation treats each element alone and is an operation of expressions.

    Its operands have the shape of its result, or are known scalars.
    """
    if equation.effects or len(equation.outputs) != 1 or not _known(equation):
        return False
    if equation.name in WITHOUT_DERIVATIVE and equation.active:
        return False
    values = program.values
    result = values[equation.outputs[0].value]
    if not is_real(result.dtype):
        return False
    for ref in equation.inputs:
        operand = values[ref.value]
        if not is_real(operand.dtype) or (operand.shape != result.shape and number(program, ref.value) is None):
            return False
    return True


def number(program: Program, value: int) -> Any:
    """The known scalar that a value is everywhere, or None."""
    if value in program.constants:
        constant = program.constants[value]
        if isinstance(constant, Tracer | Placeholder) or not is_real(program.values[value].dtype):
            return None
        return constant if program.values[value].shape == () else None
    return _filled(program).get(value)


_FILLED: weakref.WeakKeyDictionary[Program, dict[int, Any]] = weakref.WeakKeyDictionary()


def _filled(program: Program) -> dict[int, Any]:
    """Arrays that are filled with a known scalar."""
    if program not in _FILLED:
        found = _FILLED[program] = {}
        for equation in program.equations:
            if equation.name == "broadcast_in_dim" and equation.inputs[0].value in program.constants:
                scalar = number(program, equation.inputs[0].value)
                if scalar is not None:
                    found[equation.outputs[0].value] = scalar
    return _FILLED[program]


_NAMES = frozenset([*OPERATIONS, *RENAMED, *IDENTITIES, "one_minus_square", "polynomial"])


def _known(equation: Equation) -> bool:
    if equation.name not in _NAMES:
        return equation.name == "stop_gradient"
    if not equation.params:
        return True
    return all(value is None or key in _NO_MATTER for key, value in equation.params.items())


def apply(arena: Arena, name: str, params: Mapping[str, Any], operands: Sequence[Node]) -> Node:
    """The node of a primitive on nodes.

    Raises:
      NotExpressible: there is no such operation.
    """
    if name in IDENTITIES:
        return operands[0]
    if name == "stop_gradient":
        return arena.mark(STOP, operands[0])
    if name in EXPANDED:
        return EXPANDED[name](arena, *operands)
    if name == "square":
        return arena.apply("integer_pow", operands[0], y=2)
    name = RENAMED.get(name, name)
    if name not in OPERATIONS:
        raise NotExpressible(name)
    if name == "convert_element_type":
        return arena.apply(name, operands[0], new_dtype=str(np.dtype(params["new_dtype"])))
    own = OPERATIONS[name].params
    return arena.apply(name, *operands, **{key: params[key] for key in own}) if own else arena.apply(name, *operands)


def _one_minus_square(arena: Arena, x: Node) -> Node:
    one = arena.constant(1, x.dtype)
    return arena.apply("mul", arena.apply("add", one, x), arena.apply("sub", one, x))


def _polynomial(arena: Arena, x: Node, *coefficients: Node) -> Node:
    """By Horner's rule; the constant term comes first."""
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = arena.apply("add", arena.apply("mul", total, x), coefficient)
    return total


EXPANDED: dict[str, Callable[..., Node]] = {"one_minus_square": _one_minus_square, "polynomial": _polynomial}
"""Primitives that are written with others."""


class Reader:
    """Reads equations of one program into an arena.

    Attributes:
      values: the node of every value so far.
    """

    def __init__(self, arena: Arena, program: Program, marks: bool = True) -> None:
        self._arena, self._program, self._marks = arena, program, marks
        self.values: dict[int, Node] = {}
        self._active: dict[int, Node] = {}
        self._live: set[int] = set()

    def variable(self, ref: Ref) -> Node:
        """A value that comes from outside; named by its number."""
        node = self._arena.variable(ref.value, self._program.values[ref.value].dtype)
        self.values[ref.value] = node
        if ref.vertex is not None:
            self._active[ref.vertex] = node
            self._live.add(node.number)
        return node

    def read(self, equations: Iterable[Equation]) -> None:
        """Add the results of equations.

        Raises:
          NotExpressible: one of them is no operation of expressions.
        """
        for equation in equations:
            # Of a rule's equations, those without an active operand belong to its primal part.
            linear = equation.linear and any(r.vertex is not None for r in equation.inputs)
            operands = [self.operand(ref, linear) for ref in equation.inputs]
            nodes, live = self._arena.nodes, self._live
            made = len(nodes)
            node = apply(self._arena, equation.name, equation.params, operands)
            for k in range(made, len(nodes)):
                if nodes[k].op != STOP and any(a.number in live for a in nodes[k].args):
                    live.add(nodes[k].number)
            (ref,) = equation.outputs
            if not linear:
                self.values[ref.value] = node
            if ref.vertex is not None:
                self._active[ref.vertex] = node

    def operand(self, ref: Ref, linear: bool = False) -> Node:
        """The node of a use, marked where a rule of the user says what its derivative is."""
        if ref.vertex is not None and linear:
            node = self._active[ref.vertex]
            return self._live_mark(TANGENT, node)
        if ref.value not in self.values:
            constant = number(self._program, ref.value)
            if constant is None:
                raise NotExpressible("a captured array")
            self.values[ref.value] = self._arena.constant(constant, self._program.values[ref.value].dtype)
        node = self.values[ref.value]
        if node.is_constant or not self._marks:
            return node
        if ref.vertex is None:
            return self._arena.mark(STOP, node) if node.floating and node.number in self._live else node
        if self._active[ref.vertex] is not node:
            return self._live_mark(RULED, node, self._active[ref.vertex])
        return node

    def _live_mark(self, op: str, *args: Node) -> Node:
        node = self._arena.mark(op, *args)
        self._live.add(node.number)
        return node


def expressions(arena: Arena, program: Program) -> tuple[list[Node], list[Node]]:
    """A whole program as expressions.

    Args:
      arena: where they are made.
      program: its values have one shape, or are known scalars.

    Returns:
      The variables, one for each argument and named by the number of its value, and the results.

    Raises:
      NotExpressible: the program has an operation that expressions lack.
    """
    reader = Reader(arena, program)
    variables = [reader.variable(ref) for ref in program.inputs]
    for equation in program.equations:
        if equation.name == "broadcast_in_dim" and number(program, equation.outputs[0].value) is not None:
            continue
        if not expressible(program, equation):
            raise NotExpressible(equation.name)
        reader.read([equation])
    return variables, [reader.operand(ref) for ref in program.outputs]
