"""Hessians with the call of ``jax.hessian``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from elimax.api.first_order import Method, forward_jacobian, limit_of, limited, reverse_jacobian
from elimax.api.flat import Options
from elimax.api.metadata import wraps
from elimax.execute import Symmetry


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    order: Any = "auto",
    output: str = "dense",
    cost: str = "time",
    form: str = "auto",
    layout: str = "batch-first",
    elementary: str = "exact",
    max_memory: float | str | None = None,
    max_trips: int | None = None,
) -> Callable[..., Any]:
    """Hessian of ``fun``: the Jacobian, by vertex elimination, of the program that accumulates its Jacobian.

    Trees, shapes, dtypes (those of the input) and errors are those of ``jax.hessian``.

    Args:
      fun: as for ``jacobian``; any output, as in ``jax.hessian``.
      argnums: as for ``jacobian``.
      has_aux: as for ``jacobian``.
      holomorphic: as for ``jacobian``.
      order: as for ``jacobian``, of the outer Jacobian; a ``Plan`` is made by ``plan(fun, *args, hessian=True)``. The
        inner one is always planned with ``"auto"``.
      output: as for ``jacobian``.
      cost: as for ``jacobian``.
      form: as for ``jacobian``.
      layout: as for ``jacobian``.
      elementary: as for ``jacobian``.
      max_memory: as for ``jacobian``.
      max_trips: as for ``jacobian``.

    Returns:
      A function with the arguments of ``fun`` that returns the Hessian, or the pair of it and the auxiliary data.

    Raises:
      TypeError: as for ``jacobian``, with the dtype rules of ``jax.hessian``.
      ValueError: as for ``jacobian``.

    Example:
      >>> import jax.numpy as jnp
      >>> import elimax
      >>> print(elimax.hessian(lambda x: x[0] ** 3 - 2 * x[0] * x[1] - x[1] ** 6)(jnp.array([1.0, 2.0])))
      [[   6.   -2.]
       [  -2. -480.]]
    """
    options = Options(has_aux, holomorphic)
    symmetry = Symmetry()
    turning, trips = limited(fun, max_trips)
    inner = reverse_jacobian(turning, argnums, options, symmetry, trips)
    method = Method(order, cost, output, form, layout, elementary, limit_of(max_memory), trips)
    run = forward_jacobian(inner, argnums, options, method, symmetry)

    @wraps(fun, f"Hessian of {{fun}} with respect to positional argument(s) {argnums}, with the arguments of {{fun}}.")
    def hessian_of_fun(*args: Any, **kwargs: Any) -> Any:
        _, blocks, aux = run(args, kwargs)
        return (blocks, aux) if has_aux else blocks

    return hessian_of_fun
