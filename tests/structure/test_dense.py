"""Every way to write a block as an array agrees with NumPy, whatever the structure, the values and the batch."""

from __future__ import annotations

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax.structure import dense as ways
from elimax.structure.arrays import Masked
from elimax.structure.dense import dense
from elimax.structure.dense_cells import cuts, filled
from elimax.structure.dense_folded import fold
from elimax.structure.dense_lanes import NUM_STACKED, lanes
from elimax.structure.dense_place import place, placeable
from elimax.structure.dense_rows import plan_rows, write_rows
from elimax.structure.dense_scatter import scatter
from elimax.structure.positions import positions
from elimax.structure.term import Affine, IndexTable, Kind, Table, Term
from tests.structure.random_terms import block_to_dense, random_shape, random_term

F64 = np.dtype("float64")


def ranges(shape):
    return tuple((0, n) for n in shape)


def band(first, last, shift, stride=1):
    """Entries (r, stride * r + shift) for rows first .. last."""
    if first == last:
        return Term((), (Affine(first),), (Affine(stride * first + shift),), (), Kind.VARIABLE)
    axes = Affine(first, ((0, 1),)), Affine(stride * first + shift, ((0, stride),))
    return Term((last - first + 1,), axes[:1], axes[1:], (0,), Kind.VARIABLE)


def cyclic(n):
    """Three bands with corners, and a part of the diagonal once more."""
    return [
        band(0, n - 1, 0),
        band(0, n - 2, 1),
        band(1, n - 1, -1),
        band(0, 0, n - 1),
        band(n - 1, n - 1, 1 - n),
        band(1, n - 2, 0),
    ]


