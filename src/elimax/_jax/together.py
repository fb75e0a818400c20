"""A truth value that points under `jax.vmap` share: whether it holds for any of them.

What `jax.lax.cond` decides by it stays a branch under `jax.vmap`. Use it where taking the branch for points that do not
need it does no harm.
"""

from __future__ import annotations

from typing import Any

import jax.extend.core as jex
import jax.numpy as jnp
from jax.interpreters import batching, mlir

together_p = jex.Primitive("elimax_together")
together_p.def_impl(lambda x: x)
together_p.def_abstract_eval(lambda x: x)
mlir.register_lowering(together_p, mlir.lower_fun(lambda x: x, multiple_results=False))


def _batch(args: Any, axes: Any) -> tuple[Any, Any]:
    return together(jnp.any(args[0], axis=axes[0])), None


batching.primitive_batchers[together_p] = _batch


def together(truth: Any) -> Any:
    """Whether a boolean is true for any of the points that `jax.vmap` maps over."""
    return together_p.bind(jnp.asarray(truth))
