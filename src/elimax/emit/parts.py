"""Programs with staged programs in them: what they take if each of these gets a form of its own.

A turn of a loop may hold the staged program of a Jacobian. In the plain form of the turn that program is emitted in the
form that suits it best, and the operations around it one by one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from elimax._jax import trace
from elimax._jax.program import bind
from elimax._jax.replaced import walked
from elimax._jax.staged import NAME as STAGED
from elimax._jax.staged import expanded
from elimax.emit.counting import lone
from elimax.emit.model import Machine
from elimax.emit.scalarise import scalarise
from elimax.emit.scalars import ScalarProgram
from elimax.emit.times import by_form


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """A program in parts.

    Attributes:
      inner: its staged programs.
      rest: the program around them; their results are arguments of it.
    """

    inner: tuple[ScalarProgram, ...]
    rest: ScalarProgram

    def are_plain(self, machine: Machine, batch: int, looped: bool) -> bool:
        """Whether the plain form suits each of the staged programs best: the whole is then a plain program."""
        return all(_best(own, machine, batch, looped)[0] == "plain" for own in self.inner)

    def at(self, machine: Machine, batch: int, looped: bool) -> float:
        """Nanoseconds for a batch, alone or in the body of a loop that carries each of the results.

        Args:
          machine: weights of the device.
          batch: number of points.
          looped: whether it runs in the body of a loop.
        """
        inner = sum(_best(own, machine, batch, looped)[1] for own in self.inner)
        carried = machine.start * lone(self.rest) if looped else 0.0
        # results of a staged program are counted where they are written; they are near when they are read
        read = sum(
            ids.size * (machine.element_64 if own.dtypes[int(ids.flat[0])].itemsize == 8 else machine.element_32)
            for own in self.inner
            for ids in own.outputs
            if ids.size
        )
        around = by_form(self.rest, machine, batch, looped)["plain"]
        return inner + max(0.0, around - batch * read) + carried


def _best(program: ScalarProgram, machine: Machine, batch: int, looped: bool) -> tuple[str, float]:
    """The form that is predicted to be the fastest, and its nanoseconds."""
    times = by_form(program, machine, batch, looped)
    return min(times.items(), key=lambda item: item[1])


def parts(closed: Any) -> Parts | None:
    """The parts of a closed jaxpr; None if there is no staged program in it, or a part is not one on scalars."""
    equations = [e for e in closed.jaxpr.eqns if e.primitive.name == STAGED]
    if not equations:
        return None
    inner = [scalarise(expanded(e.params, [atom.aval for atom in e.invars])) for e in equations]
    count = len(closed.in_avals)

    def rest(*args: Any) -> list[Any]:
        found = iter(args[count:])

        def evaluate(equation: Any, operands: list[Any]) -> list[Any]:
            if equation.primitive.name == STAGED:
                return [next(found) for _ in equation.outvars]
            return bind(equation)(*operands)

        return walked(closed, args[:count], evaluate)

    made = [v.aval for e in equations for v in e.outvars]
    around = scalarise(trace(rest, [*closed.in_avals, *made]))
    if around is None or any(own is None for own in inner):
        return None
    return Parts(tuple(own for own in inner if own is not None), around)
