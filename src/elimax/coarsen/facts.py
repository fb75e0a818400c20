"""What is known of the value of a node whatever the arguments are: its sign, and its size."""

from __future__ import annotations

import math

from elimax.coarsen.nodes import Node

_NONNEGATIVE = frozenset("abs exp exp2 sqrt rsqrt logistic cosh erfc acos acosh softplus".split())
_BOUNDED = {"sin": 1.0, "cos": 1.0, "tanh": 1.0, "erf": 1.0, "logistic": 1.0, "sign": 1.0, "erfc": 2.0}
_BOUNDED |= {"atan": 2.0, "asin": 2.0, "acos": 4.0, "atan2": 4.0}
_DEPTH = 8


def nonnegative(node: Node, depth: int = _DEPTH) -> bool:
    """Whether a value is NaN or not less than zero."""
    if node.is_constant:
        return bool(node.value >= 0)
    if node.op in _NONNEGATIVE:
        return True
    if node.op == "integer_pow" and node.param("y") % 2 == 0:
        return True
    if depth == 0:
        return False
    if node.op in ("add", "mul", "div", "min"):
        return all(nonnegative(a, depth - 1) for a in node.args)
    if node.op == "max":  # a NaN among the operands is the result
        return any(nonnegative(a, depth - 1) for a in node.args)
    if node.op == "select_n":
        return all(nonnegative(a, depth - 1) for a in node.args[1:])
    return False


def bound(node: Node, depth: int = _DEPTH) -> float:
    """A number that the size of a value does not exceed unless it is NaN; infinity if there is none."""
    if node.is_constant:
        return abs(float(node.value)) if node.floating and math.isfinite(node.value) else math.inf
    if node.op in _BOUNDED:
        return _BOUNDED[node.op]
    if depth == 0:
        return math.inf
    sizes = [bound(a, depth - 1) for a in node.args]
    if node.op in ("add", "sub"):
        return sum(sizes)
    if node.op == "mul":
        return sizes[0] * sizes[1] if math.inf not in sizes else math.inf
    if node.op in ("neg", "abs"):
        return sizes[0]
    if node.op in ("max", "min"):
        return max(sizes)
    if node.op == "select_n":
        return max(sizes[1:])
    if node.op == "integer_pow" and node.param("y") > 0 and sizes[0] < 1e3:
        return sizes[0] ** min(node.param("y"), 50)
    return math.inf


def moderate(value: float) -> bool:
    """Whether multiplying by a number moves exponents by no more than ten, so that only the last values overflow."""
    return 2.0**-10 <= abs(value) <= 2.0**10


def power_of_two(value: float) -> bool:
    """Whether multiplying by a number is exact."""
    return math.isfinite(value) and value != 0 and abs(math.frexp(value)[0]) == 0.5
