"""Reductions, cumulative operations, sorting, windows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.primitives.harness import Case

V = jnp.array([0.3, -1.7, 2.5, 0.9, -0.4])
M = jnp.array([[0.3, -1.7, 2.55], [-0.1, 1.25, -3.25]])
T = jnp.sin(jnp.arange(24.0)).reshape(2, 3, 4)
Q = jnp.cos(jnp.arange(24.0) * 1.3).reshape(2, 2, 3, 2)
TIED = jnp.array([1.0, 2.0, 2.0, -1.0, 2.0])
ZEROS = jnp.array([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]])
IMAGE = jnp.sin(jnp.arange(20.0) * 0.9).reshape(4, 5)


def _window(op, init, **kwargs):
    return lambda x: lax.reduce_window(x, np.asarray(init, x.dtype), op, **kwargs)


_WINDOW = {"window_dimensions": (2, 3), "window_strides": (1, 2), "padding": "VALID"}
_PADDED = {"window_dimensions": (2, 2), "window_strides": (2, 1), "padding": ((1, 0), (0, 1))}

CASES = {
    "reduce_sum": Case(lambda x: jnp.sum(x), M),
    "reduce_sum of an axis": Case(lambda x: jnp.sum(x, 0), M),
    "reduce_sum of two of four axes": Case(lambda x: jnp.sum(x, (1, 3)), Q),
    "reduce_sum keepdims": Case(lambda x: x / jnp.sum(x, 1, keepdims=True), M),
    "reduce_sum of nothing": Case(lambda x: jnp.sum(x, ()), M),
    "reduce_max": Case(lambda x: jnp.max(x), M),
    "reduce_max of an axis": Case(lambda x: jnp.max(x, 1), M),
    "reduce_max of two of four axes": Case(lambda x: jnp.max(x, (0, 2)), Q),
    "reduce_max with ties": Case(lambda x: jnp.max(x), TIED),
    "reduce_min": Case(lambda x: jnp.min(x, 0), M),
    "reduce_min with ties": Case(lambda x: jnp.min(-x), TIED),
    "reduce_prod": Case(lambda x: jnp.prod(x), V),
    "reduce_prod of an axis": Case(lambda x: jnp.prod(x, 1), M),
    "reduce_prod of two of four axes": Case(lambda x: jnp.prod(x, (1, 2)), Q),
    "reduce_prod with zeros": Case(lambda x: jnp.prod(x, 1), ZEROS),
    "reduce_and": Case(lambda x: jnp.where(jnp.all(x > -9), x * x, x), M),
    "reduce_or": Case(lambda x: jnp.where(jnp.any(x > 9), x * x, x), M),
    "reduce with a computation": Case(lambda x: lax.reduce(x, jnp.array(0.0, x.dtype), lax.add, (1,)), M),
    "mean": Case(lambda x: jnp.mean(x, 1), M),
    "var": Case(lambda x: jnp.var(x, 0), M),
    "std": Case(lambda x: jnp.std(x, 1), M),
    "median": Case(lambda x: jnp.median(x), V),
    "quantile": Case(lambda x: jnp.quantile(x, 0.3), V),
    "average": Case(lambda x, w: jnp.average(x, 1, w), M, M[:, :] ** 2),
    "nansum": Case(jnp.nansum, M),
    "ptp": Case(lambda x: jnp.ptp(x, 1), M),
    "norm": Case(lambda x: jnp.linalg.norm(x), M),
    "norm of an axis": Case(lambda x: jnp.linalg.norm(x, axis=1), M),
    "norm of order 1": Case(lambda x: jnp.linalg.norm(x, 1, axis=0), M),
    "norm of order 3": Case(lambda x: jnp.linalg.norm(x, 3), V),
    "logsumexp": Case(lambda x: jax.scipy.special.logsumexp(x, 1), M),
    "logsumexp weighted": Case(lambda x, b: jax.scipy.special.logsumexp(x, b=b**2), V, V + 3),
    "argmax": Case(lambda x: (jnp.argmax(x, 1), x * 2), M),
    "argmin": Case(lambda x: x[jnp.argmin(x)] * x, V),
    "cumsum": Case(lambda x: jnp.cumsum(x), V),
    "cumsum of an axis": Case(lambda x: lax.cumsum(x, 1), T),
    "cumsum reversed": Case(lambda x: lax.cumsum(x, 0, reverse=True), M),
    "cumprod": Case(lambda x: jnp.cumprod(x), V),
    "cumprod reversed": Case(lambda x: lax.cumprod(x, 1, reverse=True), M),
    "cumprod with a zero": Case(lambda x: jnp.cumprod(x, 1), ZEROS),
    "cummax": Case(lambda x: lax.cummax(x, 0), V),
    "cummin": Case(lambda x: lax.cummin(x, 1), M),
    "cumlogsumexp": Case(lambda x: lax.cumlogsumexp(x, 0), V),
    "cumlogsumexp reversed": Case(lambda x: lax.cumlogsumexp(x, 1, reverse=True), M),
    "associative_scan": Case(lambda x: lax.associative_scan(jnp.multiply, x), V),
    "diff": Case(lambda x: jnp.diff(x, 2), V),
    "trapezoid": Case(lambda y, x: jnp.trapezoid(y, jnp.cumsum(x**2)), V, V + 2),
    "sort": Case(lambda x: lax.sort(x), V),
    "sort of an axis": Case(lambda x: lax.sort(x, dimension=0), M),
    "sort of two operands": Case(lambda x, y: lax.sort((x, y), num_keys=1), V, V**2),
    "sort by two keys": Case(lambda x, y: lax.sort((x, y), num_keys=2), TIED, V),
    "argsort": Case(lambda x: x[jnp.argsort(x)] * jnp.arange(5.0), V),
    "top_k": Case(lambda x: lax.top_k(x, 2)[0], M),
    "top_k with indices": Case(lambda x: lax.top_k(x, 3), V),
    "approx_max_k": Case(lambda x: lax.approx_max_k(x, 2)[0], V),
    "reduce_window_sum": Case(_window(lax.add, 0, **_WINDOW), IMAGE),
    "reduce_window_sum padded": Case(_window(lax.add, 0, **_PADDED), IMAGE),
    "reduce_window_sum dilated": Case(
        _window(lax.add, 0, window_dimensions=(2, 2), window_strides=(1, 1), padding="VALID", window_dilation=(2, 1)),
        IMAGE,
    ),
    "reduce_window_max": Case(_window(lax.max, -jnp.inf, **_WINDOW), IMAGE),
    "reduce_window_max padded": Case(_window(lax.max, -jnp.inf, **_PADDED), IMAGE),
    "reduce_window_min": Case(_window(lax.min, jnp.inf, **_WINDOW), IMAGE),
    "max pooling": Case(
        lambda x: lax.reduce_window(x, np.asarray(-np.inf, x.dtype), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"),
        T[..., None],
    ),
    "average pooling gradient": Case(
        lambda x: jax.grad(lambda y: jnp.sum(_window(lax.add, 0, **_WINDOW)(y) ** 2))(x), IMAGE
    ),
    "max pooling gradient": Case(
        lambda x: jax.grad(lambda y: jnp.sum(_window(lax.max, -jnp.inf, **_WINDOW)(y) ** 2))(x), IMAGE
    ),
}
