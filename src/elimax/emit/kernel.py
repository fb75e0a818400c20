"""One kernel for a whole program and few points: each scalar is computed once, and results are put together in place.

A loop over a batch has an array for each result, and XLA prepares memory for each operation of its body whenever the
program is called; a kernel for each entry starts as many kernels and computes again what they share. Where there are
few points, both cost more than the arithmetic. Here every scalar is an array as long as all results together, each
element of which has the same value: it is computed once, before the loop over these elements. The results are chosen
from the scalars by the bits of the place, half of them at each level of a tree, which is vectorised.

The elements of all results have to be of one dtype, and batch axes come first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax.calls import one_kernel
from elimax.emit.counting import work_of
from elimax.emit.model import LARGE, READERS, Machine, is_small
from elimax.emit.scalars import ScalarProgram, columns, evaluate

MAX_SIZE = 128
"""Results with more elements in all take other forms: choosing costs the square of it."""

MAX_COST = 200_000
"""XLA shares what costs more, as it counts, among cores, and cannot do that within a kernel: compilation fails."""

START = 250.0
"""Nanoseconds for starting the kernel in a loop."""

BESIDE = 40.0
"""The same where the loop is one kernel, in which nothing is started, for what the results go through."""

ARGUMENT = 25.0
"""Nanoseconds for each argument, which is copied: see `elimax._jax.calls.one_kernel`."""

CHOSEN = 0.025
"""Nanoseconds for choosing one of two numbers of 64 bits, half of that for shorter ones."""

PLACED = 3.0
"""Nanoseconds for each result of several points, which is not chosen by vectorised operations."""

WHOLE = 2
"""With more result arrays, too much is accessed for the loop around to be one kernel itself."""

CUT = 45.0
"""Nanoseconds for each result array, if there are more: it is cut out of the array of all results, for each reader."""

SLOWDOWN = (8.0, 3.0)
"""How much longer arithmetic takes than in a vectorised loop, for one point and for more of them."""

SPILLED = 2.0
"""How much longer still it takes if there are more operations than `elimax.emit.model.LARGE`."""


def fits(program: ScalarProgram, batch: int = 1, behind: bool = False) -> bool:
    """Whether a program can take this form.

    Args:
      program: the program.
      batch: number of points.
      behind: whether there are batch axes behind those of the results.
    """
    dtypes = {program.dtypes[int(i)] for ids in program.outputs for i in ids.flat}
    if len(dtypes) != 1 or behind:
        return False
    size, work = _size(program), work_of(program)
    number = 10 * dtypes.pop().itemsize
    each = work.cheap + work.slow + 2 * (work.series + work.called) + 2 * size + number
    cost = size * each + number * sum(ids.size for ids in program.inputs)
    return size <= MAX_SIZE and batch * cost <= MAX_COST


def pays(program: ScalarProgram, batch: int) -> bool:
    """Whether the form can gain: several results of many points are read from places far apart."""
    return batch == 1 or len(program.outputs) == 1


def predict(program: ScalarProgram, machine: Machine, batch: int) -> float:
    """Nanoseconds in a loop.

    Args:
      program: the program.
      machine: weights of the device.
      batch: number of points.
    """
    work, size, count = work_of(program), _size(program), len(program.outputs)
    unit, call = (machine.unit_64, machine.called_64) if work.wide else (machine.unit_32, machine.called_32)
    slower = SLOWDOWN[batch > 1] * (SPILLED if len(program.steps) > LARGE else 1.0)
    arithmetic = slower * (work.cheap + machine.series * work.series) + min(slower, 2.0) * machine.slow * work.slow
    choosing = CHOSEN * (1.0 if work.wide else 0.5) * size * size + (PLACED * size if batch > 1 else 0.0)
    number = 8 if work.wide else 4
    accessed = number * (sum(ids.size for ids in program.inputs) + (1 + READERS) * size)
    start = START + ARGUMENT * len(program.inputs) + (CUT * count if count > 1 else 0.0)
    if count <= WHOLE and is_small(batch * accessed):
        start = BESIDE
    return start + batch * (unit * arithmetic + call * work.called + choosing)


def kernel(
    program: ScalarProgram, sizes: tuple[int, ...], masks: Sequence[Sequence[bool]], platform: str = "cpu"
) -> Any:
    """The form that is one kernel.

    Args:
      program: the program, for which `fits` holds.
      sizes: lengths of the batch axes, outermost first.
      masks: for each batch axis, outermost first, which operands have it.
      platform: where it will run; one kernel is made of it on a "cpu" alone.

    Returns:
      A function of the operands, with the batch axes they have in front, to the results.
    """
    numbers = [int(i) for ids in program.outputs for i in ids.flat]
    shape = (*sizes, len(numbers))

    def whole(*operands: Any) -> Any:
        values = {
            number: jnp.broadcast_to(column[..., None], shape)
            for number, column in columns(program, operands, sizes, masks).items()
        }
        return _choose(evaluate(program, values, numbers), shape)

    call = one_kernel(whole) if platform == "cpu" else whole

    def form(*operands: Any) -> list[Any]:
        together, start, results = call(*operands), 0, []
        for ids in program.outputs:
            part = lax.slice_in_dim(together, start, start + ids.size, axis=len(sizes))
            results.append(jnp.reshape(part, (*sizes, *ids.shape)))
            start += ids.size
        return results

    return form


def _choose(level: list[Any], shape: tuple[int, ...]) -> Any:
    """Of arrays of one shape the k-th at place k of the last axis."""
    place = lax.broadcasted_iota(np.int32, shape, len(shape) - 1)
    bit = 0
    while len(level) > 1:
        odd = (place >> bit) & 1 == 1
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [x if x is y else jnp.where(odd, y, x) for x, y in pairs] + level[len(level) // 2 * 2 :]
        bit += 1
    return jnp.broadcast_to(level[0], shape)


def _size(program: ScalarProgram) -> int:
    return sum(math.prod(ids.shape) for ids in program.outputs)
