"""Plans in words and small tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from elimax.elimination.problem import Problem
from elimax.elimination.steps import EdgeStep, StepElimination
from elimax.graph.types import Graph
from elimax.plan.sizes import format_bytes
from elimax.structure.term import Affine, Kind, Operator, Structure, Table, Term

if TYPE_CHECKING:
    from elimax.plan.types import Plan


def summary(plan: Plan) -> str:
    """A table of costs: baselines, this plan, the bound."""
    graph = plan.graph
    rows = [(name, count) for name, count in plan.baselines.items()]
    rows.append((f"plan ({plan.method})", plan.multiplications))
    width = max(len(name) for name, _ in [*rows, ("lower bound", 0)])
    digits = max(len(f"{count:,}") for _, count in rows)
    best = min(plan.baselines.values())
    lines = [
        f"Plan of {graph.name or 'a function'}: {len(graph.inputs)} inputs, {len(graph.outputs)} outputs, "
        f"{len(graph.eliminable)} vertices to eliminate, {len(graph.edges)} edges",
        f"multiplications ({plan.cost} rule)",
    ]
    for name, count in rows:
        ratio = f"  {best / count:5.2f}x of the best baseline" if name.startswith("plan") and count else ""
        lines.append(f"  {name:<{width}}  {count:>{digits},}{ratio}")
    proof = "no bound is known"
    if plan.optimal:
        proof = "proved optimal"
    elif plan.lower_bound:
        above = (plan.multiplications - plan.lower_bound) / plan.lower_bound
        proof = f"at most {100 * above:.0f} % above optimal"
    lines.append(f"  {'lower bound':<{width}}  {plan.lower_bound:>{digits},}  {proof}")
    if plan.note:
        lines.append(f"order: {plan.note}")
    lines.append("blocks: " + ", ".join(f"{count} {kind}" for kind, count in block_kinds(graph).most_common()))
    if plan.opaque:
        listed = ", ".join(f"{name} ({count})" for name, count in Counter(plan.opaque).items())
        lines.append(f"differentiated by JAX itself: {listed}")
    if plan.closed_loops:
        lines.append("closed loops: " + "; ".join(plan.closed_loops))
    if plan.modes:
        listed = ", ".join(f"{name} {1e6 * seconds:,.1f} us" for name, seconds in plan.modes)
        lines.append(f"mode: {plan.mode}; predicted time of a call: {listed}")
    if plan.mirrored is not None:
        lines.append(f"symmetric: {100 * plan.mirrored:.0f} % of the entries are taken from their mirror image")
    if plan.form:
        lines.append(f"form: {plan.form}")
    if plan.coarse is not None:
        lines.extend(plan.coarse.describe(plan.multiplications))
        if plan.coarse.segments and plan.mode != type(plan).mode:
            lines.append(f"  not used: the mode is {plan.mode}")
    if plan.coarsening:
        lines.append(f"coarsened: {plan.coarsening}")
    if plan.chunk is not None:
        lines.append(f"mode: {plan.mode}, {plan.chunk:,} directions at once, for want of memory")
    if plan.memory:
        sizes = dict(plan.memory)
        others = ", ".join(f"{name} {format_bytes(size)}" for name, size in plan.memory if name != "peak")
        lines.append(f"memory: predicted peak {format_bytes(sizes['peak'])}; {others}")
    if plan.measured:
        listed = ", ".join(f"{name} {1e6 * seconds:,.1f} us" for name, seconds in plan.measured)
        points = "one point" if plan.measured_batch == 1 else f"a batch of {plan.measured_batch:,}"
        lines.append(f"measured time of a call with {points}: {listed}")
        lines.append(f"fastest and taken: {plan.measured[0][0]}")
    return "\n".join(lines)


def explain(plan: Plan) -> str:
    """The summary, then every elimination with its cost."""
    graph = plan.graph
    state = StepElimination(Problem.from_graph(graph, plan.cost))
    costs = [state.apply(step) for step in plan.order]
    lines = [summary(plan), "", "eliminations, in order:"]
    for step, cost in zip(plan.order, costs, strict=True):
        if isinstance(step, EdgeStep):
            lines.append(f"  {step.kind:>6}  edge {step.source} -> {step.target:<28} {cost:>12,}")
            continue
        vertex = step
        described = graph.vertices[vertex]
        shape = "x".join(map(str, described.shape)) or "scalar"
        lines.append(f"  {vertex:>6}  {described.name:<24} {shape:<12} {cost:>12,}")
    return "\n".join(lines)


def block_kinds(graph: Graph) -> Counter[str]:
    """How many local partials there are of each kind of structure."""
    return Counter(describe(edge.structure) for edge in graph.edges)


def describe(structure: Structure) -> str:
    """One or two words for a structure."""
    if isinstance(structure, Operator):
        return "operator"
    if not structure:
        return "zero"
    kinds = {_describe_term(term) for term in structure}
    if len(structure) > 1:
        return f"sum of {kinds.pop()}" if len(kinds) == 1 else "sum"
    return kinds.pop()


def _describe_term(term: Term) -> str:
    if not term.out_axes and not term.in_axes:
        return {Kind.UNIT: "unit", Kind.CONSTANT: "constant", Kind.VARIABLE: "scalar"}[term.kind]
    if not term.sizes:
        return "single entry"
    outs, ins = _labels(term.out_axes), _labels(term.in_axes)
    if any(isinstance(axis, Table) for axis in (*term.out_axes, *term.in_axes)):
        return "static sparse"
    shared = outs & ins
    if not shared:
        return "dense" if outs and ins else "broadcast" if not ins else "sum over axes"
    shifted = any(
        isinstance(axis, Affine) and (axis.offset or any(abs(s) != 1 for _, s in axis.parts))
        for axis in (*term.out_axes, *term.in_axes)
    )
    name = "shifted diagonal" if shifted else "diagonal"
    if outs - shared or ins - shared:
        name = f"block {name}"
    return name


def _labels(axes: tuple[Affine | Table, ...]) -> set[int]:
    found: set[int] = set()
    for axis in axes:
        found |= {axis.label} if isinstance(axis, Table) else {label for label, _ in axis.parts}
    return found
