"""The way back through a loop, from its last turn to its first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jax import lax

from elimax.execute.control.turns import Moving

if TYPE_CHECKING:
    from elimax.execute.control.chain import Chain

ROOM = 1 << 16
"""Elements of states that are kept at a time, in a loop whose number of turns is not known."""

SLOTS = (32, 512)
"""Least and largest number of states that are kept at a time."""

ENOUGH = 256
"""With this many states at a time two levels reach far; with fewer there are three."""

Arrays = Sequence[Any]
Found = tuple[list[Any], list[Any], list[Any]]
"""Cotangents of constants, carried values, and slices by turn."""


class Way:
    """The way back.

    Args:
      chain: the loop.
      moving: what is differentiated.
      parts: constants of condition and body, carried values, and what slices are taken of, by turn.
      stacked: cotangents of stacked results, by turn.
    """

    def __init__(self, chain: Chain, moving: Moving, parts: tuple[Arrays, ...], stacked: Arrays):
        self._chain, self._moving, self._stacked = chain, moving, stacked
        self._test, self._consts, self._carry, self._xs = parts

    def back(self, kept: Arrays, cotangents: Sequence[Any]) -> Found:
        """Cotangents from those of the carried values at the end.

        Args:
          kept: see `Chain.kept`.
          cotangents: of the carried values that move.
        """
        chain, moving = self._chain, self._moving
        found: Found = (
            [jnp.zeros_like(self._consts[k]) for k in moving.consts],
            [jnp.asarray(x) for x in cotangents],
            [jnp.zeros_like(self._xs[k]) for k in moving.slices],
        )
        if chain.length is None:
            size = sum(math.prod(x.shape) for x in self._carry)
            slots = min(SLOTS[1], max(SLOTS[0], ROOM // max(1, size)))
            return self._far(2 if slots >= ENOUGH else 3, slots, list(self._carry), 0, kept[0], found)
        if not chain.length:
            return found
        each, length = chain.distance, chain.length
        count = -(-length // each)

        def segment(k: Any, found: Found) -> Found:
            start = count - 1 - k
            state = [lax.dynamic_index_in_dim(x, start, keepdims=False) for x in kept]
            return self._near(each, state, start * each, jnp.minimum(each, length - start * each), found)

        return lax.fori_loop(0, count, segment, found)

    def _near(self, slots: int, state: list[Any], first: Any, count: Any, found: Found) -> Found:
        """Some turns whose states are all kept for a while."""
        states = self._recorded(slots, state, first, 1, count)

        def turn(k: Any, found: Found) -> Found:
            at = count - 1 - k
            return self._turn(first + at, _at(states, at), found)

        return lax.fori_loop(0, count, turn, found)

    def _far(self, levels: int, slots: int, state: list[Any], first: Any, count: Any, found: Found) -> Found:
        """Some turns, with states kept at a distance; on the last level, each is recomputed from the start."""
        if not levels:

            def turn(k: Any, found: Found) -> Found:
                at = count - 1 - k
                return self._turn(first + at, self._forward(state, first, at), found)

            return lax.fori_loop(0, count, turn, found)
        distance = jnp.maximum(1, -(-count // slots))
        number = -(-count // distance)
        states = self._recorded(slots, state, first, distance, number)

        def segment(k: Any, found: Found) -> Found:
            at = number - 1 - k
            inside = jnp.minimum(distance, count - at * distance)
            return self._far(levels - 1, slots, _at(states, at), first + at * distance, inside, found)

        return lax.fori_loop(0, number, segment, found)

    def _recorded(self, slots: int, state: list[Any], first: Any, distance: Any, count: Any) -> list[Any]:
        """States [slots, ...] at the beginning of so many stretches, the rest zeros; none is computed in vain."""
        room = [jnp.zeros((slots, *x.shape), x.dtype).at[0].set(x) for x in state]

        def step(k: Any, held: tuple[list[Any], list[Any]]) -> tuple[list[Any], list[Any]]:
            states, now = held
            after = self._forward(now, first + (k - 1) * distance, distance)
            return [lax.dynamic_update_index_in_dim(xs, x, k, 0) for xs, x in zip(states, after, strict=True)], after

        return lax.fori_loop(1, count, step, (room, state))[0]

    def _forward(self, state: list[Any], first: Any, count: Any) -> list[Any]:
        """The state so many turns later."""
        chain = self._chain

        def turn(k: Any, state: list[Any]) -> list[Any]:
            going = chain.going(self._test, state)
            return chain.body.turn(going, self._consts, state, self._slices(first + k, self._xs))[0]

        return turn(0, state) if isinstance(count, int) and count == 1 else lax.fori_loop(0, count, turn, state)

    def _turn(self, number: Any, state: list[Any], found: Found) -> Found:
        """One turn backwards."""
        chain, (consts, carried, slices) = self._chain, found
        own, before, pieces = chain.body.pull(
            self._moving,
            chain.going(self._test, state),
            self._consts,
            state,
            self._slices(number, self._xs),
            carried,
            self._slices(number, self._stacked),
        )
        place = self._place(number)
        return (
            [x + y for x, y in zip(consts, own, strict=True)],
            before,
            [lax.dynamic_update_index_in_dim(xs, x, place, 0) for xs, x in zip(slices, pieces, strict=True)],
        )

    def _slices(self, number: Any, xs: Arrays) -> list[Any]:
        return _at(xs, self._place(number)) if xs else []

    def _place(self, number: Any) -> Any:
        return self._chain.length - 1 - number if self._chain.reverse and self._chain.length else number


def _at(xs: Arrays, place: Any) -> list[Any]:
    return [lax.dynamic_index_in_dim(x, place, keepdims=False) for x in xs]
