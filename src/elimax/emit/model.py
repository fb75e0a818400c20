"""Predicted time of the forms of a small program on a CPU.

A form costs a fixed time a call and a time for each element of the batch. The first counts kernels and, for the loop,
operations: XLA keeps a table of them that is walked through at each call, though not at each turn of a loop. The
second counts operations by class. In the plain form each result is a kernel of its own and computes again what it
shares with others, except for operations that XLA holds to be expensive.
"""

from __future__ import annotations

import dataclasses
import os

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


@dataclasses.dataclass(frozen=True)
class Machine:
    """Times in nanoseconds on one device kind.

    Attributes:
      unit: a vectorised arithmetic operation on one element, by bytes of the dtype.
      slow: a division or root, in units.
      series: an exponential or the like, in units.
      called: a call of the C library.
      scalar: slowdown of a loop that is not vectorised, by bytes of the dtype.
      element: reading or writing one element of an argument or result, by bytes of the dtype.
      operation: one operation in the body of the loop form, at each call from outside of any loop.
      kernel: starting one kernel.
      turn: one operation at each turn of a loop around it, whatever the batch.
      threads: cores that share the work of a kernel outside of loops.
      fork: sharing it.
    """

    unit: dict[int, float] = dataclasses.field(default_factory=lambda: {4: 0.012, 8: 0.022})
    slow: float = 5.0
    series: float = 18.0
    called: float = 5.0
    scalar: dict[int, float] = dataclasses.field(default_factory=lambda: {4: 12.0, 8: 6.0})
    element: dict[int, float] = dataclasses.field(default_factory=lambda: {4: 0.1, 8: 0.14})
    operation: float = 90.0
    kernel: float = 250.0
    turn: float = 0.5
    threads: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    fork: float = 20_000.0


DEFAULT = Machine()


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Nanoseconds of a form.

    Attributes:
      machine: weights of the device.
      fixed: for each call from outside of loops.
      turn: for each turn of a loop around it.
      kernels: number of kernels.
      element: for each element of the batch, on one core.
    """

    machine: Machine
    fixed: float
    turn: float
    kernels: int
    element: float

    def at(self, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop."""
        work = batch * self.element
        if looped:
            return work + self.turn
        shared = work / self.machine.threads + self.machine.fork * self.kernels
        return min(work, shared) + self.fixed + self.machine.kernel * self.kernels


def predict(program: ScalarProgram, machine: Machine = DEFAULT) -> dict[str, Prediction]:
    """Times of the forms "plain" and "loop".

    Args:
      program: what is emitted.
      machine: weights of the device.
    """
    users: dict[int, int] = {}
    for step in program.steps:
        for operand in set(step.operands):
            users[operand] = users.get(operand, 0) + 1
    targets = program.computed
    kept = {s.result for s in program.steps if s.name in KEPT and users.get(s.result, 0) > 1}
    roots = sorted(kept | set(targets))
    cones = _cones(program, roots, kept)
    plain = sum(_body(program, cone, machine) for cone in cones)
    ends = [int(i) for ids in (*program.inputs, *program.outputs) for i in ids.flat]
    moved = sum(_bytes(program, i, machine) for i in ends)
    columns = sum(_bytes(program, i, machine) for i in targets)
    body = _body(program, list(range(len(program.steps))), machine)
    operations = len(program.steps) + 6 * len(targets)
    return {
        "plain": Prediction(machine, 0.0, machine.turn * sum(map(len, cones)), len(roots), plain + moved),
        "loop": Prediction(
            machine, machine.operation * operations, 3 * machine.turn * operations, 1, body + moved + 2 * columns
        ),
    }


def _bytes(program: ScalarProgram, number: int, machine: Machine) -> float:
    return machine.element.get(program.dtypes[number].itemsize, 0.0)


def _cones(program: ScalarProgram, roots: list[int], kept: set[int]) -> list[list[int]]:
    """For each root the steps that its kernel computes: all it needs up to other roots that are kept."""
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


def _body(program: ScalarProgram, steps: list[int], machine: Machine) -> float:
    """Nanoseconds an element of a loop with the given steps."""
    arithmetic, called = 0.0, 0
    for k in steps:
        step = program.steps[k]
        size = program.dtypes[step.result].itemsize
        unit = machine.unit.get(size, machine.unit[4])
        if step.name in CALLED or (step.name == "erf" and program.dtypes[step.result] == np.float64):
            called += 1
        elif step.name in SERIES:
            arithmetic += machine.series * unit
        elif step.name in SLOW:
            arithmetic += machine.slow * unit
        else:
            arithmetic += unit
    if not called:
        return arithmetic
    size = max(program.dtypes[program.steps[k].result].itemsize for k in steps)
    return arithmetic * machine.scalar.get(size, 1.0) + called * machine.called
