"""Options that several subcommands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

COSTS = ("time", "multiplications", "published")
"""What can be minimised, the default first."""


EXECUTORS = ("thread", "processes", "ray")
"""Where a search runs, the default first."""


def search_options(costs: Sequence[str] = COSTS) -> Callable[..., Any]:
    """A decorator that adds ``--order --cost --budget --max-evaluations --executor --seed --json --save`` to a command.

    Args:
      costs: valid values of ``--cost``, the default first.
    """
    options = [
        click.option(
            "--order",
            default="auto",
            show_default=True,
            help="Name of a search, coarse (of functions), vertices such as 7,5,6, or the file of a saved plan.",
        ),
        click.option(
            "--cost", type=click.Choice(list(costs)), default=costs[0], show_default=True, help="What to minimise."
        ),
        click.option("--budget", type=float, default=None, metavar="SECONDS", help="Time for the search."),
        click.option(
            "--max-evaluations",
            type=click.IntRange(min=0),
            default=None,
            metavar="N",
            help="Work for the search; without a budget its result depends on the seed alone.",
        ),
        click.option(
            "--executor",
            type=click.Choice(EXECUTORS),
            default=EXECUTORS[0],
            show_default=True,
            help='Where order "auto" searches: threads here, processes of this machine, or a Ray cluster.',
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to a file."),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def parse_order(words: str) -> Any:
    """The value of ``--order``: a name, a tuple of vertices, or a loaded Plan.

    Args:
      words: ``"markowitz"``, ``"7,5,6"`` or ``"saved.json"``.

    Returns:
      What ``order=`` of `elimax.plan` takes.

    Raises:
      PlanFormatError: if the file is not a plan.
    """
    if re.fullmatch(r"\s*-?\d+(\s*,\s*-?\d+)*\s*,?\s*", words):
        return tuple(int(word) for word in words.split(",") if word.strip())
    if Path(words).is_file():
        from elimax.plan import Plan

        return Plan.load(words)
    return words


def parse_executor(name: str) -> str | None:
    """The value of ``--executor`` as ``executor=`` of `elimax.plan` takes it: None for threads of this process."""
    return None if name == EXECUTORS[0] else name
