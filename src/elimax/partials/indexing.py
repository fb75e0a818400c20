"""Structural operations: each element of the result is an element of an operand, or a sum of such.

Where the relation between the indices is affine it is written down; otherwise it is found by running the operation on
index numbers at trace time, which needs every index operand to be known then.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax import Equation
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Table, Term

MAX_RUNS = 3
"""Positions that fall into more runs than this are listed in a table."""


def label(number: int, stride: int = 1, offset: int = 0) -> AxisMap:
    """The index ``offset + stride * label``."""
    return Affine(offset, ((number, stride),))


def unit_term(sizes: dict[int, int], out_axes: Sequence[AxisMap], in_axes: Sequence[AxisMap]) -> Term:
    """A term whose values are all one."""
    term, _ = make_term(sizes, list(out_axes), list(in_axes), [], Kind.UNIT)
    return term


def _units(
    equation: Equation,
    terms: Sequence[tuple[int, int, Term]],
    family: str = "index",
    call: Callable[..., list[Any]] | None = None,
) -> Local:
    """Partials that are all +1: ``terms`` lists (result, operand, term); ``call`` evaluates the operation."""
    edges: dict[tuple[int, int], list[Term]] = {}
    for output, operand, term in terms:
        edges.setdefault((output, operand), []).append(term)

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        results = None if equation.linear else (call or equation.call)(*values)
        return results, [(1,) * len(own) for own in edges.values()]

    local = tuple(LocalEdge(output, operand, tuple(own)) for (output, operand), own in edges.items())
    return Local(local, evaluate, family)


def broadcast_in_dim(equation: Equation, context: Context) -> Local | None:
    """Result axis ``broadcast_dimensions[k]`` reads operand axis k, unless that has length 1."""
    out_shape = context.shape(equation.outputs[0].value)
    in_shape = context.shape(equation.inputs[0].value)
    dims = equation.params["broadcast_dimensions"]
    in_axes = [label(d) if in_shape[k] == out_shape[d] else Affine(0) for k, d in enumerate(dims)]
    out_axes = [label(d) for d in range(len(out_shape))]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(out_shape)), out_axes, in_axes))])


def transpose(equation: Equation, context: Context) -> Local | None:
    """Result axis k is operand axis ``permutation[k]``."""
    shape = context.shape(equation.inputs[0].value)
    axes = [label(k) for k in range(len(shape))]
    out_axes = [axes[k] for k in equation.params["permutation"]]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(shape)), out_axes, axes))])


def squeeze(equation: Equation, context: Context) -> Local | None:
    """Axes of length 1 disappear."""
    shape = context.shape(equation.inputs[0].value)
    gone = {d % len(shape) for d in equation.params["dimensions"]}
    axes = [label(k) for k in range(len(shape))]
    out_axes = [axis for k, axis in enumerate(axes) if k not in gone]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(shape)), out_axes, axes))])


def expand_dims(equation: Equation, context: Context) -> Local | None:
    """Axes of length 1 appear."""
    shape = context.shape(equation.inputs[0].value)
    out_rank = len(context.shape(equation.outputs[0].value))
    new = {d % out_rank for d in equation.params["dimensions"]}
    axes = [label(k) for k in range(len(shape))]
    rest = iter(axes)
    out_axes = [Affine(0) if k in new else next(rest) for k in range(out_rank)]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(shape)), out_axes, axes))])


def reshape(equation: Equation, context: Context) -> Local | None:
    """Both sides read the digits of one mixed-radix number where their axes have common digits."""
    if equation.params.get("dimensions") is not None:
        return None
    in_shape = context.shape(equation.inputs[0].value)
    out_shape = context.shape(equation.outputs[0].value)
    term = reshape_term(out_shape, in_shape)
    return _units(equation, [(0, 0, term)]) if math.prod(out_shape) else None


def reshape_term(out_shape: tuple[int, ...], in_shape: tuple[int, ...]) -> Term:
    """The term of a row-major reshape."""
    total = math.prod(out_shape)
    places = sorted({*_places(out_shape), *_places(in_shape), 1, total})
    if any(high % low for low, high in itertools.pairwise(places)):
        flat = np.arange(total)

        def tables(shape: tuple[int, ...]) -> list[AxisMap]:
            return [Table(0, IndexTable(index)) for index in np.unravel_index(flat, shape)]

        return unit_term({0: total}, tables(out_shape), tables(in_shape))
    sizes = {k: high // low for k, (low, high) in enumerate(itertools.pairwise(places))}

    def axes(shape: tuple[int, ...]) -> list[AxisMap]:
        result: list[AxisMap] = []
        high = total
        for size in shape:
            low = high // size
            parts = tuple((k, places[k] // low) for k in sizes if low <= places[k] < high)
            result.append(Affine(0, tuple(sorted(parts, key=lambda part: -part[1]))))
            high = low
        return result

    return unit_term(sizes, axes(out_shape), axes(in_shape))


def _places(shape: tuple[int, ...]) -> list[int]:
    """Place values of the axes of a row-major array."""
    return [math.prod(shape[k:]) for k in range(len(shape))]


def reverse(equation: Equation, context: Context) -> Local | None:
    """Some axes run backwards."""
    shape = context.shape(equation.inputs[0].value)
    flipped = set(equation.params["dimensions"])
    out_axes = [label(k) for k in range(len(shape))]
    in_axes = [label(k, -1, n - 1) if k in flipped else label(k) for k, n in enumerate(shape)]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(shape)), out_axes, in_axes))])


def slice_(equation: Equation, context: Context) -> Local | None:
    """Result axis k reads ``start[k] + stride[k] * index``."""
    out_shape = context.shape(equation.outputs[0].value)
    starts = equation.params["start_indices"]
    strides = equation.params["strides"] or (1,) * len(starts)
    in_axes = [label(k, s, o) for k, (s, o) in enumerate(zip(strides, starts, strict=True))]
    out_axes = [label(k) for k in range(len(out_shape))]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(out_shape)), out_axes, in_axes))])


def pad(equation: Equation, context: Context) -> Local | None:
    """The operand lands on a strided box; the padding value on everything else."""
    is_active = [r.vertex is not None for r in equation.inputs]
    in_shape = context.shape(equation.inputs[0].value)
    out_shape = context.shape(equation.outputs[0].value)
    landed, first_read = [], []
    for n, m, config in zip(in_shape, out_shape, equation.params["padding_config"], strict=True):
        low, step = int(config[0]), int(config[2]) + 1  # jax.numpy.pad leaves NumPy integers there
        first = max(0, -(low // step))  # smallest i with low + i * step >= 0
        count = min(n - 1, (m - 1 - low) // step) - first + 1
        landed.append((low + first * step, step, max(0, count)))
        first_read.append(first)
    terms = []
    if is_active[0] and all(count for _, _, count in landed):
        sizes = {k: count for k, (_, _, count) in enumerate(landed)}
        out_axes = [label(k, step, start) for k, (start, step, _) in enumerate(landed)]
        in_axes = [label(k, 1, first) for k, first in enumerate(first_read)]
        terms.append((0, 0, unit_term(sizes, out_axes, in_axes)))
    if is_active[1]:
        terms += [(0, 1, term) for term in _around(landed, out_shape)]
    return _units(equation, terms)


def _around(landed: Sequence[tuple[int, int, int]], shape: Sequence[int]) -> list[Term]:
    """What a scalar does that fills an array around a strided box.

    Args:
      landed: start, step and count of the box, by axis.
      shape: of the array.

    Returns:
      A term for each part: below, above and between the places of the box along one axis, within it along those before,
      anywhere along those behind.
    """
    if not all(count for _, _, count in landed):
        landed = [(0, 1, 0) for _ in shape]
    terms = []
    for k, (start, step, count) in enumerate(landed):
        stop = start + step * (count - 1) + 1 if count else 0
        sizes = {j: count for j, (_, _, count) in enumerate(landed[:k])} | {
            j: size for j, size in enumerate(shape) if j > k
        }
        before = [label(j, step, start) for j, (start, step, _) in enumerate(landed[:k])]
        behind = [label(j) for j in range(k + 1, len(shape))]
        between = Affine(start + 1, ((k, step), (len(shape), 1)))
        for own, axis in (
            ({k: start}, label(k)),
            ({k: shape[k] - stop}, label(k, 1, stop)),
            ({k: count - 1, len(shape): step - 1}, between),
        ):
            whole = sizes | own
            if all(size > 0 for size in whole.values()):
                terms.append(unit_term(whole, [*before, axis, *behind], []))
        if not count:
            break
    return terms


def concatenate(equation: Equation, context: Context) -> Local | None:
    """Operand after operand along one axis."""
    dimension = equation.params["dimension"]
    offset = 0
    terms = []
    for k, ref in enumerate(equation.inputs):
        shape = context.shape(ref.value)
        if ref.vertex is not None and math.prod(shape):
            axes = [label(d) for d in range(len(shape))]
            out_axes = [label(d, 1, offset if d == dimension else 0) for d in range(len(shape))]
            terms.append((0, k, unit_term(dict(enumerate(shape)), out_axes, axes)))
        offset += shape[dimension]
    return _units(equation, terms)


def split(equation: Equation, context: Context) -> Local | None:
    """Result after result along one axis."""
    axis = equation.params["axis"]
    offset = 0
    terms = []
    for k, ref in enumerate(equation.outputs):
        shape = context.shape(ref.value)
        if ref.vertex is not None and math.prod(shape):
            out_axes = [label(d) for d in range(len(shape))]
            in_axes = [label(d, 1, offset if d == axis else 0) for d in range(len(shape))]
            terms.append((k, 0, unit_term(dict(enumerate(shape)), out_axes, in_axes)))
        offset += shape[axis]
    return _units(equation, terms)


def stack(equation: Equation, context: Context) -> Local | None:
    """Each operand fills one index of a new axis."""
    new = equation.params["axis"]
    terms = []
    for k, ref in enumerate(equation.inputs):
        shape = context.shape(ref.value)
        if ref.vertex is not None and math.prod(shape):
            axes = [label(d) for d in range(len(shape))]
            out_axes = [*axes[:new], Affine(k), *axes[new:]]
            terms.append((0, k, unit_term(dict(enumerate(shape)), out_axes, axes)))
    return _units(equation, terms)


def unstack(equation: Equation, context: Context) -> Local | None:
    """Each result is one index of an axis that disappears."""
    old = equation.params["axis"]
    terms = []
    for k, ref in enumerate(equation.outputs):
        shape = context.shape(ref.value)
        if ref.vertex is not None and math.prod(shape):
            axes = [label(d) for d in range(len(shape))]
            in_axes = [*axes[:old], Affine(k), *axes[old:]]
            terms.append((k, 0, unit_term(dict(enumerate(shape)), axes, in_axes)))
    return _units(equation, terms)


def tile(equation: Equation, context: Context) -> Local | None:
    """Result index ``copy * length + index`` reads operand index ``index``."""
    shape = context.shape(equation.inputs[0].value)
    out_shape = context.shape(equation.outputs[0].value)
    rank = len(shape)
    if len(out_shape) != rank or not math.prod(out_shape):
        return None
    sizes = {k: m // n for k, (m, n) in enumerate(zip(out_shape, shape, strict=True))}
    sizes.update({rank + k: n for k, n in enumerate(shape)})
    out_axes = [Affine(0, ((k, n), (rank + k, 1))) for k, n in enumerate(shape)]
    in_axes = [label(rank + k) for k in range(rank)]
    return _units(equation, [(0, 0, unit_term(sizes, out_axes, in_axes))])


def reduce_sum(equation: Equation, context: Context) -> Local | None:
    """Summed axes have a label of their own on the in side."""
    shape = context.shape(equation.inputs[0].value)
    axes = [label(k) for k in range(len(shape))]
    out_axes = [axis for k, axis in enumerate(axes) if k not in set(equation.params["axes"])]
    return _units(equation, [(0, 0, unit_term(dict(enumerate(shape)), out_axes, axes))])


def identity(equation: Equation, context: Context) -> Local | None:
    """Results are the operands, one by one."""
    if len(equation.inputs) != len(equation.outputs):
        return None
    terms = []
    for k, (ref, out) in enumerate(zip(equation.inputs, equation.outputs, strict=True)):
        shape = context.shape(out.value)
        if ref.vertex is None or out.vertex is None or not math.prod(shape):
            continue
        axes = [label(d) for d in range(len(shape))]
        terms.append((k, k, unit_term(dict(enumerate(shape)), axes, axes)))
    return _units(equation, terms)


def by_numbers(equation: Equation, context: Context) -> Local | None:
    """Gather, dynamic_slice and scatters with known indices: run the operation on index numbers.

    The array operand is replaced by its own flat positions plus one, then plus two: an element of the result that does
    not grow with them comes from elsewhere (another operand, or a filler, which can be any number).
    """
    if equation.name.startswith("scatter"):
        indices = equation.inputs[1:2]
    else:
        indices = equation.inputs[2 if equation.name == "dynamic_update_slice" else 1 :]
    known = [context.known(r.value) for r in indices]
    if any(k is None for k in known):
        return None
    out_shape = context.shape(equation.outputs[0].value)
    arrays = [k for k, r in enumerate(equation.inputs) if r not in indices or r.vertex is not None]
    active = [k for k in arrays if equation.inputs[k].vertex is not None]
    position = {id(r): value for r, value in zip(indices, known, strict=True)}
    terms, call = [], None
    for operand in active:
        shape = context.shape(equation.inputs[operand].value)
        if not math.prod(shape) or not math.prod(out_shape):
            continue
        out_flat, in_flat = _positions(equation, context, operand, shape, position)
        if out_flat.size:
            terms.extend((0, operand, term) for term in _listed_terms(out_flat, out_shape, in_flat, shape))
        if equation.name == "gather" and out_flat.size == math.prod(out_shape):
            call = _sliced(in_flat, out_shape)
    return _units(equation, terms, call=call)


def _sliced(places: np.ndarray, shape: tuple[int, ...]) -> Callable[..., list[Any]] | None:
    """What reads an array at places the same distance apart: a slice, which XLA joins with what reads it.

    A gather it computes apart, in a kernel of its own, where several kernels read it.

    Args:
      places: flat positions in the array, in the order of the result.
      shape: of the result.

    Returns:
      A function of the operands of a gather to its results, or None where the places lie differently.
    """
    first, last = int(places[0]), int(places[-1])
    step = max(1, (last - first) // max(1, places.size - 1))
    if not np.array_equal(places, first + step * np.arange(places.size)):
        return None
    return lambda array, *_: [lax.slice(jnp.ravel(array), (first,), (last + 1,), (step,)).reshape(shape)]


def _positions(
    equation: Equation, context: Context, operand: int, shape: tuple[int, ...], known: dict[int, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions in the result and in the operand that are joined."""
    size = math.prod(shape)
    additive = equation.name in ("scatter-add", "scatter_add")
    if additive and operand == 0:
        return np.arange(size), np.arange(size)
    with jax.ensure_compile_time_eval():
        if additive:
            return _added_positions(equation, context, known[id(equation.inputs[1])])
        operands: list[Any] = [np.zeros(context.shape(r.value), np.int32) for r in equation.inputs]
        operands = [known.get(id(r), zeros) for r, zeros in zip(equation.inputs, operands, strict=True)]
        first, second = (
            np.asarray(equation.call(*operands[:operand], numbers.reshape(shape), *operands[operand + 1 :])[0]).ravel()
            for numbers in (np.arange(1, size + 1, dtype=np.int32), np.arange(2, size + 2, dtype=np.int32))
        )
    hit = np.flatnonzero(first != second)
    return hit, first[hit].astype(np.int64) - 1


