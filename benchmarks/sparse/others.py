"""Comparisons with what users write without a library of colourings: JAX's modes, and a `vmap` of a small Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.sparse.hessians import HESSIANS
from benchmarks.sparse.problems import DENSE, residual

import elimax

ARROW = 10_000
BATCH = 4096


def variants(name: str) -> tuple[dict[str, Callable[[Any], Any]], Any]:
    """What is compared in a row, elimax first, and the argument of all."""
    return OTHERS[name]()


def _dense(name: str) -> Callable[[], tuple[dict[str, Callable[[Any], Any]], Any]]:
    def made() -> tuple[dict[str, Callable[[Any], Any]], Any]:
        fun, x = residual(name)
        return {"elimax": elimax.jacobian(fun), "jacfwd": jax.jacfwd(fun), "jacrev": jax.jacrev(fun)}, x

    return made


def arrow(x: Any) -> Any:
    """A Jacobian with a dense first row, a dense first column and a diagonal."""
    return jnp.concatenate([jnp.sum(x**2, keepdims=True), x[1:] * x[0] + jnp.sin(x[1:])])


def _arrow(output: str) -> Callable[[], tuple[dict[str, Callable[[Any], Any]], Any]]:
    def made() -> tuple[dict[str, Callable[[Any], Any]], Any]:
        own = elimax.jacobian(arrow, output=output)

        def elimax_values(x: Any) -> Any:
            found = own(x)
            return (found.data, found.indices) if output == "bcoo" else found

        x = jnp.linspace(0.5, 1.5, ARROW)
        return {"elimax": elimax_values, "jacfwd": jax.jacfwd(arrow), "jacrev": jax.jacrev(arrow)}, x

    return made


def small(x: Any) -> Any:
    """A residual of eight unknowns."""
    return jnp.stack([x[k] * jnp.sin(x[k - 1]) - x[k - 2] ** 2 for k in range(8)])


def of_batch(x: Any) -> Any:
    """The same for all rows of [B, 8], as one function."""
    return jnp.stack([x[:, k] * jnp.sin(x[:, k - 1]) - x[:, k - 2] ** 2 for k in range(8)], axis=1)


def _batch() -> tuple[dict[str, Callable[[Any], Any]], Any]:
    one = elimax.jacobian(of_batch, output="bcoo")
    each = jax.vmap(elimax.jacobian(small, output="bcoo"))
    x = jnp.linspace(0.1, 2.0, BATCH * 8).reshape(BATCH, 8)
    return {"elimax": lambda x: one(x).data, "vmap of elimax": lambda x: each(x).data}, x


OTHERS: dict[str, Callable[[], tuple[dict[str, Callable[[Any], Any]], Any]]] = {
    **{f"{name}, dense": _dense(name) for name in DENSE},
    "arrowhead, n = 1e4, dense": _arrow("dense"),
    "arrowhead, n = 1e4, bcoo": _arrow("bcoo"),
    f"batch of {BATCH:,} functions of 8 unknowns, values": _batch,
    **HESSIANS,
}
"""Each row by name."""
