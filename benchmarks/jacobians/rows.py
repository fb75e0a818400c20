"""What one case of the benchmark found, and the file that holds such rows."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.cli.timing import compare

OURS, MODES = "elimax", ("jacfwd", "jacrev")
BOUND = "bound"
"""A variant that does only what any way to the result has to do: about what can be reached."""
FAULT = {"float32": 1e-3, "float64": 1e-8}
"""Differences from jacfwd, relative to the largest entry, beyond which a row is said to be wrong."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
      part: of the benchmark.
      problem: what is differentiated.
      dtype: of its arguments.
      batch: number of points.
      seconds: median time of a call by variant; those that JAX refuses are missing.
      gain: median over rounds of the time of a variant over that of elimax, by variant: above 1, elimax is faster.
      error: largest difference of elimax from jacfwd, relative to the largest entry; None where not compared.
      note: what else is to say.
    """

    part: str
    problem: str
    dtype: str
    batch: int
    seconds: dict[str, float]
    gain: dict[str, float]
    error: float | None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells the row from others."""
        return self.part, self.problem, self.dtype, self.batch

    @property
    def better(self) -> float:
        """Gain over the better of JAX's modes as users write them."""
        return min((self.gain[mode] for mode in MODES if mode in self.gain), default=float("nan"))

    @property
    def right(self) -> bool:
        """Whether elimax agrees with jacfwd."""
        return self.error is None or self.error <= FAULT.get(self.dtype, 1e-3)

    def line(self) -> str:
        """The row as a line of text."""
        gains = "  ".join(f"{name} {gain:.2f}" for name, gain in self.gain.items())
        wrong = "" if self.right else f"  WRONG by {self.error:.0e}"
        head = f"{self.part:8} {self.problem:24} {self.dtype} {self.batch:>6}"
        return f"{head}  {1e6 * self.seconds.get(OURS, float('nan')):11.2f} us  {gains}  {self.note}{wrong}"


def timed(
    case: tuple[str, str, str, int],
    variants: Mapping[str, Callable[[], Any]],
    share: float,
    note: str = "",
    error: float | None = None,
) -> Row:
    """Time variants in turns; one of them is called elimax.

    Args:
      case: part, problem, dtype and batch.
      variants: functions without arguments; those that raise ValueError at the first call are left out, as reverse
        mode is for loops of unknown length.
      share: seconds for the case, compilation excluded.
      note: for the row.
      error: of elimax; None to compare its result with that of ``jacfwd`` here.
    """
    working, results = {}, {}
    for name, variant in variants.items():
        try:
            results[name] = jax.block_until_ready(variant())
        except ValueError:
            continue
        working[name] = variant
    if error is None:
        error = difference(results[OURS], results["jacfwd"])
    del results
    times = compare(working, seconds=share)
    medians = {name: times.median(name) for name in working}
    gains = {name: times.ratio(name, OURS) for name in working if name != OURS}
    return Row(*case, medians, gains, error, note)


def writing_zeros(results: Any, args: Any) -> Callable[[], Any]:
    """A call with the same arguments and results that computes nothing, compiled.

    Args:
      results: arrays, or their shapes and dtypes.
      args: the arguments.
    """
    compiled = jax.jit(lambda *_: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), results), keep_unused=True)
    jax.block_until_ready(compiled(*args))
    return lambda: compiled(*args)


def difference(actual: Any, expected: Any) -> float:
    """Largest difference of two trees, relative to the largest entry; where both are NaN there is none."""
    worst, scale = 0.0, 0.0
    for a, e in zip(*map(jax.tree.leaves, (actual, expected)), strict=True):
        a, e = np.asarray(a), np.asarray(e)
        gap = np.where((a == e) | (np.isnan(a) & np.isnan(e)), 0, np.abs(a - e))
        worst = max(worst, float(np.max(np.where(np.isnan(gap), np.inf, gap), initial=0.0)))
        scale = max(scale, float(np.max(np.abs(np.where(np.isfinite(e), e, 0)), initial=0.0)))
    return worst / (scale or 1.0)


def mean(values: Iterable[float]) -> float:
    """Geometric mean; NaN of nothing."""
    values = list(values)
    return statistics.geometric_mean(values) if values else float("nan")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "architecture": platform.machine(),
        "cores": cores,
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "python": platform.python_version(),
    }


def load(path: Path) -> list[Row]:
    """Rows of a file; none if there is no such file."""
    if not path.exists():
        return []
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def save(path: Path, rows: list[Row]) -> None:
    """Write rows and the machine; the file is replaced as a whole."""
    content = {"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
