"""The same call gives the same trees, shapes, dtypes and values as jax.jacfwd and jax.jacrev."""

from __future__ import annotations

import collections
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.agreement import assert_same_jacobian, assert_trees_close

X = jnp.array([0.3, -1.2, 2.0])
Z = jax.lax.complex(X, jnp.ones_like(X))
Y = jnp.array([1.5, 0.7])
M = jnp.arange(6.0).reshape(2, 3) / 5 + 0.1

FLOATS = ("float16", "bfloat16", "float32", "float64")

Pair = collections.namedtuple("Pair", ["left", "right"])


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class State:
    position: jax.Array
    velocity: jax.Array


def two(x, y):
    return jnp.sin(x) * y[0] + y[1]


@pytest.mark.parametrize(
    "argnums", [0, 1, -1, -2, (0,), (0, 1), (1, 0), (-1, 0), [0, 1], [1], range(2), np.int64(1), True]
)
def test_argnums(argnums):
    actual = elimax.jacobian(two, argnums)(X, Y)
    assert_trees_close(actual, jax.jacfwd(two, argnums)(X, Y))


@pytest.mark.parametrize("argnums", [np.array([0, 1]), {0, 1}, jnp.array(1)], ids=str)
def test_argnums_of_unusual_types(argnums):
    assert_trees_close(elimax.jacobian(two, argnums)(X, Y), jax.jacfwd(two, argnums)(X, Y))


CASES = {
    "scalar to scalar": (lambda x: x * x, (2.0,), {}),
    "vector to scalar": (lambda x: jnp.sum(x**2), (X,), {}),
    "scalar to vector": (lambda x: x * jnp.arange(3.0), (2.0,), {}),
    "matrix to matrix": (lambda m: jnp.sin(m.T) @ m, (M,), {}),
    "dict in, dict out": (lambda d: {"s": d["a"] + d["b"][0], "p": d["a"] * 2}, ({"a": X, "b": Y},), {}),
    "tuple in, list out": (lambda t: [t[0] * t[1][0], t[1]], ((X, Y),), {}),
    "namedtuple": (lambda p: Pair(p.right, p.left * p.right[0]), (Pair(X, Y),), {}),
    "dataclass": (lambda s: State(s.velocity, -s.position), (State(X, X * 2),), {}),
    "None leaves": (lambda d: {"o": d["a"] * 2, "n": None}, ({"a": X, "b": None},), {}),
    "None output": (lambda x: None, (X,), {}),
    "empty output": (lambda x: ((), {}), (X,), {}),
    "Python float": (lambda x: x * x + 1, (3.0,), {}),
    "list of Python floats": (lambda x: x[0] * x[1], ([1.5, 2.5],), {}),
    "NumPy array": (lambda x: x * x, (np.array([1.0, 2.0]),), {}),
    "NumPy float64 scalar": (lambda x: x * x, (np.float64(3),), {}),
    "NumPy float32 scalar": (lambda x: x * x, (np.float32(3),), {}),
    "identity": (lambda x: x, (X,), {}),
    "identity of a tree": (lambda t: t, ((X, {"a": Y}),), {}),
    "output twice": (lambda x: (x * x, x * x, x), (X,), {}),
    "same output object twice": (lambda x: (lambda y: (y, y))(jnp.sin(x)), (X,), {}),
    "same input object twice": (lambda t: t[0] * t[1], ((X, X),), {}),
    "unused input": (lambda t: t[0] * 2, ((X, Y),), {}),
    "constant array output": (lambda x: jnp.ones(2), (X,), {}),
    "constant Python output": (lambda x: 3.0, (X,), {}),
    "constant NumPy output": (lambda x: (np.ones(2), x), (X,), {}),
    "outer array as output": (lambda x: (Y, x), (X,), {}),
    "integer output": (lambda x: jnp.argmax(x), (X,), {}),
    "Python integer output": (lambda x: 3, (X,), {}),
    "integer and float output": (lambda x: (jnp.argmax(x), x * 2), (X,), {}),
    "real in, complex out": (lambda x: jnp.exp(1j * x), (X,), {}),
    "empty array in": (lambda x: jnp.ones(3), (jnp.zeros(0),), {}),
    "empty array in, scalar out": (lambda x: jnp.sum(x), (jnp.zeros((0, 2)),), {}),
    "empty array out": (lambda x: x[:0], (X,), {}),
    "empty both": (lambda x: jnp.sin(x), (jnp.zeros(0),), {}),
    "empty beside full": (lambda t: (t[1] * 2, t[0]), ((jnp.zeros((2, 0)), X),), {}),
    "has_aux": (lambda x: (x * x, x), (X,), {"has_aux": True}),
    "has_aux list": (lambda x: [x * x, x], (X,), {"has_aux": True}),
    "has_aux tree": (lambda x: (x, {"a": x * 2, "n": None, "i": 1}), (X,), {"has_aux": True}),
    "has_aux of numbers": (lambda x: (x, (2, 2.5, np.ones(2), True)), (X,), {"has_aux": True}),
    "has_aux traced integer": (lambda x: (x, jnp.argmax(x)), (X,), {"has_aux": True}),
    "has_aux None": (lambda x: (x, None), (X,), {"has_aux": True}),
    "holomorphic": (lambda z: z * z + jnp.sin(z), (Z,), {"holomorphic": True}),
    "holomorphic tree": (lambda z: {"o": z[0] * z[1]}, ((Z, 2 * Z),), {"holomorphic": True}),
    "complex to real": (lambda z: jnp.abs(z) ** 2, (Z,), {}),
    "complex parts": (lambda z: (jnp.real(z), jnp.imag(z)), (Z,), {}),
    "complex beside real": (lambda t: jnp.abs(t[0]) * t[1], ((Z, X),), {}),
    "allow_int": (lambda i: i * 2.0, (jnp.arange(3),), {"allow_int": True}),
    "allow_int of a Python int": (lambda i: i * 2.0, (3,), {"allow_int": True}),
    "allow_int mixed": (lambda t: (t[0] * t[1], jnp.sum(t[1])), ((jnp.arange(3), X),), {"allow_int": True}),
    "allow_int with complex": (lambda t: jnp.abs(t[0]), ((Z, jnp.arange(2)),), {"allow_int": True}),
    "allow_int without integers": (lambda x: (x * x, jnp.argmax(x)), (X,), {"allow_int": True}),
}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", CASES)
def test_same_as_jax(name):
    fun, args, options = CASES[name]
    assert_same_jacobian(fun, *args, **options)


