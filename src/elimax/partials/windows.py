"""Convolutions and windows: one shifted, strided term per position of the window."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from elimax._jax import Equation
from elimax.partials.types import Context, Local, LocalEdge
from elimax.structure.arrays import cast, reindex
from elimax.structure.canonical import make_term
from elimax.structure.term import Affine, AxisMap, Kind, Term

MAX_POSITIONS = 32
"""Larger windows are left to the operator family."""


def _span(size: int, out_size: int, stride: int, dilation: int, offset: int) -> tuple[int, int, int] | None:
    """Results o for which ``stride * o + offset`` is a multiple of ``dilation`` inside ``[0, dilation * size)``.

    Returns:
      ``(first, step, count)`` of those o, or None if there are none.
    """
    valid = [
        o
        for o in range(out_size)
        if (stride * o + offset) % dilation == 0 and 0 <= (stride * o + offset) // dilation < size
    ]
    if not valid:
        return None
    step = valid[1] - valid[0] if len(valid) > 1 else 1
    return valid[0], step, len(valid)


def window_sum(equation: Equation, context: Context) -> Local | None:
    """reduce_window_sum: every value is one."""
    terms = _window_terms(equation, context, Kind.UNIT)
    if terms is None:
        return None

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        return (None if equation.linear else equation.call(*values)), [(1,) * len(terms)]

    return Local((LocalEdge(0, 0, tuple(term for term, _, _ in terms)),), evaluate, "window")


def window_extreme(equation: Equation, context: Context) -> Local | None:
    """reduce_window_max and reduce_window_min: one where an element was chosen.

    Which one that is, JAX's own rule says: elements with equal residues modulo the window never share a window, so one
    JVP for each residue tells them apart.
    """
    params, window = equation.params, equation.params["window_dimensions"]
    if equation.linear or any(d != 1 for d in (*params["base_dilation"], *params["window_dilation"])):
        return None
    terms = _window_terms(equation, context, Kind.VARIABLE)
    if terms is None:
        return None
    shape = context.shape(equation.inputs[0].value)
    residues = [np.arange(n) % w for n, w in zip(shape, window, strict=True)]
    seeds = np.stack(
        [
            np.prod(np.meshgrid(*[r == p for r, p in zip(residues, position, strict=True)], indexing="ij"), axis=0)
            for position in itertools.product(*[range(w) for w in window])
        ]
    )

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        x = jnp.asarray(values[0])

        def push(seed: Any) -> tuple[Any, Any]:
            return jax.jvp(lambda y: equation.call(y)[0], (x,), (seed,))

        result, chosen = jax.vmap(push, out_axes=(None, 0))(jnp.asarray(seeds, x.dtype))  # [window size, *result]
        partials = []
        for _, out_index, in_index in terms:
            residue = np.ravel_multi_index(
                np.ix_(*[i % w for i, w in zip(in_index, window, strict=True)]), tuple(window)
            )
            index = np.ix_(*out_index)
            same = residue.size > 0 and (residue == residue.flat[0]).all()
            of_result = chosen[(int(residue.flat[0]),)] if same else None
            value = of_result[index] if of_result is not None else chosen[(residue, *index)]
            kept = [k for k, n in enumerate(residue.shape) if n > 1]
            partials.append(jnp.reshape(value, [residue.shape[k] for k in kept]))
        return [result], [tuple(partials)]

    return Local((LocalEdge(0, 0, tuple(term for term, _, _ in terms)),), evaluate, "window")


def _window_terms(
    equation: Equation, context: Context, kind: Kind
) -> list[tuple[Term, list[np.ndarray], list[np.ndarray]]] | None:
    """For each position in the window the term, and along each axis the indices of results and operands it joins.

    A term with values has one for each result that it joins, in the order of their indices, without axes of length 1.
    """
    params = equation.params
    shape, out_shape = context.shape(equation.inputs[0].value), context.shape(equation.outputs[0].value)
    window = params["window_dimensions"]
    if math.prod(window) > MAX_POSITIONS or not math.prod(out_shape):
        return None
    terms = []
    for position in itertools.product(*[range(w) for w in window]):
        sizes: dict[int, int] = {}
        out_axes: list[AxisMap] = []
        in_axes: list[AxisMap] = []
        out_index, in_index = [], []
        for k, n in enumerate(shape):
            stride, dilation = params["window_strides"][k], params["base_dilation"][k]
            offset = position[k] * params["window_dilation"][k] - params["padding"][k][0]
            span = _span(n, out_shape[k], stride, dilation, offset)
            if span is None:
                break
            first, step, count = span
            start, jump = (stride * first + offset) // dilation, max(1, stride * step // dilation)
            sizes[k] = count
            out_axes.append(Affine(first, ((k, step),)))
            in_axes.append(Affine(start, ((k, jump),)))
            out_index.append(first + step * np.arange(count))
            in_index.append(start + jump * np.arange(count))
        else:
            values = [] if kind is Kind.UNIT else [k for k, n in sizes.items() if n > 1]
            terms.append((make_term(sizes, out_axes, in_axes, values, kind)[0], out_index, in_index))
    return terms


def convolution(equation: Equation, context: Context) -> Local | None:
    """conv_general_dilated without feature or batch groups."""
    params = equation.params
    if params["feature_group_count"] != 1 or params["batch_group_count"] != 1:
        return None
    numbers = params["dimension_numbers"]
    lhs_shape, rhs_shape = (context.shape(r.value) for r in equation.inputs)
    out_shape = context.shape(equation.outputs[0].value)
    dtype = context.dtype(equation.outputs[0].value)
    rank = len(lhs_shape) - 2
    window = [rhs_shape[numbers.rhs_spec[2 + k]] for k in range(rank)]
    if math.prod(window) > MAX_POSITIONS:
        return None
    batch, in_features = lhs_shape[numbers.lhs_spec[0]], lhs_shape[numbers.lhs_spec[1]]
    out_features = rhs_shape[numbers.rhs_spec[0]]
    n_label, c_label, f_label = 0, 1, 2
    lhs_edges: list[tuple[Any, ...]] = []
    rhs_edges: list[tuple[Any, ...]] = []
    for position in itertools.product(*[range(w) for w in window]):
        spans = []
        for k in range(rank):
            offset = position[k] * params["rhs_dilation"][k] - params["padding"][k][0]
            spans.append(
                _span(
                    lhs_shape[numbers.lhs_spec[2 + k]],
                    out_shape[numbers.out_spec[2 + k]],
                    params["window_strides"][k],
                    params["lhs_dilation"][k],
                    offset,
                )
            )
        if any(span is None for span in spans):
            continue
        sizes = {n_label: batch, c_label: in_features, f_label: out_features}
        out_axes: list[AxisMap] = [Affine(0)] * len(out_shape)
        lhs_axes: list[AxisMap] = [Affine(0)] * len(lhs_shape)
        rhs_axes: list[AxisMap] = [Affine(0)] * len(rhs_shape)
        out_axes[numbers.out_spec[0]] = lhs_axes[numbers.lhs_spec[0]] = Affine(0, ((n_label, 1),))
        out_axes[numbers.out_spec[1]] = rhs_axes[numbers.rhs_spec[0]] = Affine(0, ((f_label, 1),))
        lhs_axes[numbers.lhs_spec[1]] = rhs_axes[numbers.rhs_spec[1]] = Affine(0, ((c_label, 1),))
        slices = []
        for k, span in enumerate(spans):
            assert span is not None
            first, step, count = span
            number = 3 + k
            sizes[number] = count
            stride, dilation = params["window_strides"][k], params["lhs_dilation"][k]
            offset = position[k] * params["rhs_dilation"][k] - params["padding"][k][0]
            start = (stride * first + offset) // dilation
            jump = stride * step // dilation if count > 1 else 1
            out_axes[numbers.out_spec[2 + k]] = Affine(first, ((number, step),))
            lhs_axes[numbers.lhs_spec[2 + k]] = Affine(start, ((number, jump),))
            rhs_axes[numbers.rhs_spec[2 + k]] = Affine(position[k])
            slices.append((start, jump, count))
        if equation.inputs[0].vertex is not None:
            term, maps = make_term(sizes, out_axes, lhs_axes, [f_label, c_label], Kind.VARIABLE)
            lhs_edges.append((term, maps, position))
        if equation.inputs[1].vertex is not None:
            spatial = [3 + k for k in range(rank)]
            term, maps = make_term(sizes, out_axes, rhs_axes, [n_label, c_label, *spatial], Kind.VARIABLE)
            rhs_edges.append((term, maps, slices))
    edges = []
    if lhs_edges:
        edges.append(LocalEdge(0, 0, tuple(e[0] for e in lhs_edges)))
    if rhs_edges:
        edges.append(LocalEdge(0, 1, tuple(e[0] for e in rhs_edges)))

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, list[Any]]:
        results = None if equation.linear else equation.call(*values)
        partials = []
        if lhs_edges:
            kernel = lax.transpose(jnp.asarray(cast(values[1], dtype)), numbers.rhs_spec)  # [F, C, window...]
            own = []
            for term, maps, position in lhs_edges:
                value, _ = reindex(kernel[(slice(None), slice(None), *position)], maps, term.sizes)
                own.append(value)
            partials.append(tuple(own))
        if rhs_edges:
            image = lax.transpose(jnp.asarray(cast(values[0], dtype)), numbers.lhs_spec)  # [N, C, space...]
            own = []
            for term, maps, slices in rhs_edges:
                index = tuple(slice(a, a + j * (n - 1) + 1, j) for a, j, n in slices)
                value, _ = reindex(image[(slice(None), slice(None), *index)], maps, term.sizes)
                own.append(value)
            partials.append(tuple(own))
        return results, partials

    return Local(tuple(edges), evaluate, "convolution")
