"""``elimax demo``: plans, agreement with JAX and times of three problems, within a minute."""

from __future__ import annotations

import platform
import time
from typing import Any

import click

from elimax.cli.report import emit, facts, show_table
from elimax.viz.tables import Table, seconds, table

PROBLEMS = ("roe_flux_1d", "robot_arm_6dof", "brusselator_1d,points=8")
"""The third on a grid of 8 points: its dense Jacobians [16, 16] at 65,536 points fill 134 MB, in float64."""
BATCHES = (1, 65_536)
_TOTAL_SECONDS = 35.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--problem", "problems", multiple=True, metavar="NAME", help="As in zoo:NAME; may be repeated.")
@click.option("--batch", "batches", type=click.IntRange(min=1), multiple=True, metavar="N", help="Batch size.")
@click.option("--seconds", "limit", type=float, default=_TOTAL_SECONDS, show_default=True, help="Time for all of it.")
def demo(as_json: bool, problems: tuple[str, ...], batches: tuple[int, ...], limit: float) -> None:
    """Plan three problems, compare with JAX, and time elimax, jacfwd and jacrev side by side."""
    import jax

    jax.config.update("jax_enable_x64", True)
    end = time.perf_counter() + limit
    names, sizes = problems or PROBLEMS, batches or BATCHES
    reports = []
    for number, name in enumerate(names):
        found = _problem(name)
        report = _examine(found, name, as_json)
        for step, batch in enumerate(sizes):
            cases_left = (len(names) - number) * len(sizes) - step
            share = max((end - time.perf_counter()) / cases_left, 0.1)
            report["times"].append(_time(found, batch, share))
        reports.append(report)
        if not as_json:
            show_table(_times_table(report))
            click.echo()
    machine = _machine()
    if as_json:
        emit({"machine": machine, "problems": reports})
    else:
        click.echo(machine)
        click.echo("Ratios are medians over interleaved rounds; below 1 elimax is faster.")


def _problem(name: str) -> Any:
    from elimax.cli.target import resolve

    return resolve(f"zoo:{name}")


def _examine(found: Any, name: str, as_json: bool) -> dict[str, Any]:
    """Plan and verify one problem."""
    import elimax

    start = time.perf_counter()
    plan = elimax.plan(found.fun, *found.args, argnums=found.argnums)
    took = time.perf_counter() - start
    checked = elimax.verify(found.fun, *found.args, argnums=found.argnums)
    error = max((block.max_rel_error for block in checked.blocks), default=0.0)
    if not as_json:
        click.echo(click.style(name, bold=True))
        click.echo(str(plan))
        click.echo()
        click.echo(_agreement(checked, error))
        click.echo()
    return {**facts(plan, name, took), "agrees": checked.ok, "max_relative_error": error, "times": []}


def _agreement(checked: Any, error: float) -> str:
    """One line where all blocks agree, else the whole report."""
    if not checked.ok:
        return str(checked)
    blocks = "1 block agrees" if len(checked.blocks) == 1 else f"{len(checked.blocks)} blocks agree"
    return f"{blocks} with {checked.reference}; largest relative difference {error:.1e}"


def _time(found: Any, batch: int, share: float) -> dict[str, Any]:
    """Time one problem at one batch size; compilation counts towards the share."""
    from elimax.cli.jacobians import batched
    from elimax.cli.timing import compare

    start = time.perf_counter()
    variants = batched(found, batch)
    for variant in variants.values():
        variant()
    left = max(share - (time.perf_counter() - start), 0.1)
    times = compare(variants, seconds=left)
    medians = {name: times.median(name) for name in variants}
    ratios = {name: times.ratio("elimax", name) for name in variants if name != "elimax"}
    return {"batch": batch, "seconds": medians, "ratio": ratios, "rounds": times.rounds}


def _times_table(report: dict[str, Any]) -> Table:
    rows = [
        (
            f"{case['batch']:,}",
            *(seconds(case["seconds"][name]) for name in ("elimax", "jacfwd", "jacrev")),
            f"{case['ratio']['jacfwd']:.2f}",
            f"{case['ratio']['jacrev']:.2f}",
            case["rounds"],
        )
        for case in report["times"]
    ]
    columns = ("batch", "elimax", "jacfwd", "jacrev", "elimax/jacfwd", "elimax/jacrev", "rounds")
    return table(columns, rows, title=f"{report['name']}: median time of one call (jit, vmap, float64)")


def _machine() -> str:
    import os

    import jax

    device = f"{jax.default_backend()} ({jax.devices()[0].device_kind})"
    versions = f"JAX {jax.__version__}, Python {platform.python_version()}"
    return f"{platform.machine()}, {os.cpu_count()} CPUs, {device}, {versions}"
