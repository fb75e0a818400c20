"""How well the time model predicts: forms and orders of small programs, predicted and measured in turns.

    python -m benchmarks.forms --batch 1 --batch 1000 --json forms.json
    python -m benchmarks.forms --write

`--write` puts the summary into docs/emission.md; `--rows FILE` takes the cases of a former `--json` instead of
measuring any, and predicts them with the weights of today.

Prints for each case the predicted and the measured time of each form, which one is chosen, and what the choice costs
over the fastest one; at the end the rank correlation of predicted and measured times, and the mean regret, for forms
and for orders.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks import documents
from scipy.stats import spearmanr

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.cli.timing import compare
from elimax.emit.counting import count, recomputes
from elimax.emit.machines import current
from elimax.emit.model import Counts
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram
from elimax.emit.times import by_form, preferred

SMALL = (
    "roe_flux_1d roe_flux_3d robot_arm_6dof human_heart_dipole propane_combustion black_scholes_jacobian lighthouse "
    "hole hires robertson rk4_pendulum steady_state_combustion"
).split()
ORDERS = ("auto", "forward", "reverse", "markowitz")
STEPS = 1000
"""Turns of the loop around a program in looped cases."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One case: predicted and measured seconds by form."""

    problem: str
    dtype: str
    order: str
    batch: int
    looped: bool
    counts: dict[str, Counts]
    predicted: dict[str, float]
    measured: dict[str, float]

    @property
    def chosen(self) -> str:
        """The form that the model takes."""
        return preferred(self.predicted, self.looped or recomputes(self.counts))

    @property
    def regret(self) -> float:
        """Time of the chosen form over that of the fastest one."""
        return self.measured[self.chosen] / min(self.measured.values())


