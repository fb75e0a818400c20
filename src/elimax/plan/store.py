"""Plans as JSON files, written atomically and refused with a clear error when they are damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elimax.elimination.steps import to_data
from elimax.errors import GraphFormatError, OrderError, PlanFormatError
from elimax.graph.json import from_data
from elimax.graph.json import to_data as graph_to_data
from elimax.order.given import check_order
from elimax.plan.coarse import from_data as coarse_from_data
from elimax.plan.coarse import to_data as coarse_to_data
from elimax.plan.files import write_atomically

if TYPE_CHECKING:
    from elimax.plan.types import Plan

FORMAT = "elimax plan"
VERSION = 3

READABLE = (2, VERSION)
"""Versions that are read: what version 2 lacks has a default."""


def to_json(plan: Plan) -> str:
    """A plan as JSON text."""
    data = {
        "format": FORMAT,
        "version": VERSION,
        "method": plan.method,
        "cost": plan.cost,
        "order": [to_data(step) for step in plan.order],
        "multiplications": plan.multiplications,
        "lower_bound": plan.lower_bound,
        "optimal": plan.optimal,
        "opaque": list(plan.opaque),
        "evaluations": plan.evaluations,
        "seconds": plan.seconds,
        "modes": [list(item) for item in plan.modes],
        "mode": plan.mode,
        "measured": [list(item) for item in plan.measured],
        "measured_batch": plan.measured_batch,
        "form": plan.form,
        "coarsening": plan.coarsening,
        "closed_loops": list(plan.closed_loops),
        "mirrored": plan.mirrored,
        "coarse": coarse_to_data(plan.coarse),
        "chunk": plan.chunk,
        "note": plan.note,
        "memory": [list(item) for item in plan.memory],
        "graph_hash": plan.graph_hash,
        "graph": graph_to_data(plan.graph),
    }
    return json.dumps(data, indent=1)


def from_json(text: str, origin: str = "the text") -> Plan:
    """The plan in a JSON text.

    Raises:
      PlanFormatError: if it is none, is truncated, or belongs to another version.
    """
    from elimax.plan.types import MODES, Plan

    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise PlanFormatError(f"{origin} is not JSON ({error}); save the plan again with Plan.save") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise PlanFormatError(f"{origin} is not a plan of elimax; expected a file written by Plan.save")
    if data.get("version") not in READABLE:
        raise PlanFormatError(
            f"{origin} is a plan of format version {data.get('version')!r}; "
            f"this elimax reads versions {' and '.join(map(str, READABLE))}; plan again"
        )
    try:
        graph = from_data(data["graph"])
        plan = Plan(
            graph=graph,
            order=check_order(graph.eliminable, data["order"]),
            method=str(data["method"]),
            multiplications=int(data["multiplications"]),
            lower_bound=int(data["lower_bound"]),
            optimal=bool(data["optimal"]),
            cost=str(data["cost"]),
            opaque=tuple(map(str, data["opaque"])),
            evaluations=int(data["evaluations"]),
            seconds=float(data["seconds"]),
            modes=tuple((str(name), float(seconds)) for name, seconds in data["modes"]),
            mode=str(data["mode"]),
            measured=tuple((str(name), float(seconds)) for name, seconds in data.get("measured", ())),
            measured_batch=int(data.get("measured_batch", 1)),
            form=str(data.get("form", "")),
            coarsening=str(data.get("coarsening", "")),
            closed_loops=tuple(map(str, data.get("closed_loops", ()))),
            mirrored=None if data.get("mirrored") is None else float(data["mirrored"]),
            coarse=coarse_from_data(data.get("coarse")),
            chunk=None if data.get("chunk") is None else int(data["chunk"]),
            note=str(data.get("note", "")),
            memory=tuple((str(name), int(size)) for name, size in data.get("memory", ())),
        )
    except (KeyError, TypeError, ValueError, GraphFormatError, OrderError) as error:
        raise PlanFormatError(f"{origin} is a damaged plan ({error}); plan again") from error
    if plan.mode not in MODES:
        raise PlanFormatError(f"{origin} is a damaged plan (its mode is {plan.mode!r}); plan again")
    if plan.graph_hash != data.get("graph_hash"):
        raise PlanFormatError(f"{origin} is a damaged plan (its graph does not have the hash it names); plan again")
    return plan


def save(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan; the file is complete or absent, never half written."""
    write_atomically(path, to_json(plan))


def load(path: str | os.PathLike[str]) -> Plan:
    """Read a plan."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PlanFormatError(f"{path} is not a text file; expected a file written by Plan.save") from error
    return from_json(text, str(path))
