"""Graphs and plans of flat functions, without evaluating anything."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from elimax._jax import trace
from elimax.execute.candidates import elimination, mode_of, with_modes
from elimax.execute.collector import collector_paused
from elimax.execute.coloured import compression, whole_pattern
from elimax.execute.control.entry import linearised
from elimax.execute.fitting import check_result, dense_size, memory_of, shapes_of, sparse_size, within
from elimax.execute.forms import forms_of
from elimax.execute.memory import memory_of_machine
from elimax.execute.modes import ELIMINATION, MOST_PRODUCTS, Emit, products
from elimax.execute.modes import traced as emitted_program
from elimax.execute.segmented import COARSE, Linearise, again, planned
from elimax.execute.symmetric import Symmetry
from elimax.execute.traced import FlatFunction, Traced, ended_elsewhere, trace_flat
from elimax.graph.hashing import structural_hash
from elimax.partials.build import Linearisation, linearise
from elimax.plan import Plan, make_plan
from elimax.plan.types import STAR


def plan_for(
    fun: FlatFunction,
    inputs: Sequence[Any],
    *,
    order: Any = "auto",
    cost: str = "time",
    budget: float | None = None,
    seed: int = 0,
    max_evaluations: int | None = None,
    executor: Any = None,
    progress: Any = None,
    max_memory: float | None = None,
    max_trips: int | None = None,
    name: str = "",
    on_trace: Callable[[Any], None] | None = None,
    symmetry: Symmetry | None = None,
) -> Plan:
    """The plan that `evaluate` would follow, without evaluating anything, and its predicted peak of memory.

    Raises:
      MemoryLimitError: if there is a limit that cannot be met.
    """
    traced = trace_flat(fun, inputs, max_trips, ended_elsewhere(max_trips, symmetry))
    if on_trace is not None:
        on_trace(traced.closed)
    with collector_paused():
        limits = {"budget": budget, "seed": seed, "max_evaluations": max_evaluations}
        emission = emission_of(traced)
        if isinstance(order, str) and order == COARSE:
            lin, plan = coarse_graph(traced, inputs, name, emission, cost=cost, **limits)
        else:
            lin = graph_of(traced, inputs, name, order, "dense")
            search = {"cost": cost, **limits, "executor": executor, "progress": progress}
            if isinstance(order, str) and order == "auto":
                lin, plan = coarse_graph(traced, inputs, name, emission, lin, **search)
            else:
                plan = plan_of(lin, order, **search)
        large = dense_size(shapes_of(lin), inputs) > memory_of_machine()
        if isinstance(order, str) and order in ("auto", COARSE) and not large:
            plan = with_modes(plan, traced, lin, inputs, symmetry=symmetry)
        emit = emission(lin, plan) if symmetry is None else elimination(traced, lin, plan, "dense", True, symmetry)
        if max_memory is not None:
            check_result(name, shapes_of(lin), inputs, max_memory, "dense", functools.partial(least_sparse_size, lin))
            plan = within(plan, max_memory, traced.closed, lin, inputs, "dense", True, emit, symmetry)
        if plan.mode != ELIMINATION:
            emit = mode_of(plan, traced, lin, "dense", True, symmetry)
        unseen = large or (plan.mode == ELIMINATION and products(lin.graph, plan.order) > MOST_PRODUCTS)
        closed = None if unseen else emitted_program(emit, inputs)
        if plan.mode == ELIMINATION:
            plan = dataclasses.replace(plan, form=forms_of(lin, closed))
        if symmetry is not None and symmetry.own:
            plan = dataclasses.replace(plan, mirrored=_mirrored(plan, traced, lin, inputs, large, symmetry))
        plan = dataclasses.replace(plan, closed_loops=tuple(map(str, traced.loops)))
        return memory_of(plan, closed, lin, shapes_of(lin), inputs)


def _mirrored(
    plan: Plan, traced: Traced, lin: Linearisation, inputs: Sequence[Any], large: bool, symmetry: Symmetry
) -> float | None:
    """The share of entries of a Hessian that a plan takes from their mirror image, None where it is unknown."""
    if plan.mode == STAR:
        pattern = whole_pattern(lin, plan.order)
        found = None if pattern is None else compression(pattern, STAR).mirrored
        return None if found is None else float(found.mean())
    if plan.mode != ELIMINATION:
        return 0.0
    if large and products(lin.graph, plan.order) <= MOST_PRODUCTS:
        emit = elimination(traced, lin, plan, "bcoo", False, symmetry)
        trace(lambda *xs: [block.data for row in emit(*xs)[2] for block in row], inputs)
    return symmetry.mirrored


def _linearised(traced: Traced, inputs: Sequence[Any], name: str) -> Linearise:
    return functools.partial(linearised, traced.closed, [True] * len(inputs), name, traced.num_outputs)


def graph_of(traced: Traced, inputs: Sequence[Any], name: str, order: Any, output: str) -> Linearisation:
    """The graph that an order is for; loops stay operators for sparse output, whose patterns are sharper."""
    plain = functools.partial(linearise, traced.closed, [True] * len(inputs), name, traced.num_outputs)
    if not isinstance(order, Plan):
        return _linearised(traced, inputs, name)(None) if output == "dense" else plain()
    lin = again(order.coarse, _linearised(traced, inputs, name))
    if lin.coarse_operations and structural_hash(lin.graph) != order.graph_hash:
        other = plain()  # a plan of sparse output
        lin = other if structural_hash(other.graph) == order.graph_hash else lin
    return lin


def emission_of(traced: Traced) -> Callable[[Linearisation, Plan], Emit]:
    """Eliminations with values, one for each graph and order."""
    known: dict[Any, Emit] = {}

    def emission(lin: Linearisation, plan: Plan) -> Emit:
        key = lin, tuple(plan.order)
        if key not in known:
            known[key] = elimination(traced, lin, plan, "dense", values=True)
        return known[key]

    return emission


def coarse_graph(
    traced: Traced,
    inputs: Sequence[Any],
    name: str,
    emission: Callable[[Linearisation, Plan], Emit],
    fine: Linearisation | None = None,
    **search: Any,
) -> tuple[Linearisation, Plan]:
    """The graph with coarse vertices and its plan; see `elimax.execute.segmented`.

    Args:
      traced: the function.
      inputs: its arguments.
      name: of the function.
      emission: what emits a plan.
      fine: its graph where segments are not asked for, and need to promise something.
      **search: options of the search for an order.
    """
    linearised = _linearised(traced, inputs, name)
    return planned(
        lambda rewrite: fine if rewrite is None and fine is not None else linearised(rewrite),
        lambda lin: plan_of(lin, "auto", **search),
        emission,
        inputs,
        lambda lin: plan_of(lin, "markowitz", cost=search["cost"]),
        asked=fine is None,
    )


def least_sparse_size(lin: Linearisation) -> int:
    """Bytes of a Jacobian as BCOO, by the order that is cheapest to find."""
    return sparse_size(lin, plan_of(lin, "reverse").order)


def plan_of(lin: Linearisation, order: Any, **search: Any) -> Plan:
    """Plan a linearised program; see `elimax.plan.make_plan` for the options."""
    return make_plan(lin.graph, order=order, opaque=tuple(lin.opaque_operations), **search)


def linearisation_for(fun: FlatFunction, inputs: Sequence[Any], name: str = "") -> Linearisation:
    """The linearised graph of a flat function."""
    traced = trace_flat(fun, inputs)
    return linearise(traced.closed, [True] * len(inputs), name, traced.num_outputs)
