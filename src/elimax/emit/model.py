"""Predicted time of the forms of a small program on a CPU.

A form costs a fixed time a call and a time for each element of the batch. `count` says how often a form does what; the
weights of a `Machine` turn that into nanoseconds. In the plain form each result is computed apart and computes again
what it shares with others, except for operations that XLA holds to be expensive; elements that are known beforehand are
filled in on the way. The loop form computes everything once, but writes every result to a column of its own, and reads
the columns and the known elements again to put them together.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from elimax.emit.scalars import ScalarProgram

CALLED = frozenset(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh digamma erf_inv erfc igamma igammac lgamma "
    "pow rem sin sinh tan".split()
)
"""Operations that call a function of the C library for each element; a loop with one of them is not vectorised."""

SERIES = frozenset("erf exp exp2 expm1 log log1p log2 logistic tanh".split())
"""Operations that are a series of some ten vectorised instructions or more."""

SLOW = frozenset("div sqrt rsqrt".split())
"""Vectorised operations with a long latency."""

KEPT = frozenset("div sqrt rsqrt exp exp2 expm1 log log1p log2 logistic tanh pow atan2 cbrt erf".split())
"""Operations that XLA does not compute again for each result that needs them."""


INLINE = 1000
"""The thread that calls a program does the work itself if XLA counts fewer operations than this."""


MANY = 8
"""Kernels of a program with fewer are run one after the other."""

TINY = 64
"""So are those of a program whose arrays have fewer numbers of 64 bits than this."""


CROWDED = 24
"""Columns of one result that stay in the caches by themselves while they are put together."""

MOST_CROWDED = 128
"""With more columns, no further lines of the caches are lost."""

PAGE = 4096
"""Columns whose length in bytes is a multiple of this share the same few lines of a cache."""

ALIGNED = 2.5
"""How much longer these take to put together."""

TOGETHER = 72
"""A plain result with so many elements is put together from columns too."""

FULL = 0.5
"""Share of a result that is computed where its pieces are arrays; in emptier ones each element is put in its place."""

HEAP = 2**25
"""A result with more bytes than this is on pages that the system hands out anew at every call."""

READ = 0.25
"""Share of the known elements of a plain form in a loop that are filled in; others are known to whoever reads them."""


REPEATED = 1.1
"""How much longer the plain form takes in a loop: what reads its results there computes parts of them again."""


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Machine:
    """Times in nanoseconds on one device kind; names end with the bits of the dtype they are for.

    Attributes:
      unit_32: a vectorised arithmetic operation on one element.
      unit_64: the same.
      slow: a division or root, in units.
      series: an exponential or the like, in units.
      called: a call of the C library.
      scalar_32: slowdown of a loop that is not vectorised.
      scalar_64: the same.
      element_32: reading or writing one element of an argument or a computed result.
      element_64: the same.
      column_32: writing and reading one element of a column of the loop form.
      column_64: the same.
      crowd_32: one element of one of many columns that are put together, for each of these columns.
      crowd_64: the same.
      filled: one stretch of equal known elements of a result of the plain form, in elements.
      copied: the same in the loop form.
      hoisted: the same in a loop, out of which the column of such elements is taken.
      call: a call from outside of any loop, whatever the form.
      handoff: having another thread do it, as happens from `INLINE` operations on.
      spread: handing out kernels one by one, as happens to `MANY` kernels or more on arrays that are not tiny.
      kernel: starting one kernel from there.
      operation: one operation in the body of the loop form, at each call from there.
      turn: one operation at each turn of a loop around it, whatever the batch.
      start: starting one kernel there.
      page: touching one page of fresh memory.
      fork: sharing the work of one kernel among cores.
      threads: cores that share the work of a kernel outside of loops.
    """

    unit_32: float = 0.023
    unit_64: float = 0.038
    slow: float = 36.0
    series: float = 27.0
    called: float = 2.1
    scalar_32: float = 2.8
    scalar_64: float = 3.5
    element_32: float = 0.44
    element_64: float = 0.8
    column_32: float = 0.036
    column_64: float = 0.26
    crowd_32: float = 0.04
    crowd_64: float = 0.08
    filled: float = 2.9
    copied: float = 2.0
    hoisted: float = 0.8
    call: float = 6400.0
    handoff: float = 8100.0
    spread: float = 21_000.0
    kernel: float = 1380.0
    operation: float = 100.0
    turn: float = 1.5
    start: float = 4.3
    page: float = 450.0
    fork: float = 20_000.0
    threads: int = dataclasses.field(default_factory=cores)


DEFAULT = Machine()


@dataclasses.dataclass(frozen=True)
class Work:
    """Operations of one kernel on one element, by the width of the widest number in it.

    Attributes:
      wide: whether that has 64 bits.
      cheap: number of vectorisable operations that cost a unit.
      slow: number of divisions and roots.
      series: number of exponentials and the like.
      called: number of calls of the C library.
    """

    wide: bool
    cheap: int
    slow: int
    series: int
    called: int

    def at(self, machine: Machine) -> float:
        """Nanoseconds."""
        unit = machine.unit_64 if self.wide else machine.unit_32
        time = unit * (self.cheap + machine.slow * self.slow + machine.series * self.series)
        if not self.called:
            return time
        return time * (machine.scalar_64 if self.wide else machine.scalar_32) + machine.called * self.called


Widths = tuple[int, int]
"""Numbers of elements with up to 32 and with 64 bits."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a form does.

    Attributes:
      work: of its kernels.
      kernels: their number.
      moved: arguments and computed results, elements of them by width.
      columns: columns that are written and read again, by width.
      crowd: for each column that becomes part of a result the columns of that result if these are many, by width.
      known: stretches of equal elements of results that no operation computes, by width.
      size: elements of all results.
      arrays: bytes of each result.
      fillers: kernels that write such elements, outside of loops.
      looped: whether it is the loop form.
      operations: in the body of the loop form, of no interest otherwise.
      weight: operations on one element of the batch as XLA counts them.
      turn: operations at each turn of a loop around it.
    """

    work: tuple[Work, ...]
    kernels: int
    moved: Widths
    columns: Widths
    crowd: Widths
    known: Widths
    size: Widths
    arrays: tuple[int, ...]
    fillers: int
    looped: bool
    operations: int
    weight: int
    turn: int

    def at(self, machine: Machine, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop."""
        elements = (machine.element_32, machine.element_64)
        copied = machine.hoisted if looped else machine.copied
        filled = machine.filled * (READ if looped else 1.0)
        known = (copied if self.looped else filled) * _dot(elements, self.known)
        crowd = [ALIGNED if batch * size % PAGE == 0 else 1.0 for size in (4, 8)]
        moved = _dot(elements, self.moved) + _dot((machine.column_32, machine.column_64), self.columns)
        moved += _dot((crowd[0] * machine.crowd_32, crowd[1] * machine.crowd_64), self.crowd)
        work = batch * (sum(w.at(machine) for w in self.work) + moved + known)
        if looped:
            time = work + machine.turn * self.turn + machine.start * self.kernels
            return time if self.looped else REPEATED * time
        kernels = self.kernels + self.fillers
        work += machine.page / PAGE * sum(batch * size for size in self.arrays if batch * size > HEAP)
        shared = work / machine.threads + machine.fork * kernels
        fixed = machine.call + machine.kernel * kernels + machine.operation * self.operations
        if batch * self.weight >= INLINE:
            fixed += machine.handoff
        if kernels >= MANY and batch * (self.size[1] + self.size[0] / 2) > TINY:
            fixed += machine.spread
        return min(work, shared) + fixed


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Time of a form on a machine.

    Attributes:
      counts: what the form does.
      machine: weights of the device.
    """

    counts: Counts
    machine: Machine

    def at(self, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop."""
        return self.counts.at(self.machine, batch, looped)


