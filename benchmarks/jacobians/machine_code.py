"""The emitted program as C, compiled for this machine: what the arithmetic takes without a framework around it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from benchmarks.jacobians.rows import difference

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram, Step

COMPILER, FLAGS = "gcc", ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")

_TYPES = {"float32": "float", "float64": "double", "int32": "int", "int64": "long long", "bool": "_Bool"}
_INFIX = {
    "add": "+",
    "add_any": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "&",
    "or": "|",
    "xor": "^",
}
_CALLS = {
    **{name: name for name in "sqrt cbrt exp exp2 expm1 log log1p log2 sin cos tan sinh cosh tanh".split()},
    **{name: name for name in "asin acos atan atan2 asinh acosh atanh pow erf erfc floor ceil".split()},
    "abs": "fabs",
    "max": "fmax",
    "min": "fmin",
    "rem": "fmod",
}


def scalar_program(problem: zoo.Problem) -> ScalarProgram | None:
    """The Jacobian of a problem as a program on scalars, None if it cannot be taken apart."""
    plain = elimax.jacobian(problem.fun, problem.argnums, form="plain")
    leaves, tree = jax.tree.flatten(problem.args)
    return scalarise(trace(lambda *xs: jax.tree.leaves(plain(*jax.tree.unflatten(tree, xs))), leaves))


def compiled(problem: zoo.Problem, batch: int, args: tuple[Any, ...]) -> Callable[[], list[np.ndarray]] | None:
    """A call of the compiled program on a batch; it writes into arrays that are made once.

    Args:
      problem: of the zoo.
      batch: number of points.
      args: arguments, the batch axis in front where the batch is larger than 1.

    Returns:
      A function without arguments to the leaves of the Jacobian; None without a compiler or a program on scalars.
    """
    program = scalar_program(problem) if shutil.which(COMPILER) else None
    source = None if program is None else emit(program)
    if program is None or source is None:
        return None
    call, outputs, _ = _prepared(_library(source).run, program, jax.tree.leaves(args), batch)

    def once() -> list[np.ndarray]:
        call()
        return outputs

    return once


def _prepared(
    function: Any, program: ScalarProgram, leaves: list[Any], batch: int
) -> tuple[Callable[..., None], list[np.ndarray], list[np.ndarray]]:
    """A function of C bound to arrays that are made once, its results, and its arguments."""
    inputs = [np.array(x, order="C") for x in leaves]
    dtypes = [program.dtypes[ids.flat[0]] for ids in program.outputs]
    prefix = () if batch == 1 else (batch,)
    outputs = [np.zeros((*prefix, *ids.shape), d) for ids, d in zip(program.outputs, dtypes, strict=True)]
    pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in (*inputs, *outputs)]  # they keep the arrays alive

    def call(*front: Any) -> None:
        function(*front, ctypes.c_long(batch), *pointers)

    return call, outputs, inputs


def repeated(step: Callable[..., Any], args: tuple[Any, ...], batch: int, turns: int) -> Callable[[], Any] | None:
    """A call of many turns of a step in C, all points at each turn, as in a loop of JAX.

    Args:
      step: from arguments to results, the first of which are arguments of the next turn.
      args: arguments, the batch axis in front where the batch is larger than 1.
      batch: number of points.
      turns: of the loop.

    Returns:
      A function without arguments to the results of the last turn; None without a compiler or a program on scalars.
    """
    leaves = jax.tree.leaves(args)
    one = [x if batch == 1 else x[0] for x in leaves]
    program = scalarise(trace(lambda *xs: jax.tree.leaves(step(*xs)), one)) if shutil.which(COMPILER) else None
    source = None if program is None else emit(program)
    if program is None or source is None:
        return None
    sizes = [ids.size * program.dtypes[ids.flat[0]].itemsize for ids in program.inputs]
    state = [f"x{k}" for k in range(len(sizes))]
    results = [f"y{k}" for k in range(len(sizes), len(sizes) + len(program.outputs))]
    copies = [f"memcpy({x}, {y}, batch * {n});" for x, y, n in zip(state, results, sizes, strict=False)]
    heads = ", ".join(f"void *{name}" for name in (*state, *results))
    loop = f"run(batch, {', '.join((*state, *results))}); {' '.join(copies)}"
    source += f"\n#include <string.h>\nvoid turns(long count, long batch, {heads}) {{\n"
    source += f"for (long k = 0; k < count; ++k) {{ {loop} }}\n}}\n"
    call, outputs, inputs = _prepared(_library(source).turns, program, leaves, batch)
    start = [np.array(x, order="C") for x in leaves]

    def repeat() -> list[np.ndarray]:
        for own, x in zip(inputs, start, strict=True):
            own[...] = x
        call(ctypes.c_long(turns))
        return outputs

    return repeat


def add(variants: dict[str, Callable[[], Any]], call: Callable[[], Any] | None, expected: Any) -> list[str]:
    """Put a call of C, if there is one and it gives what is expected, beside other variants; else say why not."""
    if call is None:
        return ["no C"]
    if (gap := difference(call(), expected)) > 1e-3:
        return [f"C differs by {gap:.0e}"]
    variants["C"] = call
    return []


def emit(program: ScalarProgram) -> str | None:
    """C for a program: a function of the batch size, the arguments and the results; None for unknown operations."""
    sizes = [ids.size for ids in (*program.inputs, *program.outputs)]
    types = [_TYPES[program.dtypes[ids.flat[0]].name] for ids in (*program.inputs, *program.outputs)]
    split = len(program.inputs)
    heads = [
        f"{'const ' if k < split else ''}{kind} *restrict {'x' if k < split else 'y'}{k}"
        for k, kind in enumerate(types)
    ]
    lines = ["#include <math.h>", f"void run(long batch, {', '.join(heads)}) {{"]
    lines.append("for (long b = 0; b < batch; ++b) {")
    for number, value in program.constants.items():
        lines.append(f"const {_type(program, number)} v{number} = {_literal(value)};")
    for k, ids in enumerate(program.inputs):
        lines += [f"const {types[k]} v{i} = x{k}[b * {sizes[k]} + {j}];" for j, i in enumerate(ids.flat)]
    for step in program.steps:
        words = _step(program, step)
        if words is None:
            return None
        lines.append(f"const {_type(program, step.result)} v{step.result} = {words};")
    for k, ids in enumerate(program.outputs, split):
        lines += [f"y{k}[b * {sizes[k]} + {j}] = v{i};" for j, i in enumerate(ids.flat)]
    return "\n".join([*lines, "}", "}", ""])


def _type(program: ScalarProgram, number: int) -> str:
    return _TYPES[program.dtypes[number].name]


def _literal(value: np.ndarray) -> str:
    if value.dtype.kind != "f":
        return str(int(value))
    number = float(value)
    if math.isfinite(number):
        return number.hex() + ("f" if value.dtype == np.float32 else "")
    return "NAN" if math.isnan(number) else ("-" if number < 0 else "") + "INFINITY"


def _step(program: ScalarProgram, step: Step) -> str | None:
    names = [f"v{i}" for i in step.operands]
    dtype = program.dtypes[step.result]
    suffix = "f" if dtype == np.float32 else ""
    if step.name in _INFIX:
        return f" {_INFIX[step.name]} ".join(names)
    if step.name in _CALLS and dtype.kind == "f":
        return f"{_CALLS[step.name]}{suffix}({', '.join(names)})"
    one = f"({_TYPES[dtype.name]})1"
    match step.name:
        case "neg":
            return f"-{names[0]}"
        case "not":
            return f"!{names[0]}" if dtype.kind == "b" else f"~{names[0]}"
        case "square":
            return f"{names[0]} * {names[0]}"
        case "rsqrt":
            return f"{one} / sqrt{suffix}({names[0]})"
        case "logistic":
            return f"{one} / ({one} + exp{suffix}(-{names[0]}))"
        case "sign":
            return f"({_TYPES[dtype.name]})(({names[0]} > 0) - ({names[0]} < 0))"
        case "select_n" if len(names) == 3:
            return f"{names[0]} ? {names[2]} : {names[1]}"
        case "convert_element_type" | "copy" | "stop_gradient":
            return f"({_TYPES[dtype.name]}){names[0]}"
        case "integer_pow":
            return _power(names[0], _exponent(step, dtype), one)
    return None


def _exponent(step: Step, dtype: np.dtype) -> int:
    """The exponent of an integer power, read off from what it makes of 2."""
    return round(math.log2(float(np.asarray(step.call(np.asarray(2, dtype))[0]))))


def _power(name: str, exponent: int, one: str) -> str:
    product = " * ".join([name] * abs(exponent)) or one
    return f"{one} / ({product})" if exponent < 0 else product


@functools.cache
def _library(source: str) -> ctypes.CDLL:
    folder = Path(tempfile.gettempdir()) / f"elimax-machine-code-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    stem = folder / hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    stem.with_suffix(".c").write_text(source, encoding="utf-8")
    command = [COMPILER, *FLAGS, str(stem.with_suffix(".c")), "-o", str(stem.with_suffix(".so")), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(stem.with_suffix(".so")))
