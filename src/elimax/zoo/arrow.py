"""A function whose Jacobian is an arrowhead: one dense row, one dense column and the diagonal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype


def arrow(x: jax.Array) -> jax.Array:
    """Maps [N] to [N]: the first result depends on everything, the others on the first entry and their own.

    Neither rows nor columns can be compressed, so one-sided colouring needs N products; both sides together need 3.
    """
    head, tail = x[:1], x[1:]
    return jnp.concatenate([head * head + jnp.sum(jnp.sin(tail), keepdims=True), tail * tail * tail + head * tail])


def build(*, size: int = 16, dtype: npt.DTypeLike | None = None) -> Problem:
    """The problem ``arrow``.

    Args:
      size: number of variables and of results.
      dtype: of the example argument; JAX's default floating dtype when None.
    """
    return Problem(
        name="arrow",
        fun=arrow,
        args=(np.linspace(0.5, 1.5, size).astype(float_dtype(dtype)),),
        argnums=0,
        reference="T. F. Coleman and A. Verma, SIAM J. Sci. Comput. 19 (1998) 1210-1233",
        description="a vector [size] to a vector [size] with an arrowhead Jacobian",
    )