def predict(program: ScalarProgram, machine: Machine = DEFAULT) -> dict[str, Prediction]:
    """Times of the forms "plain" and "loop".

    Args:
      program: what is emitted.
      machine: weights of the device.
    """
    return {form: Prediction(counts, machine) for form, counts in count(program).items()}


def count(program: ScalarProgram) -> dict[str, Counts]:
    """What the forms "plain" and "loop" of a program do."""
    targets = program.computed
    kept = _kept(program, targets)
    origins = {step.result: step.origin for step in program.steps}
    times = _times(program, origins)
    roots = sorted(kept | set(targets))
    cones = _cones(program, roots, kept)
    results = [int(i) for ids in program.outputs for i in ids.flat]
    made = set(targets)
    stretches = [(i, len(list(same))) for ids in program.outputs for i, same in itertools.groupby(map(int, ids.flat))]
    stretches = [(i, length) for i, length in stretches if i not in made]
    known = _widths(program, (i for i, _ in stretches))
    size = _widths(program, results)
    moved = _widths(
        program, [*(int(i) for ids in program.inputs for i in ids.flat), *(i for i in results if i in made)]
    )
    operations = len(program.steps) + 6 * len(targets)
    columns = _widths(program, targets)
    arrays = tuple(sum(program.dtypes[int(i)].itemsize for i in ids.flat) for ids in program.outputs)
    return {
        "plain": Counts(
            work=tuple(_work(program, cone, times.get(root, 1)) for root, cone in zip(roots, cones, strict=True)),
            kernels=len({origins[i] for i in kept}) + _arrays(program, made),
            moved=moved,
            columns=_widths(program, kept),
            crowd=_crowd(program, origins, TOGETHER),
            known=known,
            size=size,
            arrays=arrays,
            fillers=0,
            looped=False,
            operations=0,
            weight=sum(map(len, cones)) + 6 * len(results),
            turn=len(program.steps),
        ),
        "loop": Counts(
            work=(_work(program, range(len(program.steps))),),
            kernels=1 + _arrays(program, made),
            moved=moved,
            columns=columns,
            crowd=_crowd(program, {i: i for i in made}),
            known=known,
            size=size,
            arrays=arrays,
            fillers=len(set(stretches)),
            looped=True,
            operations=operations,
            weight=len(program.steps) + 3 * len(targets),
            turn=operations,
        ),
    }


