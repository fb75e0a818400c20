"""Segments by the published greedy (Shen et al., OOPSLA 2021, section 5), the baseline.

For each sink the operations that lead to it are lifted to one expression; one beyond the limit is split at its most
referenced value, whose own operations become a segment first. Small neighbours are merged up to the limit. Straight
code is a region tree of one leaf; branches and loops end a region here.
"""

from __future__ import annotations

from collections.abc import Sequence

from elimax._jax import Program

LIMIT = 48
"""Operations in a segment."""


def greedy(program: Program, region: Sequence[int], limit: int = LIMIT) -> list[tuple[int, ...]]:
    """A partition of a region.

    Args:
      program: the program.
      region: positions of its equations.
      limit: largest number of operations in a segment.

    Returns:
      Segments, each depending on earlier ones alone.
    """
    maker = {r.value: k for k in region for r in program.equations[k].outputs}
    maker |= {r.vertex: k for k in region for r in program.equations[k].outputs if r.vertex is not None}
    sources = {k: _sources(program, k, maker) for k in region}
    read = {s for found in sources.values() for s in found}
    left = set(region)
    parts: list[tuple[int, ...]] = []
    for sink in [k for k in region if k not in read]:
        stack = [sink]
        while stack:
            chain = _chain(stack[-1], sources, left)
            if len(chain) <= limit or (split := _most_referenced(chain, stack[-1], sources)) is None:
                parts.append(tuple(sorted(chain)))
                left -= chain
                stack.pop()
            else:
                stack.append(split)
    return _merged([part for part in parts if part], limit)


def _sources(program: Program, position: int, maker: dict[int, int]) -> set[int]:
    found = set()
    for ref in program.equations[position].inputs:
        for number in (ref.value, ref.vertex):
            if number in maker and maker[number] != position:
                found.add(maker[number])
    return found


def _chain(sink: int, sources: dict[int, set[int]], left: set[int]) -> set[int]:
    """The operations that lead to a sink and are in no segment yet."""
    seen: set[int] = set()
    stack = [sink]
    while stack:
        k = stack.pop()
        if k in left and k not in seen:
            seen.add(k)
            stack.extend(sources[k])
    return seen


def _most_referenced(chain: set[int], sink: int, sources: dict[int, set[int]]) -> int | None:
    counts: dict[int, int] = {}
    for k in chain:
        for s in sources[k] & chain:
            counts[s] = counts.get(s, 0) + 1
    counts.pop(sink, None)
    return max(counts, key=lambda k: (counts[k], k), default=None)


def _merged(parts: list[tuple[int, ...]], limit: int) -> list[tuple[int, ...]]:
    merged: list[tuple[int, ...]] = []
    for part in parts:
        if merged and len(merged[-1]) + len(part) <= limit:
            merged[-1] = tuple(sorted(merged[-1] + part))
        else:
            merged.append(part)
    return merged
