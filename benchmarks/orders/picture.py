"""A picture of searches: the best count and the lower bound over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from benchmarks.orders.measure import Found

FIRST = 0.01
"""Seconds at the left edge."""

COUNT, BOUND, KNOWN = "#1f5fa8", "#c05a1c", "#777777"


def draw(rows: list[tuple[str, float, int | None, Found]], path: Path) -> None:
    """Draw one panel a graph.

    Args:
      rows: name, seconds allowed, best count known elsewhere, and what was found.
      path: the picture, SVG or PNG by its suffix.
    """
    settings = {"svg.hashsalt": "elimax", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        columns = 2
        lines = -(-len(rows) // columns)
        figure, axes = plt.subplots(lines, columns, figsize=(8.4, 2.7 * lines), squeeze=False, layout="constrained")
        for axis in axes.flat[len(rows) :]:
            axis.set_visible(False)
        for axis, row in zip(axes.flat, rows, strict=False):
            _panel(axis, *row)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110, facecolor="white")
        plt.close(figure)


def _panel(axis: plt.Axes, name: str, allowed: float, known: int | None, found: Found) -> None:
    end = max(found.seconds, 2 * FIRST)
    times = [max(FIRST, when) for when, _, _ in found.trace] + [end]
    counts = [best for _, best, _ in found.trace] + [found.count]
    bounds = [bound for _, _, bound in found.trace] + [found.bound]
    shown = [float("nan") if count is None else count for count in counts]
    axis.fill_between(times, bounds, shown, step="post", color="#e9edf3", linewidth=0)
    axis.step(times, shown, where="post", color=COUNT, label="best count")
    axis.step(times, bounds, where="post", color=BOUND, label="lower bound")
    if known is not None:
        axis.axhline(known, color=KNOWN, linewidth=0.9, linestyle=(0, (4, 3)), label="best known elsewhere")
    axis.set_xscale("log")
    axis.set_xlim(FIRST, max(allowed, end))
    axis.set_ylim(0, None)
    proof = "optimal" if found.optimal else f"bound {found.bound:,}, gap {100 * found.gap:.1f} %"
    axis.set_title(f"{name}: {found.count:,}, {proof}", fontsize=9)
    axis.set_xlabel("seconds")
    axis.set_ylabel("multiplications")
    axis.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
