"""One kernel for a whole program: a loop over the points, as a compiler of C would have it.

XLA makes a kernel for each result or piece of one, and starts them one after the other; it hands programs that it holds
to be long to another thread, and counts the operations of a loop once, however many turns it has. For few points both
cost more than the arithmetic. Here the points are the turns of a loop within one kernel. Each turn computes every
scalar once and puts it into its place in the results, which hold the known elements from the start. Nothing is
vectorised, so that for many points the other forms are faster.

Within a kernel XLA fuses the operations of each piece of a result, and the compiler behind it removes what is computed
twice, but for functions and in long programs. There a number that several operations read is what a call returns that
does nothing else: XLA fuses no operation with a call.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax.calls import one_kernel, shared
from elimax.emit.counting import CALLED, EXPANDED, KEPT, SERIES, fused_work, work_of
from elimax.emit.model import HEAP, INLINE, PAGE, Machine, Work
from elimax.emit.scalars import ScalarProgram

MAX_RESULTS = 400
"""Numbers that are put into their places; programs with more take other forms."""

TOGETHER = 6
"""Neighbours that are put into their places at once: compilation takes longer with fewer and with more of them."""

MAX_BYTES = 2**22
"""Results with more bytes in all take other forms if elements of a point are far apart."""

FEW = 8
"""Elements of a point are far apart if there are more result arrays, or batch axes come last."""

MEMORY = 500.0
"""Nanoseconds for memory of what is computed on the way."""

PIECE = 30.0
"""Nanoseconds for each piece of a result of a single point."""

SLOWDOWN = 10.0
"""How much longer arithmetic takes than in a vectorised loop."""

SLOW = 4.0
"""The same of divisions and roots."""

FAR = 2
"""How much longer elements take to be put into their places where those of a point are far apart."""

FETCHED = 1.2
"""What known elements of results of more than `MAX_BYTES` take once more: they leave the caches before others are put
beside them."""

SERIAL = (10.0, 34.0)
"""The same of exponentials and the like, of numbers of 32 and of 64 bits."""


def fits(program: ScalarProgram, batch: int = 1, behind: bool = False) -> bool:
    """Whether a program can take this form.

    Args:
      program: the program.
      batch: number of points.
      behind: whether batch axes come behind those of the results.
    """
    size = sum(program.dtypes[int(i)].itemsize for ids in program.outputs for i in ids.flat)
    is_far = behind or len(program.outputs) > FEW
    return _made(program) <= MAX_RESULTS and not (is_far and batch * size > MAX_BYTES)


@dataclasses.dataclass(frozen=True)
class Counts:
    """What the form does.

    Attributes:
      work: of a point.
      moved: elements that are read and put into their places.
      known: elements of results that are there from the start.
      counted: operations as XLA counts them where it looks for short programs.
      arrays: bytes of each result.
      pieces: groups of neighbours that are put into their places at once.
    """

    work: Work
    moved: int
    known: int
    counted: int
    arrays: tuple[int, ...]
    pieces: int

    def at(self, machine: Machine, batch: int, looped: bool = False) -> float:
        """Nanoseconds of a call outside of any loop."""
        del looped
        work = self.work
        unit = machine.unit_64  # of both widths: nothing is vectorised
        call = machine.called_64 if work.wide else machine.called_32
        series = SERIAL[work.wide] * machine.series * work.series
        arithmetic = SLOWDOWN * work.cheap + SLOW * machine.slow * work.slow + series
        element = machine.element_64 if work.wide else machine.element_32
        time = batch * (unit * arithmetic + call * work.called + element * self.moved)
        if batch * sum(self.arrays) > MAX_BYTES:
            time += batch * FETCHED * element * self.known
        time += machine.page / PAGE * sum(batch * size for size in self.arrays if batch * size > HEAP)
        time += PIECE * self.pieces if batch == 1 else 0.0
        return time + machine.call + machine.kernel + MEMORY + (machine.handoff if self.counted >= INLINE else 0.0)


def count(program: ScalarProgram, behind: bool = False) -> Counts:
    """What the form does for a program.

    Args:
      program: the program.
      behind: whether batch axes come behind those of the results.
    """
    moved = sum(ids.size for ids in (*program.inputs, *program.outputs)) + _made(program) * (FAR if behind else 1)
    known = sum(ids.size for ids in program.outputs) - _made(program)
    arrays = tuple(sum(program.dtypes[int(i)].itemsize for i in ids.flat) for ids in program.outputs)
    counted = sum(EXPANDED.get(step.name, 1) for step in program.steps)
    rows = [[int(i) not in program.constants for i in ids.flat] for ids in program.outputs]
    pieces = sum(1 for made in rows for _ in _pieces(made))
    return Counts(work_of(program), moved, known, counted, arrays, pieces)


def points(
    program: ScalarProgram,
    sizes: tuple[int, ...],
    masks: Sequence[Sequence[bool]],
    batch_last: bool,
    platform: str = "cpu",
    given: Sequence[bool] = (),
) -> Any:
    """The form that goes through the points.

    Args:
      program: the program, for which `fits` holds.
      sizes: lengths of the batch axes, outermost first.
      masks: for each batch axis, outermost first, which operands have it.
      batch_last: whether results have the batch axes behind their own, or in front.
      platform: where it will run; one kernel is made of it on a "cpu" alone.
      given: which operands come from outside of the whole program, see `elimax._jax.calls.one_kernel`.

    Returns:
      A function of the operands, with the batch axes they have in front, to the results.
    """
    batch = math.prod(sizes)
    own = [any(mask[k] for mask in masks) for k in range(len(program.inputs))]
    several = _several(program) if platform == "cpu" else frozenset()

    def point(operands: Sequence[Any], place: Any) -> dict[int, Any]:
        """Values of all scalars at one point by number."""
        values: dict[int, Any] = {}
        for ids, x, is_own in zip(program.inputs, operands, own, strict=True):
            row = lax.squeeze(_row(x, place), (0,)) if is_own else x
            values.update((int(i), lax.index_in_dim(row, k, keepdims=False)) for k, i in enumerate(ids.flat))
        return _run(program, values, several)

    made = [any(int(i) not in program.constants for i in ids.flat) for ids in program.outputs]
    computed = [ids for ids, is_made in zip(program.outputs, made, strict=True) if is_made]

    def whole(*operands: Any) -> list[Any]:
        start = [_known(program, ids, batch, batch_last) for ids in computed]
        if batch == 1:
            return _placed(program, computed, start, point(operands, np.uint32(0)), np.uint32(0), batch_last)

        def turn(state: Any) -> Any:
            place, results = state
            return place + np.uint32(1), _placed(program, computed, results, point(operands, place), place, batch_last)

        return lax.while_loop(lambda state: state[0] < batch, turn, (np.uint32(0), start))[1]

    call = one_kernel(whole, given) if platform == "cpu" else whole

    def form(*operands: Any) -> list[Any]:
        flat = []
        for k, (x, ids) in enumerate(zip(operands, program.inputs, strict=True)):
            if not own[k]:
                flat.append(jnp.reshape(x, (-1,)))
                continue
            spread = [size if mask[k] else 1 for size, mask in zip(sizes, masks, strict=True)]
            x = jnp.broadcast_to(jnp.reshape(x, (*spread, *ids.shape)), (*sizes, *ids.shape))
            flat.append(jnp.reshape(x, (batch, -1)))
        found, results = iter(call(*flat)), []
        for ids, is_made in zip(program.outputs, made, strict=True):
            x = next(found) if is_made else _known(program, ids, batch, batch_last)
            results.append(jnp.reshape(x, (*ids.shape, *sizes) if batch_last else (*sizes, *ids.shape)))
        return results

    return form


def _made(program: ScalarProgram) -> int:
    """Elements of results that are put into their places."""
    return sum(int(i) not in program.constants for ids in program.outputs for i in ids.flat)


def _several(program: ScalarProgram) -> frozenset[int]:
    """Numbers that are read several times, of those that would be computed again each time."""
    users = collections.Counter(i for step in program.steps for i in set(step.operands))
    users.update(int(i) for ids in program.outputs for i in ids.flat)
    long = fused_work(program) >= INLINE
    found, dear = set(), set()
    for step in program.steps:
        if step.name in KEPT:
            continue
        if long or step.name in CALLED or step.name in SERIES or not dear.isdisjoint(step.operands):
            (found if users[step.result] > 1 else dear).add(step.result)
    return frozenset(found)


def _run(program: ScalarProgram, values: dict[int, Any], several: frozenset[int]) -> dict[int, Any]:
    """All scalars of one point by number, of which those that are computed from constants do not depend on it."""
    values.update(program.constants)
    for step in program.steps:
        (result,) = step.call(*(values[i] for i in step.operands))
        values[step.result] = shared(result) if step.result in several else result
    return values


def _known(program: ScalarProgram, ids: np.ndarray, batch: int, batch_last: bool) -> Any:
    """A result as a matrix of points and elements, or of elements and points, with the known ones in their places."""
    dtype = program.dtypes[int(ids.flat[0])]
    row = np.array([program.constants.get(int(i), 0) for i in ids.flat], dtype)
    if not row.any():
        return jnp.zeros((ids.size, batch) if batch_last else (batch, ids.size), dtype)
    if batch_last:
        return jnp.broadcast_to(row[:, None], (ids.size, batch))
    return jnp.broadcast_to(row, (batch, ids.size))


def _placed(
    program: ScalarProgram,
    outputs: Sequence[np.ndarray],
    results: Sequence[Any],
    values: dict[int, Any],
    place: Any,
    batch_last: bool,
) -> list[Any]:
    """Results with the elements of one point in their places."""
    placed = []
    for x, ids in zip(results, outputs, strict=True):
        flat = [int(i) for i in ids.flat]
        for first, last in _pieces([i not in program.constants for i in flat]):
            numbers = [lax.reshape(values[i], (1, 1)) for i in flat[first:last]]
            piece = lax.concatenate(numbers, 0 if batch_last else 1)
            start = (np.uint32(first), place) if batch_last else (place, np.uint32(first))
            x = lax.dynamic_update_slice(x, piece, start, allow_negative_indices=False)
        placed.append(x)
    return placed


def _pieces(made: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and last, exclusive, of up to `TOGETHER` neighbours that are computed."""
    first = 0
    while first < len(made):
        last = first
        while last < len(made) and made[last] and last - first < TOGETHER:
            last += 1
        if last > first:
            yield first, last
        first = max(last, first + 1)


def _row(x: Any, place: Any) -> Any:
    """One row of a matrix, as a matrix."""
    return lax.dynamic_slice(x, (place, np.uint32(0)), (1, x.shape[1]), allow_negative_indices=False)