def mirrored(n):
    """An antidiagonal, a diagonal, and a column."""
    column = Term((n,), (Affine(0, ((0, 1),)),), (Affine(n // 2),), (0,), Kind.VARIABLE)
    return [band(0, n - 1, n - 1, -1), band(0, n - 1, 0), column]


def table(n):
    rng = np.random.default_rng(n)
    axes = Table(0, IndexTable(rng.integers(0, n, 2 * n))), Table(0, IndexTable(rng.integers(0, n, 2 * n)))
    return [Term((2 * n,), axes[:1], axes[1:], (0,), Kind.VARIABLE), band(0, n - 1, 0)]


def grid(n):
    """Neighbours on a grid [n, n], one axis after the other."""
    terms = []
    for shift in (-1, 0, 1):
        first, last = max(0, -shift), n - 1 - max(0, shift)
        size = last - first + 1
        outs = Affine(first, ((0, 1),)), Affine(0, ((1, 1),))
        ins = Affine(first + shift, ((0, 1),)), Affine(0, ((1, 1),))
        terms.append(Term((size, n), outs, ins, (0, 1), Kind.VARIABLE))
        terms.append(Term((size, n), outs[::-1], ins[::-1], (1,), Kind.VARIABLE))
    return terms


def kronecker(n):
    """The same block [n, n] three times along the diagonal."""
    outs, ins = (Affine(0, ((0, 1),)), Affine(0, ((1, 1),))), (Affine(0, ((0, 1),)), Affine(0, ((2, 1),)))
    return [Term((3, n, n), outs, ins, (1, 2), Kind.VARIABLE)]


def columns(n):
    terms = [Term((n,), (Affine(0, ((0, 1),)),), (Affine(k),), (0,), Kind.VARIABLE) for k in range(20) if k != 6]
    wide = Term((n, 3), (Affine(0, ((0, 1),)),), (Affine(20, ((1, 1),)),), (0, 1), Kind.VARIABLE)
    return [*terms, wide, Term((), (Affine(0),), (Affine(40),), (), Kind.VARIABLE)]


def turns(n):
    """Rows that take turns: forwards, backwards, every other one, one alone, and the same ones twice."""

    def rows(first, stride, count, column):
        axes = Affine(0, ((0, 1),)), Affine(first, ((1, stride),))
        return Term((2, count), axes, (Affine(column),), (0, 1), Kind.VARIABLE)

    alone = Term((), (Affine(1), Affine(7)), (Affine(3),), (), Kind.VARIABLE)
    constant = Term((2, n), (Affine(0, ((0, 1),)), Affine(2, ((1, 3),))), (Affine(1),), (1,), Kind.VARIABLE)
    last = 3 * (n + 16) - 1
    return [rows(0, 3, n + 16, 0), rows(last, -3, n, 2), rows(1, 6, n // 2, 3), alone, constant, rows(0, 3, n, 0)]


def entries(n):
    cells = [(r, c) for r in range(8) for c in range(8) if (r * n + c) % 3]
    return [Term((), (Affine(r),), (Affine(c),), (), Kind.VARIABLE) for r, c in [*cells, cells[1]]]


STRUCTURES = {
    "diagonal": (lambda n: [band(0, n - 1, 0)], lambda n: ((n,), (n,))),
    "strided": (lambda n: [band(0, n // 2 - 1, 1, 2)], lambda n: ((n,), (n + 3,))),
    "cyclic": (cyclic, lambda n: ((n,), (n,))),
    "mirrored": (mirrored, lambda n: ((n,), (n,))),
    "table": (table, lambda n: ((n,), (n,))),
    "grid": (grid, lambda n: ((n, n), (n, n))),
    "kronecker": (kronecker, lambda n: ((3, n), (3, n))),
    "columns": (columns, lambda n: ((n,), (41,))),
    "turns": (turns, lambda n: ((2, 3 * (n + 16)), (4,))),
    "entries": (entries, lambda n: ((8,), (8,))),
}
CASES = [(name, n) for name in STRUCTURES for n in (4, 12)]


def made(name, n):
    terms, shapes = STRUCTURES[name]
    return terms(n), *shapes(n)


def random_values(terms, batch=(), seed=0, dtype=F64):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=(*batch, *term.value_shape)), dtype) for term in terms]


def every_way(terms, shape, num_out):
    """All ways to write a box that these terms allow, by name."""
    arguments = {"terms": terms, "ranges": ranges(shape)}
    result = {
        "dense": lambda arrays, dtype: dense(arrays, terms, dtype, ranges(shape)),
        "scatter": lambda arrays, dtype: scatter(arrays, dtype=dtype, **arguments),
    }
    if all(placeable(term) for term in terms):
        result["place"] = lambda arrays, dtype: place(arrays, dtype=dtype, **arguments)
    rows = plan_rows(tuple(terms), ranges(shape), num_out)
    if rows is not None:
        result["rows"] = lambda arrays, dtype: write_rows(rows, arrays, dtype=dtype, **arguments)
    return result


def all_ways(terms, shape, num_out, dtype=F64):
    """One compiled function of the value arrays that returns what every way writes, by name."""
    found = every_way(terms, shape, num_out)
    return lambda *arrays: {name: write(arrays, dtype) for name, write in found.items()}


@pytest.mark.parametrize(("name", "n"), CASES)
def test_every_way_agrees_with_numpy(name, n):
    terms, out, inn = made(name, n)
    arrays = random_values(terms)
    expected = block_to_dense(terms, arrays, out, inn)
    np.testing.assert_allclose(dense(arrays, terms, F64, ranges(out + inn)), expected, atol=1e-12)
    for way, got in jax.jit(all_ways(terms, out + inn, len(out)))(*arrays).items():
        np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=way)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("batch", [(3,), (20, 11)])
def test_every_way_agrees_with_numpy_in_a_batch(name, batch):
    terms, out, inn = made(name, 12)
    arrays = random_values(terms, batch)
    write = all_ways(terms, out + inn, len(out))
    for _ in batch:
        write = jax.vmap(write)
    got = jax.jit(write)(*arrays)
    for index in itertools.islice(itertools.product(*map(range, batch)), 0, None, 7):
        expected = block_to_dense(terms, [a[index] for a in arrays], out, inn)
        for way, result in got.items():
            np.testing.assert_allclose(result[index], expected, atol=1e-12, err_msg=way)


@pytest.mark.parametrize("seed", range(40))
def test_random_terms_in_every_way(seed):
    rng = np.random.default_rng(seed)
    out, inn = random_shape(rng), random_shape(rng)
    terms, values = zip(*[random_term(rng, out, inn) for _ in range(rng.integers(1, 6))], strict=True)
    arrays = [np.broadcast_to(np.asarray(v, F64), t.value_shape) for v, t in zip(values, terms, strict=True)]
    expected = block_to_dense(terms, arrays, out, inn)
    np.testing.assert_allclose(dense(values, terms, F64, ranges(out + inn)), expected, atol=1e-12)
    scales = np.linspace(-1.0, 1.0, 2000)
    write = all_ways(terms, out + inn, len(out))
    got = jax.jit(jax.vmap(lambda x: write(*(x * a for a in arrays))))(scales)
    for way, result in got.items():
        np.testing.assert_allclose(result[::333], np.multiply.outer(scales[::333], expected), atol=1e-12, err_msg=way)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("batch", [1, 300])
def test_values_that_are_not_finite_stay_where_they_belong(name, batch):
    terms, out, inn = made(name, 12)
    arrays = random_values(terms)
    touched = np.zeros((*out, *inn), bool)
    for k, term in enumerate(terms[::2]):
        arrays[2 * k] = np.full_like(arrays[2 * k], (np.nan, np.inf, -np.inf)[k % 3])
        touched[tuple(positions(term))] = True
    clean = [np.where(np.isfinite(a), a, 0.0) for a in arrays]
    expected = block_to_dense(terms, clean, out, inn)
    write = jax.jit(jax.vmap(all_ways(terms, out + inn, len(out))))
    for way, result in write(*(np.broadcast_to(a, (batch, *a.shape)) for a in arrays)).items():
        got = np.asarray(result)[batch // 2]
        np.testing.assert_allclose(got[~touched], expected[~touched], atol=1e-12, err_msg=way)
        assert not np.isfinite(got[touched]).any(), way


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivative_of_a_written_block(name):
    terms, out, inn = made(name, 12)
    arrays = random_values(terms)
    weights = np.random.default_rng(1).normal(size=(*out, *inn))

    def total(arrays, scale):
        return (dense([scale * a for a in arrays], terms, F64, ranges(out + inn)) * weights).sum()

    slope = jax.jit(jax.grad(total))(arrays, 2.0)
    for term, got in zip(terms, slope, strict=True):
        picked = weights[tuple(positions(term))].reshape(term.sizes)
        summed = tuple(k for k in range(len(term.sizes)) if k not in term.value_labels)
        np.testing.assert_allclose(got, 2.0 * picked.sum(axis=summed), atol=1e-12)
    scales = np.linspace(0.5, 1.5, 300)
    expected = [jax.jit(jax.grad(total, 1))(arrays, 1.0)] * 300
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(total, 1), (None, 0)))(arrays, scales), expected, rtol=1e-10)
    forward = jax.jit(jax.vmap(jax.jacfwd(total, 1), (None, 0)))(arrays, scales)
    np.testing.assert_allclose(forward, expected, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, jnp.bfloat16])
@pytest.mark.parametrize("name", ["cyclic", "columns", "entries"])
def test_other_dtypes(name, dtype):
    terms, out, inn = made(name, 12)
    arrays = [np.asarray(np.round(8 * a), dtype) for a in random_values(terms)]
    expected = block_to_dense(terms, [a.astype(np.complex128).real for a in arrays], out, inn)
    many = [np.broadcast_to(a, (200, *a.shape)) for a in arrays]
    got = jax.jit(jax.vmap(all_ways(terms, out + inn, len(out), np.dtype(dtype))))(*many)
    for way, result in got.items():
        assert result.dtype == dtype, way
        np.testing.assert_array_equal(np.asarray(result[7]).astype(np.complex128), expected, err_msg=way)


def test_both_forms_are_reached(monkeypatch):
    """A batch that is large enough is written by rows, a single box is scattered."""
    terms, out, inn = made("cyclic", 40)
    seen = []
    for name in ("write_rows", "scatter"):
        own = getattr(ways, name)
        monkeypatch.setattr(ways, name, lambda *a, own=own, name=name, **k: (seen.append(name), own(*a, **k))[1])
    ways._ways.cache_clear()
    write = lambda *arrays: dense(arrays, terms, F64, ranges(out + inn))  # noqa: E731
    single, many = random_values(terms), random_values(terms, (1024,))
    assert "scatter" in jax.jit(write).lower(*single).as_text()
    assert seen == ["scatter"]
    assert "scatter" not in jax.jit(jax.vmap(write)).lower(*many).as_text()
    assert "write_rows" in seen


def test_rows_that_take_turns_are_lanes():
    """Neither padding between rows nor scatters are left."""
    terms, out, inn = made("turns", 12)
    each = [term for term in terms if term.out_axes[1].parts and abs(term.out_axes[1].parts[0][1]) == 3]
    text = jax.jit(lambda *arrays: dense(arrays, each, F64, ranges(out + inn))).lower(*random_values(each)).as_text()
    assert "scatter" not in text
    assert re.search(r"interior = \[0, [1-9]", text) is None
    bands = [band(0, 39, 0, 1), band(0, 39, 40, 1)]
    assert fold(bands, ranges((40, 80))) is None
    assert fold(terms, ranges((2, 84, 16))) is None, "too many lanes"


def test_masked_values_are_resolved_before_they_are_placed():
    terms = [band(0, 11, 0), band(0, 10, 1)]
    mask = np.arange(12) % 2 == 0
    wild = np.where(mask, 3.0, np.nan)
    write = lambda x: dense([Masked(mask, x), jnp.ones(11)], terms, F64, ranges((12, 12)))  # noqa: E731
    expected = np.diag(np.where(mask, 3.0, 0.0)) + np.diag(np.ones(11), 1)
    np.testing.assert_array_equal(jax.jit(write)(wild), expected)
    np.testing.assert_array_equal(jax.jit(jax.vmap(write))(np.tile(wild, (300, 1)))[17], expected)


def test_inner_box_of_a_block():
    """Ranges may start anywhere, as long as they hold all terms."""
    terms = [band(3, 9, 2), band(3, 8, 3)]
    box = ((2, 11), (4, 13))
    arrays = random_values(terms)
    whole = block_to_dense(terms, arrays, (14,), (14,))[2:11, 4:13]
    np.testing.assert_allclose(dense(arrays, terms, F64, box), whole)
    many = [np.tile(a, (400, 1)) for a in arrays]
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda *a: dense(a, terms, F64, box)))(*many)[5], whole)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (1, 1), (1, 5), (5, 1)])
def test_small_and_empty_boxes(shape):
    rows, cols = shape
    terms = [] if 0 in shape else [Term((), (Affine(rows - 1),), (Affine(cols - 1),), (), Kind.VARIABLE)]
    arrays = random_values(terms)
    got = dense(arrays, terms, F64, ranges(shape))
    assert got.shape == shape
    np.testing.assert_allclose(got, block_to_dense(terms, arrays, (rows,), (cols,)))


