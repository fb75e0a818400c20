"""One turn of a loop: its value, the product with its Jacobian from the left, and both for many points at once.

Under `jax.vmap` points stop at different turns. A point that has stopped is selected to stay what it is, and gives
nothing to cotangents, by selection and never by a product with zero: what its body computes from there on may be
infinite.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax

from elimax._jax import inline
from elimax._jax.program import as_function
from elimax.execute.control.step import dependence
from elimax.execute.emission import emitted_alone

Arrays = Sequence[Any]
Numbers = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Moving:
    """What carries derivatives in a loop, each by its numbers.

    Attributes:
      consts: constants of the body that are differentiated.
      carried: carried values that depend on something that is, on some turn.
      slices: what the loop takes slices of that is differentiated.
      stacked: stacked results that depend on any of them.
    """

    consts: Numbers
    carried: Numbers
    slices: Numbers
    stacked: Numbers


class Body(Protocol):
    """A turn."""

    def test(self, consts: Arrays, carry: Arrays) -> Any:
        """Whether a turn follows, for each point."""
        ...

    def turn(self, going: Any, consts: Arrays, carry: Arrays, x: Arrays) -> tuple[list[Any], list[Any]]:
        """Carried and stacked values; ``going`` tells which points move, or is None if all do."""
        ...

    def pull(
        self, moving: Moving, going: Any, consts: Arrays, carry: Arrays, x: Arrays, cotangents: Arrays, stacked: Arrays
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Cotangents of constants, carried values and slices from those of carried and stacked values."""
        ...

    def moving(self, consts: Numbers, carried: Numbers, slices: Numbers) -> Moving:
        """What depends on some operands."""
        ...

    def along(self, moving: Moving) -> Body:
        """The turn that carries tangents along."""
        ...

    def mapped(self, size: int, test: tuple[bool, ...], consts: tuple[bool, ...], slices: tuple[bool, ...]) -> Body:
        """The turn for many points."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Plain:
    """A turn of one point.

    Attributes:
      cond: closed jaxpr of the condition, or None.
      body: closed jaxpr of the body.
      num_consts: number of its constants.
      num_carried: number of carried values.
      staged: whether a turn is emitted in the form that suits it. Where carried values are tangents, its operations
        stay single, because `jax.vmap` over directions leaves the others alone then.
    """

    cond: Any
    body: Any
    num_consts: int
    num_carried: int
    staged: bool = True

    def test(self, consts: Arrays, carry: Arrays) -> Any:
        """See `Body`."""
        return as_function(self.cond)(*consts, *carry)[0]

    def turn(self, going: Any, consts: Arrays, carry: Arrays, x: Arrays) -> tuple[list[Any], list[Any]]:
        """See `Body`."""
        operands = [*map(jnp.asarray, (*consts, *carry, *x))]
        fun = as_function(self.body)
        found = emitted_alone(fun, operands) if self.staged else list(fun(*operands))
        after, ys = found[: self.num_carried], found[self.num_carried :]
        return [_chosen(going, a, b) for a, b in zip(after, carry, strict=True)], ys

    def pull(
        self, moving: Moving, going: Any, consts: Arrays, carry: Arrays, x: Arrays, cotangents: Arrays, stacked: Arrays
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """See `Body`."""
        own = [*map(jnp.asarray, (*consts, *carry, *x))]
        wanted = [*moving.carried, *(self.num_carried + k for k in moving.stacked)]
        behind = self.num_consts + self.num_carried
        numbers = [
            *moving.consts,
            *(self.num_consts + k for k in moving.carried),
            *(behind + k for k in moving.slices),
        ]
        fun = as_function(self.body)

        def back(*given: Any) -> list[Any]:
            operands, seeds = given[: len(own)], given[len(own) :]

            def chosen(*some: Any) -> list[Any]:
                full = list(operands)
                for k, value in zip(numbers, some, strict=True):
                    full[k] = value
                results = fun(*full)
                return [results[k] for k in wanted]

            return list(jax.vjp(chosen, *(operands[k] for k in numbers))[1](list(seeds)))

        given = [*own, *map(jnp.asarray, (*cotangents, *stacked))]
        found = emitted_alone(back, given) if self.staged else back(*given)
        first, second = len(moving.consts), len(moving.consts) + len(moving.carried)
        before = [_chosen(going, a, b) for a, b in zip(found[first:second], cotangents, strict=True)]
        rest = [x if going is None else _chosen(going, x, jnp.zeros_like(x)) for x in found]
        return rest[:first], before, rest[second:]

    def moving(self, consts: Numbers, carried: Numbers, slices: Numbers) -> Moving:
        """See `Body`."""
        first, behind = self.num_consts, self.num_consts + self.num_carried
        start = {*consts, *(first + k for k in carried), *(behind + k for k in slices)}
        inexact = [jnp.issubdtype(a.dtype, jnp.inexact) for a in self.body.out_avals]
        moved = set(start)
        while True:
            more = {first + k for k in range(self.num_carried) if inexact[k] and self._depends[k] & moved} | moved
            if more == moved:
                break
            moved = more
        stacked = [
            k - self.num_carried
            for k in range(self.num_carried, len(inexact))
            if inexact[k] and self._depends[k] & moved
        ]
        return Moving(
            tuple(consts), tuple(sorted(k - first for k in moved if first <= k < behind)), tuple(slices), tuple(stacked)
        )

    @functools.cached_property
    def _depends(self) -> list[set[int]]:
        return dependence(inline(self.body, [True] * len(self.body.in_avals)))

    def along(self, moving: Moving) -> Plain:
        """See `Body`."""
        avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in self.body.in_avals]
        first, behind = self.num_consts, self.num_consts + self.num_carried
        numbers = [*moving.consts, *(first + k for k in moving.carried), *(behind + k for k in moving.slices)]
        fun = as_function(self.body)
        groups = [avals[:first], avals[first:behind], avals[behind:]]
        tangents = [
            [jax.ShapeDtypeStruct(group[k].shape, group[k].dtype) for k in chosen]
            for group, chosen in zip(groups, (moving.consts, moving.carried, moving.slices), strict=True)
        ]
        given = [[*group, *more] for group, more in zip(groups, tangents, strict=True)]

        def turn(consts: Arrays, carry: Arrays, x: Arrays) -> list[Any]:
            parts = [
                (own[: len(group)], own[len(group) :]) for own, group in zip((consts, carry, x), groups, strict=True)
            ]
            operands = [v for own, _ in parts for v in own]
            pushed = [t for _, own in parts for t in own]

            def chosen(*some: Any) -> list[Any]:
                full = list(operands)
                for k, value in zip(numbers, some, strict=True):
                    full[k] = value
                return fun(*full)

            results, after = jax.jvp(chosen, [operands[k] for k in numbers], pushed)
            count = self.num_carried
            return [
                *results[:count],
                *(after[k] for k in moving.carried),
                *results[count:],
                *(after[count + k] for k in moving.stacked),
            ]

        body = jax.make_jaxpr(lambda *xs: turn(*_split(xs, [len(g) for g in given])))(*(x for g in given for x in g))
        cond = None
        if self.cond is not None:
            number = len(self.cond.in_avals) - self.num_carried
            test = as_function(self.cond)
            own = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self.cond.in_avals[:number]]
            cond = jax.make_jaxpr(lambda *xs: test(*xs[: number + self.num_carried]))(*own, *given[1])
        return Plain(cond, body, len(given[0]), len(given[1]), staged=False)

    def mapped(self, size: int, test: tuple[bool, ...], consts: tuple[bool, ...], slices: tuple[bool, ...]) -> Body:
        """See `Body`."""
        return Mapped(self, size, test, consts, slices)


@dataclasses.dataclass(frozen=True, eq=False)
class Mapped:
    """A turn of many points.

    Attributes:
      inner: the turn of one.
      size: number of points.
      tests: which constants of the condition differ from point to point.
      consts: which constants of the body do.
      slices: which slices do.
    """

    inner: Body
    size: int
    tests: tuple[bool, ...]
    consts: tuple[bool, ...]
    slices: tuple[bool, ...]

    def test(self, consts: Arrays, carry: Arrays) -> Any:
        """See `Body`."""
        return self._map(self.inner.test, (_axes(self.tests), 0), consts, carry)

    def turn(self, going: Any, consts: Arrays, carry: Arrays, x: Arrays) -> tuple[list[Any], list[Any]]:
        """See `Body`."""
        axes = (None if going is None else 0, _axes(self.consts), 0, _axes(self.slices))
        return self._map(self.inner.turn, axes, going, list(consts), list(carry), list(x))

    def pull(
        self, moving: Moving, going: Any, consts: Arrays, carry: Arrays, x: Arrays, cotangents: Arrays, stacked: Arrays
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """See `Body`."""
        axes = (None if going is None else 0, _axes(self.consts), 0, _axes(self.slices), 0, 0)
        fun = functools.partial(self.inner.pull, moving)
        given = going, list(consts), list(carry), list(x), list(cotangents), list(stacked)
        own, before, slices = self._map(fun, axes, *given)
        own = [v if self.consts[k] else jnp.sum(v, 0) for k, v in zip(moving.consts, own, strict=True)]
        return own, before, [v if self.slices[k] else jnp.sum(v, 0) for k, v in zip(moving.slices, slices, strict=True)]

    def moving(self, consts: Numbers, carried: Numbers, slices: Numbers) -> Moving:
        """See `Body`."""
        return self.inner.moving(consts, carried, slices)

    def along(self, moving: Moving) -> Mapped:
        """See `Body`."""
        consts = (*self.consts, *(self.consts[k] for k in moving.consts))
        slices = (*self.slices, *(self.slices[k] for k in moving.slices))
        return Mapped(self.inner.along(moving), self.size, self.tests, consts, slices)

    def mapped(self, size: int, test: tuple[bool, ...], consts: tuple[bool, ...], slices: tuple[bool, ...]) -> Body:
        """See `Body`."""
        return Mapped(self, size, test, consts, slices)

    def _map(self, fun: Callable[..., Any], axes: Any, *given: Any) -> Any:
        return jax.vmap(fun, in_axes=axes, axis_size=self.size)(*given)


def _axes(mask: tuple[bool, ...]) -> list[int | None]:
    return [0 if m else None for m in mask]


def _chosen(going: Any, new: Any, old: Any) -> Any:
    if going is None:
        return jnp.asarray(new)
    return lax.select_n(jnp.broadcast_to(going, jnp.shape(new)), jnp.asarray(old), jnp.asarray(new))


def _split(xs: Arrays, sizes: Sequence[int]) -> list[list[Any]]:
    parts, start = [], 0
    for size in sizes:
        parts.append(list(xs[start : start + size]))
        start += size
    return parts
