"""A perceptron of two layers with normalised hidden units, and its loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype

_EPSILON = 1e-5


def loss(
    x: jax.Array,
    target: jax.Array,
    weight_1: jax.Array,
    bias_1: jax.Array,
    weight_2: jax.Array,
    bias_2: jax.Array,
    gain: jax.Array,
    offset: jax.Array,
) -> jax.Array:
    """Cross-entropy of the network's answer.

    Args:
      x: features [N].
      target: probabilities of the classes [C].
      weight_1: [H, N].
      bias_1: [H].
      weight_2: [C, H].
      bias_2: [C].
      gain: [H], of the normalisation of the hidden layer.
      offset: [H], of the normalisation of the hidden layer.

    Returns:
      The loss, [].
    """
    hidden = normalise(jnp.tanh(weight_1 @ x + bias_1)) * gain + offset
    logits = weight_2 @ hidden + bias_2
    return -jnp.sum(target * jax.nn.log_softmax(logits))


def normalise(x: jax.Array) -> jax.Array:
    """Shifts and scales the last axis to mean 0 and variance 1."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + _EPSILON)


def build(*, features: int = 4, hidden: int = 8, classes: int = 3, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``perceptron``.

    Args:
      features: number of inputs of the network.
      hidden: number of hidden units.
      classes: number of classes.
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    rng = np.random.default_rng(0)
    target = np.zeros(classes)
    target[0] = 1.0
    args = (
        rng.standard_normal(features),
        target,
        rng.standard_normal((hidden, features)) / np.sqrt(features),
        0.1 * rng.standard_normal(hidden),
        rng.standard_normal((classes, hidden)) / np.sqrt(hidden),
        0.1 * rng.standard_normal(classes),
        1.0 + 0.1 * rng.standard_normal(hidden),
        0.1 * rng.standard_normal(hidden),
    )
    return Problem(
        name="perceptron",
        fun=loss,
        args=tuple(arg.astype(float_dtype(dtype)) for arg in args),
        argnums=tuple(range(8)),
        reference=(
            "D. E. Rumelhart, G. E. Hinton and R. J. Williams, Nature 323 (1986) 533-536; "
            "J. L. Ba, J. R. Kiros and G. E. Hinton, arXiv 1607.06450 (2016)"
        ),
        description="features, target, weights, biases, gain and offset (8 arrays) to the cross-entropy (1 scalar)",
    )
