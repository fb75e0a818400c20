"""The pattern of a matrix as a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import escape

import numpy as np

from elimax.errors import ElimaxError

SUFFIXES = (".svg", ".png")
"""Formats that can be written."""

_CELLS, _SIDE, _MARGIN = 160, 480.0, 30.0
"""Cells along the longer side at most, its length in pixels, and the space around it."""

_LIGHT, _DARK = np.array([190, 210, 232]), np.array([22, 64, 122])


class Pattern(Protocol):
    """What can be drawn."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def nnz(self) -> int:
        """Number of entries."""
        ...

    @property
    def rows(self) -> np.ndarray:
        """Row of each entry."""
        ...

    @property
    def cols(self) -> np.ndarray:
        """Column of each entry."""
        ...


def shares(pattern: Pattern) -> np.ndarray:
    """A pattern in coarse cells: float [cells down, cells across], the share of places in a cell that hold an entry."""
    m, n = pattern.shape
    down, across = (max(1, min(k, round(_CELLS * k / max(m, n, 1)) or 1, _CELLS)) for k in (m, n))
    counts = np.zeros((down, across))
    if pattern.nnz:
        np.add.at(counts, (pattern.rows * down // m, pattern.cols * across // n), 1)
    tall, wide = (np.diff(-(-np.arange(k + 1) * size // k)) for k, size in ((down, m), (across, n)))
    return counts / np.maximum(np.outer(tall, wide), 1)


def draw_spy(pattern: Pattern, path: str | os.PathLike[str]) -> None:
    """Draw where the entries of a matrix are.

    Large matrices are drawn in cells, the darker the more of their places hold an entry.

    Args:
      pattern: rows and columns of the entries.
      path: the file to write; its suffix, one of ``SUFFIXES``, names the format.

    Raises:
      ElimaxError: if the suffix is another one.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ElimaxError(f"a file name that ends in {' or '.join(SUFFIXES)} was expected, got {path.name!r}")
    cells = shares(pattern)
    if path.suffix == ".svg":
        path.write_text(_svg(pattern, cells), encoding="utf-8")
        return
    import matplotlib.image

    picture = np.full((*cells.shape, 3), 255, np.uint8)
    filled = cells > 0
    picture[filled] = _colours(cells[filled])
    scale = max(1, round(_SIDE / max(cells.shape)))
    matplotlib.image.imsave(path, picture.repeat(scale, 0).repeat(scale, 1))


def _colours(share: np.ndarray) -> Any:
    """Colours [K, 3] of shares [K], dark where most entries are."""
    return np.round(_LIGHT + (_DARK - _LIGHT) * np.sqrt(share / share.max(initial=1e-300))[:, None]).astype(np.uint8)


def _svg(pattern: Pattern, cells: np.ndarray) -> str:
    side = _SIDE / max(cells.shape)
    height, width = (k * side for k in cells.shape)
    m, n = pattern.shape
    title = f"{m:,} x {n:,}, {pattern.nnz:,} entries"
    whole = max(width, 260.0) + 2 * _MARGIN, height + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole[0]:.0f} {whole[1]:.0f}" width="{whole[0]:.0f}" '
        f'height="{whole[1]:.0f}" font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{whole[0]:.0f}" height="{whole[1]:.0f}" fill="#ffffff"/>',
        f'<text x="{_MARGIN:.0f}" y="20" font-size="13" fill="#1f2933">{escape(title)}</text>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})" shape-rendering="crispEdges">',
    ]
    down, across = np.nonzero(cells)
    for r, c, colour in zip(down, across, _colours(cells[down, across]), strict=True):
        fill = "#" + "".join(f"{int(k):02x}" for k in colour)
        parts.append(
            f'<rect x="{c * side:.2f}" y="{r * side:.2f}" width="{side:.2f}" height="{side:.2f}" fill="{fill}"/>'
        )
    parts.append(f'<rect width="{width:.2f}" height="{height:.2f}" fill="none" stroke="#52606d"/></g>')
    return "\n".join([*parts, "</svg>"]) + "\n"
