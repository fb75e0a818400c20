"""A loop as it is read: its body as a flat program, what goes in, and which carries depend on which."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import Program


class Open(Exception):  # not an error: it says why a loop stays a loop
    """A loop, or a carry of it, has no closed form that is known here; the message says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stepwise:
    """A value of a loop's body at every turn.

    Attributes:
      array: the value; with a leading axis over the turns if ``varies``.
      varies: whether it differs from turn to turn.
    """

    array: Any
    varies: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Loop:
    """A loop with a known or recorded number of turns.

    Attributes:
      body: flat program from constants, carries and xs to carries and ys; nothing is active.
      consts: values of the constants.
      init: values of the carries before the first turn.
      xs: stacked inputs, in the order of the turns.
      turns: how often the body runs: an integer, or integers that are traced.
      ended: values of the carries after the last turn, without derivatives, where the number of turns was recorded by
        running the loop; empty elsewhere.
      points: shape of the leading axes of all carries over points that turn on their own, as `jax.vmap` of a while loop
        makes them; the number of turns is an array of this shape.
    """

    body: Program
    consts: Sequence[Any]
    init: Sequence[Any]
    xs: Sequence[Any]
    turns: Any
    ended: Sequence[Any] = ()
    points: tuple[int, ...] = ()

    def turns_of(self, array: Any) -> Any:
        """The number of turns, in a shape that broadcasts with a carry."""
        if not self.points:
            return self.turns
        return jnp.reshape(self.turns, (*self.points, *(1,) * (jnp.ndim(array) - len(self.points))))

    @property
    def known(self) -> bool:
        """Whether the number of turns is known."""
        return isinstance(self.turns, int)

    @property
    def carries(self) -> list[int]:
        """Numbers of the values that hold the carries at the beginning of a turn."""
        start = len(self.consts)
        return [r.value for r in self.body.inputs[start : start + len(self.init)]]

    @property
    def following(self) -> list[int]:
        """Numbers of the values that hold the carries at the end of a turn."""
        return [r.value for r in self.body.outputs[: len(self.init)]]

    @property
    def stacked(self) -> list[int]:
        """Numbers of the values that are stacked."""
        return [r.value for r in self.body.outputs[len(self.init) :]]

    @functools.cached_property
    def producer(self) -> dict[int, int]:
        """The equation that a value comes from."""
        return {r.value: k for k, e in enumerate(self.body.equations) for r in e.outputs}

    @functools.cached_property
    def reads(self) -> dict[int, frozenset[int]]:
        """For each value, which carries it depends on, by their positions."""
        found = {value: frozenset((k,)) for k, value in enumerate(self.carries)}
        none: frozenset[int] = frozenset()
        for equation in self.body.equations:
            together = none.union(*(found.get(r.value, none) for r in equation.inputs))
            found.update({r.value: together for r in equation.outputs})
        return found

    @functools.cached_property
    def reached(self) -> list[frozenset[int]]:
        """For each carry, the carries that decide over its later values, by way of any number of turns."""
        direct = [self.reads.get(value, frozenset()) for value in self.following]
        found = list(direct)
        for _ in found:
            found = [frozenset().union(own, *(found[k] for k in own)) for own in found]
        return found

    def component(self, carry: int) -> list[int]:
        """The carries that a carry depends on and that depend on it, itself first included."""
        return [
            k for k in range(len(self.init)) if k == carry or (k in self.reached[carry] and carry in self.reached[k])
        ]


def apply(fun: Any, *operands: Stepwise) -> Stepwise:
    """A function of one turn's values at every turn; once if none of them varies."""
    varies = any(x.varies for x in operands)
    if not varies:
        with np.errstate(all="ignore"):  # numbers may be NumPy's, which warns where JAX does not
            return Stepwise(fun(*(x.array for x in operands)), False)
    mapped = jax.vmap(fun, in_axes=[0 if x.varies else None for x in operands])
    return Stepwise(mapped(*(x.array for x in operands)), True)


def spread(value: Stepwise, turns: int) -> Any:
    """A value with its axis over the turns."""
    if value.varies:
        return value.array
    return jnp.broadcast_to(value.array, (turns, *jnp.shape(value.array)))
