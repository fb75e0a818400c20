"""A jaxpr as a flat program: nested calls inlined, activity known, custom JVP rules expanded into their linear part.

A *value* of the program has a number. A value that depends on the independent variables in a differentiable way is
*active* and has a *vertex*: the number under which its tangent is known. For most values the two numbers are equal.
They differ where a rule is expanded: the primal result of a ``custom_jvp`` function comes from one part of the
expansion and its tangent from another, whose equations are linear in the tangents of the arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from elimax._jax import aligned, directional
from elimax._jax.entries import PRODUCT, TRANSPOSITION, product_by_entries, transposed_indices
from elimax._jax.staged import NAME as STAGED
from elimax._jax.staged import expanded

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
}
"""Primitives that merely call a jaxpr, and the parameter that holds it."""

ZERO_DERIVATIVE = frozenset(
    "stop_gradient sign floor ceil round is_finite nextafter eq ne lt le gt ge argmax argmin not and or xor "
    "population_count clz shift_left shift_right_logical shift_right_arithmetic random_bits random_seed random_wrap "
    "random_unwrap random_fold_in random_split iota".split()
)
"""Primitives whose derivative is zero by JAX's own rules, but for the sign of complex numbers in newer versions."""


def has_zero_derivative(name: str, avals: Sequence[Any]) -> bool:
    """Whether the derivative of an operation is zero.

    Args:
      name: of its primitive.
      avals: types of its results.
    """
    if name == "sign" and any(jnp.issubdtype(aval.dtype, jnp.complexfloating) for aval in avals):
        return False
    return name in ZERO_DERIVATIVE


MUTABLE = frozenset("new_ref empty_ref free_ref freeze get swap addupdate run_state new_box box_get box_set".split())
"""Primitives that read or write mutable arrays; a program with one of them is differentiated as a whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """Shape, dtype and weak type of a value."""

    shape: tuple[int, ...]
    dtype: Any
    weak_type: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """A use of a value: its number, and the vertex of its tangent (None if inactive)."""

    value: int
    vertex: int | None


@dataclasses.dataclass(frozen=True, eq=False)
class Equation:
    """One operation of a flat program.

    Attributes:
      name: the primitive's name.
      params: the primitive's parameters.
      call: evaluates the operation: a list of arrays in, a list of arrays out.
      inputs: uses of its operands.
      outputs: uses of its results; inactive results have no vertex.
      linear: whether the equation stems from an expanded rule and is linear in its active operands, whose values are
        placeholders.
      effects: whether it must run even if nothing reads its results.
    """

    name: str
    params: dict[str, Any]
    call: Callable[..., list[Any]]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    linear: bool = False
    effects: bool = False

    @property
    def active(self) -> bool:
        """Whether it has an active operand and an active result."""
        return any(r.vertex is not None for r in self.inputs) and any(r.vertex is not None for r in self.outputs)


@dataclasses.dataclass(eq=False)
class Program:
    """A flat program.

    Attributes:
      values: description of every value by number.
      constants: values known before the program runs: literals (NumPy) and captured arrays (possibly tracers).
      literals: numbers of those constants that are literals of the jaxpr.
      inputs: uses of the arguments, in order.
      equations: in program order.
      outputs: uses of the results, in order.
    """

    values: list[Value]
    constants: dict[int, Any]
    literals: set[int]
    inputs: list[Ref]
    equations: list[Equation]
    outputs: list[Ref]


def trace(fun: Callable[..., Sequence[Any]], args: Sequence[Any]) -> Any:
    """Trace ``fun(*args)`` on the shapes of its arguments; returns JAX's closed jaxpr."""
    return jax.make_jaxpr(fun)(*args)


def as_function(closed: Any) -> Callable[..., list[Any]]:
    """A closed jaxpr as a function of arrays."""
    return jex.jaxpr_as_fun(closed)


