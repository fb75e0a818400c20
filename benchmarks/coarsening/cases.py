"""What is measured: one gradient in several ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

NAIVE = "naive"
"""Name of the way in which a program is written at first."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A gradient of one program in one setting.

    Attributes:
      program: its name.
      setting: sizes.
      coarsened: the gradient with `elimax.coarsen`.
      jax: gradients by JAX alone that a good user would write, by name; the fastest of these and of ``naive`` counts.
      naive: the gradient as it is written at first, with loops over elements.
      args: arguments of all of them.
      same: the name of the way of JAX that differs from the coarsened program in nothing but that.
      decision: what `elimax.plan` tells of the coarsened function.
      stepwise: the gradient that is run operation by operation; the first of ``jax`` if None.
      more: other gradients with `elimax.coarsen`, written in ways of ``jax`` or naively, by the name of the way.
    """

    program: str
    setting: str
    coarsened: Callable[..., Any]
    jax: dict[str, Callable[..., Any]]
    naive: Callable[..., Any]
    args: tuple[Any, ...]
    same: str
    decision: str
    stepwise: Callable[..., Any] | None = None
    more: dict[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Program and setting."""
        return f"{self.program}, {self.setting}"
