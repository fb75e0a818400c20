"""Which results of loops and branches depend on some of their operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.extend.core as jex

from elimax._jax.chained import LOOP
from elimax._jax.control import branches_of
from elimax._jax.loops import read_loop
from elimax._jax.program import CALLS, _closed, has_zero_derivative

TANGENT = f"{LOOP}_tangent"
"""Name of the equation of a loop and its tangents."""

BESIDE = ("scan", "while", "cond", TANGENT)
"""Names of equations that may compute values and tangents."""


def moved_results(equation: Any, moved: Sequence[bool]) -> list[bool]:
    """Which results of an equation depend on some of its operands in a differentiable way.

    Args:
      equation: of a jaxpr.
      moved: for each operand, whether it is one of them.
    """
    name, params = equation.primitive.name, equation.params
    if not any(moved) or has_zero_derivative(name, [var.aval for var in equation.outvars]):
        return [False] * len(equation.outvars)
    if name in CALLS:
        return _through(_closed(params[CALLS[name]]), moved)
    if name == TANGENT:
        rule = params["rule"]
        through_values = any(moved[: len(rule.operands)])
        return [through_values] * len(rule.results) + [True] * (len(equation.outvars) - len(rule.results))
    branches = branches_of(name, params)
    if branches is not None:
        return [any(each) for each in zip(*(_through(b, moved[1:]) for b in branches), strict=True)]
    loop = read_loop(name, params)
    if loop is None:
        return [True] * len(equation.outvars)
    consts, behind = list(moved[loop.skip : loop.first]), loop.first + loop.num_carried
    carry, slices = list(moved[loop.first : behind]), list(moved[behind:])
    while True:
        after = _through(loop.body, [*consts, *carry, *slices])
        more = [a or b for a, b in zip(carry, after, strict=False)]
        if more == carry:
            return [*carry, *after[loop.num_carried :]]
        carry = more


def _through(closed: Any, moved: Sequence[bool]) -> list[bool]:
    """Which results of a closed jaxpr depend on some of its arguments."""
    found = {v for v, m in zip(closed.jaxpr.invars, moved, strict=True) if m}
    for equation in closed.jaxpr.eqns:
        given = [not isinstance(a, jex.Literal) and a in found for a in equation.invars]
        if any(given):
            found.update(v for v, m in zip(equation.outvars, moved_results(equation, given), strict=True) if m)
    return [not isinstance(a, jex.Literal) and a in found for a in closed.jaxpr.outvars]
