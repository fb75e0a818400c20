"""Amounts of memory, for people and from people."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

import numpy as np

from elimax.errors import MemoryLimitError

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_bytes(limit: Any) -> float:
    """A limit as a number of bytes.

    Args:
      limit: a number of bytes, or a text such as ``"2 GB"``, ``"512 MiB"`` or ``"1e9"``; units of B are powers of 1000,
        those of iB of 1024.

    Raises:
      MemoryLimitError: if it is neither, or not positive.
    """
    value = math.nan
    if isinstance(limit, str):
        found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*(?:([kmgtp]?)(i?)b)?\s*", limit, re.IGNORECASE)
        if found:
            number, unit, binary = found.groups()
            with contextlib.suppress(ValueError):  # such as "1.2.3"
                value = float(number) * (1024 if binary else 1000) ** _UNITS[(unit or "").lower()]
    elif isinstance(limit, int | float | np.number) and not isinstance(limit, bool):
        value = float(limit)
    if not value > 0:
        raise MemoryLimitError(
            f"max_memory should be a positive number of bytes or a text such as '2 GB' or '512 MiB', got {limit!r}"
        )
    return value


def format_bytes(size: float) -> str:
    """A number of bytes for people, in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.3g} {unit}"
        size /= 1000
    raise AssertionError("unreachable")
