"""The arm against products of link matrices, the pendulum against conservation of energy, Kepler against his law."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax import zoo
from elimax.zoo import robot_arm


def link(twist, length, offset, angle):
    """Craig's homogeneous transformation from one link to the next."""
    ca, sa, ct, st = np.cos(twist), np.sin(twist), np.cos(angle), np.sin(angle)
    return np.array(
        [
            [ct, -st, 0, length],
            [st * ca, ct * ca, -sa, -sa * offset],
            [st * sa, ct * sa, ca, ca * offset],
            [0, 0, 0, 1],
        ]
    )


def chain(angles):
    quarter = np.pi / 2
    twists = (0, -quarter, 0, -quarter, quarter, -quarter)
    lengths = (0, 0, robot_arm.A2, robot_arm.A3, 0, 0)
    offsets = (0, 0, robot_arm.D3, robot_arm.D4, 0, 0)
    links = [link(*parts) for parts in zip(twists, lengths, offsets, angles, strict=True)]
    return np.linalg.multi_dot(links)


def about(axis, angle):
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
    return rotation


@pytest.mark.parametrize("seed", range(4))
def test_the_arm_is_a_product_of_links(seed):
    angles = np.random.default_rng(seed).uniform(-3, 3, 6)
    x, y, z, yaw, pitch, roll = (float(v) for v in jax.jit(zoo.get("robot_arm_6dof").fun)(*angles))
    expected = chain(angles)
    np.testing.assert_allclose([x, y, z], expected[:3, 3], atol=1e-14)
    np.testing.assert_allclose(about(2, yaw) @ about(1, pitch) @ about(0, roll), expected[:3, :3], atol=1e-13)


def pendulum_energy(state, stiffness):
    return 0.5 * state[1] ** 2 - stiffness * np.cos(state[0])


def test_an_undamped_pendulum_keeps_its_energy_to_fourth_order():
    losses = []
    for steps in (20, 40):
        problem = zoo.get("rk4_pendulum", steps=steps, step=1.0 / steps)
        end = np.array(jax.jit(problem.fun)(problem.args[0], np.array([9.81, 0.0])))
        losses.append(abs(pendulum_energy(end, 9.81) - pendulum_energy(problem.args[0], 9.81)))
    assert losses[1] < 1e-3
    # Energy of the classical method drifts by the fifth power of the step.
    assert 16 < losses[0] / losses[1] < 64


def test_a_small_swing_is_harmonic():
    problem = zoo.get("rk4_pendulum", steps=100, step=0.01)
    end = jax.jit(problem.fun)(np.array([1e-5, 0.0]), np.array([4.0, 0.0]))
    np.testing.assert_allclose(end, [1e-5 * np.cos(2.0), -2e-5 * np.sin(2.0)], rtol=1e-7)


@pytest.mark.parametrize(("mean", "eccentricity"), [(1.0, 0.6), (0.1, 0.95), (3.0, 0.0), (-2.0, 0.3)])
def test_kepler_solves_the_equation_and_its_derivatives_are_implicit(mean, eccentricity):
    fun = zoo.get("kepler").fun
    value, (by_mean, by_eccentricity) = jax.jit(lambda *a: (fun(*a), jax.jacfwd(fun, (0, 1))(*a)))(mean, eccentricity)
    np.testing.assert_allclose(value - eccentricity * jnp.sin(value), mean, rtol=1e-14)
    slope = 1.0 - eccentricity * np.cos(value)
    np.testing.assert_allclose(by_mean, 1.0 / slope, rtol=1e-12)
    np.testing.assert_allclose(by_eccentricity, np.sin(value) / slope, rtol=1e-12, atol=1e-14)
