"""Compares programs whose loops were closed with the loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import trace
from elimax._jax.program import as_function
from elimax.coarsen.loops.rewrite import Choice, Closed, close_loops


def closed_form(fun: Callable[..., Any], *args: Any) -> tuple[Callable[..., list[Any]], tuple[Closed, ...]]:
    """The function without those loops that have a closed form, whatever that costs, and what was closed."""
    closed = trace(lambda *xs: jax.tree.leaves(fun(*xs)), args)
    after, found = close_loops(closed, lambda *_: Choice.CLOSE)
    assert (after is closed) == (not found)
    return (lambda *xs: list(as_function(after)(*xs))), found


def check(fun: Callable[..., Any], args: Sequence[Any], tolerance: float = 1e-9, reverse: bool = True) -> bool:
    """Compare values, Jacobians of both modes and second derivatives with the loop; whether anything was closed.

    Args:
      fun: a function with loops.
      args: floats to differentiate.
      tolerance: relative to the largest element of a result.
      reverse: whether the original function has reverse mode; otherwise all is compared with forward mode.
    """
    other, found = closed_form(fun, *args)
    if not found:
        return False
    original = lambda *xs: jax.tree.leaves(fun(*xs))  # noqa: E731
    numbers = tuple(range(len(args)))

    def all_of(f: Any, gradient: Any) -> Any:
        def scalar(*xs: Any) -> Any:
            floats = [jnp.ravel(y) for y in f(*xs) if jnp.issubdtype(y.dtype, jnp.floating)]
            return sum(jnp.dot(y, jnp.linspace(1.0, 2.0, y.size).astype(y.dtype)) for y in floats)

        return jax.jit(
            lambda *xs: (
                f(*xs),
                jax.jacfwd(lambda *xs: [y * 1.0 for y in f(*xs)], numbers)(*xs),
                gradient(scalar, numbers)(*xs),
                jax.jacfwd(gradient(scalar, numbers), numbers)(*xs),
            )
        )(*args)

    ours, theirs = all_of(other, jax.grad), all_of(original, jax.grad if reverse else jax.jacfwd)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        finite = np.abs(np.where(np.isfinite(b), b, 0))
        scale = max(1.0, float(np.max(finite, initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)
    return True
