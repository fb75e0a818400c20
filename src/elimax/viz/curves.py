"""The curve of a training as a picture (extra ``elimax[viz]``)."""

from __future__ import annotations

import json
from pathlib import Path


def draw_curve(source: Path, target: Path) -> None:
    """Draw costs and the error of the value over the games.

    Args:
      source: ``curve.json`` of a training.
      target: the picture; its suffix says of which kind.

    Raises:
      ImportError: without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing a curve needs matplotlib: pip install 'elimax[viz]'") from error
    data = json.loads(source.read_text(encoding="utf-8"))
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for name, label in (("mean", "mean of a round"), ("round_best", "best of a round"), ("best", "best so far")):
        above.plot(data["games"], data[name], label=label, linewidth=1.2)
    above.set_ylabel("multiplications")
    above.legend(frameon=False)
    below.plot(data["games"], data["value_error"], label="value error", linewidth=1.2)
    below.plot(data["games"], data["entropy"], label="entropy of the policy", linewidth=1.2)
    below.set_xlabel("games")
    below.legend(frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)
