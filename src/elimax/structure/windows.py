"""Many entries that come from several boxes, written a window of rows at a time.

Boxes are put together by concatenation, one level of the tree after another, and each level but the first is a pass
over an array as large as the result. Where that is many megabytes, such arrays cost more than what is computed: memory
is fetched from the system at every call. Windows of rows, each made in a small array and put into its place of the
result, need no other array of that size.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from elimax.structure.rowwise import Box, Tree

LARGE = 1 << 20
"""Results with at least so many entries are written in windows."""

_WINDOW = 1 << 15
"""Entries of a window, few enough to stay in the cache of a core."""

_FEW_ROWS = 16
"""Up to this many rows that are longer than a window are cut into windows themselves."""

Offset = tuple[int, Any] | None
"""The number of a digit and what is added to its first value; None for nothing."""


def needs_windows(tree: Tree) -> bool:
    """Whether sorted coordinates are so many that they are written in windows."""
    return nested(tree) and num_entries(tree) >= LARGE


def nested(tree: Tree) -> bool:
    """Whether boxes are put together at more than one level."""
    return isinstance(tree, tuple) and any(isinstance(child, tuple) for child in tree)


def num_entries(tree: Tree) -> int:
    """Number of entries of all boxes of a tree."""
    return math.prod(tree.sizes) * tree.width if isinstance(tree, Box) else sum(map(num_entries, tree))


def windowed(tree: Tree, part: Callable[[Tree, Offset], Any], dtype: Any) -> Any:
    """The entries of a tree, one after another.

    Args:
      tree: boxes, nested.
      part: maps one of them, moved along a digit, to its entries in order.
      dtype: of the entries.

    Returns:
      Vector [entries].
    """
    segments = _segments(tree, 0)
    sizes = [num_entries(own) for own, _ in segments]
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    result = jnp.zeros((sum(sizes),), dtype)
    # Long segments first: what is left is written into an array that is not known to be zero, and thus in place.
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        own, digit = segments[k]
        rows = _rows(own, digit)
        at_once = max(1, _WINDOW * rows // sizes[k])
        if rows < 2 * at_once:
            result = lax.dynamic_update_slice(result, part(own, None).reshape(sizes[k]), [starts[k]])
        else:
            window = functools.partial(part, _cut(own, digit, 0, at_once))
            result = _filled(result, window, digit, starts[k], rows, at_once, sizes[k] // rows)
    return result


def _filled(
    result: Any, window: Callable[[Offset], Any], digit: int, start: int, rows: int, at_once: int, width: int
) -> Any:
    """A vector with rows written from a place on.

    Args:
      result: the vector.
      window: maps the number of a row to the entries of some rows from that on.
      digit: that counts the rows.
      start: place of the first row.
      rows: number of rows.
      at_once: rows of a window.
      width: entries of a row.
    """

    def step(number: Any, result: Any) -> Any:
        row = jnp.minimum(number * at_once, rows - at_once)  # the last window repeats some rows of the one before
        own = window((digit, row)).reshape(at_once * width)
        return lax.dynamic_update_slice(result, own, [start + row * width])

    return lax.fori_loop(0, -(-rows // at_once), step, result)


def _segments(tree: Tree, digit: int) -> list[tuple[Tree, int]]:
    """Parts of a tree one after another, each with the digit along which it is cut into windows.

    Args:
      tree: boxes that follow each other along the digit.
      digit: its number.
    """
    found: list[tuple[Tree, int]] = []
    for child in tree if isinstance(tree, tuple) else (tree,):
        rows = _rows(child, digit)
        if isinstance(child, tuple) and rows <= _FEW_ROWS and num_entries(child) > rows * _WINDOW:
            for row in range(rows):
                found.extend(_segments(_cut(child, digit, row, 1), digit + 1))
        else:
            found.append((child, digit))
    return found


def _rows(tree: Tree, digit: int) -> int:
    """Number of values of a digit, which all boxes share."""
    while isinstance(tree, tuple):
        tree = tree[0]
    return tree.sizes[digit]


def _cut(tree: Tree, digit: int, start: int, rows: int) -> Tree:
    """Some rows of a tree whose boxes share a digit; their values alone, for indices stay those of the first row."""
    if isinstance(tree, tuple):
        return tuple(_cut(child, digit, start, rows) for child in tree)
    starts, sizes = list(tree.starts), list(tree.sizes)
    starts[digit] += start
    sizes[digit] = rows
    return dataclasses.replace(tree, starts=tuple(starts), sizes=tuple(sizes))
