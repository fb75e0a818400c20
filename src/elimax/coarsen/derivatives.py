"""The partials of one operation, from JAX's own rules.

Each operation is differentiated once by `jax.jvp` with a tangent of one, and read as an expression of its operands. So
what holds at kinks and at special points is what JAX holds, and there is no table of derivatives that could be wrong.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax import inline, trace
from elimax.coarsen.arena import STRICT, Arena
from elimax.coarsen.nodes import Node, reachable
from elimax.coarsen.operations import OPERATIONS
from elimax.coarsen.read import NotExpressible, Reader

_EVEN = (1 / 6, -1 / 180, 1 / 5040, -1 / 151200, 1 / 4790016)
"""Coefficients of x, x^3, ... in the derivative of x / expm1(x), whose constant term is -1/2."""


def _bernoulli(x: Any) -> Any:
    square = x * x
    series = functools.reduce(lambda total, c: total * square + c, _EVEN[::-1][1:], jnp.full_like(x, _EVEN[-1]))
    small = abs(x) < 0.1
    far = lax.select_n(small, x, jnp.ones_like(x))
    value = far / lax.expm1(far)
    return lax.select_n(small, value * (1.0 - far - value) / far, x * series - 0.5)


OWN: dict[str, Callable[..., Any]] = {"softplus": lax.logistic, "bernoulli": _bernoulli}
"""Derivatives of operations that are none of JAX."""

SPARE: dict[str, Callable[..., Any]] = {
    "erf": lambda x: lax.exp(-(x * x)) * (2 / math.sqrt(math.pi)),
    "erfc": lambda x: lax.exp(-(x * x)) * (-2 / math.sqrt(math.pi)),
}
"""Derivatives for versions of JAX whose own rule is no expression: JAX 0.12 has bits and polynomials in these."""


def local_partials(arena: Arena, node: Node, wanted: Sequence[bool] | None = None) -> list[Node | None]:
    """The partial of a node with respect to each operand, as nodes; None where it is zero by JAX's rules.

    Args:
      arena: where they are made.
      node: the node.
      wanted: for which operands; None for all.
    """
    recipes = _recipes(node.op, node.params, tuple([a.dtype for a in node.args]))
    found: list[Node | None] = []
    known: dict[int, Node] = {}
    for k, recipe in enumerate(recipes):
        if recipe is None or not (wanted is None or wanted[k]):
            found.append(None)
            continue
        for part, numbers in recipe:
            number = part.number
            if number not in known:
                if part.op == "variable":
                    known[number] = node.args[part.param("name")]
                else:
                    known[number] = arena.rebuilt(part, tuple([known[n] for n in numbers]))
        result = known[recipe[-1][0].number]
        found.append(None if result.equals(0) else result)
    return found


Recipe = tuple[tuple[Node, tuple[int, ...]], ...]
"""Nodes of a template, operands first, each with the numbers of its operands; the last one is the result."""


@functools.lru_cache(maxsize=1024)
def _recipes(op: str, params: tuple[tuple[str, Any], ...], dtypes: tuple[np.dtype, ...]) -> tuple[Recipe | None, ...]:
    """Partials with respect to each operand, as lists of nodes to make."""
    return tuple(
        None if p is None else tuple((part, tuple(a.number for a in part.args)) for part in reachable([p]))
        for p in _template(op, params, dtypes)
    )


@functools.lru_cache(maxsize=1024)
def _template(op: str, params: tuple[tuple[str, Any], ...], dtypes: tuple[np.dtype, ...]) -> tuple[Node | None, ...]:
    """Partials with respect to each operand, as expressions of variables that are named by position."""
    call = functools.partial(OPERATIONS[op].call, **dict(params))
    arena = Arena(STRICT)
    partials: list[Node | None] = []
    for k, dtype in enumerate(dtypes):
        if not jnp.issubdtype(dtype, np.floating):
            partials.append(None)
            continue

        def partial(*xs: Any, k: int = k, dtype: Any = dtype) -> list[Any]:
            if op in OWN:
                return [OWN[op](*xs)]
            one = np.ones((), dtype)
            return [jax.jvp(lambda x: call(*xs[:k], x, *xs[k + 1 :]), (xs[k],), (one,))[1]]

        avals = [jax.ShapeDtypeStruct((), d) for d in dtypes]
        try:
            partials.append(_read(arena, trace(partial, avals)))
        except NotExpressible:
            if op not in SPARE:
                raise
            partials.append(_read(arena, trace(lambda x: [SPARE[op](x)], avals)))
    return tuple(partials)


def _read(arena: Arena, closed: Any) -> Node | None:
    program = inline(closed, [False] * len(closed.in_avals))
    reader = Reader(arena, program, marks=False)
    for position, ref in enumerate(program.inputs):
        reader.values[ref.value] = arena.variable(position, program.values[ref.value].dtype)
    reader.read(program.equations)
    (ref,) = program.outputs
    result = reader.operand(ref)
    return None if result.dtype.name == "float0" or result.equals(0) else result
