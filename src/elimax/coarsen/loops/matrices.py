"""Powers of matrices by repeated squaring: linear steps whose factor is a matrix that stays the same (C6).

One turn is the map d -> A d + b. Two equal stretches of turns are one of twice the length, and all stretches commute,
so that those which the bits of the number of turns ask for are applied one after another, the shortest first. Where the
number is known at run time alone, a loop goes over all of its bits, so that JAX differentiates it in both directions;
stretches longer than the number are not computed.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax.together import together

FEW = 4
"""Matrices of so many rows at most are multiplied by sums of products, which XLA fuses with what is around."""

CHUNK = 8
"""Bits that are decided on together."""


def _product(a: Any, b: Any) -> Any:
    """The product of two matrices, or of a matrix and a vector; squares amplify what reduced precision loses."""
    if a.shape[1] > FEW or b.ndim == 1:
        return jnp.matmul(a, b, precision="highest")
    return functools.reduce(jnp.add, [a[:, k, None] * b[k] for k in range(a.shape[1])])


def affine(p: Any, a: Any, b: Any, n: Any) -> Any:
    """The value after n turns of d = A d + b from p.

    Args:
      p: vector [m], m at least 1.
      a: matrix [m, m].
      b: vector [m].
      n: number of turns, at least 0: an integer, or an integer scalar that is traced.

    Returns:
      [m].
    """
    # Beside the state, its difference from the start, which shifts by what the first turn changes.
    shifts = jnp.stack([b, _product(a, p) + b - p], axis=1)
    states = jnp.stack([p, jnp.zeros_like(p)], axis=1)
    power, states = (_unrolled if isinstance(n, int) else _looped)(a, shifts, states, n)
    # A state that stays where it is does so however large the power is; one that fades forgets where it was.
    return jnp.where(jnp.max(jnp.abs(power)) <= 1, states[:, 0], p + states[:, 1])


def _unrolled(power: Any, shifts: Any, states: Any, n: int) -> tuple[Any, Any]:
    for k in range(n.bit_length()):
        if k:
            power, shifts = _product(power, power), _product(power, shifts) + shifts
        if n >> k & 1:
            states = _product(power, states) + shifts
    return power, states


def _looped(power: Any, shifts: Any, states: Any, n: Any) -> tuple[Any, Any]:
    m, n = power.shape[0], jnp.asarray(n)
    second, third = m + shifts.shape[1], m + shifts.shape[1] + states.shape[1]

    def bit(held: Any, k: Any) -> tuple[Any, None]:
        left = jax.lax.shift_right_logical(n, k)
        power, shifts, states = held[:, :m], held[:, m:second], held[:, second:third]
        both = _product(power, held)
        # What is not needed any more stays as it is: it would overflow.
        longer = jnp.where(
            left > 1, jnp.concatenate([both[:, :m], both[:, m:second] + shifts], axis=1), held[:, :second]
        )
        return jnp.concatenate([longer, jnp.where(left & 1 == 1, both[:, second:] + shifts, states)], axis=1), None

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def some(held: Any, k: Any) -> Any:
        return jax.lax.scan(bit, held, k + jnp.arange(CHUNK, dtype=n.dtype))[0]

    def chunk(held: Any, k: Any) -> tuple[Any, None]:
        left = jax.lax.shift_right_logical(n, k)
        return jax.lax.cond(together(left > 0), some, lambda held, k: held, held, k), None

    held = jnp.concatenate([power, shifts, states], axis=1)
    held, _ = jax.lax.scan(chunk, held, jnp.arange(0, jnp.iinfo(n.dtype).bits, CHUNK, dtype=n.dtype))
    return held[:, :m], held[:, second:]
