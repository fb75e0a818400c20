"""What a body does to one carry, elementwise: a c + b, or a c^e, where a, b and e do not depend on the carry c."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from elimax._jax import Equation
from elimax.coarsen.loops.carries import Open, Stepwise, apply


@dataclasses.dataclass(frozen=True, eq=False)
class Form:
    """a c^e + b for a carry c.

    Attributes:
      carry: description of c.
      factor: a, of the shape of c or a scalar; None for 1.
      shift: b, likewise; None for 0, and always None if e > 1.
      exponent: e, at least 1.
    """

    carry: Any
    factor: Stepwise | None = None
    shift: Stepwise | None = None
    exponent: int = 1

    def number(self, value: int) -> Stepwise:
        """A number of the carry's dtype."""
        return Stepwise(np.full((), value, self.carry.dtype), False)

    @property
    def slope(self) -> Stepwise:
        """a, written out."""
        return self.number(1) if self.factor is None else self.factor

    @property
    def rest(self) -> Stepwise:
        """b, written out."""
        return self.number(0) if self.shift is None else self.shift


Operand = Form | Stepwise


def of_equation(equation: Equation, operands: Sequence[Operand], aval: Any, carry: Any) -> Form:
    """The form of an equation's result.

    Args:
      equation: the equation.
      operands: forms, or values that do not depend on the carry; at least one is a form.
      aval: description of the result.
      carry: description of the carry.

    Raises:
      Open: if the result has no such form.
    """
    rule = _RULES.get(equation.name)
    fits = len(equation.outputs) == 1 and tuple(aval.shape) == tuple(carry.shape) and aval.dtype == carry.dtype
    found = rule(equation, operands) if rule is not None and fits else None
    if not isinstance(found, Form):
        raise Open(f"{equation.name} of the carry")
    return found


def _plus(x: Operand, y: Operand) -> Operand | None:
    if isinstance(x, Stepwise):
        x, y = y, x
    if not isinstance(x, Form) or x.exponent != 1:
        return None
    if isinstance(y, Stepwise):
        return dataclasses.replace(x, shift=y if x.shift is None else apply(operator.add, x.shift, y))
    if y.exponent != 1:
        return None
    shift = x.shift if y.shift is None else y.shift if x.shift is None else apply(operator.add, x.shift, y.shift)
    return Form(x.carry, apply(operator.add, x.slope, y.slope), shift)


def _negated(x: Operand) -> Operand:
    if isinstance(x, Stepwise):
        return apply(operator.neg, x)
    shift = None if x.shift is None else apply(operator.neg, x.shift)
    return Form(x.carry, apply(operator.neg, x.slope), shift, x.exponent)


def _minus(x: Operand, y: Operand) -> Operand | None:
    return _plus(x, _negated(y))


def _times(x: Operand, y: Operand) -> Operand | None:
    if isinstance(x, Stepwise):
        x, y = y, x
    if not isinstance(x, Form):
        return None
    if isinstance(y, Stepwise):
        return _scaled(operator.mul, x, y)
    if x.shift is not None or y.shift is not None:
        return None
    factor = None if x.factor is None and y.factor is None else apply(operator.mul, x.slope, y.slope)
    return Form(x.carry, factor, None, x.exponent + y.exponent)


def _scaled(fun: Callable[..., Any], x: Form, y: Stepwise) -> Form:
    shift = None if x.shift is None else apply(fun, x.shift, y)
    return Form(x.carry, apply(fun, x.slope, y), shift, x.exponent)


def _over(x: Operand, y: Operand) -> Operand | None:
    return _scaled(operator.truediv, x, y) if isinstance(x, Form) and isinstance(y, Stepwise) else None


def _whole_power(equation: Equation, operands: Sequence[Operand]) -> Operand | None:
    x, y = operands[0], equation.params.get("y", 2)
    if not isinstance(x, Form) or x.shift is not None or y < 1:
        return None
    factor = None if x.factor is None else apply(lambda v: v**y, x.factor)
    return Form(x.carry, factor, None, x.exponent * y)


def _chosen(equation: Equation, operands: Sequence[Operand]) -> Operand | None:
    """Branches that leave the carry's factor alone: among the shifts is chosen."""
    which, *cases = operands
    forms = [c for c in cases if isinstance(c, Form) and c.exponent == 1 and c.factor is None]
    if isinstance(which, Form) or len(forms) < len(cases):
        return None
    carry = forms[0].carry
    if all(form.shift is None for form in forms):
        return Form(carry)
    whole = lambda x: jnp.broadcast_to(x, carry.shape)  # noqa: E731
    shifts = [apply(whole, form.rest) for form in forms]
    return Form(carry, None, apply(lambda *xs: equation.call(*xs)[0], which, *shifts))


_RULES: dict[str, Callable[[Equation, Sequence[Operand]], Operand | None]] = {
    **dict.fromkeys(("add", "add_any"), lambda _, xs: _plus(*xs)),
    **dict.fromkeys(("convert_element_type", "copy", "copy_p"), lambda _, xs: xs[0]),
    **dict.fromkeys(("square", "integer_pow"), _whole_power),
    "sub": lambda _, xs: _minus(*xs),
    "mul": lambda _, xs: _times(*xs),
    "div": lambda _, xs: _over(*xs),
    "neg": lambda _, xs: _negated(xs[0]),
    "select_n": _chosen,
}
