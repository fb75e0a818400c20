"""A picture of gains: one panel a dtype, one line a task, over the batch."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from benchmarks.jacobians.rows import Row, mean

LINE, MEAN, PARITY = "#9db4d3", "#1f3f78", "#c05a1c"


def draw(rows: list[Row], path: Path) -> None:
    """Draw the gains of tasks of one vector over the better of JAX's modes.

    Args:
      rows: of any part; those on functions of one vector are drawn, or those of several numbers where there are none.
      path: the picture, SVG or PNG by its suffix.
    """
    vectors = {row.problem for row in rows if row.part == "vector"}
    own = [row for row in rows if row.part == "vector" or (row.part == "scalar" and row.problem == "hires")]
    rows = own if vectors else [row for row in rows if row.part == "scalar"]
    dtypes = sorted({row.dtype for row in rows})
    if not dtypes:
        return
    settings = {"svg.hashsalt": "elimax", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        figure, axes = plt.subplots(
            1, len(dtypes), figsize=(4.6 * len(dtypes), 3.6), squeeze=False, sharey=True, layout="constrained"
        )
        for axis, dtype in zip(axes.flat, dtypes, strict=True):
            _panel(axis, [row for row in rows if row.dtype == dtype], dtype)
        axes[0, 0].set_ylabel("time of the better JAX mode / time of elimax")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110, facecolor="white")
        plt.close(figure)


def _panel(axis: plt.Axes, rows: list[Row], dtype: str) -> None:
    batches = sorted({row.batch for row in rows})
    ends = []
    for name in sorted({row.problem for row in rows}):
        own = sorted((row.batch, row.better) for row in rows if row.problem == name)
        axis.plot(*zip(*own, strict=True), color=LINE, linewidth=1, marker=".")
        ends.append((own[-1][1], name))
    means = [mean(row.better for row in rows if row.batch == batch) for batch in batches]
    axis.plot(batches, means, color=MEAN, linewidth=2.2, marker="o", markersize=4, label="geometric mean")
    axis.axhline(1.0, color=PARITY, linewidth=1, linestyle="--", label="as fast as JAX")
    axis.set(xscale="log", yscale="log", title=dtype, xlabel="batch", xlim=(0.7, max(batches) * 130))
    axis.set_xticks(batches, [f"{batch:,}" for batch in batches])
    axis.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axis.minorticks_off()
    placed = -1.0
    low, high = axis.get_ylim()
    least = (high / low) ** 0.045
    for value, name in sorted(ends):
        placed = max(value, placed * least)
        axis.annotate(name, (max(batches), placed), (6, 0), textcoords="offset points", fontsize=6.5, va="center")
    axis.legend(loc="upper left", frameon=False)
