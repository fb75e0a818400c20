"""Powers and geometric sums whose derivatives of every order are right at 0, at 1 and for negative factors.

A sum of powers written as a quotient, (a^n - 1) / (a - 1), loses its digits near a = 1, and its derivatives lose more.
Here it is doubled: n steps are two times n // 2 steps, and one more if n is odd. Doubling is a polynomial in ``a``, so
nothing cancels for positive factors. Derivatives are sums of the same kind, with binomial coefficients,

    M_k(a, n) = sum_{i<n} binomial(i, k) a^(i-k),    d M_k / d a = (k + 1) M_(k+1),

which doubling of truncated Taylor polynomials gives; each is one operation with a rule of its own for JAX.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Turns = Any
"""A number of turns: a Python integer, or an integer scalar that is traced."""


@jax.custom_jvp
def power(a: Any, n: Turns) -> Any:
    """a^n for a number of turns, elementwise.

    Args:
      a: array of floats.
      n: number of turns, at least 0; an integer or an array of integers.
    """
    return jax.lax.pow(a, jnp.broadcast_to(_integers(n), jnp.shape(a)))


@power.defjvp
def _power_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (a, n), (da, _) = primals, tangents
    n = _integers(n)
    slope = power(a, jnp.maximum(n - 1, 0)) * n.astype(a.dtype)
    return power(a, n), slope * da


def _integers(n: Turns) -> Any:
    return jnp.asarray(n, np.int64 if isinstance(n, int) and n > np.iinfo(np.int32).max else None)


@jax.custom_jvp
def powered(p: Any, a: Any, n: Turns) -> Any:
    """The product p a^n as n products in turn give it, also where a^n alone is too large or too small.

    Args:
      p: array of floats.
      a: array of the same shape and dtype.
      n: number of turns; an array of integers that broadcasts.
    """
    n = _integers(n)
    half = n // 2
    usual = power(a, half) * p * power(a, n - half)
    endless = p * power(jnp.sign(a), n)
    finite = jnp.isfinite(a)
    return jnp.where((p == 0) & finite, p, jnp.where(jnp.isfinite(p) | ~finite, usual, endless))


@powered.defjvp
def _powered_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (p, a, n), (dp, da, _) = primals, tangents
    n = _integers(n)
    slope = powered(p, a, jnp.maximum(n - 1, 0)) * n.astype(p.dtype)
    return powered(p, a, n), power(a, n) * dp + slope * da


def series(b: Any, a: Any, n: Turns, order: int = 0) -> Any:
    """The sum b M_k(a, n) for k = ``order``; b (1 + a + ... + a^(n-1)) for k = 0.

    Args:
      b: array of floats.
      a: array of the same shape and dtype.
      n: number of turns; an array of integers that broadcasts.
      order: k.
    """
    if isinstance(n, int):
        return _series(order, n)(b, a)
    return _series(order, None)(b, a, n)


@functools.lru_cache(maxsize=256)
def _series(order: int, known: int | None) -> Callable[..., Any]:
    """The sum as an operation with its own derivative."""

    @jax.custom_jvp
    def fun(b: Any, a: Any, *n: Any) -> Any:
        result = _doubled(b, a, n[0] if n else known, order)
        return jnp.where((b == 0) & jnp.isfinite(a), b, result)

    def rule(primals: Any, tangents: Any) -> tuple[Any, Any]:
        b, a, *n = primals
        turns = n[0] if n else known
        by_b = series(jnp.ones_like(b), a, turns, order)
        by_a = series(b, a, turns, order + 1) * jnp.asarray(order + 1, b.dtype)
        return series(b, a, turns, order), by_b * tangents[0] + by_a * tangents[1]

    fun.defjvp(rule)
    return fun


def _doubled(b: Any, a: Any, n: Turns, order: int) -> Any:
    """The coefficient of e^order in b (1 + (a + e) + ... + (a + e)^(n-1))."""
    one, zero = jnp.ones_like(a), jnp.zeros_like(a)
    start = ([zero] * (order + 1), [one] + [zero] * order)
    if isinstance(n, int):
        sums, powers = start
        for k, bit in enumerate(bin(n)[2:] if n else ""):
            if k:
                sums, powers = _twice(sums, powers)
            if bit == "1":
                sums, powers = _once_more(sums, powers, a, b)
        return sums[order]
    bits = jnp.max(jnp.iinfo(n.dtype).bits - jax.lax.clz(n), initial=0).astype(np.int32)

    def turn(k: Any, state: Any) -> Any:
        doubled = _twice(*state)
        more = _once_more(*doubled, a, b)
        bit = jax.lax.shift_right_logical(n, (bits - 1 - k).astype(n.dtype)) & jnp.ones((), n.dtype)
        return jax.tree.map(lambda x, y: jnp.where(bit == 1, x, y), more, doubled)

    sums, _ = jax.lax.fori_loop(np.int32(0), bits, turn, start)
    return sums[order]


def _twice(sums: list[Any], powers: list[Any]) -> tuple[list[Any], list[Any]]:
    """From m turns to 2 m: the sum times 1 + a^m, and the square of the power."""
    raised = [powers[0] + 1, *powers[1:]]
    return _product(sums, raised), _product(powers, powers)


def _once_more(sums: list[Any], powers: list[Any], a: Any, b: Any) -> tuple[list[Any], list[Any]]:
    """From m turns to m + 1: b plus a times the sum, and a times the power."""
    sums, powers = _times(sums, a), _times(powers, a)
    return [b + sums[0], *sums[1:]], powers


def _times(polynomial: list[Any], a: Any) -> list[Any]:
    """Times a + e."""
    return [a * c if k == 0 else a * c + polynomial[k - 1] for k, c in enumerate(polynomial)]


def _product(left: list[Any], right: list[Any]) -> list[Any]:
    return [functools.reduce(jnp.add, [left[i] * right[k - i] for i in range(k + 1)]) for k in range(len(left))]


def affine(p: Any, a: Any, b: Any, n: Turns) -> Any:
    """The value after n turns of d = a d + b from p (C6), elementwise.

    With s = 1 + a + ... + a^(n-1) it is a^n p + b s where |a| <= 1. Elsewhere it is p + (a p + b - p) s, so that
    a value that stays where it is does so however large a^n is.

    Args:
      p: array of floats.
      a: array of the same shape and dtype.
      b: the same, or None for 0.
      n: number of turns, at least 0.
    """
    if b is None:
        return powered(p, a, n)
    inside = (jnp.abs(a) <= 1) | ~jnp.isfinite(p)
    small, large = jnp.where(inside, a, 0), jnp.where(inside, 2, a)
    at, held = jnp.where(inside, p, 0), jnp.where(inside, 0, p)
    first = jnp.where(inside, b, large * held + b - held)
    return jnp.where(inside, powered(at, small, n), held) + series(first, a, n)
