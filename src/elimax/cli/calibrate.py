"""``elimax calibrate``: fit the time model to the CPU at hand."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from elimax.emit.fit import Quality

PLAIN_SECONDS = 10.0
"""Time between plain lines of progress."""


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=75.0,
    show_default=True,
    help="Time to spend on measurements.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random programs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dry-run", is_flag=True, help="Store nothing.")
@click.option("--x64/--x32", default=True, show_default=True, help="Whether to time 64-bit types too.")
def calibrate(seconds: float, seed: int, as_json: bool, dry_run: bool, x64: bool) -> None:
    """Time small random programs on this CPU and fit the weights by which forms of programs are chosen.

    Other devices have one form, so there is nothing to choose. Weights that choose worse than the defaults on these
    programs, by more than chance, are not stored. Control-C stops and leaves the weights as they were.
    """
    import jax

    import elimax
    from elimax.emit.calibrate import measurements
    from elimax.emit.fit import fit
    from elimax.emit.machines import device_kind, load, store
    from elimax.emit.model import DEFAULT

    kind = device_kind()
    rows = []
    # A switch of the whole process is set back: the command may be called from within another program.
    with jax.enable_x64(x64), jax.default_device(jax.devices("cpu")[0]), _progress(seconds) as show:
        for row in measurements(elimax.jacobian, seconds, seed):
            rows.append(row)
            show(len(rows))
    fitted = fit(rows)
    former = load(kind) or DEFAULT
    about = {
        "programs": len(rows),
        "seed": seed,
        "jax": jax.__version__,
        "defaults": _words(fitted.before),
        "fitted": _words(fitted.after),
    }
    path = store(fitted.machine, kind, about) if fitted.holds and not dry_run else None
    if as_json:
        weights = dataclasses.asdict(fitted.machine)
        words = {"kind": kind, **about, "weights": weights, "file": None if path is None else str(path)}
        click.echo(json.dumps(words))
        return
    click.echo(f"{kind}: {len(rows)} programs")
    click.echo(f"{'':<10} {'rank correlation':>17} {'median error':>13} {'mean regret':>12} {'worst':>6}")
    for name, quality in (("defaults", fitted.before), ("fitted", fitted.after)):
        words = f"{quality.correlation:>17.3f} {quality.error:>12.2f}x {quality.regret:>12.3f} {quality.worst:>6.2f}"
        click.echo(f"{name:<10} {words}")
    click.echo(f"{'weight':<12} {'before':>10} {'now':>10}")
    for field in dataclasses.fields(fitted.machine):
        before, now = getattr(former, field.name), getattr(fitted.machine, field.name)
        click.echo(f"{field.name:<12} {before:>10.4g} {now:>10.4g}")
    if not fitted.holds:
        click.echo("the defaults choose better on these programs; try again on an idle machine, or with more --seconds")
    click.echo("nothing is stored" if path is None else f"stored in {path}")


def _words(quality: Quality) -> dict[str, float]:
    """The quality of weights in few numbers."""
    return {name: getattr(quality, name) for name in ("correlation", "error", "regret", "worst")}


@contextlib.contextmanager
def _progress(seconds: float) -> Iterator[Callable[[int], Any]]:
    """Shows how far it is on the error stream: a bar on a terminal, lines elsewhere."""
    start = last = time.perf_counter()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("timing programs", total=max(seconds, 1e-3))
            yield lambda _: progress.update(task, completed=min(time.perf_counter() - start, seconds))
        return

    def show(count: int) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= PLAIN_SECONDS:
            last = now
            click.echo(f"{count} programs, {now - start:.0f} of {seconds:.0f} s", err=True)

    yield show
