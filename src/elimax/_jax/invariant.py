"""What a program computes from some of its arguments alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.extend.core as jex


def elements(closed: Any, fixed: Sequence[bool], counted: Callable[[str, dict[str, Any]], bool]) -> tuple[int, int]:
    """How many elements come from certain operations: those that depend on fixed arguments alone, and all.

    Args:
      closed: a closed jaxpr.
      fixed: which of its arguments are fixed.
      counted: whether an operation counts, given its primitive's name and parameters.
    """
    jaxpr = closed.jaxpr
    known = {v for v, f in zip(jaxpr.invars, fixed, strict=True) if f} | set(jaxpr.constvars)
    early = total = 0
    for equation in jaxpr.eqns:
        size = sum(math.prod(v.aval.shape) for v in equation.outvars)
        size *= counted(equation.primitive.name, equation.params)
        total += size
        inputs = [a for a in equation.invars if not isinstance(a, jex.Literal)]
        if inputs and all(a in known for a in inputs):
            known.update(equation.outvars)
            early += size
    return early, total


def settled(closed: Any) -> list[bool]:
    """Which results of a closed jaxpr depend on none of its arguments.

    Args:
      closed: the closed jaxpr; its constants are known.
    """
    jaxpr = closed.jaxpr
    known = set(jaxpr.constvars)
    for equation in jaxpr.eqns:
        if all(isinstance(a, jex.Literal) or a in known for a in equation.invars):
            known.update(equation.outvars)
    return [not isinstance(v, jex.Literal) and v in known and v not in jaxpr.constvars for v in jaxpr.outvars]