@pytest.mark.parametrize("widths", [[1] * 5, [1] * 30, [1, 4, 1, 1], [-3, 1, -20, 1, 2], [-1, -2, 1], [2, 2]])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3)])
def test_lanes_concatenate(widths, leading):
    """A negative width stands for that many columns of zeros."""
    rng = np.random.default_rng(0)
    pieces = [-w if w < 0 else rng.normal(size=(*leading, w)) for w in widths]
    full = [np.zeros((*leading, p)) if isinstance(p, int) else p for p in pieces]
    expected = np.concatenate(full, -1)
    arrays = [p if isinstance(p, int) else jnp.asarray(p) for p in pieces]
    np.testing.assert_array_equal(lanes(arrays, expected.shape, F64), expected)


def test_rows_give_up_where_they_do_not_pay():
    full = Term((20, 20), (Affine(0, ((0, 1),)),), (Affine(0, ((1, 1),)),), (0, 1), Kind.VARIABLE)
    assert plan_rows((full,), ranges((20, 20)), 1) is None
    assert plan_rows((band(0, 0, 0),), ranges((1, 5)), 1) is None
    many = tuple(band(0, 11, 0) for _ in range(5))
    assert plan_rows(many, ranges((12, 12)), 1) is None


def blocks_on_diagonals(x):
    u, v = x.reshape(2, -1)
    framed = jnp.pad(u, 1)
    return jnp.concatenate([framed[2:] * u - v**2, jnp.sin(v) * u - framed[:-2]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_and_empty_boxes_are_filled_once(dtype):
    x = jnp.linspace(0.1, 2.0, 600, dtype=dtype)
    close = {"rtol": 1e-12 if dtype == "float64" else 1e-5, "atol": 1e-12 if dtype == "float64" else 1e-5}
    jac = jax.jit(elimax.jacobian(blocks_on_diagonals))
    assert jac.lower(x).as_text().count('"stablehlo.scatter"(') == 1
    expected = jax.jit(jax.jacfwd(blocks_on_diagonals))(x)
    np.testing.assert_allclose(jac(x), expected, **close)
    batch = jax.jit(jax.vmap(elimax.jacobian(blocks_on_diagonals)))(jnp.stack([2 * x, x]))
    np.testing.assert_allclose(batch[1], expected, **close)
    weights = jnp.cos(jnp.arange(600 * 600.0, dtype=dtype)).reshape(600, 600)
    found, by_jax = (
        jax.jit(jax.grad(lambda x, j=j: jnp.sum(weights * j(blocks_on_diagonals)(x) ** 2)))(x)
        for j in (elimax.jacobian, jax.jacfwd)
    )
    np.testing.assert_allclose(found, by_jax, **close)


@pytest.mark.parametrize("batch", [2, 40, 3000])
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize(("rows", "width"), [(3, 3), (10, 5), (12, 12), (24, 3), (5, 40), (4, 4), (8, 4)])
def test_single_entries_in_groups(rows, width, inner, batch):
    """Whatever the groups, each entry is where it belongs."""
    size = rows * width
    rng = np.random.default_rng(size)
    unknown = np.flatnonzero(rng.random(size) < 0.4)[: 5 if size == 32 else None]
    known = {int(k): np.float64(k) for k in np.flatnonzero(rng.random(size) < 0.2)}

    def fun(x):
        entries = [known.get(k) for k in range(size)]
        for k in unknown:
            entries[k] = jnp.sin(x[k % 3]) * (k + 1.0)
        return filled(entries, F64, width, inner)

    x = rng.normal(size=(batch, 3))
    expected = np.zeros((batch, size))
    for k, value in known.items():
        expected[:, k] = value
    expected[:, unknown] = np.sin(x[:, unknown % 3]) * (unknown + 1.0)
    np.testing.assert_allclose(jax.jit(jax.vmap(fun))(x), expected, rtol=1e-14)
    groups = cuts(unknown.tolist(), size, width)
    assert [start for start, _ in groups] == [0, *(stop for _, stop in groups[:-1])]
    assert groups[-1][1] == size


def test_banded_blocks_take_no_more_kernels_than_run_at_once():
    band = [k for k in range(30 * 10) if (k // 10 - k % 10) % 10 < 2]
    assert len(cuts(band, 300, 10)) <= NUM_STACKED < len(cuts(band, 300, 10, 1))
