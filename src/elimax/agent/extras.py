"""Packages that only training needs."""

from __future__ import annotations

import importlib
from typing import Any

from elimax.errors import MissingExtraError


def need(name: str) -> Any:
    """Import a package of the extra ``elimax[agent]``.

    Args:
      name: of the package.

    Returns:
      The module.

    Raises:
      MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingExtraError(
            f'training an agent needs {name}, which is not installed; install it with: pip install "elimax[agent]"'
        ) from error
