"""Emitting a Jacobian as one program whose form is chosen where it runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.core import Tracer

from elimax._jax import Program, trace
from elimax._jax.invariant import elements
from elimax._jax.program import as_function
from elimax.emit import laned_call, staged_call
from elimax.emit.estimate import CALLED, SERIES, SLOW
from elimax.emit.lanes import lanes
from elimax.emit.scalarise import MAX_ELEMENTS
from elimax.execute.settled import settled_results, takes_long


def emitted(
    emit: Callable[..., Any],
    inputs: Sequence[Any],
    program: Program,
    form: str,
    layout: str,
    name: str,
    elementary: str = "exact",
) -> Any:
    """Call a function that emits operations; small programs, and programs of small lanes, get a choice of form.

    Args:
      emit: emits the operations and returns a tree of arrays; with ``through=`` it has a part of them emitted by that,
        see `elimax.execute.through`.
      inputs: its arguments.
      program: the program that it differentiates; a large one is emitted as it is.
      form: one of `elimax.emit.FORMS`.
      layout: one of `elimax.emit.LAYOUTS`.
      name: of the program, for people.
      elementary: one of `elimax.emit.ELEMENTARY`.
    """
    if form == "plain" or not any(isinstance(x, Tracer) for x in (*inputs, *program.constants.values())):
        return emit(*inputs)

    def through(closed: Any, args: Sequence[Any]) -> list[Any] | None:
        return laned_call(name, closed, args, form, layout, elementary)

    own = functools.partial(emit, through=through) if lanes(program) else emit
    large = sum(math.prod(value.shape) for value in program.values) > MAX_ELEMENTS
    if large and not takes_long(program):
        return own(*inputs)
    closed, filled = _traced(own if large else emit, inputs)
    known = settled_results(closed, inputs, program)
    unknown = [k for k in range(len(closed.out_avals)) if k not in known]
    if known:
        whole = as_function(closed)
        closed = trace(lambda *arrays: [whole(*arrays)[k] for k in unknown], inputs)
    found = None if large else staged_call(name, closed, inputs, form, layout, elementary)
    if found is None and not large and not known and lanes(program):
        return own(*inputs)
    found = as_function(closed)(*inputs) if found is None else found
    results = known | dict(zip(unknown, found, strict=True))
    return filled([results[k] for k in range(len(results))])


def _traced(emit: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, Callable[[Sequence[Any]], Any]]:
    """A closed jaxpr of what a function emits, and what makes the tree that it returns of its results."""
    leaves: list[Any] = []
    trees: list[Any] = []

    def flat(*arrays: Any) -> list[Any]:
        results, tree = jax.tree.flatten(emit(*arrays))
        trees.append(tree)
        leaves[:] = [None if isinstance(x, Tracer) else x for x in results]
        return [x for x in results if isinstance(x, Tracer)]

    closed = trace(flat, inputs)

    def filled(results: Sequence[Any]) -> Any:
        rest = iter(results)
        return jax.tree.unflatten(trees[-1], [next(rest) if x is None else x for x in leaves])

    return closed, filled


def emitted_alone(
    fun: Callable[..., list[Any]],
    args: Sequence[Any],
    fixed: Sequence[bool] | None = None,
    form: str = "auto",
    elementary: str = "exact",
) -> list[Any]:
    """The results of a function, such as a turn of a loop, in the form that suits the place where it runs.

    Args:
      fun: a function of arrays.
      args: arrays.
      fixed: which of them are the same at every turn. XLA moves what depends on these alone out of the loop, in the
        plain form only, which is taken if that is half of the slow operations.
      form: one of `elimax.emit.FORMS`.
      elementary: one of `elimax.emit.ELEMENTARY`.
    """
    closed = trace(fun, args)
    if fixed is not None and form == "auto":
        early, total = elements(closed, fixed, _slow)
        if early and 2 * early >= total:
            return list(as_function(closed)(*args))
    found = staged_call("turn", closed, args, form, "batch-first", elementary, is_turn=True)
    if found is None:
        found = laned_call("turn", closed, args, form, "batch-first", elementary)
    return list(as_function(closed)(*args) if found is None else found)


def _slow(name: str, params: dict[str, Any]) -> bool:
    """Whether an operation takes much longer than a product."""
    return name in SLOW or name in SERIES or name in CALLED or (name == "integer_pow" and params["y"] < 0)
