"""Lower bounds on the cost of every elimination order.

Whatever has been eliminated before a vertex ``v``, the sources of its in-edges separate it from the inputs, and the
targets of its out-edges separate it from the outputs. So eliminating ``v`` costs at least the product of the two
minimum vertex cuts, and the sum over all vertices bounds every order.

Under the executed rule a product costs nothing if a factor is a unit or both are constants. A path is variable if one
of its edges is, and no path is stronger than its edge at ``v``: the sources of variable in-edges separate ``v``
from the inputs in the graph in which only its variable in-edges are kept, and likewise for those that are not units.
"""

from __future__ import annotations

from elimax.cost.cuts import vertex_cut
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
    inputs, outputs = frozenset(problem.inputs), frozenset(problem.outputs)
    bounds = {}
    for v in problem.eliminable:
        weak_in = [[u for u in ins[v] if kinds[u, v] >= kind] for kind in (Kind.CONSTANT, Kind.VARIABLE)]
        weak_out = [[w for w in outs[v] if kinds[v, w] >= kind] for kind in (Kind.CONSTANT, Kind.VARIABLE)]
        cut_in = _cuts(ins, weak_in, inputs)
        if cut_in[0]:
            bounds[v] = least_cost(*cut_in, *_cuts(outs, weak_out, outputs))
        else:
            bounds[v] = 0
    return bounds


def _cuts(edges: list[list[int]], weak: list[list[int]], ends: frozenset[int]) -> tuple[int, int]:
    """Cuts behind the edges of a vertex that are no units, and behind those that are variable."""
    known = vertex_cut(edges, weak[0], ends, len(weak[0]))
    variable = known if len(weak[1]) == len(weak[0]) else vertex_cut(edges, weak[1], ends, len(weak[1]))
    return known, variable


def cut_bound(problem: Problem) -> int:
    """Lower bound on the cost of every order, by minimum vertex cuts of the whole graph.

    Args:
      problem: a problem.

    Returns:
      The bound; 0 for blocks.
    """
    return sum(vertex_bounds(problem).values())
