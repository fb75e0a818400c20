"""Compiled greedy colouring of the lines of a sparse pattern.

*Lines* are the columns of a pattern, or its rows; *crossings* are the others. Two lines are in conflict if they meet a
crossing at which one of them has a *needed* entry, one that is to be read from the compressed product: there the other
must not add to it. All functions are deterministic, and call only what is in this file, so that numba's own check of
the sources holds.
"""

from __future__ import annotations

import numpy as np

from elimax.structure.compiled import compiled


@compiled
def greedy(line_start, line_cross, line_need, cross_start, cross_line, cross_needed, sequence):
    """Colour lines in a sequence, each with the lowest colour that no line in conflict has.

    Args:
      line_start: int64 [L + 1] where the entries of each line start.
      line_cross: int32 [K] their crossings.
      line_need: bool [K] whether the entry is needed.
      cross_start: int64 [C + 1] where the entries of each crossing start.
      cross_line: int32 [K] their lines, those of needed entries first.
      cross_needed: int64 [C] number of needed entries of each crossing.
      sequence: int64 [L] the lines.

    Returns:
      int32 [L] colours, -1 for lines without a needed entry; and the number of colours.
    """
    num_lines = line_start.size - 1
    colours = np.full(num_lines, -1, np.int32)
    taken = np.full(num_lines + 1, -1, np.int64)
    total = 0
    for v in sequence:
        needed = False
        for k in range(line_start[v], line_start[v + 1]):
            cross = line_cross[k]
            stop = cross_start[cross] + cross_needed[cross]
            if line_need[k]:
                needed = True
                stop = cross_start[cross + 1]
            for q in range(cross_start[cross], stop):
                colour = colours[cross_line[q]]
                if colour >= 0:
                    taken[colour] = v
        if not needed:
            continue
        colour = 0
        while taken[colour] == v:
            colour += 1
        colours[v] = colour
        total = max(total, colour + 1)
    return colours, total


@compiled
def conflicts(line_start, line_cross, line_need, cross_start, cross_line, cross_needed, has_need):
    """Conflict graph of the lines as ``(start int64 [L + 1], neighbour int32 [2 E])``, ascending neighbours apart."""
    num_lines = line_start.size - 1
    seen = np.full(num_lines, -1, np.int64)
    start = np.zeros(num_lines + 1, np.int64)
    neighbour = np.zeros(1, np.int32)
    for filling in range(2):
        seen[:] = -1
        for v in range(num_lines):
            count = 0
            if has_need[v]:
                for k in range(line_start[v], line_start[v + 1]):
                    cross = line_cross[k]
                    stop = cross_start[cross + 1] if line_need[k] else cross_start[cross] + cross_needed[cross]
                    for q in range(cross_start[cross], stop):
                        w = cross_line[q]
                        if w != v and has_need[w] and seen[w] != v:
                            seen[w] = v
                            if filling == 1:
                                neighbour[start[v] + count] = w
                            count += 1
            if filling == 0:
                start[v + 1] = start[v] + count
        if filling == 0:
            neighbour = np.zeros(start[num_lines], np.int32)
    return start, neighbour


@compiled
def smallest_last(start, neighbour):
    """The sequence whose last line has the fewest conflicts, the one before it the fewest without the last, etc."""
    size = start.size - 1
    degree = start[1:] - start[:-1]
    head, after, before = _buckets(degree)
    sequence = np.zeros(size, np.int64)
    gone = np.zeros(size, np.bool_)
    low = 0
    for position in range(size - 1, -1, -1):
        while head[low] < 0:
            low += 1
        v = head[low]
        _unlink(head, after, before, low, v)
        gone[v] = True
        sequence[position] = v
        for k in range(start[v], start[v + 1]):
            w = neighbour[k]
            if not gone[w]:
                _unlink(head, after, before, degree[w], w)
                degree[w] -= 1
                _link(head, after, before, degree[w], w)
                low = min(low, degree[w])
    return sequence


