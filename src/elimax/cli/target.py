"""What ``elimax plan`` plans: a zoo problem, or a function of the user with example arguments."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from elimax.cli.arguments import parse_args, parse_shapes


@dataclasses.dataclass(frozen=True)
class Target:
    """A function with example arguments.

    Attributes:
      name: for people.
      fun: the function.
      args: example arguments.
      argnums: the arguments to differentiate.
    """

    name: str
    fun: Callable[..., Any]
    args: tuple[Any, ...]
    argnums: int | tuple[int, ...]


def resolve(target: str, args: str | None = None, shapes: str | None = None, argnums: tuple[int, ...] = ()) -> Target:
    """Find the function that a target names and make its arguments.

    Args:
      target: ``zoo:NAME``, ``zoo:NAME,key=value,...``, ``package.module:function`` or ``path/to/file.py:function``.
      args: arguments as Python values, see `parse_args`.
      shapes: arguments as dtypes and shapes, see `parse_shapes`.
      argnums: the arguments to differentiate; when empty those of the zoo problem, or the first.

    Returns:
      The target.

    Raises:
      click.BadParameter: if there is no such function, or its arguments are missing or cannot be read.
      ProblemError: if there is no such problem in the zoo.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise _bad(f"zoo:NAME, package.module:function or file.py:function was expected, got {target!r}")
    if args is not None and shapes is not None:
        raise click.UsageError("--args and --shapes both say what the arguments are: give one of them")
    if place == "zoo":
        found = _zoo(name)
    else:
        found = Target(target, _function(place, name), (), 0)
        if args is None and shapes is None:
            example = '--args "1.0, [2.0, 3.0]" or --shapes "f32[], f32[2]"'
            raise _bad(f"example arguments were expected for {target}: give {example}")
    if args is not None:
        found = dataclasses.replace(found, args=parse_args(args))
    elif shapes is not None:
        found = dataclasses.replace(found, args=parse_shapes(shapes))
    if argnums:
        found = dataclasses.replace(found, argnums=argnums[0] if len(argnums) == 1 else argnums)
    return found


def _zoo(words: str) -> Target:
    from elimax import zoo

    name, *settings = words.split(",")
    options = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        try:
            options[key.strip()] = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError) as error:
            raise _bad(f"settings such as points=8 were expected after {name}, got {setting!r}") from error
    problem = zoo.get(name, **options)
    return Target(words, problem.fun, tuple(problem.args), problem.argnums)


def _function(place: str, name: str) -> Callable[..., Any]:
    """The attribute ``name`` (dots allowed) of a module or a file."""
    found: Any = _file(Path(place)) if place.endswith(".py") else _module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=1)
            raise _bad(f"{place} has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        found = getattr(found, part)
    if not callable(found):
        raise _bad(f"a function was expected, {place}:{name} is {type(found).__name__}")
    return found


def _module(place: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:  # as `python -m` does
        sys.path.insert(0, here)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise _bad(f"{error}; modules are looked for in this folder and on PYTHONPATH") from error


def _file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise _bad(f"there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _bad(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="TARGET")
