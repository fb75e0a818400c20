"""The derivative of a function along a direction, as one equation until it is known what becomes of it.

A rule of `jax.custom_jvp` is not told what it is for. One direction of forward mode is best had from JAX's own rules;
reverse mode, and many directions at one point, are best had from a Jacobian. So the rule leaves an equation that is
lowered to the former. Where JAX takes it apart, into what is known beforehand and what is linear in unknown tangents,
or maps it over tangents alone, or differentiates it again, the latter takes its place.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.extend.core as jex
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

NAMES = ("elimax_directional", "elimax_product", "elimax_values")
"""Names of the equations: derivative along a direction, product of a Jacobian with a direction, results alone."""

Arrays = Sequence[Any]
Batch = tuple[tuple[int, tuple[bool, ...]], ...]
"""Batch axes, innermost first: the size, and which operands have that axis."""


@dataclasses.dataclass(frozen=True, eq=False)
class Directional:
    """A function with two ways to its derivative.

    Attributes:
      values: from arguments to results.
      along: from arguments and tangents to results and their tangents.
      accumulated: from arguments to results and to what is kept of the Jacobian.
      product: from what is kept and tangents to tangents of the results, linear in the latter.
      outputs: shape and dtype of each result.
      moving: numbers of the results that have a tangent.
    """

    values: Callable[[Arrays], list[Any]]
    along: Callable[[Arrays, Arrays], tuple[list[Any], list[Any]]]
    accumulated: Callable[[Arrays], tuple[list[Any], list[Any]]]
    product: Callable[[Arrays, Arrays], list[Any]]
    outputs: tuple[jax.ShapeDtypeStruct, ...]
    moving: tuple[int, ...]

    @property
    def results(self) -> int:
        """Number of results."""
        return len(self.outputs)

    def __repr__(self) -> str:
        return "directional"


def directional(rule: Directional, primals: Arrays, tangents: Arrays) -> tuple[list[Any], list[Any]]:
    """Results and their tangents.

    Args:
      rule: the function.
      primals: its arguments.
      tangents: those of the arguments that are differentiated.
    """
    found = directional_p.bind(*primals, *tangents, rule=rule, count=len(primals), batch=())
    return list(found[: rule.results]), list(found[rule.results :])


def expanded(name: str, params: dict[str, Any], avals: Sequence[Any]) -> Any:
    """The closed jaxpr of an equation, by the Jacobian."""
    fun = (_by_jacobian, _product, _values)[NAMES.index(name)]
    return jax.make_jaxpr(fun(**params))(
        *(jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals)
    )


def _mapped(fun: Any, batch: Batch) -> Any:
    for size, mask in batch:
        if any(mask):
            fun = jax.vmap(fun, in_axes=[0 if m else None for m in mask], axis_size=size)
    return fun


def _along(rule: Directional, count: int, batch: Batch) -> Any:
    def fun(*operands: Any) -> list[Any]:
        results, tangents = rule.along(operands[:count], operands[count:])
        return [*results, *tangents]

    return _mapped(fun, batch)


def _values(rule: Directional, count: int, batch: Batch) -> Any:
    return _mapped(lambda *operands: rule.values(operands), batch)


def _accumulated(rule: Directional, count: int, batch: Batch) -> Any:
    def fun(*operands: Any) -> list[Any]:
        results, arrays = rule.accumulated(operands)
        return [*results, *arrays]

    return _mapped(fun, tuple((size, mask[:count]) for size, mask in batch))


def _by_jacobian(rule: Directional, count: int, batch: Batch) -> Any:
    def fun(*operands: Any) -> list[Any]:
        found = _accumulated(rule, count, batch)(*operands[:count])
        arrays, tangents = found[rule.results :], operands[count:]
        product = _product(rule, len(arrays), _products(batch, count, len(arrays)))
        return [*found[: rule.results], *product(*arrays, *tangents)]

    return fun


def _products(batch: Batch, count: int, arrays: int) -> Batch:
    """Batch axes of the product: all of what is kept has those of the arguments."""
    return tuple((size, (any(mask[:count]),) * arrays + mask[count:]) for size, mask in batch)


def _product(rule: Directional, count: int, batch: Batch) -> Any:
    return _mapped(lambda *operands: rule.product(operands[:count], operands[count:]), batch)


def _primitive(name: str, fun: Callable[..., Any], derived: Callable[..., Any], described: Callable[..., Any]) -> Any:
    """A primitive that is lowered to one function and differentiated as another one."""
    primitive = jex.Primitive(name)
    primitive.multiple_results = True

    def evaluate(*operands: Any, **params: Any) -> list[Any]:
        return fun(**params)(*operands)

    def differentiate(primals: Arrays, tangents: Arrays, **params: Any) -> Any:
        active = [k for k, t in enumerate(tangents) if type(t) is not ad.Zero]

        def chosen(*some: Any) -> Any:
            full = list(primals)
            for k, x in zip(active, some, strict=True):
                full[k] = x
            return derived(**params)(*full)

        return jax.jvp(chosen, [primals[k] for k in active], [tangents[k] for k in active])

    def abstract(*_: Any, batch: Batch, rule: Directional, **__: Any) -> list[Any]:
        sizes = tuple(size for size, mask in reversed(batch) if any(mask))
        return [jax.core.ShapedArray((*sizes, *out.shape), out.dtype) for out in described(rule)]

    def transpose(cotangents: Arrays, *operands: Any, **params: Any) -> list[Any]:
        unknown = [k for k, x in enumerate(operands) if ad.is_undefined_primal(x)]
        moving = [k for k, ct in enumerate(cotangents) if type(ct) is not ad.Zero]

        def linear(*some: Any) -> list[Any]:
            full = list(operands)
            for k, x in zip(unknown, some, strict=True):
                full[k] = x
            found = derived(**params)(*full)
            return [found[k] for k in moving]

        shapes = [jax.ShapeDtypeStruct(operands[k].aval.shape, operands[k].aval.dtype) for k in unknown]
        found = jax.linear_transpose(linear, *shapes)([cotangents[k] for k in moving])
        results: list[Any] = [None] * len(operands)
        for k, x in zip(unknown, found, strict=True):
            results[k] = x
        return results

    primitive.def_impl(evaluate)
    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = differentiate
    ad.primitive_transposes[primitive] = transpose
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=True))
    return primitive


def _tangents(rule: Directional) -> list[jax.ShapeDtypeStruct]:
    return [rule.outputs[k] for k in rule.moving]


directional_p = _primitive(NAMES[0], _along, _by_jacobian, lambda rule: [*rule.outputs, *_tangents(rule)])
product_p = _primitive(NAMES[1], _product, _product, _tangents)
values_p = _primitive(NAMES[2], _values, _values, lambda rule: rule.outputs)


def _moved(args: Arrays, dims: Sequence[Any]) -> tuple[list[Any], tuple[int, tuple[bool, ...]]]:
    """Operands with the new axis in front, and the axis."""
    mask = tuple(d is not None for d in dims)
    size = next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)
    return [jnp.moveaxis(x, d, 0) if m else x for x, d, m in zip(args, dims, mask, strict=True)], (size, mask)


def _map(args: Arrays, dims: Sequence[Any], *, rule: Directional, count: int, batch: Batch) -> Any:
    operands, axis = _moved(args, dims)
    if any(axis[1][:count]):
        found = directional_p.bind(*operands, rule=rule, count=count, batch=(*batch, axis))
        return found, [0] * len(found)
    found = _accumulated(rule, count, batch)(*operands[:count])  # many directions at one point
    results, arrays = found[: rule.results], found[rule.results :]
    own = (*_products(batch, count, len(arrays)), (axis[0], (False,) * len(arrays) + axis[1][count:]))
    tangents = product_p.bind(*arrays, *operands[count:], rule=rule, count=len(arrays), batch=own)
    return [*results, *tangents], [None] * len(results) + [0] * len(tangents)


def _map_one(primitive: Any, args: Arrays, dims: Sequence[Any], *, rule: Any, count: int, batch: Batch) -> Any:
    operands, axis = _moved(args, dims)
    found = primitive.bind(*operands, rule=rule, count=count, batch=(*batch, axis))
    return found, [0] * len(found)


def _take_apart(trace: Any, *tracers: Any, rule: Directional, count: int, batch: Batch) -> Any:
    """Known arguments with unknown tangents: the Jacobian is known, the product is not."""
    if all(t.is_known() for t in tracers) or not all(t.is_known() for t in tracers[:count]):
        return trace.default_process_primitive(directional_p, tracers, {"rule": rule, "count": count, "batch": batch})
    found = _accumulated(rule, count, batch)(*(t.pval.get_known() for t in tracers[:count]))
    results, arrays = found[: rule.results], found[rule.results :]
    own = _products(batch, count, len(arrays))
    params = {"rule": rule, "count": len(arrays), "batch": own}
    return [*results, *trace.default_process_primitive(product_p, [*arrays, *tracers[count:]], params)]


def _take_apart_later(_: Any, unknown: Sequence[bool], there: Sequence[bool], equation: Any) -> Any:
    """Under `jax.checkpoint`: results are computed at once, and all again later."""
    count, results = equation.params["count"], equation.params["rule"].results
    if any(unknown[:count]):
        known, unknown_results = None, [True] * len(equation.outvars)
    else:
        batch = tuple((size, mask[:count]) for size, mask in equation.params["batch"])
        known = equation.replace(
            primitive=values_p,
            invars=equation.invars[:count],
            outvars=equation.outvars[:results],
            params={**equation.params, "batch": batch},
        )
        unknown_results = [False] * results + [True] * (len(equation.outvars) - results)
    missing = [x for x, is_there in zip(equation.invars, there, strict=True) if isinstance(x, jex.Var) and not is_there]
    return known, equation, unknown_results, [True] * len(equation.outvars), missing


batching.primitive_batchers[directional_p] = _map
batching.primitive_batchers[product_p] = functools.partial(_map_one, product_p)
batching.primitive_batchers[values_p] = functools.partial(_map_one, values_p)
pe.custom_partial_eval_rules[directional_p] = _take_apart
pe.partial_eval_jaxpr_custom_rules[directional_p] = _take_apart_later
