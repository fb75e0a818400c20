"""A call of a user's function, traced: what it closes over becomes operands in front of the arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import trace
from elimax._jax.staged import lift
from elimax.errors import ArgnumsError, ArgumentError


class TracedCall:
    """A function on the shapes of the arguments of one call.

    Attributes:
      closed: its closed jaxpr.
      operands: what it closes over that is traced, and the leaves of the arguments.
      positions: of the arguments that are not static.
      paths: of the leaves, in the pair of arguments and keywords.
    """

    def __init__(self, fun: Any, name: str, static: set[int], args: tuple[Any, ...], kwargs: dict[str, Any]):
        dynamic = [a for k, a in enumerate(args) if k not in static]
        self.positions = [k for k in range(len(args)) if k not in static]
        found, tree = jax.tree_util.tree_flatten_with_path((dynamic, kwargs))
        self.paths = [path for path, _ in found]
        leaves = [_operand(leaf, path, self.positions, name) for path, leaf in found]
        trees: list[Any] = []

        def flat(*leaves: Any) -> list[Any]:
            chosen, keywords = jax.tree.unflatten(tree, leaves)
            supply = iter(chosen)
            full = [a if k in static else next(supply) for k, a in enumerate(args)]
            results, out_tree = jax.tree_util.tree_flatten_with_path(fun(*full, **keywords))
            trees.append(out_tree)
            return [_result(x, path, name) for path, x in results]

        closed = trace(flat, leaves)
        self._out_tree = trees[-1]
        self.num_leaves = len(leaves)
        self.closed, self.operands = lift(closed, leaves)

    def unflatten(self, results: Sequence[Any]) -> Any:
        """Results with the tree of the function's output."""
        return jax.tree.unflatten(self._out_tree, results)


def bound_positions(numbers: Sequence[int], args: tuple[Any, ...], name: str) -> set[int]:
    """Positions of the static arguments of a call.

    Args:
      numbers: as the user gave them.
      args: of the call.
      name: of the function.

    Raises:
      ArgnumsError: there is no such argument.
    """
    positions = set()
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise ArgnumsError(
                f"static_argnums={tuple(numbers)!r} names positional argument {number}, but {name} was called "
                f"with {len(args)} positional argument(s)."
            )
        positions.add(number % len(args))
    return positions


def _operand(leaf: Any, path: Any, positions: Sequence[int], name: str) -> Any:
    try:
        return leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jnp.asarray(leaf)
    except (TypeError, ValueError) as error:
        place = path[1]
        where = positions[place.idx] if path[0].idx == 0 else repr(place.key)
        raise ArgumentError(
            f"Argument {where}{jax.tree_util.keystr(path[2:])} of {name} is {leaf!r} of type {type(leaf).__name__}, "
            "which is not an array or number. Name arguments that are no arrays in static_argnums."
        ) from error


def _result(value: Any, path: Any, name: str) -> Any:
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{name} returned {type(value).__name__} at {jax.tree_util.keystr(path) or '(the result)'}, which is not "
            "an array or number. Return arrays alone."
        ) from error
