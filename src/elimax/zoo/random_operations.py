"""The operations that random programs are made of; none lets values grow, so that long programs stay finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

SCALAR, VECTOR, MATRIX = 0, 1, 2
"""Ranks of the values of a random program: shapes [], [N] and [N, N]."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation on values of given ranks.

    Attributes:
      operands: rank of each operand.
      result: rank of the result.
      apply: takes a static index 0 <= k < N (which element, axis or shift is meant) and the operands.
    """

    operands: tuple[int, ...]
    result: int
    apply: Callable[..., jax.Array]


_UNARY: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "arctan": jnp.arctan,
    "negative": jnp.negative,
    "logistic": jax.nn.sigmoid,
    "soft_root": lambda x: jnp.sqrt(1.0 + x * x) - 1.0,
    "soft_log": lambda x: jnp.log1p(x * x),
    "bell": lambda x: jnp.exp(-(x * x)),
    "square": lambda x: jnp.tanh(x) ** 2,
}

_BINARY: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "average": lambda x, y: 0.5 * (x + y),
    "difference": lambda x, y: 0.5 * (x - y),
    "product": lambda x, y: jnp.sin(x) * y,
    "quotient": lambda x, y: x / (1.0 + y * y),
    "angle": lambda x, y: jnp.arctan2(x, 1.0 + y * y),
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "select": lambda x, y: jnp.where(x > y, x, jnp.cos(y)),
}

_STRUCTURAL: dict[str, Operation] = {
    "element": Operation((VECTOR,), SCALAR, lambda k, v: v[k]),
    "mean": Operation((VECTOR,), SCALAR, lambda k, v: jnp.mean(v)),
    "largest": Operation((VECTOR,), SCALAR, lambda k, v: jnp.max(v)),
    "total_product": Operation((VECTOR,), SCALAR, lambda k, v: jnp.prod(jnp.cos(v))),
    "dot": Operation((VECTOR, VECTOR), SCALAR, lambda k, v, w: jnp.dot(jnp.sin(v), w) / v.size),
    "flip": Operation((VECTOR,), VECTOR, lambda k, v: v[::-1]),
    "roll": Operation((VECTOR,), VECTOR, lambda k, v: jnp.concatenate([v[k:], v[:k]])),
    "running_mean": Operation((VECTOR,), VECTOR, lambda k, v: jnp.cumsum(v) / v.size),
    "pick": Operation((VECTOR,), VECTOR, lambda k, v: v[jnp.array([(k + i * i) % v.size for i in range(v.size)])]),
    "replace": Operation((VECTOR, SCALAR), VECTOR, lambda k, v, s: v.at[k].set(s)),
    "scale": Operation((VECTOR, SCALAR), VECTOR, lambda k, v, s: v * jnp.sin(s)),
    "mean_along": Operation((MATRIX,), VECTOR, lambda k, m: jnp.mean(m, axis=k % 2)),
    "largest_along": Operation((MATRIX,), VECTOR, lambda k, m: jnp.max(m, axis=k % 2)),
    "row": Operation((MATRIX,), VECTOR, lambda k, m: m[k]),
    "diagonal": Operation((MATRIX,), VECTOR, lambda k, m: jnp.diagonal(m)),
    "matvec": Operation((MATRIX, VECTOR), VECTOR, lambda k, m, v: jnp.sin(m) @ v / v.size),
    "transpose": Operation((MATRIX,), MATRIX, lambda k, m: m.T),
    "matmul": Operation((MATRIX, MATRIX), MATRIX, lambda k, m, n: jnp.sin(m) @ n / m.shape[0]),
    "outer": Operation((VECTOR, VECTOR), MATRIX, lambda k, v, w: jnp.outer(jnp.sin(v), w)),
    "add_row": Operation((MATRIX, VECTOR), MATRIX, lambda k, m, v: 0.5 * (m + v)),
    "add_column": Operation((MATRIX, VECTOR), MATRIX, lambda k, m, v: 0.5 * (m + v[:, None])),
    "spread": Operation((VECTOR,), MATRIX, lambda k, v: jnp.broadcast_to(v, (v.size, v.size))),
}


def _elementwise(ranks: tuple[int, ...]) -> dict[str, Operation]:
    names = {SCALAR: "scalar", VECTOR: "vector", MATRIX: "matrix"}
    table: dict[str, Operation] = {}
    for rank in ranks:
        for name, fun in _UNARY.items():
            table[f"{name}_{names[rank]}"] = Operation((rank,), rank, lambda k, x, fun=fun: fun(x))
        for name, fun in _BINARY.items():
            table[f"{name}_{names[rank]}"] = Operation((rank, rank), rank, lambda k, x, y, fun=fun: fun(x, y))
    return table


SCALAR_OPERATIONS = _elementwise((SCALAR,))
OPERATIONS = _elementwise((SCALAR, VECTOR, MATRIX)) | _STRUCTURAL
