"""One turn of a loop, or one branch, with the derivatives of its operands known: elimination of its own graph.

The operands of the program depend on *seeds* in a way that is known outside: each block ``operand_D_seed`` comes in as
arrays. They become the edges of one linear operation in front of the program, from the seeds to the operands, and the
order of elimination is searched for the whole. So pushing the columns of the blocks through the program (forward mode),
forming the Jacobian of the program first, and everything between is one search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import Equation, Program, Ref
from elimax._jax.program import Placeholder, Value
from elimax.elimination.steps import Step
from elimax.execute.accumulate import Edges
from elimax.execute.control.blocks import Full
from elimax.execute.layout import identity_block
from elimax.execute.run import run
from elimax.partials.build import Linearisation, linearise_program
from elimax.partials.registry import LOCAL
from elimax.partials.types import Local, LocalEdge
from elimax.structure.term import Structure
from elimax.structure.values import Values

Pair = tuple[int, int]
"""Numbers of a dependent and an independent value."""

Blocks = Mapping[Pair, Full]
"""Full form of each block that is not zero."""

Arrays = Mapping[Pair, Sequence[Any]]
"""Their values."""

Found = dict[Pair, tuple[Structure, Values]]
"""Structure and values of each block that is not zero."""


@dataclasses.dataclass(frozen=True, eq=False)
class Differentiated:
    """A program whose operands depend on seeds.

    Attributes:
      lin: its graph.
      order: of elimination.
      incoming: blocks of the operands, in the order in which their arrays are handed over; others are known beforehand.
      num_results: number of results of the program.
      wanted: numbers of the results that are differentiated.
    """

    lin: Linearisation
    order: tuple[Step, ...]
    incoming: dict[Pair, Full]
    num_results: int
    wanted: tuple[int, ...]

    def __call__(self, operands: Sequence[Any], arrays: Arrays) -> tuple[list[Any], Found]:
        """Results of the program and the blocks of those that are wanted, by numbers of result and seed."""
        given = [x for pair in self.incoming for x in arrays[pair]]
        number = len(self.lin.program.inputs) - len(operands) - len(given)
        seeds = [
            Placeholder(v.shape, v.dtype)
            for v in (self.lin.program.values[r.value] for r in self.lin.program.inputs[:number])
        ]
        results, edges = run(self.lin, self.order, [*seeds, *operands, *given])
        return numbered(self.lin, results, edges, self.wanted, range(len(self.lin.inputs)))

    def structures(self, operands: Sequence[Any], arrays: Mapping[Pair, Sequence[Any]]) -> Found:
        """Blocks of the wanted results, with stand-ins for values that are known at run time only."""
        found: Found = {}

        def traced(operands: Sequence[Any], arrays: Any) -> list[Any]:
            results, blocks = self(operands, dict(zip(self.incoming, arrays, strict=True)))
            found.update(blocks)
            return results

        jax.eval_shape(traced, list(operands), [arrays[pair] for pair in self.incoming])
        return found


def numbered(
    lin: Linearisation, results: Sequence[Any], edges: Edges, wanted: Sequence[int], operands: Sequence[int]
) -> tuple[list[Any], Found]:
    """Results in their own order, and the blocks of those that are wanted, by numbers of result and operand.

    Args:
      lin: the graph of a program whose wanted results come first.
      results: its results.
      edges: what elimination leaves.
      wanted: numbers of the wanted results.
      operands: numbers of the active operands.
    """
    ordered: list[Any] = [None] * len(results)
    others = [k for k in range(len(results)) if k not in wanted]
    for k, result in zip((*wanted, *others), results, strict=True):
        ordered[k] = result
    found: Found = {}
    for k, vertex in zip(wanted, lin.outputs, strict=True):
        for operand, source in zip(operands, lin.inputs, strict=True):
            if vertex is not None and vertex == source:
                found[(k, operand)] = identity_block(jnp.shape(ordered[k]))
            elif vertex is not None and (source, vertex) in edges:
                found[(k, operand)] = edges[(source, vertex)]
    return ordered, found


def differentiated(
    program: Program,
    seeds: Sequence[Value],
    incoming: Blocks,
    known: Found,
    wanted: Sequence[int],
    order: Callable[[Linearisation], tuple[Step, ...]],
) -> Differentiated:
    """Put seeds in front of a program and plan it.

    Args:
      program: a flat program; its active arguments are those with blocks.
      seeds: shape and dtype of each seed.
      incoming: blocks of its arguments by numbers of argument and seed.
      known: likewise, those whose values are known beforehand.
      wanted: numbers of the results that are differentiated.
      order: plans the graph.
    """
    blocks = dict(sorted(incoming.items()))
    seeded = _seeded(program, seeds, blocks, known, wanted)
    lin = linearise_program(seeded, num_differentiated=len(wanted))
    return Differentiated(lin, order(lin), blocks, len(program.outputs), tuple(wanted))


def _seeded(
    program: Program, seeds: Sequence[Value], incoming: dict[Pair, Full], known: Found, wanted: Sequence[int]
) -> Program:
    values = list(program.values)

    def new(shape: tuple[int, ...], dtype: Any) -> int:
        values.append(Value(tuple(shape), dtype))
        return len(values) - 1

    sources = [Ref(n, n) for n in (new(seed.shape, seed.dtype) for seed in seeds)]
    active = sorted({k for k, _ in (*incoming, *known)})
    dtypes = {k: values[program.inputs[k].value].dtype for k in active}
    arrays = [Ref(new(term.sizes, dtypes[k]), None) for (k, _), terms in incoming.items() for term in terms]
    targets = [
        Ref(new(values[r.value].shape, values[r.value].dtype), r.vertex) for r in (program.inputs[k] for k in active)
    ]
    structures: dict[Pair, Structure] = {**incoming, **{pair: structure for pair, (structure, _) in known.items()}}
    edges = tuple(LocalEdge(active.index(k), j, structure) for (k, j), structure in structures.items())

    def evaluate(operands: list[Any]) -> tuple[None, list[Any]]:
        given = iter(operands[len(sources) :])
        return None, [tuple(next(given) for _ in terms) for terms in incoming.values()] + [
            values for _, values in known.values()
        ]

    def call(*_: Any) -> list[Any]:
        return [Placeholder(values[r.value].shape, values[r.value].dtype) for r in targets]

    own = Local(edges, evaluate, "seeds")
    seed = Equation("seeds", {LOCAL: own}, call, (*sources, *arrays), tuple(targets), linear=True)
    others = [k for k in range(len(program.outputs)) if k not in wanted]
    plain = [Ref(r.value, None) for r in program.inputs]
    return dataclasses.replace(
        program,
        values=values,
        inputs=[*sources, *plain, *arrays],
        equations=[seed, *program.equations] if active else list(program.equations),
        outputs=[program.outputs[k] for k in (*wanted, *others)],
    )


def dependence(program: Program) -> list[set[int]]:
    """For each result, the numbers of the active arguments that it may depend on."""
    reach: dict[int, set[int]] = {}
    for k, ref in enumerate(program.inputs):
        if ref.vertex is not None:
            reach[ref.vertex] = {k}
    for equation in program.equations:
        if equation.active:
            own = set[int]().union(*(reach.get(r.vertex, set()) for r in equation.inputs if r.vertex is not None))
            for ref in equation.outputs:
                if ref.vertex is not None:
                    reach[ref.vertex] = own
    return [reach.get(r.vertex, set()) if r.vertex is not None else set() for r in program.outputs]
