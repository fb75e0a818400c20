"""Plans whose candidates were timed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.execute import measure
from elimax.plan import Plan


def fun(x):
    y = jnp.sin(x) * x[0]
    return jnp.stack([y.sum(), y[1] * x[2]])


X = jnp.array([0.3, 0.8, 1.2])


def test_segments_are_measured_where_there_are_some():
    def price(s, k, r):
        d1 = (jnp.log(s / k) + r) / jnp.sqrt(r)
        cdf = 0.5 * (1 + jax.scipy.special.erf(d1 / jnp.sqrt(2.0)))
        return s * cdf - k * jnp.exp(-r) * cdf / jnp.exp(jnp.log(1 + r**2.0)) ** 2

    args = (1.2, 0.9, 0.4)
    plan = elimax.plan(price, *args, argnums=(0, 1, 2), measure=True)
    expected = jax.jit(jax.jacfwd(price, argnums=(0, 1, 2)))(*args)
    for ours, theirs in zip(elimax.jacobian(price, argnums=(0, 1, 2), order=plan)(*args), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert "segments" in dict(plan.measured)
    assert "segments" not in dict(elimax.plan(lambda x: jnp.exp(x), X, measure=True).measured)


@pytest.mark.parametrize("batch", [1, 4])
def test_measured_plan_is_told_and_kept(batch, tmp_path):
    plan = elimax.plan(fun, X, measure=True, batch=batch)
    names = [name for name, _ in plan.measured]
    assert {"JAX forward", "JAX reverse"} < set(names)
    seconds = [s for _, s in plan.measured]
    assert seconds == sorted(seconds)
    assert min(seconds) > 0
    shown = str(plan)
    assert "one point" in shown if batch == 1 else "a batch of 4" in shown
    assert f"fastest and taken: {names[0]}" in shown
    plan.save(tmp_path / "plan.json")
    again = Plan.load(tmp_path / "plan.json")
    assert (again.measured, again.measured_batch, again.mode) == (plan.measured, batch, plan.mode)


@pytest.mark.parametrize("fastest", ["JAX forward", "JAX reverse", "exact"])
def test_the_fastest_is_taken(monkeypatch, fastest):
    first = {}

    def least(calls):
        name = fastest if fastest in calls else next(iter(calls))
        first["name"] = name
        return {c: 1.0 if c == name else 2.0 for c in calls}

    monkeypatch.setattr(measure, "_least", least)
    plan = elimax.plan(fun, X, measure=True)
    assert plan.mode == (fastest.removeprefix("JAX ") if fastest.startswith("JAX") else "elimination")
    assert plan.measured[0][0] == first["name"]
    text = jax.make_jaxpr(elimax.jacobian(fun, order=plan))(X)
    np.testing.assert_allclose(
        jax.core.eval_jaxpr(text.jaxpr, text.consts, X)[0], jax.jit(jax.jacfwd(fun))(X), rtol=1e-12
    )


def test_shapes_suffice():
    plan = elimax.plan(fun, jax.ShapeDtypeStruct((3,), jnp.float32), measure=True)
    assert plan.measured


def test_modes_that_refuse_are_left_out():
    """A tangent that a while loop computes has no transpose."""

    @jax.custom_jvp
    def doubled(x):
        return 2 * x

    @doubled.defjvp
    def rule(primals, tangents):
        return doubled(*primals), jax.lax.while_loop(
            lambda c: c[1] < 1, lambda c: (2 * c[0], c[1] + 1), (*tangents, 0)
        )[0]

    names = [name for name, _ in elimax.plan(doubled, X, measure=True).measured]
    assert "JAX forward" in names
    assert "JAX reverse" not in names


@pytest.mark.parametrize("batch", [0, -1, 2.0, True])
def test_batch_that_is_none(batch):
    with pytest.raises(ValueError, match="batch must be a positive integer"):
        elimax.plan(fun, X, measure=True, batch=batch)
