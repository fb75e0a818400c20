"""Functions whose operations XLA's CPU compiler emits as one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

try:
    from jax.experimental.xla_metadata import set_xla_metadata
except ImportError:  # the operations are emitted one by one then
    set_xla_metadata = None

_TAGS = {"inlineable": "false", "xla_cpu_small_call": "true"}
"""XLA keeps a call with the first tag apart; the second is how it marks small loops that it emits as one kernel."""


def one_kernel(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose operations are one kernel on a CPU.

    Operations that need the runtime do not compile there: scatters, sorts, Fourier transforms and calls of libraries.
    Nor do arguments that XLA knows to be constant: it ends the process. So each of them is made to depend on all.

    Args:
      fun: a function of arrays.
    """
    tag = set_xla_metadata
    if tag is None:
        return fun
    called = jax.jit(fun)

    def tagged(*args: Any) -> Any:
        return tag(called(*_unknown(args)), **_TAGS)

    return tagged


def _unknown(args: Sequence[Any]) -> list[Any]:
    """The arrays, none of which XLA knows beforehand unless it knows all of them."""
    firsts = [lax.convert_element_type(jnp.ravel(x)[:1], jnp.float32) for x in args if jnp.size(x)]
    if not firsts:
        return list(args)
    never = jnp.any(jnp.concatenate(firsts) < -jnp.inf)
    return [lax.select(jnp.broadcast_to(never, jnp.shape(x)), jnp.zeros_like(x), x) for x in args]
