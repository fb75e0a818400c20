"""Which entries of a Jacobian may differ from zero, from structure alone.

Elimination on structures gives the blocks that elimination on values would leave. An operation that JAX differentiates
is dense to elimination; here the bodies of loops, branches and linear solves are looked into, so that the pattern is
sharper: a loop over elementwise operations has a diagonal Jacobian. Rules that users wrote are taken at their word,
not at that of the program they stand for, and stay dense.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from elimax._jax import Equation
from elimax._jax.loops import Loop, read_loop
from elimax._jax.program import nested, subprograms
from elimax.elimination.steps import Step
from elimax.execute.modes import MOST_PRODUCTS, products
from elimax.execute.remaining import MOST_ENTRIES, remaining
from elimax.graph.types import Graph
from elimax.order import search
from elimax.partials.build import Linearisation, linearise
from elimax.partials.opaque import Opaque
from elimax.structure.algebra import as_terms
from elimax.structure.dense_scatter import flat_positions
from elimax.structure.term import IndexTable, Kind, Operator, Structure, Table, Term

Matrix = Any
"""A `scipy.sparse.csr_array` of booleans."""

Blocks = list[list[Matrix | None]]
"""Patterns [result size, argument size] by result and argument; None where nothing is known."""


def blocks(lin: Linearisation, order: Sequence[Step]) -> Blocks:
    """Patterns of all blocks of a Jacobian.

    Args:
      lin: the linearised program.
      order: of its elimination.
    """
    left = remaining(sharpened(lin), order)
    number = {full: vertex for vertex, full in enumerate(lin.full_vertices)}
    shapes = [vertex.shape for vertex in lin.graph.vertices]
    found: Blocks = []
    for ref, output in zip(lin.program.outputs, lin.outputs, strict=False):
        row: list[Matrix | None] = []
        out_shape = lin.program.values[ref.value].shape
        for source in lin.inputs:
            in_shape = shapes[number[source]]
            size = math.prod(out_shape), math.prod(in_shape)
            if output is None:
                row.append(sp.csr_array(size, dtype=bool))
            elif output == source:
                row.append(sp.eye_array(size[0], dtype=bool, format="csr"))
            else:
                row.append(_matrix(left.get((number[source], number[output]), ()), out_shape, in_shape))
        found.append(row)
    return found


def sharpened(lin: Linearisation) -> Graph:
    """The graph with patterns in place of operators, where they are sparse."""
    edges = list(lin.graph.edges)
    for k, edge in enumerate(edges):
        if not isinstance(edge.structure, Operator):
            continue
        contribution = lin.contributions[(lin.full_vertices[edge.source], lin.full_vertices[edge.target])]
        step = contribution.sources[0][0]
        assert step is not None
        equation, local = lin.steps[step]
        assert isinstance(local, Opaque)
        matrix = _operator(equation, local, lin)
        if matrix is not None and matrix.nnz < edge.structure.out_size * edge.structure.in_size:
            edges[k] = dataclasses.replace(edge, structure=_structure(matrix))
    return dataclasses.replace(lin.graph, edges=tuple(edges))


def _structure(matrix: Matrix) -> tuple[Term, ...]:
    """A static pattern as the structure of a partial between flat vectors."""
    if not matrix.nnz:
        return ()
    entries = matrix.tocoo()
    rows, columns = (Table(0, IndexTable(index)) for index in (entries.row, entries.col))
    return (Term((matrix.nnz,), (rows,), (columns,), (0,), Kind.VARIABLE),)


def _matrix(structure: Structure, out_shape: tuple[int, ...], in_shape: tuple[int, ...]) -> Matrix | None:
    terms = as_terms(structure)
    size = math.prod(out_shape), math.prod(in_shape)
    if 0 in size:
        terms = ()
    if sum(term.num_entries for term in terms) > MOST_ENTRIES:
        return None
    ranges = [(0, n) for n in (*out_shape, *in_shape)]
    flat = np.concatenate([np.zeros(0, np.int64), *(flat_positions(term, ranges) for term in terms)])
    return _csr(flat // max(1, size[1]), flat % max(1, size[1]), size)


def _csr(rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> Matrix:
    return sp.csr_array((np.ones(rows.size, bool), (rows, columns)), shape=size)


def _operator(equation: Equation, local: Opaque, lin: Linearisation) -> Matrix | None:
    """Pattern of an operator from the active operands to the active results, both joined; None if it is dense."""
    values = lin.program.values
    ins = [values[r.value] for r in equation.inputs]
    try:
        loop = read_loop(equation.name, equation.params)
        if loop is not None:
            found = _while(loop, [math.prod(v.shape) for v in ins]) if loop.length is None else _scan(loop)
        elif equation.name == "cond":
            found = _branches(equation)
        elif equation.name == "custom_linear_solve":
            found = _solve(equation, [math.prod(v.shape) for v in ins])
        else:
            return None
    except _TooDense:
        return None
    picked = [[found[o][i] for i in local.operands] for o in local.outputs]
    return sp.block_array(picked, format="csr")


class _TooDense(Exception):
    """A pattern is unknown or would have too many entries."""


Matrices = list[list[Matrix]]


def _body(closed: Any) -> Matrices:
    """Patterns of a nested program by result and argument; those of integers are empty."""
    avals = [*closed.in_avals]
    active = [np.issubdtype(np.dtype(a.dtype), np.inexact) if _plain(a) else False for a in avals]
    sizes = [math.prod(a.shape) for a in avals]
    lin = linearise(closed, active)
    places = [k for k, r in enumerate(lin.program.inputs) if r.vertex is not None]
    order = search(lin.graph, "reverse").vertices
    if products(lin.graph, order) > MOST_PRODUCTS:
        raise _TooDense
    found = blocks(lin, order)
    matrices: Matrices = []
    for aval, row in zip(closed.out_avals, found, strict=True):
        full = [sp.csr_array((math.prod(aval.shape), size), dtype=bool) for size in sizes]
        for place, matrix in zip(places, row, strict=True):
            if matrix is None:
                raise _TooDense
            full[place] = matrix
        matrices.append(full)
    return matrices


def _plain(aval: Any) -> bool:
    """Whether a value has a dtype of NumPy: random keys have not."""
    return isinstance(getattr(aval, "dtype", None), np.dtype)


def _joined(matrices: Sequence[Sequence[Matrix]], heights: Sequence[int], widths: Sequence[int]) -> Matrix:
    """Blocks put together, the sizes given for the case that there are none."""
    if not heights or not widths:
        return sp.csr_array((sum(heights), sum(widths)), dtype=bool)
    return sp.block_array([list(row) for row in matrices], format="csr")


def _checked(matrix: Matrix) -> Matrix:
    if matrix.nnz > MOST_ENTRIES:
        raise _TooDense
    return matrix


def _closure(step: Matrix, turns: int | None) -> Matrix:
    """What a value depends on after at most so many turns: the union of the powers of a pattern, that of zero included.

    Squaring doubles the number of turns; it ends early when nothing new is found.
    """
    reach = (sp.eye_array(step.shape[0], dtype=bool, format="csr") + step).tocsr()
    done = 1
    while turns is None or done < turns:
        further = _checked((reach @ reach).tocsr())
        if further.nnz == reach.nnz:
            break
        reach, done = further, 2 * done
    return reach if turns is None or turns > 0 else sp.eye_array(step.shape[0], dtype=bool, format="csr")


def _while(loop: Loop, widths: Sequence[int]) -> Matrices:
    conditions, constants = loop.num_cond, loop.num_consts
    found = _body(loop.body)
    sizes = [row[0].shape[0] for row in found] if found and found[0] else []
    own = [[row[constants + k] for k in range(len(found))] for row in found]
    reach = _closure(_joined(own, sizes, sizes), None)
    widths = [*widths[: conditions + constants]]
    own_constants = _joined([row[:constants] for row in found], sizes, widths[conditions:])
    from_constants = _checked((reach @ own_constants).tocsr())
    both = sp.hstack([_zeros(sum(sizes), sum(widths[:conditions])), from_constants, reach], format="csr")
    return [_split(rows, [*widths, *sizes]) for rows in _rows(both, sizes)]


def _zeros(height: int, width: int) -> Matrix:
    return sp.csr_array((height, width), dtype=bool)


def _rows(matrix: Matrix, heights: Sequence[int]) -> list[Matrix]:
    bounds = np.cumsum([0, *heights])
    return [matrix[a:b] for a, b in itertools.pairwise(bounds)]


def _split(matrix: Matrix, widths: Sequence[int]) -> list[Matrix]:
    bounds = np.cumsum([0, *widths])
    columns = matrix.tocsc()
    return [columns[:, a:b].tocsr() for a, b in itertools.pairwise(bounds)]


def _union(a: Matrix, b: Matrix) -> Matrix:
    return (a + b).tocsr()


def _branches(equation: Equation) -> Matrices:
    found = [_body(branch) for branch in nested(equation)]
    united = [[functools.reduce(_union, same) for same in zip(*rows, strict=True)] for rows in zip(*found, strict=True)]
    return [[_zeros(row[0].shape[0] if row else 0, 1), *row] for row in united]


def _solve(equation: Equation, widths: Sequence[int]) -> Matrices:
    """A linear solve depends on the right-hand side, and on the matrix through its product with the solution.

    The powers of a matrix hold the pattern of its inverse; a solver that iterates gives another one, however close.
    """
    lengths, jaxprs = equation.params["const_lengths"], equation.params["jaxprs"]
    matvec, num_matvec = _body(jaxprs.matvec), lengths.matvec
    heights = [row[0].shape[0] for row in matvec]
    product = _joined([row[num_matvec:] for row in matvec], heights, heights)
    if {"while", "scan"} & {name for names in subprograms({"solve": jaxprs.solve}) for name in names}:
        inverse = _joined([row[lengths.solve :] for row in _body(jaxprs.solve)], heights, heights)
    else:
        inverse = _closure(product, None)
    outer = _joined([row[:num_matvec] for row in matvec], heights, widths[:num_matvec])
    unused = _zeros(sum(heights), sum(widths[num_matvec : -len(heights)]))
    columns = [_checked((inverse @ outer).tocsr()), unused, inverse]
    return [_split(rows, widths) for rows in _rows(sp.hstack(columns, format="csr"), heights)]


def _scan(loop: Loop) -> Matrices:
    """A loop with a known number of turns; operands are constants, carried values and slices, in this order."""
    closed, length, num_carried = loop.body, loop.length or 0, loop.num_carried
    found = _body(closed)
    sizes = [math.prod(a.shape) for a in closed.in_avals]
    heights = [math.prod(a.shape) for a in closed.out_avals]
    first, last = loop.num_consts, loop.num_consts + num_carried
    constants, carried, slices = sizes[:first], sizes[first:last], sizes[last:]

    def part(rows: slice, columns: slice) -> Matrix:
        return _joined([row[columns] for row in found[rows]], heights[rows], sizes[columns])

    of_carry, of_stack = slice(0, num_carried), slice(num_carried, None)
    to_constants, to_carry, to_slices = slice(0, first), slice(first, last), slice(last, None)
    step = part(of_carry, to_carry)
    reach = _closure(step, max(0, length - 1))
    again = [reach @ part(of_carry, to_constants), step @ reach if length else reach, reach @ part(of_carry, to_slices)]
    stacked = part(of_stack, to_carry) @ reach
    later = stacked @ part(of_carry, to_slices)  # on slices of earlier turns
    direct = part(of_stack, to_constants) + stacked @ part(of_carry, to_constants)
    if length * (again[2].nnz + stacked.nnz + direct.nnz) + length**2 * later.nnz > 2 * MOST_ENTRIES:
        raise _TooDense
    turn = sp.eye_array(length, dtype=bool, format="csr")
    earlier = np.tri(length, k=-1, dtype=bool) if later.nnz else np.zeros((length, length), bool)
    before = sp.csr_array(earlier.T if loop.reverse else earlier)
    row_of_ones, column_of_ones = np.ones((1, length), bool), np.ones((length, 1), bool)
    result: Matrices = []
    finals = [_rows(m.tocsr(), carried) for m in again]
    for k in range(num_carried):
        wide = [sp.kron(row_of_ones, m, format="csr") for m in _split(finals[2][k], slices)]
        result.append([*_split(finals[0][k], constants), *_split(finals[1][k], carried), *wide])
    tops = [_rows(m.tocsr(), heights[num_carried:]) for m in (direct, stacked, part(of_stack, to_slices), later)]
    for k in range(len(heights) - num_carried):
        fixed = [*_split(tops[0][k], constants), *_split(tops[1][k], carried)]
        tall = [sp.kron(column_of_ones, m, format="csr") for m in fixed]
        pairs = zip(_split(tops[2][k], slices), _split(tops[3][k], slices), strict=True)
        both = [(sp.kron(turn, own) + sp.kron(before, past)).tocsr() for own, past in pairs]
        result.append([*tall, *both])
    return result
