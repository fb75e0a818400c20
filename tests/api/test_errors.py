"""Bad input: the error types of JAX, with messages of our own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax

X = jnp.array([0.3, -1.2, 2.0])
Z = jax.lax.complex(X, jnp.ones_like(X))


class Convertible:
    def __jax_array__(self):
        return X


def two(x, y):
    return x * y


# name: (function, arguments, options that both take)
REFUSED_BY_BOTH = {
    "argnums too large": (two, (X, X), {"argnums": 2}),
    "argnums too small": (two, (X, X), {"argnums": -3}),
    "one of argnums too large": (two, (X, X), {"argnums": (0, 5)}),
    "no argnums": (two, (X, X), {"argnums": ()}),
    "argnums twice": (two, (X, X), {"argnums": (0, 0)}),
    "argnums twice, once negative": (two, (X, X), {"argnums": (0, -2)}),
    "argnums a string": (two, (X, X), {"argnums": "0"}),
    "argnums a float": (two, (X, X), {"argnums": 1.0}),
    "argnums None": (two, (X, X), {"argnums": None}),
    "argnums floats": (two, (X, X), {"argnums": (0.0,)}),
    "no argument at all": (lambda: 1.0, (), {}),
    "integer input": (lambda x: x * 2.0, (jnp.arange(3),), {}),
    "Python integer input": (lambda x: x * 2.0, (3,), {}),
    "boolean input": (lambda x: x * 2.0, (True,), {}),
    "integer leaf": (lambda t: t[0] * 2.0, ((X, jnp.arange(3)),), {}),
    "string": (lambda x: 1.0, ("a",), {}),
    "object": (lambda x: 1.0, (object(),), {}),
    "string leaf": (lambda x: 1.0, ([X, "a"],), {}),
    "NumPy strings": (lambda x: 1.0, (np.array("a"),), {}),
    "NumPy objects": (lambda x: 1.0, (np.array([None]),), {}),
    "NumPy dates": (lambda x: 1.0, (np.array("2020", "datetime64[Y]"),), {}),
    "random key": (lambda k: 1.0, (jax.random.key(0),), {}),
    "float0": (lambda x: 1.0, (np.zeros(3, jax.dtypes.float0),), {}),
    "__jax_array__": (lambda x: jnp.sin(x), (Convertible(),), {}),
    "a shape instead of an array": (lambda x: jnp.sin(x), (jax.ShapeDtypeStruct((3,), jnp.float32),), {}),
    "None": (lambda x: 1.0, (None,), {}),
    "empty dict": (lambda x: 1.0, ({},), {}),
    "complex to complex": (lambda z: z * z, (Z,), {}),
    "holomorphic of real input": (lambda x: x * 1j, (X,), {"holomorphic": True}),
    "holomorphic with real output": (lambda z: jnp.abs(z), (Z,), {"holomorphic": True}),
    "holomorphic of mixed input": (lambda t: t[0] * t[1], ((Z, X),), {"holomorphic": True}),
    "string output": (lambda x: "a", (X,), {}),
    "object output": (lambda x: object(), (X,), {}),
    "too few arguments": (two, (X,), {}),
    "too many arguments": (lambda x: x, (X, X), {}),
    "error of the function": (lambda x: 1 / 0, (X,), {}),
    "shape error of the function": (lambda x: x + jnp.ones(7), (X,), {}),
    "NumPy function": (lambda x: np.sin(x), (X,), {}),
    "NumPy conversion": (lambda x: np.asarray(x) * x, (X,), {}),
    "float conversion": (lambda x: x * float(x), (2.0,), {}),
}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_same_error_type_as_jax(name):
    fun, args, options = REFUSED_BY_BOTH[name]
    errors = []
    for differentiate in (jax.jacfwd, jax.jacrev):
        with pytest.raises(Exception) as caught:
            differentiate(fun, **options)(*args)
        errors.append(caught.type)
    with pytest.raises(tuple(errors)):
        elimax.jacobian(fun, **options)(*args)
    with pytest.raises(tuple(errors)):
        elimax.value_and_jacobian(fun, **options)(*args)


@pytest.mark.standard_promotion
@pytest.mark.parametrize(
    ("fun", "args", "options"),
    [
        (lambda z: jnp.argmax(jnp.abs(z)), (Z,), {}),
        (lambda i: i * 2, (jnp.arange(3),), {"allow_int": True}),
        (lambda t: t[0], ((Z, jnp.arange(3)),), {"allow_int": True, "holomorphic": True}),
        (lambda x: (x, x, x), (X,), {"has_aux": True}),
        (lambda x: x, (X,), {"has_aux": True}),
        (lambda x: (jax.random.key(0), x), (X,), {}),
    ],
    ids=["integer of complex", "integer of integer", "holomorphic integer", "aux of three", "no aux", "key output"],
)
def test_same_error_type_as_jacrev(fun, args, options):
    with pytest.raises(TypeError):
        jax.jacrev(fun, **options)(*args)
    with pytest.raises(TypeError):
        elimax.jacobian(fun, **options)(*args)


@pytest.mark.parametrize("make", [elimax.jacobian, elimax.value_and_jacobian, elimax.hessian])
def test_no_function(make):
    def generator(x):
        yield x

    for reference in (jax.jacfwd, jax.jacrev):
        with pytest.raises(TypeError):
            reference(3)
    with pytest.raises(TypeError, match="Expected a function"):
        make(3)
    with pytest.raises(TypeError, match="generator"):
        make(generator)


def test_argument_by_keyword_says_what_to_do():
    with pytest.raises(ValueError, match="by position"):
        elimax.jacobian(lambda x: x)(x=X)


def test_messages_say_which_argument():
    with pytest.raises(elimax.ArgumentError, match=r"argument 1\['b'\]\[0\] of two .* int.*allow_int=True"):
        elimax.jacobian(two, argnums=(0, 1))(X, {"b": [jnp.arange(2)]})
    with pytest.raises(elimax.ArgumentError, match=r"Argument 0 of two.*str"):
        elimax.jacobian(two)("a", X)
    with pytest.raises(elimax.ArgnumsError, match=r"argnums=4.*two was called with 2 positional"):
        elimax.jacobian(two, argnums=4)(X, X)
    with pytest.raises(elimax.ArgumentError, match=r"pair.*length 3"):
        elimax.jacobian(lambda x: (x, x, x), has_aux=True)(X)


def test_unknown_output_layout_lists_the_valid_ones():
    for make in (elimax.jacobian, elimax.value_and_jacobian, elimax.hessian):
        with pytest.raises(ValueError, match=r"'dense', 'bcoo'.*'csr'"):
            make(lambda x: x, output="csr")


def test_every_error_of_elimax_has_a_common_base():
    names = [name for name in elimax.__all__ if name.endswith("Error")]
    assert len(names) >= 8
    assert all(issubclass(getattr(elimax, name), elimax.ElimaxError) for name in names)


def test_an_error_inside_the_function_keeps_its_type_and_message():
    class Own(RuntimeError):
        pass

    def fun(x):
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        elimax.jacobian(fun)(X)
