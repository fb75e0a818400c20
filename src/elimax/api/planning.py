"""Plans without a Jacobian: what would be done, and why."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from elimax import execute
from elimax.api.argnums import make_call, normalise_argnums
from elimax.api.endpoints import Rule
from elimax.api.first_order import limit_of, limited, reverse_jacobian
from elimax.api.flat import FlatFunction, Options
from elimax.api.metadata import check_callable, coarsened_of, function_name
from elimax.execute.measure import measured_plan


def plan(
    fun: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    order: Any = "auto",
    cost: str = "time",
    budget: float | None = None,
    seed: int = 0,
    max_evaluations: int | None = None,
    executor: Any = None,
    progress: Any = None,
    measure: bool = False,
    batch: int = 1,
    max_memory: float | str | None = None,
    max_trips: int | None = None,
    hessian: bool = False,
    **kwargs: Any,
) -> Any:
    """Plans the Jacobian of ``fun`` at arguments of these shapes.

    The plan of a function of ``coarsen`` tells too whether its local Jacobian takes the place of JAX's tape where the
    arguments ``argnums`` are differentiated, and why.

    Args:
      fun: as for ``jacobian``.
      *args: the arguments; ``jax.ShapeDtypeStruct`` will do for those to differentiate.
      argnums: as for ``jacobian``.
      has_aux: as for ``jacobian``.
      holomorphic: as for ``jacobian``.
      allow_int: as for ``jacobian``.
      order: as for ``jacobian``; the plan of ``"coarse"`` tells which segments became vertices, how they were
        simplified, and what that saves.
      cost: as for ``jacobian``.
      budget: seconds that the search may take; None for a usual amount of work, the same in every process.
      seed: of the search.
      max_evaluations: limits the search by work instead of time; the plan then depends on the seed alone.
      executor: where ``order="auto"`` searches: None for threads of this process, ``"processes"``, ``"ray"``, or an
        executor of ``concurrent.futures``.
      progress: an ``elimax.order.progress.Progress`` to watch the search by, or to stop it.
      measure: whether to time the order found, the simple orders, segments as vertices where ``"coarse"`` takes some,
        and JAX's modes on the device, with random arguments, and keep the fastest; ``print(plan)`` tells the times.
      batch: number of points at once that ``measure`` is to time, as under ``jax.vmap``.
      max_memory: as for ``jacobian``, for dense output; the plan then names the mode, and the directions at a time.
      max_trips: as for ``jacobian``; the plan is that of a function whose loops are ended.
      hessian: plan the Hessian instead, which is the Jacobian of the program that accumulates a Jacobian; the plan then
        tells what share of the entries is taken from their mirror image, and serves as ``order=`` of ``hessian``.
      **kwargs: keyword arguments of ``fun``.

    Returns:
      A ``Plan``, to print, save, draw, or pass as ``order=`` to ``jacobian``.

    Raises:
      TypeError: as for ``jacobian``; ConcretizationTypeError when ``fun`` needs the values of its arguments.
      ValueError: as for ``jacobian``.
    """
    check_callable(fun)
    name = function_name(fun)
    coarsened = coarsened_of(fun)
    fun, trips = limited(fun, max_trips)
    if coarsened is not None:
        fun = coarsened.fun
    call = make_call(name, normalise_argnums(argnums), args, kwargs)
    options = Options(has_aux, holomorphic, allow_int)
    symmetry = execute.Symmetry() if hessian else None
    if symmetry is not None:
        fun = reverse_jacobian(fun, argnums, options, symmetry, trips)
        options = dataclasses.replace(options, rule=Rule.FORWARD)
    flat = FlatFunction(fun, name, call, dataclasses.replace(options, abstract=True))

    def see(closed: Any) -> None:
        if symmetry is not None:
            symmetry.groups = flat.pairs()

    planned = functools.partial(
        execute.plan_for,
        flat,
        flat.arrays,
        cost=cost,
        budget=budget,
        seed=seed,
        max_evaluations=max_evaluations,
        executor=executor,
        progress=progress,
        max_memory=limit_of(max_memory),
        max_trips=trips,
        name=name,
        on_trace=see,
        symmetry=symmetry,
    )
    found = planned(order=order)
    if measure and found.chunk is None:
        joined = planned(order="coarse") if isinstance(order, str) and order == "auto" else None
        has_segments = joined is not None and joined.coarse is not None and joined.coarse.segments
        found = measured_plan(flat, flat.arrays, found, batch, joined if has_segments else None, symmetry)
    if coarsened is not None:
        decision = coarsened.decision(args, kwargs, call.positions)
        found = dataclasses.replace(found, coarsening=str(decision))
    return found
