"""Searched orders on disk, so that a second process plans the same function without searching.

One small file holds the order of one graph under one cost and one search. Its name is a digest of everything that
decides the order; its text repeats that, so that a file is believed only if it is whole and meant for the question.
Files are written beside their place and renamed, so that any number of processes may read and write at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

from elimax.elimination.steps import from_data, renumbered, to_data
from elimax.errors import ElimaxWarning, OrderError
from elimax.graph.hashing import canonical_numbering, structural_hash
from elimax.graph.types import Graph
from elimax.order.given import check_order
from elimax.order.result import Order
from elimax.plan.files import set_aside, write_atomically
from elimax.version import __version__

FORMAT = 3
MAX_BYTES = 64 << 20
"""Size beyond which the files that were used longest ago are removed."""

_SWEEP_EVERY = 64


@dataclasses.dataclass(frozen=True)
class Question:
    """What decides a searched order.

    Attributes:
      graph_hash: structural hash of the graph.
      order: name of the search.
      cost: the cost rule.
      budget: seconds allowed, or None.
      max_evaluations: work allowed, or None.
      seed: of the search.
      version: of the library.
    """

    graph_hash: str
    order: str
    cost: str
    budget: float | None
    max_evaluations: int | None
    seed: int
    version: str = __version__

    @property
    def file_name(self) -> str:
        """Name of the file that answers it."""
        text = json.dumps([FORMAT, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".json"


def folder() -> Path | None:
    """Where orders are kept: ``ELIMAX_CACHE_DIR`` or the user's cache directory; None if ``ELIMAX_CACHE`` is off."""
    if os.environ.get("ELIMAX_CACHE", "").strip().lower() in ("off", "0", "no", "false"):
        return None
    chosen = os.environ.get("ELIMAX_CACHE_DIR")
    if chosen:
        return Path(chosen) / "orders"
    import platformdirs

    return Path(platformdirs.user_cache_dir("elimax")) / "orders"


class OrderCache:
    """Orders of one graph, kept under its canonical numbering.

    Args:
      graph: the graph.
      directory: where the files are.
    """

    def __init__(self, graph: Graph, directory: Path):
        self._graph = graph
        self._directory = directory

    def question(self, order: str, cost: str, budget: float | None, max_evaluations: int | None, seed: int) -> Question:
        """The question that a search of this graph answers."""
        return Question(structural_hash(self._graph), order, cost, budget, max_evaluations, seed)

    def find(self, question: Question) -> Order | None:
        """The order kept for a question, or None; a damaged file is set aside with a warning."""
        path = self._directory / question.file_name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _damaged(path, error)
            return None
        try:
            found = self._decode(json.loads(text), question)
        except (ValueError, KeyError, TypeError, OrderError) as error:
            _damaged(path, error)
            return None
        _touch(path)
        return found

    def keep(self, question: Question, order: Order) -> None:
        """Write an order; a cache that cannot be written is no reason to fail."""
        ranks = canonical_numbering(self._graph)
        data = {
            "format": FORMAT,
            "question": dataclasses.asdict(question),
            "order": {
                **dataclasses.asdict(order),
                "vertices": [to_data(renumbered(step, ranks)) for step in order.vertices],
            },
        }
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomically(self._directory / question.file_name, json.dumps(data))
            if int(question.file_name[:4], 16) % _SWEEP_EVERY == 0:
                sweep(self._directory)
        except OSError as error:
            warnings.warn(
                f"the plan could not be kept in {self._directory} ({error}); set ELIMAX_CACHE_DIR to a folder that can "
                "be written, or ELIMAX_CACHE=off",
                ElimaxWarning,
                stacklevel=2,
            )

    def _decode(self, data: Any, question: Question) -> Order:
        if data["format"] != FORMAT or data["question"] != dataclasses.asdict(question):
            raise ValueError("it answers another question")
        vertex = {rank: v for v, rank in enumerate(canonical_numbering(self._graph))}
        fields = dict(data["order"])
        names = {field.name for field in dataclasses.fields(Order)}
        if set(fields) != names:
            raise ValueError("its fields are those of another version")
        steps = [renumbered(from_data(step), vertex) for step in fields["vertices"]]
        fields["vertices"] = check_order(self._graph.eliminable, steps)
        return Order(**fields)


def sweep(directory: Path, max_bytes: int = MAX_BYTES) -> int:
    """Remove the files that were used longest ago until the rest fits; returns how many were removed."""
    entries = []
    for path in directory.iterdir():
        try:
            status = path.stat()
        except OSError:  # another process removed it meanwhile
            continue
        entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    removed = 0
    for _, size, path in sorted(entries, key=lambda entry: entry[0]):
        if total <= max_bytes:
            break
        path.unlink(missing_ok=True)
        total -= size
        removed += 1
    return removed


def _damaged(path: Path, error: Exception) -> None:
    warnings.warn(
        f"a cached plan, {path.name}, is damaged ({error}); {set_aside(path)} and the plan is made anew",
        ElimaxWarning,
        stacklevel=3,
    )


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # a cache that is read-only still serves
        return
