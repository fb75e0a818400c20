"""``elimax show``: print or draw a saved plan."""

from __future__ import annotations

from pathlib import Path

import click

SUFFIXES = (".svg", ".html", ".dot")


@click.command()
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; .svg, .html and .dot say what. Without it the plan is printed.",
)
def show(plan: Path, output: Path | None) -> None:
    """Print the saved PLAN, or draw its graph and order."""
    from elimax.plan import Plan

    if output is not None and output.suffix not in SUFFIXES:
        raise click.BadParameter(f"a file that ends in {', '.join(SUFFIXES)} was expected, got {output.name}",
                                 param_hint="'--output'")  # fmt: skip
    loaded = Plan.load(plan)
    if output is None:
        click.echo(str(loaded))
        click.echo(loaded.explain())
        return
    output.write_text(draw(loaded, output.suffix, plan.stem), encoding="utf-8")
    click.echo(f"wrote {output}")


def draw(plan, suffix: str, name: str) -> str:
    """The text of a picture of a plan.

    Args:
      plan: a Plan with its graph.
      suffix: one of ``SUFFIXES``.
      name: the title where the graph has no name.

    Returns:
      SVG, HTML or DOT.
    """
    if suffix == ".dot":
        from elimax.viz.dot import to_dot

        return to_dot(plan.graph, plan.order)
    if suffix == ".svg":
        from elimax.viz.svg import to_svg

        return to_svg(plan.graph, plan.order, title=plan.graph.name or name)
    from elimax.viz.html import to_html
    from elimax.viz.tables import table

    facts = {
        "method": plan.method,
        "multiplications": plan.multiplications,
        "lower bound": plan.lower_bound,
        "optimal": plan.optimal,
        "vertices": plan.graph.num_vertices,
        "edges": len(plan.graph.edges),
    }
    counts = {**dict(plan.baselines), plan.method: plan.multiplications}
    baselines = table(("<order", "multiplications"), counts.items(), title="Orders compared")
    return to_html(plan.graph, plan.order, plan.graph.name or name, facts, [baselines], plan.explain())
