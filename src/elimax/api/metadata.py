"""Names and docstrings of the functions that the public functions return."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from elimax.errors import ArgumentError


def check_callable(fun: Any) -> None:
    """Raises ArgumentError (a TypeError) when ``fun`` cannot be called or is a generator function, as JAX does."""
    if not callable(fun):
        raise ArgumentError(f"Expected a function to differentiate, got {fun!r} of type {type(fun).__name__}.")
    if inspect.isgeneratorfunction(fun):
        raise ArgumentError(f"Expected a function that returns arrays, got the generator function {fun!r}.")


def check_choice(option: str, value: Any, valid: Sequence[str]) -> None:
    """Raises ValueError when the value of an option is none of the valid ones."""
    if value not in valid:
        raise ValueError(f"{option} must be one of {', '.join(map(repr, valid))}, got {value!r}.")


def function_name(fun: Any) -> str:
    """The name of ``fun`` for messages; that of the wrapped function for ``functools.partial``."""
    while isinstance(fun, functools.partial):
        fun = fun.func
    return getattr(fun, "__name__", type(fun).__name__)


def coarsened_of(fun: Any) -> Any:
    """What `elimax.coarsen` made of a function; None for any other, also for one that wraps a coarsened one."""
    wrapper, coarsened = getattr(fun, "_elimax_coarsened", (None, None))
    return coarsened if wrapper is fun else None


def wraps(fun: Callable[..., Any], doc: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``functools.wraps`` with a docstring of its own, for any callable.

    Args:
      fun: the function that is wrapped.
      doc: the docstring, where ``{fun}`` stands for its name.

    Returns:
      A decorator.
    """
    name = function_name(fun)

    def decorate(wrapper: Callable[..., Any]) -> Callable[..., Any]:
        wrapper = functools.wraps(fun)(wrapper)
        wrapper.__name__ = name
        wrapper.__qualname__ = getattr(fun, "__qualname__", name)
        wrapper.__doc__ = doc.replace("{fun}", name)
        return wrapper

    return decorate
