"""Random small programs to time the forms with: chosen by a seed alone, so that every machine times the same ones."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

ALONE, LOOPED = (1, 16, 100, 1000, 20_000), (1, 16, 200, 1000)
"""Batches outside of loops and inside."""

_CHEAP = ("add", "sub", "mul", "mul", "add")
_FAMILIES: tuple[tuple[str, ...], ...] = (
    _CHEAP,
    (*_CHEAP, "div", "sqrt"),
    (*_CHEAP, *_CHEAP, "exp", "log", "tanh"),
    (*_CHEAP, *_CHEAP, *_CHEAP, "sin", "cos"),
    (*_CHEAP, *_CHEAP, "div", "exp", "sin"),
)
_UNARY: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda x: jnp.sqrt(1 + x * x),
    "exp": lambda x: jnp.exp(-x * x),
    "log": lambda x: jnp.log(2 + x * x),
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "cos": jnp.cos,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lax.add,
    "sub": lax.sub,
    "mul": lax.mul,
    "div": lambda x, y: x / (2 + y * y),
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """A random function from n to m numbers.

    Attributes:
      inputs: n.
      outputs: m.
      steps: the name of each operation and the numbers of its operands; inputs come first.
    """

    inputs: int
    outputs: int
    steps: tuple[tuple[str, tuple[int, ...]], ...]

    def __call__(self, x: Any) -> Any:
        """The results for an array of shape ``[inputs]``."""
        values = [x[k] for k in range(self.inputs)]
        for name, operands in self.steps:
            args = [values[k] for k in operands]
            values.append(_UNARY[name](*args) if name in _UNARY else _BINARY[name](*args))
        return jnp.stack(values[-self.outputs :])


@dataclasses.dataclass(frozen=True)
class Case:
    """What is timed.

    Attributes:
      sample: the function whose Jacobian it is.
      dtype: of its argument.
      batch: the number of arguments.
      looped: whether in a scan, or called alone.
    """

    sample: Sample
    dtype: str
    batch: int
    looped: bool


def sample(rng: random.Random) -> Sample:
    """A random function."""
    inputs = rng.choice((2, 3, 4, 6, 8))
    outputs = rng.choice((1, 3, 5, 8))
    family = rng.choice(_FAMILIES)
    reach = rng.choice((2, 4, 100))  # with a short reach a value depends on few inputs
    steps = []
    for k in range(rng.choice((3, 8, 20, 50)) + outputs):
        name = rng.choice(family)
        known = inputs + k
        recent = range(max(0, known - reach - inputs), known)
        operands = tuple(rng.choice(recent) for _ in range(1 if name in _UNARY else 2))
        steps.append((name, operands))
    return Sample(inputs, outputs, tuple(steps))


def cases(seed: int, dtypes: tuple[str, ...]) -> list[Case]:
    """Cases in random order: any first part of them tells of everything.

    Args:
      seed: of the choice.
      dtypes: those that the device knows.
    """
    rng = random.Random(seed)
    found = []
    for _ in range(48):
        drawn = sample(rng)
        for dtype in dtypes:
            found.append(Case(drawn, dtype, rng.choice(ALONE), False))
            found.append(Case(drawn, dtype, rng.choice(LOOPED), True))
    rng.shuffle(found)
    return found
