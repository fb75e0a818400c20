"""Loops that are differentiated backwards, turn after turn, from states that were kept along the way.

With F and G the partials of one turn by its state and by what it reads, cotangents follow

    state: w <- F^T w,    everything else: u <- u + G^T w,

from the last turn to the first. Neither F nor G is formed: each turn is one product. The states that turns start from
are not all kept. A loop of n known turns keeps about sqrt(n) of them and recomputes those in between, a few at a time.
A loop with an end of its own keeps the number of its turns alone; the way back begins with a second run that keeps
states at even distances, as many as there is room for, and does so again within each distance. So memory does not grow
with the number of turns, and decisions are those of the first run.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from elimax._jax import trace
from elimax._jax.loops import Loop
from elimax.execute.control.backwards import Way
from elimax.execute.control.turns import Body, Moving, Plain

Arrays = Sequence[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """A loop with both directions of differentiation; see `elimax._jax.chained.ChainRule`.

    Attributes:
      loop: the loop as its equation has it; None for one that carries tangents, or runs for many points.
      body: what one turn does.
      num_cond: operands of the condition alone.
      num_consts: operands of the body alone.
      num_carried: carried values.
      length: number of turns; None where the condition decides.
      reverse: whether slices are taken from the last to the first.
      depths: for each operand that slices are taken of, the axis along which they are.
      depth: the same for stacked results, which is the number of axes that `jax.vmap` added.
      operands: shapes and dtypes of constants of the condition and of the body, carried values, and stacked slices.
    """

    loop: Loop | None
    body: Body
    num_cond: int
    num_consts: int
    num_carried: int
    length: int | None
    reverse: bool
    depths: tuple[int, ...]
    depth: int
    operands: tuple[jax.ShapeDtypeStruct, ...]

    @property
    def first(self) -> int:
        """Position of the first carried value among the operands."""
        return self.num_cond + self.num_consts

    @property
    def behind(self) -> int:
        """Position behind the last carried value."""
        return self.first + self.num_carried

    @property
    def distance(self) -> int:
        """Turns between states that are kept, if the number of turns is known."""
        return max(1, math.isqrt(max(0, (self.length or 1) - 1)) + 1)

    @functools.cached_property
    def results(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        """Shapes and dtypes of the results: carried values, and stacked ones."""
        found = jax.eval_shape(lambda *xs: self.values(xs), *self.operands)
        return tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in found)

    @functools.cached_property
    def inexact(self) -> tuple[int, ...]:
        """Numbers of the results that have tangents."""
        return tuple(k for k, x in enumerate(self.results) if jnp.issubdtype(x.dtype, jnp.inexact))

    def parts(self, operands: Arrays) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Constants of the condition and of the body, carried values, and what slices are taken of, by turn."""
        own = [*map(jnp.asarray, operands)]
        xs = [jnp.moveaxis(x, d, 0) for x, d in zip(own[self.behind :], self.depths, strict=True)]
        return own[: self.num_cond], own[self.num_cond : self.first], own[self.first : self.behind], xs

    def going(self, test: Arrays, carry: Arrays) -> Any:
        """Which points move; None if all do."""
        return self.body.test(test, carry) if self.depth and self.length is None else None

    def values(self, operands: Arrays) -> list[Any]:
        """Results of the loop."""
        test, consts, carry, xs = self.parts(operands)
        if self.length is None:
            return lax.while_loop(
                lambda s: jnp.any(self.body.test(test, s)),
                lambda s: self.body.turn(self.going(test, s), consts, s, [])[0],
                carry,
            )
        turn = functools.partial(self.body.turn, None, consts)
        final, ys = lax.scan(turn, carry, xs, length=self.length, reverse=self.reverse)
        return [*final, *(jnp.moveaxis(y, 0, self.depth) for y in ys)]

    def kept(self, operands: Arrays) -> tuple[list[Any], list[Any]]:
        """Results, and the number of turns, or states in between if that is known."""
        test, consts, carry, xs = self.parts(operands)
        if self.length is None:

            def step(state: Any) -> Any:
                return state[0] + 1, self.body.turn(self.going(test, state[1]), consts, state[1], [])[0]

            start = jnp.zeros((), jnp.int32), carry
            count, final = lax.while_loop(lambda s: jnp.any(self.body.test(test, s[1])), step, start)
            return final, [count]
        turn = functools.partial(self.body.turn, None, consts)
        xs = [jnp.flip(x, 0) for x in xs] if self.reverse else xs
        each, whole = self.distance, self.length // self.distance
        rows = [x[: whole * each].reshape(whole, each, *x.shape[1:]) for x in xs]

        def many(state: Any, x: Any) -> Any:
            after, ys = lax.scan(turn, state, x, length=each)
            return after, (state, ys)

        state, (states, ys) = lax.scan(many, carry, rows, length=whole)
        ys = [y.reshape(whole * each, *y.shape[2:]) for y in ys]
        left = self.length - whole * each
        if left:
            states = [jnp.concatenate([xs, x[None]]) for xs, x in zip(states, state, strict=True)]
            state, more = lax.scan(turn, state, [x[whole * each :] for x in xs], length=left)
            ys = [jnp.concatenate(both) for both in zip(ys, more, strict=True)]
        ys = [jnp.flip(y, 0) for y in ys] if self.reverse else ys
        return [*state, *(jnp.moveaxis(y, 0, self.depth) for y in ys)], list(states)

    def pull(self, active: tuple[int, ...], operands: Arrays, kept: Arrays | None, cotangents: Arrays) -> list[Any]:
        """Cotangents of some operands."""
        if kept is None:
            kept = self.kept(operands)[1]
        moving = self.moving(active)
        given = dict(zip(self.inexact, cotangents, strict=True))
        stacked = [jnp.moveaxis(given[self.num_carried + k], self.depth, 0) for k in moving.stacked]
        way = Way(self, moving, self.parts(operands), stacked)
        consts, carried, slices = way.back(kept, [given[k] for k in moving.carried])
        found: dict[int, Any] = dict(zip((self.num_cond + k for k in moving.consts), consts, strict=True))
        found.update(zip((self.first + k for k in moving.carried), carried, strict=True))
        for k, x in zip(moving.slices, slices, strict=True):
            found[self.behind + k] = jnp.moveaxis(x, 0, self.depths[k])
        return [found[k] if k in found else jnp.zeros(self.operands[k].shape, self.operands[k].dtype) for k in active]

    def example(self, active: tuple[int, ...] | None = None) -> Any:
        """One turn as a closed jaxpr, or the product with its Jacobian from the left, to see how long it takes."""

        def run(operands: Arrays, results: Arrays) -> list[Any]:
            test, consts, carry, xs = self.parts(operands)
            going, x = self.going(test, carry), [x[0] for x in xs]
            if active is None:
                after, ys = self.body.turn(going, consts, carry, x)
                return [*after, *ys]
            moving = self.moving(active)
            stacked = [jnp.moveaxis(results[self.num_carried + k], self.depth, 0)[0] for k in moving.stacked]
            found = self.body.pull(moving, going, consts, carry, x, [results[k] for k in moving.carried], stacked)
            return [y for part in found for y in part]

        return trace(run, [list(self.operands), list(self.results)])

    def moving(self, active: tuple[int, ...]) -> Moving:
        """What depends on some operands."""
        return self.body.moving(
            tuple(k - self.num_cond for k in active if self.num_cond <= k < self.first),
            tuple(k - self.first for k in active if self.first <= k < self.behind),
            tuple(k - self.behind for k in active if k >= self.behind),
        )

    def along(self, active: tuple[int, ...]) -> Chain:
        """The loop that carries tangents along."""
        moving = self.moving(active)
        operands = self._grown(self.operands, moving, lambda k: self.operands[k])
        return dataclasses.replace(
            self,
            loop=None,
            body=self.body.along(moving),
            num_consts=self.num_consts + len(moving.consts),
            num_carried=self.num_carried + len(moving.carried),
            depths=(*self.depths, *(self.depths[k] for k in moving.slices)),
            operands=tuple(operands),
        )

    def joined(self, active: tuple[int, ...], operands: Arrays, tangents: Arrays) -> list[Any]:
        """Operands of `along`."""
        given = dict(zip(active, tangents, strict=True))
        zero = lambda k: jnp.zeros(self.operands[k].shape, self.operands[k].dtype)  # noqa: E731
        return self._grown(operands, self.moving(active), lambda k: given[k] if k in given else zero(k))

    def _grown(self, operands: Arrays, moving: Moving, tangent: Any) -> list[Any]:
        """Operands and tangents of those that have any, in the order of `along`."""
        return [
            *operands[: self.first],
            *(tangent(self.num_cond + k) for k in moving.consts),
            *operands[self.first : self.behind],
            *(tangent(self.first + k) for k in moving.carried),
            *operands[self.behind :],
            *(tangent(self.behind + k) for k in moving.slices),
        ]

    def split(self, active: tuple[int, ...], results: Arrays) -> tuple[list[Any], list[Any]]:
        """Results and tangents of the inexact ones, from results of `along`."""
        moving = self.moving(active)
        carried, both = self.num_carried, self.num_carried + len(moving.carried)
        stacked = len(self.results) - carried
        pushed = dict(zip(moving.carried, results[carried:both], strict=True))
        pushed.update(zip((carried + k for k in moving.stacked), results[both + stacked :], strict=True))
        zero = lambda k: jnp.zeros(self.results[k].shape, self.results[k].dtype)  # noqa: E731
        return [*results[:carried], *results[both : both + stacked]], [
            pushed[k] if k in pushed else zero(k) for k in self.inexact
        ]

    def rejoined(self, active: tuple[int, ...], cotangents: Arrays) -> list[Any]:
        """Cotangents of the inexact results of `along` from those of the tangents."""
        moving = self.moving(active)
        given = dict(zip(self.inexact, cotangents, strict=True))
        zero = lambda k: jnp.zeros(self.results[k].shape, self.results[k].dtype)  # noqa: E731
        return [
            *(zero(k) for k in self.inexact if k < self.num_carried),
            *(given[k] for k in moving.carried),
            *(zero(k) for k in self.inexact if k >= self.num_carried),
            *(given[self.num_carried + k] for k in moving.stacked),
        ]

    def place(self, active: tuple[int, ...]) -> tuple[int, ...]:
        """Numbers of the operands among those of `along`."""
        moving = self.moving(active)
        consts, carried = len(moving.consts), len(moving.carried)
        return tuple(
            k + (consts if k >= self.first else 0) + (carried if k >= self.behind else 0)
            for k in range(len(self.operands))
        )

    def spread(self, mask: Sequence[bool]) -> tuple[bool, ...]:
        """Which operands have an axis over points: of the carried values all, besides those that have to."""
        return tuple(m or self.first <= k < self.behind for k, m in enumerate(mask))

    def mapped(self, size: int, mask: tuple[bool, ...]) -> Chain:
        """The loop over many points, all of which take part in every turn, and change only if they go on."""
        body = self.body.mapped(size, mask[: self.num_cond], mask[self.num_cond : self.first], mask[self.behind :])
        operands = tuple(
            jax.ShapeDtypeStruct((size, *x.shape), x.dtype) if m else x
            for x, m in zip(self.operands, mask, strict=True)
        )
        depths = tuple(d + m for d, m in zip(self.depths, mask[self.behind :], strict=True))
        return dataclasses.replace(self, loop=None, body=body, depths=depths, depth=self.depth + 1, operands=operands)


def chain_of(loop: Loop, operands: Arrays) -> Chain:
    """The rule of a loop.

    Args:
      loop: the loop.
      operands: its operands, or their shapes and dtypes.
    """
    shapes = tuple(jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)) for x in operands)
    count = len(shapes) - loop.first - loop.num_carried
    body = Plain(loop.cond, loop.body, loop.num_consts, loop.num_carried)
    return Chain(
        loop, body, loop.num_cond, loop.num_consts, loop.num_carried, loop.length, loop.reverse, (0,) * count, 0, shapes
    )
