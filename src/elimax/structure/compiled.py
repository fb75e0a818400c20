"""Kernels on integers, compiled by numba; the code is kept on disk where there is a folder for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """A function of NumPy arrays and integers, compiled when it is first called."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to keep the code in
        return numba.njit(nogil=True)(function)
