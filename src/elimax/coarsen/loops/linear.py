"""Whether the equations between some carries and what follows them are linear in these carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from elimax._jax import Equation, Program
from elimax.coarsen.loops.carries import Open

Test = Callable[[Sequence[bool]], bool]

_EVERY = frozenset(
    "add add_any sub neg reduce_sum broadcast_in_dim reshape transpose squeeze expand_dims slice concatenate rev "
    "cumsum copy copy_p convert_element_type".split()
)
"""Linear in all operands together, up to a constant."""


def check_linear(program: Program, equations: Sequence[int], carries: set[int]) -> None:
    """Looks at the equations between carries and what follows them.

    Args:
      program: the body of a loop.
      equations: numbers of the equations that depend on the carries, in program order.
      carries: numbers of the values that hold the carries.

    Raises:
      Open: if one of them is not linear in the carries.
    """
    moving = set(carries)
    for number in equations:
        equation = program.equations[number]
        moved = [r.value in moving for r in equation.inputs]
        if not is_linear(equation, moved, program):
            raise Open(f"{equation.name} of the carry is not linear")
        moving |= {r.value for r in equation.outputs}


def is_linear(equation: Equation, moved: Sequence[bool], program: Program) -> bool:
    """Whether an equation is linear in the operands that are moved, together, up to a constant.

    Args:
      equation: an equation with one result.
      moved: for each operand, whether it is looked at.
      program: what the equation is part of.
    """
    name = equation.name
    dtypes: set[Any] = {program.values[r.value].dtype for r, m in zip(equation.inputs, moved, strict=True) if m}
    dtypes |= {program.values[r.value].dtype for r in equation.outputs}
    if len(dtypes) > 1:  # conversions round, and integers are another matter
        return False
    if name in _EVERY:
        return True
    if name in ("mul", "dot_general"):
        return sum(moved) == 1
    if name == "div":
        return moved[0] and not moved[1]
    if name in ("select_n", "pad", "dynamic_slice", "gather"):
        if name == "select_n":
            return not moved[0]
        return moved[0] and not any(moved[1:])
    return False
