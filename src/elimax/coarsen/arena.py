"""Where nodes are made: equal ones once, and each in the simplest form that its rules allow.

Example:
  >>> from elimax.coarsen.arena import Arena
  >>> arena = Arena()
  >>> x = arena.variable(0, "float32")
  >>> arena.apply("mul", x, arena.constant(1, "float32")) is x
  True
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np

from elimax.coarsen.nodes import MARKS, Node
from elimax.coarsen.operations import OPERATIONS
from elimax.errors import ExpressionError

FOLDED: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}
"""Operations that every machine rounds alike, so that they can be done on constants beforehand."""

MOST_OPERATIONS = 20_000
"""Expressions with more nodes than this are not made."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """Which groups of rules an arena follows.

    Rules of the group "basic" are about zeros, ones and constants, which compilers know as well. Those of the group
    "always" give the same value up to rounding wherever the original has one. The others ask for leave:

    Attributes:
      stable: patterns that overflow or lose digits are written in their stable form: ``log(1 + exp(x))``. Where the
        original has lost its digits, so that it differs from what was written, the result is better.
      identities: laws of real numbers, which turn a NaN or an infinity among the arguments into a number:
        ``sin(x)**2 + cos(x)**2`` is 1.
      reciprocals: quotients by one denominator become products with its reciprocal, with one rounding more, for
        denominators whose reciprocal is a normal number.
      algebra: whether any but the basic rules apply.
      simplify: whether there are any rules at all; without them nodes are only shared.
    """

    stable: bool = True
    identities: bool = True
    reciprocals: bool = True
    algebra: bool = True
    simplify: bool = True

    def allow(self, group: str) -> bool:
        """Whether rules of a group apply."""
        if not self.simplify or group == "basic":
            return self.simplify
        return self.algebra and (group == "always" or getattr(self, group))


STRICT = Rules(stable=False, identities=False, reciprocals=False)
"""Nothing but what JAX itself would compute, up to rounding."""

BASIC = Rules(stable=False, identities=False, reciprocals=False, algebra=False)
"""Nothing but what compilers do."""

NONE = Rules(simplify=False)
"""No rules: nodes are shared, that is all."""


class Arena:
    """Makes nodes.

    Attributes:
      rules: which rules apply.
      applied: how often each rule did, by name.
      nodes: every node, by number.
      marked: whether any of them is a mark.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        from elimax.coarsen.rules import select

        self.rules = Rules() if rules is None else rules
        self.applied: Counter[str] = Counter()
        self.nodes: list[Node] = []
        self.marked = False
        self._interned: dict[Any, Node] = {}
        self._simplified: dict[Any, Node] = {}
        self._rules = select(self.rules)

    def variable(self, name: int | str, dtype: Any) -> Node:
        """The variable of a name, known at run time."""
        return self._intern("variable", (("name", name),), (), np.dtype(dtype))

    def constant(self, value: Any, dtype: Any) -> Node:
        """A known number."""
        dtype = np.dtype(dtype)
        array = np.asarray(value).astype(dtype)
        return self._intern("constant", (("bits", array.tobytes()),), (), dtype, array[()])

    def mark(self, op: str, *args: Node) -> Node:
        """One of the marks in `elimax.coarsen.nodes`."""
        self.marked = True
        return self._intern(op, (), args, args[0].dtype)

    def find(self, op: str, *args: Node, **params: Any) -> Node | None:
        """A node if it is there already."""
        key, _ = _key(op, tuple(sorted(params.items())), args)
        return self._interned.get(key)

    def raw(self, op: str, *args: Node, **params: Any) -> Node:
        """A node as it is, by no rule but the order of operands.

        Raises:
          ExpressionError: there is no such operation, or there are too many nodes.
        """
        given = tuple(sorted(params.items())) if params else ()
        key, args = _key(op, given, args)
        return self._interned.get(key) or self._make(key, op, given, args, result_dtype(op, given, args))

    def apply(self, op: str, *args: Node, **params: Any) -> Node:
        """A node in the simplest form that the rules find.

        Raises:
          ExpressionError: there is no such operation, or there are too many nodes.
        """
        given: tuple[tuple[str, Any], ...] = ()
        if params:
            given = tuple(sorted(params.items())) if len(params) > 1 else tuple(params.items())
        key, args = _key(op, given, args)
        known = self._simplified.get(key)
        if known is None:
            known = self._simplified[key] = self._apply(key, op, given, args, params)
        return known

    def rebuilt(self, node: Node, args: tuple[Node, ...]) -> Node:
        """A node with other operands."""
        if node.op in MARKS:
            return self.mark(node.op, *args)
        return self.apply(node.op, *args, **dict(node.params)) if args else self.same(node)

    def same(self, node: Node) -> Node:
        """The variable or constant of another arena in this one."""
        return self._intern(node.op, node.params, (), node.dtype, node.value)

    def _apply(
        self, key: Any, op: str, given: tuple[tuple[str, Any], ...], args: tuple[Node, ...], params: dict[str, Any]
    ) -> Node:
        if self.rules.simplify and op in FOLDED:
            for a in args:
                if a.op != "constant":
                    break
            else:
                folded = self._folded(op, args)
                if folded is not None:
                    return folded
        for rule in self._rules.find(op, args):
            found = rule.rewrite(self, op, args, params)
            if found is not None:
                self.applied[rule.name] += 1
                return found
        return self._interned.get(key) or self._make(key, op, given, args, result_dtype(op, given, args))

    def _folded(self, op: str, args: tuple[Node, ...]) -> Node | None:
        """An operation on constants done beforehand."""
        if any(a.floating and a.dtype.itemsize < 4 for a in args):
            return None
        with np.errstate(all="ignore"):
            return self.constant(FOLDED[op](*(a.value for a in args)), result_dtype(op, (), args))

    def _intern(self, op: str, params: Any, args: tuple[Node, ...], dtype: np.dtype, value: Any = None) -> Node:
        key = (op, params, *(a.number for a in args)) if args else (op, params, dtype)
        return self._interned.get(key) or self._make(key, op, params, args, dtype, value)

    def _make(self, key: Any, op: str, params: Any, args: tuple[Node, ...], dtype: np.dtype, value: Any = None) -> Node:
        if len(self.nodes) >= MOST_OPERATIONS:
            raise ExpressionError(
                f"an expression has more than {MOST_OPERATIONS:,} operations; take a smaller part of the program"
            )
        node = self._interned[key] = Node(len(self.nodes), op, params, args, dtype, value)
        self.nodes.append(node)
        return node