def recomputes(counts: Mapping[str, Counts]) -> bool:
    """Whether the plain form computes something more than once; if not, the loop form has nothing to gain."""
    plain, loop = ([(w.cheap, w.slow, w.series, w.called) for w in counts[form].work] for form in ("plain", "loop"))
    return any(
        sum(own) > sum(other) for own, other in zip(zip(*plain, strict=True), zip(*loop, strict=True), strict=True)
    )


def moved(program: ScalarProgram, machine: Machine) -> float:
    """Nanoseconds for writing, or reading, the computed results for one element of the batch."""
    return _dot((machine.element_32, machine.element_64), _widths(program, program.computed))


def work_of(program: ScalarProgram) -> Work:
    """Operations of a program, each done once."""
    return _work(program, range(len(program.steps)))


def _dot(weights: tuple[float, float], counts: Widths) -> float:
    return weights[0] * counts[0] + weights[1] * counts[1]


def _widths(program: ScalarProgram, numbers: Iterable[int]) -> Widths:
    wide = [program.dtypes[i].itemsize == 8 for i in numbers]
    return len(wide) - sum(wide), sum(wide)


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


def _arrays(program: ScalarProgram, made: set[int]) -> int:
    """Results with an element that is computed: each has a kernel."""
    return sum(any(int(i) in made for i in ids.flat) for ids in program.outputs)


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


def _cones(program: ScalarProgram, roots: list[int], kept: set[int]) -> list[list[int]]:
    """For each root the steps that are computed for it: all it needs up to other roots that are kept."""
    producer = {step.result: k for k, step in enumerate(program.steps)}
    cones = []
    for root in roots:
        seen, stack = {producer[root]}, [producer[root]]
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
    numbers = dict.fromkeys(("cheap", "slow", "series", "called"), 0)
    wide = False
    for k in steps:
        step = program.steps[k]
        dtype = program.dtypes[step.result]
        wide = wide or dtype.itemsize == 8
        if step.name in CALLED or (step.name == "erf" and dtype == np.float64):
            numbers["called"] += times
        elif step.name in SERIES:
            numbers["series"] += times
        elif step.name in SLOW:
            numbers["slow"] += times
        else:
            numbers["cheap"] += times
    return Work(wide, **numbers)
