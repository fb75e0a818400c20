"""What every search returns."""

from __future__ import annotations

import dataclasses

from elimax.elimination.steps import Step


@dataclasses.dataclass(frozen=True)
class Order:
    """An elimination order and what is known about it.

    Attributes:
      vertices: every eliminable vertex of the graph once, first eliminated first, perhaps with eliminations of single
        edges in between.
      multiplications: cost of the order under the rule of the search.
      method: name of the search that found it.
      lower_bound: no order costs less.
      optimal: whether the order is proved to be the cheapest.
      evaluations: number of orders, or of sets of eliminated vertices, that were priced.
      seconds: time spent.
      note: what the search has to say about the order, in words.
    """

    vertices: tuple[Step, ...]
    multiplications: int
    method: str
    lower_bound: int = 0
    optimal: bool = False
    evaluations: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def gap(self) -> float:
        """How far above the cheapest order this one is at most, as a fraction of its own cost."""
        if self.optimal or self.multiplications <= self.lower_bound:
            return 0.0
        return (self.multiplications - self.lower_bound) / self.multiplications