@pytest.mark.x32
@pytest.mark.standard_promotion
@pytest.mark.parametrize(
    "name", ["NumPy array", "Python float", "constant NumPy output", "holomorphic", "allow_int mixed"]
)
def test_same_as_jax_without_64_bit_types(name):
    fun, args, options = CASES[name]
    args = jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, args)
    assert_same_jacobian(fun, *args, **options)


@pytest.mark.standard_promotion
@pytest.mark.parametrize(
    "name", ["dict in, dict out", "has_aux traced integer", "allow_int mixed", "complex beside real", "identity"]
)
def test_same_as_jax_under_jit(name):
    fun, args, options = CASES[name]
    assert_same_jacobian(fun, *args, jit=True, **options)


def test_aux_may_be_any_object():
    marker = object()
    jac, aux = elimax.jacobian(lambda x: (x * x, {"name": "run", "marker": marker, "x": x}), has_aux=True)(X)
    assert aux["name"] == "run"
    assert aux["marker"] is marker
    assert_trees_close(aux["x"], X)
    assert_trees_close(jac, jax.jacfwd(lambda x: x * x)(X))


def test_aux_may_be_a_random_key():
    key = jax.random.key(3)
    _, aux = elimax.jacobian(lambda x: (x, (key, jax.random.split(key))), has_aux=True)(X)
    assert jax.random.key_data(aux[0]).tolist() == jax.random.key_data(key).tolist()
    assert aux[1].shape == (2,)


def test_keyword_arguments_are_passed_on():
    def fun(x, *, scale, shift=0.0):
        return x * scale + shift

    expected = jax.jacfwd(fun)(X, scale=2.0, shift=Y[0])
    assert_trees_close(elimax.jacobian(fun)(X, scale=2.0, shift=Y[0]), expected)


