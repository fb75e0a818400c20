"""The operations of expressions: what they emit, and what they weigh."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

CHEAP, SLOW, SERIES, CALLED = 1.0, 5.0, 20.0, 100.0
"""Time of one operation on one element, in additions: arithmetic, division and roots, series, calls of a library."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """An elementwise operation.

    Attributes:
      call: emits it with public JAX functions, from its operands and static parameters.
      weight: its time, in additions.
      params: names of its static parameters.
      commutative: whether its two operands may be exchanged.
      result: "same" for the dtype of the last operand, "bool", or "given" by the parameter ``new_dtype``.
    """

    call: Callable[..., Any]
    weight: float = CHEAP
    params: tuple[str, ...] = ()
    commutative: bool = False
    result: str = "same"


def _unary(names: str, weight: float) -> dict[str, Operation]:
    return {name: Operation(getattr(lax, name), weight) for name in names.split()}


def _convert(x: Any, new_dtype: str) -> Any:
    return lax.convert_element_type(x, np.dtype(new_dtype))


def _softplus(x: Any) -> Any:
    return jnp.logaddexp(x, jnp.zeros_like(x))


def _bernoulli(x: Any) -> Any:
    zero = lax.eq(x, jnp.zeros_like(x))
    ones = jnp.ones_like(x)
    return lax.select_n(zero, lax.div(x, lax.expm1(lax.select_n(zero, x, ones))), ones)


OPERATIONS: dict[str, Operation] = {
    "add": Operation(lax.add, commutative=True),
    "sub": Operation(lax.sub),
    "mul": Operation(lax.mul, commutative=True),
    "div": Operation(lax.div, SLOW),
    "max": Operation(lax.max, commutative=True),
    "min": Operation(lax.min, commutative=True),
    "rem": Operation(lax.rem, CALLED),
    "pow": Operation(lax.pow, CALLED),
    "atan2": Operation(lax.atan2, CALLED),
    "nextafter": Operation(lax.nextafter),
    "integer_pow": Operation(lambda x, y: lax.integer_pow(x, y), params=("y",)),
    "clamp": Operation(lax.clamp),
    "select_n": Operation(lax.select_n),
    "convert_element_type": Operation(_convert, params=("new_dtype",), result="given"),
    "and": Operation(lax.bitwise_and, commutative=True),
    "or": Operation(lax.bitwise_or, commutative=True),
    "xor": Operation(lax.bitwise_xor, commutative=True),
    "not": Operation(lax.bitwise_not),
    "round": Operation(lambda x, rounding_method: lax.round(x, rounding_method), params=("rounding_method",)),
    "is_finite": Operation(lax.is_finite, result="bool"),
    **{name: Operation(getattr(lax, name), commutative=True, result="bool") for name in ("eq", "ne")},
    **{name: Operation(getattr(lax, name), result="bool") for name in ("lt", "le", "gt", "ge")},
    **_unary("neg abs sign floor ceil", CHEAP),
    **_unary("sqrt rsqrt", SLOW),
    **_unary("exp exp2 expm1 log log1p logistic tanh", SERIES),
    **_unary("sin cos tan asin acos atan sinh cosh asinh acosh atanh", CALLED),
    **_unary("cbrt erf erfc erf_inv lgamma digamma", CALLED),
    # log(1 + exp(x)) and x / expm1(x) in stable form, with derivatives of their own in `elimax.coarsen.derivatives`.
    "softplus": Operation(_softplus, 2 * SERIES),
    "bernoulli": Operation(_bernoulli, SERIES + SLOW),
}
"""Every operation by name."""

WITHOUT_DERIVATIVE = frozenset(["digamma", "nextafter"])
"""Operations whose derivative is no expression, or that have none; where one is differentiated they are not read."""

RENAMED = {"add_any": "add", "square": "integer_pow"}
"""Primitives that are another one's special case."""

IDENTITIES = frozenset(["copy", "copy_p", "optimization_barrier", "name", "pvary", "tie_in"])
"""Primitives with one operand that return it."""


def weight(op: str, params: tuple[tuple[str, Any], ...]) -> float:
    """Time of an operation, in additions; a power takes one for each multiplication."""
    if op == "integer_pow":
        return power_weight(dict(params)["y"])
    found = OPERATIONS.get(op)
    return 0.0 if found is None else found.weight


def power_weight(y: int) -> float:
    """Time of a power by repeated squaring."""
    n = abs(y)
    products = max(n.bit_length() - 1, 0) + max(n.bit_count() - 1, 0)
    return products * CHEAP + (SLOW if y < 0 else 0.0)
