"""Segments by dynamic programming over the places where a program may be cut.

A segment costs its operations after sharing and simplification, found by differentiating it, and what its local
Jacobian costs the outer elimination: a result that is no result of the program is a vertex to eliminate, with as many
edges in front as the segment has inputs. Several results at once are the ordinary case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from elimax.coarsen.read import NotExpressible
from elimax.coarsen.segments import NotRead, Uses, segment
from elimax.errors import ExpressionError

LARGEST = 400
"""Equations in a segment: what is emitted for it has to be compiled."""

EFFORT = 1500
"""Equations that are differentiated while cuts are compared."""

OUTER = 3.0
"""Additions that a pair of an input and an inner result costs the outer elimination: two products and a sum."""


def dynamic(uses: Uses, region: Sequence[int], largest: int = LARGEST) -> list[tuple[int, ...]]:
    """The partition of a region that costs least among those with cuts where few values are alive.

    Args:
      uses: of the program.
      region: positions of its equations, ascending.
      largest: number of equations in a segment.
    """
    places = cuts(uses, region, largest)
    best: list[tuple[float, int]] = [(0.0, 0)]
    results = {r.value for r in uses.program.outputs}
    for end in range(1, len(places)):
        found = (math.inf, end - 1)
        for start in range(end - 1, -1, -1):
            members = region[places[start] : places[end]]
            if len(members) > largest and start < end - 1:
                break
            found = min(found, (best[start][0] + price(uses, members, results), start))
        best.append(found)
    parts = []
    end = len(places) - 1
    while end > 0:
        start = best[end][1]
        parts.append(tuple(region[places[start] : places[end]]))
        end = start
    return parts[::-1]


def price(uses: Uses, members: Sequence[int], results: set[int]) -> float:
    """What a segment costs, in additions."""
    try:
        found = segment(uses, members, order="markowitz", finished=False)
    except NotRead:
        return 0.0
    except (NotExpressible, ExpressionError):
        return math.inf
    inner = sum(r.value not in results for r in found.outputs if r.vertex is not None)
    active = sum(r.vertex is not None for r in found.inputs)
    return found.after.time + OUTER * inner * active


def cuts(uses: Uses, region: Sequence[int], largest: int) -> list[int]:
    """Places between equations where a region may be cut: its ends, and those that the fewest values cross."""
    count = len(region)
    wanted = max(2 * math.ceil(count / largest), min(count - 1, math.isqrt(6 * EFFORT // max(count, 1))))
    width = _widths(uses, region)
    chosen = {0, count}
    stride = max(1, count // (wanted + 1))
    for start in range(1, count, stride):
        window = range(start, min(start + stride, count))
        chosen.add(min(window, key=lambda k: (width[k], k)))
    return sorted(chosen)


def _widths(uses: Uses, region: Sequence[int]) -> list[int]:
    """How many values made before each place are read after it."""
    place = {position: k for k, position in enumerate(region)}
    delta = [0] * (len(region) + 2)
    for k, position in enumerate(region):
        for ref in uses.program.equations[position].outputs:
            last = max((place.get(p, len(region)) for p, _ in uses.refs.get(ref.value, ())), default=k)
            delta[k + 1] += 1
            delta[max(last, k) + 1] -= 1
    widths, total = [], 0
    for change in delta:
        total += change
        widths.append(total)
    return widths
