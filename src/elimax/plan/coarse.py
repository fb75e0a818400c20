"""What a plan says of the segments that are coarse vertices of its graph."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Coarse:
    """Segments of a planned function, and what they save.

    Attributes:
      method: how segments are found, one of `elimax.coarsen.join.METHODS`; "" where the cost speaks for none.
      largest: number of equations in a segment.
      segments: per segment its equations, inputs, outputs, and the operations of its values and partials before and
        after simplification.
      applied: how often each rule of simplification applied, the most frequent first.
      multiplications: those of the plan for the graph without segments.
      operations: emitted operations on scalars without segments, and with them; zeros where that is unknown.
      products: executed multiplications among them, of values, partials and elimination together.
      counted: whether operations are counted on the graph, since there are too many to be emitted for comparison.
        Then ``multiplications`` and ``products`` are those of the elimination in the Markowitz order.
    """

    method: str
    largest: int
    segments: tuple[tuple[int, int, int, int, int], ...]
    applied: tuple[tuple[str, int], ...]
    multiplications: int
    operations: tuple[int, int]
    products: tuple[int, int] = (0, 0)
    counted: bool = False

    def describe(self, multiplications: int) -> list[str]:
        """Lines for people.

        Args:
          multiplications: those of the plan with segments.
        """
        before, after = self.operations
        if not self.segments:
            if self.counted:
                why = "too many, or not on scalars, for times to be predicted"
                return [f"segments: none, counted work speaks for single operations ({before:,}; {why})"]
            return ["segments: none, the predicted time speaks for single operations"]
        head = f"segments: {len(self.segments)} ({self.method}, of at most {self.largest} operations)"
        many, fewer = self.products
        if self.counted:
            lines = [
                f"{head}; counted operations {before:,} -> {after:,}; multiplications of the elimination in the "
                f"Markowitz order {many:,} -> {fewer:,}, in the plan's {multiplications:,}"
            ]
        else:
            lines = [
                f"{head}; emitted operations {before:,} -> {after:,}, of them multiplications {many:,} -> {fewer:,}; "
                f"multiplications of the elimination {self.multiplications:,} -> {multiplications:,}"
            ]
        for k, (equations, inputs, outputs, raw, simple) in enumerate(self.segments[:MOST]):
            work = f"with partials {raw:,} -> {simple:,}"
            lines.append(f"  segment {k}: {equations} operations, {inputs} -> {outputs} values; {work}")
        if len(self.segments) > MOST:
            lines.append(f"  and {len(self.segments) - MOST} more")
        if self.applied:
            listed = ", ".join(f"{name} ({count})" for name, count in self.applied[:MOST])
            lines.append(f"  simplified: {listed}")
        return lines


MOST = 8
"""Segments and rules that are listed."""


def to_data(coarse: Coarse | None) -> dict[str, Any] | None:
    """For JSON."""
    return None if coarse is None else dataclasses.asdict(coarse)


def from_data(data: Any) -> Coarse | None:
    """From JSON.

    Raises:
      KeyError, TypeError, ValueError: it is damaged.
    """
    if data is None:
        return None
    before, after = map(int, data["operations"])
    segments = []
    for row in data["segments"]:
        equations, inputs, outputs, raw, simple = map(int, row)
        segments.append((equations, inputs, outputs, raw, simple))
    many, fewer = map(int, data.get("products", (0, 0)))
    return Coarse(
        str(data["method"]),
        int(data["largest"]),
        tuple(segments),
        tuple((str(name), int(count)) for name, count in data["applied"]),
        int(data["multiplications"]),
        (before, after),
        (many, fewer),
        bool(data.get("counted", False)),
    )