def looped(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The function in the body of a scan whose carry depends on all its results, as in an implicit step."""

    def run(*args: Any) -> Any:
        leaves = jax.tree.leaves(args)
        entries = sum(math.prod(x.shape[1:]) for x in jax.tree.leaves(jax.eval_shape(fun, *args)))
        inputs = [math.prod(x.shape[1:]) for x in leaves]
        weights = np.sin(np.arange(entries * sum(inputs))).reshape(entries, sum(inputs)).astype(leaves[0].dtype)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            own, tree = jax.tree.flatten(carry)
            matrix = jnp.concatenate([x.reshape(x.shape[0], -1) for x in jax.tree.leaves(fun(*carry))], 1)
            change = jnp.split(1e-9 * jnp.tanh(matrix @ weights), np.cumsum(inputs)[:-1], 1)
            moved = [x + d.reshape(x.shape).astype(x.dtype) for x, d in zip(own, change, strict=True)]
            return jax.tree.unflatten(tree, moved), None

        return jax.lax.scan(step, args, None, length=STEPS)[0]

    return run


@functools.cache
def scalar_program(name: str, dtype: str, order: str) -> ScalarProgram | None:
    """The Jacobian of a problem as a program on scalars; None if it is not taken apart."""
    problem = zoo.get(name, dtype=dtype)
    plain = elimax.jacobian(problem.fun, problem.argnums, order=order, form="plain")
    leaves, tree = jax.tree.flatten(problem.args)
    program = scalarise(trace(lambda *xs: jax.tree.leaves(plain(*jax.tree.unflatten(tree, xs))), leaves))
    return program if program is not None and program.steps else None


def predict(program: ScalarProgram, batch: int, inside: bool) -> dict[str, float]:
    """Nanoseconds by form."""
    predicted = by_form(program, current(), batch, inside)
    return {form: 1e-9 * time for form, time in predicted.items()}


def measure(name: str, dtype: str, order: str, batch: int, inside: bool, share: float) -> Row | None:
    """One case; None if the program is not taken apart."""
    problem, program = zoo.get(name, dtype=dtype), scalar_program(name, dtype, order)
    if program is None:
        return None
    rng = np.random.default_rng(0)
    args = jax.tree.map(
        lambda x: jnp.asarray(np.asarray(x) * (1 + 0.01 * rng.standard_normal((batch, *np.shape(x)))), x.dtype),
        problem.args,
    )
    variants = {}
    counts = count(program)
    predicted = predict(program, batch, inside)
    for form in predicted:
        fun = jax.vmap(elimax.jacobian(problem.fun, problem.argnums, order=order, form=form))
        compiled = jax.jit(looped(fun) if inside else fun)
        variants[form] = lambda compiled=compiled: jax.block_until_ready(compiled(*args))
        variants[form]()
    times = compare(variants, seconds=share)
    scale = STEPS if inside else 1
    return Row(
        name,
        dtype,
        order,
        batch,
        inside,
        counts,
        predicted,
        {form: float(np.quantile(times.samples[form], 0.25)) / scale for form in predicted},
    )


def read(path: Path) -> list[Row]:
    """Cases of a former run, predicted anew."""
    rows = []
    for data in json.loads(path.read_text()):
        program = scalar_program(data["problem"], data["dtype"], data["order"])
        assert program is not None
        counts = count(program)
        predicted = predict(program, data["batch"], data["looped"])
        measured = {form: time for form, time in data["measured"].items() if form in predicted}
        if measured:
            own = {form: predicted[form] for form in measured}
            rows.append(Row(**{**data, "counts": counts, "predicted": own, "measured": measured}))
    return rows


def table(rows: list[Row]) -> str:
    """Rank correlation and regret by place and batch, in Markdown."""
    lines = [
        "| place | batch | cases | rank correlation | plain, loop, kernel, points chosen | mean regret | worst "
        "| always plain | always loop |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    places = [(looped, batch) for looped in (False, True) for batch in sorted({r.batch for r in rows})]
    groups = [
        ("in a scan" if looped else "alone", f"{batch:,}", [r for r in rows if (r.looped, r.batch) == (looped, batch)])
        for looped, batch in places
    ]
    for place, batch, group in [*groups, ("all", "", rows)]:
        if not group:
            continue
        predicted = [t for r in group for _, t in sorted(r.predicted.items())]
        measured = [t for r in group for _, t in sorted(r.measured.items())]
        always = [
            statistics.geometric_mean([r.measured[f] / min(r.measured.values()) for r in group])
            for f in ("plain", "loop")
        ]
        regrets = [r.regret for r in group]
        chosen = ", ".join(str(sum(r.chosen == form for r in group)) for form in ("plain", "loop", "kernel", "points"))
        lines.append(
            f"| {place} | {batch} | {len(measured)} | {spearmanr(predicted, measured)[0]:.3f} "
            f"| {chosen} | {statistics.geometric_mean(regrets):.3f} "
            f"| {max(regrets):.2f} | {always[0]:.2f} | {always[1]:.2f} |"
        )
    return "\n".join(lines)


def of_orders(rows: list[Row]) -> str:
    """How well the model tells orders of one problem apart at one place, each in the form chosen for it, in Markdown.

    Regret is the time of an order over that of the fastest one of its problem: of the default order, and of the one
    whose predicted time is the least.
    """
    places: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        places.setdefault((row.problem, row.dtype, row.batch, row.looped), []).append(row)
    pairs: list[tuple[float, float]] = []
    default, least = [], []
    for group in places.values():
        own = [r for r in group if r.order == "auto"]
        if not own or len(group) < 2:
            continue
        times = {r.order: (min(r.predicted.values()), r.measured[r.chosen]) for r in group}
        base = times["auto"]
        pairs += [(p / base[0], m / base[1]) for order, (p, m) in times.items() if order != "auto"]
        best = min(m for _, m in times.values())
        default.append(base[1] / best)
        least.append(min(times.values())[1] / best)
    if not pairs:
        return ""
    predicted, measured = zip(*pairs, strict=True)
    return (
        f"Orders of {len(default)} cases, {len(pairs)} pairs with the default order: rank correlation of the predicted "
        f"with the measured ratio {spearmanr(predicted, measured)[0]:.3f}; mean regret of the default order "
        f"{statistics.geometric_mean(default):.3f} (worst {max(default):.2f}), of the order with the least predicted "
        f"time {statistics.geometric_mean(least):.3f} (worst {max(least):.2f})."
    )


def main() -> None:
    """Prints a line a case and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=zoo.names())
    parser.add_argument("--batch", action="append", type=int, help="default: 1, 16, 100, 1000, 10000, 100000")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--order", action="append", help="default: " + ", ".join(ORDERS))
    parser.add_argument("--place", action="append", choices=["alone", "looped"])
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=Path, help="cases of a former run")
    parser.add_argument("--write", action="store_true", help="write the summary into docs/emission.md")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = [] if options.rows is None else read(options.rows)
    for name in () if options.rows else options.problem or SMALL:
        for dtype in options.dtype or ["float64", "float32"]:
            for order in options.order or ORDERS:
                for place in options.place or ["alone", "looped"]:
                    for batch in options.batch or [1, 16, 100, 1000, 10_000, 100_000]:
                        if place == "looped" and batch > 1000:
                            continue
                        row = measure(name, dtype, order, batch, place == "looped", options.seconds)
                        jax.clear_caches()
                        if row is None:
                            continue
                        rows.append(row)
                        cells = [
                            f"{f}: {1e6 * row.predicted[f]:9.1f} {1e6 * row.measured[f]:9.1f} us" for f in row.predicted
                        ]
                        print(
                            f"{name:24} {dtype} {order:8} {place:6} {batch:6}",
                            *cells,
                            f"regret {row.regret:.2f}",
                            flush=True,
                        )
                        if options.json:
                            options.json.write_text(json.dumps([dataclasses.asdict(r) for r in rows], indent=1) + "\n")
    words = f"{table(rows)}\n\n{of_orders(rows)}"
    print(words)
    if options.write:
        documents.write(documents.DOCS / "emission.md", {"forms": words})


if __name__ == "__main__":
    main()
