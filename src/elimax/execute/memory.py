"""Predicted peak of memory of a program of array operations, and how much there is.

Arguments, constants and results are there throughout. Of what is computed on the way, XLA writes only a part to
memory: operations on elements and movements of elements are fused to their readers, unless they are expensive and
have several. What is written lives until its last reader, fused ones counted at the place of theirs. Nothing but shapes
enters.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from elimax._jax import Equation, Program, inline
from elimax._jax.program import nested
from elimax.emit.counting import CALLED, KEPT

_WRITTEN = re.compile(
    r"dot_general|conv_general|scatter|sort|top_k|^reduce_(?!precision)|^arg|^cum|while|scan|^cond|^custom_|cholesky|^lu|qr"
    r"|eig|svd|schur|solve|householder|fft|^rng|random_bits|threefry|dynamic_update_slice|callback|concatenate"
)
"""Operations whose results are written to memory."""

_RENAMES = frozenset("reshape squeeze expand_dims copy stop_gradient optimization_barrier".split())
_IN_PLACE = frozenset("scatter scatter-add scatter_add dynamic_update_slice".split())
_EXPENSIVE = KEPT | CALLED.keys()


def peak(closed: Any) -> int:
    """Bytes that a closed jaxpr needs at once, roughly: arguments, constants, results, and what lives on the way."""
    program = inline(closed, [False] * len(closed.in_avals))
    arguments = sum(_bytes(program, r.value) for r in program.inputs)
    known = (v for v in program.constants.values() if not isinstance(v, Tracer))
    constants = sum(int(getattr(v, "nbytes", 0)) for v in known if np.ndim(v))
    results = sum(_bytes(program, v) for v in dict.fromkeys(r.value for r in program.outputs))
    return arguments + constants + results + _temporaries(program)


def _bytes(program: Program, value: int) -> int:
    described = program.values[value]
    return math.prod(described.shape) * getattr(described.dtype, "itemsize", 8)


def _temporaries(program: Program) -> int:
    """Largest number of bytes of written intermediates that live at once."""
    equations = program.equations
    readers: dict[int, list[int]] = {}
    for k, equation in enumerate(equations):
        for ref in equation.inputs:
            readers.setdefault(ref.value, []).append(k)
    outside = {r.value for r in program.outputs} | {r.value for r in program.inputs} | set(program.constants)
    last: dict[int, int] = {}
    written: set[int] = set()
    for k in range(len(equations) - 1, -1, -1):
        equation = equations[k]
        for ref in equation.outputs:
            places = readers.get(ref.value, [])
            ends = [k]
            for place in places:
                reader = equations[place]
                ends.append(max([place, *(last[r.value] for r in reader.outputs if r.value not in written)]))
            last[ref.value] = max(ends) if ref.value not in outside else len(equations)
            if ref.value in outside or _becomes(ref.value, equations, readers, outside):
                written.add(ref.value)
                outside.add(ref.value)
            elif _is_written(equation, len(places)):
                written.add(ref.value)
    changes = np.zeros(len(equations) + 2)
    for k, equation in enumerate(equations):
        reused = 0
        if equation.name in _IN_PLACE:
            source = equation.inputs[0].value
            reused = _bytes(program, source) if source in written - outside and last[source] == k else 0
        inner = max((_temporaries(inline(c, [False] * len(c.in_avals))) for c in nested(equation)), default=0)
        changes[k] += inner
        changes[k + 1] -= inner
        for ref in equation.outputs:
            if ref.value in written and ref.value not in outside:
                changes[k] += _bytes(program, ref.value) - reused
                changes[last[ref.value] + 1] -= _bytes(program, ref.value)
                changes[k + 1] += reused
                reused = 0
    return int(np.cumsum(changes).max(initial=0))


def _is_written(equation: Equation, num_readers: int) -> bool:
    return bool(_WRITTEN.search(equation.name)) or (num_readers > 1 and equation.name in _EXPENSIVE)


def _becomes(value: int, equations: list[Equation], readers: dict[int, list[int]], outside: set[int]) -> bool:
    """Whether a value is a result under another name or shape, or one that is filled in place."""
    for k in readers.get(value, []):
        equation = equations[k]
        if equation.name in _RENAMES and equation.outputs[0].value in outside:
            return True
        if equation.name in _IN_PLACE and equation.inputs[0].value == value and equation.outputs[0].value in outside:
            return True
    return False


def memory_of_machine() -> float:
    """Bytes of memory of the devices that results may be spread over; infinite if that cannot be known."""
    devices = jax.local_devices()
    limits = [(device.memory_stats() or {}).get("bytes_limit") for device in devices]
    known = [limit for limit in limits if limit]
    if known:
        return float(sum(known))
    return _memory_of_host()


def _memory_of_host() -> float:
    limit = math.inf
    with contextlib.suppress(AttributeError, OSError, ValueError):  # not on every system
        limit = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit ("max")
        limit = min(limit, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return limit if limit > 0 else math.inf
