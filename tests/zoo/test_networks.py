"""The perceptron and the encoder against plain NumPy, and the pattern of the arrow."""

from __future__ import annotations

import jax
import numpy as np

from elimax import zoo


def normalised(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def test_perceptron():
    problem = zoo.get("perceptron")
    x, target, w1, b1, w2, b2, gain, offset = problem.args
    logits = w2 @ (normalised(np.tanh(w1 @ x + b1)) * gain + offset) + b2
    probabilities = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(jax.jit(problem.fun)(*problem.args), -np.log(probabilities @ target), rtol=1e-13)


def encoded(x, query, key, value, weight, bias, gain, offset):
    scores = np.exp((x @ query) @ (x @ key).T / np.sqrt(x.shape[-1]))
    attended = (scores / scores.sum(-1, keepdims=True)) @ (x @ value)
    hidden = normalised(x + attended) * gain + offset
    return hidden + np.maximum(hidden @ weight + bias, 0.0)


def test_encoder():
    problem = zoo.get("encoder")
    x, target, q1, k1, v1, q2, k2, v2, w1, w2, b1, b2, g1, g2, o1, o2 = problem.args
    out = encoded(encoded(x, q1, k1, v1, w1, b1, g1, o1), q2, k2, v2, w2, b2, g2, o2)
    np.testing.assert_allclose(jax.jit(problem.fun)(*problem.args), ((out - target) ** 2).mean(), rtol=1e-12)


def test_arrow_is_an_arrowhead():
    problem = zoo.get("arrow", size=6)
    pattern = np.array(jax.jit(jax.jacfwd(problem.fun))(*problem.args)) != 0.0
    expected = np.eye(6, dtype=bool)
    expected[0, :] = expected[:, 0] = True
    np.testing.assert_array_equal(pattern, expected)


def test_lighthouse_lies_on_the_beam_and_on_the_quay():
    problem = zoo.get("lighthouse")
    distance, slope, speed, time = problem.args
    along, up = problem.fun(*problem.args)
    # The quay is the line y = slope x; the beam leaves (-distance, 0) under the angle speed * time.
    np.testing.assert_allclose(up, slope * along, rtol=1e-14)
    np.testing.assert_allclose(up, (along + distance) * np.tan(speed * time), rtol=1e-13)
