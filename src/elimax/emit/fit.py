"""Weights of the time model from measured times.

Logarithms of times are fitted, since what counts is the ratio of one form to the other; a case that another program
disturbed counts little, because large errors grow slowly in the loss.

A machine differs from another in a few ways above all: how fast it computes, how fast it moves numbers, what a call
and a turn of a loop cost. So weights are fitted in groups first, each with one factor, and one by one only then, drawn
towards where their group left them: what few cases tell apart stays together, and no weight explains what the model
does not know. All weights stay positive.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from elimax.emit.model import DEFAULT, Machine

FIXED = frozenset(["threads", "fork", "page", "crowd_32", "crowd_64"])
"""Weights that are not fitted: few programs are large enough, or have results enough, to tell of them."""

GROUPS = (
    ("unit_32", "unit_64", "called_32", "called_64"),
    ("element_32", "element_64", "column_32", "column_64", "crowd_32", "crowd_64", "page"),
    ("call",),
    ("handoff", "spread", "kernel", "operation"),
    ("turn", "start", "bound", "folded"),
)
"""Weights that have a factor in common: arithmetic, memory, calls, what a long program costs at once, and at a turn."""

GENTLY, FIRMLY = 0.3, 4.0
"""How groups, and then weights, are drawn to where they start: a factor of e counts as this error of a logarithm."""

AROUND = (200.0, 0.2)
"""Where the fit starts for what is around programs in a loop, see `Row.predicted`."""


class Counted(Protocol):
    """What a form does."""

    def at(self, machine: Machine, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop."""
        ...


@dataclasses.dataclass(frozen=True)
class Row:
    """Times of the forms of one program at one place.

    Attributes:
      counts: by form, what it does.
      batch: the number of elements.
      looped: whether in a loop.
      measured: by form, nanoseconds.
      extra: multiplications and additions in the loop around it, which are timed with it.
    """

    counts: Mapping[str, Counted]
    batch: int
    looped: bool
    measured: Mapping[str, float]
    extra: int = 0

    def predicted(self, machine: Machine, around: tuple[float, float] = (0.0, 0.0)) -> dict[str, float]:
        """Nanoseconds by form.

        Args:
          machine: the weights.
          around: nanoseconds of a turn of the loop around it, and of one of its `extra` operations.
        """
        rest = around[0] + around[1] * self.extra if self.looped else 0.0
        return {form: rest + counts.at(machine, self.batch, self.looped) for form, counts in self.counts.items()}


@dataclasses.dataclass(frozen=True)
class Fit:
    """Fitted weights.

    Attributes:
      machine: the weights.
      around: see `Row.predicted`.
      before: how well the weights did where the fit started.
      after: how well these do.
    """

    machine: Machine
    around: tuple[float, float]
    before: Quality
    after: Quality

    @property
    def holds(self) -> bool:
        """Whether these choose no worse, as far as can be told: within the standard error of the mean."""
        if not self.after.regrets:
            return True
        changes = np.log(self.after.regrets) - np.log(self.before.regrets)
        return float(np.mean(changes)) <= float(np.std(changes)) / math.sqrt(len(changes))


@dataclasses.dataclass(frozen=True)
class Quality:
    """How well weights predict.

    Attributes:
      correlation: of the ranks of predicted and measured times (Spearman).
      error: median of the factor by which predictions are off.
      regrets: for each program the time of the chosen form over that of the fastest one.
    """

    correlation: float
    error: float
    regrets: tuple[float, ...]

    @property
    def regret(self) -> float:
        """Geometric mean of the regrets."""
        return float(np.exp(np.mean(np.log(self.regrets)))) if self.regrets else 1.0

    @property
    def worst(self) -> float:
        """The largest regret."""
        return max(self.regrets, default=1.0)


def fit(rows: Sequence[Row], start: Machine = DEFAULT) -> Fit:
    """Fit the weights to measured times.

    Args:
      rows: the times.
      start: weights to start from, and to keep where the times say nothing.
    """
    if not rows:
        quality = Quality(float("nan"), 1.0, ())
        return Fit(start, AROUND, quality, quality)
    single = [(field.name,) for field in dataclasses.fields(Machine) if field.name not in FIXED]
    coarse = _fitted(rows, start, AROUND, GROUPS, GENTLY)
    fine = _fitted(rows, *coarse, single, FIRMLY)
    return Fit(*fine, assess(rows, start, AROUND), assess(rows, *fine))


def _fitted(
    rows: Sequence[Row],
    start: Machine,
    around: tuple[float, float],
    groups: Sequence[Sequence[str]],
    prior: float,
) -> tuple[Machine, tuple[float, float]]:
    """Weights, and what is around loops, after one factor for each group."""
    from scipy.optimize import least_squares

    def unpack(logs: np.ndarray) -> tuple[Machine, tuple[float, float]]:
        factors = [float(factor) for factor in np.exp(logs)]
        scaled = {
            name: getattr(start, name) * factor for own, factor in zip(groups, factors, strict=False) for name in own
        }
        return dataclasses.replace(start, **scaled), (around[0] * factors[-2], around[1] * factors[-1])

    measured = [np.log([row.measured[form] for form in row.counts]) for row in rows]

    def errors(logs: np.ndarray) -> np.ndarray:
        weights = unpack(logs)
        off = [np.log([*row.predicted(*weights).values()]) - own for row, own in zip(rows, measured, strict=True)]
        return np.concatenate([*off, *(own[1:] - own[0] for own in off), prior * logs])

    found = least_squares(errors, np.zeros(len(groups) + 2), loss="soft_l1", f_scale=0.2, max_nfev=100)
    return unpack(found.x)


def assess(rows: Sequence[Row], machine: Machine, around: tuple[float, float] = (0.0, 0.0)) -> Quality:
    """How well weights predict measured times."""
    from scipy.stats import spearmanr

    predicted, measured, regrets = [], [], []
    for row in rows:
        times = row.predicted(machine, around)
        chosen = min(times, key=times.__getitem__)
        regrets.append(row.measured[chosen] / min(row.measured.values()))
        predicted += times.values()
        measured += [row.measured[form] for form in times]
    correlation = float(spearmanr(predicted, measured)[0]) if len(set(predicted)) > 1 else float("nan")  # type: ignore[arg-type]
    error = float(np.exp(np.median(np.abs(np.log(predicted) - np.log(measured)))))
    return Quality(correlation, error, tuple(regrets))
