"""Curves of a training as CSV and JSON; every file is replaced in one step."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from elimax.agent.checkpoint import write_atomically

COLUMNS = (
    "iteration",
    "games",
    "seconds",
    "cpu_seconds",
    "best",
    "mean",
    "round_best",
    "value_error",
    "entropy",
    "policy_loss",
    "games_per_second",
)
"""What is recorded after each round; ``best`` is the sum over tasks, the other costs are of the games of the round."""


def write_curves(folder: Path, rows: Sequence[Sequence[float]]) -> None:
    """Write ``curve.csv`` and ``curve.json``.

    Args:
      folder: an existing folder.
      rows: one a round, with `COLUMNS`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_atomically(folder / "curve.csv", text.getvalue().encode())
    data = {name: [row[k] for row in rows] for k, name in enumerate(COLUMNS)}
    write_atomically(folder / "curve.json", (json.dumps(data) + "\n").encode())