def evaluated(jaxpr: Any, constants: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """Results of an open jaxpr."""
    return jax.core.eval_jaxpr(jaxpr, constants, *args)


def is_inexact(dtype: Any) -> bool:
    """Whether values of a dtype carry derivatives."""
    return jnp.issubdtype(dtype, np.inexact)


def has_symbolic_shapes(closed: Any) -> bool:
    """Whether a dimension anywhere in a jaxpr is symbolic, as under `jax.export`."""
    avals = [v.aval for v in closed.jaxpr.invars] + [v.aval for e in closed.jaxpr.eqns for v in e.outvars]
    return any(not isinstance(d, int) for aval in avals for d in getattr(aval, "shape", ()))


def bind(equation: Any) -> Callable[..., list[Any]]:
    """A function that evaluates one jaxpr equation."""
    primitive = equation.primitive
    params = primitive.get_bind_params(equation.params)
    context = equation.ctx
    special = (
        context.compute_type is not None
        or context.xla_metadata is not None
        or not getattr(context.cur_abstract_mesh, "empty", True)
    )

    def call(*operands: Any) -> list[Any]:
        if special or "random" in primitive.name:
            with context.manager:
                result = primitive.bind(*operands, **params)
        else:
            result = primitive.bind(*operands, **params)
        return list(result) if primitive.multiple_results else [result]

    return call


def inline(
    closed: Any, active: Sequence[bool], expand: bool = True, keep: bool | None = None, staged: bool = True
) -> Program:
    """Flatten a closed jaxpr.

    Args:
      closed: what `trace` returned.
      active: for each argument, whether it is an independent variable.
      expand: whether ``custom_jvp`` rules are expanded; otherwise their calls stay single equations.
      keep: whether calls of ``custom_jvp`` functions stay where values are computed, so that their rules hold when the
        program is differentiated once more; None for programs of which something is active.
      staged: whether staged programs are expanded.
    """
    if _called_names(closed.jaxpr) & MUTABLE:
        return whole(closed, active)
    builder = _Builder(expand, any(active) if keep is None else keep, staged)
    inputs = []
    for var, is_active in zip(closed.jaxpr.invars, active, strict=True):
        number = builder.new_value(var.aval)
        inputs.append(Ref(number, number if is_active and is_inexact(var.aval.dtype) else None))
    outputs = builder.run(closed, inputs, linear=False)
    return Program(builder.values, builder.constants, builder.literals, inputs, builder.equations, outputs)


def whole(closed: Any, active: Sequence[bool]) -> Program:
    """A closed jaxpr as a program of one equation."""
    builder = _Builder(expand=False)
    fun = as_function(closed)
    inputs, outputs = [], []
    for var, is_active in zip(closed.jaxpr.invars, active, strict=True):
        number = builder.new_value(var.aval)
        inputs.append(Ref(number, number if is_active and is_inexact(var.aval.dtype) else None))
    for var in closed.jaxpr.outvars:
        number = builder.new_value(var.aval)
        outputs.append(Ref(number, number if is_inexact(var.aval.dtype) else None))
    equation = Equation("program", {"jaxpr": closed}, lambda *xs: list(fun(*xs)), tuple(inputs), tuple(outputs))
    return Program(builder.values, builder.constants, builder.literals, inputs, [equation], outputs)


def _called_names(jaxpr: Any) -> set[str]:
    """Names of the primitives of a jaxpr and of the jaxprs that it merely calls."""
    names = set()
    for equation in jaxpr.eqns:
        names.add(equation.primitive.name)
        if equation.primitive.name in CALLS:
            names |= _called_names(_closed(equation.params[CALLS[equation.primitive.name]]).jaxpr)
    return names


class _Builder:
    """Collects the equations of nested jaxprs."""

    def __init__(self, expand: bool, keep: bool = False, staged: bool = True) -> None:
        self._expand = expand
        self._keep = keep
        self._staged = staged
        self.values: list[Value] = []
        self.constants: dict[int, Any] = {}
        self.literals: set[int] = set()
        self.equations: list[Equation] = []
        self._captured: dict[int, int] = {}

    def new_value(self, aval: Any) -> int:
        shape = tuple(getattr(aval, "shape", ()))
        self.values.append(Value(shape, getattr(aval, "dtype", None), bool(getattr(aval, "weak_type", False))))
        return len(self.values) - 1

    def constant(self, aval: Any, value: Any) -> Ref:
        known = self._captured.get(id(value))
        if known is None:
            known = self.new_value(aval)
            self.constants[known] = value
            self._captured[id(value)] = known
        return Ref(known, None)

    def run(self, closed: Any, inputs: Sequence[Ref], linear: bool) -> list[Ref]:
        jaxpr = closed.jaxpr
        env: dict[Any, Ref] = dict(zip(jaxpr.invars, inputs, strict=True))
        for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
            env[var] = self.constant(var.aval, value)

        def read(atom: Any) -> Ref:
            if isinstance(atom, jex.Literal):
                number = self.new_value(atom.aval)
                self.constants[number] = np.asarray(atom.val, dtype=self.values[number].dtype)
                self.literals.add(number)
                return Ref(number, None)
            return env[atom]

        for equation in jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            results = self.equation(equation, operands, linear)
            env.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: Any, operands: list[Ref], linear: bool) -> list[Ref]:
        name = equation.primitive.name
        active = any(r.vertex is not None for r in operands)
        if name in CALLS:
            inner = equation.params[CALLS[name]]
            return self.run(_closed(inner), operands, linear)
        if name == aligned.NAME:
            return operands[: equation.params["count"]]
        if name in directional.NAMES:
            avals = [atom.aval for atom in equation.invars]
            return self.run(directional.expanded(name, equation.params, avals), operands, linear)
        if name == STAGED and self._staged:
            return self.run(expanded(equation.params, [atom.aval for atom in equation.invars]), operands, linear)
        if name in (PRODUCT, TRANSPOSITION) and operands[1].value in self.constants:
            found = self.entries(equation, operands, active, linear)
            if found is not None:
                return found
        if name == "custom_jvp_call" and (linear if active else not self._keep):
            # Of tangents the function is linear, so it is its own derivative; a rule may well call itself on them.
            return self.run(_closed(equation.params["call_jaxpr"]), operands, linear)
        if name == "custom_jvp_call" and active and self._expand:
            return self.expand(bind(equation), operands, equation, linear)
        if linear and active:
            return self.apart(equation, operands)
        return self.emitted(equation, operands, linear, active)

    def apart(self, equation: Any, operands: list[Ref]) -> list[Ref]:
        """What is linear in tangents; a loop or branch that computes values beside them does so once for each.

        Values are read, also by what decides about tangents, and must not move with them.
        """
        from elimax._jax.moving import BESIDE, moved_results  # reads loops by means of this module

        tangents = self.emitted(equation, operands, True, True)
        if equation.primitive.name not in BESIDE:
            return tangents
        moving = moved_results(equation, [r.vertex is not None for r in operands])
        if all(moving):
            return tangents
        still = [self.zeros(r) if r.vertex is not None else r for r in operands]
        values = self.emitted(equation, still, True, False)
        return [t if m else v for t, v, m in zip(tangents, values, moving, strict=True)]

    def zeros(self, ref: Ref) -> Ref:
        """Zeros of the shape of a value."""
        like = self.values[ref.value]
        number = self.new_value(jax.ShapeDtypeStruct(like.shape, like.dtype))
        self.constants[number] = np.zeros(like.shape, like.dtype)
        return Ref(number, None)

    def emitted(self, equation: Any, operands: list[Ref], linear: bool, active: bool) -> list[Ref]:
        """The results of an equation that is part of the program as it is."""
        name = equation.primitive.name
        results = []
        active = active and not has_zero_derivative(name, [var.aval for var in equation.outvars])
        for var in equation.outvars:
            number = self.new_value(var.aval)
            dtype = self.values[number].dtype
            moves = active and dtype is not None and is_inexact(dtype)
            results.append(Ref(number, number if moves else None))
        self.equations.append(
            Equation(
                name,
                dict(equation.params),
                bind(equation),
                tuple(operands),
                tuple(results),
                linear=linear,
                effects=bool(getattr(equation, "effects", ())),
            )
        )
        return results

    def entries(self, equation: Any, operands: list[Ref], active: bool, linear: bool) -> list[Ref] | None:
        """A sparse matrix times an array, or transposed, by its entries, whose indices are known."""
        avals, indices = [atom.aval for atom in equation.invars], self.constants[operands[1].value]
        if equation.primitive.name == TRANSPOSITION:
            where = transposed_indices(equation.params, avals, indices)
            return None if where is None else [operands[0], self.constant(equation.outvars[1].aval, where)]
        product = product_by_entries(equation.params, avals, indices) if active else None
        return None if product is None else self.run(product, operands, linear)

    def expand(self, call: Callable[..., list[Any]], operands: list[Ref], equation: Any, linear: bool) -> list[Ref]:
        """Replace an equation by its JVP rule: primal part as is, tangent part linear in the operands' tangents."""
        where = [k for k, r in enumerate(operands) if r.vertex is not None]

        def jvp(primals: list[Any], tangents: list[Any]) -> Any:
            def fixed(*chosen: Any) -> list[Any]:
                full = list(primals)
                for k, x in zip(where, chosen, strict=True):
                    full[k] = x
                return call(*full)

            return jax.jvp(fixed, [primals[k] for k in where], tangents)

        avals = [_abstract(atom.aval) for atom in equation.invars]
        closed = jax.make_jaxpr(jvp)(avals, [avals[k] for k in where])
        tangents = []
        for k in where:
            # The tangent has the operand's vertex; its value is a placeholder that nothing reads.
            value = self.values[operands[k].value]
            number = self.new_value(jax.ShapeDtypeStruct(value.shape, value.dtype))
            self.constants[number] = Placeholder(value.shape, value.dtype)
            tangents.append(Ref(number, operands[k].vertex))
        primals = [Ref(r.value, None) for r in operands]
        results = self.run(closed, [*primals, *tangents], linear=True)
        count = len(equation.outvars)
        return [
            Ref(primal.value, tangent.vertex) for primal, tangent in zip(results[:count], results[count:], strict=True)
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class Placeholder:
    """Stands for the value of a tangent, which no partial reads."""

    shape: tuple[int, ...]
    dtype: Any

    def zeros(self) -> Any:
        """Zeros in its place."""
        return jnp.zeros(self.shape, self.dtype)


def _abstract(aval: Any) -> Any:
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=getattr(aval, "weak_type", False))


