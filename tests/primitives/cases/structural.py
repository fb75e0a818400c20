"""Operations that move, repeat or drop entries at places known at trace time."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import flatten_util, lax

from tests.primitives.harness import Case

V = jnp.array([0.3, -1.7, 2.5, 0.9, -0.4])
M = jnp.arange(6.0).reshape(2, 3) / 4 + 0.1
T = jnp.arange(24.0).reshape(2, 3, 4) / 10 - 1.05
S = jnp.array(0.7)

CASES = {
    "reshape": Case(lambda x: lax.reshape(x, (3, 2)), M),
    "reshape with dimensions": Case(lambda x: lax.reshape(x.T, (6,)), M),
    "reshape to a scalar": Case(lambda x: x.reshape(()), V[:1]),
    "ravel": Case(jnp.ravel, T),
    "squeeze": Case(lambda x: lax.squeeze(x, (0, 2)), M[None, :, None]),
    "expand_dims": Case(lambda x: lax.expand_dims(x, (0, 2)), M),
    "transpose": Case(lambda x: lax.transpose(x, (2, 0, 1)), T),
    "transpose then sin": Case(lambda x: jnp.sin(x.T), M),
    "moveaxis": Case(lambda x: jnp.moveaxis(x, 0, -1), T),
    "broadcast_in_dim": Case(lambda x: lax.broadcast_in_dim(x, (4, 3, 2), (1,)), V[:3]),
    "broadcast_in_dim from ones": Case(lambda x: lax.broadcast_in_dim(x, (2, 3, 4), (0, 2)), V[:2, None]),
    "broadcast_in_dim of a scalar": Case(lambda x: lax.broadcast_in_dim(x, (2, 3), ()), S),
    "broadcast_to": Case(lambda x: jnp.broadcast_to(x, (2, 2, 3)), M),
    "rev": Case(lambda x: lax.rev(x, (0, 2)), T),
    "slice": Case(lambda x: lax.slice(x, (0, 1), (2, 3)), M),
    "slice with strides": Case(lambda x: lax.slice(x, (0, 0, 1), (2, 3, 4), (1, 2, 2)), T),
    "slice of one": Case(lambda x: x[1], V),
    "slice from the end": Case(lambda x: x[-2:] * x[-1], V),
    "slice reversed": Case(lambda x: x[::-2], V),
    "slice empty": Case(lambda x: x[:0], V),
    "slice of a row": Case(lambda x: x[1] * x[0, 1], M),
    "slice with None": Case(lambda x: x[:, None, 1:], M),
    "pad": Case(lambda x, v: lax.pad(x, v, ((1, 2, 0), (0, 1, 0))), M, S),
    "pad negative": Case(lambda x, v: lax.pad(x, v, ((-1, 1, 0), (0, -1, 0))), M, S),
    "pad interior": Case(lambda x, v: lax.pad(x, v, ((1, 0, 2), (0, 0, 1))), M, S),
    "pad negative and interior": Case(lambda x, v: lax.pad(x, v, ((-2, 1, 1),)), V, S),
    "pad interior of two axes": Case(lambda x, v: lax.pad(x, v, ((1, 0, 2), (-1, 2, 3))), M, S),
    "pad what is cut off": Case(lambda x, v: lax.pad(x, v, ((-5, 3, 0), (0, 1, 0))), M, S),
    "pad modes": Case(lambda x: (jnp.pad(x, 2, "edge"), jnp.pad(x, 1, "reflect"), jnp.pad(x, 1, "wrap")), V),
    "concatenate": Case(lambda x, y: lax.concatenate([x, y, x], 0), M, M[:1] * 2),
    "concatenate last axis": Case(lambda x, y: jnp.concatenate([x, y], -1), M, M[:, :1] * 3),
    "concatenate of one": Case(lambda x: lax.concatenate([x], 0), M),
    "stack": Case(lambda x, y: jnp.stack([x, y, x * y], axis=1), M, M * 2),
    "vstack": Case(lambda x, y: jnp.vstack([x, y]), V, V * 2),
    "split": Case(lambda x: lax.split(x, (1, 3, 1)), V),
    "array_split": Case(lambda x: jnp.array_split(x, 3, axis=1), M),
    "unstack": Case(lambda x: jnp.unstack(x, axis=1), M),
    "tile": Case(lambda x: jnp.tile(x, (2, 3)), M),
    "repeat": Case(lambda x: jnp.repeat(x, 3), V[:3]),
    "repeat by counts": Case(lambda x: jnp.repeat(x, np.array([1, 0, 2]), axis=1), M),
    "roll": Case(lambda x: jnp.roll(x, 2), V),
    "roll of two axes": Case(lambda x: jnp.roll(x, (1, -1), (0, 1)), M),
    "flip": Case(lambda x: jnp.flip(x, 1), M),
    "rot90": Case(jnp.rot90, M),
    "diag of a vector": Case(jnp.diag, V[:3]),
    "diag of a matrix": Case(lambda x: jnp.diag(x, 1), M),
    "triu": Case(jnp.triu, T),
    "tril": Case(lambda x: jnp.tril(x, -1), M @ M.T),
    "trace": Case(lambda x: jnp.trace(x), M),
    "meshgrid": Case(lambda x, y: jnp.meshgrid(x, y), V[:2], V[:3]),
    "eye product": Case(lambda x: jnp.eye(3) * x, V[:3]),
    "vander": Case(lambda x: jnp.vander(x, 3), V[:3]),
    "kron": Case(jnp.kron, V[:2], V[:3]),
    "take_along_axis with constants": Case(lambda x: jnp.take_along_axis(x, np.array([[2, 0], [1, 1]]), axis=1), M),
    "swap halves": Case(lambda x: jnp.fft.fftshift(x), V),
    "atleast and ravel": Case(lambda x: jnp.atleast_3d(x).ravel(), M),
    "flatten tree": Case(lambda x, y: flatten_util.ravel_pytree({"a": x, "b": y})[0], M, V),
    "iota product": Case(lambda x: lax.iota(x.dtype, 5) * x, V),
    "empty array": Case(lambda x: jnp.concatenate([x, x[:0]]) * 2, V),
    "zero-sized": Case(lambda x: (x.T, x + 1, jnp.sum(x, 0)), jnp.zeros((0, 3))),
}
