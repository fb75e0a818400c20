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


def separate(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose operations XLA does not join with those that read its results."""
    tag = set_xla_metadata
    if tag is None:
        return fun
    called = jax.jit(fun)
    return lambda *args: tag(called(*args), inlineable="false")


def one_kernel(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose operations are one kernel on a CPU.

    Operations that need the runtime do not compile there: scatters, sorts, Fourier transforms and calls of libraries.
    Nor do arguments that XLA knows to be constant, or that nothing reads: it ends the process. So each of them is made
    to depend on all, and those that are not read are left out.

    Args:
      fun: a function of arrays.
    """
    tag = set_xla_metadata
    if tag is None:
        return fun

    def tagged(*args: Any) -> Any:
        read = _read(fun, args)

        @jax.jit
        def called(*chosen: Any) -> Any:
            full = [jnp.zeros(jnp.shape(x), jnp.result_type(x)) for x in args]
            for k, x in zip(read, chosen, strict=True):
                full[k] = x
            return fun(*full)

        return tag(called(*_unknown([args[k] for k in read])), **_TAGS)

    return tagged


def _read(fun: Callable[..., Any], args: Sequence[Any]) -> list[int]:
    """Positions of the arguments that a function reads."""
    jaxpr = jax.make_jaxpr(fun)(*args).jaxpr
    used = {id(v) for v in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if not used.isdisjoint(map(id, equation.outvars)):
            used.update(map(id, equation.invars))
    return [k for k, v in enumerate(jaxpr.invars) if id(v) in used]


def _unknown(args: Sequence[Any]) -> list[Any]:
    """The arrays, none of which XLA knows beforehand unless it knows all of them."""
    firsts = [lax.convert_element_type(jnp.ravel(x)[:1], jnp.float32) for x in args if jnp.size(x)]
    if not firsts:
        return list(args)
    together = jnp.concatenate(firsts)
    never, other = jnp.any(together < -jnp.inf), jnp.max(together)  # a known alternative could be what x is
    return [jnp.where(never, other.astype(jnp.result_type(x)), x) for x in args]
