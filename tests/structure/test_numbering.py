"""Distinct numbers are found by counting as by sorting; a block with a dense term is written as a box."""

from __future__ import annotations

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given

import elimax
from elimax.structure.numbering import numbered

PROGRESSION = st.tuples(st.integers(0, 40), st.integers(1, 9))


@given(st.integers(1, 7), st.lists(PROGRESSION, min_size=1, max_size=7), st.booleans())
def test_as_by_sorting(step, pieces, irregular):
    flat = [start + step * np.arange(size) for start, size in pieces] + [np.array([9, 2, 9])] * irregular
    unique, places = numbered(flat)
    expected, inverse = np.unique(np.concatenate(flat), return_inverse=True)
    np.testing.assert_array_equal(unique, expected)
    np.testing.assert_array_equal(np.concatenate(places), inverse)
    assert [own.size for own in places] == [own.size for own in flat]


def test_many_shifted_diagonals():
    def fun(x):
        sums = sum(x[k : 122 + k] for k in range(9))
        return jnp.sum(sums**4)

    x = jnp.linspace(-1.0, 1.0, 130)
    found = jax.jit(elimax.hessian(fun, output="bcoo"))(x)
    np.testing.assert_allclose(found.todense(), jax.jit(jax.hessian(fun))(x), rtol=1e-12)
    assert found.nse == sum(130 - abs(k) for k in range(-8, 9))


def test_a_dense_term_beside_others():
    index = np.array([3, 1, 1, 5, 0, 2])
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(6, 6)))

    def fun(x):
        return jnp.tanh(weights @ x) * x[index][::-1]

    x = jnp.linspace(-1.0, 1.0, 6)
    found = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    np.testing.assert_allclose(found.todense(), jax.jit(jax.jacfwd(fun))(x), rtol=1e-12)
    assert found.nse == 36
    np.testing.assert_array_equal(found.indices, np.argwhere(np.ones((6, 6))))
    assert elimax.sparsity(fun, x).to_scipy(found).nnz == 36
    batch = jax.jit(jax.vmap(lambda x: elimax.jacobian(fun, output="bcoo")(x).data))(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(batch[1].reshape(6, 6), jax.jit(jax.jacfwd(fun))(2 * x), rtol=1e-12)
