"""Comparison of a Jacobian with the one that JAX computes, block by block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.api.argnums import normalise_argnums
from elimax.api.first_order import jacobian
from elimax.api.metadata import check_callable, function_name
from elimax.errors import VerificationError

# Relative to the largest entry of the block: both results round differently, and cancellation is relative to that.
_ROUNDING_UNITS = 512
_UNSUPPORTED_MODE = (TypeError, ValueError, NotImplementedError)


@dataclasses.dataclass(frozen=True)
class BlockComparison:
    """One block against JAX.

    Attributes:
      output: path of the output leaf.
      input: path of the input leaf.
      shape: shape of the block.
      dtype: name of its dtype.
      max_abs_error: largest absolute difference.
      max_rel_error: largest difference relative to the entry of JAX, entries of zero left out.
      ok: shape, dtype, and values within the tolerance; NaN and infinities in the same places, save that a zero is
        as good as a NaN of JAX, whose modes multiply infinite partials by the zeros of a seed.
    """

    output: str
    input: str
    shape: tuple[int, ...]
    dtype: str
    max_abs_error: float
    max_rel_error: float
    ok: bool


@dataclasses.dataclass(frozen=True)
class VerificationReport:
    """All blocks of a Jacobian against JAX; prints as a table.

    Attributes:
      name: of the function.
      reference: the function of JAX that was compared with.
      blocks: one comparison for each pair of an output and an input leaf.
    """

    name: str
    reference: str
    blocks: tuple[BlockComparison, ...]

    @property
    def ok(self) -> bool:
        """Whether every block agrees."""
        return all(block.ok for block in self.blocks)

    def check(self) -> VerificationReport:
        """Returns the report itself; raises VerificationError, with the table, when a block differs."""
        if not self.ok:
            raise VerificationError(f"The Jacobian differs from that of JAX.\n{self}")
        return self

    def __str__(self) -> str:
        """A line for each block."""
        header = ("output", "input", "shape", "dtype", "max abs error", "max rel error", "ok")
        rows = [header] + [
            (
                block.output,
                block.input,
                str(block.shape),
                block.dtype,
                f"{block.max_abs_error:.3g}",
                f"{block.max_rel_error:.3g}",
                "yes" if block.ok else "NO",
            )
            for block in self.blocks
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        num_wrong = sum(not block.ok for block in self.blocks)
        verdict = "all blocks agree" if not num_wrong else f"{num_wrong} of {len(self.blocks)} blocks differ"
        return "\n".join([f"{self.name}: elimax.jacobian against {self.reference}, {verdict}", *lines])


def verify(
    fun: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    order: Any = "auto",
    output: str = "dense",
    cost: str = "time",
    rtol: float | None = None,
    raise_on_difference: bool = False,
    **kwargs: Any,
) -> VerificationReport:
    """Compares ``elimax.jacobian(fun)`` with JAX at the given arguments.

    The reference is ``jax.jacfwd``, or ``jax.jacrev`` (its blocks converted to the dtype of the output) where jacfwd
    refuses the function.

    Args:
      fun: as for ``jacobian``.
      *args: positional arguments of ``fun``.
      argnums: as for ``jacobian``.
      has_aux: as for ``jacobian``.
      holomorphic: as for ``jacobian``.
      allow_int: as for ``jacobian``.
      order: as for ``jacobian``.
      output: as for ``jacobian``.
      cost: as for ``jacobian``.
      rtol: tolerated difference relative to the largest finite entry of a block; by default 512 units of rounding of
        the coarsest dtype among the inputs and the output.
      raise_on_difference: raise instead of returning a report that is not ok.
      **kwargs: keyword arguments of ``fun``.

    Returns:
      The report; ``report.ok`` says whether all agrees.

    Raises:
      VerificationError: a block differs and ``raise_on_difference`` is set.
      Exception: what JAX or ``jacobian`` raises for the call.

    Example:
      >>> import elimax
      >>> elimax.verify(lambda x: x * x, 3.0).ok
      True
    """
    check_callable(fun)
    numbers = normalise_argnums(argnums)
    reference, expected = _reference(fun, args, kwargs, numbers, has_aux, holomorphic, allow_int)
    differentiate = jacobian(fun, numbers, has_aux, holomorphic, allow_int, order=order, output=output, cost=cost)
    actual = differentiate(*args, **kwargs)
    if has_aux:
        actual = actual[0]
    chosen = tuple(args[number] for number in ((numbers,) if isinstance(numbers, int) else numbers))
    dynamic = chosen[0] if isinstance(numbers, int) else chosen
    jacobian_tree, value = expected
    report = VerificationReport(
        function_name(fun), reference, tuple(_compare_trees(actual, jacobian_tree, value, dynamic, rtol))
    )
    return report.check() if raise_on_difference else report


def _reference(fun, args, kwargs, argnums, has_aux, holomorphic, allow_int) -> tuple[str, tuple[Any, Any]]:
    """Jacobian and value by JAX."""

    def primal(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        result = fun(*args, **kwargs)
        value = result[0] if has_aux else result
        return value, value

    try:
        return "jax.jacfwd", jax.jacfwd(primal, argnums, has_aux=True, holomorphic=holomorphic)(*args, **kwargs)
    except _UNSUPPORTED_MODE:
        reverse = jax.jacrev(primal, argnums, has_aux=True, holomorphic=holomorphic, allow_int=allow_int)
        return "jax.jacrev", reverse(*args, **kwargs)


def _compare_trees(actual: Any, expected: Any, value: Any, dynamic: Any, rtol: float | None):
    outputs, out_tree = jax.tree_util.tree_flatten_with_path(value)
    inputs, in_tree = jax.tree_util.tree_flatten_with_path(dynamic)
    actual_rows, expected_rows = out_tree.flatten_up_to(actual), out_tree.flatten_up_to(expected)
    for (out_path, y), actual_row, expected_row in zip(outputs, actual_rows, expected_rows, strict=True):
        pairs = zip(inputs, in_tree.flatten_up_to(actual_row), in_tree.flatten_up_to(expected_row), strict=True)
        for (in_path, x), block, reference in pairs:
            yield _compare_block(_path(out_path), _path(in_path), block, reference, y, x, rtol)


def _path(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path) or "-"


def _compare_block(output: str, x_path: str, block: Any, reference: Any, y: Any, x: Any, rtol: float | None):
    dense = block.todense() if hasattr(block, "todense") else block
    dtype = jnp.dtype(dense.dtype)
    if dense.shape != reference.shape or not jnp.issubdtype(dtype, jnp.inexact):
        same = dense.shape == reference.shape and not np.any(np.asarray(dense)) and not np.any(np.asarray(reference))
        error = 0.0 if same else float("inf")
        return BlockComparison(output, x_path, tuple(dense.shape), dtype.name, error, error, same)
    wide = np.complex128 if jnp.issubdtype(dtype, jnp.complexfloating) else np.float64
    got, want = np.asarray(dense).astype(wide), np.asarray(reference).astype(wide)
    want = np.where(np.isnan(want) & (got == 0), 0, want)  # 0 * inf of JAX, off the pattern of the block
    finite = np.isfinite(want)
    same_specials = np.array_equal(np.where(finite, 0, got), np.where(finite, 0, want), equal_nan=True)
    same_specials = same_specials and bool(np.all(np.isfinite(got[finite])))
    difference, size = np.abs(got[finite] - want[finite]), np.abs(want[finite])
    if rtol is None:
        rtol = _ROUNDING_UNITS * max(float(jnp.finfo(d).eps) for d in _inexact_dtypes(dtype, y, x))
    max_abs = float(np.max(difference, initial=0.0))
    nonzero = size > 0
    max_rel = float(np.max(difference[nonzero] / size[nonzero], initial=0.0))
    ok = same_specials and max_abs <= rtol * float(np.max(size, initial=0.0))
    if not same_specials:
        max_abs = max_rel = float("inf")
    return BlockComparison(output, x_path, tuple(dense.shape), dtype.name, max_abs, max_rel, ok)


def _inexact_dtypes(*things: Any) -> list[Any]:
    dtypes = [thing if isinstance(thing, np.dtype) else jax.typeof(thing).dtype for thing in things]
    return [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.inexact)]
