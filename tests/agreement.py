"""Comparisons with JAX that the tests of several rooms share."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

import elimax

# Units of rounding, relative to the largest entry of a block, that two ways of computing it may differ by.
ROUNDING_UNITS = 256


def dense(block):
    """A BCOO block as an array; anything else unchanged."""
    return block.todense() if hasattr(block, "todense") else block


def _is_block(x):
    return hasattr(x, "todense")


def assert_blocks_close(actual, expected, *, eps=None, where=""):
    """Shape, dtype, specials, and values up to rounding relative to the largest entry."""
    actual, expected = dense(actual), dense(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape} instead of {expected.shape} {where}"
    assert actual.dtype == expected.dtype, f"dtype {actual.dtype} instead of {expected.dtype} {where}"
    if expected.dtype == jax.dtypes.float0:
        return
    if not jnp.issubdtype(expected.dtype, jnp.inexact):
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected), err_msg=where)
        return
    wide = np.complex128 if jnp.issubdtype(expected.dtype, jnp.complexfloating) else np.float64
    eps = float(jnp.finfo(expected.dtype).eps) if eps is None else eps
    got, want = np.asarray(actual).astype(wide), np.asarray(expected).astype(wide)
    finite = np.abs(want[np.isfinite(want)])
    scale = float(np.max(finite, initial=0.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=ROUNDING_UNITS * eps * scale, err_msg=where)


def assert_trees_close(actual, expected, *, eps=None):
    """Equal tree structure, and ``assert_blocks_close`` for every leaf."""
    got, got_tree = jax.tree_util.tree_flatten_with_path(actual, is_leaf=_is_block)
    want, want_tree = jax.tree_util.tree_flatten_with_path(expected)
    assert got_tree == want_tree, f"tree {got_tree} instead of {want_tree}"
    for (path, a), (_, b) in zip(got, want, strict=True):
        if hasattr(b, "dtype"):
            assert_blocks_close(a, b, eps=eps, where=f"at {jax.tree_util.keystr(path)}")
        else:
            assert type(a) is type(b)
            assert a == b


def jax_jacobian(fun, argnums=0, has_aux=False, holomorphic=False, allow_int=False):
    """jax.jacfwd, or where that refuses jax.jacrev with blocks in the dtype of the output."""

    def primal(*args, **kwargs):
        result = fun(*args, **kwargs)
        value, aux = result if has_aux else (result, None)
        return value, (value, aux)

    def reference(*args, **kwargs):
        try:
            jac, (value, aux) = jax.jacfwd(primal, argnums, has_aux=True, holomorphic=holomorphic)(*args, **kwargs)
        except (TypeError, ValueError, NotImplementedError):
            reverse = jax.jacrev(primal, argnums, has_aux=True, holomorphic=holomorphic, allow_int=allow_int)
            jac, (value, aux) = reverse(*args, **kwargs)
            outputs, tree = jax.tree.flatten(value)
            rows = tree.flatten_up_to(jac)
            cast = functools.partial(jax.tree.map, _cast_like)
            rows = [cast(jax.tree.map(lambda b, y=y: y, row), row) for y, row in zip(outputs, rows, strict=True)]
            jac = jax.tree.unflatten(tree, rows)
        return (jac, aux) if has_aux else jac

    return reference


def _cast_like(output, block):
    if not jnp.issubdtype(block.dtype, jnp.inexact):
        return block
    dtype = jnp.asarray(output).dtype
    if jnp.issubdtype(block.dtype, jnp.complexfloating):
        dtype = jnp.complex128 if jnp.finfo(dtype).bits == 64 else jnp.complex64
    return block.astype(dtype)


def rounding_of(*trees):
    """Unit of rounding of the coarsest inexact dtype among the leaves."""
    dtypes = [jax.typeof(leaf).dtype for tree in trees for leaf in jax.tree.leaves(tree)]
    return max((float(jnp.finfo(d).eps) for d in dtypes if jnp.issubdtype(d, jnp.inexact)), default=0.0)


def assert_same_jacobian(fun, *args, argnums=0, jit=False, eps=None, kwargs=None, method=None, **options):
    """``elimax.jacobian`` gives what JAX gives: trees, shapes, dtypes and values.

    Args:
      fun: the function.
      *args: where to differentiate.
      argnums: with respect to what.
      jit: compile both.
      eps: unit of rounding; by default the coarsest of inputs and block.
      kwargs: keyword arguments of the function.
      method: ``order``, ``cost`` and ``output`` of elimax.
      **options: ``has_aux``, ``holomorphic``, ``allow_int``.

    Returns:
      The Jacobian of elimax.
    """
    kwargs = kwargs or {}
    reference = jax_jacobian(fun, argnums, **options)
    expected = (jax.jit(reference) if jit else reference)(*args, **kwargs)
    differentiate = elimax.jacobian(fun, argnums, **options, **(method or {}))
    actual = (jax.jit(differentiate) if jit else differentiate)(*args, **kwargs)
    chosen = [args[i] for i in ((argnums,) if isinstance(argnums, int) else argnums)]
    eps = max(rounding_of(chosen), rounding_of(expected)) if eps is None else eps
    assert_trees_close(actual, expected, eps=eps)
    return actual
