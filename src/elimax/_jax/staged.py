"""A program with more than one form of emission, as one equation until it is known where it runs.

Which form of a program is fastest depends on the batch, the platform, and on whether it runs inside a loop; none of
this is known where the program is traced. So it is staged as one primitive: `jax.vmap` adds batch axes to it,
derivatives of it are those of its plain form, and lowering asks the program which form to emit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.extend.core as jex
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

Batch = tuple[tuple[int, tuple[bool, ...]], ...]
"""Batch axes, innermost first: the size, and which operands have that axis."""

Form = Callable[..., list[Any]]

BODIES = ("closed_call", "eval_jaxpr")
"""Names of the functions that hold bodies of `jax.lax.scan`, in older and newer JAX."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a staged program runs.

    Attributes:
      batch: its batch axes.
      batch_last: whether results have the batch axes behind their own, or in front.
      platform: "cpu", "cuda", ...
      looped: whether the program is the body of a loop, or a part of it.
      given: which operands come from outside of the whole program; none if empty.
      spread: whether the whole program runs on several devices, which may exchange parts of any array.
    """

    batch: Batch
    batch_last: bool
    platform: str
    looped: bool
    given: tuple[bool, ...] = ()
    spread: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the batch axes, outermost first."""
        return tuple(size for size, _ in reversed(self.batch))


@dataclasses.dataclass(frozen=True, eq=False)
class Staged:
    """A program and the choice of its form.

    Attributes:
      name: of the program, for people.
      closed: its closed jaxpr, without constants.
      choose: the form for a place, a function of the operands with their batch axes in front, outermost first, to
        results; None for the plain form.
      batch_last: whether results have the batch axes behind their own, or in front.
      narrow: the choice for a program of some of the results, given its closed jaxpr; None if there is none, or as a
        whole where results that nobody reads are computed all the same.
    """

    name: str
    closed: Any
    choose: Callable[[Place], Form | None]
    batch_last: bool = False
    narrow: Callable[[Any], Callable[[Place], Form | None] | None] | None = None

    @property
    def places(self) -> list[int]:
        """For each result, where `jax.vmap` puts its axis."""
        return [len(aval.shape) if self.batch_last else 0 for aval in self.closed.out_avals]

    def __repr__(self) -> str:
        return self.name


def stage(
    name: str,
    closed: Any,
    choose: Callable[[Place], Form | None],
    args: Sequence[Any],
    *,
    batch_last: bool,
    narrow: Callable[[Any], Callable[[Place], Form | None] | None] | None = None,
) -> list[Any]:
    """Put a program into the caller's trace as one equation.

    Args:
      name: of the program, for people.
      closed: its closed jaxpr, without traced constants, see `lift`.
      choose: see `Staged`.
      args: its arguments.
      batch_last: see `Staged`.
      narrow: see `Staged`.
    """
    return staged_p.bind(*args, staged=Staged(name, closed, choose, batch_last, narrow), batch=())


def lift(closed: Any, args: Sequence[Any]) -> tuple[Any, list[Any]]:
    """A closed jaxpr whose traced constants are arguments, in front of the others; and its arguments."""
    traced = [k for k, c in enumerate(closed.consts) if isinstance(c, jax.core.Tracer)]
    if not traced:
        return closed, list(args)

    def fun(*args: Any) -> list[Any]:
        constants = list(closed.consts)
        for k, x in zip(traced, args, strict=False):
            constants[k] = x
        return jax.core.eval_jaxpr(closed.jaxpr, constants, *args[len(traced) :])

    operands = [*(closed.consts[k] for k in traced), *args]
    avals = [jax.typeof(x) for x in operands]
    lifted = jax.make_jaxpr(fun)(*(jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals))
    return lifted, operands


def is_local(x: Any) -> bool:
    """Whether an array lives on one device as far as its type says: neither varying nor sharded along mesh axes."""
    aval = jax.typeof(x)
    spec = getattr(getattr(aval, "sharding", None), "spec", ())
    return not getattr(aval, "vma", ()) and all(part is None for part in spec)


def plain(staged: Staged, batch: Batch) -> Form:
    """The program itself, mapped over the batch axes."""
    fun: Any = jex.jaxpr_as_fun(staged.closed)
    for size, mask in batch:
        fun = jax.vmap(fun, in_axes=[0 if m else None for m in mask], out_axes=staged.places, axis_size=size)
    return fun


NAME = "elimax"
"""Of the primitive of staged programs."""

staged_p = jex.Primitive(NAME)
staged_p.multiple_results = True


@staged_p.def_impl
def _evaluate(*args: Any, staged: Staged, batch: Batch) -> list[Any]:
    return plain(staged, batch)(*args)


