"""Whether it may pay to differentiate segments symbolically: an estimate that takes a millisecond or two.

The operations of a program and their partials are read as expressions, with the rules that compilers follow too, and
with all that keep values up to rounding. What the second way saves are operations that cost time: functions that cancel
each other, powers that are products. Fewer multiplications and negations, which elimination itself brings about, save
operations but hardly any time, since compilers fuse them with others, so they do not count here. Finding segments,
planning with them and emitting that takes several times as long as planning does without, which is why it is not tried
in vain.
"""

from __future__ import annotations

import functools

from elimax._jax import Program
from elimax.coarsen.arena import BASIC, STRICT
from elimax.coarsen.operations import OPERATIONS, RENAMED, SERIES
from elimax.coarsen.read import NotExpressible
from elimax.coarsen.regions import regions
from elimax.coarsen.rules import ALL
from elimax.coarsen.segments import Uses, local_work
from elimax.errors import ExpressionError

MOST_EQUATIONS = 400
"""Programs with more are not looked at."""

LEAST = 0.2
"""Share of the operations' time that has to be saved: 0.14 was measured to save three percent of a call."""


def hopeful(program: Program) -> bool:
    """Whether any rule might remove an operation that costs time; looks at names alone."""
    names = frozenset(RENAMED.get(equation.name, equation.name) for equation in program.equations)
    return len(program.equations) <= MOST_EQUATIONS and _hopeful(names)


@functools.lru_cache(maxsize=256)
def _hopeful(names: frozenset[str]) -> bool:
    there = names | {"constant", "neg", "integer_pow"}  # derivatives have these
    for rule in ALL:
        slow = any(op in names and OPERATIONS[op].weight >= SERIES for op in (*rule.ops, *(rule.needs & names)))
        if STRICT.allow(rule.group) and slow and not names.isdisjoint(rule.ops) and (rule.needs & there):
            return True
    return False


def promise(program: Program) -> float:
    """Share of the time of a program's operations that symbolic simplification saves, roughly.

    Args:
      program: a flat program.

    Returns:
      A number below one; zero where there is nothing to simplify, or the program is too large to look at.
    """
    if not hopeful(program):
        return 0.0
    uses = Uses(program)
    before = after = 0.0
    for region in regions(program):
        try:
            plain, simple = (local_work(uses, region, rules).time for rules in (BASIC, STRICT))
        except (NotExpressible, ExpressionError):
            continue
        before += plain
        after += min(plain, simple)
    return 1.0 - after / before if before else 0.0
