"""Searches by name. A search is imported when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from elimax.errors import OrderError
from elimax.order.result import Order

Search = Callable[..., Order]
"""``search(problem, limits, seed, **options) -> Order``"""

_SEARCHES: dict[str, str | Search] = {
    "auto": "elimax.order.auto:auto",
    "forward": "elimax.order.forward:forward",
    "reverse": "elimax.order.reverse:reverse",
    "markowitz": "elimax.order.markowitz:markowitz",
    "edges": "elimax.order.edges:edges",
    "annealing": "elimax.order.annealing:annealing",
    "beam": "elimax.order.beam:beam",
    "exact": "elimax.order.exact:exact",
    "agent": "elimax.agent.order:agent",
}

OF_FUNCTIONS = ("coarse",)
"""Orders that are found on a program, not on a graph: `elimax.jacobian` and `elimax.plan` take them as well."""


def names() -> tuple[str, ...]:
    """Names of all searches, as `elimax.order.search` takes them."""
    return tuple(_SEARCHES)


def register(name: str, search: str | Search) -> None:
    """Add a search under a name of its own.

    Args:
      name: the name; replaces a search of that name.
      search: ``search(problem, limits, seed, **options) -> Order``, or where to import it from as
        ``"package.module:function"``.
    """
    _SEARCHES[name] = search


def find(name: str) -> Search:
    """The search with a name.

    Args:
      name: one of `names`.

    Returns:
      The search.

    Raises:
      OrderError: if there is none of that name.
    """
    entry = _SEARCHES.get(name)
    if name in OF_FUNCTIONS:
        raise OrderError(
            f"order {name!r} rewrites the operations of a function, and a graph has none; expected one of "
            f"{', '.join(map(repr, names()))}, or a sequence of vertices"
        )
    if entry is None:
        raise OrderError(
            f"unknown order {name!r}; expected one of {', '.join(map(repr, names()))}, or a sequence of vertices; "
            f"for functions also {', '.join(map(repr, OF_FUNCTIONS))}"
        )
    if isinstance(entry, str):
        module, _, function = entry.partition(":")
        entry = getattr(importlib.import_module(module), function)
    return entry
