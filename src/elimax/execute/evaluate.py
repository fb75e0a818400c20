"""One Jacobian from start to end: trace, build, plan, run, lay out."""

from __future__ import annotations

import dataclasses
import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import trace
from elimax._jax.program import as_function, has_symbolic_shapes
from elimax.errors import ElimaxError, ElimaxWarning, ModeError
from elimax.execute.accumulate import Edges
from elimax.execute.chunks import chunked_mode
from elimax.execute.closing import Closed, closed_loops
from elimax.execute.collector import collector_paused
from elimax.execute.coloured import LONG, coloured_mode, coloured_modes, compression, whole_pattern
from elimax.execute.control.bounds import bounded, check_ended
from elimax.execute.control.entry import linearised
from elimax.execute.emission import emitted
from elimax.execute.fitting import check_result, dense_size, memory_of, shapes_of, sparse_size, within
from elimax.execute.forms import forms_of, is_long
from elimax.execute.layout import identity_block, write_block
from elimax.execute.memory import memory_of_machine
from elimax.execute.modes import (
    ELIMINATION,
    MOST_PRODUCTS,
    Emit,
    cheapest,
    modes_through,
    out_of_reach,
    predictions,
    products,
)
from elimax.execute.modes import traced as emitted_program
from elimax.execute.remaining import MOST_ENTRIES, num_entries
from elimax.execute.run import run
from elimax.execute.segmented import COARSE, Linearise, again, planned
from elimax.execute.symmetric import Symmetry, mirrored
from elimax.execute.through import Through, run_through
from elimax.graph.hashing import structural_hash
from elimax.partials.build import Linearisation, linearise
from elimax.plan import Plan, make_plan
from elimax.plan.types import COMPRESSED, JAX_MODES, STAR, THROUGH_LOOPS

