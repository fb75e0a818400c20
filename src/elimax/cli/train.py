"""``elimax train``: train an agent on graphs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

PLAIN_SECONDS = 10.0
"""Time between lines where there is no terminal."""


@click.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings as a TOML file.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder of checkpoints and curves.")
@click.option("--fresh", is_flag=True, help="Begin anew where the folder holds a training; else that goes on.")
@click.option(
    "--start", type=click.Path(dir_okay=False, path_type=Path), help="Weights to begin with, not random ones."
)
@click.option("--method", help='"ppo" or "gumbel".')
@click.option("--rule", help='Cost rule, "published" or "executed".')
@click.option("--iterations", type=int, help="Rounds of play and learning.")
@click.option("--until", type=int, help="Stop after so many rounds, before the settings' number; it can go on later.")
@click.option("--minutes", type=float, help="Time of training in all.")
@click.option("--games", type=int, help="Games at once.")
@click.option("--seed", type=int, help="Seed.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Write the weights in the end.")
@click.option("--all-devices", is_flag=True, help="Split the games over all devices that JAX has.")
@click.option(
    "--distributed",
    metavar="ADDRESS,COUNT,INDEX",
    help="Run as one of several processes: address of the first with a port, number of processes, number of this one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the best orders.")
def train(
    tasks: tuple[str, ...],
    config: Path | None,
    output: Path | None,
    fresh: bool,
    start: Path | None,
    until: int | None,
    export: Path | None,
    all_devices: bool,
    distributed: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train an agent on TASKs: problems of the zoo, graph files, or "random" for graphs drawn anew again and again.

    A training goes on where its folder says that it stopped. The folder receives the checkpoint, the curve as CSV, JSON
    and PNG, and the best orders.
    """
    if distributed is not None:
        _join(distributed)
    from elimax.agent import config as configs
    from elimax.agent.devices import Devices
    from elimax.agent.tasks import RANDOM, of_graphs
    from elimax.agent.training import CHECKPOINT, Trainer

    chosen = configs.load(config, **settings)
    if RANDOM in tasks and len(tasks) > 1:
        raise click.BadParameter('"random" stands alone', param_hint="TASK")
    given = None if tasks == (RANDOM,) else of_graphs([_graph(task) for task in tasks], chosen)
    folder = output or Path("elimax-train") / "-".join(Path(task).stem.replace(":", "_") for task in tasks)
    if fresh:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    devices = Devices.all() if all_devices or distributed is not None else Devices.single()
    trainer = Trainer(chosen, given, folder, devices, start)
    if trainer.iteration:
        click.echo(f"going on after round {trainer.iteration} of {folder}", err=True)
    _run(trainer, min(chosen.iterations, until or chosen.iterations))
    if devices.writes:
        _finish(trainer, folder, export, as_json)


def _join(words: str) -> None:
    import jax

    parts = words.split(",")
    if len(parts) != 3 or not parts[1].isdigit() or not parts[2].isdigit():
        raise click.BadParameter(f"ADDRESS:PORT,COUNT,INDEX was expected, got {words!r}", param_hint="--distributed")
    jax.distributed.initialize(parts[0], int(parts[1]), int(parts[2]))


def _graph(task: str) -> tuple[str, Any]:
    """A graph file, or a problem of the zoo with or without ``zoo:`` before its name."""
    from elimax.graph import json as files

    if Path(task).is_file():
        loaded = files.load(task)
        return loaded.name or Path(task).stem, loaded
    import elimax
    from elimax.cli.target import resolve

    found = resolve(task if ":" in task else f"zoo:{task}")
    made = elimax.plan(found.fun, *found.args, argnums=found.argnums, order="reverse")
    return found.name, made.graph


def _run(trainer: Any, rounds: int) -> None:
    """Train with a bar on a terminal and a line now and then elsewhere; an interrupt saves and ends."""
    terminal = sys.stderr.isatty()
    told = 0.0
    try:
        if not terminal:

            def plainly(row: dict[str, float]) -> None:
                nonlocal told
                if time.perf_counter() - told >= PLAIN_SECONDS:
                    told = time.perf_counter()
                    click.echo(_line(row), err=True)

            trainer.run(plainly, rounds)
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            line = bar.add_task("", total=rounds, completed=trainer.iteration)
            trainer.run(lambda row: bar.update(line, description=_line(row), completed=int(row["iteration"])), rounds)
    except KeyboardInterrupt:
        click.echo("interrupted; the checkpoint is written, the same command goes on", err=True)


def _line(row: dict[str, float]) -> str:
    return (
        f"round {int(row['iteration'])}: best {row['best']:,.0f}, mean {row['mean']:,.1f}, "
        f"value error {row['value_error']:.3f}, {row['games_per_second']:.0f} games/s"
    )


def _finish(trainer: Any, folder: Path, export: Path | None, as_json: bool) -> None:
    from elimax.agent.training import export_weights

    if export is not None:
        export_weights(trainer, export)
    found = trainer.orders()
    try:
        from elimax.viz.curves import draw_curve

        draw_curve(folder / "curve.json", folder / "curve.png")
    except ImportError as error:
        click.echo(f"no picture of the curve: {error}", err=True)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "rounds": trainer.iteration, "tasks": found}))
        return
    for task in found:
        click.echo(f"{task['name']}: {task['multiplications']:,} ({task['rule']} rule)")
    click.echo(f"{trainer.iteration} rounds, {trainer.seconds:.0f} s; {folder}")
