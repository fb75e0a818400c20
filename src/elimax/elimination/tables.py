"""Open-addressing hash tables of products and sums, as arrays that compiled code reads."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

EMPTY = -1
"""Key of a free slot."""

BITS = 31
"""A pair of structure numbers (a, b) has the key ``a << BITS | b``."""

MIX = 0x9E3779B97F4A7C15
"""Multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming 3, section 6.4)."""

_MASK = (1 << 64) - 1


class TableArrays(NamedTuple):
    """What compiled code sees; every array has one entry a slot, and the number of slots is a power of two.

    Attributes:
      product_keys: int64 [P] pair of structure numbers, or `EMPTY`.
      product_ids: int64 [P] number of the product.
      product_costs: int64 [P] its cost.
      sum_keys: int64 [S] pair of structure numbers, or `EMPTY`.
      sum_ids: int64 [S] number of the sum.
    """

    product_keys: np.ndarray
    product_ids: np.ndarray
    product_costs: np.ndarray
    sum_keys: np.ndarray
    sum_ids: np.ndarray


class _Table:
    """One hash table: keys int64 and ``width`` columns of int64 values."""

    def __init__(self, width: int):
        self.width = width
        self.count = 0
        self._allocate(32)

    def _allocate(self, slots: int) -> None:
        self.keys = np.full(slots, EMPTY, np.int64)
        self.columns = [np.zeros(slots, np.int64) for _ in range(self.width)]

    def add(self, key: int, values: tuple[int, ...]) -> None:
        if 2 * (self.count + 1) > self.keys.size:
            old_keys, old_columns = self.keys, self.columns
            self._allocate(2 * old_keys.size)
            for slot in np.flatnonzero(old_keys != EMPTY):
                self._put(int(old_keys[slot]), tuple(int(column[slot]) for column in old_columns))
        self._put(key, values)
        self.count += 1

    def _put(self, key: int, values: tuple[int, ...]) -> None:
        mask = self.keys.size - 1
        slot = (((key * MIX) & _MASK) >> 32) & mask
        while self.keys[slot] != EMPTY:
            slot = (slot + 1) & mask
        self.keys[slot] = key
        for column, value in zip(self.columns, values, strict=True):
            column[slot] = value


class Tables:
    """Products and sums worked out so far; they are put into arrays when compiled code asks for them.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._products = _Table(2)
        self._sums = _Table(1)
        self._new_products: list[tuple[int, int, int, int]] = []
        self._new_sums: list[tuple[int, int, int]] = []
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """What travels to another process: everything but the lock."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def add_product(self, left: int, right: int, result: int, cost: int) -> None:
        """Remember a product."""
        self._new_products.append((left, right, result, cost))

    def add_sum(self, old: int, new: int, result: int) -> None:
        """Remember a sum."""
        self._new_sums.append((old, new, result))

    def arrays(self) -> TableArrays:
        """The current arrays, without what is added later."""
        if self._new_products or self._new_sums:
            with self._lock:
                while self._new_products:
                    left, right, result, cost = self._new_products.pop()
                    self._products.add(int(left) << BITS | int(right), (int(result), int(cost)))
                while self._new_sums:
                    old, new, result = self._new_sums.pop()
                    self._sums.add(int(old) << BITS | int(new), (int(result),))
        return TableArrays(
            self._products.keys,
            self._products.columns[0],
            self._products.columns[1],
            self._sums.keys,
            self._sums.columns[0],
        )
