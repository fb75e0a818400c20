"""Loops and branches as JAX's equations have them."""

from __future__ import annotations

from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax import lax

from elimax._jax.loops import Loop, read_loop
from elimax._jax.program import _closed, as_function
from elimax._jax.staged import Staged, staged_p


def loop_of(name: str, params: dict[str, Any]) -> Loop | None:
    """The loop of an equation, with one predicate also under `jax.vmap`; None if it is none.

    Args:
      name: of its primitive.
      params: of the equation.
    """
    loop = read_loop(name, params)
    if loop is None or loop.cond is None or not loop.cond.out_avals[0].shape:
        return loop
    return _batched(loop.body, loop.cond, loop.num_cond, loop.num_consts)


def _batched(body: Any, cond: Any, num_cond: int, num_consts: int) -> Loop:
    """A loop under `jax.vmap` with one predicate for each point: it turns while one is left, and moves only those."""
    test, turn = as_function(cond), as_function(body)

    def some(*operands: Any) -> Any:
        return jnp.any(test(*operands)[0])

    def selected(*operands: Any) -> list[Any]:
        carry = operands[num_cond + num_consts :]
        going = test(*operands[:num_cond], *carry)[0]
        moved = turn(*operands[num_cond:])
        return [_where(going, x, old) for x, old in zip(moved, carry, strict=True)]

    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in (*cond.in_avals, *body.in_avals)]
    conds, carried = avals[:num_cond], avals[len(cond.in_avals) + num_consts :]
    consts = avals[len(cond.in_avals) : len(cond.in_avals) + num_consts]
    return Loop(
        jax.make_jaxpr(selected)(*conds, *consts, *carried),
        jax.make_jaxpr(some)(*conds, *carried),
        num_cond,
        0,
        num_cond + num_consts,
        len(carried),
        None,
    )


def _where(going: Any, new: Any, old: Any) -> Any:
    shape = (*going.shape, *(1,) * (new.ndim - going.ndim))
    return lax.select_n(jnp.broadcast_to(going.reshape(shape), new.shape), old, new)


def branches_of(name: str, params: dict[str, Any]) -> tuple[Any, ...] | None:
    """Closed jaxprs of the branches of an equation; None if it has none. Its first operand is their number."""
    return tuple(map(_closed, params["branches"])) if name == "cond" else None


def alone(closed: Any) -> Staged | None:
    """The staged program of a closed jaxpr that consists of it, but for constants; None for any other jaxpr."""
    found = [e for e in closed.jaxpr.eqns if e.primitive is staged_p]
    rest = [e for e in closed.jaxpr.eqns if e.primitive is not staged_p]
    if (
        len(found) != 1
        or any(not isinstance(a, jex.Literal) for e in rest for a in e.invars)
        or found[0].params["batch"]
    ):
        return None
    return found[0].params["staged"]
