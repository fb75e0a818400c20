"""Roe's flux against what is known of it: consistency, upwinding, conservation, symmetry, exact shocks."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from elimax import zoo

GAMMA = 1.4


def conserved(density, velocity, pressure):
    """Conserved variables of a three-dimensional state."""
    velocity = np.asarray(velocity, float)
    return np.array([density, *(density * velocity), pressure / (GAMMA - 1) + 0.5 * density * velocity @ velocity])


def physical(density, velocity, pressure):
    """The exact flux of a state through a face normal to x."""
    state = conserved(density, velocity, pressure)
    flux = velocity[0] * state
    flux[1] += pressure
    flux[4] += pressure * velocity[0]
    return flux


@pytest.fixture(scope="module")
def roe():
    """Flux [5] between two states [5], by the scalar form."""
    fun = jax.jit(zoo.get("roe_flux_3d").fun)
    return lambda left, right: np.array(fun(*left, *right))


@pytest.mark.parametrize("velocity", [(0.3, -0.2, 0.5), (-0.7, 0.1, 0.0), (2.5, 0.4, -0.3)])
def test_equal_states_give_the_physical_flux(roe, velocity):
    state = conserved(1.3, velocity, 0.8)
    np.testing.assert_allclose(roe(state, state), physical(1.3, velocity, 0.8), rtol=1e-14, atol=1e-15)


def test_supersonic_flow_is_taken_from_upstream(roe):
    left, right = (1.0, (4.0, 0.2, -0.1), 1.0), (0.8, (3.5, -0.3, 0.2), 0.9)
    flux = roe(conserved(*left), conserved(*right))
    np.testing.assert_allclose(flux, physical(*left), rtol=1e-13)
    mirrored = roe(conserved(0.8, (-3.5, -0.3, 0.2), 0.9), conserved(1.0, (-4.0, 0.2, -0.1), 1.0))
    np.testing.assert_allclose(mirrored, physical(1.0, (-4.0, 0.2, -0.1), 1.0), rtol=1e-13)


def test_mirror_symmetry(roe):
    left, right = (1.0, (0.3, 0.2, -0.1), 1.0), (0.6, (0.1, -0.3, 0.2), 0.7)
    flux = roe(conserved(*left), conserved(*right))
    turned = [(density, (-u, v, w), pressure) for density, (u, v, w), pressure in (right, left)]
    mirrored = roe(conserved(*turned[0]), conserved(*turned[1]))
    np.testing.assert_allclose(mirrored, flux * np.array([-1, 1, -1, -1, -1]), rtol=1e-13, atol=1e-15)


def test_a_standing_shock_is_exact(roe):
    # Rankine-Hugoniot behind a normal shock at Mach 2.
    mach, sound = 2.0, np.sqrt(GAMMA)
    ratio = (GAMMA + 1) * mach**2 / ((GAMMA - 1) * mach**2 + 2)
    behind = 1 + 2 * GAMMA / (GAMMA + 1) * (mach**2 - 1)
    left, right = (1.0, (mach * sound, 0.0, 0.0), 1.0), (ratio, (mach * sound / ratio, 0.0, 0.0), behind)
    np.testing.assert_allclose(physical(*left), physical(*right), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(roe(conserved(*left), conserved(*right)), physical(*left), rtol=1e-13, atol=1e-13)


def test_a_standing_shear_layer_is_exact(roe):
    left, right = (1.0, (0.0, 0.5, -0.2), 0.7), (0.4, (0.0, -0.3, 0.9), 0.7)
    np.testing.assert_allclose(roe(conserved(*left), conserved(*right)), physical(*left), rtol=1e-14, atol=1e-15)


def test_one_dimension_is_the_special_case(roe):
    flux_1d = jax.jit(zoo.get("roe_flux_1d").fun)
    left, right = conserved(1.0, (0.3, 0, 0), 1.0), conserved(0.6, (0.1, 0, 0), 0.7)
    expected = roe(left, right)
    np.testing.assert_allclose(flux_1d(*left[[0, 1, 4]], *right[[0, 1, 4]]), expected[[0, 1, 4]], rtol=1e-14)
    np.testing.assert_array_equal(expected[2:4], 0.0)


def test_arrays_and_scalars_give_the_same_flux(roe):
    problem = zoo.get("roe_flux_3d", vectors=True)
    mass, momentum, energy = jax.jit(problem.fun)(*problem.args)
    assert momentum.shape == (3,)
    flat = np.concatenate([np.ravel(arg) for arg in problem.args])
    np.testing.assert_allclose(np.array([mass, *momentum, energy]), roe(flat[:5], flat[5:]), rtol=1e-14)
