"""Segments of programs that are too large to be emitted for comparison: what they do is counted.

Emitting a program, predicting its time and searching for an order take seconds where there are thousands of operations,
for each way to find segments. Here the operations of values and partials are counted as expressions, weighed with their
time, and the multiplications of the elimination come from the Markowitz order. That takes time in proportion to the
number of operations, and says the same in every process.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence

from elimax._jax import Program
from elimax.coarsen.arena import BASIC
from elimax.coarsen.costs import Cost
from elimax.coarsen.join import Coarsened
from elimax.coarsen.read import NotExpressible
from elimax.coarsen.regions import regions
from elimax.coarsen.segments import Segment, Uses, local_work
from elimax.errors import ExpressionError
from elimax.partials.build import Linearisation
from elimax.plan import Plan
from elimax.plan.coarse import Coarse

WAYS = (("dynamic", 6), ("dynamic", 48), ("dynamic", 12))
"""Methods and sizes of segments that are tried. Larger ones hold so many products of partials that, in large programs,
elimination with single operations has fewer."""

TRIED = 1500
"""Of `WAYS` as many are tried as have together no more equations, at least one."""

PRODUCT = 1.7
"""What a multiplication of the elimination takes, in additions: most come with a sum."""

ADDITION = 1.7
"""Operations that come with a multiplication, that one included."""


@dataclasses.dataclass(frozen=True)
class Counted:
    """Work of a program with its derivative, each operation once for each element.

    Attributes:
      local: values and partials of single operations, or of segments, as far as they are expressions.
      products: multiplications of the elimination.
    """

    local: Cost
    products: int

    @property
    def operations(self) -> int:
        """All operations."""
        return round(self.local.operations + ADDITION * self.products)

    @property
    def time(self) -> float:
        """Time in additions."""
        return self.local.time + PRODUCT * self.products


def counted(fine: Linearisation, plan: Plan) -> Counted:
    """Work of a program without segments.

    Args:
      fine: its graph.
      plan: in a simple order.
    """
    return Counted(_local(fine.program, regions(fine.program)), plan.multiplications)


def chosen(
    fine: Linearisation,
    reference: Counted,
    joined: Callable[[str, int], tuple[Linearisation, Coarsened, Program]],
    simple: Callable[[Linearisation], Plan],
    gain: float,
) -> tuple[Linearisation, Coarse]:
    """The segments that save most, if that is enough.

    Args:
      fine: the graph without segments.
      reference: its work.
      joined: by method and size the graph with segments, what was joined, and the program as it was.
      simple: plans a graph in the order that the reference was counted for.
      gain: the share of the reference's time that has to be reached.
    """
    best, own, found = fine, reference, None
    least = gain * reference.time
    for method, largest in WAYS[: max(1, TRIED // max(1, len(fine.program.equations)))]:
        lin, parts, program = joined(method, largest)
        if not parts.segments:
            continue
        before, after = _segments(program, parts.segments)
        local = Cost(
            reference.local.operations - before.operations + after.operations,
            reference.local.time - before.time + after.time,
        )
        work = Counted(local, simple(lin).multiplications)
        if work.time < least:
            best, own, found, least = lin, work, (method, largest, parts, program), work.time
    if found is None:
        return fine, describe("", 0, (), reference, reference)
    method, largest, parts, program = found
    return best, describe(method, largest, parts.measured(program), reference, own)


def describe(method: str, largest: int, segments: Sequence[Segment], before: Counted, after: Counted) -> Coarse:
    """What a plan says of them."""
    return Coarse(
        method,
        largest,
        rows(segments),
        applied(segments),
        before.products,
        (before.operations, after.operations),
        (before.products, after.products),
        counted=True,
    )


def rows(segments: Sequence[Segment]) -> tuple[tuple[int, int, int, int, int], ...]:
    """As `elimax.plan.coarse.Coarse.segments`."""
    return tuple(
        (len(s.equations), len(s.inputs), len(s.outputs), s.before.operations, s.after.operations) for s in segments
    )


def applied(segments: Sequence[Segment]) -> tuple[tuple[str, int], ...]:
    """Rules by how often they applied, the most frequent first."""
    total: Counter[str] = Counter()
    for found in segments:
        total.update(found.applied)
    return tuple(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _segments(program: Program, segments: Sequence[Segment]) -> tuple[Cost, Cost]:
    """Work of the equations of segments one by one, and of the segments."""
    after = [(s.after, _elements(program, s.equations)) for s in segments]
    return _local(program, [s.equations for s in segments]), _sum(after)


def _local(program: Program, parts: Sequence[Sequence[int]]) -> Cost:
    uses = Uses(program)
    costs = []
    for part in parts:
        try:
            costs.append((local_work(uses, part, BASIC), _elements(program, part)))
        except (NotExpressible, ExpressionError):
            continue
    return _sum(costs)


def _elements(program: Program, part: Sequence[int]) -> int:
    return math.prod(program.values[program.equations[part[0]].outputs[0].value].shape)


def _sum(costs: Sequence[tuple[Cost, int]]) -> Cost:
    return Cost(sum(c.operations * n for c, n in costs), sum(c.time * n for c, n in costs))
