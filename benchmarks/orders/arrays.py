"""Graphs of array programs: a perceptron, an encoder and a flux, with the shapes of the published tasks.

The formulas are those of the published programs, written anew and traced by elimax, so the graphs are near the
published ones but not the same: elimax joins operations that the published count keeps apart (the mean, a bias that
is broadcast, ...) and the other way round. Forward, reverse and greedy counts tell how near they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax import zoo
from elimax.execute import linearisation_for
from elimax.graph.types import Graph


def perceptron(
    x: jax.Array,
    target: jax.Array,
    weight_1: jax.Array,
    bias_1: jax.Array,
    weight_2: jax.Array,
    bias_2: jax.Array,
    gain: jax.Array,
    offset: jax.Array,
) -> jax.Array:
    """Two layers [4] -> [8] -> [4] of tanh units, the first one normalised, and the cross-entropy of the answer."""
    hidden = _normalise(jnp.tanh(weight_1 @ x + bias_1)) * gain + offset
    return _cross_entropy(jnp.tanh(weight_2 @ hidden + bias_2), target)


def encoder(x: jax.Array, target: jax.Array, *weights: jax.Array) -> jax.Array:
    """Two blocks of attention, normalisation and a feed-forward layer on a [4, 4] sequence, and the cross-entropy."""
    for query, key, value, weight, bias, gain, offset in (weights[:7], weights[7:]):
        scores = jax.nn.softmax((query @ x).T @ (key @ x), axis=1)
        normalised = _normalise(x + scores @ (value @ x)) * gain + offset
        fed = weight @ normalised + bias
        x = fed / (1.0 + jnp.exp(-fed))
    return jnp.sum(_cross_entropy(x, target))


def _normalise(x: jax.Array) -> jax.Array:
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-6)


def _cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    return -jnp.sum(target * jnp.log(jax.nn.softmax(logits, axis=-1)), axis=-1)


def _random(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [np.asarray(draw.standard_normal(shape)) for shape in shapes]


def graphs() -> dict[str, Graph]:
    """The graphs by the name of their published counterpart."""
    square, block = (4, 4), [(4, 4)] * 4
    flux = zoo.get("roe_flux_3d", vectors=True)
    return {
        "perceptron": _traced(perceptron, _random((4,), (4,), (8, 4), (8,), (4, 8), (4,), (), ())),
        "encoder": _traced(
            encoder,
            _random(square, (2, 4), *block, (4, 1), (), (), *block[:3], (2, 4), (2, 1), (), ()),
        ),
        "roe_flux_3d": _traced(flux.fun, list(flux.args)),
    }


def _traced(fun: Callable[..., Any], args: list[np.ndarray]) -> Graph:
    return linearisation_for(lambda *args: (jax.tree.leaves(fun(*args)), []), args, fun.__name__).graph
