"""Branches whose partials are selected with them.

Each branch is eliminated in an order of its own, and computes the blocks of its results along with them: the partials
of a selection are the selection of the partials, under the predicate of the primal run. A block that is the same in all
branches whatever the arguments are (zero, or constants) needs no selection. One branch runs where the predicate is one
number; where `jax.vmap` makes it many, JAX selects among the results, so that a branch that was not taken, infinite or
undefined as its partials may be, leaves no trace.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from elimax._jax import Program
from elimax._jax.program import Value
from elimax.elimination.steps import Step
from elimax.execute.control.blocks import Full, bounded, full, known_alike, united, written
from elimax.execute.control.carried import Search
from elimax.execute.control.step import Found, Pair, numbered
from elimax.execute.run import run
from elimax.partials.build import Linearisation, linearise_program


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """One branch: its graph, the order of elimination, and which of its results are differentiated."""

    lin: Linearisation
    order: tuple[Step, ...]
    wanted: tuple[int, ...]
    active: tuple[int, ...]

    def __call__(self, *operands: Any) -> tuple[list[Any], Found]:
        """Results and the blocks of those that are wanted, by numbers of result and operand."""
        results, edges = run(self.lin, self.order, operands)
        return numbered(self.lin, results, edges, self.wanted, self.active)


@dataclasses.dataclass(frozen=True, eq=False)
class Branches:
    """All branches.

    Attributes:
      branches: in the order of the predicate.
      same: blocks that are equal in all branches and known beforehand, by numbers of result and operand.
      chosen: full form of each block that is selected.
      shapes: of the operands.
    """

    branches: tuple[Branch, ...]
    same: Found
    chosen: dict[Pair, Full]
    shapes: tuple[tuple[int, ...], ...]

    def __call__(self, index: Any, operands: Sequence[Any]) -> tuple[list[Any], Found]:
        """Results of the branch that is taken, and blocks by numbers of result and operand."""
        number = len(self.branches[0].lin.program.outputs)

        def taken(branch: Branch, *operands: Any) -> list[Any]:
            results, found = branch(*operands)
            arrays = []
            for (k, operand), target in self.chosen.items():
                structure, values = found.get((k, operand), ((), ()))
                shape, dtype = jnp.shape(results[k]), jnp.result_type(results[k])
                arrays.extend(written(target, structure, values, shape, self.shapes[operand], dtype))
            return [*map(jnp.asarray, results), *arrays]

        out = lax.switch(index, [functools.partial(taken, branch) for branch in self.branches], *operands)
        rest = iter(out[number:])
        blocks: Found = dict(self.same)
        blocks.update({pair: (terms, tuple(next(rest) for _ in terms)) for pair, terms in self.chosen.items()})
        return list(out[:number]), blocks


def branches(programs: Sequence[Program], wanted: Sequence[int], operands: Sequence[Value], search: Search) -> Branches:
    """Plan the branches of an operation.

    Args:
      programs: flat program of each branch, differentiated with respect to the same operands.
      wanted: numbers of the results that are differentiated.
      operands: shape and dtype of each operand of a branch.
      search: plans a graph.
    """
    planned = [_branch(program, wanted, search) for program in programs]
    found = [_structures(branch, operands) for branch in planned]
    shapes = tuple(tuple(v.shape) for v in operands)
    same: Found = {}
    chosen: dict[Pair, Full] = {}
    for pair in sorted({pair for blocks in found for pair in blocks}):
        own = [blocks.get(pair, ((), ())) for blocks in found]
        if not any(structure for structure, _ in own):
            continue
        if known_alike(own):
            same[pair] = own[0]
            continue
        result = programs[0].outputs[pair[0]]
        shape = tuple(programs[0].values[result.value].shape)
        union = functools.reduce(united, (full(structure) for structure, _ in own))
        chosen[pair] = bounded(union, shape, shapes[pair[1]])
    return Branches(tuple(planned), same, chosen, shapes)


def _branch(program: Program, wanted: Sequence[int], search: Search) -> Branch:
    others = [k for k in range(len(program.outputs)) if k not in wanted]
    ordered = dataclasses.replace(program, outputs=[program.outputs[k] for k in (*wanted, *others)])
    lin = linearise_program(ordered, num_differentiated=len(wanted))
    active = tuple(k for k, ref in enumerate(program.inputs) if ref.vertex is not None)
    return Branch(lin, search(lin), tuple(wanted), active)


def _structures(branch: Branch, operands: Sequence[Value]) -> Found:
    found: Found = {}

    def traced(*operands: Any) -> list[Any]:
        results, blocks = branch(*operands)
        found.update(blocks)
        return results

    jax.eval_shape(traced, *(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in operands))
    return found
