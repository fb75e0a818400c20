"""What the published implementation gets wrong without a word, and what it refuses; each must be right here."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.agreement import assert_same_jacobian, assert_trees_close

X = jnp.array([0.3, -1.2, 2.0])
P = jnp.array([0.3, 1.2, 2.0])
M = jnp.arange(6.0).reshape(2, 3) / 5 - 0.3
A = jnp.array([[2.0, 0.3, 0.1], [0.2, 1.5, 0.4], [0.1, 0.6, 3.0]])
Q = jnp.sin(jnp.arange(24.0)).reshape(2, 3, 2, 2)

ORDERS = ("auto", "forward", "reverse", "markowitz")

WRONG = {
    "x * x": (lambda x: x * x, (X,)),
    "x + x": (lambda x: x + x, (X,)),
    "x - x": (lambda x: x - x + 2 * x, (X,)),
    "x / x": (lambda x: x / x * x, (X,)),
    "dot(x, x)": (lambda x: jnp.dot(x, x), (X,)),
    "m @ m": (lambda m: m @ m, (A,)),
    "repeated operand inside": (lambda x: jnp.sin(jnp.cos(x) * jnp.cos(x)) + jnp.exp(x) + jnp.exp(x), (X,)),
    "asinh": (lambda x: jnp.arcsinh(x), (X,)),
    "sin of a transpose": (lambda m: jnp.sin(m.T), (M,)),
    "sin of a transpose of three axes": (lambda t: jnp.sin(jnp.transpose(t, (2, 0, 3, 1))), (Q,)),
    "Python floats": (lambda x, y: x * y + jnp.sin(x), (0.3, 1.7)),
    "NumPy arrays": (lambda x, y: x @ y, (np.arange(6.0).reshape(2, 3), np.arange(3.0))),
    "NumPy scalars": (lambda x, y: x * y, (np.float64(2.0), np.float64(3.0))),
    "identity": (lambda x: x, (X,)),
    "identity beside another output": (lambda x: (jnp.sin(x), x), (X,)),
    "swapped outputs": (lambda x, y: (y, x), (X, M)),
    "where": (lambda x: jnp.where(x > 0, x * x, jnp.sin(x)), (X,)),
    "clip": (lambda x: jnp.clip(x, -1.0, 1.0) * x, (X,)),
    "norm": (lambda x: x / jnp.linalg.norm(x), (X,)),
    "var": (lambda x: jnp.var(x) * x, (X,)),
    "cumsum": (lambda x: jnp.cumsum(jnp.sin(x)), (X,)),
    "solve": (lambda a, b: jnp.linalg.solve(a, b), (A, X)),
    "softplus": (lambda x: jax.nn.softplus(x), (X,)),
    "logsumexp": (lambda x: jax.scipy.special.logsumexp(x) * x, (X,)),
    "nested jit": (lambda x: jax.jit(lambda y: jax.jit(jnp.sin)(y) * y)(x) * x, (X,)),
    "complex intermediates": (lambda x: jnp.abs(jnp.exp(1j * x) + x) ** 2, (X,)),
    "complex spectrum": (lambda x: jnp.abs(jnp.fft.fft(x)), (X,)),
    "sum over two of four axes": (lambda t: jnp.sum(t, (1, 2)) ** 2, (Q,)),
    "max over two of four axes": (lambda t: jnp.max(t, (0, 3)) * 2, (Q,)),
    "mean over two of four axes": (lambda t: jnp.mean(t**2, (1, 3)), (Q,)),
}

REFUSED = {
    "x[1]": (lambda x: x[1] * x, (X,)),
    "x[-1]": (lambda x: x[-1] ** 2, (X,)),
    "slices": (lambda x: x[1:] * x[:-1], (X,)),
    "stack": (lambda x: jnp.stack([x, x**2, jnp.ones(3)]), (X,)),
    "tile": (lambda x: jnp.tile(x, (2, 2)) * 2, (X,)),
    "lax.select": (lambda x: jax.lax.select(x > 0, x * 2, x**2), (X,)),
    "output is an input": (lambda x, y: (x, x * y), (X, P)),
    "dict argument": (lambda d: d["a"] * d["b"]["c"], ({"a": X, "b": {"c": P}},)),
    "tuple argument": (lambda t: t[0] * t[1], ((X, P),)),
    "scan": (lambda x: jax.lax.scan(lambda c, a: (c * a, c), x[0], x), (X,)),
    "cond": (lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), (X,)),
    "while": (lambda x: jax.lax.while_loop(lambda c: c[0] < 9, lambda c: c * 2, x), (X,)),
    "gather": (lambda x: x[jnp.array([2, 0])] * 3, (X,)),
    "scatter": (lambda x: x.at[jnp.array([2, 0])].add(x[0]), (X,)),
    "dynamic_slice": (lambda x: jax.lax.dynamic_slice(x, (1,), (2,)) ** 2, (X,)),
    "three-dimensional blocks": (lambda t: jnp.einsum("abcd,cd->ab", t, t[0, 0]), (Q,)),
}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", WRONG)
def test_wrong_without_a_word(name):
    fun, args = WRONG[name]
    for order in ORDERS:
        assert_same_jacobian(fun, *args, argnums=tuple(range(len(args))), jit=True, method={"order": order})


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    fun, args = REFUSED[name]
    for order in ORDERS:
        assert_same_jacobian(fun, *args, argnums=tuple(range(len(args))), jit=True, method={"order": order})


@pytest.mark.parametrize("argnums", [(1, 0), (2, 0, 1), (2, 1), 2, -1, (-1, 0)])
def test_argnums_in_any_order(argnums):
    def fun(x, y, z):
        return x * y[0] + z**2

    args = (X, P, X + P)
    assert_trees_close(elimax.jacobian(fun, argnums)(*args), jax.jit(jax.jacfwd(fun, argnums))(*args))


@pytest.mark.standard_promotion
def test_python_and_numpy_arguments_outside_jit():
    for args in ((0.3, 1.7), (np.float64(0.3), 1.7), (np.arange(3.0), 2.0)):
        assert_same_jacobian(lambda x, y: x * y + jnp.sin(x), *args, argnums=(0, 1))


def test_has_aux():
    jac, aux = elimax.jacobian(lambda x: (x * x, jnp.sum(x)), has_aux=True)(X)
    assert_trees_close(jac, jnp.diag(2 * X))
    assert_trees_close(aux, jnp.sum(X))


def test_complex_holomorphic():
    z = jax.lax.complex(X, P)
    assert_same_jacobian(lambda z: z * z * jnp.exp(z) + z[0], z, holomorphic=True)


def test_symbolic_shapes():
    (n,) = jax.export.symbolic_shape("n")
    f = jax.jit(elimax.jacobian(lambda x: x * x + jnp.sum(x)))
    with pytest.warns(elimax.ElimaxWarning, match="symbolic"):
        exported = jax.export.export(f)(jax.ShapeDtypeStruct((n,), jnp.float64))
    assert_trees_close(exported.call(X), jax.jit(jax.jacfwd(lambda x: x * x + jnp.sum(x)))(X))
