"""dot_general: the partial with respect to one operand is the other one, diagonal along shared axes."""

from __future__ import annotations

from typing import Any

from elimax._jax import Equation
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.arrays import cast, reindex
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, Kind


def dot_general(equation: Equation, context: Context) -> Local | None:
    """Labels: batch axes, free axes of either side, contracted axes."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = equation.params["dimension_numbers"]
    shapes = [context.shape(r.value) for r in equation.inputs]
    dtype = context.dtype(equation.outputs[0].value)
    sizes: dict[int, int] = {}
    names: list[dict[int, int]] = [{}, {}]
    out_labels = []
    for a, b in zip(lhs_batch, rhs_batch, strict=True):
        number = len(sizes)
        sizes[number] = shapes[0][a]
        names[0][a] = names[1][b] = number
        out_labels.append(number)
    for a, b in zip(lhs_contract, rhs_contract, strict=True):
        number = len(sizes)
        sizes[number] = shapes[0][a]
        names[0][a] = names[1][b] = number
    for side in (0, 1):
        for axis, size in enumerate(shapes[side]):
            if axis not in names[side]:
                number = len(sizes)
                sizes[number] = size
                names[side][axis] = number
                out_labels.append(number)

    def axes_of(side: int) -> list[AxisMap]:
        return [Affine(0, ((names[side][k], 1),)) for k in range(len(shapes[side]))]

    out_axes: list[AxisMap] = [Affine(0, ((number, 1),)) for number in out_labels]
    edges, recipes = [], []
    for side in (0, 1):
        if equation.inputs[side].vertex is None:
            continue
        other = 1 - side
        value_labels = [names[other][k] for k in range(len(shapes[other]))]
        term, maps = make_term(sizes, out_axes, axes_of(side), value_labels, Kind.VARIABLE)
        edges.append(LocalEdge(0, side, (term,)))
        recipes.append((other, term, maps))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        results = None if equation.linear else equation.call(*values)
        partials = []
        for other, term, maps in recipes:
            value, _ = reindex(cast(values[other], dtype), maps, term.sizes)
            partials.append((value,))
        return results, partials

    return Local(tuple(edges), evaluate, "bilinear")
