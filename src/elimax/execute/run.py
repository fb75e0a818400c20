"""Running a linearised program: primal values, values of the edges, elimination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax._jax.program import Placeholder
from elimax.elimination.steps import Step, renumbered
from elimax.execute.accumulate import Accumulation, Edges
from elimax.execute.eager import on_host, runs_on_host
from elimax.partials.build import Linearisation
from elimax.partials.opaque import Opaque
from elimax.structure.values import Values, gather_terms


def run(lin: Linearisation, order: Sequence[Step], args: Sequence[Any]) -> tuple[list[Any], Edges]:
    """Evaluate a program and accumulate its Jacobian.

    Args:
      lin: the linearised program.
      order: vertices of its graph, and perhaps edges, in the order of their elimination.
      args: the arguments of the program.

    Returns:
      All results of the program, and the remaining edges, from differentiated arguments to results, by full vertex.
    """
    results, partials = _evaluate(lin, args)
    if runs_on_host(len(lin.steps), args):
        partials = {key: on_host(values) for key, values in partials.items()}
        with np.errstate(all="ignore"):  # as in JAX, infinite and undefined numbers are results
            return results, _accumulate(lin, order, partials)
    return results, _accumulate(lin, order, partials)


def _accumulate(lin: Linearisation, order: Sequence[Step], partials: dict[tuple[int | None, int], Values]) -> Edges:
    """Eliminate all vertices from a graph whose partials are given."""
    edges: Edges = {}
    for key, contribution in lin.contributions.items():
        dtype = lin.dtypes[key[1]]
        if contribution.collect is None:
            ((step, _),) = contribution.sources
            edges[key] = (lin.structures[key], partials[(step, 0)])
            continue
        summands: list[Any] = []
        for step, edge in contribution.sources:
            own: Any = (1,) if step is None else partials[(step, edge)]
            summands.extend(own)
        edges[key] = (lin.structures[key], gather_terms(contribution.collect, summands, contribution.terms, dtype))
    accumulation = Accumulation(edges, [v for v in lin.outputs if v is not None], lin.dtypes)
    for vertex in lin.folds:
        accumulation.eliminate(vertex)
    for step in order:
        accumulation.apply(renumbered(step, lin.full_vertices))
    return accumulation.edges


def _evaluate(lin: Linearisation, args: Sequence[Any]) -> tuple[list[Any], dict[tuple[int | None, int], Values]]:
    """Values of all results, and of the partials by ``(step, edge)``."""
    env: dict[int, Any] = dict(lin.program.constants)
    env.update((r.value, a) for r, a in zip(lin.program.inputs, args, strict=True))
    partials: dict[tuple[int | None, int], Values] = {}
    for number, (equation, local) in enumerate(lin.steps):
        operands = [env[r.value] for r in equation.inputs]
        if local is None:
            results: list[Any] | None = equation.call(*operands)
        elif isinstance(local, Opaque):
            results, operator = local.evaluate(operands)
            partials[(number, 0)] = operator
        else:
            results, values = local.evaluate(operands)
            for k, value in enumerate(values):
                partials[(number, k)] = value
        if results is None:
            results = [
                Placeholder(lin.program.values[r.value].shape, lin.program.values[r.value].dtype)
                for r in equation.outputs
            ]
        env.update((r.value, x) for r, x in zip(equation.outputs, results, strict=True))
    return [jnp.asarray(env[r.value]) for r in lin.program.outputs], partials