def _closed(jaxpr: Any) -> Any:
    """A jaxpr parameter as a closed jaxpr; some primitives keep an open one without constants."""
    return jaxpr if hasattr(jaxpr, "consts") else jex.ClosedJaxpr(jaxpr, ())


def nested(equation: Equation) -> list[Any]:
    """Jaxprs among the parameters of an equation, closed: bodies and conditions of loops, branches."""
    found = []
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if not hasattr(getattr(item, "jaxpr", item), "eqns"):
                continue
            if not hasattr(item, "consts") and item.constvars:  # its constants are operands of the equation
                item = item.replace(constvars=[], invars=[*item.constvars, *item.invars])
            found.append(_closed(item))
    return found


def primitive_names(closed: Any) -> frozenset[str]:
    """Names of all primitives of a closed jaxpr, nested ones included."""
    return frozenset(_names(closed.jaxpr))


def subprograms(params: dict[str, Any]) -> list[list[str]]:
    """Names of all primitives, nested ones included, of each jaxpr among an equation's parameters."""
    found = []
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            jaxpr = getattr(item, "jaxpr", item)
            if hasattr(jaxpr, "eqns"):
                found.append(_names(jaxpr))
    return found


def _names(jaxpr: Any) -> list[str]:
    names = []
    for equation in jaxpr.eqns:
        names.append(equation.primitive.name)
        for inner in subprograms(equation.params):
            names.extend(inner)
    return names
