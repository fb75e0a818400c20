"""Weights of the time model from measured times.

Logarithms of times are fitted, since what counts is the ratio of one form to the other; a case that another program
disturbed counts little, because large errors grow slowly in the loss. Each weight is drawn towards its default, gently,
so that what no case tells apart stays where it is. All weights stay positive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from elimax.emit.model import DEFAULT, Counts, Machine

FIXED = frozenset(["threads", "fork", "page", "crowd_32", "crowd_64"])
"""Weights that are not fitted: few programs are large enough, or have results enough, to tell of them."""

PRIOR = 0.3
"""How strongly weights are drawn towards their defaults: a factor of e counts as this error of a logarithm."""


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

    counts: Mapping[str, Counts]
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


@dataclasses.dataclass(frozen=True)
class Quality:
    """How well weights predict.

    Attributes:
      correlation: of the ranks of predicted and measured times (Spearman).
      error: median of the factor by which predictions are off.
      regret: geometric mean of the time of the chosen form over that of the faster one.
      worst: the largest such ratio.
    """

    correlation: float
    error: float
    regret: float
    worst: float


def fit(rows: Sequence[Row], start: Machine = DEFAULT) -> Fit:
    """Fit the weights to measured times.

    Args:
      rows: the times.
      start: weights to start from, and to keep where the times say nothing.
    """
    from scipy.optimize import least_squares

    names = [f.name for f in dataclasses.fields(Machine) if f.name not in FIXED]
    around = (200.0, 0.2)
    origin = np.log([*(getattr(start, name) for name in names), *around])

    def unpack(logs: np.ndarray) -> tuple[Machine, tuple[float, float]]:
        weights = [float(w) for w in np.exp(logs)]
        return dataclasses.replace(start, **dict(zip(names, weights, strict=False))), (weights[-2], weights[-1])

    measured = np.log([[row.measured[form] for form in row.counts] for row in rows])

    def errors(logs: np.ndarray) -> np.ndarray:
        machine, loops = unpack(logs)
        off = np.log([list(row.predicted(machine, loops).values()) for row in rows]) - measured
        return np.concatenate([off.ravel(), off[:, 0] - off[:, 1], PRIOR * (logs - origin)])

    if not rows:
        quality = Quality(float("nan"), 1.0, 1.0, 1.0)
        return Fit(start, around, quality, quality)
    found = least_squares(errors, origin, loss="soft_l1", f_scale=0.2, max_nfev=100)
    machine, loops = unpack(found.x)
    return Fit(machine, loops, assess(rows, start, around), assess(rows, machine, loops))


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
    return Quality(correlation, error, float(np.exp(np.mean(np.log(regrets)))), max(regrets))
