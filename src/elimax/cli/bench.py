"""``elimax bench``: run the benchmark scripts of a checkout."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("suite", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[--json] [OPTIONS OF THE SUITE]")
def bench(suite: str | None, arguments: tuple[str, ...]) -> None:
    """Run a benchmark SUITE of the checkout; without one, list what there is.

    With --json the figures are printed as JSON and the progress goes to stderr. Other options go to the suite:
    elimax bench SUITE --help shows them.
    """
    suites = available()
    if suite is None:
        click.echo("\n".join(f"{name:<16}  {_first_line(path)}" for name, path in suites.items()))
        return
    if suite not in suites:
        raise click.BadParameter(f"one of {', '.join(suites)} was expected, got {suite!r}", param_hint="SUITE")
    rest, as_json = _without_bare_json(arguments)
    path = suites[suite]
    above = os.pathsep.join(filter(None, (str(path.parents[1]), os.environ.get("PYTHONPATH"))))
    command, environment = [sys.executable, "-m", f"benchmarks.{suite}", *rest], {**os.environ, "PYTHONPATH": above}
    if not as_json:
        raise SystemExit(subprocess.run(command, env=environment).returncode)
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        done = subprocess.run([*command, "--json", str(figures)], env=environment, stdout=sys.__stderr__)
        if done.returncode:
            raise SystemExit(done.returncode)
        click.echo(figures.read_text(encoding="utf-8").strip())


def available() -> dict[str, Path]:
    """The suites by name: modules ``benchmarks/NAME.py`` with a ``main``, and folders with a ``__main__.py``.

    Returns:
      The path of each, in alphabetical order; it runs as ``python -m benchmarks.NAME``.

    Raises:
      click.UsageError: if there is no folder of benchmarks; an installed package does not hold them.
    """
    for root in (Path(__file__).parents[3], Path.cwd()):
        folder = root / "benchmarks"
        if folder.is_dir() and (root / "pyproject.toml").is_file():
            scripts = {path.stem: path for path in folder.glob("*.py") if _runs(path)}
            packages = {path.parent.name: path.parent for path in folder.glob("*/__main__.py")}
            return dict(sorted({**scripts, **packages}.items()))
    raise click.UsageError("the benchmarks are not part of the installed package: run this in a checkout of elimax")


def _without_bare_json(arguments: tuple[str, ...]) -> tuple[list[str], bool]:
    """The arguments without a ``--json`` that names no file, and whether there was one."""
    rest = list(arguments)
    for k, word in enumerate(rest):
        if word == "--json" and (k + 1 == len(rest) or rest[k + 1].startswith("-")):
            return rest[:k] + rest[k + 1 :], True
    return rest, False


def _runs(path: Path) -> bool:
    """Whether a module has a function ``main``; the others are shared by suites."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in body)


def _first_line(path: Path) -> str:
    source = path / "__main__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").partition("\n")[0]
