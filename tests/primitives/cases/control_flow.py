"""Branches, loops, maps, nested transformations."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import ode

from tests.primitives.harness import Case

X = jnp.array([0.3, -1.7, 2.5])
Y = jnp.array([1.1, 0.4, -0.7])
S = jnp.array(0.7)
XS = jnp.sin(jnp.arange(8.0)).reshape(4, 2)


@jax.jit
def _part(a):
    return jnp.tanh(a) * a


def _pendulum(state, dt):
    theta, omega = state[0], state[1]
    return jnp.stack([theta + dt * omega, omega - dt * jnp.sin(theta)])


def _newton(x):
    def step(carry):
        y, i = carry
        return y - (y**3 - x) / (3 * y**2), i + 1

    return lax.while_loop(lambda c: c[1] < 6, step, (jnp.ones_like(x), 0))[0]


CASES = {
    "cond": Case(lambda x, y: lax.cond(x[0] > 0, lambda a, b: a * b, lambda a, b: a + b, x, y), X, Y),
    "cond not taken": Case(lambda x, y: lax.cond(x[1] > 0, lambda a, b: a * b, lambda a, b: a - b * b, x, y), X, Y),
    "cond with closures": Case(lambda x, y: lax.cond(y[0] > 0, lambda: jnp.sin(x) * y, lambda: y), X, Y),
    "cond of trees": Case(
        lambda x, y: lax.cond(x[0] > 0, lambda t: {"a": t[0] * t[1]}, lambda t: {"a": t[1]}, (x, y)), X, Y
    ),
    "cond with a constant branch": Case(lambda x: lax.cond(x[1] > 0, lambda a: a * 2, jnp.ones_like, x), X),
    "cond with an integer output": Case(lambda x: lax.cond(x[0] > 0, lambda a: (a * 2, 1), lambda a: (a, 0), x), X),
    "cond nested": Case(
        lambda x: lax.cond(x[0] > 0, lambda a: lax.cond(a[1] > 0, jnp.sin, jnp.cos, a), lambda a: jnp.exp(a), x),
        X,
    ),
    "cond with a constant predicate": Case(lambda x: lax.cond(True, jnp.sin, jnp.cos, x), X),
    "switch": Case(lambda x, y: lax.switch(jnp.argmax(x), [jnp.multiply, jnp.add, lambda a, b: a * a * b], x, y), X, Y),
    "select_and_cond": Case(lambda x: jnp.where(x > 0, lax.cond(x[0] > 0, jnp.exp, jnp.sin, x), x), X),
    "scan": Case(lambda x, xs: lax.scan(lambda c, a: (jnp.sin(c) * a, c + a), x[:2], xs), X, XS),
    "scan reversed": Case(lambda x, xs: lax.scan(lambda c, a: (c * a + 0.1, c), x[:2], xs, reverse=True), X, XS),
    "scan with a constant": Case(lambda x, y: lax.scan(lambda c, _: (c * y, None), x, None, length=3)[0], X, Y),
    "scan without carry": Case(lambda xs: lax.scan(lambda c, a: (c, jnp.sin(a)), None, xs)[1], XS),
    "scan with an integer carry": Case(
        lambda x: lax.scan(lambda c, _: ((c[0] + 1, c[1] * c[0]), c[1]), (1, x), None, length=3), X
    ),
    "scan unrolled": Case(lambda x: lax.scan(lambda c, _: (jnp.sin(c), c), x, None, length=4, unroll=2)[1], X),
    "scan of length zero": Case(lambda x: lax.scan(lambda c, a: (c * a, c), x[0], x[:0])[0], X),
    "scan nested": Case(
        lambda x, xs: lax.scan(lambda c, a: (lax.scan(lambda d, b: (d * b + a[0], None), c, a)[0], c), x[0], xs),
        X,
        XS,
    ),
    "scan with dynamic indexing": Case(
        lambda x: lax.scan(lambda c, i: (c.at[i].add(c[i - 1] ** 2), None), x, jnp.arange(3))[0], X
    ),
    "while": Case(lambda x: lax.while_loop(lambda c: jnp.sum(c**2) < 50.0, lambda c: c * 1.5 + 0.1, x), X),
    "while with a counter": Case(_newton, X**2 + 1),
    "while with a constant": Case(
        lambda x, y: lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * y, c[1] + 1), (x, 0))[0], X, Y
    ),
    "while that never runs": Case(lambda x: lax.while_loop(lambda c: jnp.sum(c) > 1e9, lambda c: c * 2, x), X),
    "fori": Case(lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * (i + 1.0), x), X),
    "fori with a traced bound": Case(lambda x: lax.fori_loop(0, jnp.argmax(x) + 1, lambda i, c: c * c, x), X),
    "map": Case(lambda xs: lax.map(lambda a: jnp.sin(a) * a[0], xs), XS),
    "map in batches": Case(lambda xs: lax.map(lambda a: jnp.sin(a) * a[0], xs, batch_size=3), XS),
    "vmap": Case(lambda xs, y: jax.vmap(lambda a: jnp.dot(a, y[:2]))(xs), XS, Y),
    "vmap with collectives": Case(
        lambda xs: jax.vmap(lambda a: a / lax.psum(a, "i") + lax.axis_index("i"), axis_name="i")(xs), XS
    ),
    "jit": Case(lambda x: jax.jit(lambda a: jnp.sin(a) * a)(x) * x, X),
    "jit nested": Case(lambda x: jax.jit(lambda a: jax.jit(jnp.cumsum)(a) * a)(x), X),
    "jit called twice": Case(lambda x, y: _part(x) * _part(y) + _part(x), X, Y),
    "jit with several results": Case(lambda x, y: jax.jit(lambda a, b: (a * b, a, b))(x, y), X, Y),
    "jit with unused arguments": Case(lambda x, y: jax.jit(lambda a, b: a * 2)(x, y), X, Y),
    "remat": Case(jax.checkpoint(lambda x: jnp.sin(jnp.sin(x)) * x), X),
    "remat of a scan": Case(
        lambda x, xs: lax.scan(jax.checkpoint(lambda c, a: (jnp.sin(c * a), c)), x[:2], xs)[0], X, XS
    ),
    "pendulum": Case(lambda x, dt: lax.fori_loop(0, 4, lambda i, s: _pendulum(s, dt), x[:2]), X, S),
    "named_call": Case(lambda x: jax.named_call(jnp.sin, name="part")(x) * x, X),
    "named_scope": Case(lambda x: jax.named_scope("part")(jnp.cos)(x) * x, X),
    "grad inside": Case(lambda x: jax.grad(lambda a: jnp.sum(jnp.sin(a) ** 3))(x), X),
    "jvp inside": Case(lambda x, y: jax.jvp(jnp.sin, (x,), (y,)), X, Y),
    "vjp inside": Case(lambda x, y: jax.vjp(jnp.cumprod, x)[1](y)[0], X, Y),
    "jacfwd inside": Case(lambda x: jax.jacfwd(lambda a: a * a[0])(x), X),
    "linearize inside": Case(lambda x, y: jax.linearize(jnp.cumprod, x)[1](y), X, Y),
    "odeint": Case(
        lambda y, k: ode.odeint(lambda s, t, p: -p * s, y, jnp.array([0.0, 0.3]), k, rtol=1e-3),
        X[:2],
        S,
        wrap=False,
    ),
    "partial": Case(functools.partial(lambda n, x: x**n, 3), X),
}
