"""Where minus signs of products are taken: at a factor that many of them share.

A difference leaves a minus sign on every partial of what is subtracted. ``-(x a)``, ``-(x b)`` and ``-(x c)`` take
three negations; with ``-x`` once they take one, and every number is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from elimax.coarsen.arena import Arena
from elimax.coarsen.nodes import Node, reachable, users_of


def negatives(arena: Arena, kept: Sequence[Node], partials: Sequence[Node]) -> list[Node]:
    """Share negations among partials; values are left alone.

    Args:
      arena: where the nodes live.
      kept: the values.
      partials: the partials.
    """
    nodes = reachable([*kept, *partials])
    uses = users_of(nodes)
    for sink in (*kept, *partials):
        uses[sink.number] = uses.get(sink.number, 0) + 1
    negated = {node.args[0].number for node in nodes if node.op == "neg"}
    open_ = [node for node in nodes if node.op == "neg" and node.args[0].op == "mul" and uses[node.args[0].number] == 1]
    chosen = _chosen(open_, negated)
    if not chosen:
        return list(partials)
    new: dict[int, Node] = {}
    for node in nodes:
        args = tuple([new[a.number] for a in node.args])
        k = chosen.get(node.number)
        if k is None:
            new[node.number] = node if args == node.args else arena.raw(node.op, *args, **dict(node.params))
        else:
            factors = [new[a.number] for a in node.args[0].args]
            factors[k] = arena.raw("neg", factors[k])
            new[node.number] = arena.raw("mul", *factors)
    arena.applied["shared minus sign"] += len(chosen)
    return [new[p.number] for p in partials]


def _chosen(open_: Sequence[Node], negated: set[int]) -> dict[int, int]:
    """For negated products by number which factor is negated instead: the most common one first."""
    chosen: dict[int, int] = {}
    left = {node.number: node for node in open_}
    members: dict[int, set[int]] = {}
    for node in open_:
        for factor in node.args[0].args:
            if not factor.is_constant:
                members.setdefault(factor.number, set()).add(node.number)
    while members:
        factor = max(members, key=lambda f: (len(members[f]) + (f in negated), -f))
        group = members.pop(factor)
        if len(group) + (factor in negated) < 2:
            break
        for number in sorted(group):
            args = left[number].args[0].args
            chosen[number] = 0 if args[0].number == factor else 1
            for other in args:
                if other.number in members:
                    members[other.number].discard(number)
    return chosen
