"""``elimax show``: print or draw a saved plan."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; .svg, .html or .dot says what. Without it the plan is printed.",
)
def show(plan: Path, output: Path | None) -> None:
    """Print the saved PLAN, or draw its graph and order."""
    from elimax.plan import Plan

    loaded = Plan.load(plan)
    if output is None:
        click.echo(loaded.explain())
        return
    loaded.draw(output)
    click.echo(f"wrote {output}")