@staged_p.def_abstract_eval
def _abstract(*_: Any, staged: Staged, batch: Batch) -> list[Any]:
    sizes = tuple(size for size, _ in reversed(batch))
    return [
        jax.core.ShapedArray(
            (*aval.shape, *sizes) if staged.batch_last else (*sizes, *aval.shape), aval.dtype, weak_type=aval.weak_type
        )
        for aval in staged.closed.out_avals
    ]


def _map(args: Sequence[Any], dims: Sequence[Any], *, staged: Staged, batch: Batch) -> tuple[list[Any], list[int]]:
    mask = tuple(d is not None for d in dims)
    size = next(x.shape[d] for x, d, m in zip(args, dims, mask, strict=True) if m)
    args = [jnp.moveaxis(x, d, 0) if m else x for x, d, m in zip(args, dims, mask, strict=True)]
    batch = (*batch, (size, mask))
    if not isinstance(size, int) or not all(map(is_local, args)):  # symbolic, as under jax.export; or spread on a mesh
        return plain(staged, batch)(*args), staged.places
    return staged_p.bind(*args, staged=staged, batch=batch), staged.places


def _differentiate(
    primals: Sequence[Any], tangents: Sequence[Any], *, staged: Staged, batch: Batch
) -> tuple[list[Any], list[Any]]:
    active = [k for k, t in enumerate(tangents) if type(t) is not ad.Zero]

    def fun(*chosen: Any) -> list[Any]:
        full = list(primals)
        for k, x in zip(active, chosen, strict=True):
            full[k] = x
        return plain(staged, batch)(*full)

    return jax.jvp(fun, [primals[k] for k in active], [tangents[k] for k in active])


def _lower(ctx: Any, *args: Any, staged: Staged, batch: Batch, platform: str | None = None) -> Any:
    if platform is None:
        platform = str((ctx.platforms or ctx.module_context.platforms)[0])
    given = () if _is_exported(ctx) else tuple(map(_is_given, args))
    place = Place(batch, staged.batch_last, platform, _in_loop(ctx), given, _is_spread(ctx))
    form = staged.choose(place) or plain(staged, batch)
    return mlir.lower_fun(form, multiple_results=True)(ctx, *args)


def _in_loop(ctx: Any) -> bool:
    """Whether code is being emitted for the body of a loop, as far as can be seen.

    A body is a region of its own or, from `lax.scan`, a function that is called from one. A body that calls a jitted
    function hides its loop from what is emitted there.
    """
    if "while/body" in str(ctx.name_stack):
        return True
    function: Any = mlir.ir.InsertionPoint.current.block.owner  # type: ignore[attr-defined]
    if "sym_name" not in function.attributes:
        return False
    name = str(function.attributes["sym_name"])
    return any(body in name for body in BODIES)


def _is_spread(ctx: Any) -> bool:
    """Whether the whole program runs on several devices, as far as can be seen."""
    return getattr(ctx.module_context.axis_context, "num_devices", None) != 1


def _is_exported(ctx: Any) -> bool:
    """Whether the program may become a part of another one, which then is the whole program."""
    return bool(getattr(ctx.module_context.lowering_parameters, "for_export", True))


def _is_given(x: Any) -> bool:
    """Whether a value is an argument of the whole program."""
    if not isinstance(x, mlir.ir.BlockArgument):
        return False
    function: Any = x.owner.owner
    return "sym_name" in function.attributes and str(function.attributes["sym_name"]) == '"main"'


def _drop(used: list[bool], *rest: Any) -> tuple[list[bool], Any]:
    """The equation without the results that nobody reads."""
    equation = rest[-1]  # JAX 0.12 says before it which operands are alive
    staged: Staged = equation.params["staged"]
    operands = [True] * len(equation.invars)
    if not any(used):
        return [False] * len(operands), None
    if all(used) or staged.narrow is None:
        return operands, equation
    kept = [k for k, is_used in enumerate(used) if is_used]
    whole: Any = jex.jaxpr_as_fun(staged.closed)
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in staged.closed.in_avals]
    closed = jax.make_jaxpr(lambda *xs: [whole(*xs)[k] for k in kept])(*avals)
    choose = staged.narrow(closed) or (lambda _: None)
    narrowed = Staged(staged.name, closed, choose, staged.batch_last, staged.narrow)
    outvars = [equation.outvars[k] for k in kept]
    return operands, equation.replace(outvars=outvars, params={**equation.params, "staged": narrowed})


batching.primitive_batchers[staged_p] = _map
ad.primitive_jvps[staged_p] = _differentiate
mlir.register_lowering(staged_p, _lower, cacheable=False)
pe.dce_rules[staged_p] = _drop


def expanded(params: dict[str, Any], avals: Sequence[Any]) -> Any:
    """The closed jaxpr of an equation of the primitive, in its plain form."""
    fun = plain(params["staged"], params["batch"])
    return jax.make_jaxpr(fun)(*(jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals))
