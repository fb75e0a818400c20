"""Goes through a program and puts closed forms in the place of loops where these are predicted to be faster."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from elimax._jax import inline, trace
from elimax._jax.loops import Loop as Read
from elimax._jax.loops import has_loops, read_loop
from elimax._jax.program import as_function
from elimax._jax.replaced import REMAT, equation_as_closed, replaced
from elimax._jax.weak import weakened
from elimax.coarsen.loops.carries import Loop, Open
from elimax.coarsen.loops.flags import assumed, ends, flags_of, freezes, recorded
from elimax.coarsen.loops.records import COMPRESSED, compressed_body
from elimax.coarsen.loops.solve import ACCUMULATION, CONSTANT, COUNTER, INVARIANT, RECORDED, Solver
from elimax.coarsen.loops.trips import step_of, turns
from elimax.errors import StructureError


class Choice(enum.Enum):
    """What becomes of a loop that has a closed form."""

    CLOSE = enum.auto()  # the closed form takes its place
    RECOMPUTE = enum.auto()  # if it adds up terms, it stays, and reverse mode computes the terms anew
    LEAVE = enum.auto()


Choose = Callable[[Any, Any, "Closed"], Choice]
"""What becomes of a loop, given as a closed jaxpr, its closed form, and how it was closed."""


@dataclasses.dataclass(frozen=True)
class Closed:
    """A loop that was closed.

    Attributes:
      kind: "scan" or "while".
      turns: number of turns, or None if it is known at run time alone.
      rules: what was recognised, each once, in the order of the carries.
      cumulative: whether every value of a sum, power or composition is computed, not the last alone.
    """

    kind: str
    turns: int | None
    rules: tuple[str, ...]
    cumulative: bool = False

    def __str__(self) -> str:
        """The loop in words."""
        count = "an unknown number of turns" if self.turns is None else f"{self.turns:,} turns"
        return f"{self.kind} of {count}: {', '.join(self.rules) or 'no carries'}"


def close_loops(closed: Any, choose: Choose, record: bool = True) -> tuple[Any, tuple[Closed, ...]]:
    """A program in which loops with a closed form have been closed.

    Args:
      closed: a closed jaxpr.
      choose: compares a loop with its closed form.
      record: whether a number of turns that no counter decides may be found by running a loop.

    Returns:
      The closed jaxpr, the very same if nothing was closed, and what was closed.
    """
    if not has_loops(closed):
        return closed, ()
    found: list[Closed] = []

    def replace(equation: Any, operands: Sequence[Any], wanted: Sequence[bool]) -> list[Any] | None:
        loop = read_loop(equation.primitive.name, equation.params)
        if loop is None or not any(wanted):
            return None
        for make in (_closing, _compressing):
            try:
                closing = make(loop, operands, wanted, record)
                after = trace(closing.fun, _abstract(closing.operands))
            except Open:
                continue
            choice = choose(equation_as_closed(equation), after, closing.closed)
            if choice is Choice.RECOMPUTE and loop.length is not None and _accumulates(loop, closing):
                closing = _recomputing(loop, closing, operands, wanted)
                after = trace(closing.fun, _abstract(closing.operands))
                choice = Choice.CLOSE
            if choice is Choice.CLOSE:
                break
        else:
            return None
        found.append(closing.closed)
        results = iter(as_function(after)(*closing.operands))
        return [
            _like(next(results), v.aval) if w else jnp.zeros(v.aval.shape, v.aval.dtype)
            for w, v in zip(wanted, equation.outvars, strict=True)
        ]

    result = replaced(closed, replace)
    return (result, tuple(found)) if result is not closed else (closed, ())


@dataclasses.dataclass(frozen=True, eq=False)
class _Closing:
    """A closed form: a function of the operands that are no numbers to the results that are wanted."""

    kind: str
    turns: int | None
    fun: Callable[..., list[Any]]
    operands: list[Any]
    rules: list[str]
    cumulative: list[bool]

    @property
    def closed(self) -> Closed:
        """What was closed; known once the function has been traced."""
        return Closed(self.kind, self.turns, tuple(dict.fromkeys(self.rules)), any(self.cumulative))


def _accumulates(scan: Read, closing: _Closing) -> bool:
    """Whether terms are all that a loop adds up, and none of them is small or recomputed anyway."""
    remat = any(equation.primitive.name in REMAT for equation in scan.body.jaxpr.eqns)
    return set(closing.rules) <= {ACCUMULATION, CONSTANT} and ACCUMULATION in closing.rules and not remat


def _recomputing(scan: Read, closing: _Closing, operands: Sequence[Any], wanted: Sequence[bool]) -> _Closing:
    """The loop as it is, but for reverse mode, which computes terms anew in place of keeping them."""
    traced = [k for k, x in enumerate(operands) if isinstance(x, Tracer)]
    body = jax.checkpoint(as_function(scan.body), prevent_cse=False)
    consts, carries = scan.num_consts, scan.num_consts + scan.num_carried

    def fun(*given: Any) -> list[Any]:
        full = [jnp.asarray(x) for x in operands]
        for k, x in zip(traced, given, strict=True):
            full[k] = x

        def turn(state: Any, x: Any) -> tuple[Any, Any]:
            results = body(*full[:consts], *state, *x)
            kept = [_like(r, jax.typeof(s)) for r, s in zip(results, state, strict=False)]
            return kept, results[scan.num_carried :]

        final, stacked = jax.lax.scan(
            turn, full[consts:carries], full[carries:], length=scan.length, reverse=scan.reverse
        )
        return [x for x, w in zip([*final, *stacked], wanted, strict=True) if w]

    return dataclasses.replace(closing, fun=fun, rules=["accumulation whose terms are computed anew on the way back"])


def _compressing(loop: Read, operands: Sequence[Any], wanted: Sequence[bool], record: bool) -> _Closing:
    """The loop with a body that reads compressed records."""
    if loop.body.effects or (loop.cond is not None and loop.cond.effects):
        raise Open("side effects")
    if loop.cond is not None and loop.cond.out_avals[0].shape:
        raise Open("points that turn on their own")
    body = inline(loop.body, [False] * len(loop.body.in_avals), expand=False, keep=True)
    traced = [k for k, x in enumerate(operands) if isinstance(x, Tracer)]
    first, behind = loop.first, loop.first + loop.num_carried

    def fun(*given: Any) -> list[Any]:
        full = [jnp.asarray(x) for x in operands]
        for k, x in zip(traced, given, strict=True):
            full[k] = x
        init = full[first:behind]
        turn = compressed_body(body, full[loop.skip : first], init)

        def kept(results: Sequence[Any]) -> list[Any]:
            return [_like(r, jax.typeof(s)) for r, s in zip(results, init, strict=False)]

        if loop.cond is not None:
            test = as_function(loop.cond)
            goes = lambda state: test(*full[: loop.num_cond], *state)[0]  # noqa: E731
            final = jax.lax.while_loop(goes, lambda state: kept(turn(state, ())), init)
            return [x for x, w in zip(final, wanted, strict=True) if w]

        def step(state: Any, x: Any) -> Any:
            results = turn(state, x)
            return kept(results), results[loop.num_carried :]

        final, ys = jax.lax.scan(
            step, init, full[behind:], length=loop.length, reverse=loop.reverse, unroll=loop.unroll
        )
        return [x for x, w in zip([*final, *ys], wanted, strict=True) if w]

    kind = "scan" if loop.cond is None else "while"
    return _Closing(kind, loop.length, fun, [operands[k] for k in traced], [COMPRESSED], [])


def _closing(loop: Read, operands: Sequence[Any], wanted: Sequence[bool], record: bool) -> _Closing:
    traced = [k for k, x in enumerate(operands) if isinstance(x, Tracer)]
    rules: list[str] = []
    cumulative: list[bool] = []

    def fun(*given: Any) -> list[Any]:
        full = list(operands)
        for k, x in zip(traced, given, strict=True):
            full[k] = x
        read = _while(loop, full, True) if loop.cond is not None else _scan(loop, full, True)
        rules.clear()
        return _results(read, wanted, rules, cumulative, loop.reverse)

    read = _while(loop, operands, False) if loop.cond is not None else _scan(loop, operands, False)
    if read.turns is None and not record:
        raise Open("a number of turns that is found by running the loop")
    return _Closing(
        "scan" if loop.cond is None else "while",
        read.turns if read.known else None,
        fun,
        [operands[k] for k in traced],
        rules,
        cumulative,
    )


def _results(loop: Loop, wanted: Sequence[bool], rules: list[str], cumulative: list[bool], reverse: bool) -> list[Any]:
    """The results of a loop that are wanted."""
    count = len(loop.init)
    if loop.known and loop.turns == 0:
        return _none(loop, wanted)

    def turned() -> list[Any]:
        solver = Solver(loop)
        results = [solver.final(k) for k in range(count) if wanted[k]]
        stacked = [solver.stacked(k) for k in range(len(loop.stacked)) if wanted[count + k]]
        # What is open stays so whether it is wanted or not, so that the rules tell about the whole loop.
        rules[:] = [rule for _, rule in sorted(solver.rules.items()) if rule not in (INVARIANT, COUNTER, RECORDED)]
        if loop.ended and not rules:
            raise Open("nothing to gain by a number of turns that is recorded")
        cumulative.append(solver.cumulative)
        rules[:] = rules or [rule for _, rule in sorted(solver.rules.items())]
        return results + [jnp.flip(x, 0) if reverse else x for x in stacked]

    if loop.known:
        return turned()
    starts = [jnp.asarray(x) for x, w in zip(_untouched(loop), wanted, strict=False) if w]
    # A body that never runs may have no value or derivative.
    some = jnp.any(loop.turns > 0) if loop.points else loop.turns > 0
    ends = jax.lax.cond(some, lambda: [jnp.asarray(x) for x in turned()], lambda: starts)
    if not loop.points:
        return ends
    return [jnp.where(loop.turns_of(x) > 0, x, start) for x, start in zip(ends, starts, strict=True)]


def _untouched(loop: Loop) -> list[Any]:
    """Carries at the end of a loop that may not turn; what goes on to count after a flag went up does so then, too."""
    if not loop.ended:
        return list(loop.init)
    return [
        x if jnp.issubdtype(jnp.result_type(x), jnp.inexact) else y for x, y in zip(loop.init, loop.ended, strict=True)
    ]


def _none(loop: Loop, wanted: Sequence[bool]) -> list[Any]:
    """Results of no turns."""
    values, count = loop.body.values, len(loop.init)
    results = [jnp.asarray(loop.init[k]) for k in range(count) if wanted[k]]
    empty = [values[v] for k, v in enumerate(loop.stacked) if wanted[count + k]]
    return results + [jnp.zeros((0, *v.shape), v.dtype) for v in empty]


def _scan(scan: Read, operands: Sequence[Any], record: bool) -> Loop:
    body = inline(scan.body, [False] * len(scan.body.in_avals), expand=False, keep=True)
    consts, init = operands[: scan.num_consts], operands[scan.num_consts : scan.num_consts + scan.num_carried]
    xs = operands[scan.num_consts + scan.num_carried :]
    xs = [jnp.flip(x, 0) for x in xs] if scan.reverse else list(xs)
    read = Loop(body, list(consts), list(init), xs, scan.length)
    if xs or len(body.outputs) > scan.num_carried or not scan.length:
        return read
    for flag in flags_of(body, scan.num_consts, scan.num_carried):
        if freezes(read, flag):
            if not record:
                return dataclasses.replace(read, turns=None)
            count, ended = recorded(scan, operands, flag)
            moving = assumed(body, body.inputs[scan.num_consts + flag].value, False)
            return dataclasses.replace(read, body=moving, turns=count, ended=_counted(read, ended, count))
    return read


def _counted(read: Loop, ended: Sequence[Any], count: Any) -> list[Any]:
    """Carries at the end of a loop that went on to count after its flag went up; what else it counted is not known."""
    found: list[Any] = []
    for k, x in enumerate(ended):
        by = step_of(read, k)
        found.append(x if by is None else x + jnp.asarray(by * (read.turns - count), x.dtype))
    return found


def _while(loop: Read, operands: Sequence[Any], record: bool) -> Loop:
    """The loop as it is read; if its turns have to be recorded, that is done only if asked for."""
    body = inline(loop.body, [False] * len(loop.body.in_avals), expand=False, keep=True)
    condition = inline(loop.cond, [False] * len(loop.cond.in_avals), expand=False, keep=True)
    first, second = loop.num_cond, loop.first
    consts, init = list(operands[first:second]), list(operands[second:])
    read = Loop(body, consts, init, [], 0, points=tuple(loop.cond.out_avals[0].shape))
    try:
        return dataclasses.replace(read, turns=turns(condition, [*operands[:first], *init], read))
    except Open:
        if loop.cond.effects or loop.body.effects:
            raise
    if not record:
        return dataclasses.replace(read, turns=None)
    for flag in flags_of(body, loop.num_consts, loop.num_carried, read.points):
        if ends(condition, loop.num_cond + flag):
            body = assumed(body, body.inputs[loop.num_consts + flag].value, False)
    count, ended = recorded(loop, operands, None)
    return dataclasses.replace(read, body=body, turns=count, ended=ended)


def _abstract(operands: Sequence[Any]) -> list[Any]:
    avals = [jax.typeof(x) for x in operands]
    return [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals]


def _like(value: Any, aval: Any) -> Any:
    """A result with the weak type that it had; shape and dtype are the same."""
    value = jnp.asarray(value)
    if value.shape != aval.shape or value.dtype != aval.dtype:
        raise StructureError(f"a loop's result is {jax.typeof(value)} in closed form, and {aval} otherwise")
    return weakened(value) if aval.weak_type and not jax.typeof(value).weak_type else value
