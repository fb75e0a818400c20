"""Everything else: an operation differentiated by JAX itself and kept as a linear operator between flat vectors."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax import Equation
from elimax._jax.program import Placeholder, subprograms
from elimax.partials.types import Context
from elimax.structure.term import Operator
from elimax.structure.values import OperatorValue


@dataclasses.dataclass(frozen=True, slots=True)
class Opaque:
    """An operation as one operator.

    The operator maps the active operands, flattened and joined, to the active results, flattened and joined.

    Attributes:
      operands: positions of the active operands.
      outputs: positions of the active results.
      operator: structure of the operator edge.
      in_dtype, out_dtype: dtypes of the two flat vectors.
      evaluate: maps all operands' values to the results and the operator's value.
    """

    operands: tuple[int, ...]
    outputs: tuple[int, ...]
    operator: Operator
    in_dtype: Any
    out_dtype: Any
    evaluate: Callable[[list[Any]], tuple[list[Any] | None, OperatorValue]]


def opaque(equation: Equation, context: Context) -> Opaque | None:
    """Keep an equation as an operator; None where nothing with elements is active."""
    operands = [k for k, r in enumerate(equation.inputs) if r.vertex is not None and math.prod(context.shape(r.value))]
    outputs = [k for k, r in enumerate(equation.outputs) if r.vertex is not None and math.prod(context.shape(r.value))]
    if not operands or not outputs:
        return None
    in_shapes = [context.shape(equation.inputs[k].value) for k in operands]
    out_shapes = [context.shape(equation.outputs[k].value) for k in outputs]
    in_dtypes = [context.dtype(equation.inputs[k].value) for k in operands]
    out_dtypes = [context.dtype(equation.outputs[k].value) for k in outputs]
    in_dtype, out_dtype = widest(in_dtypes), widest(out_dtypes)
    in_size = sum(math.prod(s) for s in in_shapes)
    out_size = sum(math.prod(s) for s in out_shapes)

    def local(values: list[Any]) -> tuple[Callable[..., list[Any]], list[Any]]:
        def call(*chosen: Any) -> list[Any]:
            full = [v.zeros() if isinstance(v, Placeholder) else v for v in values]
            for k, x in zip(operands, chosen, strict=True):
                full[k] = x
            # Rules that users wrote expect arrays of JAX: NumPy's cannot be indexed by a tracer.
            results = equation.call(*[jnp.asarray(v) if isinstance(v, np.ndarray) else v for v in full])
            return [results[k] for k in outputs]

        primals = [
            values[k].zeros() if isinstance(values[k], Placeholder) else jnp.asarray(values[k]) for k in operands
        ]
        return call, primals

    forward, reverse = _modes(equation, context, local)

    def evaluate(values: list[Any]) -> tuple[list[Any] | None, OperatorValue]:
        call, primals = local(values)

        def jvp(tangent: Any) -> Any:
            parts = _split(tangent, in_shapes, in_dtypes)
            return _join(jax.jvp(call, primals, parts)[1], out_dtype)

        pulls: list[Any] = []

        def vjp(cotangent: Any) -> Any:
            if not pulls:
                pulls.append(jax.vjp(call, *primals)[1])
            return _join(pulls[0](_split(cotangent, out_shapes, out_dtypes)), in_dtype)

        results = None if equation.linear else equation.call(*values)
        if reverse:
            # Outside any map over rows, so that the residuals are computed once.
            pulls.append(jax.vjp(call, *primals)[1])
        return results, OperatorValue(jvp if forward else None, vjp if reverse else None, out_dtype, in_dtype)

    key = f"{equation.name}:{in_shapes}:{out_shapes}:{_digest(equation)}"
    operator = Operator(out_size, in_size, forward, reverse, _weight(equation, in_size + out_size), key)
    return Opaque(tuple(operands), tuple(outputs), operator, in_dtype, out_dtype, evaluate)


def widest(dtypes: list[Any]) -> Any:
    """The dtype that holds all of them."""
    return np.dtype(jnp.result_type(*[jnp.zeros((), d).dtype for d in dtypes])) if len(set(dtypes)) > 1 else dtypes[0]


def _split(flat: Any, shapes: list[tuple[int, ...]], dtypes: list[Any]) -> list[Any]:
    parts, start = [], 0
    for shape, dtype in zip(shapes, dtypes, strict=True):
        size = math.prod(shape)
        parts.append(flat[start : start + size].reshape(shape).astype(dtype))
        start += size
    return parts


def _join(parts: Any, dtype: Any) -> Any:
    flats = [jnp.ravel(p).astype(dtype) for p in parts]
    return flats[0] if len(flats) == 1 else jnp.concatenate(flats)


def _modes(equation: Equation, context: Context, local: Any) -> tuple[bool, bool]:
    """Whether JAX can push tangents and pull cotangents through an equation."""
    names = set(_primitive_names(equation))
    forward = reverse = True
    if names & {"custom_vjp_call", "custom_vjp_call_jaxpr"}:
        forward = _traces(equation, context, local, _try_forward)
    if not forward or names & {"while", "pure_callback", "io_callback", "complex_region"}:
        reverse = _traces(equation, context, local, _try_reverse)
    if not forward and not reverse:
        forward = True  # let JAX raise its own error where the operator is applied
    return forward, reverse


def _traces(equation: Equation, context: Context, local: Any, attempt: Callable[..., Any]) -> bool:
    avals = [jax.ShapeDtypeStruct(context.shape(r.value), context.dtype(r.value)) for r in equation.inputs]
    concrete = {
        k: context.program.constants[r.value]
        for k, r in enumerate(equation.inputs)
        if r.value in context.program.constants and not isinstance(context.program.constants[r.value], Placeholder)
    }

    def run(values: list[Any]) -> Any:
        full = [concrete.get(k, v) for k, v in enumerate(values)]
        return attempt(*local(full))

    try:
        traced = jax.make_jaxpr(run)(avals)
    except Exception:  # whatever JAX raises where a mode does not exist
        return False
    # A custom_vjp function traces in forward mode; what stands for its missing rule fails when it is run.
    return not any("custom_lin" in names for names in subprograms({"traced": traced}))


def _try_forward(call: Any, primals: list[Any]) -> Any:
    return jax.jvp(call, primals, [jnp.ones_like(p) for p in primals])


def _try_reverse(call: Any, primals: list[Any]) -> Any:
    results, pull = jax.vjp(call, *primals)
    return pull([jnp.ones_like(r) for r in results])


def _primitive_names(equation: Equation) -> Iterator[str]:
    yield equation.name
    for inner in subprograms(equation.params):
        yield from inner


def _weight(equation: Equation, size: int) -> int:
    """Rough multiplications of one application: elements touched times operations inside."""
    inside = sum(1 for _ in _primitive_names(equation))
    trips = equation.params.get("length", 1) if equation.name == "scan" else 16 if equation.name == "while" else 1
    return max(1, size * max(1, inside // 4) * max(1, int(trips)))


def _digest(equation: Equation) -> str:
    text = ",".join(f"{k}={_stable(v)}" for k, v in sorted(equation.params.items()))
    names = ",".join(_primitive_names(equation))
    return hashlib.blake2b(f"{text}|{names}".encode(), digest_size=8).hexdigest()


def _stable(value: Any) -> str:
    """A text for a parameter that is equal in every process; objects are named by type alone."""
    if isinstance(value, bool | int | float | str | None.__class__):
        return repr(value)
    if isinstance(value, tuple | list):
        return "(" + ",".join(_stable(v) for v in value) + ")"
    return type(value).__name__
