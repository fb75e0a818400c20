"""Runs one case: every argument alone and all together, bare and between other operations, in several orders."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

import elimax
from tests.agreement import assert_trees_close, jax_jacobian, rounding_of


@dataclasses.dataclass(frozen=True, init=False)
class Case:
    """A function and where it is differentiated, with respect to all arguments.

    Attributes:
      fun: the function.
      args: its arguments, all of them floating arrays or trees of such.
      differentiable: False for primitives that JAX has no derivative of; their inputs are stopped.
      wrap: whether the case is also run between other operations.
      loose: factor on the tolerance, for ill-conditioned operations.
    """

    fun: Any
    args: tuple[Any, ...]
    differentiable: bool
    wrap: bool
    loose: float

    def __init__(self, fun: Any, *args: Any, differentiable: bool = True, wrap: bool = True, loose: float = 1.0):
        object.__setattr__(self, "fun", fun if differentiable else _with_constant_arguments(fun))
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "differentiable", differentiable)
        object.__setattr__(self, "wrap", wrap)
        object.__setattr__(self, "loose", loose)

    def cast(self, dtype: Any) -> Case:
        """The same case with arguments of another dtype."""
        args = jax.tree.map(lambda x: x.astype(dtype), self.args)
        return Case(self.fun, *args, wrap=self.wrap, loose=self.loose)


def _with_constant_arguments(fun):
    """JAX raises for derivatives of some primitives; they are still to be carried through as constants."""
    return lambda *args: (fun(*jax.lax.stop_gradient(args)), args[0] * 2)


def between(fun):
    """``fun`` after and before other operations, so that its partial is multiplied on both sides."""

    def wrapped(*args):
        y = fun(*jax.tree.map(lambda x: x * (1 + x / 128), args))
        return jax.tree.map(_mix, y)

    return wrapped


def _mix(y):
    if not jnp.issubdtype(y.dtype, jnp.inexact):
        return y
    ramp = jnp.arange(1, y.size + 1).astype(y.dtype) / 8
    return {"square": y * y, "mixed": jnp.cumsum(y.ravel() * ramp)}


def check(case: Case, orders=("forward", "reverse")) -> None:
    """Compares everything within one compiled function."""
    everything = tuple(range(len(case.args)))

    def both(args):
        expected, actual = {}, {}
        all_blocks = jax_jacobian(case.fun, everything)(*args)
        expected["all"], actual["all"] = all_blocks, elimax.jacobian(case.fun, everything)(*args)
        if len(args) > 1:
            for i in everything:
                expected[f"argument {i}"] = jax_jacobian(case.fun, i)(*args)
                actual[f"argument {i}"] = elimax.jacobian(case.fun, i)(*args)
        if case.wrap:
            wrapped = between(case.fun)
            reference = jax_jacobian(wrapped, everything)(*args)
            for order in orders:
                expected[order] = reference
                actual[order] = elimax.jacobian(wrapped, everything, order=order)(*args)
        return expected, actual

    expected, actual = jax.jit(both)(case.args)
    assert_trees_close(actual, expected, eps=max(rounding_of(case.args), rounding_of(expected)) * case.loose)
