"""Lower bounds on the cost of every elimination order.

Whatever has been eliminated before a vertex ``v``, the sources of its in-edges separate it from the inputs, and the
targets of its out-edges separate it from the outputs. So eliminating ``v`` costs at least the product of the two
minimum vertex cuts, and the sum over all vertices bounds every order.

Under the executed rule a product costs nothing if a factor is a unit or both are constants. A path is variable if one
of its edges is, and no path is stronger than its edge at ``v``: the sources of variable in-edges separate ``v``
from the inputs in the graph in which only its variable in-edges are kept, and likewise for those that are not units.
"""

from __future__ import annotations

from elimax.cost.dominators import Separators
from elimax.elimination.problem import Problem
from elimax.structure.term import Kind


def least_cost(known_in: int, variable_in: int, known_out: int, variable_out: int) -> int:
    """Least cost of a vertex whose edges are bounded below.

    Args:
      known_in: number of in-edges that are no units.
      variable_in: number of in-edges that are variable, not more than ``known_in``.
      known_out: number of out-edges that are no units.
      variable_out: number of out-edges that are variable, not more than ``known_out``.

    Returns:
      The number of pairs of a non-unit in-edge and a non-unit out-edge, less the pairs of constants; it grows with
      each argument.
    """
    return known_in * known_out - (known_in - variable_in) * (known_out - variable_out)


def vertex_bounds(problem: Problem) -> dict[int, int]:
    """Least cost of each vertex to eliminate, by minimum vertex cuts of the whole graph.

    Args:
      problem: a problem; for blocks no bound is known and every entry is 0.

    Returns:
      The bounds by vertex; their sum bounds every order.
    """
    if not problem.is_scalar:
        return dict.fromkeys(problem.eliminable, 0)
    ins: list[list[int]] = [[] for _ in range(problem.num_vertices)]
    outs: list[list[int]] = [[] for _ in range(problem.num_vertices)]
    kinds: dict[tuple[int, int], int] = {}
    edges = zip(problem.sources.tolist(), problem.targets.tolist(), problem.structures.tolist(), strict=True)
    for source, target, kind in edges:
        ins[target].append(source)
        outs[source].append(target)
        kinds[source, target] = kind if problem.rule == "executed" else int(Kind.VARIABLE)
    behind = Separators(ins, frozenset(problem.inputs), range(problem.num_vertices))
    ahead = Separators(outs, frozenset(problem.outputs), range(problem.num_vertices - 1, -1, -1))
    bounds = {}
    for v in problem.eliminable:
        weak_in = [[u for u in ins[v] if kinds[u, v] >= kind] for kind in (Kind.CONSTANT, Kind.VARIABLE)]
        weak_out = [[w for w in outs[v] if kinds[v, w] >= kind] for kind in (Kind.CONSTANT, Kind.VARIABLE)]
        cut_in = _cuts(behind, weak_in)
        if cut_in[0]:
            bounds[v] = least_cost(*cut_in, *_cuts(ahead, weak_out))
        else:
            bounds[v] = 0
    return bounds


def _cuts(separators: Separators, weak: list[list[int]]) -> tuple[int, int]:
    """Cuts behind the edges of a vertex that are no units, and behind those that are variable."""
    known = separators.cut(weak[0])
    return known, known if len(weak[1]) == len(weak[0]) else separators.cut(weak[1])


def cut_bound(problem: Problem) -> int:
    """Lower bound on the cost of every order, by minimum vertex cuts of the whole graph.

    Args:
      problem: a problem.

    Returns:
      The bound; 0 for blocks.
    """
    return sum(vertex_bounds(problem).values())
