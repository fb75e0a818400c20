"""Numbering the distinct ones among many places: by sorting, or by counting where they are arithmetic progressions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def numbered(flat: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Distinct numbers of several lists, ascending, and for each list the places of its numbers among them.

    Args:
      flat: int64 lists of numbers that are not negative.
    """
    found = _of_progressions(flat)
    if found is not None:
        return found
    unique, inverse = np.unique(np.concatenate(flat), return_inverse=True)
    return unique, np.split(inverse.ravel(), np.cumsum([own.size for own in flat])[:-1])


def _of_progressions(flat: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """The same for progressions that ascend in one and the same step, such as pieces of diagonals of a matrix.

    Progressions with equal remainders lie on one line, where their union is counted; only distinct numbers are sorted.
    """
    steps = {int(own[1] - own[0]) for own in flat if own.size > 1}
    if len(steps) != 1 or not all(own.size for own in flat):
        return None
    step = steps.pop()
    if step <= 0 or any((np.diff(own) != step).any() for own in flat):
        return None
    lines: dict[int, list[int]] = {}
    for k, own in enumerate(flat):
        lines.setdefault(int(own[0]) % step, []).append(k)
    marks, numbers = [], []
    for remainder, members in lines.items():
        low = min(int(flat[k][0]) // step for k in members)
        mark = np.zeros(max(int(flat[k][-1]) // step for k in members) + 1 - low, bool)
        for k in members:
            first = int(flat[k][0]) // step - low
            mark[first : first + flat[k].size] = True
        marks.append((low, mark))
        numbers.append((np.flatnonzero(mark) + low) * step + remainder)
    joined = np.concatenate(numbers)
    order = np.argsort(joined, kind="stable")
    rank = np.empty(joined.size, np.int64)
    rank[order] = np.arange(joined.size)
    places: list[np.ndarray] = [joined] * len(flat)
    done = 0
    for (low, mark), own, members in zip(marks, numbers, lines.values(), strict=True):
        of_line = np.zeros(mark.size, np.int64)
        of_line[mark] = rank[done : done + own.size]
        done += own.size
        for k in members:
            first = int(flat[k][0]) // step - low
            places[k] = of_line[first : first + flat[k].size]
    return joined[order], places
