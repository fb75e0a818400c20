"""Loops over records: what a body reads of many records by way of a few numbers is compressed before the loop.

A body that computes residuals r = M c + m of many records from a few varying numbers c, and reads them through sums
alone (r . r, U^T r), reads them through the products of the columns of [M, m, U] with each other. With R from the QR
decomposition of these columns, r . r is |R_M c + R_m|^2, and U^T r is R_U^T (R_M c + R_m): as many rows as columns in
place of the records. R comes from columns that differ from the given ones by rounding, so that sums of squares stay
so and small residuals stay small, where R^T R, the products themselves, would lose half of the digits (Golub and Van
Loan, Matrix Computations, 5.3; Bjoerck, Numerical Methods for Least Squares Problems, 2.2).

Derivatives by the records, of which R need not have any where columns depend on each other, come from the products:
they are added with a value of zero, and are polynomials.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from elimax._jax import Equation, Program
from elimax.coarsen.loops.carries import Open
from elimax.coarsen.loops.joints import Joint, Sink, read

_product = functools.partial(jnp.matmul, precision="highest")

COMPRESSED = "records compressed"
"""The rule, in words."""

MOST_COLUMNS = 160
"""Columns that are decomposed together."""

ROWS = 4
"""Records for each column, at least."""


def compressed_body(body: Program, consts: Sequence[Any], init: Sequence[Any]) -> Callable[..., list[Any]]:
    """A loop's body that reads no records, which have been compressed here, outside of it.

    Args:
      body: flat program from constants, carries and slices to carries and stacked results.
      consts: values of the constants.
      init: carries before the first turn.

    Returns:
      A function from carries and slices, as two lists, to the results of the body.

    Raises:
      Open: if the body reads nothing that can be compressed, or reads more of it.
    """
    inputs = [r.value for r in body.inputs]
    known = dict(zip(inputs, consts, strict=False))
    carries = inputs[len(consts) : len(consts) + len(init)]
    known.update(
        (carry, start) for carry, start, end in zip(carries, init, body.outputs, strict=False) if end.value == carry
    )
    found = read(body, known)
    fixed = _Fixed(body, known)
    matrices = _decomposed(found.joints, found.sinks, fixed)

    def turn(state: Sequence[Any], slices: Sequence[Any]) -> list[Any]:
        env: dict[int, Any] = {r.value: x for r, x in zip(body.inputs[len(consts) :], (*state, *slices), strict=True)}
        get = lambda v: env[v] if v in env else fixed(v)  # noqa: E731
        places: dict[int, Any] = {}

        def place(joint: Joint) -> Any:
            """The numbers that a joint is made from, and one for what is added."""
            if joint.value not in places:
                parts = [jnp.ravel(get(b)) for b in joint.bases]
                places[joint.value] = jnp.concatenate([*parts, jnp.ones(1, joint.dtype)])
            return places[joint.value]

        for step in found.steps:
            if isinstance(step, Equation):
                results = step.call(*(get(r.value) for r in step.inputs))
                env.update((r.value, x) for r, x in zip(step.outputs, results, strict=True))
            else:
                env[step.value] = matrices[step.value](place, get)
        return [get(r.value) for r in body.outputs]

    return turn


class _Fixed:
    """Values of a body that are the same at every turn, evaluated where they are wanted."""

    def __init__(self, body: Program, inputs: dict[int, Any]):
        self._known: dict[int, Any] = {**body.constants, **inputs}
        self._producer = {r.value: e for e in body.equations for r in e.outputs}

    def __call__(self, number: int) -> Any:
        if number not in self._known:
            equation = self._producer[number]
            results = equation.call(*(self(r.value) for r in equation.inputs))
            self._known.update((r.value, x) for r, x in zip(equation.outputs, results, strict=True))
        return self._known[number]


Emit = Callable[[Callable[[Joint], Any], Callable[[int], Any]], Any]
"""The value of a sink, given the numbers that joints are made from, and other values of the turn."""


def _decomposed(joints: dict[int, Joint], sinks: Sequence[Sink], fixed: Callable[[int], Any]) -> dict[int, Emit]:
    """What computes each sink from the decomposed columns of its joints."""
    groups = _groups(joints, sinks)
    columns: dict[tuple[Any, ...], list[Any]] = {}
    spans: dict[tuple[Any, ...], slice] = {}
    offsets: dict[int, Any] = {}

    def add(group: Any, key: tuple[Any, ...], make: Callable[[], Any]) -> None:
        if key not in spans:
            matrix = make()
            start = sum(x.shape[1] for x in columns.setdefault(group, []))
            columns[group].append(matrix)
            spans[key] = slice(start, start + matrix.shape[1])

    for number, joint in joints.items():
        add(groups[number], (groups[number], "joint", joint.key), functools.partial(_columns, joint, fixed))
    for sink in sinks:
        if sink.pairs:
            continue
        offsets[sink.value], read_by = _transposed(sink, joints, fixed)
        for number, matrix in zip(sink.joints, read_by, strict=True):
            add(groups[number], (groups[number], "sink", sink.value, number), lambda matrix=matrix: matrix)
    triangles: dict[Any, tuple[Any, Any]] = {}
    for group, parts in columns.items():
        whole = jnp.concatenate(parts, axis=1)
        if whole.shape[1] > MOST_COLUMNS or whole.shape[0] < ROWS * whole.shape[1]:
            raise Open(f"{whole.shape[1]} columns of {whole.shape[0]} records")
        triangles[group] = compressed(whole)

    def span(number: int) -> slice:
        return spans[groups[number], "joint", joints[number].key]

    def pair(sink: Sink, place: Callable[[Joint], Any], get: Callable[[int], Any]) -> Any:
        total = None
        for a, b in sink.pairs:
            triangle, zero = triangles[groups[a]]
            first, second = place(joints[a]), place(joints[b])
            rows = min(span(a).stop, span(b).stop)  # the triangle is zero below
            value = jnp.sum(_times(triangle[:rows, span(a)], first) * _times(triangle[:rows, span(b)], second))
            value = value + jnp.sum(first * _times(zero[span(a), span(b)], second))
            total = value if total is None else total + value
        for equation, position in sink.after:
            operands = [total if k == position else get(r.value) for k, r in enumerate(equation.inputs)]
            total = equation.call(*operands)[0]
        return total

    def image(sink: Sink, place: Callable[[Joint], Any], get: Callable[[int], Any]) -> Any:
        total = offsets[sink.value]
        for number in sink.joints:
            triangle, zero = triangles[groups[number]]
            own, reads = span(number), spans[groups[number], "sink", sink.value, number]
            at, rows = place(joints[number]), own.stop  # the triangle is zero below
            value = _times(triangle[:rows, reads].T, _times(triangle[:rows, own], at))
            value = value + _times(zero[reads, own], at)
            total = total + value.reshape(sink.shape)
        return functools.reduce(jnp.multiply, map(get, sink.factors), total)

    return {sink.value: functools.partial(pair if sink.pairs else image, sink) for sink in sinks}


def _groups(joints: dict[int, Joint], sinks: Sequence[Sink]) -> dict[int, Any]:
    """Joints whose columns are decomposed together: those that are multiplied, or made alike."""
    group: dict[int, Any] = {}
    first: dict[Any, int] = {}
    for number, joint in joints.items():
        group[number] = group[first[joint.key]] if joint.key in first else number
        first.setdefault(joint.key, number)
    for sink in sinks:
        for a, b in sink.pairs:
            old, new = group[a], group[b]
            group = {number: new if held == old else held for number, held in group.items()}
    return group


def _columns(joint: Joint, fixed: Callable[[int], Any]) -> Any:
    """The columns [records, numbers + 1] of a joint; the last is what it is where all numbers are zero."""
    sizes = [math.prod(shape) for shape in joint.shapes]

    def at(numbers: Any) -> Any:
        env, start = {}, 0
        for base, shape, size in zip(joint.bases, joint.shapes, sizes, strict=True):
            env[base] = numbers[start : start + size].reshape(shape)
            start += size
        return jnp.ravel(_replayed(joint.equations, env, fixed)[joint.value])

    zero = jnp.zeros(sum(sizes), joint.dtype)
    shift, along = jax.linearize(at, zero)
    return jnp.concatenate([jax.vmap(along)(jnp.eye(sum(sizes), dtype=joint.dtype)), shift[None]]).T


def _transposed(sink: Sink, joints: dict[int, Joint], fixed: Callable[[int], Any]) -> tuple[Any, list[Any]]:
    """What a sink is where its joints are zero, and the weights [records, elements] by which it reads each of them."""

    def at(*values: Any) -> Any:
        env = dict(zip(sink.joints, values, strict=True))
        env.update((v, jnp.ones((), values[0].dtype)) for v in sink.factors)
        return _replayed(sink.equations, env, fixed)[sink.value]

    zeros = [jnp.zeros(joints[j].shape, joints[j].dtype) for j in sink.joints]
    shift, pull = jax.vjp(at, *zeros)
    size = math.prod(sink.shape)
    units = jnp.eye(size, dtype=shift.dtype).reshape(size, *sink.shape)
    return shift, [x.reshape(size, -1).T for x in jax.vmap(pull)(units)]


def _replayed(equations: Sequence[Equation], env: dict[int, Any], fixed: Callable[[int], Any]) -> dict[int, Any]:
    for equation in equations:
        results = equation.call(*(env[r.value] if r.value in env else fixed(r.value) for r in equation.inputs))
        env.update((r.value, x) for r, x in zip(equation.outputs, results, strict=True))
    return env


@jax.custom_jvp
def compressed(columns: Any) -> tuple[Any, Any]:
    """R of the QR decomposition of columns, and a matrix of zeros with the derivatives of the columns' products.

    What follows depends on R through R^T R alone, and adds the second wherever it reads a product; so derivatives of
    every order are right although R counts as a constant.

    Args:
      columns: [records, n], at least n records.

    Returns:
      Both [n, n].
    """
    triangle = jnp.linalg.qr(columns, mode="r")
    return triangle, jnp.zeros_like(triangle)


@compressed.defjvp
def _compressed_jvp(primals: Any, tangents: Any) -> Any:
    (columns,), (moved,) = primals, tangents
    half = _product(columns.T, moved)
    triangle, zero = compressed(columns)
    return (triangle, zero), (jnp.zeros_like(triangle), half + half.T)


def _times(matrix: Any, vector: Any) -> Any:
    """A matrix times a vector; small ones are fused with what surrounds them."""
    return jnp.sum(matrix * vector, axis=1) if matrix.size <= 1024 else _product(matrix, vector)
