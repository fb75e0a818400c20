"""Products: dot_general with and without batch dimensions, einsum, convolutions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from tests.primitives.harness import Case

A = jnp.sin(jnp.arange(6.0)).reshape(2, 3)
B = jnp.cos(jnp.arange(12.0)).reshape(3, 4)
X = jnp.array([0.3, -1.7, 2.5])
Y = jnp.array([1.1, 0.4, -0.7])
BA = jnp.sin(jnp.arange(12.0) * 0.7).reshape(2, 2, 3)
BB = jnp.cos(jnp.arange(12.0) * 0.3).reshape(2, 3, 2)
SIGNAL = jnp.sin(jnp.arange(14.0)).reshape(1, 2, 7)  # batch, channel, width
KERNEL = jnp.cos(jnp.arange(12.0)).reshape(2, 2, 3)  # out, in, width
IMAGE = jnp.sin(jnp.arange(40.0)).reshape(2, 4, 5, 1)  # NHWC
FILTER = jnp.cos(jnp.arange(8.0)).reshape(2, 2, 1, 2)  # HWIO


def _dot(contract, batch=((), ())):
    return lambda x, y: lax.dot_general(x, y, (contract, batch))


def _conv(**kwargs):
    defaults = {"window_strides": (1,), "padding": "VALID", "dimension_numbers": ("NCH", "OIH", "NCH")}
    return lambda x, k: lax.conv_general_dilated(x, k, **(defaults | kwargs))


CASES = {
    "dot of vectors": Case(jnp.dot, X, Y),
    "dot of a vector with itself": Case(lambda x: jnp.dot(x, x), X),
    "matrix times vector": Case(jnp.matmul, A, X),
    "vector times matrix": Case(jnp.matmul, X, B),
    "matrix times matrix": Case(jnp.matmul, A, B),
    "matrix times itself": Case(lambda m: m @ m, B[:, :3]),
    "matrix times its transpose": Case(lambda m: m @ m.T, A),
    "quadratic form": Case(lambda x, m: x @ m @ x, X, B[:, :3]),
    "constant matrix": Case(lambda x: A @ x, X),
    "constant matrix on the right": Case(lambda x: x @ B, A),
    "dot_general": Case(_dot(((1,), (0,))), A, B),
    "dot_general of first axes": Case(_dot(((0,), (0,))), A, jnp.ones((2, 4)) * A[:, :1]),
    "dot_general of two axes": Case(_dot(((1, 2), (2, 1))), BA, BB),
    "dot_general of no axes": Case(_dot(((), ())), X, A),
    "dot_general batched": Case(_dot(((2,), (1,)), ((0,), (0,))), BA, BB),
    "dot_general batched on other axes": Case(_dot(((0,), (2,)), ((2,), (1,))), BA, BB),
    "dot_general batched with itself": Case(lambda x: _dot(((1,), (1,)), ((0,), (0,)))(x, x), BA),
    "dot_general only batched": Case(_dot(((), ()), ((0,), (0,))), A, A**2),
    "dot_general in another result type": Case(
        lambda x, y: lax.dot_general(
            x.astype(jnp.float32), y.astype(jnp.float32), (((1,), (0,)), ((), ())), preferred_element_type=jnp.float64
        ),
        A,
        B,
        loose=2.0**29,
    ),
    "batched matmul with broadcasting": Case(jnp.matmul, BA, B[:, :2]),
    "outer": Case(jnp.outer, X, Y[:2]),
    "inner": Case(jnp.inner, A, X),
    "tensordot": Case(lambda x, y: jnp.tensordot(x, y, axes=[[1, 2], [2, 1]]), BA, BB),
    "vdot": Case(jnp.vdot, X, Y),
    "cross": Case(jnp.cross, X, Y),
    "einsum": Case(lambda x, y: jnp.einsum("bij,bjk->bik", x, y), BA, BB),
    "einsum with a diagonal": Case(lambda x: jnp.einsum("ii->i", x), B[:, :3]),
    "einsum of three": Case(lambda x, y, z: jnp.einsum("i,ij,j->", x, y, z), X, B[:, :3], Y),
    "einsum to a trace": Case(lambda x, y: jnp.einsum("ij,ji->", x, y), A, A.T + 1),
    "matrix_power": Case(lambda m: jnp.linalg.matrix_power(m, 3), B[:, :3]),
    "attention": Case(lambda q, k, v: jax.nn.softmax(q @ k.T / jnp.sqrt(3.0)) @ v, A, A * 2, A + 1),
    "convolve": Case(lambda x, k: jnp.convolve(x, k), SIGNAL[0, 0], X),
    "correlate same": Case(lambda x, k: jnp.correlate(x, k, mode="same"), SIGNAL[0, 0], X),
    "conv": Case(_conv(), SIGNAL, KERNEL),
    "conv of constants": Case(lambda x: _conv()(x, KERNEL), SIGNAL),
    "conv with strides": Case(_conv(window_strides=(2,)), SIGNAL, KERNEL),
    "conv with padding": Case(_conv(padding=((1, 2),)), SIGNAL, KERNEL),
    "conv with negative padding": Case(_conv(padding=((-1, 0),)), SIGNAL, KERNEL),
    "conv with kernel dilation": Case(_conv(rhs_dilation=(2,)), SIGNAL, KERNEL),
    "conv with input dilation": Case(_conv(lhs_dilation=(2,), padding=((0, 1),)), SIGNAL, KERNEL),
    "conv with feature groups": Case(_conv(feature_group_count=2), SIGNAL, KERNEL[:, :1]),
    "conv with batch groups": Case(
        _conv(batch_group_count=2), jnp.concatenate([SIGNAL[:, :1], SIGNAL[:, 1:]]), KERNEL[:, :1]
    ),
    "conv of images": Case(
        lambda x, k: lax.conv_general_dilated(x, k, (1, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        IMAGE,
        FILTER,
    ),
    "conv transposed": Case(
        lambda x, k: lax.conv_transpose(x, k, (2, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        IMAGE[:1, :2, :2],
        FILTER,
    ),
}
