"""Random programs of loops and branches: within each other, under `jax.vmap`, with carries of several dtypes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


@jax.custom_jvp
def softened(x):
    return jnp.logaddexp(x, jnp.zeros_like(x))


softened.defjvp(lambda p, t: (softened(p[0]), t[0] * jax.nn.sigmoid(p[0])))

MATRIX = np.random.default_rng(5).normal(size=(3, 3)) * 0.4

LINEAR: tuple[Callable[[Any, Any], Any], ...] = (
    lambda a, b: a + b,
    lambda a, b: a * 0.5 + b * 0.3,
    lambda a, b: a - 0.2 * b,
    lambda a, b: 0.9 * a,
    lambda a, b: jnp.asarray(MATRIX[: a.shape[0], : a.shape[0]], a.dtype) @ a + b,
)
CURVED: tuple[Callable[[Any, Any], Any], ...] = (
    lambda a, b: a * b,
    lambda a, b: jnp.sin(a) + b,
    lambda a, b: jnp.tanh(a) * b,
    lambda a, b: a / (1 + b * b),
    lambda a, b: jnp.sqrt(jnp.abs(a) + 0.1) * b,
    lambda a, b: jnp.where(a > b, a, b * 0.9),
    lambda a, b: jnp.maximum(a, b) - 0.3 * a,
    lambda a, b: softened(a) - 0.3 * b,
)


def random_program(seed: int) -> tuple[str, Callable[..., Any], int]:
    """The kind of a program, a function of two vectors, and their length."""
    draw = random.Random(seed)
    kind = draw.choice(list(KINDS))
    pool = LINEAR if draw.random() < 0.4 else LINEAR + CURVED
    ops = [draw.choice(pool) for _ in range(5)]
    turns, reverse, length = draw.choice([0, 1, 2, 5, 9]), draw.random() < 0.5, draw.choice([1, 2, 3])

    def body(state: Any, x: Any, p: Any) -> Any:
        a, b = state
        first = ops[0](a, p)
        second = ops[1](b, ops[2](x, p)) if draw_other else ops[1](b, first)
        return 0.7 * ops[3](first, x) + 0.1 * x, 0.5 * ops[4](second, p)

    draw_other = draw.random() < 0.5

    def fun(p: Any, x: Any) -> Any:
        return KINDS[kind](body, (x * 0.5, p * 0.3 + x * 0.1), x, p, turns, reverse)

    return kind, fun, length


def _scan(body, s, x, p, turns, reverse):
    return lax.scan(lambda s, _: (body(s, x, p), None), s, None, length=turns)[0]


def _until(body, s, x, p, turns, reverse):
    goes = lambda c: (c[0] < turns + 3) & (jnp.sum(c[1][0]) ** 2 < 4.0)  # noqa: E731
    return lax.while_loop(goes, lambda c: (c[0] + 1, body(c[1], x, p)), (0, s))[1]


def _count(p, turns):
    return jnp.sum(jnp.abs(lax.stop_gradient(p)) * 3).astype(int) % 7 + turns


def _dynamic(body, s, x, p, turns, reverse):
    return lax.fori_loop(0, _count(p, turns), lambda i, s: body(s, x + i.astype(x.dtype) * 0.1, p), s)


def _repeated(body, s, x, p, turns, reverse):
    return lax.fori_loop(0, _count(p, turns), lambda i, s: body(s, x, p), s)


def _branch_in_scan(body, s, x, p, turns, reverse):
    def turn(s, k):
        stay = lambda s: (s[0] * 1.1, s[1] + p)  # noqa: E731
        return lax.cond(jnp.sum(s[0]) + k > 1.0, lambda s: body(s, x, p), stay, s), s[0]

    return lax.scan(turn, s, jnp.arange(turns).astype(x.dtype) * 0.3, reverse=reverse)


def _scan_in_while(body, s, x, p, turns, reverse):
    twice = lambda s: lax.scan(lambda s, _: (body(s, x, p), None), s, None, length=2)[0]  # noqa: E731
    return lax.while_loop(lambda c: c[0] < turns, lambda c: (c[0] + 1, twice(c[1])), (0, s))[1]


def _nested(body, s, x, p, turns, reverse):
    grid = jnp.linspace(0.0, 1.0, 3).astype(x.dtype)
    inner = lambda s, _: lax.scan(lambda s, k: (body(s, x * k, p), s[1]), s, grid, reverse=reverse)  # noqa: E731
    return lax.scan(inner, s, None, length=turns)


def _while_in_branch(body, s, x, p, turns, reverse):
    grown = lambda s: (s[0] * 1.5 + 0.2 * p**2 + 0.1, body(s, x, p)[1])  # noqa: E731
    loop = lambda s: lax.while_loop(lambda s: jnp.sum(s[0] ** 2) < 3.0, grown, s)  # noqa: E731
    return lax.cond(jnp.sum(p) > 0, loop, lambda s: body(s, x, p), s)


def _slices(body, s, x, p, turns, reverse):
    rows = jnp.outer(jnp.arange(1, turns + 1).astype(x.dtype), x)

    def turn(c, row):
        s, k = c
        return (body(s, row[0], p), k + row[1]), (s[0] * p, k)

    (s, k), ys = lax.scan(turn, (s, 0), (rows, jnp.arange(turns)), reverse=reverse)
    return s, ys[0], k.astype(x.dtype) * x


def _broken(body, s, x, p, turns, reverse):
    def turn(c, _):
        s, done, k = c
        after = body(s, x, p)
        kept = jax.tree.map(lambda new, old: jnp.where(done, old, new), after, s)
        return (kept, done | (jnp.sum(kept[0]) > 0.8), k + 1), None

    return lax.scan(turn, (s, jnp.asarray(False), 0), None, length=turns)[0][0]


def _points_until(body, s, x, p, turns, reverse):
    def one(scale):
        goes = lambda c: (c[1] < turns + 2) & (jnp.sum(c[0][0]) < 2.0)  # noqa: E731
        return lax.while_loop(goes, lambda c: (body(c[0], x * scale, p), c[1] + 1), (s, 0))[0]

    return jax.vmap(one)(jnp.asarray([0.1, 1.0, -2.0, 30.0]).astype(x.dtype))


def _points_counted(body, s, x, p, turns, reverse):
    counts = jnp.asarray([0, 1, turns, 3 * turns]) + _count(p, 0)
    return jax.vmap(lambda n, k: lax.fori_loop(0, n, lambda i, s: body(s, x * k, p), s), (0, 0))(
        counts, jnp.asarray([0.1, 1.0, -2.0, 0.5]).astype(x.dtype)
    )


def _points_in_loop(body, s, x, p, turns, reverse):
    counts = jnp.arange(x.shape[0]) * 2
    each = jax.vmap(lambda a, x, n: lax.fori_loop(0, n, lambda i, a: a * jnp.cos(x) + 0.1, a))
    return lax.fori_loop(0, turns, lambda i, s: body((each(s[0], x, counts), s[1]), x, p), s)


def _loop_in_branch_in_loop(body, s, x, p, turns, reverse):
    def turn(i, s):
        many = lambda s: lax.fori_loop(0, 3, lambda k, s: body(s, x, p), s)  # noqa: E731
        return lax.cond((i % 2 == 0) & (jnp.sum(s[1]) < 1.0), many, lambda s: (s[1], s[0]), s)

    return lax.fori_loop(0, turns, turn, s)


def _flags(body, s, x, p, turns, reverse):
    """Integers and truth values decide, and are results."""

    def turn(c):
        k, odd, s = c
        after = body(s, x, p)
        return k + 1, ~odd, jax.tree.map(lambda u, v: jnp.where(odd, u, v), after, (s[0] * 0.8, s[1]))

    k, odd, s = lax.while_loop(lambda c: (c[0] < turns) | c[1], turn, (0, jnp.asarray(False), s))
    return s, jnp.where(odd, x, p) * k.astype(x.dtype)


PARTS = (
    _scan, _until, _dynamic, _repeated, _branch_in_scan, _scan_in_while, _nested, _while_in_branch, _slices, _broken,
    _points_until, _points_counted, _points_in_loop, _loop_in_branch_in_loop, _flags,
)  # fmt: skip
KINDS: dict[str, Callable[..., Any]] = {part.__name__.strip("_"): part for part in PARTS}
