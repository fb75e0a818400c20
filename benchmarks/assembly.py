"""Times the ways to write a structured block as a dense array, in turns in one process.

For each structure, the way that `elimax.structure.dense.dense` takes is compared with each single way wherever that
way is possible: term by term, by rows, scattered. Beside them stands an array of the same shape filled with one number,
which no way can beat. Values come from a cheap function of the arguments, as the entries of a Jacobian do.

    python -m benchmarks.assembly --batch 1 --batch 1024
    python -m benchmarks.assembly --case tridiagonal --size 1000 --dtype float32
"""

from __future__ import annotations

import argparse
import functools
import platform
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.cli.timing import compare
from elimax.structure.arrays import as_array
from elimax.structure.dense import dense
from elimax.structure.dense_place import place, placeable
from elimax.structure.dense_rows import plan_rows, write_rows
from elimax.structure.dense_scatter import scatter
from elimax.structure.term import Affine, IndexTable, Kind, Table, Term
from elimax.viz.tables import seconds, table, to_text

Case = tuple[list[Term], tuple[int, int]]
MAX_BYTES = 500_000_000
WAYS = ("dense", "place", "rows", "scatter", "filled")


def band(rows: range, shift: int) -> Term:
    """The entries (r, r + shift) for a range of rows."""
    if len(rows) == 1:
        return Term((), (Affine(rows.start),), (Affine(rows.start + shift),), (), Kind.VARIABLE)
    axes = Affine(rows.start, ((0, 1),)), Affine(rows.start + shift, ((0, 1),))
    return Term((len(rows),), axes[:1], axes[1:], (0,), Kind.VARIABLE)


def diagonal(n: int) -> Case:
    return [band(range(n), 0)], (n, n)


def tridiagonal(n: int) -> Case:
    return [band(range(n), 0), band(range(n - 1), 1), band(range(1, n), -1)], (n, n)


def cyclic(n: int) -> Case:
    """Tridiagonal with two corners, and a second diagonal on top of the first."""
    corners = [band(range(1), n - 1), band(range(n - 1, n), 1 - n)]
    return [*tridiagonal(n)[0], *corners, band(range(n - 1), 0)], (n, n)


def pentadiagonal(n: int) -> Case:
    return [*tridiagonal(n)[0], band(range(n - 2), 2), band(range(2, n), -2)], (n, n)


def blocks(n: int) -> Case:
    """Dense blocks of 4 x 4 along the diagonal."""
    side = n // 4
    terms = []
    for i in range(4):
        for j in range(4):
            axes = Affine(i, ((0, 4),)), Affine(j, ((0, 4),))
            terms.append(Term((side,), axes[:1], axes[1:], (0,), Kind.VARIABLE))
    return terms, (4 * side, 4 * side)


def irregular(n: int) -> Case:
    """Three entries a row at random columns."""
    rng = np.random.default_rng(0)
    columns = np.stack([rng.choice(n, 3, replace=False) for _ in range(n)])
    axes = Table(0, IndexTable(np.repeat(np.arange(n), 3))), Table(0, IndexTable(columns.ravel()))
    return [Term((3 * n,), axes[:1], axes[1:], (0,), Kind.VARIABLE)], (n, n)


def columns(n: int) -> Case:
    """Eleven full columns of n rows."""
    return [Term((n,), (Affine(0, ((0, 1),)),), (Affine(k),), (0,), Kind.VARIABLE) for k in range(11)], (n, 11)


def entries(n: int) -> Case:
    """Single entries, half of them there."""
    side = min(n, 8)
    cells = [(r, c) for r in range(side) for c in range(side) if (r + c) % 2 == 0]
    return [Term((), (Affine(r),), (Affine(c),), (), Kind.VARIABLE) for r, c in cells], (side, side)


CASES = (diagonal, tridiagonal, cyclic, pentadiagonal, blocks, irregular, columns, entries)


def values(terms: Sequence[Term], x: Any) -> list[Any]:
    """Values of the terms: cheap functions of slices of the argument [entries]."""
    result, first = [], 0
    for k, term in enumerate(terms):
        own = x[first : first + term.num_entries]
        result.append((own * own * (k + 1.5) - own).reshape(term.value_shape))
        first += term.num_entries
    return result


def variants(case: Case, dtype: Any) -> dict[str, Callable[[Any], Any]]:
    """The ways to write a block, as functions of the argument that its values come from."""
    terms, shape = case
    ranges = tuple((0, n) for n in shape)
    rows = plan_rows(tuple(terms), ranges, 1)

    def written(way: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda x: way([as_array(v, t.value_shape, dtype) for v, t in zip(values(terms, x), terms, strict=True)])

    result = {"dense": lambda x: dense(values(terms, x), terms, dtype, ranges)}
    if all(placeable(term) for term in terms):
        result["place"] = written(functools.partial(place, terms=terms, dtype=dtype, ranges=ranges))
    if rows is not None:
        own = functools.partial(write_rows, rows, terms=terms, dtype=dtype, ranges=ranges)
        result["rows"] = written(own)
    result["scatter"] = written(functools.partial(scatter, terms=terms, dtype=dtype, ranges=ranges))
    result["filled"] = lambda x: jnp.full(shape, x[0])
    return result


def measure(case: Case, batch: int, dtype: str, share: float) -> dict[str, float]:
    """Median seconds of each way."""
    count = sum(term.num_entries for term in case[0])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, count) if batch > 1 else count), dtype)
    calls, reference = {}, None
    for name, way in variants(case, np.dtype(dtype)).items():
        compiled = jax.jit(jax.vmap(way) if batch > 1 else way)
        result = np.asarray(compiled(x))
        if name != "filled":
            reference = result if reference is None else reference
            np.testing.assert_allclose(result, reference, rtol=1e-5, atol=1e-5, err_msg=name)
        calls[name] = functools.partial(compiled, x)
    times = compare(calls, seconds=share)
    return {name: times.median(name) for name in calls}


def main() -> None:
    """Prints a line a case, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.__name__ for case in CASES]
    parser.add_argument("--case", action="append", choices=names, help="may be repeated; default: all")
    parser.add_argument("--size", action="append", type=int, help="may be repeated; default: 8, 16, 64")
    parser.add_argument("--batch", action="append", type=int, help="may be repeated; default: 1, 16, 1024")
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"], help="default: float64")
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each case, compilation excluded")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    cells = []
    for case in CASES:
        if case.__name__ not in (options.case or names):
            continue
        for size in options.size or [8, 16, 64]:
            for dtype in options.dtype or ["float64"]:
                for batch in options.batch or [1, 16, 1024]:
                    made = case(size)
                    if batch * made[1][0] * made[1][1] * np.dtype(dtype).itemsize > MAX_BYTES:
                        continue
                    times = measure(made, batch, dtype, options.seconds)
                    best = min(t for name, t in times.items() if name not in ("dense", "filled"))
                    cells.append(
                        (
                            case.__name__,
                            size,
                            batch,
                            dtype,
                            *(seconds(times.get(way)) for way in WAYS),
                            f"{times['dense'] / best:.2f}",
                        )
                    )
                    print(*cells[-1], flush=True)
                    jax.clear_caches()
    heads = ("<structure", "size", "batch", "<dtype", *WAYS, "dense / best")
    print(to_text(table(heads, cells, title="Median time of one call (jit, vmap)", note=platform.platform())))


if __name__ == "__main__":
    main()
