"""JAX's own modes take over where elimination would run loops twice; the plan says so and is obeyed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax import zoo
from elimax.errors import PlanFormatError
from elimax.execute.modes import MOST_PRODUCTS, products
from elimax.plan.types import ELIMINATION
from tests.agreement import assert_trees_close


def newton(x):
    """A loop with an unknown number of turns, of two inputs and many outputs."""

    def step(state):
        k, y = state
        return k + 1, y - (y**3 - x[0] * jnp.sin(x[1] + jnp.arange(50.0))) / (3 * y**2 + 1)

    return lax.while_loop(lambda state: state[0] < 7, step, (0, jnp.ones(50)))[1]


def chain(x):
    """A scan of many inputs and one output: a reverse order of elimination is as good as reverse mode."""
    return lax.scan(lambda c, a: (jnp.sin(c) * a + c * c, None), 0.3, x)[0]


X = jnp.array([0.7, 1.1])
Y = jnp.linspace(0.1, 1.0, 40)


@pytest.mark.parametrize(("fun", "x", "mode"), [(newton, X, "forward"), (chain, Y, ELIMINATION)])
def test_the_cheaper_mode_is_taken(fun, x, mode):
    plan = elimax.plan(fun, x)
    assert plan.mode == mode
    assert f"mode: {mode}; predicted time" in str(plan)
    expected = jax.jit(jax.jacfwd(fun))(x)
    assert_trees_close(jax.jit(elimax.jacobian(fun))(x), expected)
    assert_trees_close(jax.jit(elimax.jacobian(fun))(x), expected)
    assert_trees_close(jax.jit(elimax.jacobian(fun, order=plan))(x), expected)
    assert_trees_close(jax.jit(elimax.jacobian(fun, order="forward"))(x), expected)
    value, jac = jax.jit(elimax.value_and_jacobian(fun))(x)
    assert_trees_close((value, jac), (fun(x), expected))
    assert_trees_close(
        jax.jit(jax.vmap(elimax.jacobian(fun)))(jnp.stack([x, x + 0.1])),
        jax.jit(jax.vmap(jax.jacfwd(fun)))(jnp.stack([x, x + 0.1])),
    )


def test_predictions_are_sorted():
    seconds = [predicted for _, predicted in elimax.plan(chain, Y).modes]
    assert len(seconds) == 4
    assert seconds == sorted(seconds)


def test_reverse_is_no_candidate_where_jax_refuses_it():
    assert "reverse" not in dict(elimax.plan(newton, X).modes)


def test_no_rival_without_operators():
    problem = zoo.get("roe_flux_1d")
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums)
    assert plan.modes == ()
    assert plan.mode == ELIMINATION


def scalars(*values):
    """Dense layers written scalar by scalar: each elimination fills in whole rows."""
    for layer in range(4):
        weights = [[jnp.sin(1.0 + layer + 3 * i + j) for j in range(12)] for i in range(12)]
        values = [jnp.tanh(sum(w * v for w, v in zip(row, values, strict=True))) for row in weights]
    return values


@pytest.mark.slow
def test_many_products_of_scalars_go_to_jax():
    args, argnums = tuple(jnp.linspace(0.1, 1.0, 12)), tuple(range(12))
    plan = elimax.plan(scalars, *args, argnums=argnums)
    assert products(plan.graph, plan.order) > MOST_PRODUCTS
    assert plan.mode in ("forward", "reverse")
    # Sums of large terms that cancel: as one array, so that the largest entry sets the scale.
    found, expected = (np.asarray(jax.jit(j(scalars, argnums))(*args)) for j in (elimax.jacobian, jax.jacfwd))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["roe_flux_1d", "robot_arm_6dof"])
def test_products_of_scalars_are_multiplications(name):
    problem = zoo.get(name)
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums, order="markowitz", cost="published")
    assert all(not vertex.shape for vertex in plan.graph.vertices)
    assert products(plan.graph, plan.order) == plan.multiplications


def test_the_mode_is_saved(tmp_path):
    plan = elimax.plan(newton, X)
    plan.save(tmp_path / "plan.json")
    again = elimax.Plan.load(tmp_path / "plan.json")
    assert (again.mode, again.modes) == (plan.mode, plan.modes)
    text = (tmp_path / "plan.json").read_text().replace('"mode": "forward"', '"mode": "sideways"')
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanFormatError, match="its mode is 'sideways'"):
        elimax.Plan.load(tmp_path / "plan.json")


def test_auxiliary_values_and_trees():
    def fun(p):
        y = newton(p["x"])
        return {"y": y, "s": y.sum()}, (y * 2, jnp.int32(3))

    own = jax.jit(elimax.jacobian(fun, has_aux=True))({"x": X})
    assert_trees_close(own, jax.jit(jax.jacfwd(fun, has_aux=True))({"x": X}))


def test_long_programs_of_scalars_go_to_jax():
    problem = zoo.get("hires")

    def steps(count, x):
        for _ in range(count):
            x = x + 1e-4 * problem.fun(x + 1e-4 * problem.fun(x))
        return x

    short, long = (elimax.plan(functools.partial(steps, count), *problem.args) for count in (1, 8))
    assert not short.modes
    assert short.mode == "elimination"
    assert long.mode == "forward"
    assert "mode: forward" in str(long)
