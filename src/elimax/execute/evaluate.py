"""One Jacobian from start to end: trace, build, plan, run, lay out."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax

from elimax._jax.program import as_function
from elimax.errors import ElimaxError, ElimaxWarning, ModeError
from elimax.execute.candidates import elimination, mode_of, with_modes
from elimax.execute.collector import collector_paused
from elimax.execute.control.bounds import check_ended
from elimax.execute.emission import emitted
from elimax.execute.fitting import check_result, shapes_of, within
from elimax.execute.planning import coarse_graph, emission_of, graph_of, least_sparse_size, plan_of
from elimax.execute.segmented import COARSE
from elimax.execute.symmetric import Symmetry
from elimax.execute.traced import FlatFunction, Traced, ended_elsewhere, trace_flat
from elimax.plan.types import COMPRESSED, JAX_MODES, THROUGH_LOOPS


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
    traced = trace_flat(fun, inputs, max_trips, ended_elsewhere(max_trips, symmetry))
    finished = functools.partial(_finished, limit=max_trips, name=name, on_ended=on_ended)
    if on_trace is not None:
        on_trace(traced.closed)
    if traced.symbolic:
        return finished(_by_jax(traced, inputs, output))
    with collector_paused():
        plan = order
        if isinstance(order, str) and order == COARSE:
            lin, plan = coarse_graph(traced, inputs, name, emission_of(traced), cost=cost, budget=budget, seed=seed)
        else:
            lin = graph_of(traced, inputs, name, order, output)
        check_result(name, shapes_of(lin), inputs, max_memory, output, functools.partial(least_sparse_size, lin))
        if isinstance(order, str) and order == "auto" and output == "dense":
            lin, plan = coarse_graph(
                traced, inputs, name, emission_of(traced), lin, cost=cost, budget=budget, seed=seed
            )
        elif not (isinstance(order, str) and order == COARSE):
            plan = plan_of(lin, order, cost=cost, budget=budget, seed=seed)
        if isinstance(order, str) and order in ("auto", COARSE):
            plan = with_modes(plan, traced, lin, inputs, output, symmetry)
        emit = elimination(traced, lin, plan, output, values, symmetry)
        if max_memory is not None:
            plan = within(plan, max_memory, traced.closed, lin, inputs, output, values, emit, symmetry)
        if plan.mode in COMPRESSED or (plan.mode in (*JAX_MODES, *THROUGH_LOOPS) and output == "dense"):
            try:
                return finished(Evaluation(*mode_of(plan, traced, lin, output, values, symmetry)(*inputs)))
            except (TypeError, ValueError, NotImplementedError) as error:  # custom_vjp forward, while loops in reverse
                if isinstance(error, ElimaxError):
                    raise
                raise _refused(plan.mode, name, error) from error
        return finished(Evaluation(*emitted(emit, inputs, lin.program, form, layout, name, elementary)))


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


def _refused(mode: str, name: str, error: Exception) -> ModeError:
    """What to raise where JAX does not do a mode that a plan names; the function itself has been traced before."""
    return ModeError(
        f"mode {mode!r} cannot be had for {name or 'the function'}: {error} Name another one with Plan.with_mode, or "
        "leave the choice to order='auto'."
    )


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
