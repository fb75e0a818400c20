"""Functions that carry their local Jacobian along, for every derivative that JAX takes of them."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import elimax.coarsen  # noqa: F401  # loaded later, the room would take the place of the function of that name
from elimax import execute
from elimax._jax.aligned import aligned
from elimax._jax.program import has_symbolic_shapes
from elimax._jax.staged import is_local
from elimax.api.argnums import normalise_argnums
from elimax.api.fallback import NEEDS_VALUES
from elimax.api.first_order import trips_of
from elimax.api.metadata import check_callable, check_choice, function_name, wraps
from elimax.api.traced_call import TracedCall, bound_positions
from elimax.errors import ElimaxWarning
from elimax.execute.coarse import Decision, Segment

WHEN = ("auto", "always")
"""Valid values of ``when``."""

_warned: weakref.WeakSet[Any] = weakref.WeakSet()


def coarsen(
    fun: Callable[..., Any],
    *,
    static_argnums: int | Iterable[int] = (),
    order: Any = "auto",
    cost: str = "time",
    form: str = "auto",
    elementary: str = "exact",
    when: str = "auto",
    max_trips: int | None = None,
) -> Callable[..., Any]:
    """The same function, with a local Jacobian in the place of a tape.

    Values are those of ``fun``. Where JAX differentiates it (``jax.grad``, ``jax.vjp``, ``jax.linearize``, ``jax.jvp``,
    the adjoint of a solver), the local Jacobian of ``fun`` is accumulated along with the value, by elimination, and
    tangents and cotangents are multiplied by it. What reverse mode keeps for the way back are then the entries of its
    blocks, at most inputs times outputs numbers: fewer than the intermediate results of a function with many
    operations and few arguments, such as the step of a simulation.

    For each set of differentiated arguments the two are compared, by shapes alone, when JAX first asks. Where a local
    Jacobian keeps no less than JAX's tape or takes too long, JAX's own derivative is used; ``elimax.plan`` of the
    coarsened function tells which, and why. So it is for functions with side effects (``jax.debug.print``, callbacks),
    and with complex arguments or results. A function that needs the values of its arguments while it is traced is
    called as it is, with an ElimaxWarning.

    The result works under ``jit``, ``vmap``, ``scan``, ``jax.checkpoint``, and can be differentiated again. Values that
    ``fun`` closes over are differentiated as in JAX. ``fun`` is traced once per call.

    Args:
      fun: function of arrays, scalars, or standard Python containers of them, by position or keyword, returning the
        same.
      static_argnums: positions of arguments that are known when ``fun`` is traced, as for ``jax.checkpoint``.
      order: as for ``jacobian``, of the local Jacobian.
      cost: as for ``jacobian``.
      form: as for ``jacobian``.
      elementary: as for ``jacobian``.
      when: ``"auto"`` compares as told above; ``"always"`` takes the local Jacobian wherever there is one.
      max_trips: as for ``jacobian``, of values too. Under ``jit`` there is NaN in place of an error.

    Returns:
      A function with the arguments of ``fun``.

    Raises:
      TypeError: ``fun`` is not callable, or ``static_argnums`` no integers; when called, an argument or result that is
        no array.
      ValueError: an option is unknown; when called, ``static_argnums`` out of range.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> import elimax
      >>> @elimax.coarsen
      ... def step(x, h):
      ...     for _ in range(10):
      ...         x = x + h * jnp.stack([x[1], -jnp.sin(x[0])])
      ...     return x
      >>> print(jax.grad(lambda x: step(x, 0.1)[0])(jnp.array([0.0, 1.0])))
      [0.59228253 0.89504534]
    """
    check_callable(fun)
    check_choice("when", when, WHEN)
    static = normalise_argnums(static_argnums, "static_argnums")
    numbers = (static,) if isinstance(static, int) else static
    coarsened = Coarsened(fun, numbers, order, cost, form, elementary, when == "always", trips_of(max_trips))

    @wraps(fun, "{fun}, differentiated by its local Jacobian.")
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return coarsened(args, kwargs)

    wrapper._elimax_coarsened = (wrapper, coarsened)  # type: ignore[attr-defined]
    return wrapper


class Coarsened:
    """A function and how its local Jacobian is computed; see `coarsen` for the arguments."""

    def __init__(
        self,
        fun: Any,
        static: tuple[int, ...],
        order: Any,
        cost: str,
        form: str,
        elementary: str,
        always: bool,
        max_trips: int | None,
    ):
        check_choice("form", form, execute.FORMS)
        check_choice("elementary", elementary, execute.ELEMENTARY)
        self.fun, self.name = fun, function_name(fun)
        self._static = static
        self.max_trips = max_trips
        self._options = (order, cost, form, elementary, always, max_trips)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls the function so that its derivative is known."""
        try:
            call = _Call(self, args, kwargs)
        except NEEDS_VALUES as error:
            problem = error
        else:
            return call.unflatten(call.evaluate())
        result = self.fun(*args, **kwargs)  # under jit this raises what it raises without elimax
        self._warn(problem)
        return result

    def decision(self, args: tuple[Any, ...], kwargs: dict[str, Any], positions: Sequence[int]) -> Decision:
        """What is done where the arguments at some positions are differentiated."""
        return _Call(self, args, kwargs).decision(positions)

    def bound(self, args: tuple[Any, ...]) -> set[int]:
        """Positions of the static arguments of a call."""
        return bound_positions(self._static, args, self.name)

    def segment(self, closed: Any) -> Segment:
        """The traced function."""
        return Segment(self.name, closed, *self._options)

    def _warn(self, error: Exception) -> None:
        try:
            if self.fun in _warned:
                return
            _warned.add(self.fun)
        except TypeError:  # not hashable or not weakly referable
            pass
        warnings.warn(
            f"{self.name} needs the values of its arguments while it is traced ({type(error).__name__}), so it is not "
            "coarsened. Name such arguments in static_argnums, or write value-dependent choices with jax.numpy.where, "
            "jax.lax.cond or jax.lax.while_loop.",
            ElimaxWarning,
            stacklevel=4,
        )


