"""What the forms of a small program do: operations of their kernels, and what these read and write.

In the plain form each kernel, of a result or of some of its rows, computes again what it shares with others, except for
operations that XLA holds to be expensive; the loop form computes everything once.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from elimax.emit.loop import is_selected
from elimax.emit.model import DEFAULT, LARGE, READERS, SELECT, Counts, Machine, Prediction, Widths, Work
from elimax.emit.scalars import ScalarProgram
from elimax.structure.dense_cells import cuts
from elimax.structure.dense_lanes import NUM_STACKED

CALLED = {
    "acos": 1.5,
    "acosh": 0.9,
    "asin": 1.4,
    "asinh": 0.9,
    "atan": 1.0,
    "atan2": 1.5,
    "atanh": 0.9,
    "cbrt": 1.2,
    "cos": 1.2,
    "digamma": 3.0,
    "erf_inv": 0.9,
    "igamma": 60.0,
    "igammac": 60.0,
    "lgamma": 2.5,
    "pow": 1.0,
    "rem": 1.6,
    "sin": 1.0,
    "tan": 1.6,
}
"""Operations that call a function of the C library for each element, and what they cost beside a sine.

A loop with one of them is not vectorised.
"""

ERF = 1.5
"""The error function of numbers of 64 bits, which is no series."""

TWIN = 0.4
"""What a sine or cosine costs beside the one of the same number."""

SERIES = {
    "cosh": 1.5,
    "erf": 1.0,
    "erfc": 2.5,
    "exp": 1.0,
    "exp2": 1.0,
    "expm1": 2.0,
    "log": 2.5,
    "log1p": 3.0,
    "log2": 2.5,
    "logistic": 1.2,
    "sinh": 3.0,
    "tanh": 1.5,
}
"""Operations that are a series of ten vectorised instructions or more, and what they cost beside an exponential."""

EXPANDED = {
    "acos": 5,
    "acosh": 11,
    "asin": 7,
    "asinh": 14,
    "atanh": 8,
    "cosh": 5,
    "digamma": 76,
    "erf_inv": 70,
    "erfc": 75,
    "igamma": 380,
    "igammac": 380,
    "lgamma": 56,
    "logistic": 4,
    "nextafter": 23,
    "sinh": 13,
}
"""Operations that JAX or XLA writes as many others, and as how many."""

SLOW = frozenset("div sqrt rsqrt".split())
"""Vectorised operations with a long latency."""

KEPT = frozenset("div sqrt rsqrt exp exp2 expm1 log log1p log2 logistic tanh pow atan2 cbrt erf".split())
"""Operations that XLA does not compute again for each result that needs them."""

UNCOUNTED = frozenset([*CALLED, *SERIES, "sqrt", "rsqrt"])
"""Operations that XLA does not count as such."""

CROWDED = 24
"""Columns of one result that stay in the caches by themselves while they are put together."""

MOST_CROWDED = 128
"""With more columns, no further lines of the caches are lost."""

TOGETHER = 72
"""A plain result with so many elements is put together from columns too."""

FULL = 0.5
"""Share of a result that is computed where its pieces are arrays; in emptier ones each element is put in its place."""


SPACIOUS, NUMEROUS, INTERRUPTED = 32, 16, 2
"""Results of so many elements, into which so many single numbers are put, and how much longer known elements take."""

BRANCHED = 3.0
"""How much longer a kernel of more than `elimax.emit.model.LARGE` operations takes that makes stretches of a result."""

BETWEEN = 1.2
"""Bytes that XLA counts for the plain form in a loop, over those known here: its kernels exchange some."""

LONG, SPAN, SLOWER = 2400, 20, 8.0
"""Instructions from which on a loop form is not vectorised, those of an exponential, and how much slower it is then."""


def count(program: ScalarProgram, behind: bool = False) -> dict[str, Counts]:
    """What the forms "plain" and "loop" of a program do.

    Args:
      program: the program.
      behind: whether batch axes come behind those of the results: each element of a result is a stretch of memory
        then, and nothing is chosen, or put together from columns, one element after the other.
    """
    program = _unsettled(program)
    targets = program.computed
    kept = _kept(program, targets)
    origins = {step.result: step.origin for step in program.steps}
    times = _times(program, origins)
    roots = sorted(kept | set(targets))
    scalars = {int(ids) for ids in program.outputs if not ids.ndim} & set(targets)
    readers = _readers(sorted(scalars - kept))
    cells = [[root] for root in roots if root in kept or root not in scalars]
    shared = [own for own in cells if own[0] in kept]

    def kernels(groups: Sequence[Sequence[int]]) -> tuple[Work, ...]:
        """Work of the kernels that compute a group of numbers each.

        Functions of the C library are not computed ahead of a group where the kernel reads other arrays too.
        """
        whole, apart = [], []
        for own, cone in zip(groups, _cones(program, groups, kept), strict=True):
            if _is_parted(program, own, cone, kept):
                apart.extend([number] for number in own)
            else:
                whole.append((own, cone))
        whole.extend(zip(apart, _cones(program, apart, kept), strict=True))
        return tuple(_work(program, cone, times.get(own[0], 1)) for own, cone in whole)

    cones = _cones(program, [[root] for root in roots], kept)
    results = [int(i) for ids in program.outputs for i in ids.flat]
    weight = sum(map(len, cones)) + 6 * len(results)

    def chosen(groups: Sequence[Sequence[int]]) -> tuple[Work, ...]:
        """The same, where results of several operations in a group are chosen among, one element after the other."""
        many = [len({origins[i] for i in own}) > 1 for own in groups]
        slow = functools.partial(Work.slowed, times=BRANCHED if weight > LARGE else 1.0) if behind else Work.apart
        return tuple(
            slow(work) if is_many else work
            for own, is_many in zip(groups, many, strict=True)
            for work in kernels([own])
        )

    mixed = _mixed(program, origins, set(targets))
    single = [
        work.apart() if own[0] in mixed else work for own in cells if own[0] not in kept for work in kernels([own])
    ]
    merged = {k for own in _cones(program, readers + shared, set()) for k in own}
    made = set(targets)
    known = _widths(program, (i for i, _ in _stretches(program.outputs) if i not in made))
    between = _widths(program, _between(program, origins, made))
    selected = [] if behind else [ids for ids in program.outputs if is_selected(program, ids)]
    stacked = [ids for ids in program.outputs if behind or not is_selected(program, ids)]
    choices = _choices(program, made, selected)
    fillers = {(i, length) for i, length in _stretches(stacked) if i not in made}
    size = _widths(program, results)
    moved = _widths(
        program, [*(int(i) for ids in program.inputs for i in ids.flat), *(i for i in results if i in made)]
    )
    pieces, selects = _pieces(program, origins, made)
    operations = sum(EXPANDED.get(step.name, 1) for step in program.steps) + 6 * len(targets)
    columns = _widths(program, targets)
    boxes, assembled = _boxes(program, origins, made)
    whole = work_of(program)
    if len(program.steps) + SPAN * whole.series > LONG:
        whole = dataclasses.replace(whole, cheap=SLOWER * whole.cheap, series=SLOWER * whole.series)
    groups = readers + cells
    accessed = _bytes(program, [i for own in _read(program, groups, kept) for i in own])
    accessed += _bytes(program, [i for own in groups for i in own])
    inputs = [int(i) for ids in program.inputs for i in ids.flat]
    around = _bytes(program, inputs) + READERS * _bytes(program, results)
    arrays = tuple(sum(program.dtypes[int(i)].itemsize for i in ids.flat) for ids in program.outputs)
    return {
        "plain": Counts(
            work=(*kernels(readers), *chosen(_neighbours(program, kept, times))),
            joined=(*kernels(readers + shared), *single),
            merged=(_work(program, sorted(merged)), *single),
            kernels=len({origins[i] for i in kept}) + pieces,
            moved=moved,
            selects=(0, 0) if behind else selects,
            gathered=program.gathered,
            columns=_widths(program, kept),
            crowd=(0, 0) if behind else _crowd(program, origins, TOGETHER),
            known=(known[0] + between[0], known[1] + between[1]),
            size=size,
            arrays=arrays,
            single=_single(program, origins, made),
            fillers=0,
            looped=False,
            operations=0,
            weight=weight,
            counted=sum(program.steps[k].name not in UNCOUNTED for own in cones for k in own)
            + (0 if behind else sum(size * (arrays + known) for size, _, arrays, known in assembled)),
            boxes=() if behind else boxes,
            assembled=() if behind else assembled,
            turn=0,
            launches=len({origins[i] for i in kept}) + pieces - len(scalars),
            bound=0,
            accessed=math.ceil(BETWEEN * (around + accessed)),
        ),
        "loop": Counts(
            work=(whole,),
            joined=(whole,),
            merged=(whole,),
            kernels=1 + _arrays(program, made),
            moved=moved,
            selects=choices,
            gathered=(0, 0),
            columns=columns,
            crowd=(0, 0) if behind else _crowd(program, {i: i for i in made}),
            known=known,
            size=size,
            arrays=arrays,
            single=(),
            fillers=len(fillers),
            looped=True,
            operations=operations,
            weight=len(program.steps) + 3 * len(targets) + SELECT * sum(choices),
            counted=len(program.steps) + 3 * len(targets) + SELECT * sum(choices),
            boxes=(),
            assembled=(),
            turn=len(program.steps),
            launches=1 + _arrays(program, made, 2),
            bound=len(program.inputs) + len(targets),
            accessed=around
            + _bytes(program, [*inputs, *targets, *(i for ids in program.outputs if ids.size > 1 for i in ids.flat)]),
        ),
    }


def lone(program: ScalarProgram) -> int:
    """Scalar results that are no kernel of the plain form in a loop, unless the loop carries them."""
    program = _unsettled(program)
    scalars = {int(ids) for ids in program.outputs if not ids.ndim} & set(program.computed)
    return len(scalars - _kept(program, program.computed))


def predict(program: ScalarProgram, machine: Machine = DEFAULT, behind: bool = False) -> dict[str, Prediction]:
    """Times of the forms "plain" and "loop".

    Args:
      program: what is emitted.
      machine: weights of the device.
      behind: whether batch axes come behind those of the results.
    """
    return {form: Prediction(counts, machine) for form, counts in count(program, behind).items()}


def recomputes(counts: Mapping[str, Counts]) -> bool:
    """Whether the plain form computes something more than once; if not, the loop form has nothing to gain."""
    plain, loop = ([(w.cheap, w.slow, w.series, w.called) for w in counts[form].work] for form in ("plain", "loop"))
    return any(
        sum(own) > sum(other) for own, other in zip(zip(*plain, strict=True), zip(*loop, strict=True), strict=True)
    )


def fused_work(program: ScalarProgram) -> int:
    """Operations where each element of the results is computed by itself, but for what XLA does not compute again."""
    kept = _kept(program, program.computed)
    made = set(program.computed)
    roots = [*kept, *(int(i) for ids in program.outputs for i in ids.flat if int(i) in made)]
    cones = _cones(program, [[root] for root in roots], kept)
    return sum(EXPANDED.get(program.steps[k].name, 1) for own in cones for k in own)


def moved(program: ScalarProgram, machine: Machine) -> float:
    """Nanoseconds for writing, or reading, the computed results for one element of the batch."""
    short, wide = _widths(program, program.computed)
    return machine.element_32 * short + machine.element_64 * wide


def work_of(program: ScalarProgram) -> Work:
    """Operations of a program, each done once."""
    program = _unsettled(program)
    return _work(program, range(len(program.steps)))


def _unsettled(program: ScalarProgram) -> ScalarProgram:
    """The program without the steps that the compiler does."""
    return dataclasses.replace(program, steps=tuple(s for s in program.steps if s.result not in program.settled))


def _widths(program: ScalarProgram, numbers: Iterable[int]) -> Widths:
    wide = [program.dtypes[i].itemsize == 8 for i in numbers]
    return len(wide) - sum(wide), sum(wide)


def _stretches(outputs: Iterable[np.ndarray]) -> list[tuple[int, int]]:
    """Equal numbers that follow each other in a result, and how many they are."""
    return [(i, len(list(same))) for ids in outputs for i, same in itertools.groupby(map(int, ids.flat))]


def _between(program: ScalarProgram, origins: Mapping[int, int], made: set[int]) -> list[int]:
    """Known stretches between the single numbers of large results, as often as they take longer than in others."""
    found = []
    for ids in program.outputs:
        own = [i for i in map(int, ids.flat) if i in made]
        if ids.size >= SPACIOUS and len(own) >= NUMEROUS and len({origins[i] for i in own}) == len(set(own)):
            found += [i for i, _ in _stretches([ids]) if i not in made] * INTERRUPTED
    return found


def _choices(program: ScalarProgram, made: set[int], outputs: Iterable[np.ndarray]) -> Widths:
    """Choices of a number for a place in results in which each place chooses from all that is computed, by width."""
    found = [0, 0]
    for ids in outputs:
        found[program.dtypes[int(ids.flat[0])].itemsize == 8] += ids.size * sum(int(i) in made for i in ids.flat)
    return found[0], found[1]


def _crowd(program: ScalarProgram, pieces: Mapping[int, int], least: int = 0) -> Widths:
    """For each computed column of a result with many of them, their number; results of fewer elements do not count.

    Args:
      program: the program.
      pieces: of each computed number the column or array it is part of.
      least: elements of a result that count.
    """
    found = [0, 0]
    for ids in program.outputs:
        own = [int(i) for i in ids.flat if int(i) in pieces]
        count = len({pieces[i] for i in own} if FULL * ids.size <= len(own) else set(own))
        if count >= CROWDED and ids.size >= least:
            found[program.dtypes[own[0]].itemsize == 8] += count * min(count, MOST_CROWDED)
    return found[0], found[1]


def _times(program: ScalarProgram, origins: Mapping[int, int]) -> dict[int, int]:
    """How often the plain form computes an element of an array that fills only a part of a result.

    Each element of the result computes one, and then selects it or what is there instead.
    """
    times: dict[int, int] = {}
    for ids in program.outputs:
        own = [int(i) for i in ids.flat if int(i) in origins]
        if FULL * ids.size <= len(own) or len({origins[i] for i in own}) == len(set(own)):
            continue
        times.update(dict.fromkeys(own, ids.size // len(own)))
    return times


def _arrays(program: ScalarProgram, made: set[int], least: int = 1) -> int:
    """Results of so many elements with one that is computed: each has a kernel."""
    return sum(ids.size >= least and any(int(i) in made for i in ids.flat) for ids in program.outputs)


def _bytes(program: ScalarProgram, numbers: Iterable[int]) -> int:
    return sum(program.dtypes[int(i)].itemsize for i in numbers)


def _read(program: ScalarProgram, groups: Sequence[Sequence[int]], kept: set[int]) -> list[set[int]]:
    """For each group of numbers what the kernel that computes it reads: arguments, and numbers that are kept."""
    made = {step.result for step in program.steps}
    found = []
    for cone in _cones(program, groups, kept):
        own = {program.steps[k].result for k in cone}
        read = {i for k in cone for i in program.steps[k].operands} - own
        found.append({i for i in read if i in kept or (i not in made and i not in program.constants)})
    return found


def _is_parted(program: ScalarProgram, group: Sequence[int], cone: Sequence[int], kept: set[int]) -> bool:
    """Whether numbers of a group are computed apart: they need functions of the C library and numbers that are kept."""
    steps = [program.steps[k] for k in cone] if len(group) > 1 else []
    return any(step.name in CALLED for step in steps) and any(not kept.isdisjoint(step.operands) for step in steps)


def _pieces(program: ScalarProgram, origins: Mapping[int, int], made: set[int]) -> tuple[int, Widths]:
    """Kernels that put the results of the plain form together, and selects in them by width.

    One for each result, or more where one is put together from many groups of single numbers.
    """
    kernels, selects = 0, [0, 0]
    for ids in program.outputs:
        flat = [int(i) for i in ids.flat]
        unknown = [k for k, i in enumerate(flat) if i in made]
        kernels += bool(unknown)
        if ids.ndim and len(unknown) > 1 and len({origins[flat[k]] for k in unknown}) == len(unknown):
            groups = cuts(unknown, len(flat), ids.shape[-1])
            kernels += len(groups) if len(groups) > NUM_STACKED else 0
            chosen = sum((stop - start) * sum(start <= k < stop for k in unknown) for start, stop in groups)
            selects[program.dtypes[flat[unknown[0]]].itemsize == 8] += chosen
    return kernels, (selects[0], selects[1])


def _boxes(
    program: ScalarProgram, origins: Mapping[int, int], made: set[int]
) -> tuple[tuple[tuple[int, int, int], ...], tuple[tuple[int, int, int, int], ...]]:
    """Results in which numbers are chosen by their place.

    Returns:
      For each result of single numbers its elements, how many are computed, and selects if these are not stacked; for
      each other one of several pieces its elements, how many are computed, arrays, and columns of different known
      elements.
    """
    boxes, assembled = [], []
    for ids in program.outputs:
        flat = [int(i) for i in ids.flat]
        unknown = [k for k, i in enumerate(flat) if i in made]
        arrays = {origins[flat[k]] for k in unknown}
        if ids.size > 1 and unknown and len(arrays) == len(unknown):
            groups = cuts(unknown, len(flat), ids.shape[-1])
            selects = sum((stop - start) * sum(start <= k < stop for k in unknown) for start, stop in groups)
            boxes.append((ids.size, len(unknown), selects))
        elif len(arrays) > 1 or 0 < len(unknown) < ids.size:
            columns = ids.reshape(-1, ids.shape[-1]).T.tolist()
            known = sum(len({i for i in column if i not in made}) > 1 for column in columns)
            assembled.append((ids.size, len(unknown), len(arrays), known))
    return tuple(boxes), tuple(assembled)


def _single(program: ScalarProgram, origins: Mapping[int, int], made: set[int]) -> tuple[tuple[int, int], ...]:
    """Results of many single numbers: how many elements they have, and how many of these are computed."""
    found = []
    for ids in program.outputs:
        own = [int(i) for i in ids.flat if int(i) in made]
        if ids.ndim and len(own) > NUM_STACKED and len({origins[i] for i in own}) == len(own):
            found.append((ids.size, len(own)))
    return tuple(found)


def _mixed(program: ScalarProgram, origins: Mapping[int, int], made: set[int]) -> set[int]:
    """Computed elements of arrays that are not vectorised in a loop.

    Those of a result that several operations make, and sums of numbers of 64 bits: XLA has a library for others.
    """
    found: set[int] = set()
    lengths = collections.Counter(origins.values())
    for ids in program.outputs:
        own = [i for i in map(int, ids.flat) if i in made] if ids.ndim else []
        several = collections.Counter(origins[i] for i in own)
        summed = any(program.dtypes[i].itemsize == 8 and lengths[origins[i]] > several[origins[i]] for i in own)
        if summed or len(several) > 1:
            found.update(own)
    return found


def _kept(program: ScalarProgram, targets: Sequence[int]) -> set[int]:
    """Expensive operations that more than one kernel needs: each has a kernel of its own.

    One with a single user counts too where that user is computed again in several kernels.
    """
    kernels: dict[int, set[int]] = {target: {target} for target in targets}
    kept: set[int] = set()
    for step in reversed(program.steps):
        own = kernels.get(step.result, set())
        if step.name in KEPT and len(own) > 1:
            kept.add(step.result)
            own = {step.result}
        for operand in step.operands:
            kernels.setdefault(operand, set()).update(own)
    return kept


def _readers(scalars: Sequence[int]) -> list[Sequence[int]]:
    """Scalar results that are read together in a loop, as far as can be guessed: rows of a square of them.

    They are computed where they are read, what they share once for each reader.
    """
    length = max(1, math.isqrt(len(scalars)))
    return [scalars[k : k + length] for k in range(0, len(scalars), length)]


def _neighbours(program: ScalarProgram, kept: set[int], times: Mapping[int, int]) -> list[Sequence[int]]:
    """What one kernel computes of results that are arrays: a number that is kept or repeated, or neighbours.

    What these need is the same for each element of the kernel, and computed before the loop over them.
    """
    apart = kept | times.keys()
    groups: list[Sequence[int]] = [[number] for number in sorted(apart)]
    computed = set(program.computed) - apart
    for ids in program.outputs:
        flat = [int(i) for i in ids.flat]
        unknown = [k for k, i in enumerate(flat) if i in computed]
        if ids.ndim and unknown:
            parts = (flat[start:stop] for start, stop in cuts(unknown, len(flat), ids.shape[-1]))
            groups += [own for part in parts if (own := [i for i in dict.fromkeys(part) if i in computed])]
    return groups


def _cones(program: ScalarProgram, groups: Sequence[Sequence[int]], kept: set[int]) -> list[list[int]]:
    """For each group of roots the steps that are computed for it: all it needs up to others that are kept."""
    producer = {step.result: k for k, step in enumerate(program.steps)}
    cones = []
    for roots in groups:
        seen = {producer[root] for root in roots}
        stack = [*seen]
        while stack:
            for operand in program.steps[stack.pop()].operands:
                k = producer.get(operand)
                if k is not None and operand not in kept and k not in seen:
                    seen.add(k)
                    stack.append(k)
        cones.append(sorted(seen))
    return cones


def _work(program: ScalarProgram, steps: Sequence[int], times: int = 1) -> Work:
    """Operations of a kernel that does the given steps so many times."""
    cheap, slow, series, called = 0, 0, 0.0, 0.0
    wide = False
    circled: set[int] = set()
    for k in steps:
        step = program.steps[k]
        dtype = program.dtypes[step.result]
        wide = wide or dtype.itemsize == 8
        if step.name in CALLED:
            is_twin = step.name in ("sin", "cos") and step.operands[0] in circled
            called += TWIN if is_twin else CALLED[step.name]
            circled.update(step.operands if step.name in ("sin", "cos") else ())
        elif step.name == "erf" and dtype == np.float64:
            called += ERF
        elif step.name in SERIES:
            series += SERIES[step.name]
        elif step.name in SLOW:
            slow += 1
        else:
            cheap += 1
    return Work(wide, times * cheap, times * slow, times * series, times * called)
