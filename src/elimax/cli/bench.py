"""``elimax bench``: tables over many problems."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from elimax.cli.report import emit, show_table
from elimax.viz.tables import Table, seconds, table

SUITES = ("orders", "speed")
_RULES = ("published", "multiplications")
_BASELINES = ("forward", "reverse", "markowitz")


@click.command()
@click.argument("suite", type=click.Choice(SUITES))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--problem", "problems", multiple=True, metavar="NAME", help="Zoo problem; may be repeated.")
@click.option(
    "--graphs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="orders: a folder of graph files to take in place of the zoo.",
)
@click.option("--budget", type=float, default=None, metavar="SECONDS", help="orders: time for each search.")
@click.option("--batch", type=click.IntRange(min=1), default=1024, show_default=True, help="speed: batch size.")
@click.option("--seconds", "share", type=float, default=1.0, show_default=True, help="speed: time for each problem.")
def bench(
    suite: str,
    as_json: bool,
    problems: tuple[str, ...],
    graphs: Path | None,
    budget: float | None,
    batch: int,
    share: float,
) -> None:
    """Run SUITE: orders counts multiplications, speed compares times with jacfwd and jacrev."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if suite == "orders":
        rows = list(_orders(problems, graphs, budget))
        content = _orders_table(rows)
    else:
        rows = list(_speed(problems, batch, share))
        content = _speed_table(rows)
    if as_json:
        emit({"name": suite, "rows": rows})
    else:
        show_table(content)


def _orders(problems: tuple[str, ...], folder: Path | None, budget: float | None) -> Iterator[dict[str, Any]]:
    """Counts of every search under both rules, one row for each graph and rule."""
    from elimax.order import search

    for name, graph in _graphs(problems, folder):
        for rule in _RULES:
            counts = {order: search(graph, order, cost=rule).multiplications for order in _BASELINES}
            start = time.perf_counter()
            best = search(graph, "auto", cost=rule, budget=budget)
            yield {
                "name": name,
                "cost": rule,
                "vertices": len(graph.eliminable),
                **counts,
                "best": best.multiplications,
                "method": best.method,
                "lower_bound": best.lower_bound,
                "optimal": best.optimal,
                "seconds": round(time.perf_counter() - start, 4),
            }


def _graphs(problems: tuple[str, ...], folder: Path | None) -> Iterator[tuple[str, Any]]:
    if folder is not None:
        from elimax.graph import json

        for path in sorted(folder.glob("*.json")):
            yield path.stem, json.load(path)
        return
    import elimax

    for name in _names(problems):
        problem = _problem(name)
        yield name, elimax.plan(problem.fun, *problem.args, argnums=problem.argnums, order="forward").graph


def _speed(problems: tuple[str, ...], batch: int, share: float) -> Iterator[dict[str, Any]]:
    """Times of elimax, jacfwd and jacrev, one row for each problem; a mode that refuses a problem is left out."""
    from elimax.cli.jacobians import batched
    from elimax.cli.timing import compare

    for name in _names(problems):
        variants, refused = {}, []
        for mode, variant in batched(_problem(name), batch).items():
            try:
                variant()
            except (TypeError, ValueError, NotImplementedError) as error:
                if mode == "elimax":
                    raise
                refused.append(f"{mode}: {type(error).__name__}")
            else:
                variants[mode] = variant
        times = compare(variants, seconds=share)
        medians = {mode: times.median(mode) for mode in variants}
        rival = min((mode for mode in variants if mode != "elimax"), key=medians.__getitem__)
        yield {
            "name": name,
            "batch": batch,
            "seconds": medians,
            "refused": refused,
            "rival": rival,
            "ratio": times.ratio("elimax", rival),
            "rounds": times.rounds,
        }


def _names(problems: tuple[str, ...]) -> tuple[str, ...]:
    from elimax import zoo

    return problems or zoo.names()


def _problem(name: str) -> Any:
    from elimax.cli.target import resolve

    return resolve(f"zoo:{name}")


def _orders_table(rows: list[dict[str, Any]]) -> Table:
    columns = ("<name", "<cost", "vertices", *_BASELINES, "best", "<method", "bound", "optimal", "time")
    keys = ("name", "cost", "vertices", *_BASELINES, "best", "method", "lower_bound", "optimal")
    cells = [(*(row[key] for key in keys), seconds(row["seconds"])) for row in rows]
    return table(columns, cells, title="Multiplications by order of elimination")


def _speed_table(rows: list[dict[str, Any]]) -> Table:
    modes = ("elimax", "jacfwd", "jacrev")
    cells = []
    for row in rows:
        times = (seconds(row["seconds"].get(mode)) for mode in modes)
        cells.append((row["name"], row["batch"], *times, row["rival"], f"{row['ratio']:.2f}"))
    columns = ("<name", "batch", *modes, "<better of JAX", "elimax / it")
    return table(columns, cells, title="Median time of one call (jit, vmap, float64)", note="-: JAX refuses that mode")
