"""Jaxprs with some of their equations replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np
from jax.interpreters import partial_eval as pe

from elimax._jax.program import CALLS, MUTABLE, _called_names, _closed, as_function, bind

REMAT = ("remat2", "checkpoint", "remat")
"""Names of the primitive of `jax.checkpoint`."""

Replace = Callable[[Any, Sequence[Any], Sequence[bool]], "list[Any] | None"]
"""Results of an equation on operands, given which of the results are read; None to leave it as it is."""


def replaced(closed: Any, replace: Replace) -> Any:
    """A closed jaxpr with equations replaced, also those of jaxprs within it.

    Innermost equations come first: what ``replace`` is given has been gone through. Functions with rules of their own
    (``custom_jvp``, ``custom_vjp``) are not entered.

    Args:
      closed: a closed jaxpr.
      replace: gives the results of an equation.

    Returns:
      The closed jaxpr, the very same if nothing was replaced or there are side effects.
    """
    if closed.effects or _called_names(closed.jaxpr) & MUTABLE:
        return closed
    walk = _Walk(replace)
    result = jax.make_jaxpr(lambda *args: walk.run(closed, args))(*_shapes(closed))
    same = [(a.shape, a.dtype) for a in closed.out_avals] == [(a.shape, a.dtype) for a in result.out_avals]
    return result if walk.count and same else closed


class _Walk:
    """Evaluates a jaxpr while replacing; counts how often it did."""

    def __init__(self, replace: Replace):
        self._replace = replace
        self.count = 0

    def run(self, closed: Any, args: Sequence[Any]) -> list[Any]:
        read = _read(closed)
        return walked(closed, args, lambda e, operands: self._equation(e, operands, [v in read for v in e.outvars]))

    def _equation(self, equation: Any, operands: list[Any], wanted: list[bool]) -> list[Any]:
        before = self.count
        inner = self._inner(equation)
        equation = equation if inner is None else inner
        if self.count == before:
            inner = None
        typed = [
            literal(a) if isinstance(a, jex.Literal) else x for a, x in zip(equation.invars, operands, strict=True)
        ]
        found = self._replace(equation, typed, wanted)
        if found is not None:
            self.count += 1
            return found
        if inner is None:
            return bind(equation)(*operands)
        if equation.primitive.name in CALLS and equation.primitive.name not in REMAT:
            return list(as_function(called(equation))(*operands))
        return bind(equation)(*operands)

    def _inner(self, equation: Any) -> Any:
        """The equation with its bodies gone through; None if nothing changed."""
        name = equation.primitive.name
        if name == "scan" or name == "while" or name == "cond" or name in CALLS:
            return rebodied(equation, self._body)
        return None

    def _body(self, closed: Any) -> Any:
        """A closed jaxpr gone through; the same if nothing changed."""
        walk = _Walk(self._replace)
        result = jax.make_jaxpr(lambda *args: walk.run(closed, args))(*_shapes(closed))
        if not walk.count or not _alike(closed, result):
            return closed
        self.count += walk.count
        return result


def rebodied(equation: Any, change: Callable[[Any], Any], keys: Sequence[str] | None = None) -> Any:
    """An equation with the jaxprs among its parameters changed; None if none of them was.

    Args:
      equation: of a loop, a branch or a call.
      change: gives another closed jaxpr for a closed jaxpr, or the very same. One whose results are of other types, or
        that has constants where none can be kept, is not taken.
      keys: names of the parameters that may change, by default all.
    """
    params, changed = dict(equation.params), False
    for key in equation.params if keys is None else keys:
        param = equation.params[key]
        many = isinstance(param, tuple | list)
        bodies = list(param) if many else [param]
        if not bodies or not all(hasattr(getattr(b, "jaxpr", b), "eqns") for b in bodies):
            continue
        new = [_changed(b, change) for b in bodies]
        if any(a is not b for a, b in zip(new, bodies, strict=True)):
            changed = True
            params[key] = type(param)(new) if many else new[0]
    return equation.replace(params=params) if changed else None


def _changed(body: Any, change: Callable[[Any], Any]) -> Any:
    """A jaxpr parameter changed, of the same kind; the same if nothing changed."""
    closed = _closed(body)
    result = change(closed)
    open_one = not hasattr(body, "consts")
    if result is closed or not _alike(closed, result) or (open_one and result.consts):
        return body
    return result.jaxpr if open_one else result


def _alike(closed: Any, other: Any) -> bool:
    """Whether results of two closed jaxprs are of the same types."""
    return [(a.shape, a.dtype, a.weak_type) for a in closed.out_avals] == [
        (a.shape, a.dtype, a.weak_type) for a in other.out_avals
    ]


def _shapes(closed: Any) -> list[jax.ShapeDtypeStruct]:
    """Stand-ins for the arguments of a closed jaxpr."""
    return [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]


def walked(closed: Any, args: Sequence[Any], evaluate: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Results of a closed jaxpr whose equations are evaluated one after another by a function.

    Args:
      closed: a closed jaxpr.
      args: its arguments.
      evaluate: maps an equation and its operands to its results.
    """
    jaxpr = closed.jaxpr
    env: dict[Any, Any] = dict(zip(jaxpr.invars, args, strict=True))
    env.update(zip(jaxpr.constvars, closed.consts, strict=True))

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, jex.Literal) else env[atom]

    for equation in jaxpr.eqns:
        operands = [value(atom) for atom in equation.invars]
        env.update(zip(equation.outvars, evaluate(equation, operands), strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _read(closed: Any) -> set[Any]:
    """Variables of a jaxpr that something reads."""
    jaxpr = closed.jaxpr
    atoms = [a for e in jaxpr.eqns for a in e.invars] + list(jaxpr.outvars)
    return {a for a in atoms if not isinstance(a, jex.Literal)}


def pruned(closed: Any) -> Any:
    """A closed jaxpr without what its results do not depend on, as XLA will compile it."""
    jaxpr, _ = pe.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars), instantiate=True)
    return closed.replace(jaxpr=jaxpr)


def called(equation: Any) -> Any:
    """The closed jaxpr that an equation merely calls."""
    return _closed(equation.params[CALLS[equation.primitive.name]])


def literal(atom: Any) -> np.ndarray:
    """The value of a literal of a jaxpr."""
    return np.asarray(atom.val, dtype=atom.aval.dtype)


def equation_as_closed(equation: Any) -> Any:
    """One equation as a closed jaxpr."""
    avals = [jax.ShapeDtypeStruct(a.aval.shape, a.aval.dtype, weak_type=a.aval.weak_type) for a in equation.invars]
    return jax.make_jaxpr(lambda *args: bind(equation)(*args))(*avals)
