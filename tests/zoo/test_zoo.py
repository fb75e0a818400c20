"""What holds for every problem: dtypes, transforms, agreement of JAX's two modes, helpful errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax import zoo
from elimax.errors import ElimaxError, ProblemError

# The loop of Newton's method runs a number of steps that depends on the data.
WITHOUT_REVERSE = {"kepler"}
SIZES = {
    "arrow": ({"size": 5}, (5,)),
    "brusselator_1d": ({"points": 7}, (2, 7)),
    "burgers_1d": ({"points": 7}, (7,)),
    "encoder": ({"tokens": 2, "width": 6}, (2, 6)),
    "gray_scott_2d": ({"points": 5}, (2, 5, 5)),
    "perceptron": ({"features": 7}, (7,)),
    "random_program": ({"arrays": False}, ()),
    "roe_flux_3d": ({"vectors": True}, ()),
    "steady_state_combustion": ({"rows": 3, "columns": 5}, (3, 5)),
}
DIMENSIONS = {
    "black_scholes": (5, 1),
    "black_scholes_jacobian": (5, 5),
    "gaussian_data_fitting": (11, 65),
    "hires": (8, 8),
    "hole": (4, 3),
    "human_heart_dipole": (8, 8),
    "kepler": (2, 1),
    "lighthouse": (4, 2),
    "propane_combustion": (11, 11),
    "robertson": (3, 3),
    "robot_arm_6dof": (6, 6),
    "roe_flux_1d": (6, 3),
    "roe_flux_3d": (10, 5),
}


def num_entries(tree) -> int:
    return sum(np.size(leaf) for leaf in jax.tree.leaves(tree))


def chosen(problem):
    return problem.args[problem.argnums] if isinstance(problem.argnums, int) else problem.args


@pytest.mark.parametrize("name", zoo.names())
def test_dtypes_follow_the_default(name, precision):
    problem = zoo.get(name)
    kind = np.dtype("float64" if precision == "x64" else "float32")
    assert {arg.dtype for arg in problem.args} == {kind}
    value = jax.jit(problem.fun)(*problem.args)
    assert all(leaf.dtype == kind and bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(value))
    jacobian = jax.eval_shape(jax.jacfwd(problem.fun, problem.argnums), *problem.args)
    assert {leaf.dtype for leaf in jax.tree.leaves(jacobian)} == {kind}


@pytest.mark.parametrize("name", zoo.names())
def test_modes_agree(name):
    problem = zoo.get(name)
    if name in WITHOUT_REVERSE:
        with pytest.raises(ValueError, match="Reverse-mode"):
            jax.jacrev(problem.fun, problem.argnums)(*problem.args)
        return
    forward = jax.jit(jax.jacfwd(problem.fun, problem.argnums))(*problem.args)
    reverse = jax.jit(jax.jacrev(problem.fun, problem.argnums))(*problem.args)
    scale = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(forward))
    assert np.isfinite(scale)
    assert scale > 0.0
    jax.tree.map(lambda f, r: np.testing.assert_allclose(f, r, rtol=0, atol=1e-14 * (1.0 + scale)), forward, reverse)


@pytest.mark.parametrize("name", zoo.names())
def test_batches(name):
    problem = zoo.get(name)
    batch = [np.stack([arg, 1.01 * arg]).astype(arg.dtype) for arg in problem.args]
    values = jax.jit(jax.vmap(problem.fun))(*batch)
    for row in range(2):
        single = jax.jit(problem.fun)(*(arg[row] for arg in batch))
        picked = jax.tree.map(lambda many, row=row: many[row], values)
        jax.tree.map(lambda many, one: np.testing.assert_allclose(many, one, rtol=1e-12, atol=1e-14), picked, single)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_options_change_the_sizes(name):
    options, shape = SIZES[name]
    problem = zoo.get(name, **options, dtype=np.float32)
    assert problem.name == name
    assert problem.args[0].shape == shape
    assert all(arg.dtype == np.float32 for arg in problem.args)
    out = jax.eval_shape(problem.fun, *problem.args)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(out))


@pytest.mark.parametrize("name", sorted(DIMENSIONS))
def test_numbers_of_inputs_and_outputs(name):
    problem = zoo.get(name)
    num_outputs = num_entries(jax.eval_shape(problem.fun, *problem.args))
    assert (num_entries(chosen(problem)), num_outputs) == DIMENSIONS[name]


@pytest.mark.parametrize("name", zoo.names())
def test_problems_say_what_they_are(name):
    problem = zoo.get(name)
    assert problem.name == name
    assert len(problem.reference) > 20
    assert len(problem.description) > 20


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(ProblemError, match=r"'roe_flux_2d'.*roe_flux_1d, roe_flux_3d") as caught:
        zoo.get("roe_flux_2d")
    assert isinstance(caught.value, ElimaxError)


def test_an_unknown_option_lists_the_valid_ones():
    with pytest.raises(ProblemError, match=r"no option 'size'.*points, viscosity, step, dtype"):
        zoo.get("burgers_1d", size=4)
