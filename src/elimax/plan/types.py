"""The plan: which vertices are eliminated in which order, and how good that is known to be."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
from collections.abc import Mapping

from elimax.elimination.steps import Step
from elimax.errors import ModeError
from elimax.graph.hashing import structural_hash
from elimax.graph.types import Graph
from elimax.order import search
from elimax.plan.coarse import Coarse

ELIMINATION = "elimination"
"""The mode of a plan that follows its order."""

JAX_MODES = ("forward", "reverse")
"""JAX's own modes."""

CHECKPOINTED = "checkpointed reverse"
"""Reverse mode in which loops keep few states, and run from these again on the way back."""

WRITTEN = ("written forward", "written reverse")
"""JAX's own modes of a function whose loops stay as they were written where others are closed."""

THROUGH_LOOPS = (*WRITTEN, CHECKPOINTED)
"""Modes of functions with loops."""

COLOURED = ("coloured forward", "coloured reverse", "mixed")
"""JAX's modes on columns, on rows, or on some of both, that are summed up where the pattern allows it."""

STAR = "star"
"""Forward mode on columns of a Hessian that are summed up where each entry or its mirror image can be read."""

COMPRESSED = (*COLOURED, STAR)
"""Modes that take products with seeds of several columns or rows."""

MODES = (ELIMINATION, *JAX_MODES, *THROUGH_LOOPS, *COMPRESSED)
"""All modes."""

BASELINES = ("forward", "reverse", "markowitz")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A frozen, printable, savable elimination plan.

    Attributes:
      graph: the graph that was planned.
      order: its eliminable vertices, first eliminated first; eliminations of single edges may stand in between.
      method: the search that found the order.
      multiplications: cost of the order under ``cost``.
      lower_bound: no order costs less.
      optimal: whether the order is proved to be the cheapest.
      cost: the cost rule, "executed" or "published".
      opaque: names of the operations that JAX itself differentiates.
      evaluations: number of orders or sets that the search priced.
      seconds: time that the search took.
      modes: predicted seconds of one call by mode, the cheapest first: elimination, and those of JAX's modes and of the
        colouring-compressed ones that are candidates; empty where elimination has no rival.
      mode: the mode that is taken.
      form: in words, which forms of emission there are and why; empty where JAX's modes do the work.
      measured: measured seconds of one call by candidate, the fastest first; empty if nothing was measured.
      measured_batch: the number of points of that call.
      chunk: number of directions that the mode takes at once; None for all.
      memory: predicted bytes by name: "peak" of a call with dense output, "arguments", "dense result", "bcoo result";
        empty for a graph that does not come from a function.
      coarsening: for a function of `elimax.coarsen`, whether its local Jacobian takes the place of JAX's tape, and why;
        empty for any other.
      closed_loops: loops with a closed form that took their place before the graph was built, in words.
      mirrored: of a Hessian, the share of its entries that are taken from their mirror image instead of being computed;
        None of a Jacobian, and where the two halves need not agree.
      coarse: which segments are vertices of the graph, for ``order="coarse"``; None for any other order.
      note: what the search has to say about the order, in words.
    """

    graph: Graph
    order: tuple[Step, ...]
    method: str
    multiplications: int
    lower_bound: int
    optimal: bool
    cost: str = "executed"
    opaque: tuple[str, ...] = ()
    evaluations: int = 0
    seconds: float = 0.0
    modes: tuple[tuple[str, float], ...] = ()
    mode: str = ELIMINATION
    form: str = ""
    measured: tuple[tuple[str, float], ...] = ()
    measured_batch: int = 1
    chunk: int | None = None
    memory: tuple[tuple[str, int], ...] = ()
    coarsening: str = ""
    closed_loops: tuple[str, ...] = ()
    mirrored: float | None = None
    coarse: Coarse | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Name of the planned function."""
        return self.graph.name

    @functools.cached_property
    def baselines(self) -> Mapping[str, int]:
        """Cost of the forward, reverse and greedy Markowitz orders under the same rule."""
        return {name: search(self.graph, name, cost=self.cost).multiplications for name in BASELINES}

    @functools.cached_property
    def graph_hash(self) -> str:
        """Structural hash of the graph, equal in every process and whatever the vertices are numbered."""
        return structural_hash(self.graph)

    @property
    def gap(self) -> float:
        """How far above the cheapest order this one can be at most, as a fraction of its own cost."""
        if self.optimal or self.multiplications <= self.lower_bound:
            return 0.0
        return (self.multiplications - self.lower_bound) / self.multiplications

    def with_mode(self, mode: str) -> Plan:
        """The plan with another mode.

        Args:
          mode: ``"elimination"``, ``"forward"``, ``"reverse"``, ``"coloured forward"``, ``"coloured reverse"``,
            ``"mixed"``; of a Hessian, ``"star"``; of a function with loops, ``"checkpointed reverse"``,
            ``"written forward"`` or ``"written reverse"``.

        Raises:
          ModeError: if there is no such mode.
        """
        if mode not in MODES:
            raise ModeError(f"unknown mode {mode!r}; expected one of {', '.join(map(repr, MODES))}")
        return dataclasses.replace(self, mode=mode)

    def explain(self) -> str:
        """What the plan does, vertex by vertex."""
        from elimax.plan.explain import explain

        return explain(self)

    def __str__(self) -> str:
        from elimax.plan.explain import summary

        return summary(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as JSON."""
        from elimax.plan.store import save

        save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Plan:
        """Read a saved plan.

        Raises:
          PlanFormatError: if the file is not a plan.
        """
        from elimax.plan.store import load

        return load(path)

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draw the graph and the order into a file whose suffix (.svg, .html, .dot) names the format."""
        # Drawing lives in a room above this one and is loaded only when asked for.
        importlib.import_module("elimax.viz.draw").draw(self, path)