FlatFunction = Callable[..., tuple[Sequence[Any], Sequence[Any]]]
"""Maps arrays to a list of results to differentiate and a list of auxiliary results."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` returns.

    Attributes:
      outputs: values of the results.
      aux: values of the auxiliary results.
      blocks: ``blocks[i][j]`` is the Jacobian of result i with respect to argument j, of shape
        ``outputs[i].shape + inputs[j].shape`` in the dtype of the result; an array or a BCOO.
    """

    outputs: list[Any]
    aux: list[Any]
    blocks: list[list[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Traced:
    """A traced function.

    Attributes:
      closed: its closed jaxpr, without the loops that have a closed form.
      num_outputs: how many of its results are differentiated.
      loops: the loops that were closed.
      written: its closed jaxpr with them.
    """

    closed: Any
    num_outputs: int
    loops: tuple[Closed, ...] = ()
    written: Any = None

    @property
    def symbolic(self) -> bool:
        """Whether shapes are symbolic, so that structure cannot be worked out."""
        return has_symbolic_shapes(self.closed)


def trace_flat(
    fun: FlatFunction, inputs: Sequence[Any], max_trips: int | None = None, ended: Callable[[], Any] | None = None
) -> Traced:
    """Trace a flat function on the shapes of its arguments.

    Args:
      fun: the function.
      inputs: its arguments.
      max_trips: turns after which loops are ended; whether one was is then the last of the auxiliary results.
      ended: tells that instead, for a function whose loops have been ended already.
    """
    count: list[int] = []

    def flat(*args: Any) -> list[Any]:
        outputs, aux = fun(*args)
        count.append(len(outputs))
        return [*outputs, *aux, *(() if ended is None else (ended(),))]

    written = trace(flat, inputs)
    closed, loops = closed_loops(written, record=max_trips is None)
    max_trips = max_trips if ended is None else None
    same = written is closed
    closed = bounded(closed, max_trips)
    return Traced(closed, count[-1], loops, closed if same else bounded(written, max_trips))


def evaluate(
    fun: FlatFunction,
    inputs: Sequence[Any],
    *,
    order: Any = "auto",
    cost: str = "time",
    output: str = "dense",
    budget: float | None = None,
    seed: int = 0,
    values: bool = True,
    form: str = "auto",
    layout: str = "batch-first",
    elementary: str = "exact",
    max_memory: float | None = None,
    max_trips: int | None = None,
    name: str = "",
    on_trace: Callable[[Any], None] | None = None,
    on_ended: Callable[[Any], None] | None = None,
    symmetry: Symmetry | None = None,
) -> Evaluation:
    """Values and Jacobian of a flat function.

    Args:
      fun: the function; every argument is an independent variable.
      inputs: its arguments, inexact arrays or tracers.
      order: an order's name, a sequence of vertices, or a plan.
      cost: what the order search minimises.
      output: "dense" or "bcoo".
      budget: seconds for the order search; None for a usual amount of work.
      seed: seed of the order search.
      values: whether the values of the results are wanted.
      form: one of `FORMS`.
      layout: one of `LAYOUTS`.
      elementary: one of `ELEMENTARY`.
      max_memory: bytes that are not to be exceeded; None for those of the machine.
      max_trips: turns after which a loop without a known number of them is ended; None for no such limit.
      name: of the function, for people.
      on_trace: called with the traced function.
      on_ended: called with whether loops were ended, in place of an error.
      symmetry: of the blocks of a Hessian, known once the function is traced.

    Raises:
      MemoryLimitError: if the result does not fit, or no way to it.
      ModeError: if JAX does not do the mode that the plan names.
      TripLimitError: if a loop was ended, where that can be seen.
    """
    traced = trace_flat(fun, inputs, max_trips, _ended(max_trips, symmetry))
    finished = functools.partial(_finished, limit=max_trips, name=name, on_ended=on_ended)
    if on_trace is not None:
        on_trace(traced.closed)
    if traced.symbolic:
        return finished(_by_jax(traced, inputs, output))
    with collector_paused():
        plan = order
        if isinstance(order, str) and order == COARSE:
            lin, plan = _coarse(traced, inputs, name, _emission(traced), cost=cost, budget=budget, seed=seed)
        else:
            lin = _graph(traced, inputs, name, order, output)
        check_result(name, shapes_of(lin), inputs, max_memory, output, functools.partial(_sparse_size, lin))
        if isinstance(order, str) and order == "auto" and output == "dense":
            lin, plan = _coarse(traced, inputs, name, _emission(traced), lin, cost=cost, budget=budget, seed=seed)
        elif not (isinstance(order, str) and order == COARSE):
            plan = plan_of(lin, order, cost=cost, budget=budget, seed=seed)
        if isinstance(order, str) and order in ("auto", COARSE):
            plan = with_modes(plan, traced, lin, inputs, output, symmetry)
        emit = _elimination(traced, lin, plan, output, values, symmetry)
        if max_memory is not None:
            plan = within(plan, max_memory, traced.closed, lin, inputs, output, values, emit, symmetry)
        if plan.mode in COMPRESSED or (plan.mode in (*JAX_MODES, *THROUGH_LOOPS) and output == "dense"):
            try:
                return finished(Evaluation(*_mode(plan, traced, lin, output, values, symmetry)(*inputs)))
            except (TypeError, ValueError, NotImplementedError) as error:  # custom_vjp forward, while loops in reverse
                if isinstance(error, ElimaxError):
                    raise
                raise _refused(plan.mode, name, error) from error
        return finished(Evaluation(*emitted(emit, inputs, lin.program, form, layout, name, elementary)))


def _ended(limit: int | None, symmetry: Symmetry | None) -> Callable[[], Any] | None:
    """What tells whether loops of a Jacobian were ended that is differentiated once more."""
    return None if limit is None or symmetry is None else lambda: symmetry.ended


def _finished(
    found: Evaluation, limit: int | None, name: str, on_ended: Callable[[Any], None] | None = None
) -> Evaluation:
    """What was evaluated, after a look at whether loops were ended."""
    if limit is None:
        return found
    if on_ended is None:
        check_ended(found.aux[-1], limit, name)
    else:
        on_ended(found.aux[-1])
    return dataclasses.replace(found, aux=found.aux[:-1])


def with_modes(
    plan: Plan,
    traced: Traced,
    lin: Linearisation,
    inputs: Sequence[Any],
    output: str = "dense",
    symmetry: Symmetry | None = None,
) -> Plan:
    """The plan with JAX's own modes and the compressed ones as candidates, where elimination has rivals.

    See `elimax.execute.modes` for where that is. Only compressed modes rival elimination for sparse output.
    """
    if any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in inputs):
        return plan
    count = products(lin.graph, plan.order)
    eliminate = _elimination(traced, lin, plan, output, values=False)
    if not lin.opaque_operations and not lin.coarse_operations and not traced.loops:
        if count <= MOST_PRODUCTS and not (output == "dense" and is_long(lin, count, eliminate, inputs)):
            return plan
        if len(lin.steps) > LONG and out_of_reach(lin, count):
            return plan
    modes = _jax_modes(traced, values=False) if output == "dense" else {}
    modes |= coloured_modes(traced.closed, lin, plan.order, output, False, symmetry)
    if not modes:
        return plan
    elimination = count if count > MOST_PRODUCTS else eliminate
    if output == "bcoo" and num_entries(lin.graph, plan.order) > MOST_ENTRIES:
        elimination = sys.maxsize  # indices of so many entries are not written out while there is another way
    predicted = predictions(elimination, modes, traced.closed, inputs)
    return dataclasses.replace(plan, modes=tuple(predicted.items()), mode=cheapest(predicted))


def _refused(mode: str, name: str, error: Exception) -> ModeError:
    """What to raise where JAX does not do a mode that a plan names; the function itself has been traced before."""
    return ModeError(
        f"mode {mode!r} cannot be had for {name or 'the function'}: {error} Name another one with Plan.with_mode, or "
        "leave the choice to order='auto'."
    )


def _mode(
    plan: Plan, traced: Traced, lin: Linearisation, output: str, values: bool, symmetry: Symmetry | None = None
) -> Emit:
    """What emits the mode of a plan that is no elimination, in the plan's chunks."""
    if plan.mode in COMPRESSED:
        return coloured_mode(plan.mode, traced.closed, lin, plan.order, output, values, plan.chunk, symmetry)
    if plan.chunk is not None:
        return chunked_mode(plan.mode, traced.closed, traced.num_outputs, values, plan.chunk)
    modes = _jax_modes(traced, values)
    if plan.mode not in modes:
        raise ModeError(f"mode {plan.mode!r} is for functions with loops of its kind, and this one has none.")
    return modes[plan.mode]


def _jax_modes(traced: Traced, values: bool) -> dict[str, Emit]:
    return modes_through(traced.closed, traced.written, traced.num_outputs, values)


def _elimination(
    traced: Traced, lin: Linearisation, plan: Plan, output: str, values: bool, symmetry: Symmetry | None = None
) -> Emit:
    """What emits values of results, auxiliary values and blocks by elimination."""
    wanted = range(0 if values else traced.num_outputs, len(lin.program.outputs))

    def emit(*arrays: Any, through: Through | None = None) -> tuple[list[Any], list[Any], list[list[Any]]]:
        found = None if through is None else run_through(lin, plan.order, arrays, wanted, through)
        results, edges = run(lin, plan.order, arrays) if found is None else found
        outputs, aux = results[: traced.num_outputs], results[traced.num_outputs :]
        return (outputs if values else []), aux, _blocks(lin, edges, arrays, outputs, output, symmetry)

    return emit


def _blocks(
    lin: Linearisation,
    edges: Edges,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    output: str,
    symmetry: Symmetry | None,
) -> Any:
    """The blocks of the Jacobian from the edges that remain, row by row."""
    if symmetry is not None:
        keys = {
            (i, j): (source, vertex)
            for i, vertex in enumerate(lin.outputs)
            for j, source in enumerate(lin.inputs)
            if vertex is not None and (source, vertex) in edges
        }
        edges = mirrored(edges, keys, symmetry, diagonals=output == "dense")
    blocks = []
    for result, vertex in zip(outputs, lin.outputs, strict=True):
        row = []
        for argument, source in zip(inputs, lin.inputs, strict=True):
            shapes = tuple(result.shape), tuple(jnp.shape(argument))
            if vertex is not None and vertex == source:
                structure, values = identity_block(shapes[0])
            elif vertex is not None and (source, vertex) in edges:
                structure, values = edges[(source, vertex)]
            else:
                structure, values = (), ()
            row.append(write_block(structure, values, *shapes, result.dtype, output))
        blocks.append(row)
    return blocks


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
    traced = trace_flat(fun, inputs, max_trips, _ended(max_trips, symmetry))
    if on_trace is not None:
        on_trace(traced.closed)
    with collector_paused():
        limits = {"budget": budget, "seed": seed, "max_evaluations": max_evaluations}
        emission = _emission(traced)
        if isinstance(order, str) and order == COARSE:
            lin, plan = _coarse(traced, inputs, name, emission, cost=cost, **limits)
        else:
            lin = _graph(traced, inputs, name, order, "dense")
            search = {"cost": cost, **limits, "executor": executor, "progress": progress}
            if isinstance(order, str) and order == "auto":
                lin, plan = _coarse(traced, inputs, name, emission, lin, **search)
            else:
                plan = plan_of(lin, order, **search)
        large = dense_size(shapes_of(lin), inputs) > memory_of_machine()
        if isinstance(order, str) and order in ("auto", COARSE) and not large:
            plan = with_modes(plan, traced, lin, inputs, symmetry=symmetry)
        emit = emission(lin, plan) if symmetry is None else _elimination(traced, lin, plan, "dense", True, symmetry)
        if max_memory is not None:
            check_result(name, shapes_of(lin), inputs, max_memory, "dense", functools.partial(_sparse_size, lin))
            plan = within(plan, max_memory, traced.closed, lin, inputs, "dense", True, emit, symmetry)
        if plan.mode != ELIMINATION:
            emit = _mode(plan, traced, lin, "dense", True, symmetry)
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
        emit = _elimination(traced, lin, plan, "bcoo", False, symmetry)
        trace(lambda *xs: [block.data for row in emit(*xs)[2] for block in row], inputs)
    return symmetry.mirrored


def _linearised(traced: Traced, inputs: Sequence[Any], name: str) -> Linearise:
    return functools.partial(linearised, traced.closed, [True] * len(inputs), name, traced.num_outputs)


def _graph(traced: Traced, inputs: Sequence[Any], name: str, order: Any, output: str) -> Linearisation:
    """The graph that an order is for; loops stay operators for sparse output, whose patterns are sharper."""
    plain = functools.partial(linearise, traced.closed, [True] * len(inputs), name, traced.num_outputs)
    if not isinstance(order, Plan):
        return _linearised(traced, inputs, name)(None) if output == "dense" else plain()
    lin = again(order.coarse, _linearised(traced, inputs, name))
    if lin.coarse_operations and structural_hash(lin.graph) != order.graph_hash:
        other = plain()  # a plan of sparse output
        lin = other if structural_hash(other.graph) == order.graph_hash else lin
    return lin


def _emission(traced: Traced) -> Callable[[Linearisation, Plan], Emit]:
    """Eliminations with values, one for each graph and order."""
    known: dict[Any, Emit] = {}

    def emission(lin: Linearisation, plan: Plan) -> Emit:
        key = lin, tuple(plan.order)
        if key not in known:
            known[key] = _elimination(traced, lin, plan, "dense", values=True)
        return known[key]

    return emission


def _coarse(
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
        asked=fine is None,
    )


def _sparse_size(lin: Linearisation) -> int:
    return sparse_size(lin, plan_of(lin, "reverse").order)


def plan_of(lin: Linearisation, order: Any, **search: Any) -> Plan:
    """Plan a linearised program; see `elimax.plan.make_plan` for the options."""
    return make_plan(lin.graph, order=order, opaque=tuple(lin.opaque_operations), **search)


def linearisation_for(fun: FlatFunction, inputs: Sequence[Any], name: str = "") -> Linearisation:
    """The linearised graph of a flat function."""
    traced = trace_flat(fun, inputs)
    return linearise(traced.closed, [True] * len(inputs), name, traced.num_outputs)


def _by_jax(traced: Traced, inputs: Sequence[Any], output: str) -> Evaluation:
    """JAX's own mode where shapes are symbolic: structure of unknown size cannot be planned."""
    if output != "dense":
        raise ValueError(
            f"output={output!r} needs shapes that are known at trace time; these are symbolic. Use output='dense'."
        )

    warnings.warn(
        "shapes are symbolic here, so the structure of the Jacobian is not known; JAX's forward mode is used instead",
        ElimaxWarning,
        stacklevel=4,
    )
    whole = as_function(traced.closed)

    def fun(*args: Any) -> tuple[list[Any], list[Any]]:
        results = whole(*args)
        outputs, aux = results[: traced.num_outputs], results[traced.num_outputs :]
        return outputs, [outputs, aux]

    blocks, (outputs, aux) = jax.jacfwd(fun, argnums=tuple(range(len(inputs))), has_aux=True)(*inputs)
    return Evaluation(list(outputs), list(aux), [list(row) for row in blocks])
