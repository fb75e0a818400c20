"""Closes the carries of a loop, one after another, as far as they are wanted."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.coarsen.loops import composed, geometric, matrices, recurrences
from elimax.coarsen.loops.axes import check_apart
from elimax.coarsen.loops.carries import Loop, Open, Stepwise, apply, spread
from elimax.coarsen.loops.forms import Form, of_equation
from elimax.coarsen.loops.linear import check_linear

ACCUMULATION, CONSTANT = "accumulation", "accumulation of a constant"
"""Rules of sums."""

INVARIANT, COUNTER, LAST, VARYING = "invariant", "counter", "last value", "varying factors composed"
RECORDED, MATRIX = "recorded", "power of a matrix"
"""Other rules that are told apart."""

MOST_ROWS = 64
"""Linear systems of more unknowns are not raised to a power."""

EXACT = (np.dtype(np.float32), np.dtype(np.float64))
"""Dtypes of factors: in narrower ones a closed form differs visibly from turn after turn."""


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """A carry in closed form.

    Attributes:
      rule: what was recognised, in words.
      final: the value after the last turn.
      before: the values at the beginning of every turn.
    """

    rule: str
    final: Callable[[], Any]
    before: Callable[[], Stepwise]


class Solver:
    """Evaluates a loop's results without the loop.

    Args:
      loop: the loop, which turns at least once.

    Attributes:
      cumulative: whether every value of a sum, power or composition was wanted, not the last alone.
    """

    def __init__(self, loop: Loop):
        self._loop = loop
        self._solved: dict[int, Solution] = {}
        self._open: set[int] = set()
        self.cumulative = False
        self._known: dict[int, Stepwise] = {k: Stepwise(v, False) for k, v in loop.body.constants.items()}
        inputs = [r.value for r in loop.body.inputs]
        count = len(loop.consts)
        self._known.update(zip(inputs, (Stepwise(x, False) for x in loop.consts), strict=False))
        start = count + len(loop.init)
        self._known.update(zip(inputs[start:], (Stepwise(x, True) for x in loop.xs), strict=True))

    @property
    def rules(self) -> dict[int, str]:
        """The rule of each carry that was closed."""
        return {carry: solution.rule for carry, solution in self._solved.items()}

    def final(self, carry: int) -> Any:
        """A carry after the last turn."""
        return self._in_shape(self.solution(carry).final(), carry)

    def stacked(self, number: int) -> Any:
        """A result that the loop stacks."""
        return spread(self.value(self._loop.stacked[number]), self._turns)

    @property
    def _turns(self) -> int:
        if not self._loop.known:
            raise Open("values of every turn, whose number is not known")
        return self._loop.turns

    def _in_shape(self, value: Any, carry: int) -> Any:
        start = self._loop.init[carry]
        return jnp.broadcast_to(value, jnp.shape(start)).astype(jnp.result_type(start))

    def value(self, number: int) -> Stepwise:
        """A value of the body at every turn."""
        if number not in self._known:
            self._evaluate(number)
        return self._known[number]

    def _evaluate(self, number: int) -> None:
        """Evaluate what a value is made from, in program order."""
        carries = {value: k for k, value in enumerate(self._loop.carries)}
        wanted, cone = [number], set()
        while wanted:
            value = wanted.pop()
            if value in self._known:
                continue
            if value in carries:
                solution = self.solution(carries[value])
                self.cumulative |= solution.rule not in (INVARIANT, COUNTER, LAST)
                self._known[value] = solution.before()
                continue
            source = self._loop.producer[value]
            if source not in cone:
                cone.add(source)
                wanted.extend(r.value for r in self._loop.body.equations[source].inputs)
        for source in sorted(cone):
            equation = self._loop.body.equations[source]
            operands = [self._known[r.value] for r in equation.inputs]
            varies = any(x.varies for x in operands)
            results = _call(equation.call, operands)
            self._known.update((r.value, Stepwise(x, varies)) for r, x in zip(equation.outputs, results, strict=True))

    def solution(self, carry: int) -> Solution:
        """A carry in closed form.

        Raises:
          Open: if none is known.
        """
        if carry not in self._solved:
            if carry in self._open:
                raise Open("carries that depend on each other")
            self._open.add(carry)
            self._solved[carry] = self._solve(carry)
        return self._solved[carry]

    def _solve(self, carry: int) -> Solution:
        loop = self._loop
        start, following = loop.init[carry], loop.following[carry]
        if loop.ended and not jnp.issubdtype(jnp.result_type(start), jnp.inexact):
            return Solution(RECORDED, lambda: loop.ended[carry], self._never)
        if following == loop.carries[carry]:
            return Solution(INVARIANT, lambda: start, lambda: Stepwise(start, False))
        if carry not in loop.reached[carry]:
            return self._last_value(start, following)
        if len(loop.component(carry)) > 1:
            return self._linear(loop.component(carry), carry)
        try:
            form = self._form(carry)
        except Open as reason:
            try:
                return self._linear([carry], carry)
            except Open as other:
                raise Open(f"{reason}; {other}") from None
        return self._closed(form, jnp.asarray(start))

    def _never(self) -> Stepwise:
        raise Open("values of every turn of what was recorded")

    def _last_value(self, start: Any, following: int) -> Solution:
        """A carry that the turn before does not matter to."""

        def final() -> Any:
            value = self.value(following)
            return value.array[-1] if value.varies else value.array

        def before() -> Stepwise:
            return Stepwise(composed.shifted(start, spread(self.value(following), self._turns)), True)

        return Solution(LAST, final, before)

    def _form(self, carry: int) -> Form:
        loop = self._loop
        found: dict[int, Form] = {loop.carries[carry]: Form(loop.body.values[loop.carries[carry]])}
        for source in self._between(loop.following[carry], {carry}):
            equation = loop.body.equations[source]
            operands = [found[r.value] if r.value in found else self.value(r.value) for r in equation.inputs]
            aval = loop.body.values[equation.outputs[0].value]
            found[equation.outputs[0].value] = of_equation(equation, operands, aval, found[loop.carries[carry]].carry)
        return found[loop.following[carry]]

    def _between(self, number: int, carries: set[int]) -> list[int]:
        """Equations that lead from some carries to a value, in program order."""
        reads, cone, wanted = self._loop.reads, set(), [number]
        while wanted:
            value = wanted.pop()
            source = self._loop.producer.get(value)
            if source is None or source in cone or not reads.get(value, frozenset()) & carries:
                continue
            cone.add(source)
            wanted.extend(r.value for r in self._loop.body.equations[source].inputs)
        return sorted(cone)

    def _closed(self, form: Form, p: Any) -> Solution:
        n = self._loop.turns_of(p)
        if form.exponent > 1:
            return self._power(form, p)
        if form.factor is None:
            return self._sum(form, p)
        if p.dtype not in EXACT:
            raise Open(f"a factor of dtype {p.dtype}")
        a, b = form.slope, form.rest
        whole = lambda x: jnp.broadcast_to(x, p.shape)  # noqa: E731

        def before() -> Stepwise:
            factors, shifts = (spread(apply(whole, x), self._turns) for x in (a, b))
            return Stepwise(composed.every(p, factors, shifts), True)

        if a.varies or b.varies:
            factors, shifts = (spread(apply(whole, x), self._turns) for x in (a, b))
            return Solution(VARYING, lambda: composed.last(p, factors, shifts), before)
        shift = None if form.shift is None else whole(b.array)
        rule = "power" if shift is None else "geometric sum"
        return Solution(rule, lambda: geometric.affine(p, whole(a.array), shift, n), before)

    def _sum(self, form: Form, p: Any) -> Solution:
        n, b = self._loop.turns_of(p), form.rest
        if form.shift is None:
            return Solution(INVARIANT, lambda: p, lambda: Stepwise(p, False))
        if p.dtype.kind not in "iufc" or (p.dtype.kind in "fc" and p.dtype.itemsize < 4):
            raise Open(f"a sum of dtype {p.dtype}")
        if b.varies:

            def before() -> Stepwise:
                each = apply(lambda x: jnp.broadcast_to(x, p.shape), b).array
                return Stepwise(composed.shifted(p, p + jnp.cumsum(each, axis=0, dtype=p.dtype)), True)

            return Solution(ACCUMULATION, lambda: p + jnp.sum(b.array, axis=0, dtype=p.dtype), before)

        def counted() -> Stepwise:
            turns = jnp.arange(self._turns).astype(p.dtype)
            return Stepwise(jax.vmap(lambda k: p + k * b.array)(turns), True)

        whole = p.dtype.kind in "iu" and p.shape == self._loop.points
        rule = COUNTER if whole else CONSTANT
        return Solution(rule, lambda: p + jnp.asarray(n).astype(p.dtype) * b.array, counted)

    def _power(self, form: Form, p: Any) -> Solution:
        n, a, e = self._turns, form.slope, form.exponent
        if a.varies or p.dtype not in EXACT:
            raise Open("a power with a factor that varies" if a.varies else f"a power of dtype {p.dtype}")
        recurrences.exponent(e, n)
        return Solution(
            "power recurrence",
            lambda: recurrences.last(p, a.array, e, n),
            lambda: Stepwise(recurrences.every(p, a.array, e, n), True),
        )

    def _linear(self, component: Sequence[int], carry: int) -> Solution:
        """Carries that are linear in each other, as one vector."""
        loop = self._loop
        starts = [jnp.asarray(loop.init[k]) for k in component]
        inner = {loop.carries[k] for k in component}
        cone = sorted({s for k in component for s in self._between(loop.following[k], set(component))})
        check_linear(loop.body, cone, inner)
        rank = self._apart(starts, cone, inner, [loop.following[k] for k in component])
        points = starts[0].shape[:rank]
        sizes = [math.prod(x.shape[rank:]) for x in starts]
        alone = sum(sizes) == 1
        outer = {r.value for s in cone for r in loop.body.equations[s].inputs} - inner
        outer -= {r.value for s in cone for r in loop.body.equations[s].outputs}
        fixed = {value: self.value(value) for value in sorted(outer)}
        if any(x.varies for x in fixed.values()):
            raise Open("a linear system that varies")

        def step(state: Any) -> Any:
            env = {value: x.array for value, x in fixed.items()}
            at = 0
            for k, x, size in zip(component, starts, sizes, strict=True):
                env[loop.carries[k]] = state[..., at : at + size].reshape(x.shape)
                at += size
            for source in cone:
                equation = loop.body.equations[source]
                results = equation.call(*(env[r.value] for r in equation.inputs))
                env.update((r.value, x) for r, x in zip(equation.outputs, results, strict=True))
            following = [env[v] if v in env else self.value(v).array for v in (loop.following[k] for k in component)]
            return joined(following)

        def joined(parts: Sequence[Any]) -> Any:
            return jnp.concatenate([jnp.reshape(x, (*points, -1)) for x in parts], axis=-1)

        @functools.cache
        def end() -> Any:
            start = joined(starts)
            none, units = jnp.zeros_like(start), jnp.eye(sum(sizes), dtype=start.dtype)
            column = lambda t: jax.jvp(step, (none,), (jnp.broadcast_to(t, start.shape),))[1]  # noqa: E731
            matrix, shift = jax.vmap(column, out_axes=-1)(units), step(none)
            if alone:
                return geometric.affine(start, matrix[..., 0], shift, loop.turns_of(start))
            run = matrices.affine
            for _ in points:
                run = jax.vmap(run, in_axes=(0, 0, 0, 0 if loop.points else None))
            return run(start, matrix, shift, loop.turns)

        def final(k: int) -> Any:
            at = sum(sizes[:k])
            return end()[..., at : at + sizes[k]].reshape(starts[k].shape)

        def before() -> Stepwise:
            raise Open("every value of a linear system")

        for k, other in enumerate(component):
            self._solved[other] = Solution("geometric sum" if alone else MATRIX, functools.partial(final, k), before)
        return self._solved[carry]

    def _apart(self, starts: Sequence[Any], cone: Sequence[int], inner: set[int], following: Sequence[int]) -> int:
        """How many leading axes are over points that a linear system keeps apart, so that it is small for each."""
        reason = Open("carries that are no small linear system")
        if len({x.dtype for x in starts}) > 1 or starts[0].dtype not in EXACT:
            raise reason
        least = len(self._loop.points)
        for rank in range(least, 1 + max(least, min(x.ndim for x in starts))):
            if len({x.shape[:rank] for x in starts}) > 1:
                break
            if sum(math.prod(x.shape[rank:]) for x in starts) > MOST_ROWS:
                continue
            try:
                check_apart(self._loop.body, cone, inner, following, rank)
            except Open as other:
                reason = other
            else:
                return rank
        raise reason


def _call(fun: Callable[..., list[Any]], operands: Sequence[Stepwise]) -> list[Any]:
    """Results of an equation, at every turn if an operand varies."""
    if any(x.varies for x in operands):
        fun = jax.vmap(fun, in_axes=[0 if x.varies else None for x in operands])
    return list(fun(*(x.array for x in operands)))
