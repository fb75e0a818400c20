"""Jacobians in the body of a loop: a damped Newton-like step, and sensitivities carried along a Runge-Kutta method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.jacobians import machine_code
from benchmarks.jacobians.rows import BOUND, OURS, Row, difference, timed
from benchmarks.jacobians.scalar import TASKS

import elimax
from elimax import zoo

TURNS = 1000
NEWTON_TASKS, NEWTON_BATCHES = TASKS, (1, 8, 64)
RUNGE_TASKS, RUNGE_BATCHES = ("robertson", "hires", "rk4_pendulum"), (1, 1000)
STEP = 1e-4

TOGETHER, FUSED = "value_and_jacobian", "fuse"
"""Variants beside `elimax.jacobian`: value and Jacobian in one call, and that with `elimax.fuse` around the loop."""

Both = Callable[..., Callable[..., tuple[Any, Any]]]
"""From a function and argnums to a function that returns its value and Jacobian."""


def written_apart(maker: Callable[..., Any]) -> Both:
    """Value and Jacobian as users of jacfwd, jacrev or elimax.jacobian write them."""

    def both(fun: Callable[..., Any], argnums: Any = 0) -> Callable[..., tuple[Any, Any]]:
        jacobian = maker(fun, argnums)
        return lambda *args: (fun(*args), jacobian(*args))

    return both


def with_known(blocks: list[jax.Array]) -> Both:
    """The value, and arrays in place of the Jacobian: what is left of a step if a Jacobian cost nothing and were
    written apart from the value.

    Args:
      blocks: as many as the Jacobian has.
    """

    def both(fun: Callable[..., Any], argnums: Any = 0) -> Callable[..., tuple[Any, Any]]:
        def known(*args: Any) -> tuple[Any, Any]:
            tree = jax.tree.structure(jax.eval_shape(jax.jacfwd(fun, argnums), *args))
            return fun(*args), jax.tree.unflatten(tree, blocks)

        return known

    return both


def blocks_like(make: Callable[[Both], Callable[..., Any]], args: tuple[Any, ...], batch: int) -> list[jax.Array]:
    """Arrays of the shapes of the Jacobian of a step, whose products with each other stay small.

    Args:
      make: from `Both` to the loop.
      args: arguments of the loop, with a batch axis in front where the batch is larger than 1.
      batch: number of points.
    """
    shapes: list[Any] = []

    def noted(fun: Callable[..., Any], argnums: Any = 0) -> Callable[..., tuple[Any, Any]]:
        evaluate = written_apart(jax.jacfwd)(fun, argnums)

        def both(*args: Any) -> tuple[Any, Any]:
            value, blocks = evaluate(*args)
            shapes[:] = [(x.shape, x.dtype) for x in jax.tree.leaves(blocks)]
            return value, blocks

        return both

    point = args if batch == 1 else tuple(x[0] for x in args)
    jax.eval_shape(make(noted), *point)
    front = () if batch == 1 else (batch,)
    return [jnp.full((*front, *shape), 1.0 / max((*shape, 1)), dtype) for shape, dtype in shapes]


def newton(problem: zoo.Problem, both: Both) -> Callable[..., Any]:
    """Many such steps, each with all of J and r = f(x), to the directions of the last one."""
    move = newton_step(problem, both)
    numbers = (problem.argnums,) if isinstance(problem.argnums, int) else tuple(problem.argnums)

    def run(*args: Any) -> Any:
        # Points hardly move, so that they alone would agree whatever the Jacobian: directions are compared as well.
        start = (args, [jnp.zeros_like(args[number]) for number in numbers])
        return jax.lax.scan(lambda carry, _: (move(carry[0]), None), start, None, length=TURNS)[0][1]

    return run


def newton_step(problem: zoo.Problem, both: Both) -> Callable[..., Any]:
    """A step of size J' r, divided by the squares of columns; a short one, so that points stay where they are and
    every variant does the same work."""
    numbers = (problem.argnums,) if isinstance(problem.argnums, int) else tuple(problem.argnums)
    evaluate = both(problem.fun, numbers)

    def move(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
        residuals, blocks = map(jax.tree.leaves, evaluate(*args))
        moved, directions = list(args), []
        for place, number in enumerate(numbers):
            x = args[number]
            slope = scale = jnp.zeros_like(x)
            for r, block in zip(residuals, blocks[place :: len(numbers)], strict=True):
                axes = tuple(range(r.ndim))
                slope = slope + jnp.sum(block * r.reshape(r.shape + (1,) * x.ndim), axes)
                scale = scale + jnp.sum(block * block, axes)
            directions.append(slope / (1 + scale))
            moved[number] = x - jnp.asarray(1e-6, x.dtype) * directions[-1]
        return tuple(moved), directions

    return move


def runge(name: str, problem: zoo.Problem, both: Both) -> Callable[..., Any]:
    """State and its derivative by the initial state after many steps."""
    turn = runge_step(name, problem, both)

    def run(state: Any, *rest: Any) -> Any:
        start = (state, jnp.eye(state.shape[0], dtype=state.dtype))
        return jax.lax.scan(lambda carry, _: (turn(*carry, *rest), None), start, None, length=TURNS)[0]

    return run


def runge_step(name: str, problem: zoo.Problem, both: Both) -> Callable[..., Any]:
    """One Jacobian of a whole step, and its product with the derivative so far."""
    if name == "rk4_pendulum":
        from elimax.zoo.pendulum import velocity
    else:
        velocity = problem.fun

    def advance(state: Any, *rest: Any) -> Any:
        k1 = velocity(state, *rest)
        k2 = velocity(state + 0.5 * STEP * k1, *rest)
        k3 = velocity(state + 0.5 * STEP * k2, *rest)
        k4 = velocity(state + STEP * k3, *rest)
        return state + (STEP / 6.0) * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    evaluate = both(advance)

    def turn(state: Any, sensitivity: Any, *rest: Any) -> tuple[Any, Any]:
        # a product written out: that of two small matrices is a call of its own, for every variant alike
        state, block = evaluate(state, *rest)
        return state, jnp.sum(block[:, :, None] * sensitivity[None], 1)

    return turn


def measure(kind: str, name: str, dtype: str, batch: int, share: float) -> Row:
    """One case.

    Args:
      kind: ``"newton"`` or ``"runge"``.
      name: of the problem.
      dtype: of its arguments.
      batch: number of points, side by side in one loop.
      share: seconds for the case.
    """
    problem = zoo.get(name, dtype=dtype)
    rng = np.random.default_rng(0)
    args = tuple(
        jnp.asarray(np.asarray(x) * (1 + 0.01 * rng.uniform(-1, 1, (batch, *np.shape(x)))), x.dtype)
        for x in problem.args
    )
    if batch == 1:
        args = tuple(x[0] for x in args)
    variants = {}
    ways = {mode: written_apart(maker) for mode, maker in (("jacfwd", jax.jacfwd), ("jacrev", jax.jacrev))}
    ways |= {OURS: written_apart(elimax.jacobian), TOGETHER: elimax.value_and_jacobian}
    ways[FUSED] = elimax.value_and_jacobian
    make = functools.partial(newton, problem) if kind == "newton" else functools.partial(runge, name, problem)
    for mode, both in ways.items():
        run = elimax.fuse(make(both)) if mode == FUSED else make(both)
        compiled = jax.jit(run if batch == 1 else jax.vmap(run))
        variants[mode] = lambda compiled=compiled: compiled(*args)
    known = blocks_like(make, args, batch)

    def reached(blocks: list[jax.Array], args: tuple[Any, ...]) -> Any:
        return make(with_known(blocks))(*args)

    bound = jax.jit(reached if batch == 1 else jax.vmap(reached))
    variants[BOUND] = lambda: bound(known, args)
    expected = jax.tree.leaves(variants["jacfwd"]())
    error = max(difference(jax.tree.leaves(variants[mode]()), expected) for mode in (OURS, TOGETHER, FUSED))
    notes = [f"{TURNS} turns", *machine_code.add(variants, in_c(kind, name, problem, args, batch), expected)]
    return timed((kind, name, dtype, batch), variants, share, "; ".join(notes), error)


def in_c(kind: str, name: str, problem: zoo.Problem, args: tuple[Any, ...], batch: int) -> Callable[[], Any] | None:
    """The same loop in C, around the program of a step that elimax emits; None where there is none."""
    plain = functools.partial(elimax.value_and_jacobian, form="plain")
    if kind == "newton":
        step = newton_step(problem, plain)
        call = machine_code.repeated(lambda *xs: step(xs), args, batch, TURNS)
        return None if call is None else lambda: call()[len(args) :]
    state, *rest = args
    eye = np.eye(state.shape[-1], dtype=state.dtype)
    start = (state, eye if batch == 1 else np.broadcast_to(eye, (batch, *eye.shape)), *rest)
    return machine_code.repeated(runge_step(name, problem, plain), start, batch, TURNS)
