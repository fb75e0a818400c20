"""Functions whose operations XLA's CPU compiler emits as one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax import lax

try:
    from jax.experimental.xla_metadata import set_xla_metadata
except ImportError:  # the operations are emitted one by one then
    set_xla_metadata = None

_TAGS = {"inlineable": "false", "xla_cpu_small_call": "true"}
"""XLA keeps a call with the first tag apart; the second is how it marks small loops that it emits as one kernel."""


FEW = 64
"""An array of more elements is copied with another first one, rather than chosen element by element."""


def separate(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose operations XLA does not join with those that read its results."""
    tag = set_xla_metadata
    if tag is None:
        return fun
    called = jax.jit(fun)
    return lambda *args: tag(called(*args), inlineable="false")


def one_kernel(fun: Callable[..., Any], given: Sequence[bool] = ()) -> Callable[..., Any]:
    """A function of arrays whose operations are one kernel on a CPU.

    Operations that need the runtime do not compile there: scatters, sorts, Fourier transforms and calls of libraries.
    Nor do arguments that XLA knows to be constant, or that nothing reads: it ends the process. So each of them is made
    to depend on all, and those that are not read are left out.

    Args:
      fun: a function of arrays.
      given: which arguments come from outside of the whole program, so that XLA knows nothing of them; none if empty.
    """
    tag = set_xla_metadata
    if tag is None:
        return fun

    def tagged(*args: Any) -> Any:
        closed, shape = jax.make_jaxpr(fun, return_shape=True)(*args)
        whole: Any = jex.jaxpr_as_fun(closed)
        read = _read(closed.jaxpr)

        @jax.jit
        def called(*chosen: Any) -> Any:
            full = [jnp.zeros(jnp.shape(x), jnp.result_type(x)) for x in args]
            for k, x in zip(read, chosen, strict=True):
                full[k] = x
            return jax.tree.unflatten(jax.tree.structure(shape), whole(*full))

        outside = [bool(given) and given[k] for k in read]
        return tag(called(*_unknown([args[k] for k in read], outside)), **_TAGS)

    return tagged


@jax.jit
def _same(x: Any) -> Any:
    return x


def shared(x: Any) -> Any:
    """The same number, which XLA computes once for all that read it: it does not look through the call."""
    tag = set_xla_metadata
    return x if tag is None else tag(_same(x), inlineable="false")


def _read(jaxpr: Any) -> list[int]:
    """Positions of the arguments that a jaxpr reads."""
    used = {id(v) for v in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if not used.isdisjoint(map(id, equation.outvars)):
            used.update(map(id, equation.invars))
    return [k for k, v in enumerate(jaxpr.invars) if id(v) in used]


def _unknown(args: Sequence[Any], given: Sequence[bool]) -> list[Any]:
    """The arrays, none of which XLA knows beforehand unless it knows all of them; those that are given stay."""
    firsts = [lax.convert_element_type(jnp.ravel(x)[:1], jnp.float32) for x in args if jnp.size(x)]
    if not firsts or all(given):
        return list(args)
    together = jnp.concatenate(firsts)
    never, other = jnp.any(together < -jnp.inf), jnp.max(together)  # a known alternative could be what x is

    def hidden(x: Any) -> Any:
        if jnp.size(x) <= FEW:
            return jnp.where(never, other.astype(jnp.result_type(x)), x)
        start = (0,) * jnp.ndim(x)
        first = lax.slice(x, start, (1,) * jnp.ndim(x))
        return lax.dynamic_update_slice(x, jnp.where(never, other.astype(jnp.result_type(x)), first), start)

    return [x if known else hidden(x) for x, known in zip(args, given, strict=True)]
