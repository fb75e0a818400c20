"""Jacobians of small scalar functions over a batch: as users write them, at their best layout, and against C.

Part "scalar" takes tasks as the zoo has them, most of them functions of several numbers with a Jacobian of as many
arrays as it has entries; part "vector" takes the same tasks as functions of one vector, from (B, n) to (B, m, n).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.jacobians import machine_code, sympy_code
from benchmarks.jacobians.rows import BOUND, OURS, Row, difference, timed, writing_zeros

import elimax
from elimax import zoo

TASKS = (
    "roe_flux_1d roe_flux_3d robot_arm_6dof human_heart_dipole propane_combustion black_scholes_jacobian lighthouse "
    "hole hires"
).split()
BATCHES = (1, 16, 1000, 100_000)
RIVALS = ("layouts", "c", "sympy")
"""What elimax is compared to beside JAX's two modes."""


VECTOR_TASKS = tuple(name for name in TASKS if name != "hires")
"""Tasks of several numbers; the other one has a vector anyway."""


def as_vector(problem: zoo.Problem) -> zoo.Problem:
    """A problem of several numbers as one of a vector of them, with a vector of all results."""
    fun = problem.fun

    def whole(x: jax.Array) -> jax.Array:
        return jnp.concatenate([jnp.ravel(y) for y in jax.tree.leaves(fun(*x))])

    return dataclasses.replace(problem, fun=whole, args=(np.stack(problem.args),), argnums=0)


def points(problem: zoo.Problem, batch: int) -> tuple[Any, ...]:
    """Arguments with a batch axis in front, up to 1 % around the example; without that axis for a batch of 1."""
    if batch == 1:
        return jax.tree.map(jnp.asarray, problem.args)
    rng = np.random.default_rng(0)

    def spread(leaf: Any) -> jax.Array:
        many = np.broadcast_to(leaf, (batch, *np.shape(leaf)))
        if many.dtype.kind != "f":
            return jnp.asarray(many)
        return jnp.asarray(many * (1 + 0.01 * rng.uniform(-1, 1, many.shape)), many.dtype)

    return jax.tree.map(spread, problem.args)


def measure(part: str, name: str, dtype: str, batch: int, share: float, rivals: tuple[str, ...] = RIVALS) -> Row:
    """One case.

    Args:
      part: "scalar" or "vector".
      name: of the problem in the zoo.
      dtype: of its arguments.
      batch: number of points; 1 means no batch axis.
      share: seconds for the case.
      rivals: some of `RIVALS`.
    """
    problem = zoo.get(name, dtype=dtype)
    problem = as_vector(problem) if part == "vector" else problem
    args = points(problem, batch)
    makers = {
        OURS: elimax.jacobian,
        "jacfwd": jax.jacfwd,
        "jacrev": jax.jacrev,
    }
    variants: dict[str, Callable[[], Any]] = {}
    for mode, maker in makers.items():
        jacobian = maker(problem.fun, problem.argnums)
        variants[mode] = _bound(jax.jit(jacobian if batch == 1 else jax.vmap(jacobian)), args)
    if "layouts" in rivals and batch > 1:
        last = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), args)
        for mode, maker in makers.items():
            options = {"layout": "batch-last"} if mode == OURS else {}
            jacobian = maker(problem.fun, problem.argnums, **options)
            variants[f"{mode}, last"] = _bound(jax.jit(jax.vmap(jacobian, out_axes=-1)), args)
            if any(np.ndim(x) for x in problem.args):
                variants[f"{mode}, all last"] = _bound(jax.jit(jax.vmap(jacobian, -1, -1)), last)
    results = variants["jacfwd"]()
    expected = jax.tree.leaves(results)
    error = difference(jax.tree.leaves(variants[OURS]()), expected)
    variants[BOUND] = writing_zeros(jax.tree.map(jax.typeof, results), args)
    notes: list[str] = []
    if "c" in rivals:
        notes += machine_code.add(variants, machine_code.compiled(problem, batch, args), expected)
    if "sympy" in rivals:
        fun, note = sympy_code.jacobian(name)
        if fun is None:
            notes.append(f"no SymPy: {note}")
        else:
            own = (lambda x: fun(*x)) if part == "vector" else fun
            whole = own if batch == 1 else jax.vmap(own)
            variants["SymPy"] = _bound(jax.jit(lambda *xs: whole(*xs)), args)
    return timed((part, name, dtype, batch), variants, share, "; ".join(notes), error)


def _bound(fun: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return lambda: fun(*args)
