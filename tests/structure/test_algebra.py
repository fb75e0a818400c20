"""Products, sums and dense forms of random blocks agree with brute force."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from elimax.structure import algebra, arrays, dense, products, sums, values
from tests.structure.random_terms import block_to_dense, random_shape, random_term

F64 = np.dtype("float64")


def contract(left, right, mid_rank):
    return np.tensordot(left, right, axes=(range(left.ndim - mid_rank, left.ndim), range(mid_rank)))


def ranges(shape):
    return [(0, n) for n in shape]


@pytest.mark.parametrize("seed", range(120))
def test_product_of_terms_agrees_with_dense_contraction(seed):
    rng = np.random.default_rng(seed)
    out, mid, inn = (random_shape(rng) for _ in range(3))
    a, va = random_term(rng, out, mid)
    b, vb = random_term(rng, mid, inn)
    expected = contract(block_to_dense([a], [va], out, mid), block_to_dense([b], [vb], mid, inn), len(mid))
    recipe = products.term_product(a, b)
    if recipe is None:
        assert not expected.any()
        return
    got = arrays.times(recipe, va, vb, F64)
    if not isinstance(got, int):
        assert tuple(got.shape) == recipe.term.value_shape
    np.testing.assert_allclose(block_to_dense([recipe.term], [got], out, inn), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("limit", [2, 48])
def test_product_of_blocks_and_dense_form(seed, limit, monkeypatch):
    monkeypatch.setattr(sums, "MAX_TERMS", limit)
    sums.collect.cache_clear()
    products.block_product.cache_clear()
    rng = np.random.default_rng(1000 + seed)
    out, mid, inn = (random_shape(rng) for _ in range(3))

    def block(o, i):
        terms, vals = zip(*[random_term(rng, o, i) for _ in range(rng.integers(1, 5))], strict=True)
        recipe = sums.collect(terms)
        return recipe.structure, values.gather_terms(recipe, vals, terms, F64), block_to_dense(terms, vals, o, i)

    left, left_values, left_dense = block(out, mid)
    right, right_values, right_dense = block(mid, inn)
    np.testing.assert_allclose(block_to_dense(left, left_values, out, mid), left_dense, atol=1e-12)
    recipe = algebra.product(left, right)
    got = values.multiply(recipe, left_values, right_values, left, right, F64, F64)
    expected = contract(left_dense, right_dense, len(mid))
    np.testing.assert_allclose(block_to_dense(recipe.structure, got, out, inn), expected, atol=1e-11)
    whole = dense.dense(got, recipe.structure, F64, ranges((*out, *inn)))
    assert whole.shape == (*out, *inn)
    np.testing.assert_allclose(whole, expected, atol=1e-11)
    index, data = dense.coordinates(got, recipe.structure, F64, len(out) + len(inn))
    assert len(np.unique(index, axis=0)) == len(index)
    rebuilt = np.zeros((*out, *inn))
    rebuilt[tuple(index.T)] = np.asarray(data) if index.shape[1] else np.asarray(data)[0]
    np.testing.assert_allclose(rebuilt, expected, atol=1e-11)


@pytest.mark.parametrize("seed", range(60))
def test_sum_of_blocks(seed):
    rng = np.random.default_rng(2000 + seed)
    out, inn = random_shape(rng), random_shape(rng)
    a, va = random_term(rng, out, inn)
    b, vb = (a, va) if seed % 3 == 0 else random_term(rng, out, inn)
    recipe = algebra.add((a,), (b,))
    got = values.sum_values(recipe, (va,), (vb,), (a,), (b,), F64)
    np.testing.assert_allclose(
        block_to_dense(recipe.structure, got, out, inn), block_to_dense([a, b], [va, vb], out, inn), atol=1e-12
    )


def test_a_mask_hides_infinities_in_either_order():
    from elimax.structure.term import Affine, Kind, Term

    diagonal = Term((3,), (Affine(0, ((0, 1),)),), (Affine(0, ((0, 1),)),), (0,), Kind.VARIABLE)
    mask = arrays.Masked(jnp.array([True, False, True]), 1)
    wild = jnp.array([2.0, np.inf, np.nan])
    outer = jnp.array([5.0, 7.0, 0.0])
    recipe = products.term_product(diagonal, diagonal)
    first = arrays.times(recipe, outer, arrays.times(recipe, mask, wild, F64), F64)
    last = arrays.times(recipe, arrays.times(recipe, outer, mask, F64), wild, F64)
    for value in (first, last):
        result = np.asarray(arrays.as_array(value, (3,), F64))
        assert result[0] == 10.0
        assert result[1] == 0.0
        assert np.isnan(result[2])
