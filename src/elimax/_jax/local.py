"""The partials of one elementwise operation as a small program made from JAX's own JVP rule.

The rule is traced once with a tangent of ones per active operand, products with one are removed, common parts are
shared with the primal, and dead parts dropped. What is left is evaluated in the caller's trace.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from elimax._jax.program import Value, bind


@dataclasses.dataclass(frozen=True, slots=True)
class Operand:
    """An operand: its description, its value if it is a literal, and whether it is active."""

    value: Value
    literal: Any
    active: bool


@dataclasses.dataclass(frozen=True, slots=True)
class LocalProgram:
    """Primal results and partials of one operation.

    Attributes:
      steps: ``(call, sources, targets)``; sources and targets are slots.
      constants: values of slots known in advance.
      num_operands: the first slots are the operands.
      primals: slots of the primal results.
      partials: per active operand +1, -1, a NumPy array, or ``("slot", k)``.
    """

    steps: tuple[tuple[Callable[..., list[Any]], tuple[int, ...], tuple[int, ...]], ...]
    constants: tuple[tuple[int, Any], ...]
    num_operands: int
    primals: tuple[int, ...]
    partials: tuple[Any, ...]

    def evaluate(self, operands: Sequence[Any], primal: bool = True) -> tuple[list[Any], list[Any]]:
        """Primal results (if wanted) and the partial with respect to each active operand."""
        env: dict[int, Any] = dict(enumerate(operands))
        env.update(self.constants)
        for call, sources, targets in self.steps:
            env.update(zip(targets, call(*(env[s] for s in sources)), strict=True))
        partials = [env[p[1]] if isinstance(p, tuple) else p for p in self.partials]
        return ([env[s] for s in self.primals] if primal else []), partials


_CACHE: dict[Any, LocalProgram] = {}
_LOCK = threading.Lock()


def local_program(
    name: str, params: dict[str, Any], call: Callable[..., list[Any]], operands: Sequence[Operand], linear: bool
) -> LocalProgram:
    """The partials of an elementwise operation with one result.

    Args:
      name: the primitive's name.
      params: its parameters.
      call: evaluates it.
      operands: its operands.
      linear: whether active operands are placeholders, so that the primal is not wanted.
    """
    key = _key(name, params, operands, linear)
    if key is not None and key in _CACHE:
        return _CACHE[key]
    program = _build(call, operands, linear)
    if key is not None:
        with _LOCK:
            _CACHE[key] = program
    return program


def _key(name: str, params: dict[str, Any], operands: Sequence[Operand], linear: bool) -> Any:
    described = tuple(
        (
            o.value.shape,
            str(o.value.dtype),
            o.value.weak_type,
            o.active,
            None if o.literal is None else o.literal.tobytes(),
        )
        for o in operands
    )
    key = (name, tuple(sorted(params.items(), key=lambda item: item[0])), described, linear, jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    try:
        hash(key)
    except TypeError:
        return None
    return key


class _One:
    """Stands for an array of ones (sign +1) or minus ones."""

    def __init__(self, aval: Any, sign: int):
        self.aval, self.sign = aval, sign


def _build(call: Callable[..., list[Any]], operands: Sequence[Operand], linear: bool) -> LocalProgram:
    free = [k for k, o in enumerate(operands) if o.literal is None]
    active = [k for k, o in enumerate(operands) if o.active]
    avals = {
        k: jax.ShapeDtypeStruct(operands[k].value.shape, operands[k].value.dtype, weak_type=operands[k].value.weak_type)
        for k in free
    }

    def traced(given: list[Any], tangents: list[Any]) -> list[Any]:
        full = [o.literal for o in operands]
        for k, x in zip(free, given, strict=True):
            full[k] = x
        results = [] if linear else call(*full)
        for k, t in zip(active, tangents, strict=True):

            def of_one(x: Any, k: int = k) -> Any:
                chosen = list(full)
                chosen[k] = x
                return call(*chosen)[0]

            results.append(jax.jvp(of_one, (full[k],), (t,))[1])
        return results

    closed = jax.make_jaxpr(traced)(
        [avals[k] for k in free],
        [jax.ShapeDtypeStruct(operands[k].value.shape, operands[k].value.dtype) for k in active],
    )
    return _simplify(closed, len(operands), free, linear)


def _simplify(closed: Any, num_operands: int, free: list[int], linear: bool) -> LocalProgram:
    jaxpr = closed.jaxpr
    env: dict[Any, Any] = dict(zip(jaxpr.invars[: len(free)], free, strict=True))
    slots = num_operands
    constants: dict[int, Any] = {}
    for var in jaxpr.invars[len(free) :]:
        env[var] = _One(var.aval, 1)
    for var, value in zip(jaxpr.constvars, closed.consts, strict=True):
        env[var] = slots
        constants[slots] = value
        slots += 1

    def read(atom: Any) -> Any:
        return _literal(atom) if isinstance(atom, jex.Literal) else env[atom]

    steps: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = []
    known: dict[Any, tuple[int, ...]] = {}

    def slot_of(atom: Any, aval: Any) -> int:
        nonlocal slots
        if isinstance(atom, int):
            return atom
        constants[slots] = (
            np.full(aval.shape, atom.sign, aval.dtype) if isinstance(atom, _One) else np.broadcast_to(atom, aval.shape)
        )
        slots += 1
        return slots - 1

    for equation in jaxpr.eqns:
        atoms = [read(a) for a in equation.invars]
        reduced = _reduce(equation, atoms)
        if reduced is not None:
            env[equation.outvars[0]] = reduced
            continue
        atoms_key = tuple(
            (a.tobytes(), a.dtype.str, a.shape)
            if isinstance(a, np.ndarray)
            else ("one", a.sign, a.aval.shape)
            if isinstance(a, _One)
            else a
            for a in atoms
        )
        key = (equation.primitive.name, str(equation.params), atoms_key)
        if key not in known:
            sources = tuple(slot_of(a, v.aval) for a, v in zip(atoms, equation.invars, strict=True))
            targets = tuple(range(slots, slots + len(equation.outvars)))
            slots += len(equation.outvars)
            steps.append((bind(equation), sources, targets))
            known[key] = targets
        env.update(zip(equation.outvars, known[key], strict=True))

    results = [read(atom) for atom in jaxpr.outvars]
    num_primals = 0 if linear else 1
    primals = tuple(slot_of(r, a.aval) for r, a in zip(results[:num_primals], jaxpr.outvars, strict=False))
    depends = set(free)
    for _, sources, targets in steps:
        if any(s in depends for s in sources):
            depends.update(targets)
    partials = []
    for atom in results[num_primals:]:
        if isinstance(atom, _One):
            partials.append(atom.sign)
        elif isinstance(atom, int) and atom in depends:
            partials.append(("slot", atom))
        elif isinstance(atom, int):
            partials.append(_constant(atom, steps, constants))
        else:
            partials.append(atom)
    wanted = {*primals, *(p[1] for p in partials if isinstance(p, tuple))}
    live = []
    for step in reversed(steps):
        if wanted & set(step[2]):
            live.append(step)
            wanted |= set(step[1])
    return LocalProgram(
        tuple(reversed(live)),
        tuple((slot, value) for slot, value in constants.items() if slot in wanted),
        num_operands,
        primals,
        tuple(partials),
    )


def _literal(atom: Any) -> np.ndarray:
    return np.asarray(atom.val, atom.aval.dtype)


def _constant(slot: int, steps: list[Any], constants: dict[int, Any]) -> np.ndarray:
    """Value of a slot that depends on no operand."""
    with jax.ensure_compile_time_eval():
        env = dict(constants)
        for call, sources, targets in steps:
            if all(s in env for s in sources):
                env.update(zip(targets, call(*(env[s] for s in sources)), strict=True))
        value = np.asarray(env[slot])
    # A uniform constant needs no axes.
    return value.reshape(-1)[:1].reshape(()) if value.size and (value == value.reshape(-1)[0]).all() else value


_FOLDED: dict[str, Callable[..., Any]] = {"mul": np.multiply, "div": np.divide, "neg": np.negative}
"""Operations on known numbers that NumPy does to the last bit as JAX does, and without compiling them."""


def _is_number(atom: Any, dtype: Any) -> bool:
    """Whether an atom is the same known float everywhere."""
    if dtype not in (np.float32, np.float64):
        return False
    return isinstance(atom, _One) or (isinstance(atom, np.ndarray) and atom.shape == () and atom.dtype == dtype)


def _reduce(equation: Any, atoms: list[Any]) -> Any:
    """What an equation is when one of its operands is one: an alias, another one, or None to keep it."""
    name = equation.primitive.name
    aval = equation.outvars[0].aval

    def same(k: int) -> bool:
        operand = equation.invars[k].aval
        return operand.dtype == aval.dtype and (operand.shape == aval.shape or isinstance(atoms[k], np.ndarray))

    if name == "mul":
        for k in (0, 1):
            if isinstance(atoms[k], _One) and atoms[k].sign == 1 and same(1 - k):
                return atoms[1 - k]
    if name in _FOLDED and all(_is_number(a, aval.dtype) for a in atoms):
        numbers = [np.asarray(a.sign, aval.dtype) if isinstance(a, _One) else a for a in atoms]
        if not all(isinstance(a, _One) for a in atoms):
            with np.errstate(all="ignore"):
                return np.asarray(_FOLDED[name](*numbers), aval.dtype)
    first = atoms[0] if atoms else None
    if not isinstance(first, _One):
        return None
    if name == "neg":
        return _One(aval, -first.sign)
    if name in ("copy", "copy_p", "reduce_precision") or (
        name == "convert_element_type" and jnp.issubdtype(aval.dtype, np.inexact)
    ):
        return _One(aval, first.sign)
    if name == "div" and isinstance(atoms[1], _One):
        return _One(aval, first.sign * atoms[1].sign)
    return None
