"""``elimax plan``: plan the Jacobian of a function."""

from __future__ import annotations

import time
from pathlib import Path

import click

from elimax.cli.options import parse_executor, parse_order, search_options
from elimax.cli.progress import progress_for, watched
from elimax.cli.report import finish
from elimax.cli.target import resolve


@click.command()
@click.argument("target")
@search_options()
@click.option("--args", "args", metavar="VALUES", help='Example arguments, such as "1.0, [2.0, 3.0]".')
@click.option("--shapes", metavar="SHAPES", help='The same by dtype and shape, such as "f64[3], f32[]".')
@click.option("--argnums", type=int, multiple=True, metavar="N", help="Argument to differentiate; may be repeated.")
@click.option("--max-memory", metavar="SIZE", help='Limit of the predicted peak of memory, such as "2 GB".')
@click.option("--x64/--x32", default=None, help="Switch 64-bit types on or off.")
def plan(
    target: str,
    order: str,
    cost: str,
    budget: float | None,
    max_evaluations: int | None,
    executor: str,
    seed: int,
    as_json: bool,
    save: Path | None,
    args: str | None,
    shapes: str | None,
    argnums: tuple[int, ...],
    max_memory: str | None,
    x64: bool | None,
) -> None:
    """Plan the Jacobian of TARGET: zoo:NAME, package.module:function or file.py:function."""
    import jax

    import elimax

    if x64 is not None:
        jax.config.update("jax_enable_x64", x64)
    found = resolve(target, args, shapes, argnums)
    wanted = parse_order(order)
    progress = progress_for(wanted)
    start = time.perf_counter()
    with watched(progress):
        made = elimax.plan(
            found.fun,
            *found.args,
            argnums=found.argnums,
            order=wanted,
            cost=cost,
            budget=budget,
            max_evaluations=max_evaluations,
            executor=parse_executor(executor),
            seed=seed,
            progress=progress,
            max_memory=max_memory,
        )
    finish(made, found.name, time.perf_counter() - start, as_json, save)
