"""Star colourings of random symmetric patterns are star colourings, and give back every entry or its mirror image."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from elimax.structure import star
from elimax.structure.colouring import Pattern, colour_columns
from elimax.structure.star import SEQUENCES, colour_star


@st.composite
def symmetric(draw):
    """A symmetric matrix of numbers and a pattern of its entries, which may lack some mirror images and hold zeros."""
    size = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    seen = rng.random((size, size)) < draw(st.sampled_from([0.05, 0.2, 0.5, 1.0]))
    if draw(st.booleans()):
        seen[0] = seen[:, 0] = True  # an arrow
    values = rng.integers(1, 1000, (size, size)) * (seen & seen.T)
    return np.triu(values) + np.triu(values, 1).T, Pattern.of(seen.shape, *np.nonzero(seen))


def is_star_colouring(matrix, colours):
    """By the definition: neighbours differ, and no path of four vertices has two colours."""
    edges = {(i, j) for i, j in zip(*np.nonzero(matrix | matrix.T), strict=True) if i != j}
    if any(colours[i] == colours[j] for i, j in edges):
        return False
    return not any(
        (b, c) in edges and a != c and b != d and a != d and len({colours[v] for v in (a, b, c, d)}) < 3
        for (a, b), (c, d) in itertools.product(edges, edges)
    )


@given(symmetric(), st.sampled_from([None, *SEQUENCES]))
def test_every_entry_is_recovered(case, sequence):
    matrix, pattern = case
    found = colour_star(pattern, sequence=sequence)
    seen = np.zeros(pattern.shape, bool)
    seen[pattern.rows, pattern.columns] = True
    assert is_star_colouring(seen, found.columns)
    assert set(found.columns[found.columns >= 0]) == set(range(found.num_colours))
    products = matrix @ np.stack([found.columns == c for c in range(found.num_colours)] or [[]], -1).reshape(
        matrix.shape[0], found.num_colours
    )
    for k, (i, j) in enumerate(zip(pattern.rows, pattern.columns, strict=True)):
        row, column = (j, i) if found.mirrored[k] else (i, j)
        assert products[row, found.columns[column]] == matrix[i, j]


def test_few_colours():
    index = np.arange(20_000)
    zero = np.zeros_like(index)
    arrow = Pattern.of((20_000, 20_000), np.r_[index, index, zero], np.r_[index, zero, index])
    assert colour_star(arrow).num_colours == 2
    band = [np.r_[index, index[1:], index[:-1]], np.r_[index, index[:-1], index[1:]]]
    assert colour_star(Pattern.of((20_000, 20_000), *band)).num_colours == 3
    x, y = np.divmod(np.arange(400), 20)
    grid = np.abs(x[:, None] - x) + np.abs(y[:, None] - y) <= 1
    pattern = Pattern.of(grid.shape, *np.nonzero(grid))
    assert colour_star(pattern).num_colours <= colour_columns(pattern).num_forward


def test_it_is_given_up_where_it_takes_too_much(monkeypatch):
    full = Pattern.of((30, 30), *np.nonzero(np.ones((30, 30))))
    assert colour_star(full).num_colours == 30
    assert colour_star(full, 29) is None
    monkeypatch.setattr(star, "MOST_WORK", 100)
    assert colour_star(full) is None
    with pytest.raises(ValueError, match="square"):
        colour_star(Pattern.of((2, 3), np.array([0]), np.array([2])))


def test_without_entries():
    found = colour_star(Pattern.of((3, 3), np.zeros(0, int), np.zeros(0, int)))
    assert found.num_colours == 0
    assert (found.columns == -1).all()
