"""Which axes of the operands of an operation are which axes of its results.

An axis of an operand and an axis of a result are *linked* if the operation treats each index along them alone: what a
result holds at index b depends, as far as that operand is concerned, on index b alone. An axis of a result along which
it repeats itself, whatever the operands are, is *free*. Axes that are neither linked nor free are mixed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from elimax._jax import Equation

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Links:
    """Axes of one operation.

    Attributes:
      pairs: ``(operand, axis, result, axis)`` for each link.
      free: ``(result, axis)`` for each free axis.
    """

    pairs: tuple[tuple[int, int, int, int], ...]
    free: tuple[tuple[int, int], ...] = ()


NONE = Links(())


def _same(operand: int, result: int, axes: Sequence[int]) -> list[tuple[int, int, int, int]]:
    return [(operand, axis, result, axis) for axis in axes]


def elementwise(ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    """Axes of an operation on elements; operands without axes, or with axes of length 1, go to all elements."""
    pairs = []
    for k, shape in enumerate(ins):
        if len(shape) == len(outs[0]):
            pairs += _same(k, 0, [axis for axis, size in enumerate(shape) if size == outs[0][axis]])
    return Links(tuple(pairs))


def _copies(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return Links(tuple(p for k, shape in enumerate(ins) for p in _same(k, k, range(len(shape)))))


def _squeeze(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    """Axes before which as many elements lie on both sides, and which are of one length, stay what they are."""
    strides: list[dict[tuple[int, int], int]] = []
    for shape in (ins[0], outs[0]):
        places, before = {}, 1
        for axis, size in enumerate(shape):
            if size != 1:
                places[(before, size)] = axis
            before *= size
        strides.append(places)
    return Links(tuple((0, axis, 0, strides[1][place]) for place, axis in strides[0].items() if place in strides[1]))


def _reshape(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return NONE if params.get("dimensions") is not None else _squeeze(params, ins, outs)


def _broadcast_in_dim(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    targets = params["broadcast_dimensions"]
    kept = [(i, o) for i, o in enumerate(targets) if ins[0][i] == outs[0][o]]
    covered = {o for _, o in kept}
    free = tuple((0, o) for o in range(len(outs[0])) if o not in covered)
    return Links(tuple((0, i, 0, o) for i, o in kept), free)


def _slice(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return Links(tuple(_same(0, 0, [k for k, n in enumerate(ins[0]) if outs[0][k] == n])))


def _pad(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    whole = [k for k, config in enumerate(params["padding_config"]) if tuple(config) == (0, 0, 0)]
    return Links(tuple(_same(0, 0, whole)))


def _other(name: str) -> Callable[..., Links]:
    """Axes of an operation that leaves all but the axes in one parameter as they are."""

    def links(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
        own = params[name]
        mixed = set(own) if isinstance(own, Sequence) else {own}
        count = max(len(ins), len(outs))
        pairs = []
        for n in range(count):
            k, j = min(n, len(ins) - 1), min(n, len(outs) - 1)
            pairs += _same(k, j, [axis for axis in range(len(ins[k])) if axis not in mixed])
        return Links(tuple(pairs))

    return links


def _transpose(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return Links(tuple((0, i, 0, o) for o, i in enumerate(params["permutation"])))


def _tile(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return Links(tuple(_same(0, 0, [k for k, times in enumerate(params["reps"]) if times == 1])))


def _reduce(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    kept = [k for k in range(len(ins[0])) if k not in params["axes"]]
    return Links(tuple((0, i, 0, o) for o, i in enumerate(kept)))


def _iota(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    return Links((), tuple((0, k) for k in range(len(outs[0])) if k != params["dimension"]))


def _unstack(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    kept = [k for k in range(len(ins[0])) if k != params["axis"]]
    return Links(tuple((0, i, j, o) for j in range(len(outs)) for o, i in enumerate(kept)))


def _stack(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    kept = [k for k in range(len(outs[0])) if k != params["axis"]]
    return Links(tuple((k, i, 0, o) for k in range(len(ins)) for i, o in enumerate(kept)))


def _dot_general(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    summed, batch = params["dimension_numbers"]
    pairs = [(k, axis, 0, o) for k in (0, 1) for o, axis in enumerate(batch[k])]
    position = len(batch[0])
    for k in (0, 1):
        for axis in range(len(ins[k])):
            if axis not in summed[k] and axis not in batch[k]:
                pairs.append((k, axis, 0, position))
                position += 1
    return Links(tuple(pairs))


def _windows(sizes: Sequence[int], shape: Shape, windows: Sequence[int], absent: set[int]) -> list[tuple[int, int]]:
    """Axes of an array that a window spans whole, with their axes in the array of windows."""
    present = [k for k in range(len(shape)) if k not in absent]
    return [(axis, place) for axis, place in zip(present, windows, strict=True) if sizes[axis] == shape[axis]]


def _gather(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    absent = {*numbers.collapsed_slice_dims, *getattr(numbers, "operand_batching_dims", ())}
    whole = _windows(sizes, ins[0], numbers.offset_dims, absent)
    return Links(tuple((0, i, 0, o) for i, o in whole if i not in numbers.start_index_map))


def _scatter(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    numbers = params["dimension_numbers"]
    absent = {*numbers.inserted_window_dims, *getattr(numbers, "operand_batching_dims", ())}
    sizes = [1] * len(ins[0])
    windows = sorted(numbers.update_window_dims)
    for axis, place in zip([k for k in range(len(ins[0])) if k not in absent], windows, strict=True):
        sizes[axis] = ins[2][place]
    whole = _windows(sizes, ins[0], windows, absent)
    whole = [(axis, place) for axis, place in whole if axis not in numbers.scatter_dims_to_operand_dims]
    return Links(tuple(p for axis, place in whole for p in ((0, axis, 0, axis), (2, place, 0, axis))))


def _dynamic_update_slice(params: dict[str, Any], ins: Sequence[Shape], outs: Sequence[Shape]) -> Links:
    whole = [k for k, size in enumerate(ins[0]) if ins[1][k] == size]
    return Links((*_same(0, 0, whole), *_same(1, 0, whole)))


_RULES: dict[str, Callable[[dict[str, Any], Sequence[Shape], Sequence[Shape]], Links]] = {
    **dict.fromkeys(
        ["copy", "copy_p", "stop_gradient", "name", "sharding_constraint", "device_put", "optimization_barrier"],
        _copies,
    ),
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _squeeze,
    "broadcast_in_dim": _broadcast_in_dim,
    "slice": _slice,
    "dynamic_slice": _slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "pad": _pad,
    "split": _other("axis"),
    "unstack": _unstack,
    "transpose": _transpose,
    "concatenate": _other("dimension"),
    "stack": _stack,
    "rev": _other("dimensions"),
    "tile": _tile,
    "iota": _iota,
    "dot_general": _dot_general,
    "gather": _gather,
    **dict.fromkeys(["scatter", "scatter-add", "scatter_add"], _scatter),
    **dict.fromkeys(
        "reduce_sum reduce_prod reduce_max reduce_min reduce_and reduce_or".split(),
        _reduce,
    ),
    **dict.fromkeys("cumsum cumprod cummax cummin".split(), _other("axis")),
}


def links(equation: Equation, ins: Sequence[Shape], outs: Sequence[Shape], on_elements: frozenset[str]) -> Links | None:
    """Axes of an operation, or None if it is not among those whose axes are known.

    Args:
      equation: the operation.
      ins: shapes of its operands.
      outs: shapes of its results.
      on_elements: names of the operations that treat each element alone.
    """
    if equation.name in on_elements:
        return elementwise(ins, outs)
    rule = _RULES.get(equation.name)
    return None if rule is None else rule(equation.params, ins, outs)
