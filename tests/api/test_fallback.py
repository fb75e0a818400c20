"""Functions that look at the values of their arguments: right, and said once."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.agreement import assert_same_jacobian, assert_trees_close, jax_jacobian

X = jnp.array([0.3, -1.2, 2.0])


def python_branch(x):
    return x * 2 if x > 0 else x * x


def python_range(x):
    return sum(x * i for i in range(int(x)))


def mask(x):
    return x[x > 0] * 2


def item(x):
    return x * x[0].item()


def index(x):
    return [1.0, 2.0, 3.0][x[2].astype(int)] * x


def wide(x):
    return jnp.sum(x) ** 2 if x[0] > 0 else x[0]


def tree(t):
    return {"o": t["a"] * t["b"] if t["b"] > 0 else t["a"]}


def value_dependent_constant(x, y):
    return x * 2 if jnp.sum(y) > 0 else x


CASES = {
    "branch taken": (python_branch, (2.0,)),
    "branch not taken": (python_branch, (-2.0,)),
    "range": (python_range, (3.7,)),
    "mask": (mask, (X,)),
    "item": (item, (X,)),
    "index": (index, (X,)),
    "more inputs than outputs": (wide, (X,)),
    "tree": (tree, ({"a": X, "b": 1.5},)),
    "other argument": (value_dependent_constant, (X, X)),
}


def fresh(fun):
    """Another function object, for which no warning has been given."""
    return lambda *args: fun(*args)


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", CASES)
def test_same_as_jax_with_a_warning(name):
    fun, args = CASES[name]
    with pytest.warns(elimax.ElimaxWarning, match=r"needs the values.*without elimination"):
        assert_same_jacobian(fresh(fun), *args)


@pytest.mark.standard_promotion
def test_warns_once_per_function():
    fun, other = fresh(python_branch), fresh(python_branch)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in (1.0, 2.0, -1.0):
            elimax.jacobian(fun)(x)
            elimax.value_and_jacobian(fun)(x)
        elimax.hessian(fun)(2.0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(elimax.ElimaxWarning):
        elimax.jacobian(other)(1.0)


@pytest.mark.standard_promotion
def test_no_warning_when_nothing_has_to_be_known():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elimax.jacobian(lambda x: x * 2 if x.ndim == 0 else x)(jnp.float64(2.0))


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_value_aux_and_hessian():
    def fun(x):
        return (x**3, {"x": x, "name": "a"}) if x > 0 else (x, {"x": x, "name": "b"})

    (value, aux), jac = elimax.value_and_jacobian(fun, has_aux=True)(jnp.array(2.0))
    assert (value, aux["x"], aux["name"], jac) == (8.0, 2.0, "a", 12.0)
    assert elimax.hessian(lambda x: x**3 if x > 0 else x)(2.0) == 12.0


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_dtype_is_that_of_the_output_in_either_mode():
    def wide(x):
        return jnp.sum(x).astype(jnp.float32) if x[0] > 0 else jnp.float32(0)

    block = elimax.jacobian(wide)(X)
    assert block.dtype == jnp.float32
    sparse = elimax.jacobian(wide, output="bcoo")(X)
    assert_trees_close(sparse, block)


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_either_mode_is_found():
    @jax.custom_vjp
    def reverse_only(x):
        return jnp.sin(x)

    reverse_only.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x) * 3,))

    def tall(x):
        return reverse_only(jnp.stack([x, x * 2])) if x > 0 else jnp.stack([x, x])

    def forward_only(x):
        y = jax.lax.while_loop(lambda c: c[0] < 10, lambda c: c * 2, x)
        return jnp.sum(y) if x[0] > 0 else x[0]

    assert_same_jacobian(tall, jnp.array(1.0))
    assert_same_jacobian(forward_only, X)


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_complex_and_integer_inputs():
    def fun(t):
        return jnp.abs(t["z"]) * t["i"] if t["i"] > 1 else jnp.abs(t["z"])

    args = {"z": jnp.array([1 + 2j]), "i": 3}
    assert_trees_close(elimax.jacobian(fun, allow_int=True)(args), jax_jacobian(fun, allow_int=True)(args))


@pytest.mark.standard_promotion
@pytest.mark.parametrize("fun", [python_branch, lambda x: x * float(x), lambda x: np.sin(x)])
def test_under_jit_the_error_is_that_of_jax(fun):
    with pytest.raises(Exception) as caught:
        jax.jit(jax.jacfwd(fun))(2.0)
    with pytest.raises(caught.type):
        jax.jit(elimax.jacobian(fun))(2.0)


@pytest.mark.standard_promotion
@pytest.mark.filterwarnings("ignore::elimax.ElimaxWarning")
def test_nested_inside_another_derivative():
    def outer(x):
        return elimax.jacobian(python_branch)(x) * x

    assert_trees_close(elimax.jacobian(outer)(-2.0), jax.jacfwd(lambda x: jax.jacfwd(python_branch)(x) * x)(-2.0))
    assert_trees_close(jax.grad(outer)(-2.0), jax.grad(lambda x: jax.grad(python_branch)(x) * x)(-2.0))


def test_planning_needs_shapes_alone():
    with pytest.raises(jax.errors.ConcretizationTypeError):
        elimax.plan(python_branch, 2.0)


def test_callables_that_cannot_be_remembered_still_work():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x * 2 if x > 0 else x

    with pytest.warns(elimax.ElimaxWarning):
        assert elimax.jacobian(Unhashable())(jnp.array(1.0)) == 2.0
