"""Patterns, and the values of sparse Jacobians in the layouts of solvers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import elimax
from elimax.viz.spy import shares

X = jnp.linspace(0.5, 1.5, 8)


def tridiagonal(x):
    framed = jnp.pad(x, 1)
    return framed[2:] * x - 2 * x**2 + framed[:-2]


def in_blocks(x):
    rows = x.reshape(4, 2)
    return (jnp.sin(rows).sum(axis=1, keepdims=True) * rows).ravel()


def tree(t):
    return {"a": t["u"][1:] * t["v"], "b": jnp.sum(t["u"]), "c": jnp.argmax(t["u"])}


T = {"u": X, "v": X[1:], "none": None}
CASES = {
    "tridiagonal": (tridiagonal, X),
    "periodic": (lambda x: jnp.roll(x, 1) * x - jnp.roll(x, -1), X),
    "grid": (lambda x: (x[:, 1:] * x[:, :-1])[1:] - x[:-1, 1:] ** 2, X.reshape(2, 4)),
    "flat grid": (lambda x: (jnp.pad(x.reshape(2, 4), 1)[:-2, 1:-1] + jnp.sin(x.reshape(2, 4))).ravel(), X),
    "strided": (lambda x: jnp.stack([x[::2] ** 2, x[1::2] * x[::2]], 1).ravel(), X),
    "twice the same entry": (lambda x: x[jnp.array([0, 0, 5])] * x[jnp.array([0, 1, 5])], X),
    "empty rows": (lambda x: jnp.pad(x[2:4] ** 2, 3), X),
    "reversed": (lambda x: x[::-1] * x, X),
    "arrow": (lambda x: jnp.append(x[:-1] * x[-1], jnp.sum(x**2)), X),
    "tree": (tree, T),
    "empty": (lambda x: x * 2, jnp.zeros(0)),
    "integers": (lambda x: x.astype(int), X),
    "parts": (lambda z: jnp.abs(z), jax.lax.complex(X, X)),
}


@pytest.mark.parametrize("name", CASES)
def test_pattern_holds_every_entry_and_is_that_of_the_sparse_jacobian(name):
    fun, x = CASES[name]
    pattern = elimax.sparsity(fun, x)
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    if name != "parts":  # real and imaginary part have an entry each
        dense = jax.tree.map(lambda b: b.todense().reshape(-1), jac, is_leaf=lambda b: hasattr(b, "todense"))
        whole = pattern.to_scipy(jac).toarray()
        np.testing.assert_allclose(np.sort(whole.ravel()), np.sort(np.concatenate(jax.tree.leaves(dense))))
        assert pattern.nnz == sum(b.nse for b in jax.tree.leaves(jac, is_leaf=lambda b: hasattr(b, "todense")))
    assert pattern.to_scipy().nnz == pattern.nnz == pattern.rows.size == pattern.cols.size
    assert np.all(np.diff(pattern.rows * max(1, pattern.shape[1]) + pattern.cols) > 0)
    assert str(pattern).count("\n") == sum(map(len, pattern.blocks))


@pytest.mark.parametrize("name", [name for name in CASES if name != "parts"])
def test_indices_are_sorted_unique_and_right(name):
    fun, x = CASES[name]
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"))(x)
    pattern = elimax.sparsity(fun, x)
    blocks = jax.tree.leaves(jac, is_leaf=lambda b: hasattr(b, "todense"))
    for found, own in zip(blocks, (block for line in pattern.blocks for block in line), strict=True):
        split = len(own.out_shape)
        flat = [
            np.ravel_multi_index(tuple(np.asarray(index).T), shape) if shape else np.zeros(found.nse, int)
            for index, shape in ((found.indices[:, :split], own.out_shape), (found.indices[:, split:], own.in_shape))
        ]
        np.testing.assert_array_equal(flat[0], own.rows)
        np.testing.assert_array_equal(flat[1], own.cols)


def test_no_values_are_needed():
    pattern = elimax.sparsity(tridiagonal, jax.ShapeDtypeStruct((1_000_000,), "float32"))
    assert pattern.nnz == 2_999_998
    assert pattern.shape == (1_000_000, 1_000_000)


def test_loops_are_looked_into():
    fun = lambda x: jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y), x)  # noqa: E731
    assert elimax.sparsity(fun, X).nnz == 8


def test_diagonals():
    pattern = elimax.sparsity(tridiagonal, X)
    bands = jax.jit(lambda x: pattern.banded(elimax.jacobian(tridiagonal, output="bcoo")(x)))(X)
    dense = jax.jit(jax.jacfwd(tridiagonal))(X)
    solved = scipy.linalg.solve_banded((bands.lower, bands.upper), bands.diagonals, np.ones(8))
    np.testing.assert_allclose(solved, np.linalg.solve(dense, np.ones(8)), rtol=1e-10)
    for found, offset in zip(bands.tridiagonal, (0, -1, 1), strict=True):
        np.testing.assert_allclose(found, np.diagonal(dense, offset), rtol=1e-12)


def test_diagonals_of_scattered_rows():
    """Entries of a band at irregular places are gathered."""
    where = np.array([1, 3, 4, 9, 11, 17, 18, 30, 31, 33, 36, 40, 47, 48, 50, 60, 61, 63])
    fun = lambda x: jnp.zeros(64).at[where].set(x[where] ** 2 + x[where - 1])  # noqa: E731
    x = jnp.linspace(0.0, 1.0, 64)
    bands = elimax.sparsity(fun, x).banded(jax.jit(elimax.jacobian(fun, output="bcoo"))(x))
    dense = jax.jit(jax.jacfwd(fun))(x)
    np.testing.assert_allclose(bands.diagonals[0], np.diagonal(dense))
    np.testing.assert_allclose(bands.tridiagonal[1], np.diagonal(dense, -1))
    np.testing.assert_allclose(bands.tridiagonal[2], np.zeros(63))


def test_wide_bands_are_not_tridiagonal():
    fun = lambda x: x[2:] - x[:-2] ** 2  # noqa: E731
    square = lambda x: jnp.pad(fun(x), 1)  # noqa: E731
    bands = elimax.sparsity(square, X).banded(jax.jit(elimax.jacobian(square, output="bcoo"))(X))
    wide = lambda x: jnp.pad(fun(x), (2, 0))  # noqa: E731
    assert bands.diagonals.shape == (3, 8)
    bands = elimax.sparsity(wide, X).banded(jax.jit(elimax.jacobian(wide, output="bcoo"))(X))
    with pytest.raises(elimax.PatternError, match="tridiagonal"):
        _ = bands.tridiagonal


@pytest.mark.parametrize("fun", [in_blocks, lambda x: x**2, lambda x: jnp.roll(x.reshape(4, 2), 1, 1).ravel() ** 2])
def test_diagonal_blocks(fun):
    jac = jax.jit(elimax.jacobian(fun, output="bcoo"))(X)
    blocks = elimax.sparsity(fun, X).block_diagonal(jac, 2)
    dense = jax.jit(jax.jacfwd(fun))(X)
    np.testing.assert_allclose(blocks, [dense[k : k + 2, k : k + 2] for k in range(0, 8, 2)], rtol=1e-12)


def test_what_has_no_such_form_is_refused():
    pattern = elimax.sparsity(tridiagonal, X)
    jac = jax.jit(elimax.jacobian(tridiagonal, output="bcoo"))(X)
    with pytest.raises(elimax.PatternError, match="outside"):
        pattern.block_diagonal(jac, 2)
    with pytest.raises(elimax.PatternError, match="multiple of 3"):
        pattern.block_diagonal(jac, 3)
    wide = lambda x: x[1:] * 2  # noqa: E731
    with pytest.raises(elimax.PatternError, match="square"):
        elimax.sparsity(wide, X).banded(elimax.jacobian(wide, output="bcoo")(X))
    with pytest.raises(elimax.PatternError, match="same function"):
        pattern.banded(elimax.jacobian(in_blocks, output="bcoo")(X))
    with pytest.raises(elimax.PatternError, match="same function"):
        pattern.banded(jax.jacfwd(tridiagonal)(X))
    with pytest.raises(elimax.PatternError, match="One block"):
        elimax.sparsity(tree, T).banded(jac)
    with pytest.raises(ValueError, match="'dense', 'bcoo'"):
        elimax.jacobian(tridiagonal, output="csr")


def test_no_table_of_indices_is_compiled_in():
    """Indices of a large banded block are counted, and its values put side by side, without a constant per entry."""
    fun = jax.jit(elimax.jacobian(tridiagonal, output="bcoo"))
    compiled = fun.lower(jax.ShapeDtypeStruct((50_000,), "float32")).compile().as_text()
    assert "gather(" not in compiled
    constants = [line for line in compiled.splitlines() if " constant(" in line]
    assert not any(size in line for line in constants for size in ("[149998", "[50000", "[49998"))


def test_pictures(tmp_path):
    pattern = elimax.sparsity(tridiagonal, X)
    pattern.draw(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("<rect") == 2 + pattern.nnz
    pattern.draw(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(elimax.ElimaxError, match="svg"):
        pattern.draw(tmp_path / "a.pdf")
    cells = shares(elimax.sparsity(tridiagonal, jnp.ones(1000)))
    assert cells.shape == (160, 160)
    assert np.isclose((cells * 1000**2 / 160**2).sum(), 2998, rtol=0.05)
