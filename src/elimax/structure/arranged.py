"""Entries of several terms in the order of their places, by concatenation where that will do.

The blocks of a batch are terms with one and the same label for the batch. In sorted order the entries of one element of
the batch lie side by side, so that each term is a column, or some columns, of a matrix with a row for each element.
Columns are put side by side in one pass; a gather reads each entry through a table, which takes several times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax.structure.dense_lanes import rows_of

_COLUMNS = 64
"""Up to this many columns are taken apart to change their order."""


def arranged(flats: Sequence[Any], places: Sequence[np.ndarray], leads: Sequence[int]) -> Any:
    """Entries in the order of their places.

    Args:
      flats: arrays [N_k] of entries.
      places: int arrays [N_k], together a permutation of the numbers below the number of all entries.
      leads: for each array the number of rows it may be cut into, a divisor of N_k.

    Returns:
      Array [entries] whose element ``places[k][i]`` is ``flats[k][i]``.
    """
    known = [k for k, own in enumerate(places) if own.size]
    spans = sorted((int(places[k].min()), int(places[k].max()) + 1, k) for k in known)
    segments: list[tuple[int, int, list[int]]] = []
    for start, stop, k in spans:
        if segments and start < segments[-1][1]:
            first, last, members = segments[-1]
            segments[-1] = (first, max(last, stop), [*members, k])
        else:
            segments.append((start, stop, [k]))
    parts = [
        _segment([flats[k] for k in members], [places[k] - start for k in members], [leads[k] for k in members])
        for start, _, members in segments
    ]
    return jnp.concatenate(parts) if len(parts) > 1 else jnp.asarray(parts[0])


def _segment(flats: Sequence[Any], places: Sequence[np.ndarray], leads: Sequence[int]) -> Any:
    """The same for arrays whose places interlock."""
    whole = np.concatenate(places)
    if np.array_equal(whole, np.arange(whole.size)):
        return flats[0] if len(flats) == 1 else jnp.concatenate(flats)
    columns = _columns(places, leads)
    if columns is None:
        return jnp.take(jnp.concatenate(flats), np.argsort(whole), mode="clip")
    pieces = [jnp.reshape(flat, (leads[0], -1)) for flat in flats]
    if not np.array_equal(columns, np.arange(columns.size)):
        if columns.size > _COLUMNS:
            return jnp.take(jnp.concatenate(pieces, 1), np.argsort(columns), 1, mode="clip").ravel()
        single = [piece[:, k : k + 1] for piece in pieces for k in range(piece.shape[1])]
        pieces = [single[k] for k in np.argsort(columns)]
    shape = leads[0], columns.size
    return rows_of(pieces, shape, flats[0].dtype).ravel()


def _columns(places: Sequence[np.ndarray], leads: Sequence[int]) -> np.ndarray | None:
    """Numbers [width] of the columns of all arrays, if every array is some columns of one matrix, else None."""
    rows = leads[0]
    total = sum(own.size for own in places)
    if len(places) < 2 or rows < 2 or any(lead != rows for lead in leads):
        return None
    width = total // rows
    first = []
    for own in places:
        matrix = own.reshape(rows, -1)
        if not np.array_equal(matrix, matrix[0] + width * np.arange(rows)[:, None]):
            return None
        first.append(matrix[0])
    return np.concatenate(first)
