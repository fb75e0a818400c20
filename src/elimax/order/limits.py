"""How long a search may go on."""

from __future__ import annotations

import dataclasses
import math
import time

from elimax.errors import OrderError


@dataclasses.dataclass(frozen=True)
class Limits:
    """Time and work that a search may spend.

    Attributes:
      seconds: time from `started`; infinite if only work is limited.
      evaluations: number of evaluations, or None; with it a search depends on the seed alone.
      started: when the search began, on the clock of `time.perf_counter`.
    """

    seconds: float = math.inf
    evaluations: int | None = None
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @classmethod
    def make(cls, budget: float | None, max_evaluations: int | None, default: float) -> Limits:
        """Limits from the arguments of `elimax.order.search`.

        Args:
          budget: seconds, or None.
          max_evaluations: number of evaluations, or None.
          default: seconds if neither is given.

        Returns:
          The limits, counting from now.

        Raises:
          OrderError: if one of them is not a non-negative number.
        """
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float) or not budget >= 0):
            raise OrderError(f"budget should be a number of seconds, zero or more, or None; got {budget!r}")
        if max_evaluations is not None and (
            isinstance(max_evaluations, bool) or not isinstance(max_evaluations, int) or max_evaluations < 0
        ):
            raise OrderError(f"max_evaluations should be an integer, zero or more, or None; got {max_evaluations!r}")
        if budget is None:
            budget = default if max_evaluations is None else math.inf
        return cls(float(budget), max_evaluations)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        """Seconds left, zero or more."""
        return max(0.0, self.seconds - self.spent)

    @property
    def deadline(self) -> float:
        """When time is up, on the clock of `time.perf_counter`."""
        return self.started + self.seconds
