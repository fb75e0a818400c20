"""Derivative rules that users gave, callbacks, effects, randomness."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.primitives.harness import Case

X = jnp.array([0.3, -1.7, 2.5])
Y = jnp.array([1.1, 0.4, -0.7])
KEY = jax.random.key(7)


@jax.custom_jvp
def triple_slope(x):
    return jnp.sin(x)


@triple_slope.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return triple_slope(x), 3 * jnp.cos(x) * t


@jax.custom_vjp
def reverse_only(x, y):
    return jnp.sin(x) * y


reverse_only.defvjp(
    lambda x, y: (reverse_only(x, y), (x, y)),
    lambda res, g: (5 * g * jnp.cos(res[0]) * res[1], 7 * g * jnp.sin(res[0])),
)


@jax.custom_vjp
def clipped_gradient(x):
    return x


clipped_gradient.defvjp(lambda x: (x, None), lambda _, g: (jnp.clip(g, -0.1, 0.1),))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def applied(f, x):
    return f(x)


@applied.defjvp
def _(f, primals, tangents):
    (x,), (t,) = primals, tangents
    return f(x), 2 * t


@jax.custom_jvp
def called_back(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")


@called_back.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    slope = jax.pure_callback(np.cos, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")
    return called_back(x), slope * t


CASES = {
    "custom_jvp": Case(triple_slope, X),
    "custom_jvp in a program": Case(lambda x, y: triple_slope(x * y) + jnp.cumsum(triple_slope(x)), X, Y),
    "custom_jvp under jit": Case(jax.jit(lambda x: triple_slope(x) * x), X),
    "custom_jvp under vmap": Case(jax.vmap(lambda x: triple_slope(x) * x), X),
    "custom_jvp in a scan": Case(lambda x: jax.lax.scan(lambda c, _: (triple_slope(c), c), x, None, length=3)[1], X),
    "custom_jvp with a function": Case(lambda x: applied(jnp.exp, x), X),
    "custom_vjp": Case(reverse_only, X, Y),
    "custom_vjp in a program": Case(lambda x, y: jnp.cumsum(reverse_only(x * 2, y)) * x, X, Y),
    "custom_vjp under jit": Case(jax.jit(lambda x, y: reverse_only(x, y) * x), X, Y),
    "custom_vjp of a gradient": Case(lambda x: jnp.sum(clipped_gradient(x) * jnp.arange(3.0)), X, wrap=False),
    "pure_callback with a rule": Case(called_back, X),
    "pure_callback in a program": Case(lambda x: called_back(x * 2) * x, X),
    "pure_callback of constants": Case(
        lambda x: (
            jax.pure_callback(lambda: np.ones(3), jax.ShapeDtypeStruct((3,), x.dtype), vmap_method="sequential") * x
        ),
        X,
    ),
    "random normal scale": Case(lambda x: x * jax.random.normal(KEY, (3,)), X),
    "random split inside": Case(
        lambda x: sum(x * jax.random.uniform(k, (3,)) ** 2 for k in jax.random.split(KEY, 2)), X
    ),
    "reparametrised gamma": Case(lambda a: jax.random.gamma(KEY, a), X**2 + 1, wrap=False, loose=64),
    "categorical": Case(lambda x: jax.nn.one_hot(jax.random.categorical(KEY, x), 3) * x, X),
    "permutation": Case(lambda x: jax.random.permutation(KEY, x), X),
    "straight-through": Case(lambda x: x + jax.lax.stop_gradient(jnp.round(x) - x), X),
    "stop_gradient inside": Case(lambda x, y: jax.lax.stop_gradient(x * y) * y, X, Y),
    "gradient of a gradient of custom_jvp": Case(lambda x: jax.jacfwd(triple_slope)(x), X, wrap=False),
}
