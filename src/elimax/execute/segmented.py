"""Plans with coarse vertices: ``order="coarse"``, and ``order="auto"`` where they promise much.

The program is planned as it is and with segments found in several ways; each is emitted, and the one whose predicted
time is least is taken, the finest of equals. What was decided is remembered for a program, since deciding takes the
time of several plans. Programs too large for that are decided by counting, see `elimax.execute.segment_counts`.
``"auto"`` goes that way only if an estimate that takes a millisecond or two speaks for it, see
`elimax.execute.promise`, and takes segments only if every place where the result may run gains or loses nothing.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any

from elimax._jax import Program
from elimax.coarsen.dynamic import LARGEST
from elimax.coarsen.join import Coarsened, Part, coarsened, recoarsened
from elimax.emit.counting import predict
from elimax.emit.machines import current
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import MAX_STEPS
from elimax.emit.times import by_form
from elimax.execute.modes import traced
from elimax.execute.promise import LEAST, hopeful, promise
from elimax.execute.segment_counts import Counted, applied, chosen, counted, rows
from elimax.partials.build import Linearisation
from elimax.plan import Plan
from elimax.plan.coarse import Coarse

COARSE = "coarse"
"""Name of the order that is found on a graph with coarse vertices."""

WAYS = (("dynamic", 6), ("dynamic", LARGEST), ("greedy", LARGEST))
"""Methods and sizes of segments that are tried."""

GAIN = 0.98
"""Segments have to lower the predicted time to this share: the model is no better."""

SURE = 0.9
"""Segments that nobody asks for have to lower the predicted time to this share at one place, and raise it nowhere."""

CHANGED = 1.4
"""Factor by which the time of one form against that of another may be wrong."""

BATCH = 1000
"""Points at once for which times are predicted."""

PLACES = ((1, True), (BATCH, False), (100 * BATCH, False))
"""Points at once, and whether in the body of a loop: where a result may run."""

MOST_OPERATIONS = MAX_STEPS
"""Programs with more operations have one form, the plain one, and are decided by counting."""

TRIED = 1200
"""Of `WAYS` as many are tried as have together no more equations and multiplications, at least one."""

Linearise = Callable[[Callable[[Program], Program] | None], Linearisation]
"""Builds the graph of a program that is rewritten before."""

Search = Callable[[Linearisation], Plan]
"""Plans a graph."""

Emit = Callable[[Linearisation, Plan], Callable[..., Any]]
"""What emits values and Jacobian; the same object for the same graph and order, so that it is traced once."""

REMEMBERED = 128
"""Number of programs for which decisions and segments are remembered."""

NONE = Coarse("", 0, (), (), 0, (0, 0))
"""No segments."""

_DECIDED: dict[Any, Coarse] = {}
_PARTS: dict[Any, tuple[Part, ...]] = {}
_LOCK = threading.Lock()


def planned(
    linearised: Linearise,
    search: Search,
    emit: Emit,
    inputs: Sequence[Any],
    simple: Search,
    asked: bool = True,
) -> tuple[Linearisation, Plan]:
    """The graph, with coarse vertices where they pay, and its plan.

    Args:
      linearised: builds the graph.
      search: plans it.
      emit: what emits a plan.
      inputs: arguments, or their shapes and dtypes.
      simple: plans the graph in the Markowitz order.
      asked: whether segments are asked for; otherwise they have to promise much, and a plan without them says nothing
        of them.
    """
    fine = linearised(None)
    if not asked and not hopeful(fine.program):
        return fine, search(fine)
    key = fingerprint(fine.program), asked
    known = _DECIDED.get(key)
    if known is None and not asked and promise(fine.program) < LEAST:
        known = _remember(_DECIDED, key, NONE)
    if known is not None:
        lin = again(known, linearised) if known.segments else fine
        return lin, dataclasses.replace(search(lin), coarse=known if asked or known.segments else None)
    reference = counted(fine, simple(fine))
    if reference.operations > MOST_OPERATIONS:
        lin, decided = _count(linearised, simple, fine, reference, asked)
        plan = search(lin)
    else:
        plan = search(fine)
        lin, decided = _decide(linearised, search, emit, inputs, fine, plan, asked)
        if decided is None:
            lin, decided = _count(linearised, simple, fine, reference, asked)
        plan = plan if lin is fine else search(lin)
    _remember(_DECIDED, key, decided)
    return lin, dataclasses.replace(plan, coarse=decided if asked or decided.segments else None)


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


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> Any:
    with _LOCK:
        while len(memory) >= REMEMBERED:
            memory.pop(next(iter(memory)))
        memory[key] = value
    return value


@dataclasses.dataclass(frozen=True)
class Work:
    """What is emitted for a plan.

    Attributes:
      operations: on scalars.
      products: multiplications among them.
      time: predicted nanoseconds of all forms together.
      places: for each of `PLACES` the fastest form, and its predicted nanoseconds.
    """

    operations: int
    products: int
    time: float
    places: tuple[tuple[str, float], ...]

    def gains(self, other: Work, asked: bool) -> bool:
        """Whether it is worth the place of another one.

        Which form runs is chosen later and by the batch. Where segments are asked for, the times of all forms count.
        Otherwise no place may lose, also where the form changes: one form is told from another with larger errors than
        two programs in one form.
        """
        if asked:
            return self.time < GAIN * other.time
        pairs = zip(self.places, other.places, strict=True)
        shares = [own / theirs * (1.0 if form == known else CHANGED) for (form, own), (known, theirs) in pairs]
        return max(shares) <= 1.0 and min(shares) < SURE


def _count(
    linearised: Linearise, simple: Search, fine: Linearisation, reference: Counted, asked: bool
) -> tuple[Linearisation, Coarse]:
    """Segments by counted work."""
    return chosen(fine, reference, lambda *way: _joined(linearised, *way), simple, GAIN if asked else 1.0 - LEAST)


def _joined(linearised: Linearise, method: str, largest: int) -> tuple[Linearisation, Coarsened, Program]:
    """The graph with segments found in one way, what was joined, and the program as it was."""
    found: list[tuple[Program, Coarsened]] = []

    def rewrite(program: Program) -> Program:
        joined = coarsened(program, method, largest)
        _remember(_PARTS, (fingerprint(program), method, largest), joined.parts)
        found.append((program, joined))
        return joined.program

    lin = linearised(rewrite)
    program, joined = found[-1]
    return lin, joined, program


def _decide(
    linearised: Linearise,
    search: Search,
    emit: Emit,
    inputs: Sequence[Any],
    fine: Linearisation,
    plan: Plan,
    asked: bool,
) -> tuple[Linearisation, Coarse | None]:
    """Segments by predicted time; None where that is unknown."""
    size = len(fine.program.equations) + plan.multiplications
    reference = _work(emit(fine, plan), inputs)
    if reference is None:
        return fine, None
    counts = (reference.operations,) * 2, (reference.products,) * 2
    none = dataclasses.replace(NONE, multiplications=plan.multiplications, operations=counts[0], products=counts[1])
    best, taken, least, seen = fine, None, reference, set()
    for method, largest in WAYS[: max(1, TRIED // max(1, size))]:
        lin, joined, program = _joined(linearised, method, largest)
        if joined.parts in seen or not joined.parts:
            continue
        seen.add(joined.parts)
        if sum(s.after.operations for s in joined.segments) > reference.operations:  # and the rest comes on top
            continue
        work = _work(emit(lin, search(lin)), inputs)
        if work is not None and work.gains(reference, asked) and (taken is None or work.time < least.time):
            best, least, taken = lin, work, (method, largest, program, joined)
    if taken is None:
        return fine, none
    method, largest, program, joined = taken
    counts = (reference.operations, least.operations), (reference.products, least.products)
    segments = joined.measured(program)
    return best, Coarse(method, largest, rows(segments), applied(segments), plan.multiplications, *counts)


def _work(emitted: Callable[..., Any], inputs: Sequence[Any]) -> Work | None:
    """What a plan emits; None if that has no operations on scalars."""
    program = scalarise(traced(emitted, inputs))
    if program is None or not program.computed:
        return None
    machine = current()
    forms = predict(program, machine)
    places = []
    for batch, looped in PLACES:
        times = by_form(program, machine, batch, looped)
        places.append(min(times.items(), key=lambda item: item[1]))
    products = sum(step.name == "mul" for step in program.steps)
    time = sum(form.at(BATCH, False) for form in forms.values())
    return Work(len(program.steps), products, time, tuple(places))


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
