"""Loops that JAX differentiates in both directions, as equations with rules of their own.

`elimax_loop` evaluates a loop. Its tangents are one equation with it (`elimax_loop_tangent`), which forward mode
evaluates turn by turn. Where JAX takes that apart, into what is known beforehand and what is linear in tangents, the
loop is evaluated with what it keeps for the way back, and the linear part (`elimax_loop_product`) has a transpose of
its own (`elimax_loop_pull`): the chain of turns, backwards. What each of them computes is the matter of the rule that
is handed over. The second derivative of a loop in the direction of a tangent and a cotangent is symmetric in what it is
applied to, so `elimax_loop_curvature` is its own transpose, and derivatives of every order exist in both directions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.core
import jax.extend.core as jex
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

LOOP = "elimax_loop"
"""Name of the equation of a loop."""

Arrays = Sequence[Any]
Numbers = tuple[int, ...]


class ChainRule(Protocol):
    """What is asked of a loop.

    Attributes:
      loop: description of the loop for whoever reads its equation; None where there is none.
      inexact: numbers of the results that have tangents.
      results: shapes and dtypes of the results.
      operands: shapes and dtypes of the operands.
    """

    loop: Any
    inexact: Numbers
    results: Sequence[jax.ShapeDtypeStruct]
    operands: Sequence[jax.ShapeDtypeStruct]

    def values(self, operands: Arrays) -> list[Any]:
        """Results."""
        ...

    def kept(self, operands: Arrays) -> tuple[list[Any], list[Any]]:
        """Results, and what is kept for the way back."""
        ...

    def pull(self, active: Numbers, operands: Arrays, kept: Arrays | None, cotangents: Arrays) -> list[Any]:
        """Cotangents of some operands from those of the inexact results; what is kept may be missing."""
        ...

    def along(self, active: Numbers) -> ChainRule:
        """The loop that carries tangents along."""
        ...

    def joined(self, active: Numbers, operands: Arrays, tangents: Arrays) -> list[Any]:
        """Operands of that loop."""
        ...

    def split(self, active: Numbers, results: Arrays) -> tuple[list[Any], list[Any]]:
        """Results, and tangents of the inexact ones, from the results of that loop."""
        ...

    def rejoined(self, active: Numbers, cotangents: Arrays) -> list[Any]:
        """Cotangents of the inexact results of that loop from those of the tangents."""
        ...

    def place(self, active: Numbers) -> Numbers:
        """Numbers of the operands among those of that loop."""
        ...

    def spread(self, mask: Sequence[bool]) -> tuple[bool, ...]:
        """Which operands have an axis over points, given those that have to: carried values all do."""
        ...

    def mapped(self, size: int, mask: tuple[bool, ...]) -> ChainRule:
        """The loop over many points at once; all results have the new axis in front."""
        ...


def loop(rule: ChainRule, operands: Arrays) -> list[Any]:
    """Results of a loop that is differentiable in both directions."""
    return list(loop_p.bind(*operands, rule=rule, keep=False))


def _primitive(name: str, abstract: Callable[..., list[Any]]) -> tuple[Any, Callable[..., Any]]:
    primitive = jex.Primitive(name)
    primitive.multiple_results = True
    primitive.def_abstract_eval(abstract)

    def with_body(fun: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        primitive.def_impl(fun)
        mlir.register_lowering(primitive, mlir.lower_fun(fun, multiple_results=True))
        return fun

    return primitive, with_body


def _shaped(avals: Sequence[Any], lanes: tuple[int, ...] = ()) -> list[Any]:
    return [jax.core.ShapedArray((*lanes, *a.shape), a.dtype) for a in avals]


@functools.lru_cache(maxsize=256)
def _kept_avals(rule: ChainRule) -> tuple[Any, ...]:
    return tuple(jax.eval_shape(lambda *xs: rule.kept(xs)[1], *rule.operands))


def _loop_avals(*_: Any, rule: ChainRule, keep: bool) -> list[Any]:
    return _shaped([*rule.results, *(_kept_avals(rule) if keep else ())])


def _tangent_avals(*_: Any, rule: ChainRule, active: Numbers, lanes: tuple[int, ...]) -> list[Any]:
    return [*_shaped(rule.results), *_shaped([rule.results[k] for k in rule.inexact], lanes)]


def _product_avals(*_: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]) -> list[Any]:
    return _shaped([rule.results[k] for k in rule.inexact], lanes)


def _pull_avals(*_: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]) -> list[Any]:
    return _shaped([rule.operands[k] for k in active], lanes)


def _curvature_avals(*_: Any, rule: ChainRule, active: Numbers, wanted: Numbers, lanes: tuple[int, ...]) -> list[Any]:
    return _shaped([rule.operands[k] for k in wanted], lanes)


loop_p, _loop_body = _primitive(LOOP, _loop_avals)
tangent_p, _tangent_body = _primitive(f"{LOOP}_tangent", _tangent_avals)
product_p, _product_body = _primitive(f"{LOOP}_product", _product_avals)
pull_p, _pull_body = _primitive(f"{LOOP}_pull", _pull_avals)
curvature_p, _curvature_body = _primitive(f"{LOOP}_curvature", _curvature_avals)


@_loop_body
def _evaluate(*operands: Any, rule: ChainRule, keep: bool) -> list[Any]:
    if not keep:
        return rule.values(operands)
    results, kept = rule.kept(operands)
    return [*results, *kept]


def _along(
    rule: ChainRule, active: Numbers, operands: Arrays, tangents: Arrays, final: bool
) -> tuple[list[Any], list[Any]]:
    """Results and tangents; ``final`` if nobody differentiates them any more."""
    further, joined = rule.along(active), rule.joined(active, operands, tangents)
    return rule.split(active, further.values(joined) if final else loop(further, joined))


def _lanes(fun: Callable[..., Any], lanes: tuple[int, ...], linear: Arrays) -> list[Any]:
    """A function of linear operands, mapped over their leading axes."""
    for _ in lanes:
        fun = jax.vmap(fun)
    return list(fun(*linear))


@_tangent_body
def _tangent(*operands: Any, rule: ChainRule, active: Numbers, lanes: tuple[int, ...], final: bool = True) -> list[Any]:
    own, number = operands[: len(rule.operands)], len(rule.results)

    def fun(*tangents: Any) -> list[Any]:
        results, pushed = _along(rule, active, own, tangents, final)
        return [*results, *pushed]

    found = _lanes(fun, lanes, operands[len(own) :])
    return [*(x[(0,) * len(lanes)] if lanes else x for x in found[:number]), *found[number:]]


@_product_body
def _product(
    *operands: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...], final: bool = True
) -> list[Any]:
    number = len(rule.operands)
    return _lanes(lambda *ts: _along(rule, active, operands[:number], ts, final)[1], lanes, operands[number + count :])


@_pull_body
def _pull(*operands: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]) -> list[Any]:
    number = len(rule.operands)
    own, kept, cotangents = operands[:number], operands[number : number + count], operands[number + count :]
    return _lanes(lambda *cts: rule.pull(active, own, kept if count else None, cts), lanes, cotangents)


@_curvature_body
def _curvature(*operands: Any, rule: ChainRule, active: Numbers, wanted: Numbers, lanes: tuple[int, ...]) -> list[Any]:
    """The second derivative of cotangents times results, by operands ``active``, then ``wanted``, times tangents."""
    number, others = len(rule.operands), len(rule.inexact)
    own, linear = operands[:number], operands[number:]
    further = rule.along(active)
    places = rule.place(active)

    def fun(*linear: Any) -> list[Any]:
        cotangents, tangents = linear[:others], linear[others:]
        return pull_p.bind(
            *rule.joined(active, own, tangents),
            *rule.rejoined(active, cotangents),
            rule=further,
            active=tuple(places[k] for k in wanted),
            count=0,
            lanes=(),
        )

    return _lanes(fun, lanes, linear)


def _active(tangents: Arrays) -> Numbers:
    return tuple(k for k, t in enumerate(tangents) if type(t) is not ad.Zero and jnp.issubdtype(t.dtype, jnp.inexact))


def _nothing(result: Any) -> Any:
    """The tangent of a result that has none."""
    return ad.Zero(jax.typeof(result).to_tangent_aval())


def _loop_jvp(primals: Arrays, tangents: Arrays, *, rule: ChainRule, keep: bool) -> tuple[list[Any], list[Any]]:
    active = _active(tangents)
    if not active:
        results = loop_p.bind(*primals, rule=rule, keep=keep)
        return list(results), list(map(_nothing, results))
    results = loop_p.bind(*primals, rule=rule, keep=keep) if keep else None
    found = tangent_p.bind(*primals, *(tangents[k] for k in active), rule=rule, active=active, lanes=())
    results = list(found[: len(rule.results)]) if results is None else list(results)
    pushed = list(map(_nothing, results))
    for k, t in zip(rule.inexact, found[len(rule.results) :], strict=True):
        pushed[k] = t
    return results, pushed


def _jvp_of(fun: Callable[..., Any], primals: Arrays, tangents: Arrays) -> Any:
    """Derivative of a function of operands, those without tangents left out."""
    active = _active(tangents)

    def chosen(*some: Any) -> Any:
        full = list(primals)
        for k, x in zip(active, some, strict=True):
            full[k] = x
        return list(fun(*full))

    return jax.jvp(chosen, [primals[k] for k in active], [tangents[k] for k in active])


def _tangent_jvp(primals: Arrays, tangents: Arrays, **params: Any) -> Any:
    results, pushed = _jvp_of(functools.partial(_tangent, **params, final=False), primals, tangents)
    return results, [_nothing(r) if t.dtype == jax.dtypes.float0 else t for r, t in zip(results, pushed, strict=True)]


def _product_jvp(primals: Arrays, tangents: Arrays, **params: Any) -> Any:
    return _jvp_of(functools.partial(_product, **params, final=False), primals, tangents)


def _pull_jvp(
    primals: Arrays, tangents: Arrays, *, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]
) -> Any:
    """What is kept follows from the operands, so that its tangents say nothing new."""
    number = len(rule.operands)
    params = {"rule": rule, "active": active, "count": count, "lanes": lanes}
    found = pull_p.bind(*primals, **params)
    pushed = [jnp.zeros(x.shape, x.dtype) for x in found]
    own, cotangents = primals[:number], primals[number + count :]
    moved = _active(tangents[:number])
    if moved:
        along = [jnp.broadcast_to(tangents[k], (*lanes, *jnp.shape(tangents[k]))) for k in moved]
        more = curvature_p.bind(*own, *cotangents, *along, rule=rule, active=moved, wanted=active, lanes=lanes)
        pushed = [x + y for x, y in zip(pushed, more, strict=True)]
    if _active(tangents[number + count :]):
        given = [ad.instantiate_zeros(t) for t in tangents[number + count :]]
        more = pull_p.bind(*primals[: number + count], *given, **params)
        pushed = [x + y for x, y in zip(pushed, more, strict=True)] if moved else list(more)
    return found, pushed


def _curvature_jvp(primals: Arrays, tangents: Arrays, **params: Any) -> Any:
    return _jvp_of(functools.partial(_curvature, **params), primals, tangents)


ad.primitive_jvps[loop_p] = _loop_jvp
ad.primitive_jvps[tangent_p] = _tangent_jvp
ad.primitive_jvps[product_p] = _product_jvp
ad.primitive_jvps[pull_p] = _pull_jvp
ad.primitive_jvps[curvature_p] = _curvature_jvp


def _zeros(cotangent: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return jnp.zeros(shape, dtype) if type(cotangent) is ad.Zero else cotangent


def _given(rule: ChainRule, cotangents: Arrays, lanes: tuple[int, ...]) -> list[Any]:
    avals = [rule.results[k] for k in rule.inexact]
    return [_zeros(ct, (*lanes, *a.shape), a.dtype) for ct, a in zip(cotangents, avals, strict=True)]


def _among(active: Numbers, operands: Arrays, first: int, found: Arrays) -> list[Any]:
    """Cotangents of all operands, from those of the linear ones behind ``first``."""
    results: list[Any] = [None] * len(operands)
    for k, x in zip(range(first, first + len(active)), found, strict=True):
        if ad.is_undefined_primal(operands[k]):
            results[k] = x
    return results


def _tangent_transpose(
    cotangents: Arrays, *operands: Any, rule: ChainRule, active: Numbers, lanes: tuple[int, ...]
) -> list[Any]:
    number = len(rule.operands)
    given = _given(rule, cotangents[len(rule.results) :], lanes)
    found = pull_p.bind(*operands[:number], *given, rule=rule, active=active, count=0, lanes=lanes)
    return _among(active, operands, number, found)


def _product_transpose(
    cotangents: Arrays, *operands: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]
) -> list[Any]:
    first = len(rule.operands) + count
    given = _given(rule, cotangents, lanes)
    found = pull_p.bind(*operands[:first], *given, rule=rule, active=active, count=count, lanes=lanes)
    return _among(active, operands, first, found)


def _pull_transpose(
    cotangents: Arrays, *operands: Any, rule: ChainRule, active: Numbers, count: int, lanes: tuple[int, ...]
) -> list[Any]:
    first = len(rule.operands) + count
    avals = [rule.operands[k] for k in active]
    given = [_zeros(ct, (*lanes, *a.shape), a.dtype) for ct, a in zip(cotangents, avals, strict=True)]
    found = product_p.bind(*operands[:first], *given, rule=rule, active=active, count=count, lanes=lanes)
    return _among(rule.inexact, operands, first, found)


def _curvature_transpose(
    cotangents: Arrays, *operands: Any, rule: ChainRule, active: Numbers, wanted: Numbers, lanes: tuple[int, ...]
) -> list[Any]:
    number, others = len(rule.operands), len(rule.inexact)
    avals = [rule.operands[k] for k in wanted]
    given = [_zeros(ct, (*lanes, *a.shape), a.dtype) for ct, a in zip(cotangents, avals, strict=True)]
    own, first = operands[:number], operands[number : number + others]
    if not any(ad.is_undefined_primal(x) for x in first):
        found = curvature_p.bind(*own, *first, *given, rule=rule, active=wanted, wanted=active, lanes=lanes)
        return _among(active, operands, number + others, found)
    second = operands[number + others :]

    def linear(*cts: Any) -> list[Any]:
        full = [next(it) if ad.is_undefined_primal(x) else x for it in [iter(cts)] for x in first]
        return _curvature(*own, *full, *second, rule=rule, active=active, wanted=wanted, lanes=lanes)

    missing = [x.aval for x in first if ad.is_undefined_primal(x)]
    found = iter(jax.linear_transpose(linear, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in missing))(given))
    results: list[Any] = [None] * len(operands)
    for k, x in enumerate(first):
        if ad.is_undefined_primal(x):
            results[number + k] = next(found)
    return results


ad.primitive_transposes[tangent_p] = _tangent_transpose
ad.primitive_transposes[product_p] = _product_transpose
ad.primitive_transposes[pull_p] = _pull_transpose
ad.primitive_transposes[curvature_p] = _curvature_transpose


def _take_apart(trace: Any, *tracers: Any, rule: ChainRule, active: Numbers, lanes: tuple[int, ...]) -> Any:
    """Known operands with unknown tangents: results and what is kept are known, the product is not."""
    number = len(rule.operands)
    if all(t.is_known() for t in tracers) or not all(t.is_known() for t in tracers[:number]):
        params = {"rule": rule, "active": active, "lanes": lanes}
        return trace.default_process_primitive(tangent_p, tracers, params)
    own = [t.pval.get_known() for t in tracers[:number]]
    found = loop_p.bind(*own, rule=rule, keep=True)
    results, kept = found[: len(rule.results)], found[len(rule.results) :]
    params = {"rule": rule, "active": active, "count": len(kept), "lanes": lanes}
    return [*results, *trace.default_process_primitive(product_p, [*own, *kept, *tracers[number:]], params)]


def _take_apart_later(_: Any, unknown: Sequence[bool], there: Sequence[bool], equation: Any) -> Any:
    """Under `jax.checkpoint`: results are computed at once, and all again later."""
    rule = equation.params["rule"]
    number, results = len(rule.operands), len(rule.results)
    if any(unknown[:number]):
        known, unknown_results = None, [True] * len(equation.outvars)
    else:
        known = equation.replace(
            primitive=loop_p,
            invars=equation.invars[:number],
            outvars=equation.outvars[:results],
            params={"rule": rule, "keep": False},
        )
        unknown_results = [False] * results + [True] * (len(equation.outvars) - results)
    missing = [x for x, is_there in zip(equation.invars, there, strict=True) if isinstance(x, jex.Var) and not is_there]
    return known, equation, unknown_results, [True] * len(equation.outvars), missing


pe.custom_partial_eval_rules[tangent_p] = _take_apart
pe.partial_eval_jaxpr_custom_rules[tangent_p] = _take_apart_later


def _front(x: Any, dim: Any, size: int, at: int = 0) -> Any:
    """An array with its batch axis at a place, made if there is none."""
    if dim is None:
        return jnp.broadcast_to(jnp.expand_dims(x, at), (*x.shape[:at], size, *x.shape[at:]))
    return jnp.moveaxis(x, dim, at)


def _size(args: Arrays, dims: Sequence[Any]) -> int:
    return next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)


def _kept_dims(rule: ChainRule) -> list[int | None]:
    """Where a new batch axis comes to lie in what is kept: behind that of checkpoints, and nowhere in counts."""
    return [1 if a.shape else None for a in _kept_avals(rule)]


def _loop_map(args: Arrays, dims: Sequence[Any], *, rule: ChainRule, keep: bool) -> Any:
    size, own, mask = _points(rule, args, dims, ())
    found = loop_p.bind(*own, rule=rule.mapped(size, mask), keep=keep)
    return found, [0] * len(rule.results) + (_kept_dims(rule) if keep else [])


def _points(
    rule: ChainRule, args: Arrays, dims: Sequence[Any], wanted: Sequence[int]
) -> tuple[int, list[Any], tuple[bool, ...]]:
    """Number of points, operands of the loop over them, and which of these have the new axis, in front."""
    size, number = _size(args, dims), len(rule.operands)
    mask = rule.spread([d is not None or k in wanted for k, d in enumerate(dims[:number])])
    return size, [_front(x, d, size) if m else x for x, d, m in zip(args, dims, mask, strict=False)], mask


def _tangent_map(args: Arrays, dims: Sequence[Any], *, rule: ChainRule, active: Numbers, lanes: tuple[int, ...]) -> Any:
    number = len(rule.operands)
    if all(d is None for d in dims[:number]):
        size = _size(args, dims)
        linear = [_front(x, d, size) for x, d in zip(args[number:], dims[number:], strict=True)]
        params = {"rule": rule, "active": active, "lanes": (size, *lanes)}
        found = tangent_p.bind(*args[:number], *linear, **params)
        return found, [None] * len(rule.results) + [0] * len(rule.inexact)
    moved = [k for k, d in zip(active, dims[number:], strict=True) if d is not None]
    size, own, mask = _points(rule, args, dims, moved)
    tangents = [
        _front(x, d, size, len(lanes)) if mask[k] else x
        for k, x, d in zip(active, args[number:], dims[number:], strict=True)
    ]
    found = tangent_p.bind(*own, *tangents, rule=rule.mapped(size, mask), active=active, lanes=lanes)
    return found, [0] * len(rule.results) + [len(lanes)] * len(rule.inexact)


def _linear_map(primitive: Any, args: Arrays, dims: Sequence[Any], *, rule: ChainRule, **params: Any) -> Any:
    """Products and pulls: a new axis of linear operands alone is one more lane, any other one more point."""
    number, count, lanes = len(rule.operands), params["count"], params["lanes"]
    first = number + count
    if all(d is None for d in dims[:first]):
        size = _size(args, dims)
        linear = [_front(x, d, size) for x, d in zip(args[first:], dims[first:], strict=True)]
        found = primitive.bind(*args[:first], *linear, rule=rule, **{**params, "lanes": (size, *lanes)})
        return found, [0] * len(found)
    size, own, mask = _points(rule, args, dims, params["active"])
    kept, usable = [], True
    for x, d, where in zip(args[number:first], dims[number:first], _kept_dims(rule)[:count], strict=True):
        if where is None:
            kept.append(x if d is None else jnp.max(x, axis=d))
        else:
            usable &= d is not None
            kept.append(_front(x, d, size, where))
    linear = [_front(x, d, size, len(lanes)) for x, d in zip(args[first:], dims[first:], strict=True)]
    params = {**params, "count": count if usable else 0}
    found = primitive.bind(*own, *(kept if usable else ()), *linear, rule=rule.mapped(size, mask), **params)
    return found, [len(lanes)] * len(found)


def _curvature_map(args: Arrays, dims: Sequence[Any], *, rule: ChainRule, **params: Any) -> Any:
    number, lanes = len(rule.operands), params["lanes"]
    if all(d is None for d in dims[:number]):
        size = _size(args, dims)
        linear = [_front(x, d, size) for x, d in zip(args[number:], dims[number:], strict=True)]
        found = curvature_p.bind(*args[:number], *linear, rule=rule, **{**params, "lanes": (size, *lanes)})
        return found, [0] * len(found)
    size, own, mask = _points(rule, args, dims, (*params["active"], *params["wanted"]))
    linear = [_front(x, d, size, len(lanes)) for x, d in zip(args[number:], dims[number:], strict=True)]
    found = curvature_p.bind(*own, *linear, rule=rule.mapped(size, mask), **params)
    return found, [len(lanes)] * len(found)


batching.primitive_batchers[loop_p] = _loop_map
batching.primitive_batchers[tangent_p] = _tangent_map
batching.primitive_batchers[product_p] = functools.partial(_linear_map, product_p)
batching.primitive_batchers[pull_p] = functools.partial(_linear_map, pull_p)
batching.primitive_batchers[curvature_p] = _curvature_map
