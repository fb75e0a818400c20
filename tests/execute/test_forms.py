"""Plans say which forms of emission there are, and why there is no choice."""

import jax
import jax.numpy as jnp
import pytest

import elimax
from elimax.emit.scalarise import MAX_ELEMENTS, attempt
from elimax.emit.scalars import MAX_STEPS
from elimax.execute.emission import emitted_alone


def small(x):
    return jnp.sin(x) * x[0]


def large(x):
    return jnp.tanh(jnp.ones((200, 200)) @ x) * x


def sorted_product(x):
    return jnp.sort(x) @ x * jnp.ones(2)


def long(x):
    for _ in range(120):
        x = x + 0.01 * jnp.tanh(jnp.ones((4, 4)) @ x)
    return x


@pytest.mark.parametrize(
    ("fun", "size", "words"),
    [
        (small, 3, "chosen where it runs"),
        (large, 200, f"more than {MAX_ELEMENTS:,}"),
        (sorted_product, 3, "sort cannot be taken apart"),
        (long, 4, f"more than {MAX_STEPS:,} operations on scalars"),
    ],
)
def test_plan_names_its_form(fun, size, words, tmp_path):
    plan = elimax.plan(fun, jnp.ones(size))
    assert words in plan.form
    assert f"form: {plan.form}" in str(plan)
    assert plan.form in plan.explain()
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json").form == plan.form


def test_modes_have_no_form():
    def fun(x):
        return jax.lax.scan(lambda c, _: (jnp.sin(c) * x, None), x, None, length=300)[0]

    plan = elimax.plan(fun, jnp.ones(2))
    assert (plan.mode == "elimination") == bool(plan.form)
    assert plan.form or plan.modes


def test_reasons():
    assert "neither real" in attempt(jax.make_jaxpr(lambda x: x * 2)(jnp.ones(2, jnp.bfloat16)))
    assert "gather" in attempt(jax.make_jaxpr(lambda x, i: x[i])(jnp.ones(3), jnp.array([0, 1])))


@pytest.mark.parametrize(
    ("turn", "staged"),
    [
        (lambda x, c: [jnp.sqrt(x) + 1 / c], False),
        (lambda x, c: [jnp.sqrt(x) / x + 1 / c], True),
        (lambda x, c: [jnp.sqrt(x) + c], True),
    ],
)
def test_turns_whose_slow_operations_xla_moves_out_of_the_loop_stay_plain(turn, staged):
    args = [jnp.ones(()), jnp.ones(())]
    alone = jax.make_jaxpr(lambda *xs: emitted_alone(lambda *ys: turn(*ys), xs, [False, True]))(*args)
    assert ("elimax" in [e.primitive.name for e in alone.jaxpr.eqns]) == staged
