"""Predicted time of the forms of a small program on a CPU.

A form costs a fixed time a call and a time for each element of the batch. `elimax.emit.counting` says how often a form
does what; the weights of a `Machine` turn that into nanoseconds. In the plain form each kernel, of a result or of some
of its rows, computes again what it shares with others, except for operations that XLA holds to be expensive; elements
that are known beforehand are filled in on the way. The loop form computes everything once, but writes every result to a
column of its own, and reads the columns and the known elements again to put them together.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable

from elimax.structure.dense_cells import is_stacked

INLINE = 1000
"""The thread that calls a program does the work itself if XLA counts fewer operations than this."""


MANY = 8
"""Kernels of a program with fewer are run one after the other."""

TINY = 64
"""So are those of a program whose arrays have fewer numbers of 64 bits than this."""


PAGE = 4096
"""Columns whose length in bytes is a multiple of this share the same few lines of a cache."""

ALIGNED = 2.5
"""How much longer these take to put together."""

HEAP = 2**25
"""A result, or all columns, with more bytes than this are on pages that the system hands out anew at every call."""

READ = 0.25
"""Share of the known elements of a plain form in a loop that are filled in; others are known to whoever reads them."""


LARGE = 700
"""A kernel with more operations, as XLA counts them, is not vectorised."""

GATHER = 7
"""How many times as long as an element in its order one takes that is read or written at a place in a table."""

SMALL = 1024
"""XLA makes one kernel of a loop that accesses fewer bytes at each turn, starts none there, and vectorises nothing."""

ONE, ONE_SERIES = 10.0, 40.0
"""How much longer an operation, and an exponential or the like, takes for an element where nothing is vectorised."""

APART = 8.0
"""How much longer operations take in a kernel that computes each element of a result in another way."""

READERS = 4
"""How often the results of a program are taken to be read in a loop by what is around it."""

SELECT = 2
"""Operations of a select: comparing places, and choosing."""

ONE_BY_ONE = 30.0
"""Nanoseconds of an element among selected ones for a single point, outside of loops."""

AMONG, CONSTANT = 3.0, 400.0
"""The same of an element of an array among known ones, and of a column of these."""

SELECTED = 0.8
"""Nanoseconds of an element among selected ones for a single point in a loop that is one kernel."""

REPEATED = 1.1
"""How much longer the plain form takes in a loop: what reads its results there computes parts of them again."""


def is_small(accessed: int) -> bool:
    """Whether a loop that accesses so many bytes at each turn, as far as is known, is one kernel."""
    return accessed < SMALL


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
      called_32: a call of the C library.
      called_64: the same.
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
      turn: one operation of the loop form at each turn of a loop around it, whatever the batch.
      start: starting one kernel there.
      bound: each array that the kernel of the loop form has there.
      folded: the loop form in a loop that is one kernel.
      page: touching one page of fresh memory.
      fork: sharing the work of one kernel among cores.
      threads: cores that share the work of a kernel outside of loops.
    """

    unit_32: float = 0.021
    unit_64: float = 0.031
    slow: float = 27.0
    series: float = 21.0
    called_32: float = 2.6
    called_64: float = 5.6
    scalar_32: float = 2.5
    scalar_64: float = 3.5
    element_32: float = 0.3
    element_64: float = 0.42
    column_32: float = 0.037
    column_64: float = 0.2
    crowd_32: float = 0.04
    crowd_64: float = 0.08
    filled: float = 3.0
    copied: float = 2.3
    hoisted: float = 0.85
    call: float = 7000.0
    handoff: float = 20_000.0
    spread: float = 12_000.0
    kernel: float = 860.0
    operation: float = 160.0
    turn: float = 0.3
    start: float = 50.0
    bound: float = 9.0
    folded: float = 5.0
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

    Series count in exponentials and calls in sines, see `SERIES` and `CALLED`.
    """

    wide: bool
    cheap: float
    slow: float
    series: float
    called: float

    def apart(self) -> Work:
        """The same where each element of a result is computed in a way of its own; with calls it is slow anyway."""
        return dataclasses.replace(self.slowed(APART), slow=self.slow if self.called else 2 * self.slow)

    def slowed(self, times: float) -> Work:
        """The same with operations that take so many times as long; with calls it is slow anyway."""
        return self if self.called else dataclasses.replace(self, cheap=times * self.cheap, series=times * self.series)

    def at(self, machine: Machine) -> float:
        """Nanoseconds."""
        unit = machine.unit_64 if self.wide else machine.unit_32
        time = unit * (self.cheap + machine.slow * self.slow + machine.series * self.series)
        if not self.called:
            return time
        if self.wide:
            return machine.scalar_64 * time + machine.called_64 * self.called
        return machine.scalar_32 * time + machine.called_32 * self.called

    def one_by_one(self, machine: Machine) -> float:
        """Nanoseconds where nothing is vectorised, in a loop that is one kernel."""
        unit = machine.unit_64 if self.wide else machine.unit_32
        called = machine.scalar_64 * machine.called_64 if self.wide else machine.scalar_32 * machine.called_32
        time = ONE * self.cheap + machine.slow * self.slow + ONE_SERIES * machine.series * self.series
        return unit * time + called * self.called


Widths = tuple[int, int]
"""Numbers of elements with up to 32 and with 64 bits."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a form does.

    Attributes:
      work: of its kernels.
      joined: the same in a loop.
      merged: the same in a loop that is one kernel as a whole, where what several need is computed once.
      kernels: their number.
      moved: arguments and computed results, elements of them by width.
      selects: choices of a number for a place, by width.
      gathered: elements that are read or written at places in a table, by width.
      columns: columns that are written and read again, by width.
      crowd: for each column that becomes part of a result the columns of that result if these are many, by width.
      known: stretches of equal elements of results that no operation computes, by width.
      size: elements of all results.
      arrays: bytes of each result.
      single: for each result of many single numbers its elements, and how many of them are computed.
      fillers: kernels that write such elements, outside of loops.
      looped: whether it is the loop form.
      operations: in the body of the loop form, of no interest otherwise.
      weight: operations on one element of the batch in kernels.
      counted: the same as XLA counts them where it looks for short programs, without selects in boxes.
      boxes: for each result of single numbers its elements, how many are computed, and selects unless it is
        stacked.
      assembled: for each other result of several pieces its elements, how many are computed, arrays, and columns of
        different known elements.
      turn: operations at each turn of a loop around it.
      launches: kernels at each turn of a loop around it, but for those of whoever reads scalar results.
      bound: arrays of the kernel of the loop form.
      accessed: bytes that these read and write for one point.
    """

    work: tuple[Work, ...]
    joined: tuple[Work, ...]
    merged: tuple[Work, ...]
    kernels: int
    moved: Widths
    selects: Widths
    gathered: Widths
    columns: Widths
    crowd: Widths
    known: Widths
    size: Widths
    arrays: tuple[int, ...]
    single: tuple[tuple[int, int], ...]
    fillers: int
    looped: bool
    operations: int
    weight: int
    counted: int
    boxes: tuple[tuple[int, int, int], ...]
    assembled: tuple[tuple[int, int, int, int], ...]
    turn: int
    launches: int
    bound: int
    accessed: int

    def at(self, machine: Machine, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop."""
        elements = (machine.element_32, machine.element_64)
        copied = machine.hoisted if looped else machine.copied
        filled = machine.filled * (READ if looped else 1.0)
        known = (copied if self.looped else filled) * _dot(elements, self.known)
        crowd = [ALIGNED if batch * size % PAGE == 0 else 1.0 for size in (4, 8)]
        moved = _dot(elements, self.moved) + _dot((machine.column_32, machine.column_64), self.columns)
        moved += GATHER * _dot(elements, self.gathered)
        moved += SELECT * _dot((machine.unit_32, machine.unit_64), self.selects)
        moved += _dot((crowd[0] * machine.crowd_32, crowd[1] * machine.crowd_64), self.crowd)
        whole = looped and is_small(batch * self.accessed)
        if whole:
            work = batch * sum(w.one_by_one(machine) for w in self.merged)
        else:
            work = batch * (sum(w.at(machine) for w in (self.joined if looped else self.work)) + moved + known)
        if looped:
            time = work + machine.turn * self.turn
            if whole:
                time += machine.folded * self.looped
                time += SELECTED * sum(size for size, _, _ in self.boxes) if batch == 1 else 0.0
            else:
                time += machine.start * self.launches + machine.bound * self.bound
            return time if self.looped else REPEATED * time
        kernels = self.kernels + self.fillers + sum(n for size, n in self.single if is_stacked(size, n, batch))
        memory = [*self.arrays, 4 * self.columns[0] + 8 * self.columns[1]]
        work += machine.page / PAGE * sum(batch * size for size in memory if batch * size > HEAP)
        shared = work / machine.threads + machine.fork * kernels
        fixed = machine.call + machine.kernel * kernels + machine.operation * self.operations
        selects = sum(many for size, n, many in self.boxes if not is_stacked(size, n, batch))
        if batch == 1:
            fixed += ONE_BY_ONE * sum(size for size, _, _ in self.boxes)
            for size, many, _, known in self.assembled:
                fixed += (AMONG if many < size else ONE_BY_ONE) * size + CONSTANT * known
        if batch * (self.counted + SELECT * selects) >= INLINE:
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

    def carried(self) -> Prediction:
        """The loop form where the loop around it carries the results, and nothing else reads them."""
        counts = self.counts
        results = 4 * counts.size[0] + 8 * counts.size[1]
        return dataclasses.replace(
            self, counts=dataclasses.replace(counts, accessed=counts.accessed - (READERS - 1) * results)
        )

    def around(self, inner: Iterable[Prediction]) -> Prediction:
        """The plain form where results of plain programs within it are put together before they are read."""
        boxes = [box for own in inner for box in own.counts.boxes]
        return dataclasses.replace(self, counts=dataclasses.replace(self.counts, boxes=(*self.counts.boxes, *boxes)))

    def joined(self, results: int) -> Prediction:
        """The same where kernels of so many results are joined with those that read them, vectorised up to `LARGE`."""
        kernels, work = max(0, self.counts.kernels - results), self.counts.work
        if self.counts.weight > LARGE:
            slow = (self.machine.scalar_32, self.machine.scalar_64)
            work = tuple(dataclasses.replace(w, cheap=slow[w.wide] * w.cheap) if not w.called else w for w in work)
        return dataclasses.replace(self, counts=dataclasses.replace(self.counts, kernels=kernels, work=work))


def _dot(weights: tuple[float, float], counts: Widths) -> float:
    return weights[0] * counts[0] + weights[1] * counts[1]
