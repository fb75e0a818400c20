"""The ``elimax`` command: a group of subcommands, and how failures are told."""

from __future__ import annotations

from typing import Any

import click

from elimax.cli.bench import bench
from elimax.cli.calibrate import calibrate
from elimax.cli.demo import demo
from elimax.cli.plan import plan
from elimax.cli.search import search
from elimax.cli.show import show
from elimax.cli.train import train
from elimax.errors import ElimaxError


class Failure(click.ClickException):
    """A named error of elimax, told in one message; the exit code is 2."""

    exit_code = 2


class Commands(click.Group):
    """A group that tells named errors of elimax without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except ElimaxError as error:
            raise Failure(f"{type(error).__name__}: {error}") from error


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"elimax {version('elimax')}, JAX {version('jax')}")
        ctx.exit()


@click.group("elimax", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the versions."
)
def app() -> None:
    """Exact Jacobians of JAX functions with the least work, by vertex elimination."""


for _command in (demo, plan, search, show, bench, train, calibrate):
    app.add_command(_command)
