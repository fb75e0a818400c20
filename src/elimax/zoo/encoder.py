"""A transformer encoder of two blocks with one attention head each, and its loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.perceptron import normalise
from elimax.zoo.problem import Problem, float_dtype


def loss(
    x: jax.Array,
    target: jax.Array,
    query_1: jax.Array,
    key_1: jax.Array,
    value_1: jax.Array,
    query_2: jax.Array,
    key_2: jax.Array,
    value_2: jax.Array,
    weight_1: jax.Array,
    weight_2: jax.Array,
    bias_1: jax.Array,
    bias_2: jax.Array,
    gain_1: jax.Array,
    gain_2: jax.Array,
    offset_1: jax.Array,
    offset_2: jax.Array,
) -> jax.Array:
    """Mean squared error of the encoded sequence.

    Args:
      x: the sequence [T, D].
      target: [T, D].
      query_1: projection [D, D] of the first block; key_1 and value_1 likewise.
      key_1: [D, D].
      value_1: [D, D].
      query_2: [D, D], of the second block.
      key_2: [D, D].
      value_2: [D, D].
      weight_1: feed-forward layer [D, D] of the first block.
      weight_2: [D, D].
      bias_1: [D].
      bias_2: [D].
      gain_1: [D], of the normalisation after attention in the first block.
      gain_2: [D].
      offset_1: [D].
      offset_2: [D].

    Returns:
      The loss, [].
    """
    encoded = _block(x, query_1, key_1, value_1, weight_1, bias_1, gain_1, offset_1)
    encoded = _block(encoded, query_2, key_2, value_2, weight_2, bias_2, gain_2, offset_2)
    return jnp.mean((encoded - target) ** 2)


def _block(
    x: jax.Array,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    gain: jax.Array,
    offset: jax.Array,
) -> jax.Array:
    """Attention, residual, normalisation, then a feed-forward layer with a residual: [T, D] to [T, D]."""
    scores = (x @ query) @ (x @ key).T / x.shape[-1] ** 0.5
    attended = jax.nn.softmax(scores, axis=-1) @ (x @ value)
    normalised = normalise(x + attended) * gain + offset
    return normalised + jax.nn.relu(normalised @ weight + bias)


def build(*, tokens: int = 3, width: int = 4, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``encoder``.

    Args:
      tokens: length of the sequence.
      width: size of each token's embedding.
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    rng = np.random.default_rng(1)
    sequences = [rng.standard_normal((tokens, width)) for _ in range(2)]
    matrices = [rng.standard_normal((width, width)) / np.sqrt(width) for _ in range(8)]
    biases = [0.1 * rng.standard_normal(width) for _ in range(2)]
    gains = [1.0 + 0.1 * rng.standard_normal(width) for _ in range(2)]
    offsets = [0.1 * rng.standard_normal(width) for _ in range(2)]
    args = (*sequences, *matrices, *biases, *gains, *offsets)
    return Problem(
        name="encoder",
        fun=loss,
        args=tuple(arg.astype(float_dtype(dtype)) for arg in args),
        argnums=tuple(range(16)),
        reference="A. Vaswani et al., Attention Is All You Need, arXiv 1706.03762 (2017), section 3",
        description="a sequence, its target and the weights of two blocks (16 arrays) to the squared error (1 scalar)",
    )
