"""Solving for the labels at which two index maps agree.

The product of two terms contracts the in axes of the left one with the out axes of the right one. Each contracted
axis is an equation between two index maps. `Relation` holds the label sizes, the index maps that have to be kept up
to date, and replaces labels by expressions over new labels until every equation holds identically.

Affine maps are intersected as arithmetic progressions and mixed-radix maps (reshapes) are split into common digits,
both without touching single indices. What is left is joined by enumeration.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np

from elimax.structure.term import Affine, AxisMap, IndexTable, Table


def labels_of(axis: AxisMap) -> tuple[int, ...]:
    """The labels that an index map reads."""
    if isinstance(axis, Table):
        return (axis.label,)
    return tuple(label for label, _ in axis.parts)


def replace_labels(axis: AxisMap, mapping: Mapping[int, AxisMap]) -> AxisMap:
    """Compose an index map with expressions for some of its labels."""
    if isinstance(axis, Table):
        inner = mapping.get(axis.label)
        if inner is None:
            return axis
        indices = axis.table.indices
        if isinstance(inner, Table):
            return Table(inner.label, IndexTable(indices[inner.table.indices]))
        if not inner.parts:
            return Affine(int(indices[inner.offset]))
        if len(inner.parts) == 1:
            # The size of the new label is implied by the caller, who narrows the table afterwards.
            raise _NeedsSize
        raise AssertionError("a table label is never split into digits")
    if not any(label in mapping for label, _ in axis.parts):
        return axis
    offset = axis.offset
    strides: dict[int, int] = {}
    tables: dict[int, np.ndarray] = {}
    for label, stride in axis.parts:
        inner = mapping.get(label)
        if inner is None:
            strides[label] = strides.get(label, 0) + stride
        elif isinstance(inner, Affine):
            offset += stride * inner.offset
            for new, inner_stride in inner.parts:
                strides[new] = strides.get(new, 0) + stride * inner_stride
        else:
            part = stride * inner.table.indices
            tables[inner.label] = tables[inner.label] + part if inner.label in tables else part
    parts = tuple((label, stride) for label, stride in strides.items() if stride)
    if not tables:
        return Affine(offset, parts)
    ((label, indices),) = tables.items()
    if any(other != label for other, _ in parts):
        raise AssertionError("a table cannot be mixed with other labels in one index map")
    for _, stride in parts:
        indices = indices + stride * np.arange(indices.size)
    return Table(label, IndexTable(indices + offset))


class _NeedsSize(Exception):
    """A table was composed with an affine map whose label size only the relation knows."""


def _intersect(s1: int, o1: int, n1: int, s2: int, o2: int, n2: int) -> tuple[int, int, int, int, int] | None:
    """Solve ``s1*a + o1 == s2*b + o2`` for 0 <= a < n1, 0 <= b < n2.

    Returns:
      ``(a0, pa, b0, pb, count)`` with ``a = a0 + pa*t`` and ``b = b0 + pb*t`` for 0 <= t < count, or None.
    """
    divisor = math.gcd(s1, s2)
    if (o2 - o1) % divisor:
        return None
    modulus = abs(s2) // divisor
    a0 = ((o2 - o1) // divisor * pow(s1 // divisor, -1, modulus)) % modulus if modulus > 1 else 0
    pa = modulus
    b0, pb = (s1 * a0 + o1 - o2) // s2, s1 * pa // s2
    low, high = 0, (n1 - 1 - a0) // pa
    if pb > 0:
        low, high = max(low, -(b0 // pb)), min(high, (n2 - 1 - b0) // pb)
    else:
        low, high = max(low, -((n2 - 1 - b0) // -pb)), min(high, b0 // -pb)
    if low > high:
        return None
    return a0 + pa * low, pa, b0 + pb * low, pb, high - low + 1


class Relation:
    """Labels, the index maps over them, and the equations still to be solved.

    Attributes:
      sizes: number of values of each label.
      left: index maps that belong to the left factor (its out axes and value axes).
      right: index maps that belong to the right factor (its in axes and value axes).
      equations: pairs of index maps that must agree.
    """

    def __init__(
        self,
        sizes: dict[int, int],
        left: list[AxisMap],
        right: list[AxisMap],
        equations: list[tuple[AxisMap, AxisMap]],
    ):
        self.sizes = sizes
        self.left = left
        self.right = right
        self.equations = equations
        self._next = max(sizes, default=-1) + 1

    def solve(self) -> bool:
        """Make every equation hold. Returns False where no index satisfies them (a structural zero)."""
        postponed = 0
        while self.equations:
            if postponed == len(self.equations):
                return self._join()
            a, b = self.equations.pop(0)
            solved = self._solve_one(a, b)
            if solved is None:
                self.equations.append((a, b))
                postponed += 1
            elif solved:
                postponed = 0
            else:
                return False
        return True

    # -- substitution ---------------------------------------------------------------------------------------------

    def _fresh(self, size: int) -> int:
        label = self._next
        self._next += 1
        self.sizes[label] = size
        return label

    def _replace(self, axis: AxisMap, mapping: dict[int, AxisMap]) -> AxisMap:
        try:
            return replace_labels(axis, mapping)
        except _NeedsSize:
            assert isinstance(axis, Table)
            inner = mapping[axis.label]
            assert isinstance(inner, Affine)
            ((label, stride),) = inner.parts
            chosen = inner.offset + stride * np.arange(self.sizes[label])
            return Table(label, IndexTable(axis.table.indices[chosen]))

    def substitute(self, mapping: dict[int, AxisMap]) -> None:
        """Replace labels everywhere."""
        self.left = [self._replace(axis, mapping) for axis in self.left]
        self.right = [self._replace(axis, mapping) for axis in self.right]
        self.equations = [(self._replace(a, mapping), self._replace(b, mapping)) for a, b in self.equations]
        for label in mapping:
            del self.sizes[label]

    # -- single equations -----------------------------------------------------------------------------------------

    def _solve_one(self, a: AxisMap, b: AxisMap) -> bool | None:
        """True: solved, False: impossible, None: needs a join."""
        if a == b:
            return True
        if isinstance(a, Table) or isinstance(b, Table):
            if isinstance(a, Table) and isinstance(b, Table) and a.label != b.label:
                return None
            if isinstance(a, Table):
                return self._solve_table(a, b)
            assert isinstance(b, Table)
            return self._solve_table(b, a)
        if len(a.parts) > 1 or len(b.parts) > 1:
            return self._solve_digits(a, b)
        if not a.parts and not b.parts:
            return a.offset == b.offset
        if not a.parts:
            return self._solve_fixed(b, a.offset)
        if not b.parts:
            return self._solve_fixed(a, b.offset)
        ((la, sa),), ((lb, sb),) = a.parts, b.parts
        if la == lb:
            if sa == sb:
                return a.offset == b.offset
            return self._solve_fixed(Affine(a.offset, ((la, sa - sb),)), b.offset)
        found = _intersect(sa, a.offset, self.sizes[la], sb, b.offset, self.sizes[lb])
        if found is None:
            return False
        a0, pa, b0, pb, count = found
        c = self._fresh(count)
        self.substitute({la: Affine(a0, ((c, pa),)), lb: Affine(b0, ((c, pb),))})
        return True

    def _solve_fixed(self, a: Affine, index: int) -> bool:
        ((label, stride),) = a.parts
        value, rest = divmod(index - a.offset, stride)
        if rest or not 0 <= value < self.sizes[label]:
            return False
        self.substitute({label: Affine(value)})
        return True

    def _solve_table(self, a: Table, b: AxisMap) -> bool | None:
        indices = a.table.indices
        if isinstance(b, Table):  # the same label on both sides
            return self._keep(a.label, indices == b.table.indices)
        if len(b.parts) > 1:
            return None
        for lb, sb in b.parts:
            return self._solve_table_against(a, b.offset, lb, sb)
        return self._keep(a.label, indices == b.offset)

    def _solve_table_against(self, a: Table, offset: int, lb: int, sb: int) -> bool | None:
        """A table against the progression ``offset + sb * lb``."""
        indices = a.table.indices
        if lb == a.label:
            return self._keep(a.label, indices == offset + sb * np.arange(indices.size))
        value, rest = np.divmod(indices - offset, sb)
        valid = (rest == 0) & (value >= 0) & (value < self.sizes[lb])
        if not self._in_own_map(lb):
            return None
        if not valid.all():
            if not valid.any():
                return False
            kept = np.flatnonzero(valid)
            g = self._fresh(kept.size)
            self.substitute({a.label: Table(g, IndexTable(kept)), lb: Table(g, IndexTable(value[kept]))})
            return True
        self.substitute({lb: Table(a.label, IndexTable(value))})
        return True

    def _in_own_map(self, label: int) -> bool:
        """Whether a label can become a table: it is nowhere mixed with other labels in one index map."""
        maps = [*self.left, *self.right, *(side for pair in self.equations for side in pair)]
        return all(len(labels_of(axis)) == 1 for axis in maps if label in labels_of(axis))

    def _keep(self, label: int, mask: np.ndarray) -> bool:
        kept = np.flatnonzero(mask)
        if not kept.size:
            return False
        if kept.size < mask.size:
            g = self._fresh(kept.size)
            self.substitute({label: Table(g, IndexTable(kept))})
        return True

    # -- mixed radix ----------------------------------------------------------------------------------------------

    def _digits(self, a: Affine) -> list[tuple[int, int]] | None:
        """``(label, size)`` from the slowest to the fastest digit of a full mixed-radix number, else None."""
        parts = sorted(a.parts, key=lambda part: -part[1])
        if not parts or parts[-1][1] <= 0:
            return None
        expected = parts[-1][1]
        for label, stride in reversed(parts):
            if stride != expected:
                return None
            expected = stride * self.sizes[label]
        return [(label, self.sizes[label]) for label, _ in parts]

    def _solve_digits(self, a: Affine, b: Affine) -> bool | None:
        if not a.parts or not b.parts:
            return self._solve_digits_fixed(*((b, a.offset) if not a.parts else (a, b.offset)))
        da, db = self._digits(a), self._digits(b)
        if da is None or db is None or a.offset != b.offset:
            return None
        if min(s for _, s in a.parts) != min(s for _, s in b.parts):
            return None
        if math.prod(s for _, s in da) != math.prod(s for _, s in db):
            return None
        if {label for label, _ in da} & {label for label, _ in db}:
            return None
        breaks = sorted({*_suffix_products(da), *_suffix_products(db)})
        if any(high % low for low, high in itertools.pairwise(breaks)):
            return None
        if any(label in self._table_labels() for label, _ in (*da, *db)):
            return None
        total = math.prod(s for _, s in da)
        bounds = [*breaks, total]
        digits = {low: self._fresh(high // low) for low, high in itertools.pairwise(bounds)}
        mapping: dict[int, AxisMap] = {}
        for number in (da, db):
            low = total
            for label, size in number:
                high, low = low, low // size
                mapping[label] = Affine(
                    0, tuple((d, place // low) for place, d in digits.items() if low <= place < high)
                )
        self.substitute(mapping)
        return True

    def _table_labels(self) -> set[int]:
        maps = [*self.left, *self.right, *(side for pair in self.equations for side in pair)]
        return {axis.label for axis in maps if isinstance(axis, Table)}

    def _solve_digits_fixed(self, a: Affine, index: int) -> bool | None:
        digits = self._digits(a)
        if digits is None:
            return None
        rest, remainder = divmod(index - a.offset, min(s for _, s in a.parts))
        if remainder:
            return False
        mapping: dict[int, AxisMap] = {}
        for label, size in reversed(digits):
            rest, value = divmod(rest, size)
            mapping[label] = Affine(value)
        if rest:
            return False
        self.substitute(mapping)
        return True

    # -- enumeration ----------------------------------------------------------------------------------------------

    def _join(self) -> bool:
        hard, self.equations = self.equations, []
        left_labels, right_labels = self._closure(hard)
        common = [label for label in left_labels if label in right_labels]
        left_grid = self._grid(left_labels)
        right_grid = self._grid(right_labels)
        left_keys = [self._evaluate(a, left_grid) for a, _ in hard] + [left_grid[label] for label in common]
        right_keys = [self._evaluate(b, right_grid) for _, b in hard] + [right_grid[label] for label in common]
        left_pick, right_pick = join(left_keys, right_keys)
        if not left_pick.size:
            return False
        g = self._fresh(left_pick.size)
        mapping: dict[int, AxisMap] = {
            label: Table(g, IndexTable(left_grid[label][left_pick])) for label in left_labels
        }
        mapping.update(
            {
                label: Table(g, IndexTable(right_grid[label][right_pick]))
                for label in right_labels
                if label not in common
            }
        )
        self.substitute(mapping)
        return True

    def _closure(self, hard: list[tuple[AxisMap, AxisMap]]) -> tuple[list[int], list[int]]:
        """Labels of the hard equations, with every label that shares an index map with one of them."""
        left = list(dict.fromkeys(label for a, _ in hard for label in labels_of(a)))
        right = list(dict.fromkeys(label for _, b in hard for label in labels_of(b)))
        changed = True
        while changed:
            changed = False
            for side, maps in ((left, self.left), (right, self.right)):
                for axis in maps:
                    labels = labels_of(axis)
                    if len(labels) > 1 and any(label in left or label in right for label in labels):
                        new = [label for label in labels if label not in side]
                        side.extend(new)
                        changed = changed or bool(new)
        return left, right

    def _grid(self, labels: Iterable[int]) -> dict[int, np.ndarray]:
        labels = list(labels)
        shape = [self.sizes[label] for label in labels]
        if not labels:
            return {}
        axes = np.meshgrid(*[np.arange(size) for size in shape], indexing="ij")
        return {label: axis.ravel() for label, axis in zip(labels, axes, strict=True)}

    @staticmethod
    def _evaluate(axis: AxisMap, grid: dict[int, np.ndarray]) -> np.ndarray:
        if isinstance(axis, Table):
            return axis.table.indices[grid[axis.label]]
        size = next(iter(grid.values())).size if grid else 1
        result = np.full(size, axis.offset, dtype=np.int64)
        for label, stride in axis.parts:
            result += stride * grid[label]
        return result


def _suffix_products(digits: list[tuple[int, int]]) -> list[int]:
    """Place values of mixed-radix digits given from the slowest to the fastest, in units of the fastest."""
    places, place = [], 1
    for _, size in reversed(digits):
        places.append(place)
        place *= size
    return places


def join(left: list[np.ndarray], right: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of positions at which the keys agree: two arrays [P], ordered by the left position, then the right."""
    count = len(left[0])
    columns = [np.concatenate([a, b]) for a, b in zip(left, right, strict=True)]
    keys = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        _, dense = np.unique(column, return_inverse=True)
        _, keys = np.unique(keys * (int(dense.max(initial=0)) + 1) + dense.ravel(), return_inverse=True)
        keys = keys.ravel()
    left_key, right_key = keys[:count], keys[count:]
    order = np.argsort(right_key, kind="stable")
    ordered = right_key[order]
    first = np.searchsorted(ordered, left_key, side="left")
    last = np.searchsorted(ordered, left_key, side="right")
    repeats = last - first
    left_pick = np.repeat(np.arange(count), repeats)
    start = np.repeat(first - np.concatenate([[0], np.cumsum(repeats)[:-1]]), repeats)
    return left_pick, order[start + np.arange(left_pick.size)]
