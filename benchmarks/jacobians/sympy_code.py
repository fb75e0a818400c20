"""Symbolic derivatives: the program as SymPy expressions, their derivatives, common parts found by cse, back to JAX."""

from __future__ import annotations

import functools
import math
import multiprocessing
import pickle
import queue
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.jacobians.machine_code import _exponent

from elimax import zoo
from elimax._jax import trace
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram

SECONDS = 60.0
"""How long SymPy may take."""


@functools.cache
def jacobian(name: str) -> tuple[Callable[..., Any] | None, str]:
    """The Jacobian of a problem of the zoo by SymPy, or None and the reason.

    Returns:
      A function of the arguments of the problem to the matrix of its Jacobian [m, n], and a note.
    """
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_derive, args=(name, answer), daemon=True)
    process.start()
    try:
        found = answer.get(timeout=SECONDS)
    except queue.Empty:
        return None, f"more than {SECONDS:.0f} s"
    finally:
        process.kill()
        process.join()
    if isinstance(found, str):
        return None, found
    replacements, entries, symbols, shape = pickle.loads(found)
    return _function(replacements, entries, symbols, shape), ""


def _derive(name: str, answer: Any) -> None:
    """In a process of its own, so that it can be stopped."""
    import sympy

    jax.config.update("jax_enable_x64", True)
    try:
        problem = zoo.get(name, dtype="float64")
        numbers = (problem.argnums,) if isinstance(problem.argnums, int) else problem.argnums
        program = scalarise(trace(lambda *xs: jax.tree.leaves(problem.fun(*xs)), problem.args))
        if program is None:
            answer.put("not a program on scalars")
            return
        values = {int(i): sympy.Symbol(f"x{int(i)}", real=True) for ids in program.inputs for i in ids.flat}
        symbols = list(values.values())
        outputs = _expressions(program, values)
        unknowns = [values[int(i)] for k in numbers for i in program.inputs[k].flat]
        entries = [sympy.diff(y, x) for y in outputs for x in unknowns]
        replacements, reduced = sympy.cse(entries)
        answer.put(pickle.dumps((replacements, reduced, symbols, (len(outputs), len(unknowns)))))
    except Exception as error:  # a reason is all that is wanted
        answer.put(f"{type(error).__name__}: {error}"[:80])


def _expressions(program: ScalarProgram, values: dict[int, Any]) -> list[Any]:
    import sympy

    values = dict(values)
    for number, value in program.constants.items():
        exact = float(value) == int(value) if math.isfinite(float(value)) else False
        values[number] = sympy.Integer(int(value)) if exact else sympy.Float(float(value))
    known = {
        "add": lambda a, b: a + b,
        "add_any": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "neg": lambda a: -a,
        "pow": lambda a, b: a**b,
        "sqrt": sympy.sqrt,
        "exp": sympy.exp,
        "log": sympy.log,
        "sin": sympy.sin,
        "cos": sympy.cos,
        "tan": sympy.tan,
        "tanh": sympy.tanh,
        "atan2": sympy.atan2,
        "erf": sympy.erf,
        "abs": sympy.Abs,
        "square": lambda a: a * a,
        "rsqrt": lambda a: 1 / sympy.sqrt(a),
        "erfc": sympy.erfc,
        "copy": lambda a: a,
        "convert_element_type": lambda a: a,
        "log1p": lambda a: sympy.log(1 + a),
    }
    for step in program.steps:
        operands = [values[i] for i in step.operands]
        if step.name == "integer_pow":
            values[step.result] = operands[0] ** _exponent(step, program.dtypes[step.result])
        elif step.name in known:
            values[step.result] = known[step.name](*operands)
        else:
            raise NotImplementedError(step.name)
    return [values[int(i)] for ids in program.outputs for i in ids.flat]


def _function(replacements: Any, entries: Any, symbols: Any, shape: tuple[int, int]) -> Callable[..., Any]:
    import sympy

    functions = {"Abs": jnp.abs, "sign": jnp.sign, "erf": jax.scipy.special.erf, "erfc": jax.scipy.special.erfc}
    steps = [(symbol, sympy.lambdify(_order(e), e, [functions, "jax"])) for symbol, e in replacements]
    ends = [sympy.lambdify(_order(e), e, [functions, "jax"]) for e in entries]
    needs = [_order(e) for _, e in replacements]
    final = [_order(e) for e in entries]

    def run(*args: Any) -> Any:
        flat = [x for leaf in jax.tree.leaves(args) for x in jnp.ravel(leaf)]
        dtype = flat[0].dtype
        values = dict(zip(symbols, flat, strict=True))
        for (symbol, step), need in zip(steps, needs, strict=True):
            values[symbol] = jnp.asarray(step(*(values[s] for s in need)), dtype)
        row = [jnp.asarray(end(*(values[s] for s in need)), dtype) for end, need in zip(ends, final, strict=True)]
        return jnp.stack(row).reshape(shape)

    return run


def _order(expression: Any) -> list[Any]:
    return sorted(expression.free_symbols, key=str)


def check(name: str) -> float:
    """Largest difference of the symbolic Jacobian from jacfwd at the example of a problem; for people."""
    problem = zoo.get(name)
    fun, note = jacobian(name)
    if fun is None:
        raise ValueError(note)
    blocks = jax.tree.leaves(jax.jacfwd(problem.fun, problem.argnums)(*problem.args))
    return abs(np.sum(np.asarray(fun(*problem.args))) - sum(float(np.sum(b)) for b in blocks))
