"""How well the time model predicts: forms and orders of small programs, predicted and measured in turns.

    python benchmarks/forms.py --batch 1 --batch 1000 --json forms.json

Prints for each case the predicted and the measured time of each form, which one is chosen, and what the choice costs
over the faster one; at the end the rank correlation of predicted and measured times, and the mean regret.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax.cli.timing import compare
from elimax.emit.model import predict
from elimax.emit.scalarise import scalarise

SMALL = (
    "roe_flux_1d roe_flux_3d robot_arm_6dof human_heart_dipole propane_combustion black_scholes_jacobian lighthouse "
    "hole hires robertson rk4_pendulum steady_state_combustion"
).split()
FORMS = ("plain", "loop")
STEPS = 100
"""Turns of the loop around a program in looped cases."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One case: predicted and measured seconds by form."""

    problem: str
    dtype: str
    order: str
    batch: int
    looped: bool
    predicted: dict[str, float]
    measured: dict[str, float]

    @property
    def chosen(self) -> str:
        """The form that the model takes."""
        return min(self.predicted, key=self.predicted.__getitem__)

    @property
    def regret(self) -> float:
        """Time of the chosen form over that of the faster one."""
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


def measure(name: str, dtype: str, order: str, batch: int, inside: bool, share: float) -> Row | None:
    """One case; None if the program is not taken apart."""
    problem = zoo.get(name, dtype=dtype)
    plain = elimax.jacobian(problem.fun, problem.argnums, order=order, form="plain")
    leaves, tree = jax.tree.flatten(problem.args)
    program = scalarise(trace(lambda *xs: jax.tree.leaves(plain(*jax.tree.unflatten(tree, xs))), leaves))
    if program is None or not program.steps:
        return None
    rng = np.random.default_rng(0)
    args = jax.tree.map(
        lambda x: jnp.asarray(np.asarray(x) * (1 + 0.01 * rng.standard_normal((batch, *np.shape(x)))), x.dtype),
        problem.args,
    )
    variants = {}
    for form in FORMS:
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
        {form: prediction.at(batch, inside) * 1e-9 for form, prediction in predict(program).items()},
        {form: times.median(form) / scale for form in FORMS},
    )


def main() -> None:
    """Prints a line a case and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=zoo.names())
    parser.add_argument("--batch", action="append", type=int, help="default: 1, 16, 100, 1000, 10000, 100000")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--order", action="append", help="default: auto and reverse")
    parser.add_argument("--place", action="append", choices=["alone", "looped"])
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    for name in options.problem or SMALL:
        for dtype in options.dtype or ["float64", "float32"]:
            for order in options.order or ["auto", "reverse"]:
                for place in options.place or ["alone", "looped"]:
                    for batch in options.batch or [1, 16, 100, 1000, 10_000, 100_000]:
                        if place == "looped" and batch > 1000:
                            continue
                        row = measure(name, dtype, order, batch, place == "looped", options.seconds)
                        jax.clear_caches()
                        if row is None:
                            continue
                        rows.append(row)
                        cells = [f"{f}: {1e6 * row.predicted[f]:9.1f} {1e6 * row.measured[f]:9.1f} us" for f in FORMS]
                        print(
                            f"{name:24} {dtype} {order:8} {place:6} {batch:6}",
                            *cells,
                            f"regret {row.regret:.2f}",
                            flush=True,
                        )
                        if options.json:
                            options.json.write_text(json.dumps([dataclasses.asdict(r) for r in rows], indent=1) + "\n")
    predicted = [row.predicted[f] for row in rows for f in FORMS]
    measured = [row.measured[f] for row in rows for f in FORMS]
    print(f"rank correlation {spearmanr(predicted, measured).statistic:.3f} over {len(predicted)} cases")
    print(
        f"regret: geometric mean {statistics.geometric_mean([r.regret for r in rows]):.3f}, worst {max(r.regret for r in rows):.2f}"
    )
    right = [math.copysign(1, r.predicted["plain"] - r.predicted["loop"]) for r in rows]
    print(f"the loop was chosen in {sum(x > 0 for x in right)} of {len(rows)} cases")


if __name__ == "__main__":
    main()
