"""Gather, scatter, dynamic slices; indices known at trace time, at run time, and computed from the inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.primitives.harness import Case

V = jnp.array([0.3, -1.7, 2.5, 0.9, -0.4])
M = jnp.arange(12.0).reshape(4, 3) / 4 - 0.9
U = jnp.array([1.5, -0.6, 0.8])
I = jnp.array([3, 0, 3])  # noqa: E741
TWO = jnp.array(2)
OUT = jnp.array([1, 7, -9])  # out of bounds

_DIMS = lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
_BATCHED = lax.GatherDimensionNumbers(
    offset_dims=(),
    collapsed_slice_dims=(1,),
    start_index_map=(1,),
    operand_batching_dims=(0,),
    start_indices_batching_dims=(0,),
)
_SCATTER = lax.ScatterDimensionNumbers(
    update_window_dims=(1,), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,)
)


def _scatter(op, **kwargs):
    return lambda x, u: op(x, I[:, None], u, _SCATTER, **kwargs)


CASES = {
    "gather": Case(lambda x: x[I], V),
    "gather with a NumPy index": Case(lambda x: x[np.array([[0, 4], [4, 2]])], V),
    "gather of rows": Case(lambda x: x[I], M),
    "gather of columns": Case(lambda x: x[:, jnp.array([2, 0])], M),
    "gather of entries": Case(lambda x: x[jnp.array([0, 3]), jnp.array([2, 1])], M),
    "gather with a slice": Case(lambda x: x[1:3, jnp.array([0, 0, 2])], M),
    "gather with a mask": Case(lambda x: x[np.array([True, False, True, False, True])], V),
    "gather low level": Case(lambda x: lax.gather(x, I[:, None], _DIMS, (1, 2)), M),
    "gather batched": Case(lambda x: lax.gather(x, jnp.array([[1], [0], [2], [2]]), _BATCHED, (1, 1)), M),
    "gather clipped": Case(lambda x: x.at[OUT].get(mode="clip"), V),
    "gather filled": Case(lambda x: x.at[OUT].get(mode="fill", fill_value=0.0), V),
    "gather filled with the number of an element": Case(lambda x: x[0] * x.at[OUT].get(mode="fill", fill_value=2.0), V),
    "gather wrapped": Case(lambda x: jnp.take(x, OUT, mode="wrap"), V),
    "gather promised in bounds": Case(lambda x: x.at[I].get(mode="promise_in_bounds"), V),
    "gather of unique indices": Case(lambda x: x.at[jnp.array([0, 2, 4])].get(unique_indices=True), V),
    "gather at a computed index": Case(lambda x: x[jnp.argmax(x)] * x[jnp.argsort(x)], V),
    "take": Case(lambda x: jnp.take(x, I, axis=0), M),
    "take_along_axis": Case(lambda x: jnp.take_along_axis(x, jnp.argsort(x, axis=0), axis=0), M),
    "choose": Case(lambda x, y: jnp.choose(jnp.array([0, 1, 1]), [x, y], mode="clip"), U, U * 2),
    "compress": Case(lambda x: jnp.compress(np.array([1, 0, 1, 1, 0], bool), x, size=3), V),
    "dynamic_slice": Case(lambda x: lax.dynamic_slice(x, (TWO, 1), (2, 2)), M),
    "dynamic_slice clamped": Case(lambda x: lax.dynamic_slice(x, (jnp.array(9),), (2,)), V),
    "dynamic_slice at a computed place": Case(lambda x: lax.dynamic_slice(x, (jnp.argmax(x),), (2,)), V),
    "dynamic_index": Case(lambda x: lax.dynamic_index_in_dim(x, TWO, 0, keepdims=False), M),
    "dynamic_update_slice": Case(lambda x, u: lax.dynamic_update_slice(x, u, (TWO,)), V, U),
    "dynamic_update_slice at a computed place": Case(
        lambda x, u: lax.dynamic_update_slice(x, u[:2], (jnp.argmax(x),)), V, U
    ),
    "dynamic_update_slice of rows": Case(lambda x, u: lax.dynamic_update_slice(x, u[None], (jnp.array(1), 0)), M, U),
    "dynamic_update_index": Case(lambda x, u: lax.dynamic_update_index_in_dim(x, u, TWO, 0), M, U),
    "scatter": Case(lambda x, u: x.at[jnp.array([4, 0, 1])].set(u), V, U),
    "scatter with a repeated index": Case(lambda x, u: x.at[I].set(u), V, U, wrap=False),
    "scatter of a constant": Case(lambda x: x.at[I].set(0.5), V),
    "scatter of a scalar": Case(lambda x, u: x.at[2].set(u), V, U[0]),
    "scatter of a row": Case(lambda x, u: x.at[1].set(u), M, U),
    "scatter of a column": Case(lambda x, u: x.at[:, 1].set(u), M, V[:4]),
    "scatter of a slice": Case(lambda x, u: x.at[1:4].set(u), V, U),
    "scatter of a strided slice": Case(lambda x, u: x.at[::2].set(u), V, U),
    "scatter dropped": Case(lambda x, u: x.at[OUT].set(u, mode="drop"), V, U),
    "scatter clipped": Case(lambda x, u: x.at[jnp.array([1, 7, 2])].set(u, mode="clip"), V, U),
    "scatter_add": Case(lambda x, u: x.at[I].add(u), V, U),
    "scatter_add low level": Case(_scatter(lax.scatter_add), M, jnp.outer(U, U)),
    "scatter_add of entries": Case(lambda x, u: x.at[jnp.array([0, 3, 0]), jnp.array([2, 1, 2])].add(u), M, U),
    "scatter_sub": Case(lambda x, u: x.at[I].subtract(u), V, U),
    "scatter_sub low level": Case(_scatter(lax.scatter_sub), M, jnp.outer(U, U)),
    "scatter_mul": Case(lambda x, u: x.at[jnp.array([4, 0, 1])].multiply(u, unique_indices=True), V, U),
    "scatter_mul with a repeated index": Case(lambda x: x.at[I].multiply(U), V),
    "scatter_min": Case(lambda x, u: x.at[jnp.array([4, 0, 1])].min(u), V, U),
    "scatter_max": Case(lambda x, u: x.at[jnp.array([4, 0, 1])].max(u), V, U),
    "scatter_max with a repeated index": Case(lambda x, u: x.at[I].max(u), V, U),
    "segment_sum": Case(lambda x: jax.ops.segment_sum(x, jnp.array([0, 2, 0, 1, 2]), 3), V),
    "segment_max": Case(lambda x: jax.ops.segment_max(x, jnp.array([0, 2, 0, 1, 2]), 3), V),
    "bincount": Case(lambda x: jnp.bincount(jnp.array([0, 2, 0, 1, 2]), weights=x, length=3), V),
    "histogram weights": Case(
        lambda w: jnp.histogram(jnp.linspace(0, 1, 5), bins=3, range=(0.0, 1.0), weights=w)[0], V
    ),
    "put": Case(lambda x, u: jnp.put(x, jnp.array([4, 0, 1]), u, inplace=False), V, U),
    "fill_diagonal": Case(lambda x: jnp.fill_diagonal(x, U, inplace=False), M),
    "insert and delete": Case(lambda x: jnp.delete(jnp.insert(x, 2, x[0] ** 2), 1), V),
    "embedding": Case(lambda table: jnp.tanh(table[jnp.array([[0, 3], [1, 1]])]).sum(-1), M),
    "map_coordinates": Case(
        lambda x, c: jax.scipy.ndimage.map_coordinates(x, [c[0], c[1]], order=1),
        M,
        jnp.array([[0.3, 1.7], [0.9, 1.2]]),
        wrap=False,
    ),
}
