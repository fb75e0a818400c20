"""Modes of JAX on compressed seeds: the Jacobian from as many JVPs and VJPs as its pattern has colours.

Columns that share no row are summed up in one tangent, rows that share no column in one cotangent; then each entry is
picked out of the products at a place that is known beforehand. Of a Hessian each entry stands in two columns, so more
columns can share a tangent. The function itself is differentiated by ``jax.jvp`` and ``jax.vjp``, so that every rule of
JAX and of the user holds. This serves where elimination loses structure that is there: behind loops, branches and
solves, which it takes for dense.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax._jax.program import as_function
from elimax.elimination.steps import Step
from elimax.errors import ModeError
from elimax.execute.modes import MOST_PRODUCTS, Emit, products
from elimax.execute.reading import Compression, block, entries
from elimax.execute.remaining import MOST_ENTRIES
from elimax.execute.symmetric import Symmetry
from elimax.partials.build import Linearisation
from elimax.plan.types import STAR
from elimax.structure.colouring import Colouring, Pattern, colour_both, colour_columns, colour_rows
from elimax.structure.star import StarColouring, colour_star

REVERSE = 1.5
"""What a VJP counts in JVPs when entries are divided between the two."""

SHARE = 0.9
"""A compressed mode is no candidate unless its products are fewer than this share of those of the simple modes."""


STORED, SMALL = 4, 1 << 20
"""What tangents share, such as sines in the body of a loop, is stored if it is less than so many times the products, or
less than so many bytes. Otherwise it is computed again for each tangent."""

MANY = 20
"""Programs with more products than so many times `MOST_PRODUCTS` are not eliminated to find their pattern."""


LONG = 3000
"""Programs with more operations than this take seconds to be traced once more in another mode."""


def whole_pattern(lin: Linearisation, order: Sequence[Step]) -> Pattern | None:
    """The pattern of the whole Jacobian; None if it is unknown, empty, or too large to write out."""
    if products(lin.graph, order) > MANY * MOST_PRODUCTS:
        return None
    import scipy.sparse as sp  # slow to import, and most callers never need it

    from elimax.execute.dependence import blocks

    found = blocks(lin, order)
    if not found or not found[0] or any(m is None or 0 in m.shape for row in found for m in row):
        return None
    if sum(m.nnz for row in found for m in row if m is not None) > MOST_ENTRIES:
        return None
    whole: Any = sp.block_array(found, format="coo")
    return Pattern.of(whole.shape, whole.row, whole.col)


def compressions(pattern: Pattern, symmetric: bool = False) -> dict[str, Compression]:
    """The compressed modes that need fewer products than JAX's own, by name.

    Args:
      pattern: of the whole Jacobian.
      symmetric: whether it is a Hessian; a star colouring is a candidate where it needs fewer products than the others.
    """
    m, n = pattern.shape
    found = {"coloured forward": colour_columns(pattern), "coloured reverse": colour_rows(pattern)}
    costs = {name: c.num_forward + REVERSE * c.num_reverse for name, c in found.items() if c is not None}
    least = min([*costs.values(), float(n), REVERSE * m])
    found["mixed"] = colour_both(pattern, REVERSE, SHARE * least)
    kept = {}
    for name, c in found.items():
        if c is None or (name == "mixed" and not (c.num_forward and c.num_reverse)):
            continue
        if name == "mixed" or c.num_forward + c.num_reverse < SHARE * (n if name == "coloured forward" else m):
            kept[name] = Compression(pattern, c)
    if symmetric:
        fewer = math.ceil(min([*map(_products, kept.values()), SHARE * n])) - 1
        star = colour_star(pattern, fewer) if fewer > 0 else None
        if star is not None:
            kept[STAR] = _starred(pattern, star)
    return kept


def _starred(pattern: Pattern, star: StarColouring) -> Compression:
    none = np.full(pattern.shape[0], -1, np.int32)
    by_row = np.zeros(pattern.num_entries, bool)
    return Compression(pattern, Colouring(star.columns, none, by_row, star.num_colours, 0), star.mirrored)


def compression(pattern: Pattern, mode: str) -> Compression:
    """The compression of a mode that was asked for, whether or not it saves products."""
    m, n = pattern.shape
    star = colour_star(pattern) if mode == STAR else None
    if star is not None:
        return _starred(pattern, star)
    colour = {
        STAR: colour_columns,
        "coloured forward": colour_columns,
        "coloured reverse": colour_rows,
        "mixed": colour_both,
    }[mode]
    found = colour(pattern)
    if found is None:  # too dense to be coloured: every line has its own colour
        by_row = np.full(pattern.num_entries, mode == "coloured reverse")
        none, num = np.full(max(m, n), -1, np.int32), m if by_row.any() else n
        own = np.arange(num, dtype=np.int32)
        found = Colouring(none[:n], own, by_row, 0, num) if by_row.any() else Colouring(own, none[:m], by_row, num, 0)
    return Compression(pattern, found)


def coloured_modes(
    closed: Any, lin: Linearisation, order: Sequence[Step], output: str, values: bool, symmetry: Symmetry | None = None
) -> dict[str, Emit]:
    """The compressed modes that are worth a look, by name.

    Args:
      closed: the traced function.
      lin: the same, linearised.
      order: an order of elimination, which decides how much of the structure is seen.
      output: "dense" or "bcoo".
      values: whether the values of the results are wanted.
      symmetry: of the Jacobian, if it is a Hessian.
    """
    pattern = whole_pattern(lin, order)
    if pattern is None:
        return {}
    return {name: emission(closed, lin, c, output, values) for name, c in _worth_a_look(lin, pattern, symmetry).items()}


def _worth_a_look(lin: Linearisation, pattern: Pattern, symmetry: Symmetry | None) -> dict[str, Compression]:
    """The compressed modes whose time is to be predicted; of long programs only the one with the fewest products."""
    found = compressions(pattern, is_symmetric(lin, symmetry))
    if len(found) > 1 and len(lin.steps) > LONG:
        name = min(found, key=lambda name: _products(found[name]))
        return {name: found[name]}
    return found


def _products(compressed: Compression) -> float:
    """What the products of a compressed mode count, in JVPs."""
    return compressed.colouring.num_forward + REVERSE * compressed.colouring.num_reverse


def is_symmetric(lin: Linearisation, symmetry: Symmetry | None) -> bool:
    """Whether a whole Jacobian is known to be symmetric: the Hessian of one number by all arguments."""
    if symmetry is None or not symmetry.own or symmetry.groups != tuple((0, k) for k in range(len(lin.inputs))):
        return False
    number = {full: vertex for vertex, full in enumerate(lin.full_vertices)}
    inputs = [lin.graph.vertices[number[source]].shape for source in lin.inputs]
    outputs = [lin.program.values[ref.value].shape for ref in lin.program.outputs[: len(lin.outputs)]]
    return [math.prod(shape) for shape in outputs] == [math.prod(shape) for shape in inputs]


def coloured_mode(
    mode: str,
    closed: Any,
    lin: Linearisation,
    order: Sequence[Step],
    output: str,
    values: bool,
    chunk: int | None = None,
    symmetry: Symmetry | None = None,
) -> Emit:
    """One compressed mode, for a plan that names it; ``chunk`` bounds the number of products at once.

    Raises:
      ModeError: if the pattern is unknown or too large, or entries are to be mirrored that need not be symmetric.
    """
    if mode == STAR and not is_symmetric(lin, symmetry):
        raise ModeError(
            f"mode {mode!r} reads entries where their mirror images stand, and this Jacobian is not known to be "
            "symmetric. It is the mode of an elimax.hessian of one real number by arguments of one dtype, without "
            "rules of users (jax.custom_jvp, jax.custom_vjp). Use the mode 'elimination' or 'coloured forward'."
        )
    pattern = whole_pattern(lin, order)
    if pattern is None:
        raise ModeError(
            f"mode {mode!r} needs the pattern of a Jacobian with entries, of which at most {MOST_ENTRIES:,} may differ "
            "from zero; this one is empty, unknown or larger. Use the mode 'elimination', 'forward' or 'reverse'."
        )
    return emission(closed, lin, compression(pattern, mode), output, values, chunk)


def emission(
    closed: Any, lin: Linearisation, compressed: Compression, output: str, values: bool, chunk: int | None = None
) -> Emit:
    """What emits values of results, auxiliary values and blocks; ``chunk`` bounds the number of products at once."""
    function = as_function(closed)
    num_outputs = len(lin.outputs)
    colouring = compressed.colouring

    def fun(*args: Any) -> tuple[list[Any], tuple[list[Any], list[Any]]]:
        results = function(*args)
        outputs = results[:num_outputs]
        return outputs, (outputs, results[num_outputs:])

    def emit(*inputs: Any) -> tuple[list[Any], list[Any], list[list[Any]]]:
        inputs = tuple(jnp.asarray(x) for x in inputs)
        outputs: list[Any] = []
        aux: list[Any] = []
        forward = reverse = None
        if colouring.num_forward:
            push = lambda *tangents: jax.jvp(fun, inputs, tangents, has_aux=True)[1:]  # noqa: E731
            if chunk is None:
                seeds = _seeds(colouring.columns, np.arange(colouring.num_forward), inputs)
                outputs, linear, (_, aux) = jax.linearize(fun, *inputs, has_aux=True)
                if _kept(linear) <= max(SMALL, STORED * colouring.num_forward * sum(y.nbytes for y in outputs)):
                    forward = jax.vmap(linear)(*seeds)
                else:
                    forward, (outputs, aux) = jax.vmap(push, out_axes=(0, None))(*seeds)
            else:
                outputs, (_, aux) = fun(*inputs)
                forward = _in_chunks(lambda *t: push(*t)[0], colouring.columns, colouring.num_forward, inputs, chunk)
        if colouring.num_reverse:
            outputs, pull, (_, aux) = jax.vjp(fun, *inputs, has_aux=True)
            if chunk is None:
                reverse = jax.vmap(pull)(_seeds(colouring.rows, np.arange(colouring.num_reverse), outputs))
            else:
                apart = lambda *cotangents: pull(list(cotangents))  # noqa: E731
                reverse = _in_chunks(apart, colouring.rows, colouring.num_reverse, outputs, chunk)
        if forward is None and reverse is None:
            outputs, (_, aux) = fun(*inputs)
        read = entries(compressed, outputs, inputs, forward, reverse)
        found = [
            [block(*read[i][j], tuple(y.shape), tuple(x.shape), y.dtype, output) for j, x in enumerate(inputs)]
            for i, y in enumerate(outputs)
        ]
        return (list(outputs) if values else []), list(aux), found

    return emit


def _kept(linear: Any) -> int:
    """Bytes of what a linear function keeps of the point where it was taken."""
    return sum(x.nbytes for x in jax.tree.leaves(linear))


def _in_chunks(push: Any, colours: np.ndarray, count: int, like: Sequence[Any], chunk: int) -> Any:
    """Products with the seeds of all colours, some at a time."""

    def product(colour: Any) -> Any:
        return push(*(seed[0] for seed in _seeds(colours, colour[None], like)))

    return jax.lax.map(product, jnp.arange(count, dtype=jnp.int32), batch_size=min(chunk, count))


def _seeds(colours: np.ndarray, wanted: Any, like: Sequence[Any]) -> list[Any]:
    """For each array, [number of colours, *shape]: ones where an element has one of the wanted colours."""
    seeds, start = [], 0
    for x in like:
        own = colours[start : start + x.size].astype(np.int32)
        start += x.size
        ones = own[None] == jnp.asarray(wanted, np.int32)[:, None]
        seeds.append(ones.astype(x.dtype).reshape(-1, *x.shape))
    return seeds
