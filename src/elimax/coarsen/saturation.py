"""Simplification by equality saturation, behind the interface of the rules (extra ``elimax[egglog]``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elimax.coarsen.arena import Arena
from elimax.coarsen.costs import cost
from elimax.coarsen.nodes import Node, reachable

ROUNDS = 3
"""Rounds of laws; the e-graph grows fast with them."""


def saturate(arena: Arena, sinks: Sequence[Node], rounds: int = ROUNDS) -> list[Node]:
    """Expressions of equal value that cost no more.

    Partials may be rewritten by every law by which elimination moves from one order to another, so they differ by
    roundings; do not give it values that have to stay as they are.

    Args:
      arena: where they live.
      sinks: the expressions.
      rounds: how long laws are applied.

    Returns:
      The expressions in a cheaper form, or as they are.

    Raises:
      ImportError: egglog is not installed.
    """
    try:
        from elimax.coarsen import egraph
    except ImportError as error:
        raise ImportError("equality saturation needs egglog: pip install 'elimax[egglog]'") from error
    if not sinks:
        return []
    nodes = reachable(sinks)
    terms: dict[int, Any] = {}
    for node in nodes:
        args = [terms[a.number] for a in node.args]
        if node.op in egraph.ARITHMETIC and node.floating:
            terms[node.number] = egraph.ARITHMETIC[node.op](*args)
        elif 0 < len(args) <= 3:
            make = (egraph.Term.one, egraph.Term.two, egraph.Term.three)[len(args) - 1]
            terms[node.number] = make(node.number, *args)
        else:
            terms[node.number] = egraph.Term(node.number)
    found = egraph.cheapest([terms[s.number] for s in sinks], rounds)
    by_number = {node.number: node for node in nodes}
    rebuilt = [_node(egraph, arena, term, by_number, {}) for term in found]
    return rebuilt if cost(rebuilt).time <= cost(sinks).time else list(sinks)


def _node(egraph: Any, arena: Arena, term: Any, by_number: dict[int, Node], known: dict[str, Node]) -> Node:
    """A term as a node; deep terms are no problem, segments are bounded."""
    text = str(term)
    if text not in known:
        name, args = egraph.taken_apart(term)
        if name == "leaf":
            known[text] = by_number[args[0]]
        elif name:
            known[text] = arena.apply(name, *(_node(egraph, arena, a, by_number, known) for a in args))
        else:
            model, *operands = args
            built = tuple(_node(egraph, arena, a, by_number, known) for a in operands)
            known[text] = arena.rebuilt(by_number[int(model)], built)
    return known[text]
