"""Which family of rules serves which primitive."""

from __future__ import annotations

from elimax._jax import Equation
from elimax.partials import arithmetic, axis_local, bilinear, elementwise, indexing, reductions, windows
from elimax.partials.opaque import Opaque, opaque
from elimax.partials.types import Context, Local, Rule

RULES: dict[str, Rule] = {
    **dict.fromkeys(elementwise.NAMES, elementwise.elementwise),
    **dict.fromkeys(reductions.NAMES, reductions.reduction),
    **dict.fromkeys(axis_local.NAMES, axis_local.axis_local),
    **dict.fromkeys(arithmetic.SIGNS, arithmetic.linear),
    "mul": arithmetic.multiplication,
    "select_n": elementwise.select,
    "dot_general": bilinear.dot_general,
    "conv_general_dilated": windows.convolution,
    "broadcast_in_dim": indexing.broadcast_in_dim,
    "transpose": indexing.transpose,
    "squeeze": indexing.squeeze,
    "expand_dims": indexing.expand_dims,
    "reshape": indexing.reshape,
    "rev": indexing.reverse,
    "slice": indexing.slice_,
    "pad": indexing.pad,
    "concatenate": indexing.concatenate,
    "split": indexing.split,
    "stack": indexing.stack,
    "unstack": indexing.unstack,
    "tile": indexing.tile,
    "reduce_window_sum": windows.window_sum,
    **dict.fromkeys(("reduce_window_max", "reduce_window_min"), windows.window_extreme),
    "reduce_sum": indexing.reduce_sum,
    "optimization_barrier": indexing.identity,
    "device_put": indexing.identity,
    "gather": indexing.by_numbers,
    "dynamic_slice": indexing.by_numbers,
    "dynamic_update_slice": indexing.by_numbers,
    "scatter": indexing.by_numbers,
    "scatter-add": indexing.by_numbers,
    "scatter_add": indexing.by_numbers,
}


LOCAL = "local"
"""Parameter of a coarse equation that holds its partials; see `elimax.coarsen.join` and `elimax.execute.control`."""


def partials_of(equation: Equation, context: Context) -> Local | Opaque | None:
    """The partials of an active equation; None where all of them are zero."""
    if all(0 in context.shape(r.value) for r in equation.outputs if r.vertex is not None):
        return None
    if LOCAL in equation.params:
        return equation.params[LOCAL]
    rule = RULES.get(equation.name)
    local = rule(equation, context) if rule is not None else None
    return local if local is not None else opaque(equation, context)
