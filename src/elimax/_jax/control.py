"""Loops and branches as JAX's equations have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax import lax

from elimax._jax.program import Equation, Value, _closed, as_function
from elimax._jax.staged import Staged, staged_p


@dataclasses.dataclass(frozen=True, eq=False)
class Loop:
    """A loop. Its operands are constants of the condition, constants of the body, carried values and slices.

    Attributes:
      body: closed jaxpr from constants, carried values and slices to carried values and stacked results.
      cond: closed jaxpr from its constants and carried values to a boolean; None where the number of turns is known.
      num_cond: number of constants of the condition.
      skip: number of operands in front of the constants of the body: those of the condition alone, or none.
      num_consts: number of constants of the body.
      num_carried: number of carried values.
      length: number of turns; None where it is known at run time only.
      reverse: whether slices are taken, and results stacked, from the last to the first.
      unroll: turns written out in a row.
    """

    body: Any
    cond: Any
    num_cond: int
    skip: int
    num_consts: int
    num_carried: int
    length: int | None
    reverse: bool = False
    unroll: Any = 1

    @property
    def first(self) -> int:
        """Position of the first carried value among the operands."""
        return self.skip + self.num_consts


def loop_of(equation: Equation, values: Sequence[Value]) -> Loop | None:
    """What an equation of a flat program says of a loop; None if it is none.

    Args:
      equation: the equation.
      values: descriptions of the values of its program.
    """
    params = equation.params
    if equation.name == "while":
        body, cond = _closed(params["body_jaxpr"]), _closed(params["cond_jaxpr"])
        own = params["cond_nconsts"], params["body_nconsts"]
        if cond.out_avals[0].shape:
            return _batched(body, cond, *own)
        return Loop(body, cond, own[0], own[0], own[1], len(equation.outputs), None)
    if equation.name != "scan":
        return None
    # What counts constants, carried values and slices has changed its name in JAX; ranks have not.
    body = _closed(params["jaxpr"])
    ins = [len(values[r.value].shape) for r in equation.inputs]
    outs = [len(values[r.value].shape) for r in equation.outputs]
    slices = sum(rank > len(a.shape) for rank, a in zip(ins, body.in_avals, strict=True))
    carried = sum(rank == len(a.shape) for rank, a in zip(outs, body.out_avals, strict=True))
    num_consts = len(ins) - slices - carried
    return Loop(body, None, 0, 0, num_consts, carried, params["length"], params["reverse"], params.get("unroll", 1))


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


def branches_of(equation: Equation) -> tuple[Any, ...] | None:
    """Closed jaxprs of the branches of an equation; None if it has none. Its first operand is their number."""
    return tuple(map(_closed, equation.params["branches"])) if equation.name == "cond" else None


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
