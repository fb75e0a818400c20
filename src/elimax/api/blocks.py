"""Single Jacobian blocks: zeros, complex combinations, dtypes, dense or sparse."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax.api.endpoints import Kind, Leaf

Block = Any
"""A `jax.Array`, a NumPy array, or a `jax.experimental.sparse.BCOO`."""


def is_bcoo(block: Any) -> bool:
    """Whether a block is a BCOO."""
    return not isinstance(block, jax.Array | np.ndarray)


def bcoo(data: Any, indices: Any, shape: tuple[int, ...], ordered: bool) -> Block:
    """A BCOO, whose indices are sorted and unique if ``ordered``."""
    from jax.experimental.sparse import BCOO  # slow to import, and dense callers never need it

    return BCOO((data, indices), shape=shape, indices_sorted=ordered, unique_indices=ordered)


def block_dtype(output: Leaf, x: Leaf) -> Any:
    """The dtype of a block: that of the output, as in jacfwd, made complex for a complex input of a real output.

    Blocks of integer inputs have the input's dtype, as in jacrev; those of inputs with an extended dtype are float0.
    """
    if x.kind is Kind.INTEGER:
        return jax.dtypes.float0 if jnp.issubdtype(x.dtype, jax.dtypes.extended) else x.dtype
    if x.kind is Kind.SPLIT:
        return jax.dtypes.canonicalize_dtype(jnp.complex128 if jnp.finfo(output.dtype).bits == 64 else jnp.complex64)
    return output.dtype


def zero_block(output: Leaf, x: Leaf, layout: str) -> Block:
    """The block [*output.shape, *x.shape] of an output that does not depend on ``x``, or cannot be differentiated."""
    shape, dtype = output.shape + x.shape, block_dtype(output, x)
    if dtype == jax.dtypes.float0:
        return np.zeros(shape, dtype)
    if layout == "bcoo":
        indices = jnp.zeros((0, len(shape)), jnp.int32)
        return bcoo(jnp.zeros((0,), dtype), indices, shape, ordered=True)
    return weaken(jnp.zeros(shape, dtype), output.weak_type)


def combine_parts(real_part: Block, imaginary_part: Block, sign: int, dtype: Any) -> Block:
    """The complex block ``real_part + sign * i * imaginary_part``, in the given dtype."""
    if is_bcoo(real_part) and is_bcoo(imaginary_part):
        return _combine_sparse(real_part, imaginary_part, sign, dtype)
    return _complex(real_part, imaginary_part, sign, dtype)


def _combine_sparse(real_part: Block, imaginary_part: Block, sign: int, dtype: Any) -> Block:
    """The same for sparse parts, with an entry where either has one; with an entry of each if places are not known."""
    parts = (real_part, imaginary_part)
    left, right = (part.data for part in parts)
    if any(isinstance(part.indices, Tracer) for part in parts):
        apart = [
            _complex(left, jnp.zeros_like(left), sign, dtype),
            _complex(jnp.zeros_like(right), right, sign, dtype),
        ]
        indices = jnp.concatenate([part.indices for part in parts])
        return bcoo(jnp.concatenate(apart), indices, real_part.shape, ordered=False)
    real_places, imaginary_places = (np.asarray(part.indices) for part in parts)
    if np.array_equal(real_places, imaginary_places):
        return bcoo(_complex(left, right, sign, dtype), real_part.indices, real_part.shape, ordered=True)
    union, number = np.unique(np.concatenate([real_places, imaginary_places]), axis=0, return_inverse=True)
    numbers = np.split(number.ravel(), [len(real_places)])
    left, right = (jnp.zeros(len(union), x.dtype).at[k].set(x) for x, k in zip((left, right), numbers, strict=True))
    return bcoo(_complex(left, right, sign, dtype), jnp.asarray(union), real_part.shape, ordered=True)


def _complex(real_part: Any, imaginary_part: Any, sign: int, dtype: Any) -> jax.Array:
    part_dtype = jnp.finfo(dtype).dtype
    imaginary_part = imaginary_part.astype(part_dtype)
    return jax.lax.complex(real_part.astype(part_dtype), imaginary_part if sign > 0 else -imaginary_part)


def weaken(block: Any, weak_type: bool) -> Any:
    """Gives a dense block the weak type of its output, so that it promotes as the one of jacfwd does."""
    if not weak_type or not isinstance(block, jax.Array) or getattr(jax.typeof(block), "weak_type", False):
        return block
    return jax.lax.convert_element_type_p.bind(block, new_dtype=block.dtype, weak_type=True, sharding=None)


def cast(block: Any, dtype: Any) -> Any:
    """Converts the values of a block; a complex block becomes a real one by its real part, as JAX does."""
    if dtype == jax.dtypes.float0 or block.dtype == dtype or block.dtype == jax.dtypes.float0:
        return block
    if is_bcoo(block):
        return bcoo(cast(block.data, dtype), block.indices, block.shape, ordered=block.unique_indices)
    if jnp.issubdtype(block.dtype, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating):
        block = jnp.real(block)
    return block.astype(dtype)
