"""Programs on scalars whose calls of the C library are replaced by arithmetic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from elimax.emit.elementary import function
from elimax.emit.scalars import ScalarProgram

PRICED = "log1p"
"""What a replaced function costs as much as, in the eyes of the time model: an operation that is a series."""


def vectorise(program: ScalarProgram) -> tuple[ScalarProgram, dict[int, float]]:
    """The program with vectorisable elementary functions.

    Args:
      program: the program.

    Returns:
      The new program with the same numbers, and for scalars by number the largest size up to which it holds.
    """
    steps, limits = [], {}
    for step in program.steps:
        dtypes = {program.dtypes[i] for i in (*step.operands, step.result)}
        found = function(step.name, program.dtypes[step.result])
        if found is None or len(dtypes) > 1 or all(i in program.constants for i in step.operands):
            steps.append(step)
            continue
        steps.append(dataclasses.replace(step, name=PRICED, call=_listed(found.call)))
        if found.limit is not None:
            limits[step.operands[0]] = found.limit[program.dtypes[step.result]]
    return dataclasses.replace(program, steps=tuple(steps)), limits


def _listed(call: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda *xs: [call(*map(jnp.asarray, xs))]
