"""From expressions to JAX: each node becomes one operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax import lax

from elimax.coarsen.nodes import MARKS, Node, reachable
from elimax.coarsen.operations import OPERATIONS


def emit(sinks: Sequence[Node], values: Mapping[Any, Any], shape: tuple[int, ...] = ()) -> list[Any]:
    """Evaluate expressions with public JAX operations.

    Args:
      sinks: the expressions.
      values: an array for each variable by name, all of one shape.
      shape: that shape.

    Returns:
      An array of the shape for each sink, in the dtype of the sink.
    """
    env: dict[int, Any] = {}
    for node in reachable(sinks):
        if node.op == "variable":
            env[node.number] = values[node.param("name")]
        elif node.op == "constant":
            env[node.number] = lax.full(shape, node.value, node.dtype)
        elif node.op in MARKS:
            env[node.number] = env[node.args[0].number]
        else:
            operation = OPERATIONS[node.op]
            env[node.number] = operation.call(*(env[a.number] for a in node.args), **dict(node.params))
    return [env[sink.number] for sink in sinks]
