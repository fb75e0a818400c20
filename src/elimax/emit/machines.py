"""Calibrated weights of the time model on disk, one small file for each kind of device.

Weights are read once a process: which form a program takes is a function of the weights that were there at first.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any

import jax

from elimax.emit.model import DEFAULT, Machine, cores
from elimax.errors import ElimaxWarning
from elimax.plan.cache import folder
from elimax.plan.files import set_aside, write_atomically

FORMAT = "elimax machine"
VERSION = 2
"""Changes whenever the meaning of a weight does."""


def device_kind(platform: str = "cpu") -> str:
    """What weights depend on: the platform, the kind of its device and the number of cores.

    Raises:
      RuntimeError: JAX does not know the platform here.
    """
    device = jax.devices(platform)[0]
    return f"{device.platform} {device.device_kind}, {cores()} cores"


def path_of(kind: str) -> Path | None:
    """The file of the weights of a kind of device, beside the folder of kept orders; None if nothing is kept."""
    orders = folder()
    if orders is None:
        return None
    digest = hashlib.blake2b(kind.encode(), digest_size=8).hexdigest()
    return orders.parent / "machines" / f"{digest}.json"


def store(machine: Machine, kind: str, about: dict[str, Any]) -> Path | None:
    """Write weights for a kind of device.

    Args:
      machine: the weights.
      kind: see `device_kind`.
      about: further words on where they come from, for people.

    Returns:
      The file, or None if nothing is kept.

    Raises:
      OSError: the file cannot be written.
    """
    path = path_of(kind)
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"format": FORMAT, "version": VERSION, "kind": kind, "about": about, "weights": dataclasses.asdict(machine)}
    write_atomically(path, json.dumps(data, indent=1) + "\n")
    forget()
    return path


def load(kind: str) -> Machine | None:
    """Weights kept for a kind of device, or None; a damaged file is set aside with a warning."""
    path = path_of(kind)
    if path is None:
        return None
    try:
        return _decode(json.loads(path.read_text(encoding="utf-8")), kind)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(
            f"the weights in {path.name} cannot be used ({error}); {set_aside(path)} and defaults are used: "
            "run 'elimax calibrate' again",
            ElimaxWarning,
            stacklevel=2,
        )
        return None


@functools.lru_cache(maxsize=1)
def current() -> Machine:
    """The weights that this process uses: those kept for its CPU, or the defaults."""
    try:
        kind = device_kind()
    except RuntimeError:  # programs are compiled for a CPU that is not here
        return DEFAULT
    return load(kind) or DEFAULT


def forget() -> None:
    """Read the weights again at the next use."""
    current.cache_clear()


def _decode(data: Any, kind: str) -> Machine:
    if data["format"] != FORMAT or data["version"] != VERSION:
        raise ValueError("it is of another format or version")
    if data["kind"] != kind:
        raise ValueError(f"it belongs to {data['kind']}")
    weights = data["weights"]
    if set(weights) != {field.name for field in dataclasses.fields(Machine)}:
        raise ValueError("its weights are not those of this version")
    if any(isinstance(w, bool) or not math.isfinite(w) or w <= 0 for w in weights.values()):
        raise ValueError("a weight is not a positive number")
    return Machine(**{**{name: float(w) for name, w in weights.items()}, "threads": int(weights["threads"])})
