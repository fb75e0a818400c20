"""Symbolic expressions against SymPy's jacobian and cse on the scalar functions of the zoo.

Counts operations of values and all partials together, as straight-line programs in which equal parts exist once; powers
count as their multiplications. SymPy's result is counted in the form that suits it: sums and products of many terms as
chains, negative powers as one quotient, negative terms as differences. Times are of the processor, of planning alone:
reading the program and differentiating it here, ``Matrix.jacobian`` and ``cse`` there.

    python -m benchmarks.expressions [PROBLEM ...] [--write]

With ``--write`` the table goes into docs/coarsening.md.
"""

from __future__ import annotations

import argparse
import functools
import json
import signal
import time

import jax
import sympy
from benchmarks import documents

from elimax import zoo
from elimax._jax import inline, trace
from elimax.coarsen import NONE, STRICT, Arena, Rules, cost, derive
from elimax.coarsen.nodes import reachable
from elimax.coarsen.read import expressions

COLUMNS = (
    "| problem | unsimplified | strict rules | all rules | SymPy | planning, no rules | strict rules | all rules "
    "| SymPy | ratio |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
PROBLEMS = (
    "lighthouse hole black_scholes propane_combustion human_heart_dipole robot_arm_6dof roe_flux_1d roe_flux_3d"
).split()


class Absolute(sympy.Function):
    """SymPy's own has a derivative that looks at real parts."""

    def fdiff(self, argindex=1):
        return sympy.sign(self.args[0])


SYMPY = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt,
    "erf": sympy.erf, "erfc": sympy.erfc, "abs": Absolute, "tanh": sympy.tanh, "sign": sympy.sign,
    "atan2": sympy.atan2, "asin": sympy.asin, "acos": sympy.acos, "atan": sympy.atan,
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "neg": lambda x: -x, "convert_element_type": lambda x, new_dtype: x,
    "integer_pow": lambda x, y: x**y, "pow": lambda x, y: x**y,
}  # fmt: skip


def program_of(name):
    problem = zoo.get(name)
    return inline(trace(lambda *xs: jax.tree.leaves(problem.fun(*xs)), problem.args), [True] * len(problem.args))


def ours(program, rules):
    arena = Arena(rules)
    variables, sinks = expressions(arena, program)
    return derive(arena, sinks, variables)


def to_sympy(sinks):
    env = {}
    for node in reachable(sinks):
        if node.op == "variable":
            env[node.number] = sympy.Symbol(f"x{node.param('name')}", real=True)
        elif node.is_constant:
            value = float(node.value)
            env[node.number] = sympy.Integer(int(value)) if value.is_integer() else sympy.Float(value)
        else:
            env[node.number] = SYMPY[node.op](*(env[a.number] for a in node.args), **dict(node.params))
    return [env[s.number] for s in sinks]


def from_sympy(arena, replacements, results, dtype="float64"):
    """SymPy's straight-line program with its powers as products and its negative powers as quotients."""
    env = {}

    def constant(value):
        return arena.constant(float(value), dtype)

    def convert(e):
        if e in env:
            return env[e]
        if e.is_Symbol:
            return arena.variable(str(e), dtype)
        if e.is_Number or e.is_NumberSymbol:
            return constant(e)
        if e.is_Add:
            plus = [t for t in e.args if not t.could_extract_minus_sign()]
            minus = [-t for t in e.args if t.could_extract_minus_sign()]
            total = functools.reduce(lambda a, b: arena.apply("add", a, b), map(convert, plus)) if plus else None
            for t in map(convert, minus):
                total = arena.apply("neg", t) if total is None else arena.apply("sub", total, t)
            return total
        if e.is_Mul:
            negative = e.could_extract_minus_sign()
            top, bottom = -e if negative else e, sympy.S.One
            if any(a.is_Pow and a.exp.is_negative for a in e.args):
                top, bottom = top.as_numer_denom()
            if top.is_Mul:
                top = functools.reduce(lambda a, b: arena.apply("mul", a, b), map(convert, top.args))
            else:
                top = convert(top)
            if bottom != 1:
                top = arena.apply("div", top, convert(bottom))
            return arena.apply("neg", top) if negative else top
        if e.is_Pow:
            base, power = e.args
            if power == sympy.Rational(1, 2):
                return arena.apply("sqrt", convert(base))
            if power == sympy.Rational(-1, 2):
                return arena.apply("rsqrt", convert(base))
            if power.is_Integer:
                inverse = power < 0
                x = convert(base)
                x = x if abs(int(power)) == 1 else arena.apply("integer_pow", x, y=abs(int(power)))
                return arena.apply("div", constant(1), x) if inverse else x
            if (2 * power).is_Integer:
                root = arena.apply("sqrt" if power > 0 else "rsqrt", convert(base))
                return arena.apply("integer_pow", root, y=abs(int(2 * power)))
            return arena.apply("pow", convert(base), convert(power))
        name = {"Absolute": "abs"}.get(type(e).__name__, type(e).__name__)
        return arena.apply(name, *map(convert, e.args))

    for symbol, e in replacements:
        env[symbol] = convert(e)
    return [convert(e) for e in results]


def theirs(expressions_, program):
    symbols = [sympy.Symbol(f"x{r.value}", real=True) for r in program.inputs]
    jacobian = sympy.Matrix(expressions_).jacobian(symbols)
    return sympy.cse([*expressions_, *[e for e in jacobian if e != 0]])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("problems", nargs="*", default=PROBLEMS)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = []
    jax.config.update("jax_enable_x64", True)
    signal.signal(signal.SIGALRM, stop)
    for name in options.problems:
        program = program_of(name)
        ours(program, STRICT)  # the derivative rules of JAX are read once a process
        row = {"problem": name}
        for label, rules in (("plain", NONE), ("strict", STRICT), ("all", Rules())):
            took = []
            for _ in range(5):
                start = time.process_time()
                derived = ours(program, rules)
                took.append(time.process_time() - start)
            row[f"{label} s"] = round(min(took), 5)
            row[label] = derived.cost.operations
            row[f"{label} t"] = derived.cost.time
        arena = Arena(NONE)
        _, sinks = expressions(arena, program)
        written = to_sympy(sinks)
        signal.alarm(options.limit)
        try:
            start = time.process_time()
            replacements, results = theirs(written, program)
            row["sympy s"] = round(time.process_time() - start, 3)
            signal.alarm(0)
        except TimeoutError as error:
            row["sympy"] = str(error)
        else:
            found = cost(from_sympy(Arena(NONE), replacements, results))
            row["sympy"], row["sympy t"] = found.operations, found.time
        print(json.dumps(row), flush=True)
        rows.append(row)
    if options.write:
        write(rows)


def write(rows):
    lines = [COLUMNS]
    for row in rows:
        own, other = 1e3 * row["all s"], 1e3 * row["sympy s"]
        counts = [f"{row[label]:,}" for label in ("plain", "strict", "all", "sympy")]
        planning = [f"{1e3 * row[f'{label} s']:.2g} ms" for label in ("plain", "strict", "all")]
        cells = [f"`{row['problem']}`", *counts, *planning, f"{other:,.0f} ms", f"{other / own:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    documents.write(documents.DOCS / "coarsening.md", {"sympy": "\n".join(lines)})


def stop(*_):
    raise TimeoutError("SymPy took too long")


if __name__ == "__main__":
    main()
