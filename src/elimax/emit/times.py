"""Predicted times of all forms of a program at one place."""

from __future__ import annotations

from collections.abc import Mapping

from elimax.emit import kernel, points
from elimax.emit.counting import predict
from elimax.emit.model import Machine, Prediction
from elimax.emit.scalars import ScalarProgram

CLEAR = 0.9
"""The loop form of a program that computes nothing twice is taken for this share of the time of the plain form."""


def preferred(times: Mapping[str, float], gains: bool) -> str:
    """The form to take.

    Args:
      times: nanoseconds by form.
      gains: whether the loop form can gain by its work, not just by what is fixed.
    """
    known = dict(times)
    if not gains:
        known["loop"] /= CLEAR
    return min(known, key=known.__getitem__)


def by_form(
    program: ScalarProgram,
    machine: Machine,
    batch: int,
    looped: bool,
    behind: bool = False,
    forms: Mapping[str, Prediction] | None = None,
) -> dict[str, float]:
    """Nanoseconds by form, of the forms that the program can take there.

    Args:
      program: the program.
      machine: weights of the device.
      batch: number of points.
      looped: whether it runs in the body of a loop.
      behind: whether batch axes come behind those of the results.
      forms: predictions of the forms "plain" and "loop" where they are known.
    """
    forms = predict(program, machine, behind) if forms is None else forms
    found = {name: form.at(batch, looped) for name, form in forms.items()}
    if looped and kernel.pays(program, batch) and kernel.fits(program, batch, behind):
        found["kernel"] = kernel.predict(program, machine, batch)
    if not looped and points.fits(program, batch, behind):
        found["points"] = points.count(program, behind).at(machine, batch)
    return found
