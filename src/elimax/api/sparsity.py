"""Where the entries of a Jacobian are, known from the structure of the function alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from elimax import execute
from elimax.api.argnums import make_call, normalise_argnums
from elimax.api.endpoints import Kind
from elimax.api.flat import FlatFunction, Options
from elimax.api.metadata import check_callable, function_name
from elimax.api.patterns import BlockSparsity, Sparsity


def sparsity(
    fun: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    **kwargs: Any,
) -> Sparsity:
    """Where the Jacobian of ``fun`` may differ from zero, at any arguments of these shapes.

    ``fun`` is traced and never evaluated.

    Args:
      fun: as for ``jacobian``.
      *args: the arguments; ``jax.ShapeDtypeStruct`` will do for those to differentiate.
      argnums: as for ``jacobian``.
      has_aux: as for ``jacobian``.
      holomorphic: as for ``jacobian``.
      allow_int: as for ``jacobian``.
      **kwargs: keyword arguments of ``fun``.

    Returns:
      The pattern, to print, draw, convert, or to take diagonals and diagonal blocks of a sparse Jacobian by.

    Raises:
      TypeError: as for ``jacobian``; ConcretizationTypeError when ``fun`` needs the values of its arguments.
      ValueError: as for ``jacobian``.

    Example:
      >>> import jax
      >>> import elimax
      >>> x = jax.ShapeDtypeStruct((5,), "float32")
      >>> print(elimax.sparsity(lambda x: x[1:] * x[:-1], x))
      <lambda>: 4 x 5, 8 entries
        (result) by (argument): 4 x 5, 8 entries (0.4), bandwidth 0 + 1 + 1
    """
    check_callable(fun)
    name = function_name(fun)
    call = make_call(name, normalise_argnums(argnums), args, kwargs)
    flat = FlatFunction(fun, name, call, Options(has_aux, holomorphic, allow_int, abstract=True))
    arrays = flat.arrays
    if arrays:
        found = execute.pattern_for(flat, arrays, name)
    else:
        flat()
        found = []
    rows = iter(found)
    out_paths = _paths(flat.record.out_tree, "(result)")
    in_paths = _paths(flat.in_tree, "(argument)")
    lines = []
    for output, out_path in zip(flat.record.outputs, out_paths, strict=True):
        own = [next(rows) for _ in range({Kind.DIRECT: 1, Kind.SPLIT: 2}.get(output.kind, 0))]
        line, column = [], 0
        for x, in_path in zip(flat.inputs, in_paths, strict=True):
            count = {Kind.DIRECT: 1, Kind.SPLIT: 2}.get(x.kind, 0)
            parts = tuple(part for row in own for part in row[column : column + count])
            column += count
            line.append(BlockSparsity(out_path, in_path, output.shape, x.shape, parts))
        lines.append(tuple(line))
    inner = [jax.tree.unflatten(flat.in_tree, line) for line in lines]
    return Sparsity(name, jax.tree.unflatten(flat.record.out_tree, inner), tuple(lines))


def _paths(tree: Any, whole: str) -> list[str]:
    paths, _ = jax.tree_util.tree_flatten_with_path(jax.tree.unflatten(tree, range(tree.num_leaves)))
    return [jax.tree_util.keystr(path) or whole for path, _ in paths]
