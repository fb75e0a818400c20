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
    arrays, meta = checkpoint.load(path, KIND)
    weights: Weights = {}
    for name, array in arrays.items():
        layer, _, part = name.partition(" ")
        weights.setdefault(layer, {})[part] = array
    _check(path, weights)
    return weights, meta


def _check(path: Path, weights: Weights) -> None:
    """That the layers of a network are there, of sizes that fit each other and the features, and numbers."""
    from elimax.agent.sweep import GLOBAL, WIDTH

    embed = weights.get("embed", {}).get("w")
    if embed is None or embed.ndim != 2 or embed.shape[0] != WIDTH:
        raise CheckpointError(f"{path} holds a network with other features; use weights trained by this version")
    d = embed.shape[1]
    rows = {
        "embed": WIDTH,
        "embed2": d,
        "context": 2 * d + GLOBAL,
        "policy": 2 * d,
        "logit": d,
        "value": d,
        "excess": d,
    }
    for layer in range(sum(name.startswith("message") for name in weights)):
        rows |= {f"message{layer}": 3 * d, f"update{layer}": d}
    for name in {*rows, *weights}:
        columns = 1 if name in ("logit", "excess") else d
        sizes = {part: array.shape for part, array in weights.get(name, {}).items()}
        if sizes != {"w": (rows.get(name), columns), "b": (columns,)}:
            raise CheckpointError(
                f"{path} holds no network that can play: layer {name!r} has the arrays {sizes}; use weights that "
                "elimax train wrote"
            )
    if not all(np.isfinite(array).all() for layer in weights.values() for array in layer.values()):
        raise CheckpointError(f"{path} holds weights that are no finite numbers; train with a lower learning_rate")


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
