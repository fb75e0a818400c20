"""Axes over points: whether what follows some carries has, for each point, been made from that point alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from elimax._jax import Equation, Program
from elimax.coarsen.loops.carries import Open

Axes = tuple[int, ...]
"""Where the axes over points are, in order."""

_ELEMENTWISE = frozenset("add add_any sub neg mul div select_n copy copy_p convert_element_type".split())


def check_apart(
    program: Program, equations: Sequence[int], carries: set[int], following: Sequence[int], rank: int
) -> None:
    """Looks at equations that are linear in some carries, whose leading axes may be over points.

    Args:
      program: the body of a loop.
      equations: numbers of the equations that depend on the carries, in program order.
      carries: numbers of the values that hold the carries.
      following: numbers of the values that follow them.
      rank: number of leading axes.

    Raises:
      Open: if points are mixed, or may be.
    """
    leading = tuple(range(rank))
    found: dict[int, Axes] = dict.fromkeys(carries, leading)
    for number in equations:
        equation = program.equations[number]
        found[equation.outputs[0].value] = _after(program, equation, [found.get(r.value) for r in equation.inputs])
    if any(found.get(value, leading) != leading for value in following):
        raise Open("points that change places")


def _after(program: Program, equation: Equation, axes: Sequence[Axes | None]) -> Axes:
    """The axes of a result from those of operands; None for operands that do not depend on the carries."""
    moved = {a for a in axes if a is not None}
    shapes = [tuple(program.values[r.value].shape) for r in equation.inputs]
    first = next(k for k, a in enumerate(axes) if a is not None)
    shape, result = shapes[first], tuple(program.values[equation.outputs[0].value].shape)
    name, params = equation.name, equation.params
    if len(moved) != 1:
        raise Open("points along different axes")
    (at,) = moved
    if name in _ELEMENTWISE and shape == result:
        return at
    if name == "broadcast_in_dim":
        after = tuple(int(params["broadcast_dimensions"][k]) for k in at)
        if all(shape[k] == result[j] for k, j in zip(at, after, strict=True)):
            return after
    if name == "reshape" and params.get("dimensions") is None:
        after = tuple(_reshaped(shape, result, k) for k in at)
        if None not in after:
            return tuple(k for k in after if k is not None)
    if name == "transpose":
        return tuple(list(params["permutation"]).index(k) for k in at)
    gone = {"squeeze": "dimensions", "reduce_sum": "axes"}.get(name)
    if gone is not None and not set(params[gone]) & set(at):
        return tuple(k - sum(j < k for j in params[gone]) for k in at)
    if name == "slice" and all(shape[k] == result[k] for k in at):
        return at
    if name == "concatenate" and params["dimension"] not in at:
        return at
    if name == "rev" and not set(params["dimensions"]) & set(at):
        return at
    if name == "cumsum" and params["axis"] not in at:
        return at
    if name == "pad" and all(tuple(params["padding_config"][k]) == (0, 0, 0) for k in at):
        return at
    if name == "dot_general":
        return _multiplied(params["dimension_numbers"], first, [len(s) for s in shapes], at)
    raise Open(f"{name} of points")


def _reshaped(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """Where an axis is after reshaping, if it stays one."""
    for k, size in enumerate(after):
        if size == before[axis] and math.prod(after[:k]) == math.prod(before[:axis]):
            return k
    return None


def _multiplied(numbers: tuple, operand: int, ranks: Sequence[int], at: Axes) -> Axes:
    """Axes of a product of which one operand has axes over points."""
    contracted, batch = ([tuple(x) for x in part] for part in numbers)
    if set(at) & set(contracted[operand]):
        raise Open("a sum over points")
    free = [[k for k in range(ranks[i]) if k not in contracted[i] and k not in batch[i]] for i in range(2)]
    order = [*batch[operand], *([None] * len(free[0]) if operand else []), *free[operand]]
    return tuple(order.index(k) for k in at)
