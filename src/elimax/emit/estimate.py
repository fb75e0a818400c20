"""Predicted time of a program of array operations, good enough to tell ways of differentiation apart.

Operations on elements cost what their class costs for each element; products of matrices what their multiplications
cost; loops their body once for each turn, and where the number of turns is not known, `TURNS` times. Programs that are
compared run the same loops, so that the guess matters little.
"""

from __future__ import annotations

import math
from typing import Any

from elimax._jax import Equation, Program, inline
from elimax._jax.chained import LOOP
from elimax._jax.control import alone
from elimax._jax.program import nested, primitive_names
from elimax._jax.together import together_p
from elimax.emit import kernel
from elimax.emit.counting import CALLED, SERIES, SLOW, predict
from elimax.emit.machines import current
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram

TURNS = 64
"""Assumed number of turns of a loop whose number is not known."""

BITS = 7
"""The same for a loop over the bits of a number of turns."""

BACKWARDS = (240.0, 900.0)
"""Nanoseconds of a turn backwards besides what is computed, where the number of turns is known, and where it is not."""

SEVERAL = 2.0
"""How much longer each of several cotangents of a turn takes than a single one, which has the best form."""

EQUATION = 30.0
"""Nanoseconds for an operation, whatever its size."""

ELEMENT = 0.1
"""Nanoseconds for an element of a cheap operation."""

PRODUCT = 0.06
"""Nanoseconds for a multiplication within a product of matrices or a convolution."""

FUSED = 3.0
"""How much longer the model of arrays takes a small program to be, whose operations XLA fuses, than that of scalars."""

STACKED = 1.0
"""Nanoseconds for an element that a scan stacks."""

_WEIGHTS = {
    **dict.fromkeys(CALLED, 100.0),
    **dict.fromkeys(SERIES, 20.0),
    **dict.fromkeys(SLOW, 5.0),
    "gather": 10.0,
    "dynamic_slice": 2.0,
    "dynamic_update_slice": 2.0,
    "scatter": 30.0,
    "scatter-add": 30.0,
    "scatter_add": 30.0,
    "sort": 100.0,
}
_FREE = frozenset("reshape squeeze expand_dims broadcast_in_dim copy stop_gradient iota".split())


def estimate(closed: Any) -> float:
    """Nanoseconds that a closed jaxpr takes, roughly."""
    staged = alone(closed)
    if staged is not None:
        program = scalarise(staged.closed)
        if program is not None:
            return FUSED * _on_scalars(program)
    return estimate_program(inline(closed, [False] * len(closed.in_avals)))


def _on_scalars(program: ScalarProgram) -> float:
    """Nanoseconds of a program on scalars in the body of a loop, in its best form."""
    machine = current()
    times = [form.at(1, True) for form in predict(program, machine).values()]
    if kernel.fits(program):
        times.append(kernel.predict(program, machine, 1))
    return min(times)


def estimate_program(program: Program) -> float:
    """Nanoseconds that the operations of a program take one by one, roughly."""
    return sum(_equation(program, equation) for equation in program.equations)


def _turns(bodies: list[Any]) -> int:
    """How often a loop turns whose end is not known; one that shifts a number goes through its bits."""
    return BITS if any("shift_right_logical" in primitive_names(body) for body in bodies) else TURNS


def _length(length: int, bodies: list[Any]) -> int:
    """How often a scan does something; one over the bits of a number skips those in front, and chunks of them."""
    if any(together_p.name in primitive_names(body) for body in bodies):
        return 1
    return min(length, BITS) if _turns(bodies) == BITS else length


def _chained(kind: str, rule: Any, active: tuple[int, ...] = (), lanes: tuple[int, ...] = (), **_: Any) -> float:
    """A loop that is differentiated in both directions; on the way back, turns are run again twice."""
    turns = rule.length
    if turns is None:
        turns = TURNS if rule.loop is None else _turns([rule.loop.body])
    if kind in ("", "_tangent", "_product"):
        return turns * math.prod(lanes) * estimate((rule.along(active) if kind else rule).example())
    if kind == "_curvature":
        rule, active = rule.along(active), tuple(rule.place(active)[k] for k in active)
    rows = math.prod(lanes)
    pulled = estimate(rule.example(active)) * (rows if rows == 1 else SEVERAL * rows)
    return turns * (BACKWARDS[rule.length is None] + estimate(rule.example()) + pulled)


def _equation(program: Program, equation: Equation) -> float:
    if equation.name.startswith(LOOP):
        return _chained(equation.name.removeprefix(LOOP), **equation.params)
    inner = nested(equation)
    if equation.name == "scan":
        stacked = sum(math.prod(program.values[r.value].shape) for r in equation.outputs)
        return _length(equation.params["length"], inner) * sum(map(estimate, inner)) + STACKED * stacked
    if equation.name == "while":
        return _turns(inner) * sum(map(estimate, inner))
    if equation.name == "cond":
        return max(map(estimate, inner), default=0.0)
    if inner:
        return sum(map(estimate, inner))
    if equation.name in _FREE:
        return 0.0
    size = sum(math.prod(program.values[r.value].shape) for r in equation.outputs)
    shapes = [program.values[r.value].shape for r in equation.inputs]
    if equation.name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return EQUATION + PRODUCT * size * math.prod(shapes[0][k] for k in summed)
    if equation.name == "conv_general_dilated":
        return EQUATION + PRODUCT * size * math.prod(shapes[1]) / max(1, shapes[1][0])
    if equation.name in ("cholesky", "lu", "qr", "eigh", "svd", "triangular_solve", "householder_product"):
        return EQUATION + PRODUCT * size * shapes[0][-1]
    if equation.name.startswith("scatter"):
        return EQUATION + ELEMENT * (size + _WEIGHTS.get(equation.name, 30.0) * math.prod(shapes[2]))
    if equation.name.startswith(("reduce", "arg", "cum")):
        size = max(size, math.prod(shapes[0]))
    return EQUATION + ELEMENT * _WEIGHTS.get(equation.name, 1.0) * size
