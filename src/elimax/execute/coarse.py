"""Whether a function is better differentiated by its preaccumulated local Jacobian, and how that is done."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import trace
from elimax._jax.directional import Directional, directional
from elimax._jax.program import as_function
from elimax.emit.estimate import EQUATION, PRODUCT, estimate
from elimax.emit.scalarise import scalarise
from elimax.errors import ElimaxError, ElimaxWarning, StructureError
from elimax.execute.closing import closed_loops
from elimax.execute.control.bounds import bounded, check_ended
from elimax.execute.control.chaining import chained
from elimax.execute.kept import Layout, push
from elimax.execute.preaccumulate import Preaccumulation, preaccumulate

MOST_KEPT = 1 << 24
"""More elements than this are not kept, even where JAX has no reverse mode."""

SLOWER = 2.0
"""A local Jacobian may be predicted to take so many times longer than JAX's tape, which the model prices too low; but
no more times than it keeps less."""

DIRECTION = 3.0
"""One direction of forward mode takes at most so many times longer than the function (Griewank and Walther, 3.2)."""

LESS = 4
"""A tape this many times smaller is worth running turns of loops again."""

SCALAR = 1.0
"""Nanoseconds for an operation of a program on scalars."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is done for one set of differentiated arguments, and why.

    Attributes:
      coarse: whether the local Jacobian is used.
      reason: why, in words.
      kept: number of elements that the local Jacobian keeps; None if it was not looked at.
      tape: number of elements that JAX keeps; None if it has no reverse mode, or it was not looked at.
      arrays: number of arrays that hold the former and the latter.
      seconds: predicted times of gradient by local Jacobian and by JAX, if both were predicted.
      backwards: whether JAX's derivative is taken with loops that keep few of their states.
      directional: whether one direction of forward mode is left to JAX.
    """

    coarse: bool
    reason: str
    kept: int | None = None
    tape: int | None = None
    arrays: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    directional: bool = False
    backwards: bool = False

    def __str__(self) -> str:
        """The decision in words."""
        alone = "; one direction of forward mode is left to JAX" if self.directional else ""
        return f"{'local Jacobian' if self.coarse else 'left to JAX'}; {self.reason}{alone}"


class Segment:
    """A traced function with its own derivative.

    Args:
      name: of the function, for people.
      closed: its closed jaxpr, without traced constants.
      order: as for `elimax.execute.evaluate`.
      cost: as for `elimax.execute.evaluate`.
      form: as for `elimax.execute.evaluate`.
      elementary: as for `elimax.execute.evaluate`.
      always: whether the local Jacobian is used even where it does not pay.
      max_trips: turns after which loops are ended; None for no such limit.
    """

    def __init__(
        self,
        name: str,
        closed: Any,
        order: Any,
        cost: str,
        form: str,
        elementary: str,
        always: bool = False,
        max_trips: int | None = None,
    ):
        self.name, self._unbounded, self._always, self._limit = name, closed, always, max_trips
        self._order, self._cost, self._form, self._elementary = order, cost, form, elementary
        self._whole = bounded(closed, max_trips)
        self._plain = as_function(self._whole)
        self._decided: dict[tuple[bool, ...], tuple[Decision, Preaccumulation | None]] = {}

    @functools.cached_property
    def closed(self) -> Any:
        """The function that is differentiated: without the loops that have a closed form."""
        found, loops = closed_loops(self._unbounded, record=self._limit is None)
        return bounded(found, self._limit) if loops else self._whole

    @functools.cached_property
    def backwards(self) -> Any:
        """The function with loops that can be differentiated backwards, and keep few of their states."""
        return chained(self.closed, scans=True)

    def __call__(self, *operands: Any) -> list[Any]:
        """Results of the function."""
        return self._checked(self._plain(*operands))

    def _checked(self, results: Sequence[Any]) -> list[Any]:
        """Results, or what follows for each, without whether a loop was ended; that is looked at."""
        if self._limit is None:
            return list(results)
        if results[-1] is not None:
            check_ended(results[-1], self._limit, self.name)
        return list(results[:-1])

    def decide(self, active: Sequence[bool]) -> tuple[Decision, Preaccumulation | None]:
        """What is done where some arguments are differentiated, known from shapes alone."""
        key = tuple(active)
        if key not in self._decided:
            decision, found = self._decide(key)
            if decision.coarse and found is not None and self._shorter(decision, found, key):
                decision = dataclasses.replace(decision, directional=True)
            self._decided[key] = decision, found
        return self._decided[key]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Results and their tangents; None stands for a tangent that is zero, of arguments and of results."""
        active = tuple(t is not None for t in tangents)
        if not any(active):
            results = self(*primals)
            return results, [None] * len(results)
        results, pushed = self._jvp(active, primals, tangents)
        return self._checked(results), pushed if self._limit is None else pushed[:-1]

    def _jvp(
        self, active: tuple[bool, ...], primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        decision, found = self.decide(active)
        if not decision.coarse or found is None:
            return self._left_alone(primals, tangents, decision.backwards)
        if decision.directional:
            return self._either_way(found, primals, tangents)
        results, arrays = found(primals, self.name, self._form, self._elementary)
        return results, _pushed(found.layout, arrays, tangents)

    def _either_way(
        self, found: Preaccumulation, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """By JAX's own rules along one direction, and by the local Jacobian for all else."""
        outputs = found.layout.outputs
        active = [k for k, t in enumerate(tangents) if t is not None]
        moving = sorted({block.output for block in found.layout.blocks if tangents[block.input] is not None})

        def along(primals: Sequence[Any], chosen: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            results, pushed = self._left_alone(primals, _full(len(primals), active, chosen))
            return results, [
                jnp.zeros(x.shape, x.dtype) if pushed[k] is None else pushed[k]
                for k, x in ((k, outputs[k]) for k in moving)
            ]

        def product(arrays: Sequence[Any], chosen: Sequence[Any]) -> list[Any]:
            pushed = push(found.layout, arrays, _full(len(primals), active, chosen))
            return [pushed[k] for k in moving]

        rule = Directional(
            lambda xs: list(self._plain(*xs)),
            along,
            lambda xs: found(xs, self.name, self._form, self._elementary),
            product,
            outputs,
            tuple(moving),
        )
        results, pushed = directional(rule, primals, [tangents[k] for k in active])
        return results, _full(len(outputs), moving, pushed)

    def _left_alone(
        self, primals: Sequence[Any], tangents: Sequence[Any], backwards: bool = False
    ) -> tuple[list[Any], list[Any]]:
        active = [k for k, t in enumerate(tangents) if t is not None]
        program = self.backwards if backwards else self.closed
        fun = functools.partial(_chosen, as_function(program), tuple(primals), active)
        results, pushed = jax.jvp(fun, [primals[k] for k in active], [tangents[k] for k in active])
        return results, [None if t.dtype == jax.dtypes.float0 else t for t in pushed]

    def _shorter(self, decision: Decision, found: Preaccumulation, active: tuple[bool, ...]) -> bool:
        """Whether JAX's own rules are predicted to be faster along one direction."""
        moved = [a for a, is_active in zip(self.closed.in_avals, active, strict=True) if is_active]
        if sum(math.prod(a.shape) for a in moved) == 1:  # the only direction
            return False
        if decision.seconds is None:
            own = _seconds(found, sum(math.prod(a.shape) for a in found.kept))
        else:
            own = decision.seconds[0]
        return DIRECTION * _least(self.closed, found.small) < own

    def _decide(self, active: tuple[bool, ...]) -> tuple[Decision, Preaccumulation | None]:
        moved = [a for a, is_active in zip(self.closed.in_avals, active, strict=True) if is_active]
        if any(jnp.issubdtype(a.dtype, jnp.complexfloating) for a in (*moved, *self.closed.out_avals)):
            return Decision(False, "there are complex arguments or results"), None
        reverse = backward(self.closed, active)
        other = None if self.backwards is self.closed else backward(self.backwards, active)
        if reverse is None and other is not None:
            return self._with_loops(active, other)
        size = sum(math.prod(a.shape) for a in moved) * sum(
            math.prod(a.shape) for a in self.closed.out_avals if jnp.issubdtype(a.dtype, jnp.inexact)
        )
        if reverse is None and size > MOST_KEPT:
            return Decision(False, f"the Jacobian has {size:,} elements, too many for want of a reverse mode"), None
        found = self._preaccumulated(active)
        if isinstance(found, Decision):
            return found, None
        kept = sum(math.prod(a.shape) for a in found.kept)
        if reverse is None:
            reason = f"JAX has no reverse mode here; the local Jacobian keeps {kept:,} elements"
            return Decision(True, reason, kept), found
        tape = reverse.size
        arrays = len(found.kept), len(reverse.kept)
        plural = "" if arrays[0] == 1 else "s"
        numbers = f"it keeps {kept:,} elements in {arrays[0]:,} array{plural}, JAX's tape {tape:,} in {arrays[1]:,}"
        if self._always:
            return Decision(True, f"asked for; {numbers}", kept, tape, arrays), found
        slower = min(SLOWER, tape / max(kept, 1))
        if kept >= tape or (own := _seconds(found, kept)) > slower * 1e-9 * estimate(reverse.closed):
            saved = self._saved(reverse, other)
            if saved is not None:
                return saved, None
        if kept >= tape:
            return Decision(False, f"a local Jacobian does not keep less: {numbers}", kept, tape, arrays), None
        own, theirs = _seconds(found, kept), 1e-9 * estimate(reverse.closed)
        times = f"predicted time of a gradient {1e6 * own:,.1f} us, by JAX {1e6 * theirs:,.1f} us"
        if own > slower * theirs:
            return Decision(False, f"a local Jacobian takes too long: {times}", kept, tape, arrays, (own, theirs)), None
        return Decision(True, f"{numbers}; {times}", kept, tape, arrays, (own, theirs)), found

    def _preaccumulated(self, active: tuple[bool, ...]) -> Preaccumulation | Decision:
        written = None if self.closed is self._whole else self._whole
        try:
            return preaccumulate(self.closed, active, self._order, self._cost, self.name, written)
        except Exception as error:  # a defect of elimax is no reason to fail where JAX does not
            if isinstance(error, ElimaxError) and not isinstance(error, StructureError):
                raise
            if not differentiable(self.closed, active):  # JAX will say why
                return Decision(False, "JAX has no derivative of it")
            reason = f"elimax failed ({type(error).__name__}: {error})"
            warnings.warn(
                f"{self.name} is differentiated by JAX: {reason}. This is a defect of elimax; please report it.",
                ElimaxWarning,
                stacklevel=2,
            )
            return Decision(False, reason)

    def _with_loops(self, active: tuple[bool, ...], other: Backward) -> tuple[Decision, Preaccumulation | None]:
        """Where JAX has no reverse mode for want of one through loops: which way is predicted to be faster."""
        moved = sum(math.prod(a.shape) for a, b in zip(self.closed.in_avals, active, strict=True) if b)
        results = sum(math.prod(a.shape) for a in self.closed.out_avals if jnp.issubdtype(a.dtype, jnp.inexact))
        theirs = 1e-9 * estimate(other.closed)
        numbers = f"keeps {other.size:,} elements, predicted time of a gradient {1e6 * theirs:,.1f} us"
        if moved * results > MOST_KEPT:
            reason = f"the Jacobian has {moved * results:,} elements; loops are run backwards, which {numbers}"
            return Decision(False, reason, None, other.size, backwards=True), None
        found = self._preaccumulated(active)
        if isinstance(found, Decision):
            return dataclasses.replace(found, backwards=True), None
        kept = sum(math.prod(a.shape) for a in found.kept)
        own = _seconds(found, kept)
        if own > theirs and not self._always:
            reason = f"loops are run backwards, which {numbers}; a local Jacobian takes {1e6 * own:,.1f} us"
            return Decision(False, reason, kept, other.size, None, (own, theirs), backwards=True), None
        reason = f"JAX has no reverse mode here; the local Jacobian keeps {kept:,} elements"
        return Decision(True, f"{reason}, predicted time of a gradient {1e6 * own:,.1f} us", kept), found

    def _saved(self, reverse: Backward, other: Backward | None) -> Decision | None:
        """JAX's own derivative with loops that keep much less than its tape, if that takes little longer."""
        if other is None or LESS * other.size > reverse.size:
            return None
        own, theirs = 1e-9 * estimate(other.closed), 1e-9 * estimate(reverse.closed)
        if own > SLOWER * theirs:
            return None
        reason = f"loops are run backwards from {other.size:,} elements, JAX's tape has {reverse.size:,}"
        return Decision(False, reason, None, reverse.size, None, (own, theirs), backwards=True)


def _pushed(layout: Layout, arrays: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Tangents of the results.

    JAX would cut arrays that are stored together into their parts before it keeps them, and compute all else that does
    not depend on tangents; rematerialisation keeps the arrays as they are.
    """
    whole = functools.partial(push, layout)
    if any(start is not None for _, start in layout.places):
        whole = jax.checkpoint(whole, prevent_cse=False)
    return whole(list(arrays), list(tangents))


@dataclasses.dataclass(frozen=True, eq=False)
class Backward:
    """JAX's reverse mode for a function.

    Attributes:
      kept: shape and dtype of each array that is kept for the way back.
      closed: closed jaxpr of values and gradient.
    """

    kept: list[Any]
    closed: Any

    @property
    def size(self) -> int:
        """Number of elements that are kept."""
        return sum(math.prod(a.shape) for a in self.kept)


def backward(closed: Any, active: Sequence[bool]) -> Backward | None:
    """JAX's reverse mode with respect to some arguments; None if there is none."""
    plain = as_function(closed)
    numbers = [k for k, is_active in enumerate(active) if is_active]
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]

    def residuals(*operands: Any) -> list[Any]:
        fun = functools.partial(_chosen, plain, operands, numbers)
        _, pull = jax.vjp(fun, *(operands[k] for k in numbers))
        return [x for x in jax.tree.leaves(pull) if hasattr(x, "dtype")]

    def gradient(operands: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        fun = functools.partial(_chosen, plain, tuple(operands), numbers)
        results, pull = jax.vjp(fun, *(operands[k] for k in numbers))
        given = iter(cotangents)
        seeds = [
            next(given) if jnp.issubdtype(r.dtype, jnp.inexact) else np.zeros(r.shape, jax.dtypes.float0)
            for r in results
        ]
        return [*results, *pull(seeds)]

    seeds = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.out_avals if jnp.issubdtype(a.dtype, jnp.inexact)]
    try:
        whole = trace(gradient, (avals, seeds))  # type: ignore[arg-type]
        kept = trace(residuals, avals)
    except (TypeError, ValueError, NotImplementedError):  # while loops, callbacks
        return None
    own = {id(v) for v in kept.jaxpr.constvars}
    seen: dict[int, Any] = {}
    for variable in kept.jaxpr.outvars:
        if id(variable) not in own and not hasattr(variable, "val"):
            seen[id(variable)] = variable.aval
    return Backward(list(seen.values()), whole)


def differentiable(closed: Any, active: Sequence[bool]) -> bool:
    """Whether JAX has a derivative with respect to some arguments."""
    numbers = [k for k, is_active in enumerate(active) if is_active]
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in closed.in_avals]

    def pushed(*operands: Any) -> list[Any]:
        fun = functools.partial(_chosen, as_function(closed), operands, numbers)
        chosen = [operands[k] for k in numbers]
        return jax.jvp(fun, chosen, [jnp.ones_like(x) for x in chosen])[0]

    try:
        trace(pushed, avals)
    except Exception:  # whatever JAX and the user's rules raise
        return False
    return True


def _chosen(fun: Any, operands: Sequence[Any], numbers: Sequence[int], *chosen: Any) -> list[Any]:
    full = list(operands)
    for k, x in zip(numbers, chosen, strict=True):
        full[k] = x
    return list(fun(*full))


def _seconds(found: Preaccumulation, kept: int) -> float:
    """Predicted time of values, local Jacobian and one product with it."""
    return _least(found.closed, found.small) + 1e-9 * (EQUATION * len(found.kept) + PRODUCT * kept)


def _least(closed: Any, small: bool) -> float:
    """Predicted seconds of a program in the form that suits it, plain or on scalars."""
    times = [estimate(closed)]
    program = scalarise(closed) if small else None
    if program is not None:
        times.append(EQUATION + SCALAR * len(program.steps))
    return 1e-9 * min(times)


def _full(count: int, numbers: Sequence[int], chosen: Sequence[Any]) -> list[Any]:
    """As many places, empty but for some."""
    full: list[Any] = [None] * count
    for k, x in zip(numbers, chosen, strict=True):
        full[k] = x
    return full
