"""Which form of a small program is emitted where."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from jax.core import Tracer

from elimax._jax.staged import Form, Place, is_local, lift, stage
from elimax.emit import kernel, points
from elimax.emit.counting import moved, predict, recomputes
from elimax.emit.loop import loop
from elimax.emit.machines import current
from elimax.emit.parts import Parts, parts
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram
from elimax.emit.times import by_form, preferred
from elimax.emit.vectorise import vectorise

FORMS = ("auto", "plain", "loop", "kernel", "points")
"""What callers can ask for."""

LAYOUTS = ("batch-first", "batch-last")
"""Where results have the axes of the batch."""

OPERATIONS = 100
"""Operations in the body of the loop for each function that is replaced by arithmetic."""


def staged_call(
    name: str,
    closed: Any,
    args: Sequence[Any],
    form: str,
    layout: str,
    elementary: str = "exact",
    is_turn: bool = False,
) -> list[Any] | None:
    """Emit a program in the form that suits the place where it will run.

    Args:
      name: of the program, for people.
      closed: its closed jaxpr.
      args: its arguments.
      form: one of `FORMS`.
      layout: one of `LAYOUTS`.
      elementary: one of `elimax.emit.ELEMENTARY`.
      is_turn: whether it is a turn of a loop, which carries its results; there may be programs in it that get a form
        of their own if it is plain.

    Returns:
      Its results, or None where there is no choice: nothing is traced, arguments are spread over a mesh, or the
      program is not one on scalars.
    """
    closed, operands = lift(closed, args)
    if not any(isinstance(x, Tracer) for x in operands) or not all(map(is_local, operands)):
        return None
    if any(0 in aval.shape for aval in closed.out_avals):
        return None
    program = scalarise(closed)
    if program is None or not program.computed:
        return None
    batch_last = layout == LAYOUTS[1]

    def narrow(some: Any) -> Any:
        """The choice for some of the results; where they have no operations the plain form will do."""
        found = scalarise(some)
        return functools.partial(choose, found, form, elementary) if found is not None and found.computed else None

    inner = parts(closed) if is_turn and form == "auto" else None
    own = functools.partial(choose, program, form, elementary, is_turn=is_turn, parts=inner)
    return stage(name, closed, own, operands, batch_last=batch_last, narrow=narrow)


def choose(
    program: ScalarProgram,
    form: str,
    elementary: str,
    place: Place,
    is_part: bool = False,
    is_turn: bool = False,
    parts: Parts | None = None,
) -> Form | None:
    """The form of a program for a place; None for the plain one.

    Args:
      program: the program.
      form: one of `FORMS`.
      elementary: one of `elimax.emit.ELEMENTARY`.
      place: where it runs.
      is_part: whether its results are read by the rest of a larger program, into which the plain form is joined.
      is_turn: whether it is a turn of a loop, which carries its results.
      parts: of its plain form, if there are staged programs in it.
    """
    batch, behind = math.prod(place.sizes), bool(place.batch) and place.batch_last
    if batch == 0 or form == "plain" or (form == "auto" and place.platform != "cpu"):
        return None
    if form == "auto":
        machine = current()
        forms = predict(program, machine, behind)
        if is_part:
            forms["plain"] = forms["plain"].joined(len(program.outputs))
        if is_turn:
            forms["loop"] = forms["loop"].carried()
        are_plain = parts is not None and parts.are_plain(machine, batch, place.looped)
        if parts is not None and are_plain:
            forms["plain"] = forms["plain"].around(predict(own, machine)["plain"] for own in parts.inner)
        times = by_form(program, machine, batch, place.looped, behind, forms)
        if parts is not None and not are_plain:
            times["plain"] = parts.at(machine, batch, place.looped)
        parted = 2 * batch * moved(program, machine) if is_part else 0.0
        times["loop"] += parted
        if is_part or place.spread:  # a rest that is not short is fused with the plain form
            times.pop("points", None)
        if elementary == "vector":
            vector, _ = vectorise(program)
            replaced = sum(old is not new for old, new in zip(program.steps, vector.steps, strict=True))
            time = predict(vector, machine, behind)["loop"].at(batch, place.looped) + parted
            time += 0.0 if place.looped else OPERATIONS * replaced * machine.operation
            elementary = "vector" if time < times["loop"] else "exact"
            times["loop"] = min(time, times["loop"])
        shared = recomputes({name: form.counts for name, form in forms.items()})
        form = preferred(times, shared or place.looped)
        if form == "plain":
            return None
    masks = [mask for _, mask in reversed(place.batch)]
    if form == "kernel" and kernel.fits(program, batch, behind):
        return kernel.kernel(program, place.sizes, masks, place.platform)
    # no kernel exchanges parts of arrays with other devices
    if form == "points" and not place.spread and points.fits(program, batch, behind):
        return points.points(program, place.sizes, masks, place.batch_last, place.platform, place.given)
    return loop(program, place.sizes, masks, place.batch_last, elementary)
