"""Functions whose loops, and themselves, are emitted as few kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.core import Tracer

from elimax import execute
from elimax._jax.program import as_function, has_symbolic_shapes
from elimax._jax.staged import is_local
from elimax.api.argnums import normalise_argnums
from elimax.api.metadata import check_callable, check_choice, function_name, wraps
from elimax.api.traced_call import TracedCall, bound_positions


def fuse(
    fun: Callable[..., Any],
    *,
    static_argnums: int | Iterable[int] = (),
    form: str = "auto",
    elementary: str = "exact",
) -> Callable[..., Any]:
    """The same function, with each turn of its loops in as few kernels as pay.

    A step of a solver around a small Jacobian (Newton's method, an implicit or Runge-Kutta step, a filter) is many
    operations on few numbers. XLA makes a kernel of each array in it, and starting these takes longer than what they
    compute. Here the Jacobian, the function and all that is done with them at one turn are taken apart into operations
    on scalars together, shared subexpressions are computed once, and the form of the whole is chosen as that of a
    Jacobian is: for the batch, the platform and the loop it runs in.

    Put it around the step of a loop, or around the whole solver: bodies of ``lax.scan``, ``lax.fori_loop`` and
    ``lax.while_loop`` in it are treated each for itself, and what is between them as well. Operations that cannot be
    taken apart, such as ``jnp.linalg.solve``, stay as they are and what is before and behind them is treated; so do
    large arrays, functions with a ``jax.custom_vjp`` rule, what is under ``jax.checkpoint``, and functions with side
    effects as a whole.

    Values differ from those of ``fun`` by rounding alone. Derivatives are those that JAX takes of ``fun``, and its
    custom rules hold. The result works under ``jit``, ``vmap``, ``scan`` and ``grad``; called with arrays, it is
    compiled as by ``jax.jit``. ``fun`` is traced as by ``jax.jit``, so that it cannot look at values of its arguments.

    Args:
      fun: function of arrays, scalars, or standard Python containers of them, by position or keyword, returning the
        same.
      static_argnums: positions of arguments that are known when ``fun`` is traced, as for ``jax.jit``.
      form: as for ``jacobian``; ``"plain"`` leaves everything to XLA.
      elementary: as for ``jacobian``.

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
      >>> @elimax.fuse
      ... def minimise(x):
      ...     def turn(x, _):
      ...         residual, jacobian = elimax.value_and_jacobian(lambda x: jnp.sin(x) - 0.5 * x[::-1])(x)
      ...         return x - 0.5 * residual @ jacobian, None
      ...     return jax.lax.scan(turn, x, None, length=200)[0]
      >>> print([round(float(v), 2) for v in minimise(jnp.array([1.0, 2.0]))])
      [1.89, 1.9]
    """
    check_callable(fun)
    check_choice("form", form, execute.FORMS)
    check_choice("elementary", elementary, execute.ELEMENTARY)
    given = normalise_argnums(static_argnums, "static_argnums")
    numbers, name = (given,) if isinstance(given, int) else given, function_name(fun)

    def emitted(static: set[int], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = TracedCall(fun, name, static, args, kwargs)
        closed = call.closed
        if not has_symbolic_shapes(closed) and all(map(is_local, call.operands)):
            closed = execute.fused(closed, form, elementary)
        return call.unflatten(as_function(closed)(*call.operands))

    @functools.cache
    def compiled(static: frozenset[int]) -> Callable[..., Any]:
        return jax.jit(lambda *args, **kwargs: emitted(set(static), args, kwargs), static_argnums=tuple(sorted(static)))

    @wraps(fun, "{fun}, in few kernels.")
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        static = bound_positions(numbers, args, name)
        dynamic = [a for k, a in enumerate(args) if k not in static]
        if any(isinstance(x, Tracer) for x in jax.tree.leaves((dynamic, kwargs))):
            return emitted(static, args, kwargs)
        return compiled(frozenset(static))(*args, **kwargs)

    return wrapper
