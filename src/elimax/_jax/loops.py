"""Loops of a jaxpr, read alike in every version of JAX."""

from __future__ import annotations

import dataclasses
from typing import Any

from elimax._jax.chained import LOOP
from elimax._jax.program import _closed, _names


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


def read_loop(name: str, params: dict[str, Any]) -> Loop | None:
    """The loop of an equation; None if it is none, or of a kind that is not known.

    Args:
      name: of its primitive.
      params: of the equation.
    """
    if name == LOOP:
        return params["rule"].loop
    if name == "while":
        body, cond = _closed(params["body_jaxpr"]), _closed(params["cond_jaxpr"])
        own, num_consts = params["cond_nconsts"], params["body_nconsts"]
        return Loop(body, cond, own, own, num_consts, len(body.out_avals), None)
    if name != "scan":
        return None
    if "num_carry" in params:
        consts, carry = params["num_consts"], params["num_carry"]
    elif "ft_in" in params:  # JAX 0.12 keeps trees of the three groups of operands
        consts, carry = (len(list(part)) for part in params["ft_in"].unpack()[:2])
    else:
        return None
    body, length = _closed(params["jaxpr"]), int(params["length"])
    if consts + carry > len(body.in_avals) or carry > len(body.out_avals):
        return None
    return Loop(body, None, 0, 0, consts, carry, length, bool(params["reverse"]), params.get("unroll", 1))


def has_loops(closed: Any) -> bool:
    """Whether there is a loop anywhere in a closed jaxpr."""
    return any(name in ("scan", "while", LOOP) for name in _names(closed.jaxpr))
