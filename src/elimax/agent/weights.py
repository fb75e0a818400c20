"""Weights of trained networks as files, for playing without JAX."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from elimax.agent import checkpoint
from elimax.errors import CheckpointError

KIND = "agent"

Weights = dict[str, dict[str, np.ndarray]]
"""Weight ``w`` and bias ``b`` of every layer of `elimax.agent.network`, by name."""


def save(path: Path, weights: Weights, meta: dict[str, Any]) -> None:
    """Write weights.

    Args:
      path: the file.
      weights: of a network.
      meta: what they were trained on, JSON-ready.
    """
    arrays = {f"{name} {part}": np.asarray(array) for name, layer in weights.items() for part, array in layer.items()}
    checkpoint.save(path, KIND, arrays, meta)


def load(path: Path) -> tuple[Weights, dict[str, Any]]:
    """Read what `save` wrote.

    Raises:
      CheckpointError: if the file is missing, damaged or of another version.
    """
    from elimax.agent.sweep import WIDTH

    arrays, meta = checkpoint.load(path, KIND)
    weights: Weights = {}
    for name, array in arrays.items():
        layer, _, part = name.partition(" ")
        weights.setdefault(layer, {})[part] = array
    embed = weights.get("embed", {}).get("w")
    if embed is None or embed.shape[0] != WIDTH:
        raise CheckpointError(f"{path} holds a network with other features; use weights trained by this version")
    return weights, meta


def fitting(path: Path, template: Any) -> Any:
    """The weights of a file, for a network of the template's size.

    Raises:
      CheckpointError: as `load`, or if they belong to a network of another size.
    """
    found = load(path)[0]
    sizes = [
        {name: {part: array.shape for part, array in layer.items()} for name, layer in weights.items()}
        for weights in (found, template)
    ]
    if sizes[0] != sizes[1]:
        raise CheckpointError(
            f"{path} holds a network of another size; set 'width' and 'layers' to those of its training"
        )
    return found


@functools.cache
def shipped(rule: str, partials: str = "scalars") -> Weights:
    """A trained network that comes with the package.

    Args:
      rule: "published" or "executed".
      partials: "scalars" or "blocks".

    Raises:
      CheckpointError: if its file is missing or damaged.
    """
    name = rule if partials == "scalars" else f"{rule}_{partials}"
    return load(Path(__file__).parent / "trained" / f"{name}.npz")[0]
