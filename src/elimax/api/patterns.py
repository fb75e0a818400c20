"""Patterns of Jacobians, and what can be done with the values of sparse ones by them."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
from typing import Any

import jax
import numpy as np

from elimax import execute
from elimax.api.bands import picked
from elimax.api.blocks import is_bcoo
from elimax.errors import PatternError


@dataclasses.dataclass(frozen=True)
class Bands:
    """A banded matrix by its diagonals.

    Attributes:
      lower: number of diagonals below the main one.
      upper: number of diagonals above it.
      diagonals: array [upper + 1 + lower, columns]; ``diagonals[upper + i - j, j]`` is the entry of row i and column j,
        as `scipy.linalg.solve_banded` takes them. Zero where no entry is.
    """

    lower: int
    upper: int
    diagonals: Any

    @property
    def tridiagonal(self) -> tuple[Any, Any, Any]:
        """Main, lower and upper diagonal [n], [n - 1], [n - 1], as `lineax.TridiagonalLinearOperator` takes them."""
        if self.lower > 1 or self.upper > 1:
            raise PatternError(
                f"A tridiagonal matrix was expected, but this one has {self.lower} diagonals below and {self.upper} "
                "above the main one. Use .diagonals with a banded solver."
            )
        own, none = self.diagonals, self.diagonals[0, :-1] * 0
        return own[self.upper], own[-1, :-1] if self.lower else none, own[0, 1:] if self.upper else none


jax.tree_util.register_dataclass(Bands, data_fields=["diagonals"], meta_fields=["lower", "upper"])


@dataclasses.dataclass(frozen=True, eq=False)
class BlockSparsity:
    """The pattern of one block, flattened to a matrix.

    Attributes:
      output: path of the leaf of the result.
      input: path of the leaf of the differentiated arguments.
      out_shape: shape of the former.
      in_shape: shape of the latter.
    """

    output: str
    input: str
    out_shape: tuple[int, ...]
    in_shape: tuple[int, ...]
    _parts: tuple[execute.BlockPattern, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns of the flattened block."""
        return int(np.prod(self.out_shape)), int(np.prod(self.in_shape))

    @functools.cached_property
    def nnz(self) -> int:
        """Number of entries that may differ from zero."""
        return self._parts[0].nnz if len(self._parts) == 1 else self.rows.size

    @functools.cached_property
    def _entries(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self._parts) == 1:
            return self._parts[0].entries
        rows, columns = (
            np.concatenate([np.zeros(0, np.int64), *(p.entries[k] for p in self._parts)]) for k in range(2)
        )
        key = np.unique(rows * self.shape[1] + columns)
        return key // max(1, self.shape[1]), key % max(1, self.shape[1])

    @property
    def rows(self) -> np.ndarray:
        """Row int64 [nnz] of each entry, ascending."""
        return self._entries[0]

    @property
    def cols(self) -> np.ndarray:
        """Column int64 [nnz] of each entry, ascending within a row."""
        return self._entries[1]

    @functools.cached_property
    def bandwidth(self) -> tuple[int, int]:
        """Number of diagonals below and above the main one that hold entries."""
        offset = self.rows - self.cols
        return max(0, int(offset.max(initial=0))), max(0, int((-offset).max(initial=0)))

    def to_scipy(self, jacobian: Any = None) -> Any:
        """A `scipy.sparse.csr_array` [rows, columns]: of the values of a block, or of True where entries are."""
        import scipy.sparse as sp  # slow to import, and few callers need it

        start = np.searchsorted(self.rows, np.arange(self.shape[0] + 1))
        data = np.ones(self.nnz, bool) if jacobian is None else np.asarray(self._data(jacobian))
        return sp.csr_array((data, self.cols, start), shape=self.shape)

    def banded(self, jacobian: Any) -> Bands:
        """The diagonals of a square block.

        Args:
          jacobian: the BCOO of ``jacobian(..., output="bcoo")``; traced values will do.

        Raises:
          PatternError: the block is not square, or so wide a band that diagonals are larger than the matrix, or
            ``jacobian`` is no BCOO with this pattern.
        """
        n, (lower, upper) = self.shape[1], self.bandwidth
        if self.shape[0] != n or lower + upper + 1 > max(n, 1):
            raise PatternError(
                f"A square banded block was expected, but this one is {self.shape[0]} by {n} with {lower} diagonals "
                f"below and {upper} above the main one. Use the BCOO itself, or to_scipy."
            )
        data = self._data(jacobian)
        places = np.full((lower + upper + 1, n), -1, np.int64)
        places[upper + self.rows - self.cols, self.cols] = np.arange(self.nnz)
        return Bands(lower, upper, jax.numpy.stack([picked(data, own) for own in places]))

    def block_diagonal(self, jacobian: Any, size: int) -> Any:
        """The blocks along the diagonal, [n / size, size, size].

        Args:
          jacobian: as for ``banded``.
          size: rows and columns of a block; a divisor of the number of rows.

        Raises:
          PatternError: the block is not square, ``size`` no divisor, or there are entries outside of the blocks.
        """
        n = self.shape[0]
        if n != self.shape[1] or size < 1 or n % size:
            raise PatternError(
                f"A square block whose size is a multiple of {size} was expected, this one is {n} by {self.shape[1]}."
            )
        outside = np.flatnonzero(self.rows // size != self.cols // size)
        if outside.size:
            k = int(outside[0])
            raise PatternError(
                f"Diagonal blocks of size {size} were expected, but {outside.size} entries are outside of them, the "
                f"first in row {self.rows[k]} and column {self.cols[k]}. Choose another size, or use the BCOO itself."
            )
        data = self._data(jacobian)
        if self.nnz < n * size:
            places = np.full(n * size, -1, np.int64)
            places[self.rows * size + self.cols % size] = np.arange(self.nnz)
            data = picked(data, places)
        return data.reshape(n // size, size, size)

    def _data(self, jacobian: Any) -> Any:
        shape = (*self.out_shape, *self.in_shape)
        if not is_bcoo(jacobian) or tuple(jacobian.shape) != shape or jacobian.nse != self.nnz:
            found = getattr(jacobian, "nse", None)
            raise PatternError(
                f"A BCOO of shape {shape} with the {self.nnz} entries of this pattern was expected, got "
                f"{type(jacobian).__name__} of shape {getattr(jacobian, 'shape', None)}"
                + (f" with {found} entries." if found is not None else ".")
                + ' Pass the block that jacobian(..., output="bcoo") returned for the same function and shapes.'
            )
        return jacobian.data

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draw the entries into a file that ends in .svg or .png."""
        # Drawing lives in a room above this one and is loaded only when asked for.
        importlib.import_module("elimax.viz.spy").draw_spy(self, path)

    def __str__(self) -> str:
        """One line."""
        m, n = self.shape
        share = self.nnz / max(1, m * n)
        lower, upper = self.bandwidth
        return (
            f"{self.output} by {self.input}: {m:,} x {n:,}, {self.nnz:,} entries ({share:.3g}), "
            f"bandwidth {lower:,} + 1 + {upper:,}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Sparsity:
    """The pattern of a Jacobian; prints as a line for each block.

    Attributes:
      name: of the function.
      tree: blocks as ``jacobian`` arranges them.
      blocks: the same by leaf of the result and leaf of the differentiated arguments.
    """

    name: str
    tree: Any
    blocks: tuple[tuple[BlockSparsity, ...], ...]

    @functools.cached_property
    def _whole(self) -> BlockSparsity:
        """All blocks as one matrix: results above each other, arguments side by side."""
        if len(self.blocks) == 1 and len(self.blocks[0]) == 1:
            return self.blocks[0][0]
        parts, row = [], 0
        width = sum(block.shape[1] for block in self.blocks[0]) if self.blocks else 0
        for line in self.blocks:
            column = 0
            for block in line:
                parts.append((row + block.rows, column + block.cols))
                column += block.shape[1]
            row += line[0].shape[0] if line else 0
        rows, columns = (np.concatenate([np.zeros(0, np.int64), *(p[k] for p in parts)]) for k in range(2))
        order = np.lexsort((columns, rows))
        whole = BlockSparsity("all results", "all arguments", (row,), (width,), ())
        whole.__dict__["_entries"] = (rows[order], columns[order])
        return whole

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of all blocks together."""
        return self._whole.shape

    @property
    def nnz(self) -> int:
        """Number of entries that may differ from zero."""
        return sum(block.nnz for line in self.blocks for block in line)

    @property
    def rows(self) -> np.ndarray:
        """Row int64 [nnz] of each entry, ascending."""
        return self._whole.rows

    @property
    def cols(self) -> np.ndarray:
        """Column int64 [nnz] of each entry, ascending within a row."""
        return self._whole.cols

    @property
    def bandwidth(self) -> tuple[int, int]:
        """Number of diagonals below and above the main one that hold entries."""
        return self._whole.bandwidth

    def to_scipy(self, jacobian: Any = None) -> Any:
        """A `scipy.sparse.csr_array` of the whole, of the values of a Jacobian or of True where entries are.

        Args:
          jacobian: what ``jacobian(..., output="bcoo")`` returned, or None.
        """
        import scipy.sparse as sp

        if jacobian is None:
            return self._whole.to_scipy()
        found = iter(jax.tree.leaves(jacobian, is_leaf=is_leaf))
        lines = [[block.to_scipy(next(found)) for block in line] for line in self.blocks]
        return lines[0][0] if len(lines) == 1 and len(lines[0]) == 1 else sp.block_array(lines, format="csr")

    def banded(self, jacobian: Any) -> Bands:
        """``BlockSparsity.banded`` of the only block."""
        return self._only.banded(jacobian)

    def block_diagonal(self, jacobian: Any, size: int) -> Any:
        """``BlockSparsity.block_diagonal`` of the only block."""
        return self._only.block_diagonal(jacobian, size)

    @property
    def _only(self) -> BlockSparsity:
        if len(self.blocks) != 1 or len(self.blocks[0]) != 1:
            raise PatternError(
                f"One block was expected, but {self.name} has {sum(map(len, self.blocks))}. Use pattern.blocks[i][j]."
            )
        return self.blocks[0][0]

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draw the entries of all blocks into a file that ends in .svg or .png."""
        self._whole.draw(path)

    def __str__(self) -> str:
        """A line for each block."""
        m, n = self.shape
        return "\n".join(
            [f"{self.name}: {m:,} x {n:,}, {self.nnz:,} entries", *(f"  {b}" for line in self.blocks for b in line)]
        )


def is_leaf(block: Any) -> bool:
    """Whether something is a block, and no tree of blocks."""
    return hasattr(block, "todense")