def test_defaults_are_kept():
    def fun(x, n=3):
        return x**n

    assert_trees_close(elimax.jacobian(fun)(X), jax.jacfwd(fun)(X))


def test_other_arguments_may_be_anything():
    def fun(x, label, n, table, where):
        assert label == "square"
        for _ in range(n):
            x = x * table[where]
        return x

    args = (X, "square", 2, {"a": 3.0}, "a")
    assert_trees_close(elimax.jacobian(fun)(*args), jax.jacfwd(fun)(*args))


def test_other_arguments_keep_their_values():
    def fun(x, y, flag):
        if flag and y[0] > 0:
            return x * y[0]
        return x * int(y[1])

    for y in (np.array([1.5, 0.7]), np.array([-1.5, 2.7])):
        assert_trees_close(elimax.jacobian(fun)(X, y, True), jax.jacfwd(fun)(X, y, True))


def test_random_keys_among_the_arguments():
    def fun(x, key):
        return x * jax.random.normal(key, x.shape)

    key = jax.random.key(0)
    assert_trees_close(elimax.jacobian(fun)(X, key), jax.jacfwd(fun)(X, key))


def test_integer_inputs_with_an_extended_dtype():
    jac = elimax.jacobian(lambda key: jax.random.normal(key, (2,)), allow_int=True)(jax.random.key(0))
    assert jac.dtype == jax.dtypes.float0
    assert jac.shape == (2,)


def test_boolean_outputs_and_inputs_have_boolean_zeros():
    jac = elimax.jacobian(lambda x: x > 0)(X)
    assert jac.dtype == bool
    assert not jac.any()
    jac = elimax.jacobian(lambda t: t[0] * jnp.where(t[1], 1.0, 2.0), allow_int=True)((X, X > 0))
    assert jac[1].dtype == bool
    assert jac[1].shape == (3, 3)


@pytest.mark.standard_promotion
@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        (a, b)
        for a in ("float16", "bfloat16", "float32", "float64")
        for b in ("float16", "bfloat16", "float32", "float64")
    ],
)
def test_blocks_have_the_dtype_of_the_output(dtype, out):
    def fun(x):
        return (jnp.sin(x) * x[0]).astype(out)

    x = jnp.array([0.5, 1.5], dtype)
    actual = assert_same_jacobian(fun, x)
    assert actual.dtype == jnp.dtype(out)
    assert jax.jacfwd(fun)(x).dtype == actual.dtype


@pytest.mark.standard_promotion
def test_a_tree_of_several_dtypes():
    tree = {"h": X.astype(jnp.float16), "s": X.astype(jnp.float32), "d": X}

    def fun(t):
        return {"low": t["h"] * t["s"].astype(jnp.float16), "high": t["s"].astype(jnp.float64) * t["d"]}

    assert_same_jacobian(fun, tree)


def test_complex_block_of_a_double_output_is_double():
    def fun(z):
        return (jnp.abs(z) ** 2).astype(jnp.float64)

    z = jnp.array([1 + 2j], jnp.complex64)
    assert elimax.jacobian(fun)(z).dtype == jnp.complex128
    assert jax.jacrev(fun)(z).dtype == jnp.complex64


@pytest.mark.standard_promotion
def test_weak_types_follow_the_output():
    for fun, x in ((lambda x: x * x, 2.0), (lambda x: x * jnp.ones(2), 2.0), (lambda x: (3.0, x), X)):
        for a, b in zip(jax.tree.leaves(elimax.jacobian(fun)(x)), jax.tree.leaves(jax.jacfwd(fun)(x)), strict=True):
            assert a.weak_type == b.weak_type
    slope = elimax.jacobian(lambda t: t * t)(2.0)
    assert (slope * jnp.ones(2, jnp.float16)).dtype == jnp.float16


def test_the_function_is_traced_once():
    calls = []

    def fun(x):
        calls.append(isinstance(x, jax.core.Tracer))
        return jnp.sin(x) * x[0]

    elimax.jacobian(fun)(X)
    elimax.value_and_jacobian(fun)(X)
    assert calls == [True, True]


def test_no_tracer_leaks():
    with jax.checking_leaks():
        elimax.value_and_jacobian(lambda x: (jnp.sin(x), {"a": x, "n": 2}), has_aux=True)(X)
