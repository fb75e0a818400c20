"""Loops that carry their derivative along: J <- F J + G beside the state, without a tape.

F and G, the partials of one turn, are never formed unless that is cheapest: the blocks of the state with respect to
the seeds are edges in front of the graph of the body, and the whole is eliminated in an order that is searched once
(`elimax.execute.control.step`). Memory does not grow with the number of turns, which need not be known. The structure
of the blocks (diagonal, banded, dense) is the one that a turn does not change any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from elimax._jax import Program, inline
from elimax._jax.loops import Loop
from elimax._jax.program import Value, as_function
from elimax.elimination.steps import Step
from elimax.execute.control.blocks import Full, Shape, bounded, dense_block, entries, fits, full, united, written
from elimax.execute.control.chaining import while_loop
from elimax.execute.control.stacks import Slices, sliced, stacked
from elimax.execute.control.step import Arrays, Blocks, Differentiated, Found, Pair, dependence, differentiated
from elimax.execute.emission import emitted_alone
from elimax.partials.build import Linearisation

ROUNDS = 4
"""Turns after which blocks that still grow are taken as dense."""

LARGE = 1 << 14
"""Blocks with more entries than this are carried only if they are sparse."""

SPARSE = 16
"""They are if they have at most so many entries for each element of state and seeds."""

FEW_TURNS = 4
"""In longer loops, columns that only one turn adds to are not carried through all of them."""

Search = Callable[[Linearisation], tuple[Step, ...]]
"""Plans a graph."""


class NotCarriedError(Exception):
    """A loop whose derivative is better not carried, in words."""


@dataclasses.dataclass(frozen=True, eq=False)
class Carried:
    """A loop with its derivative.

    Attributes:
      loop: the loop.
      step: one turn of it.
      seeds: shape and dtype of each value that is differentiated with respect to.
      state: blocks of the carried values that are carried along, by numbers of carried value and seed.
      fixed: blocks of the constants of the body, by number of operand of the body and seed.
      slices: blocks of what the loop takes slices of, likewise.
      results: blocks of the results of the loop, by number of result and seed.
    """

    loop: Loop
    step: Differentiated
    seeds: tuple[Value, ...]
    state: dict[Pair, Full]
    fixed: dict[Pair, Full]
    slices: dict[Pair, Slices]
    results: dict[Pair, Full]

    def __call__(self, operands: Sequence[Any], found: Found) -> tuple[list[Any], Arrays]:
        """Results of the loop, and the values of their blocks.

        Args:
          operands: all operands of the loop.
          found: blocks of the operands, by number of operand and seed.
        """
        loop, first = self.loop, self.loop.first
        carry = [jnp.asarray(x) for x in operands[first : first + loop.num_carried]]
        consts = list(operands[loop.skip : first])
        own = {
            pair: self._given(pair, pair[0] + loop.skip, terms, operands, found) for pair, terms in self.fixed.items()
        }
        start = {(k, j): self._given((k, j), k + first, terms, operands, found) for (k, j), terms in self.state.items()}
        if loop.cond is not None:
            carry, blocks = self._until(operands[: loop.num_cond], consts, carry, own, start)
            return carry, {pair: blocks[pair] for pair in self.results}
        return self._scanned(operands, consts, carry, own, start, found)

    def _given(self, pair: Pair, operand: int, target: Full, operands: Sequence[Any], found: Found) -> list[Any]:
        shape, dtype = jnp.shape(operands[operand]), jnp.result_type(operands[operand])
        structure, values = found.get((operand, pair[1]), ((), ()))
        return written(target, structure, values, shape, self.seeds[pair[1]].shape, dtype)

    def _until(
        self, cond_consts: Sequence[Any], consts: list[Any], carry: list[Any], own: Arrays, start: Arrays
    ) -> tuple[list[Any], Arrays]:
        test = as_function(self.loop.cond)

        def cond(state: Any) -> Any:
            return test(*cond_consts, *state[0])[0]

        def body(state: Any) -> Any:
            results, blocks = self._turn([*consts, *state[0]], {**own, **self._moved(state[1])})
            return results, [blocks[pair] for pair in self.state]

        final, blocks = while_loop(cond, body, (carry, [start[pair] for pair in self.state]))
        return list(final), dict(zip(self.state, blocks, strict=True))

    def _scanned(
        self, operands: Sequence[Any], consts: list[Any], carry: list[Any], own: Arrays, start: Arrays, found: Found
    ) -> tuple[list[Any], Arrays]:
        loop = self.loop
        xs = list(operands[loop.first + loop.num_carried :])
        along = {
            pair: piece.split(self._given(pair, pair[0] + loop.skip, piece.whole, operands, found))
            for pair, piece in self.slices.items()
        }
        tall = [pair for pair in self.results if pair[0] >= loop.num_carried]

        def turn(state: Any, given: Any) -> Any:
            blocks = {**own, **self._moved(state[1]), **dict(zip(along, given[1], strict=True))}
            results, after = self._turn([*consts, *state[0], *given[0]], blocks)
            rows = results[loop.num_carried :], [after[pair] for pair in tall]
            return (results[: loop.num_carried], [after[pair] for pair in self.state]), rows

        state, (ys, rows) = lax.scan(
            turn,
            (carry, [start[pair] for pair in self.state]),
            (xs, list(along.values())),
            length=loop.length,
            reverse=loop.reverse,
            unroll=loop.unroll,
        )
        blocks = dict(zip(self.state, state[1], strict=True))
        for pair, arrays in zip(tall, rows, strict=True):
            terms = self.results[pair]
            blocks[pair] = [x.reshape(term.sizes) for x, term in zip(arrays, terms, strict=True)]
        return [*state[0], *ys], {pair: blocks[pair] for pair in self.results}

    def _moved(self, arrays: Sequence[Any]) -> Arrays:
        """Arrays of the state by number of operand of the body."""
        return {(k + self.loop.num_consts, j): x for (k, j), x in zip(self.state, arrays, strict=True)}

    def _turn(self, operands: Sequence[Any], arrays: Arrays) -> tuple[list[Any], Arrays]:
        """One turn, emitted in the form that suits its place."""
        pairs = list(self.step.incoming)
        after = self._after()
        count = len(operands)

        def flat(*given: Any) -> list[Any]:
            it = iter(given[count:])
            blocks = {pair: [next(it) for _ in self.step.incoming[pair]] for pair in pairs}
            results, found = self.step(given[:count], blocks)
            out = []
            for (k, j), target in after.items():
                structure, values = found.get((k, j), ((), ()))
                shape, dtype = jnp.shape(results[k]), jnp.result_type(results[k])
                out.extend(written(target, structure, values, shape, self.seeds[j].shape, dtype))
            return [*results, *out]

        given = [*map(jnp.asarray, operands), *(x for pair in pairs for x in arrays[pair])]
        fixed = [k < self.loop.num_consts for k in range(count)]
        fixed += [pair in self.fixed for pair in pairs for _ in arrays[pair]]
        found = emitted_alone(flat, given, fixed)
        number = self.step.num_results
        rest = iter(found[number:])
        return found[:number], {pair: [next(rest) for _ in terms] for pair, terms in after.items()}

    def _after(self) -> dict[Pair, Full]:
        """Blocks at the end of a turn, by number of result of the body."""
        loop = self.loop
        after = dict(self.state)
        for (k, j), terms in self.results.items():
            if k >= loop.num_carried:
                after[(k, j)] = sliced(terms, loop.length or 0).own
        return after


def carried(
    loop: Loop,
    program: Callable[[Sequence[bool]], Program],
    seeds: Sequence[Value],
    operands: Sequence[Value],
    given: Blocks,
    known: Found,
    wanted: Sequence[int],
    quick: Search,
    search: Search,
) -> Carried:
    """Find the blocks that a loop carries along, and an order for its body.

    Args:
      loop: the loop.
      program: the flat program of its body, given which arguments are active.
      seeds: shape and dtype of each value that is differentiated with respect to.
      operands: shape and dtype of each operand of the loop.
      given: blocks of the operands, by number of operand and seed.
      known: those of them whose values are known beforehand.
      wanted: numbers of the results that are differentiated.
      quick: gives an order at once, while structures are looked for.
      search: gives the order that is used.

    Raises:
      NotCarriedError: where the derivative is better not carried.
    """
    return _Search(loop, program, tuple(seeds), operands, given, known, wanted).run(quick, search)


class _Search:
    """Looks for blocks that a turn leaves in their structure."""

    def __init__(
        self,
        loop: Loop,
        program: Callable[[Sequence[bool]], Program],
        seeds: tuple[Value, ...],
        operands: Sequence[Value],
        given: Blocks,
        known: Found,
        wanted: Sequence[int],
    ):
        self.loop, self.seeds, self.operands, self.wanted = loop, seeds, operands, wanted
        self.avals = loop.body.in_avals
        consts, carried = loop.num_consts, loop.num_carried
        self.fixed: dict[Pair, Full] = {}
        self.known: Found = {}
        self.slices: dict[Pair, Slices] = {}
        start: dict[Pair, Full] = {}
        for (operand, j), terms in given.items():
            k = operand - loop.skip
            if 0 <= k < consts and (operand, j) in known:
                self.known[(k, j)] = known[(operand, j)]
            elif 0 <= k < consts:
                self.fixed[(k, j)] = terms
            elif consts <= k < consts + carried:
                start[(k - consts, j)] = bounded(terms, operands[operand].shape, seeds[j].shape)
            elif k >= 0:
                self.slices[(k, j)] = self._slices(operand, j, terms)
        others = {k for k, _ in (*self.fixed, *self.known, *self.slices)}
        moving = self._moving(others, {k for k, _ in start})
        active = [k in moving for k in range(len(self.avals))]
        self.program = program(active)
        self.depends = dependence(self.program)
        self.kept = self._kept()
        self.state = {pair: terms for pair, terms in start.items() if pair[0] in self.kept}

    def _slices(self, operand: int, j: int, terms: Full) -> Slices:
        found = sliced(terms, self.loop.length or 0)
        if found.ok:
            return found
        if self.loop.length and self.loop.length > FEW_TURNS:
            raise NotCarriedError("each turn takes a slice of its own of what is differentiated")
        return sliced(dense_block(self.operands[operand].shape, self.seeds[j].shape), self.loop.length or 0)

    def _moving(self, others: set[int], start: set[int]) -> set[int]:
        """Operands of the body that depend on seeds on some turn."""
        first, count = self.loop.num_consts, self.loop.num_carried
        inexact = [jnp.issubdtype(a.dtype, jnp.inexact) for a in self.avals]
        every = dependence(inline(self.loop.body, [True] * len(self.avals)))
        moving = others | {first + k for k in start}
        while True:
            more = {first + k for k in range(count) if every[k] & moving and inexact[first + k]} | moving
            if more == moving:
                return moving
            moving = more

    def _kept(self) -> set[int]:
        """Carried values on which wanted results depend."""
        first, count = self.loop.num_consts, self.loop.num_carried
        kept = {k for k in self.wanted if k < count}
        tall = {k for k in self.wanted if k >= count}
        while True:
            sources = set[int]().union(*(self.depends[k] for k in kept | tall)) if kept | tall else set()
            more = kept | {k - first for k in sources if first <= k < first + count}
            if more == kept:
                return kept
            kept = more

    def run(self, quick: Search, search: Search) -> Carried:
        dense = 0
        tall: dict[Pair, Full] = {}
        for turn in range(3 * ROUNDS):
            step = self._step(quick if not dense else search)
            after = self._structures(step)
            grown, tall = self._grown(after, turn >= ROUNDS)
            self._check(grown)
            if grown == self.state:
                if dense:
                    return self._result(step, tall)
                dense = 1  # once more, in the order that is used
            else:
                dense = 0
            self.state = grown
        raise NotCarriedError("its structure changes from turn to turn")

    def _step(self, search: Search) -> Differentiated:
        first = self.loop.num_consts
        incoming = {
            **self.fixed,
            **{(k + first, j): terms for (k, j), terms in self.state.items()},
            **{pair: piece.own for pair, piece in self.slices.items()},
        }
        results = sorted({*self.kept, *(k for k in self.wanted if k >= self.loop.num_carried)})
        return differentiated(self.program, self.seeds, incoming, self.known, results, search)

    def _structures(self, step: Differentiated) -> Found:
        avals = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self.avals]
        arrays = {
            (k, j): [jax.ShapeDtypeStruct(term.sizes, avals[k].dtype) for term in terms]
            for (k, j), terms in step.incoming.items()
        }
        return step.structures(avals, arrays)

    def _grown(self, after: Found, late: bool) -> tuple[dict[Pair, Full], dict[Pair, Full]]:
        grown, tall = dict(self.state), dict[Pair, Full]()
        for (k, j), (structure, _) in after.items():
            if not structure:
                continue
            out, into = self._shape(k), self.seeds[j].shape
            if k >= self.loop.num_carried:
                tall[(k, j)] = bounded(full(structure), out, into)
                continue
            own = grown.get((k, j), ())
            if own and fits(structure, own, out, into):
                continue
            union = bounded(united(own, full(structure)), out, into)
            grown[(k, j)] = dense_block(out, into) if late else union
        return grown, tall

    def _shape(self, k: int) -> Shape:
        return tuple(self.loop.body.out_avals[k].shape)

    def _check(self, state: dict[Pair, Full]) -> None:
        size = sum(map(entries, state.values()))
        around = sum(_size(self._shape(k)) for k in {k for k, _ in state}) + sum(_size(s.shape) for s in self.seeds)
        if size > max(LARGE, SPARSE * around):
            raise NotCarriedError(f"its derivative would carry {size:,} numbers along")

    def _result(self, step: Differentiated, tall: dict[Pair, Full]) -> Carried:
        results = {pair: terms for pair, terms in self.state.items() if pair[0] in self.wanted}
        for pair, terms in tall.items():
            results[pair] = stacked(terms, self.loop.length or 0)
        return Carried(self.loop, step, self.seeds, self.state, self.fixed, self.slices, results)


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
