"""Hessians: against `jax.hessian` where it fits, and against star colouring where the matrix is sparse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import elimax

Variants = tuple[dict[str, Callable[[Any], Any]], Any]


def chain(x: Any) -> Any:
    """Rosenbrock's valley along a chain."""
    return jnp.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def surface(x: Any) -> Any:
    """Area of a surface over a square grid."""
    u = x.reshape(round(x.size**0.5), -1)
    across, along = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
    return jnp.sum(jnp.sqrt(1 + 0.5 * (across**2 + along**2)))


def coupled(x: Any) -> Any:
    """Unknowns that meet their neighbours in the turns of a loop, all coupled with the first."""

    def step(_: Any, v: Any) -> Any:
        return v + 0.1 * (jnp.roll(v, 1) - 2 * v + jnp.roll(v, -1)) * v

    return jnp.sum(jax.lax.fori_loop(0, 2, step, x[1:] * x[0]))


def network(x: Any) -> Any:
    """Loss of a network with a hidden layer of 20 at 50 points."""
    first, second = x[:200].reshape(20, 10), x[200:].reshape(10, 20)
    data = np.random.default_rng(0).normal(size=(10, 50))
    return jnp.sum((second @ jnp.tanh(first @ data) - 1.0) ** 2)


def _sparse(fun: Callable[[Any], Any], size: int, by_jax: bool = False) -> Callable[[], Variants]:
    def made() -> Variants:
        import asdex

        x = jnp.linspace(0.1, 1.0, size)
        theirs = asdex.hessian_from_coloring(fun, asdex.hessian_coloring(fun, x))
        own = elimax.hessian(fun, output="bcoo")
        found = {"elimax": lambda x: _parts(own(x)), "asdex": lambda x: _parts(theirs(x))}
        return found | ({"jax.hessian": jax.hessian(fun)} if by_jax else {}), x

    return made


def _dense(fun: Callable[[Any], Any], size: int) -> Callable[[], Variants]:
    return lambda: (
        {"elimax": elimax.hessian(fun), "jax.hessian": jax.hessian(fun)},
        jnp.asarray(np.random.default_rng(1).normal(size=size)),
    )


def _parts(matrix: Any) -> tuple[Any, Any]:
    return matrix.data, matrix.indices


HESSIANS: dict[str, Callable[[], Variants]] = {
    "Hessian of a chain, n = 1e6, bcoo": _sparse(chain, 1_000_000),
    "Hessian of a surface, 512 x 512, bcoo": _sparse(surface, 512 * 512),
    "Hessian of a coupled loop, n = 1e3, bcoo": _sparse(coupled, 1000, by_jax=True),
    "Hessian of a network, n = 400, dense": _dense(network, 400),
}
"""Each row by name."""