class _Call(TracedCall):
    """One call of a coarsened function."""

    def __init__(self, coarsened: Coarsened, args: tuple[Any, ...], kwargs: dict[str, Any]):
        super().__init__(coarsened.fun, coarsened.name, coarsened.bound(args), args, kwargs)
        self._coarsened = coarsened

    def evaluate(self) -> list[Any]:
        """Results, with a derivative of their own unless that cannot pay whatever is differentiated."""
        segment = self._coarsened.segment(self.closed)
        if self._alone() is not None:
            return segment(*self.operands)
        return list(_with_derivative(segment)(*self.operands))

    def decision(self, positions: Sequence[int]) -> Decision:
        alone = self._alone()
        if alone is not None:
            return Decision(False, alone)
        captured = len(self.operands) - self.num_leaves
        wanted = [False] * captured + [
            path[0].idx == 0 and self.positions[path[1].idx] in positions for path in self.paths
        ]
        inexact = [jnp.issubdtype(x.dtype, jnp.inexact) for x in self.closed.in_avals]
        active = [a and b for a, b in zip(wanted, inexact, strict=True)]
        if not any(active):
            return Decision(False, "none of the arguments carries a derivative")
        return self._coarsened.segment(self.closed).decide(active)[0]

    def _alone(self) -> str | None:
        """Why the function is left alone whatever is differentiated."""
        closed = self.closed
        if closed.effects:
            return "it has side effects: " + ", ".join(sorted({type(e).__name__ for e in closed.effects}))
        if has_symbolic_shapes(closed):
            return "shapes are symbolic"
        if not all(isinstance(x, jax.ShapeDtypeStruct) or is_local(x) for x in self.operands):
            return "arguments are spread over a mesh"
        if not any(jnp.issubdtype(a.dtype, jnp.inexact) for a in closed.in_avals):
            return "none of its arguments carries a derivative"
        if not any(jnp.issubdtype(a.dtype, jnp.inexact) for a in closed.out_avals):
            return "none of its results carries a derivative"
        return None


def _with_derivative(segment: Segment) -> Any:
    """The traced function with its own JVP rule, linear in the tangents."""

    @jax.custom_jvp
    def fun(*primals: Any) -> list[Any]:
        return aligned(segment(*primals), primals)

    def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        zero = jax.custom_derivatives.SymbolicZero
        given = [None if isinstance(t, zero) or jnp.result_type(t) == jax.dtypes.float0 else t for t in tangents]
        results, pushed = segment.jvp(primals, given)
        results = aligned(results, primals)
        return results, [_zeros(r) if t is None else t for r, t in zip(results, pushed, strict=True)]

    fun.defjvp(rule, symbolic_zeros=True)
    return fun


def _zeros(result: Any) -> Any:
    aval = jax.typeof(result)
    if jnp.issubdtype(aval.dtype, jnp.inexact):
        return jnp.zeros(aval.shape, aval.dtype)
    return np.zeros(aval.shape, jax.dtypes.float0)
