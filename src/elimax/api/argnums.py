"""Which arguments to differentiate with respect to: the rules of ``argnums``."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from elimax.errors import ArgnumsError, ArgumentError


def normalise_argnums(argnums: Any, name: str = "argnums") -> int | tuple[int, ...]:
    """Turns ``argnums`` into an integer or a tuple of integers.

    Args:
      argnums: anything with ``__index__``, or an iterable of such things (a tuple, list, range, NumPy array, ...).
      name: of the argument, for messages.

    Returns:
      An integer when ``argnums`` is one, otherwise a tuple.

    Raises:
      ArgumentError: it is neither (a TypeError, as in JAX).
    """
    try:
        return operator.index(argnums)
    except TypeError:
        pass
    try:
        return tuple(operator.index(number) for number in argnums)
    except TypeError:
        raise ArgumentError(
            f"{name} must be an integer or a sequence of integers, got {argnums!r} of type {type(argnums).__name__}."
        ) from None


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of the user's function, with the arguments to differentiate singled out.

    Attributes:
      args: all positional arguments.
      kwargs: keyword arguments; they are never differentiated.
      positions: non-negative positions of the differentiated arguments, in the order of ``argnums``.
      single: whether ``argnums`` was one integer, so that no tuple wraps the Jacobian.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    positions: tuple[int, ...]
    single: bool

    @property
    def dynamic(self) -> Any:
        """The differentiated argument, or the tuple of them: its tree is the inner tree of the Jacobian."""
        chosen = tuple(self.args[position] for position in self.positions)
        return chosen[0] if self.single else chosen

    def arguments(self, dynamic: Any) -> list[Any]:
        """All positional arguments, with ``dynamic`` in the place of the differentiated ones."""
        args = list(self.args)
        for position, value in zip(self.positions, (dynamic,) if self.single else dynamic, strict=True):
            args[position] = value
        return args


def make_call(name: str, argnums: int | Sequence[int], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Finds the differentiated arguments of one call.

    Args:
      name: of the function, for messages.
      argnums: as returned by ``normalise_argnums``; negative numbers count from the last positional argument.
      args: positional arguments.
      kwargs: keyword arguments.

    Returns:
      The call.

    Raises:
      ArgnumsError: a number is out of range (a ValueError, as in JAX).
      ArgumentError: an argument is named twice.
    """
    single = isinstance(argnums, int)
    positions = []
    for number in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= number < len(args):
            hint = " Arguments to differentiate must be passed by position, not by keyword." if kwargs else ""
            raise ArgnumsError(
                f"argnums={argnums!r} names positional argument {number}, but {name} was called with "
                f"{len(args)} positional argument(s).{hint}"
            )
        position = number % len(args)
        if position in positions:
            raise ArgumentError(
                f"argnums={argnums!r} names positional argument {position} of {name} twice; name each argument once."
            )
        positions.append(position)
    return Call(args, kwargs, tuple(positions), single)
