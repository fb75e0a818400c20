"""Predicted times of all forms of a program at one place."""

from __future__ import annotations

from elimax.emit import kernel
from elimax.emit.counting import predict
from elimax.emit.model import Machine
from elimax.emit.scalars import ScalarProgram


def by_form(
    program: ScalarProgram, machine: Machine, batch: int, looped: bool, behind: bool = False
) -> dict[str, float]:
    """Nanoseconds by form, of the forms that the program can take there.

    Args:
      program: the program.
      machine: weights of the device.
      batch: number of points.
      looped: whether it runs in the body of a loop.
      behind: whether batch axes come behind those of the results.
    """
    found = {name: form.at(batch, looped) for name, form in predict(program, machine).items()}
    if looped and kernel.pays(program, batch) and kernel.fits(program, batch, behind):
        found["kernel"] = kernel.predict(program, machine, batch)
    return found
