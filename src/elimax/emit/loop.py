"""One loop over a batch that computes all results of a program on scalars.

XLA fuses operations into one kernel for each result array, and computes what several results share once for each.
There is one operation with many results whose loop it emits as one kernel: a reduction of many operands at once. The
program is put into the function that combines two elements, along an axis of two equal elements that exists for this
purpose alone. Elements carry a tag:

    0  nothing, the initial value: combined with x it gives x,
    1  the inputs of the program: two of them give its results,
    2  the results: they stay.

So the result does not depend on the order in which the reduction is done. The program reads the second of two equal
elements, which is the same in every turn of the inner loop; compilers take it out of that loop, which leaves one
vectorised pass over the batch.

Functions of the C library in the program prevent that. They can be replaced by arithmetic, see
`elimax.emit.elementary`; where an argument is beyond the limit of such a function, its elements end with the tag

    3  the results, which do not hold,

and then all is computed again with the functions of the C library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax.emit.scalars import ScalarProgram, columns, evaluate, settled
from elimax.emit.vectorise import vectorise

NOTHING, INPUTS, RESULTS, BEYOND = 0, 1, 2, 3

FEW = 6
"""Computed elements of a result that are selected into their places among known ones.

More of them are stacked with stretches of known elements, each of which has a kernel of its own.
"""


def loop(
    program: ScalarProgram,
    sizes: tuple[int, ...],
    masks: Sequence[Sequence[bool]],
    batch_last: bool,
    elementary: str = "exact",
) -> Any:
    """The form that is one loop.

    Args:
      program: the program.
      sizes: lengths of the batch axes, outermost first.
      masks: for each batch axis, outermost first, which operands have it.
      batch_last: whether results have the batch axes behind their own, or in front.
      elementary: "exact" for the elementary functions of JAX, "vector" for those of `elimax.emit.elementary`.

    Returns:
      A function of the operands, with the batch axes they have in front, to the results.
    """
    vector, limits = vectorise(program) if elementary == "vector" else (program, {})

    def compute(values: dict[int, Any]) -> list[Any]:
        tag, results = _reduce(vector, values, sizes, limits)
        if not limits:
            return results
        return lax.cond(jnp.any(tag == BEYOND), lambda: _reduce(program, values, sizes, {})[1], lambda: results)

    def form(*operands: Any) -> list[Any]:
        values = columns(program, operands, sizes, masks)
        values.update(zip(program.computed, compute(values), strict=True))
        values.update({i: jnp.broadcast_to(x, sizes) for i, x in settled(program).items()})
        return [_assemble(program, values, ids, sizes, batch_last) for ids in program.outputs]

    return form


def _reduce(
    program: ScalarProgram, values: dict[int, Any], sizes: tuple[int, ...], limits: Mapping[int, float]
) -> tuple[Any, list[Any]]:
    """Tags, and arrays for `ScalarProgram.computed`, all of shape ``sizes``.

    Args:
      program: the program.
      values: its inputs by number.
      sizes: lengths of the batch axes.
      limits: the largest size of some scalars by number; where one is larger, and finite, the tag is `BEYOND`.
    """
    used = {i for step in program.steps for i in step.operands}
    sources = [i for i in values if i in used]
    targets = program.computed
    dtypes = [program.dtypes[i] for i in targets]
    slots = _slots([program.dtypes[i] for i in sources], dtypes)
    carriers = _carriers([dtype for dtype, _, _ in slots])
    operands: list[Any] = []
    for dtype, source, _ in slots:
        column = jnp.zeros(sizes, dtype) if source is None else values[sources[source]]
        operands.append(jnp.broadcast_to(_bits(column, carriers[dtype]), (2, *sizes)))
    tag = jnp.full((2, *sizes), INPUTS, np.int32)

    def combine(left: Any, right: Any) -> Any:
        given = {
            sources[s]: _bits(x, dtype) for (dtype, s, _), x in zip(slots, right[1:], strict=True) if s is not None
        }
        results = evaluate(program, given, [*targets, *limits])
        done = jnp.full_like(left[0], RESULTS)
        for x, limit in zip(map(jnp.abs, results[len(targets) :]), limits.values(), strict=True):
            done = jnp.where((x > limit) & (x < np.inf), BEYOND, done)
        run = (left[0] == INPUTS) & (right[0] == INPUTS)
        take_right = left[0] == NOTHING
        combined = [lax.select(take_right, y, x) for x, y in zip(left[1:], right[1:], strict=True)]
        for k, (dtype, _, target) in enumerate(slots):
            if target is not None:
                combined[k] = lax.select(run, _bits(results[target], carriers[dtype]), combined[k])
        kept = lax.select(take_right, right[0], left[0])
        return (lax.select(run, done, kept), *combined)

    initial = (np.int32(NOTHING), *(np.zeros((), carriers[dtype]) for dtype, _, _ in slots))
    # Without the barrier an unused result has the compiler take the reduction apart, in exponential time.
    tag, *reduced = lax.optimization_barrier(lax.reduce((tag, *operands), initial, combine, (0,)))
    found = {target: x for (_, _, target), x in zip(slots, reduced, strict=True) if target is not None}
    return tag, [_bits(found[k], dtype) for k, dtype in enumerate(dtypes)]


def _carriers(dtypes: Sequence[np.dtype]) -> dict[np.dtype, Any]:
    """In which dtype values go through the reduction: XLA allows one floating type there, others travel as integers."""
    floating = [d for d in dtypes if d.kind == "f"]
    widest = max(floating, key=lambda d: d.itemsize, default=None)
    return {d: np.dtype(f"int{8 * d.itemsize}") if d.kind == "f" and d != widest else d for d in dtypes}


def _bits(x: Any, dtype: Any) -> Any:
    """The same bits in another dtype of the same width."""
    return x if x.dtype == dtype else lax.bitcast_convert_type(x, dtype)


def _slots(sources: Sequence[np.dtype], targets: Sequence[np.dtype]) -> list[tuple[np.dtype, int | None, int | None]]:
    """Operands of the reduction: each has a dtype, brings an input, and takes a result, or one of both."""
    slots: list[tuple[np.dtype, int | None, int | None]] = []
    for dtype in dict.fromkeys([*sources, *targets]):
        coming = [k for k, d in enumerate(sources) if d == dtype]
        going = [k for k, d in enumerate(targets) if d == dtype]
        for k in range(max(len(coming), len(going))):
            slots.append((dtype, coming[k] if k < len(coming) else None, going[k] if k < len(going) else None))
    return slots


def is_selected(program: ScalarProgram, ids: np.ndarray) -> bool:
    """Whether a result is an array of known elements in which a few computed ones are put in their places."""
    made, flat = set(program.computed), [int(i) for i in ids.flat]
    count = sum(i in made for i in flat)
    return 0 < count <= FEW and 2 * count <= ids.size and program.settled.isdisjoint(flat)


def _assemble(
    program: ScalarProgram, values: dict[int, Any], ids: np.ndarray, sizes: tuple[int, ...], batch_last: bool
) -> Any:
    """A result of shape ``(*sizes, *ids.shape)``, or ``(*ids.shape, *sizes)``, from its elements."""
    if is_selected(program, ids) and not batch_last:
        return _select(program, values, ids, sizes)
    columns = [
        values[int(i)] if int(i) in values else np.broadcast_to(program.constants[int(i)], sizes) for i in ids.flat
    ]
    if batch_last:
        return jnp.stack(columns).reshape((*ids.shape, *sizes))
    return jnp.stack(columns, -1).reshape((*sizes, *ids.shape))


def _select(program: ScalarProgram, values: dict[int, Any], ids: np.ndarray, sizes: tuple[int, ...]) -> Any:
    """The same, with batch axes in front, for a result with few elements that have a value."""
    flat = [int(i) for i in ids.flat]
    dtype = program.dtypes[flat[0]]
    base = np.array([0 if i in values else program.constants[i] for i in flat], dtype)
    result = jnp.broadcast_to(jnp.asarray(base), (*sizes, ids.size))
    place = lax.broadcasted_iota(np.int32, result.shape, len(sizes))
    for k, i in enumerate(flat):
        if i in values:
            result = lax.select(place == np.int32(k), jnp.broadcast_to(values[i][..., None], result.shape), result)
    return result.reshape((*sizes, *ids.shape))
