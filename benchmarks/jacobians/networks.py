"""Networks: Jacobians of small ones for each example, and how long planning takes for large ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.jacobians.compiling import nothing_kept
from benchmarks.jacobians.rows import OURS, Row, timed

import elimax
from elimax.zoo.encoder import _block as encoder_block

NETWORKS = ("perceptron_32", "perceptron_128", "perceptron_256", "encoder_block")
LARGE = ("mlp_10x1024", "transformer_12")
BATCH = 1024
TOKENS, EMBEDDING = 8, 16
MAX_BYTES = 1_000_000_000
"""Batches are halved until the Jacobian fits."""


def perceptron(width: int, dtype: str) -> tuple[Callable[..., Any], Any, tuple[Any, ...]]:
    """A function of one example and weights, the shape of an example, and the weights: two layers, equal widths."""
    rng = np.random.default_rng(0)
    weights = tuple((rng.standard_normal((width, width)) / np.sqrt(width)).astype(dtype) for _ in range(2))
    biases = tuple((0.1 * rng.standard_normal(width)).astype(dtype) for _ in range(2))

    def fun(x: jax.Array, weights: Any, biases: Any) -> jax.Array:
        return weights[1] @ jnp.tanh(weights[0] @ x + biases[0]) + biases[1]

    return fun, (width,), (weights, biases)


def encoder(dtype: str) -> tuple[Callable[..., Any], Any, tuple[Any, ...]]:
    """The same of one block of an encoder, from a sequence to a sequence."""
    rng = np.random.default_rng(0)
    matrices = [(rng.standard_normal((EMBEDDING, EMBEDDING)) / np.sqrt(EMBEDDING)).astype(dtype) for _ in range(4)]
    vectors = [(1 + 0.1 * rng.standard_normal(EMBEDDING)).astype(dtype) for _ in range(3)]
    return encoder_block, (TOKENS, EMBEDDING), (*matrices, *vectors)


def measure(name: str, dtype: str, batch: int, share: float) -> Row:
    """Jacobians by the input, for each example of a batch."""
    kind, _, width = name.rpartition("_")
    fun, shape, weights = perceptron(int(width), dtype) if kind == "perceptron" else encoder(dtype)
    entries = np.prod(shape) ** 2 * np.dtype(dtype).itemsize
    while batch > 1 and batch * entries > MAX_BYTES:
        batch //= 2
    x = jnp.asarray(np.random.default_rng(1).standard_normal((batch, *shape)), dtype)
    weights = jax.tree.map(jnp.asarray, weights)
    variants = {}
    for mode, maker in ((OURS, elimax.jacobian), ("jacfwd", jax.jacfwd), ("jacrev", jax.jacrev)):
        compiled = jax.jit(jax.vmap(maker(fun), (0, *[None] * len(weights))))
        variants[mode] = lambda compiled=compiled: compiled(x, *weights)
    return timed(("network", name, dtype, batch), variants, share)


def mlp(dtype: str, layers: int = 10, width: int = 1024) -> tuple[Callable[..., Any], Any]:
    """Loss of a perceptron of many layers, and the shapes of its weights."""
    shape = jax.ShapeDtypeStruct((width, width), dtype)

    def loss(weights: Any) -> jax.Array:
        x = jnp.ones((width,), dtype)
        for weight in weights:
            x = jnp.tanh(weight @ x)
        return jnp.sum(x * x)

    return loss, [shape] * layers


def transformer(dtype: str, blocks: int = 12, width: int = 256, tokens: int = 64, heads: int = 4) -> tuple[Any, Any]:
    """Loss of a transformer of blocks of attention and perceptron, normalised before each, and its weights' shapes."""

    def normalised(x: jax.Array, gain: jax.Array) -> jax.Array:
        x = x - jnp.mean(x, -1, keepdims=True)
        return gain * x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5)

    def block(x: jax.Array, w: dict[str, jax.Array]) -> jax.Array:
        y = normalised(x, w["gain_1"])
        q, k, v = (jnp.reshape(y @ w[name], (tokens, heads, -1)) for name in ("query", "key", "value"))
        scores = jnp.einsum("shd,thd->hst", q, k) / (width // heads) ** 0.5
        mixed = jnp.einsum("hst,thd->shd", jax.nn.softmax(scores), v)
        x = x + jnp.reshape(mixed, (tokens, width)) @ w["out"]
        return x + jax.nn.gelu(normalised(x, w["gain_2"]) @ w["up"]) @ w["down"]

    def loss(weights: Any) -> jax.Array:
        x = jnp.sin(jnp.arange(tokens * width, dtype=dtype)).reshape(tokens, width)
        for w in weights:
            x = block(x, w)
        return jnp.mean(x * x)

    shapes = dict.fromkeys(("query", "key", "value", "out"), (width, width))
    shapes |= {"up": (width, 4 * width), "down": (4 * width, width), "gain_1": (width,), "gain_2": (width,)}
    one = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in shapes.items()}
    return loss, [one] * blocks


def planning(name: str, dtype: str) -> Row:
    """Seconds to trace and plan the gradient of a large network, the second time: code is loaded by then."""
    fun, weights = mlp(dtype) if name.startswith("mlp") else transformer(dtype)
    elimax.plan(*mlp(dtype, 2, 8))
    seconds = {}
    start = time.perf_counter()
    with nothing_kept():
        plan = elimax.plan(fun, weights)
    seconds[OURS] = time.perf_counter() - start
    start = time.perf_counter()
    jax.make_jaxpr(fun)(weights)
    seconds["trace"] = time.perf_counter() - start
    return Row("planning", name, dtype, 1, seconds, {}, None, str(plan.mode))
