"""Plans with coarse vertices: ``order="coarse"``.

The program is planned as it is and with segments found in several ways; each is emitted, and the one whose predicted
time is least is taken, the finest of equals. What was decided is remembered for a program, since deciding takes the
time of several plans.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax

from elimax._jax import Program, trace
from elimax.coarsen.dynamic import LARGEST
from elimax.coarsen.join import Coarsened, Part, coarsened, recoarsened
from elimax.coarsen.segments import Segment
from elimax.emit.machines import current
from elimax.emit.model import predict
from elimax.emit.scalarise import scalarise
from elimax.partials.build import Linearisation
from elimax.plan import Plan
from elimax.plan.coarse import Coarse

COARSE = "coarse"
"""Name of the order that is found on a graph with coarse vertices."""

WAYS = (("dynamic", 6), ("dynamic", LARGEST), ("greedy", LARGEST))
"""Methods and sizes of segments that are tried."""

GAIN = 0.98
"""Segments have to lower the predicted time to this share: the model is no better."""

BATCH = 1000
"""Points at once for which times are predicted."""

MOST_EQUATIONS = 2000
"""Programs with more are left as they are."""

Linearise = Callable[[Callable[[Program], Program] | None], Linearisation]
"""Builds the graph of a program that is rewritten before."""

Search = Callable[[Linearisation], Plan]
"""Plans a graph."""

Emit = Callable[[Linearisation, Plan], Callable[..., Any]]
"""What emits values and Jacobian."""

REMEMBERED = 128
"""Number of programs for which decisions and segments are remembered."""

_DECIDED: dict[Any, Coarse] = {}
_PARTS: dict[Any, tuple[Part, ...]] = {}
_LOCK = threading.Lock()


def planned(linearised: Linearise, search: Search, emit: Emit, inputs: Sequence[Any]) -> tuple[Linearisation, Plan]:
    """The graph, with coarse vertices where they pay, and its plan.

    Args:
      linearised: builds the graph.
      search: plans it.
      emit: what emits a plan.
      inputs: arguments, or their shapes and dtypes.
    """
    fine = linearised(None)
    key = fingerprint(fine.program)
    known = _DECIDED.get(key)
    if known is not None:
        lin = again(known, linearised) if known.segments else fine
        return lin, dataclasses.replace(search(lin), coarse=known)
    plan = search(fine)
    lin, decided = _decide(linearised, search, emit, inputs, fine, plan)
    _remember(_DECIDED, key, decided)
    return lin, dataclasses.replace(plan if lin is fine else search(lin), coarse=decided)


def again(coarse: Coarse | None, linearised: Linearise) -> Linearisation:
    """The graph of a plan that was decided before."""
    if coarse is None or not coarse.segments:
        return linearised(None)
    return linearised(lambda program: rewritten(program, coarse.method, coarse.largest).program)


def rewritten(program: Program, method: str, largest: int) -> Coarsened:
    """The program with coarse vertices; which equations they join is remembered."""
    key = (fingerprint(program), method, largest)
    parts = _PARTS.get(key)
    if parts is not None:
        return recoarsened(program, parts)
    found = coarsened(program, method, largest)
    _remember(_PARTS, key, found.parts)
    return found


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    with _LOCK:
        while len(memory) >= REMEMBERED:
            memory.pop(next(iter(memory)))
        memory[key] = value


def _decide(
    linearised: Linearise, search: Search, emit: Emit, inputs: Sequence[Any], fine: Linearisation, plan: Plan
) -> tuple[Linearisation, Coarse]:
    none = Coarse("", 0, (), (), plan.multiplications, (0, 0))
    if len(fine.program.equations) > MOST_EQUATIONS:
        return fine, none
    reference = _work(emit(fine, plan), inputs)
    if reference is None:
        return fine, none
    operations, products, time = reference
    none = dataclasses.replace(none, operations=(operations, operations), products=(products, products))
    best, chosen, limit, seen = fine, None, GAIN * time, set()
    for method, largest in WAYS:
        found: list[tuple[Program, Coarsened]] = []

        def rewrite(program: Program, method: str = method, largest: int = largest, found: Any = found) -> Program:
            joined = coarsened(program, method, largest)
            _remember(_PARTS, (fingerprint(program), method, largest), joined.parts)
            found.append((program, joined))
            return joined.program

        lin = linearised(rewrite)
        program, joined = found[-1]
        if joined.parts in seen or not joined.parts:
            continue
        seen.add(joined.parts)
        if sum(s.after.operations for s in joined.segments) > operations:  # and the rest comes on top
            continue
        work = _work(emit(lin, search(lin)), inputs)
        if work is not None and work[2] < limit:
            limit = work[2]
            best, chosen = lin, (method, largest, program, joined, ((operations, work[0]), (products, work[1])))
    if chosen is None:
        return fine, none
    method, largest, program, joined, counts = chosen
    return best, _described(method, largest, joined.measured(program), plan.multiplications, *counts)


def _work(emitted: Callable[..., Any], inputs: Sequence[Any]) -> tuple[int, int, float] | None:
    """Emitted operations on scalars, multiplications among them, and predicted nanoseconds; None if it has none.

    Which form runs is chosen later and by the batch, so that the times of all forms are added up.
    """
    program = scalarise(trace(lambda *xs: jax.tree.leaves(emitted(*xs)), inputs))
    if program is None or not program.steps:
        return None
    times = predict(program, current())
    products = sum(step.name == "mul" for step in program.steps)
    return len(program.steps), products, sum(form.at(BATCH, False) for form in times.values())


def _described(
    method: str,
    largest: int,
    segments: Sequence[Segment],
    multiplications: int,
    operations: tuple[int, int],
    products: tuple[int, int],
) -> Coarse:
    rows = tuple(
        (len(s.equations), len(s.inputs), len(s.outputs), s.before.operations, s.after.operations) for s in segments
    )
    applied: Counter[str] = Counter()
    for found in segments:
        applied.update(found.applied)
    ranked = tuple(sorted(applied.items(), key=lambda item: (-item[1], item[0])))
    return Coarse(method, largest, rows, ranked, multiplications, operations, products)


def forget() -> None:
    """Forget what was decided."""
    with _LOCK:
        _DECIDED.clear()
        _PARTS.clear()


def fingerprint(program: Program) -> Any:
    """Equal for programs that are decided alike."""
    values = tuple((v.shape, str(v.dtype), v.weak_type) for v in program.values)
    equations = tuple(
        (e.name, str(e.params.get("y", "")), _refs(e.inputs), _refs(e.outputs), e.linear) for e in program.equations
    )
    literals = tuple((n, program.constants[n].tobytes()) for n in sorted(program.literals))
    return values, equations, literals, _refs(program.inputs), _refs(program.outputs)


def _refs(refs: Sequence[Any]) -> tuple[tuple[int, int | None], ...]:
    return tuple((r.value, r.vertex) for r in refs)