@compiled
def incidence_degree(start, neighbour):
    """The sequence in which the next line is one with the most conflicts with those before it."""
    size = start.size - 1
    incidence = np.zeros(size, np.int64)
    head, after, before = _buckets(incidence)
    sequence = np.zeros(size, np.int64)
    gone = np.zeros(size, np.bool_)
    high = 0
    for position in range(size):
        while head[high] < 0:
            high -= 1
        v = head[high]
        _unlink(head, after, before, high, v)
        gone[v] = True
        sequence[position] = v
        for k in range(start[v], start[v + 1]):
            w = neighbour[k]
            if not gone[w]:
                _unlink(head, after, before, incidence[w], w)
                incidence[w] += 1
                _link(head, after, before, incidence[w], w)
                high = max(high, incidence[w])
    return sequence


@compiled
def peel(row_start, row_cross, col_start, col_cross):
    """Take away the row or column with the most entries that are left, again and again.

    Args:
      row_start: int64 [m + 1] where the entries of each row start.
      row_cross: int32 [K] their columns.
      col_start: int64 [n + 1] where the entries of each column start.
      col_cross: int32 [K] their rows.

    Returns:
      step: int64 [m + n] when each row, then each column was taken; m + n if it had no entry left.
      left: int64 [2, m + n + 1] the largest number of entries left in a row, and in a column, after so many steps.
      read: int64 [2, m + n + 1] the largest number of entries of a row that taken columns took, and of a column that
        taken rows took.
      The number of steps.
    """
    m, n = row_start.size - 1, col_start.size - 1
    size = m + n
    degree = np.zeros(size, np.int64)
    degree[:m] = row_start[1:] - row_start[:-1]
    degree[m:] = col_start[1:] - col_start[:-1]
    head, after, before = _buckets(degree)
    step = np.full(size, size, np.int64)
    left = np.zeros((2, size + 1), np.int64)
    read = np.zeros((2, size + 1), np.int64)
    taken = np.zeros(size, np.int64)
    width = degree.max() + 1 if size else 1
    many = np.zeros((2, width), np.int64)  # number of rows and of columns by entries left
    for v in range(size):
        many[0 if v < m else 1, degree[v]] += 1
    top = np.array([width - 1, width - 1])
    count, high = 0, width - 1
    while True:
        for side in range(2):
            while top[side] > 0 and many[side, top[side]] == 0:
                top[side] -= 1
            left[side, count] = top[side]
        while high > 0 and head[high] < 0:
            high -= 1
        if high == 0:
            break
        v = head[high]
        _unlink(head, after, before, high, v)
        many[0 if v < m else 1, degree[v]] -= 1
        step[v] = count
        count += 1
        read[:, count] = read[:, count - 1]
        is_row = v < m
        first, last = (row_start[v], row_start[v + 1]) if is_row else (col_start[v - m], col_start[v - m + 1])
        for k in range(first, last):
            w = m + row_cross[k] if is_row else np.int64(col_cross[k])
            if step[w] < size:
                continue
            side = 1 if is_row else 0
            taken[w] += 1
            read[side, count] = max(read[side, count], taken[w])
            _unlink(head, after, before, degree[w], w)
            many[side, degree[w]] -= 1
            degree[w] -= 1
            many[side, degree[w]] += 1
            _link(head, after, before, degree[w], w)
    return step, left, read, count


@compiled
def _buckets(degree):
    """Doubly linked lists of the vertices of each degree, the lowest vertex first."""
    size = degree.size
    head = np.full(size + 1, -1, np.int64)
    after, before = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for v in range(size - 1, -1, -1):
        _link(head, after, before, degree[v], v)
    return head, after, before


@compiled
def _link(head, after, before, bucket, v):
    after[v] = head[bucket]
    before[v] = -1
    if head[bucket] >= 0:
        before[head[bucket]] = v
    head[bucket] = v


@compiled
def _unlink(head, after, before, bucket, v):
    if before[v] >= 0:
        after[before[v]] = after[v]
    else:
        head[bucket] = after[v]
    if after[v] >= 0:
        before[after[v]] = before[v]
