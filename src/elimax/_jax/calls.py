"""Functions whose operations XLA's CPU compiler emits as one kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

try:
    from jax.experimental.xla_metadata import set_xla_metadata
except ImportError:  # the operations are emitted one by one then
    set_xla_metadata = None

_TAGS = {"inlineable": "false", "xla_cpu_small_call": "true"}
"""XLA keeps a call with the first tag apart; the second is how it marks small loops that it emits as one kernel."""


def one_kernel(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose operations are one kernel on a CPU.

    Operations that need the runtime do not compile there: scatters, sorts, Fourier transforms and calls of libraries.

    Args:
      fun: a function of arrays.
    """
    tag = set_xla_metadata
    if tag is None:
        return fun
    called = jax.jit(fun)

    def tagged(*args: Any) -> Any:
        return tag(called(*args), **_TAGS)

    return tagged
