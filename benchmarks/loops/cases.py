"""What is measured: derivatives of loops that do not close; those that do are in `benchmarks.loops.closed`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.coarsening.cases import Case
from benchmarks.loops import integrators as ode

import elimax

BATCHES = (1, 4096)
STEPS, CHUNK = 10_000, 100


def kepler(mean: Any, eccentricity: Any) -> Any:
    """Eccentric anomaly by Newton's method until it moves no more."""

    def step(state: Any) -> Any:
        anomaly, _ = state
        change = (anomaly - eccentricity * jnp.sin(anomaly) - mean) / (1 - eccentricity * jnp.cos(anomaly))
        return anomaly - change, change

    return jax.lax.while_loop(lambda s: jnp.abs(s[1]) > 1e-13, step, (mean, jnp.ones_like(mean)))[0]


def uneven(x: Any) -> Any:
    """A loop of as few as one turn and as many as hundreds."""
    turn = lambda s: (s[0] * x + 1, jnp.sqrt(s[0] + s[1]) + 1 / x)  # noqa: E731
    return jax.lax.while_loop(lambda s: s[0] < 1e3, turn, (x, x))[1]


def cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    """Name of each row, and what makes it."""
    yield from _jacobians("kepler", kepler, (jnp.asarray(1.0), jnp.asarray(0.3)))
    fields = {
        "lotka_volterra": (ode.lotka_volterra, 2.0, jnp.array([1.0, 1.0]), jnp.array([1.5, 1.0, 1.0, 3.0])),
        "robertson": (ode.robertson, 0.02, jnp.array([1.0, 0.0, 0.0]), jnp.array([0.04, 1e4, 3e7])),
        "chain": (ode.chain, 2.0, jnp.linspace(0.5, 1.5, 6), jnp.linspace(0.3, 1.0, 8)),
    }
    for name, (field, end, y, p) in fields.items():
        yield from _jacobians(name, lambda y, p, f=field, t=end: ode.dormand_prince(f, y, p, t), (y, p))
    points = (jnp.linspace(1.01, 900.0, 4096),)
    yield "uneven turns", lambda: _jacobian("uneven turns", "batch 4096", jax.vmap, uneven, points)
    yield "runge_kutta", _steps


def _steps() -> Case:
    y, p = jnp.linspace(0.5, 1.5, 6), jnp.linspace(0.3, 1.0, 8)

    def loss(run: Any, *options: Any) -> Any:
        return lambda y, p: jnp.sum(run(ode.chain, y, p, STEPS, 1e-3, *options) ** 2)

    checkpointed = jax.grad(loss(ode.runge_kutta_checkpointed, CHUNK), (0, 1))
    plain = loss(ode.runge_kutta)
    coarse = elimax.coarsen(plain)
    return Case(
        "runge_kutta",
        f"{STEPS:,} steps",
        jax.grad(coarse, (0, 1)),
        {"reverse, checkpoint": checkpointed, "reverse": jax.grad(plain, (0, 1)), "forward": jax.jacfwd(plain, (0, 1))},
        checkpointed,
        (y, p),
        "reverse, checkpoint",
        elimax.plan(coarse, y, p, argnums=(0, 1)).coarsening,
    )


def _jacobians(name: str, fun: Any, args: tuple[Any, ...]) -> Iterator[tuple[str, Callable[[], Case]]]:
    for batch in BATCHES:
        spread = 1 + 0.1 * jnp.linspace(0.0, 1.0, batch)
        many = args if batch == 1 else tuple(x * spread.reshape(batch, *(1,) * x.ndim) for x in args)
        mapped = _same if batch == 1 else jax.vmap
        setting = f"batch {batch}"
        yield f"{name}, {setting}", functools.partial(_jacobian, name, setting, mapped, fun, many, args)


def _same(fun: Any) -> Any:
    return fun


def _jacobian(name: str, setting: str, mapped: Any, fun: Any, args: tuple[Any, ...], one: Any = None) -> Case:
    argnums = tuple(range(len(args)))
    example = one or tuple(x[0] if mapped is jax.vmap else x for x in args)
    decision = elimax.plan(fun, *example, argnums=argnums).mode
    forward = mapped(jax.jacfwd(fun, argnums))
    return Case(
        name, setting, mapped(elimax.jacobian(fun, argnums)), {"forward": forward}, forward, args, "forward", decision
    )
