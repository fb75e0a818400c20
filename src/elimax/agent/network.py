"""A graph network: a logit for every vertex and one value, whatever the number of vertices and however numbered."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from elimax.agent.features import GLOBAL, PLAIN, WIDTH, View, symexp

Linear = dict[str, jax.Array]
Params = dict[str, Linear]

HIGHEST_VALUE = 14.0
"""Largest logarithm of a remaining cost that the value head can say."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Size of a network.

    Attributes:
      width: D, numbers per vertex.
      layers: rounds of messages along edges.
    """

    width: int = 32
    layers: int = 2


class Judgement(NamedTuple):
    """What the network says of a position.

    Attributes:
      logits: float32 [N] of the policy; a large negative number where a vertex cannot be eliminated.
      excess: float32 [] the remaining cost above its lower bound, in units of the board, on the scale of `symlog`.
      remaining: float32 [] the remaining cost.
    """

    logits: jax.Array
    excess: jax.Array
    remaining: jax.Array


ILLEGAL = -1e9


def new_params(key: jax.Array, shape: Shape) -> Params:
    """Random weights; the policy begins uniform, and indifferent to what only blocks have."""
    d = shape.width
    sizes = {"embed": (PLAIN, d), "embed2": (d, d)}
    for layer in range(shape.layers):
        sizes[f"message{layer}"] = (3 * d, d)
        sizes[f"update{layer}"] = (d, d)
    sizes |= {"context": (2 * d + GLOBAL, d), "policy": (2 * d, d), "logit": (d, 1), "value": (d, d), "excess": (d, 1)}
    keys = jax.random.split(key, len(sizes))
    params = {}
    for one, (name, (fan_in, fan_out)) in zip(keys, sizes.items(), strict=True):
        scale = {"logit": 0.01, "excess": 0.1}.get(name, 1.0) * (2.0 / fan_in) ** 0.5
        weight = scale * jax.random.normal(one, (fan_in, fan_out), jnp.float32)
        params[name] = {"w": weight, "b": jnp.zeros((fan_out,), jnp.float32)}
    params["embed"]["w"] = jnp.pad(params["embed"]["w"], ((0, WIDTH - PLAIN), (0, 0)))
    return params


def _linear(layer: Linear, x: jax.Array) -> jax.Array:
    return x @ layer["w"] + layer["b"]


def _normed(x: jax.Array) -> jax.Array:
    """Scaled to root mean square one over the last axis."""
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6)


def shape_of(params: Params) -> Shape:
    """The size of the network that weights belong to."""
    return Shape(params["embed"]["w"].shape[1], sum(name.startswith("message") for name in params))


def judge(params: Params, seen: View) -> Judgement:
    """Policy and value of a position.

    Each round a vertex takes in the means of its sources and of its targets. The value is relative to the lower bound
    on what is left, so that positions near the optimum are told apart.

    Args:
      params: the weights.
      seen: the features.

    Returns:
      The judgement.
    """
    up = 1.0 / (1.0 + seen.edges.sum(1))[:, None]
    down = 1.0 / (1.0 + seen.edges.sum(0))[:, None]
    h = _linear(params["embed2"], jax.nn.relu(_linear(params["embed"], seen.vertices)))
    for layer in range(shape_of(params).layers):
        n = _normed(h)
        mixed = jnp.concatenate([n, (seen.edges.T @ n) * down, (seen.edges @ n) * up], -1)
        h = h + _linear(params[f"update{layer}"], jax.nn.relu(_linear(params[f"message{layer}"], mixed)))
    h = jax.nn.relu(_normed(h))
    here = seen.left.astype(jnp.float32)[:, None]
    mean = (h * here).sum(0) / jnp.maximum(here.sum(), 1.0)
    most = (h * here).max(0)
    context = jax.nn.relu(_linear(params["context"], jnp.concatenate([mean, most, seen.whole])))
    both = jnp.concatenate([h, jnp.broadcast_to(context, h.shape)], -1)
    logits = _linear(params["logit"], jax.nn.relu(_linear(params["policy"], both)))[:, 0]
    logits = jnp.where(seen.left, logits, jnp.float32(ILLEGAL))
    head = _linear(params["excess"], jax.nn.relu(_linear(params["value"], context)))[0]
    # The sum of the present costs is the natural size of what is left.
    excess = jnp.clip(head + 0.5 * seen.whole[1], -1.0, HIGHEST_VALUE)
    over = ~seen.left.any()
    remaining = jnp.where(over, 0.0, seen.unit * jnp.maximum(seen.floor + symexp(excess), 0.0))
    return Judgement(logits, excess, remaining)


def num_weights(params: Params) -> int:
    """Number of weights."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
