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


def also_between(fun):
    """``fun``, and ``fun`` after and before other operations, so that its partial is multiplied on both sides."""

    def both(*args):
        wrapped = fun(*jax.tree.map(lambda x: x * (1 + x / 128), args))
        return fun(*args), jax.tree.map(_mix, wrapped)

    return both


def _mix(y):
    if not jnp.issubdtype(y.dtype, jnp.inexact):
        return y
    ramp = jnp.arange(1, y.size + 1).astype(y.dtype) / 8
    return {"square": y * y, "mixed": jnp.cumsum(y.ravel() * ramp)}


def check(case: Case, order: str, alone: int | None) -> None:
    """Compares with JAX, within one compiled function.

    Args:
      case: the case.
      order: of elimination.
      alone: an argument that is differentiated once more without the others, or None.
    """
    everything = tuple(range(len(case.args)))
    fun = also_between(case.fun) if case.wrap else case.fun

    def both(args):
        expected = {"all": jax_jacobian(fun, everything)(*args)}
        actual = {"all": elimax.jacobian(fun, everything, order=order)(*args)}
        if len(args) > 1 and alone is not None:
            expected["alone"] = _column(jax.eval_shape(fun, *args), expected["all"], alone)
            actual["alone"] = elimax.jacobian(fun, alone, order=order)(*args)
        return expected, actual

    expected, actual = jax.jit(both)(case.args)
    assert_trees_close(actual, expected, eps=max(rounding_of(case.args), rounding_of(expected)) * case.loose)


def _column(value, blocks, argument):
    outputs, tree = jax.tree.flatten(value)
    return jax.tree.unflatten(tree, [row[argument] for row in tree.flatten_up_to(blocks)])
