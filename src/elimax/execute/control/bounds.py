"""Programs whose loops end after a number of turns that the user names, and tell if they would have gone on.

Then all inexact results of the program are multiplied by NaN, also those that only depend on how often a loop turned;
so their derivatives are NaN too. Whether any loop was ended is one more result, for whoever can look at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from elimax._jax import trace
from elimax._jax.control import branches_of, loop_of
from elimax._jax.loops import Loop
from elimax._jax.program import CALLS, MUTABLE, as_function, bind, primitive_names
from elimax._jax.replaced import REMAT, called, walked
from elimax.errors import TripLimitError

UNBOUNDED = frozenset(("while", "elimax_loop"))
"""Primitives of loops without a known number of turns."""


def bounded(closed: Any, limit: int | None) -> Any:
    """A program whose loops end, and which has one more result: whether one of them was ended.

    Args:
      closed: a closed jaxpr.
      limit: number of turns; None to get the program as it is, without that result.
    """
    if limit is None:
        return closed
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]

    def fun(*args: Any) -> list[Any]:
        results, ended = _run(closed, args, limit)
        return [*(_spoilt(x, ended) for x in results), ended]

    return trace(fun, avals)


def check_ended(ended: Any, limit: int, name: str) -> None:
    """Raise an error if a loop was ended, as far as that can be seen.

    Args:
      ended: what `bounded` tells; nothing is done about a tracer.
      limit: number of turns.
      name: of the function.

    Raises:
      TripLimitError: if a loop was ended.
    """
    if not isinstance(ended, Tracer) and bool(ended):
        raise TripLimitError(
            f"a loop of {name or 'the function'} would have gone on after max_trips={limit:,} turns. Raise max_trips "
            "if it is meant to run longer; otherwise its condition stays true for these arguments."
        )


def _run(closed: Any, args: Sequence[Any], limit: int) -> tuple[list[Any], Any]:
    """Results of a program, and whether a loop was ended."""
    never = jnp.zeros((), bool)
    if not UNBOUNDED & primitive_names(closed) or MUTABLE & primitive_names(closed):
        return list(as_function(closed)(*args)), never
    flags = [never]

    def evaluate(equation: Any, operands: list[Any]) -> list[Any]:
        results, ended = _equation(equation, operands, limit)
        if ended is not None:
            flags.append(ended)
        return results

    results = walked(closed, args, evaluate)
    return results, jnp.any(jnp.stack(flags)) if len(flags) > 1 else never


def _equation(equation: Any, operands: list[Any], limit: int) -> tuple[list[Any], Any]:
    name = equation.primitive.name
    if name in CALLS:
        inner = called(equation)
        run = lambda *xs: _run(inner, xs, limit)  # noqa: E731
        return (jax.checkpoint(run) if name in REMAT else run)(*operands)
    loop = loop_of(name, equation.params)
    if loop is not None:
        return _until(loop, operands, limit) if loop.cond is not None else _scanned(loop, operands, limit)
    branches = branches_of(name, equation.params)
    if branches is not None:
        return lax.switch(operands[0], [lambda *xs, b=b: _run(b, xs, limit) for b in branches], *operands[1:])
    return bind(equation)(*operands), None


def _until(loop: Loop, operands: list[Any], limit: int) -> tuple[list[Any], Any]:
    tests, consts = operands[: loop.num_cond], operands[loop.skip : loop.first]
    test = as_function(loop.cond)

    def cond(state: Any) -> Any:
        return (state[0] < limit) & test(*tests, *state[2])[0]

    def turn(state: Any) -> Any:
        after, ended = _run(loop.body, [*consts, *state[2]], limit)
        return state[0] + 1, state[1] | ended, after

    start = jnp.zeros((), jnp.int32), jnp.zeros((), bool), [jnp.asarray(x) for x in operands[loop.first :]]
    count, ended, final = lax.while_loop(cond, turn, start)
    goes = (count >= limit) & test(*tests, *final)[0]
    return final, ended | goes


def _scanned(loop: Loop, operands: list[Any], limit: int) -> tuple[list[Any], Any]:
    consts, xs = operands[: loop.first], operands[loop.first + loop.num_carried :]

    def turn(state: Any, x: Any) -> Any:
        results, ended = _run(loop.body, [*consts, *state[1], *x], limit)
        return (state[0] | ended, results[: loop.num_carried]), results[loop.num_carried :]

    start = jnp.zeros((), bool), [jnp.asarray(x) for x in operands[loop.first : loop.first + loop.num_carried]]
    (ended, final), ys = lax.scan(turn, start, xs, length=loop.length, reverse=loop.reverse, unroll=loop.unroll)
    return [*final, *ys], ended


def _spoilt(x: Any, ended: Any) -> Any:
    """NaN if a loop was ended, with derivatives that are NaN too."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    return x * jnp.where(ended, jnp.asarray(jnp.nan, x.dtype), jnp.ones((), x.dtype))