def _added_positions(equation: Equation, context: Context, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a scatter-add puts each update: its transpose is a gather, which is asked for the digits of positions.

    Digits are small, so that every dtype holds them exactly.
    """
    out_shape = context.shape(equation.outputs[0].value)
    dtype = context.dtype(equation.inputs[2].value)
    base = 64

    def scatter(update: Any) -> Any:
        return equation.call(np.zeros(out_shape, dtype), indices, update)[0]

    _, pull = jax.vjp(scatter, np.zeros(context.shape(equation.inputs[2].value), dtype))
    rest = np.arange(1, math.prod(out_shape) + 1)
    place, target = 1, np.zeros((), np.int64)
    while rest.any():
        digit = np.asarray(pull(jnp.asarray((rest % base).reshape(out_shape), dtype))[0])
        target = target + place * np.real(digit.ravel()).astype(np.int64)
        rest, place = rest // base, place * base
    hit = np.flatnonzero(target > 0)
    return target[hit] - 1, hit


def _listed_terms(
    out_flat: np.ndarray, out_shape: tuple[int, ...], in_flat: np.ndarray, in_shape: tuple[int, ...]
) -> list[Term]:
    """Terms that join listed positions: few runs of parallel progressions if that is what they are, else one table."""
    if len(out_shape) == len(in_shape) == 1 and out_flat.size > 8 * MAX_RUNS:
        steps = np.stack([np.diff(out_flat), np.diff(in_flat)])
        kinds, counts = np.unique(steps, axis=1, return_counts=True)
        usual = kinds[:, np.argmax(counts)]
        starts = np.flatnonzero((steps != usual[:, None]).any(axis=0)) + 1
        if 0 < starts.size < MAX_RUNS:
            bounds = [0, *starts.tolist(), out_flat.size]
            return [
                _table_term(out_flat[a:b], out_shape, in_flat[a:b], in_shape) for a, b in itertools.pairwise(bounds)
            ]
    return [_table_term(out_flat, out_shape, in_flat, in_shape)]


def _table_term(
    out_flat: np.ndarray, out_shape: tuple[int, ...], in_flat: np.ndarray, in_shape: tuple[int, ...]
) -> Term:
    """A term that joins listed positions.

    Where every element of one side occurs once, that side's axes are the labels, and each axis of the other side that
    follows a single one of them keeps its structure.
    """
    for swap in (False, True):
        grid_flat, grid_shape, other_flat, other_shape = (
            (in_flat, in_shape, out_flat, out_shape) if swap else (out_flat, out_shape, in_flat, in_shape)
        )
        if grid_flat.size != math.prod(grid_shape):
            continue
        order = np.argsort(grid_flat, kind="stable")
        if not np.array_equal(grid_flat[order], np.arange(grid_flat.size)):
            continue
        others = [_along_one_axis(index.reshape(grid_shape)) for index in _unravel(other_flat[order], other_shape)]
        if any(axis is None for axis in others):
            continue
        tables = [axis.label for axis in others if isinstance(axis, Table)]
        if any(isinstance(axis, Affine) and axis.parts and axis.parts[0][0] in tables for axis in others):
            continue
        grid = [label(k) for k in range(len(grid_shape))]
        sizes = dict(enumerate(grid_shape))
        chosen = [axis for axis in others if axis is not None]
        return unit_term(sizes, chosen, grid) if swap else unit_term(sizes, grid, chosen)
    out_axes = [_recognise(index, 0) for index in _unravel(out_flat, out_shape)]
    in_axes = [_recognise(index, 0) for index in _unravel(in_flat, in_shape)]
    return unit_term({0: out_flat.size}, out_axes, in_axes)


def _unravel(flat: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """`np.unravel_index`, also for scalars, which have no axes."""
    return np.unravel_index(flat, shape) if shape else ()


def _along_one_axis(index: np.ndarray) -> AxisMap | None:
    """An index array as a map over one of its axes, or None if it varies along several."""
    varying = [k for k in range(index.ndim) if index.shape[k] > 1 and (np.diff(index, axis=k) != 0).any()]
    if len(varying) > 1:
        return None
    if not varying:
        return Affine(int(index.ravel()[0]))
    line = index[tuple(slice(None) if k == varying[0] else 0 for k in range(index.ndim))]
    return _recognise(line, varying[0])


def _recognise(index: np.ndarray, number: int) -> AxisMap:
    """An index list as a fixed index, an arithmetic progression, or a table over the label ``number``."""
    if (index == index[0]).all():
        return Affine(int(index[0]))
    steps = np.diff(index)
    if (steps == steps[0]).all():
        return label(number, int(steps[0]), int(index[0]))
    return Table(number, IndexTable(index))