_COMMUTATIVE = frozenset(name for name, operation in OPERATIONS.items() if operation.commutative)
_LAST = frozenset(name for name, operation in OPERATIONS.items() if operation.result == "same" and name != "pow")
"""Operations whose result has the dtype of the last operand."""


def _key(op: str, params: tuple[tuple[str, Any], ...], args: tuple[Node, ...]) -> tuple[Any, Any]:
    """What tells a node from others, and its operands in their order."""
    if len(args) == 2:
        x, y = args
        if x.number > y.number and op in _COMMUTATIVE:
            return (op, params, y.number, x.number), (y, x)
        return (op, params, x.number, y.number), args
    if len(args) == 1:
        return (op, params, args[0].number), args
    return (op, params, *(a.number for a in args)), args


def result_dtype(op: str, params: tuple[tuple[str, Any], ...], args: tuple[Node, ...]) -> np.dtype:
    """Dtype of an operation's result.

    Raises:
      ExpressionError: there is no such operation.
    """
    if op in _LAST:
        return args[-1].dtype
    found = OPERATIONS.get(op)
    if found is None:
        raise ExpressionError(f"expressions have no operation {op!r}; they have {', '.join(sorted(OPERATIONS))}")
    if found.result == "bool":
        return np.dtype(np.bool_)
    return np.dtype(dict(params)["new_dtype"]) if found.result == "given" else args[0].dtype
