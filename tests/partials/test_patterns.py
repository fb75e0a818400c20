"""Programs with structured Jacobians: the pattern found at trace time is the true one, and its values are JAX's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax

N = 24
VECTOR, ROWS = (N,), (6, 4)
RNG = np.random.default_rng(0)
TAILS = RNG.integers(0, N, 40)
HEADS = (TAILS + RNG.integers(1, N, 40)) % N
WEIGHTS = RNG.normal(size=(4, 4))
STENCIL = np.array([1.0, -2.0, 1.0])
TREE = jnp.tril(jnp.ones((4, 4))) + jnp.eye(4)


def arrow(x):
    return (x**2 + x[0] * x.at[0].set(1.0)).at[0].set(x @ x)


def window(kind, init):
    return lambda x: lax.reduce_window(x, init, kind, (3,), (1,), "SAME") * x


def spd(rows):
    return 3 * jnp.eye(3) + rows[:, :3, None] * rows[:, None, :3]


def determinants(matrices):
    a, b, c = (matrices[:, k] for k in range(3))
    return sum(a[:, k] * (b[:, k - 2] * c[:, k - 1] - b[:, k - 1] * c[:, k - 2]) for k in range(3))


SHARP = {
    "rolls": (lambda x: jnp.roll(x, 1) - 2 * x + jnp.roll(x, -1) + x**2, VECTOR),
    "slices": (lambda x: (x[2:] - x[:-2]) * x[1:-1], VECTOR),
    "padding": (lambda x: jnp.pad(x, 1)[2:] - jnp.pad(x, 1)[:-2] + x**3, VECTOR),
    "padding by edges": (lambda x: jnp.pad(x, 1, mode="edge")[2:] * x, VECTOR),
    "padding by reflection": (lambda x: jnp.pad(x, 2, mode="reflect")[4:] * x, VECTOR),
    "boundary rows": (lambda x: jnp.concatenate([x[:1], x[1:-1] ** 2 - x[2:], x[-1:]]), VECTOR),
    "convolve": (lambda x: jnp.convolve(x**2, STENCIL, mode="same"), VECTOR),
    "image": (lambda x: lax.conv(x.reshape(1, 1, 6, 4), jnp.ones((1, 1, 3, 3)), (1, 1), "SAME") ** 2, VECTOR),
    "differences": (lambda x: jnp.diff(x, n=2) ** 2, VECTOR),
    "window sum": (window(lax.add, 0.0), VECTOR),
    "rows by a matrix": (lambda m: jnp.tanh(m @ WEIGHTS), ROWS),
    "vmap": (jax.vmap(lambda r: jnp.stack([r[0] * r[1], r[2] ** 2, r.sum()])), ROWS),
    "arrowhead": (arrow, VECTOR),
    "graph Laplacian": (lambda x: jax.ops.segment_sum(jnp.sin(x[TAILS] - x[HEADS]), HEADS, N), VECTOR),
    "attention by rows": (jax.vmap(lambda r: jax.nn.softmax(jnp.outer(r, r)) @ r), ROWS),
    "normalised rows": (lambda m: m / jnp.linalg.norm(m, axis=1, keepdims=True), ROWS),
    "scan over rows": (lambda m: lax.scan(lambda c, v: (c, jnp.tanh(WEIGHTS @ v)), 0.0, m)[1], ROWS),
    "loop over a diffusion": (
        lambda x: lax.fori_loop(0, 2, lambda i, y: y + 0.1 * (jnp.roll(y, 1) - y) ** 2, x),
        VECTOR,
    ),
    "steps of rows": (jax.vmap(lambda r: lax.fori_loop(0, 3, lambda i, y: y + jnp.sin(WEIGHTS @ y), r)), ROWS),
    "diagonal of a product": (lambda m: jnp.einsum("ij,ij->i", m, m), ROWS),
    "outer product": (lambda x: x[:5, None] * x[None, 5:9], VECTOR),
    "one column of each row": (lambda m: jnp.take_along_axis(m, jnp.full((6, 1), 2), 1) * m, ROWS),
    "checkpoint": (jax.checkpoint(lambda x: jnp.roll(jnp.sin(x), 1) * x), VECTOR),
    "determinants": (lambda m: determinants(spd(m)), ROWS),
    "batched solves": (lambda m: jnp.linalg.solve(spd(m), m[:, :3, None])[..., 0][:, 0] * m[:, 3], ROWS),
}
"""Programs whose pattern is known exactly."""

COVERED = {
    "largest of each row": (lambda m: m.max(axis=1), ROWS, N),
    "pooling": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID"), VECTOR, N),
    "overlapping maxima": (window(lax.max, -jnp.inf), VECTOR, 3 * N - 2),
    "branches by element": (lambda x: jnp.where(x > 0, jnp.roll(x, 1), x), VECTOR, 2 * N),
    "triangular solves": (
        lambda m: lax.linalg.triangular_solve(TREE, m.T, left_side=True, lower=True).T,
        ROWS,
        4 * N,
    ),
    "interpolation": (lambda x: jnp.interp(x, jnp.arange(5.0), jnp.arange(5.0) ** 2), VECTOR, N),
}
"""Programs whose pattern depends on values or on what a matrix holds, with the number of entries that may differ."""


def check(fun, shape, entries):
    x = RNG.normal(size=shape)
    block = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    np.testing.assert_allclose(block.todense(), jax.jacfwd(fun)(x), rtol=1e-9, atol=1e-12)
    assert block.nse == entries


@pytest.mark.parametrize("name", SHARP)
def test_the_pattern_is_exact(name):
    fun, shape = SHARP[name]
    jac = jax.jit(jax.jacfwd(fun))
    check(fun, shape, int(sum(np.asarray(jac(RNG.normal(size=shape))) != 0 for _ in range(3)).astype(bool).sum()))


@pytest.mark.parametrize("name", COVERED)
def test_the_pattern_covers_what_may_be(name):
    check(*COVERED[name])
