"""Batched, compiled Jacobians of one problem by elimax and by JAX, ready to be timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VARIANTS = ("elimax", "jacfwd", "jacrev")


def batched(problem: Any, batch: int, seed: int = 0, **options: Any) -> dict[str, Callable[[], Any]]:
    """Jacobians of a problem at a batch of points, the same points for every variant.

    Points are the example arguments, the floating ones perturbed by up to 1 %. All variants return the same trees of
    arrays in the same layout.

    Args:
      problem: has ``fun``, ``args``, ``argnums``.
      batch: number of points; 1 means no batch axis at all.
      seed: of the perturbation.
      **options: for `elimax.jacobian`.

    Returns:
      A function without arguments for each of ``VARIANTS``.
    """
    import jax

    import elimax

    makers = {
        "elimax": elimax.jacobian(problem.fun, problem.argnums, **options),
        "jacfwd": jax.jacfwd(problem.fun, problem.argnums),
        "jacrev": jax.jacrev(problem.fun, problem.argnums),
    }
    points = jax.tree.map(jax.numpy.asarray, problem.args) if batch == 1 else _points(problem.args, batch, seed)

    def variant(jacobian: Callable[..., Any]) -> Callable[[], Any]:
        compiled = jax.jit(jacobian if batch == 1 else jax.vmap(jacobian))
        return lambda: compiled(*points)

    return {name: variant(maker) for name, maker in makers.items()}


def _points(args: Any, batch: int, seed: int) -> Any:
    import jax
    import jax.numpy as jnp
    import numpy as np

    rng = np.random.default_rng(seed)

    def spread(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        many = jnp.broadcast_to(leaf, (batch, *leaf.shape))
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return many
        return many * jnp.asarray(1 + 0.01 * rng.uniform(-1, 1, many.shape), leaf.dtype)

    return jax.tree.map(spread, args)
