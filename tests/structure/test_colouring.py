"""Colourings of random patterns give back every entry, in as few products as is known to be possible."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from elimax.structure import colouring
from elimax.structure.colouring import SEQUENCES, Pattern, colour_both, colour_columns, colour_rows, divided


def pattern_of(matrix):
    return Pattern.of(matrix.shape, *np.nonzero(matrix))


def recovered(matrix, pattern, found):
    """The matrix put together again from its products with the seeds, by the plainest of means."""
    forward = matrix @ np.stack([found.columns == c for c in range(found.num_forward)] or [[]], axis=-1).reshape(
        matrix.shape[1], found.num_forward
    )
    reverse = (
        np.stack([found.rows == c for c in range(found.num_reverse)] or [[]]).reshape(
            found.num_reverse, matrix.shape[0]
        )
        @ matrix
    )
    result = np.zeros_like(matrix)
    for k, (i, j) in enumerate(zip(pattern.rows, pattern.columns, strict=True)):
        result[i, j] = reverse[found.rows[i], j] if found.by_row[k] else forward[i, found.columns[j]]
    return result


@st.composite
def matrices(draw):
    m, n = draw(st.integers(0, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = rng.integers(1, 1000, (m, n)) * (rng.random((m, n)) < draw(st.sampled_from([0.05, 0.2, 0.5, 1.0])))
    if m:
        matrix[draw(st.integers(0, m - 1))] = 7  # a dense row
    matrix[:, draw(st.integers(0, n - 1))] = 5  # a dense column
    return matrix


@given(matrices(), st.sampled_from([None, *SEQUENCES]))
def test_every_entry_is_recovered(matrix, sequence):
    pattern = pattern_of(matrix)
    for found in (colour_columns(pattern, sequence), colour_rows(pattern, sequence), colour_both(pattern)):
        np.testing.assert_array_equal(recovered(matrix, pattern, found), matrix)
        assert set(found.columns[found.columns >= 0]) == set(range(found.num_forward))
        assert set(found.rows[found.rows >= 0]) == set(range(found.num_reverse))


@given(matrices(), st.integers(0, 2**32))
def test_every_entry_is_recovered_however_they_are_divided(matrix, seed):
    pattern = pattern_of(matrix)
    found = divided(pattern, np.random.default_rng(seed).random(pattern.num_entries) < 0.5)
    np.testing.assert_array_equal(recovered(matrix, pattern, found), matrix)


@given(matrices())
def test_one_kind_needs_no_other(matrix):
    pattern = pattern_of(matrix)
    columns, rows, both = colour_columns(pattern), colour_rows(pattern), colour_both(pattern)
    assert columns.num_reverse == rows.num_forward == 0
    if pattern.num_entries:
        assert columns.num_forward >= np.bincount(pattern.rows).max()
        assert rows.num_reverse >= np.bincount(pattern.columns).max()
    assert both.num_forward + both.num_reverse <= min(columns.num_forward, rows.num_reverse)


def banded(n, below, above):
    i, j = np.indices((n, n))
    return (j - i <= above) & (i - j <= below)


@pytest.mark.parametrize(("below", "above"), [(0, 0), (1, 1), (2, 3)])
def test_bands_take_their_width(below, above):
    pattern = pattern_of(banded(40, below, above))
    assert colour_columns(pattern).num_forward == below + above + 1
    assert colour_rows(pattern).num_reverse == below + above + 1


@pytest.mark.parametrize("n", [5, 1000])
def test_an_arrowhead_takes_three_products_of_both_kinds(n):
    i = np.arange(n)
    zero = np.zeros(n, int)
    pattern = Pattern.of((n, n), np.concatenate([i, zero, i]), np.concatenate([i, i, zero]))
    assert colour_columns(pattern).num_forward == n
    found = colour_both(pattern)
    assert found.num_forward + found.num_reverse == 3


def test_an_arrow_of_several_lines():
    matrix = banded(60, 1, 1)
    matrix[:3] = matrix[:, :2] = True
    found = colour_both(pattern_of(matrix))
    assert found.num_forward + found.num_reverse <= 3 + 2 + 3 + 1


def test_greedy_is_as_good_as_exhaustion_on_small_patterns():
    rng = np.random.default_rng(1)
    worse = 0
    for _ in range(30):
        matrix = rng.random((6, 6)) < 0.3
        pattern = pattern_of(matrix)
        if pattern.num_entries:
            worse += colour_columns(pattern).num_forward - fewest(matrix)
    assert worse <= 1


def fewest(matrix):
    """The fewest groups of structurally orthogonal columns, by trying all divisions."""
    columns = [c for c in range(matrix.shape[1]) if matrix[:, c].any()]
    meets = (matrix.astype(int).T @ matrix.astype(int)) > 0
    for count in itertools.count(1):
        for groups in itertools.product(range(count), repeat=len(columns)):
            if all(
                groups[a] != groups[b] or not meets[columns[a], columns[b]]
                for a, b in itertools.combinations(range(len(columns)), 2)
            ):
                return count
    raise AssertionError


def test_colours_are_the_same_every_time():
    matrix = np.random.default_rng(3).random((50, 70)) < 0.1
    first, second = colour_both(pattern_of(matrix)), colour_both(pattern_of(matrix))
    np.testing.assert_array_equal(first.columns, second.columns)
    np.testing.assert_array_equal(first.rows, second.rows)


def test_too_dense_a_pattern_is_left_alone(monkeypatch):
    monkeypatch.setattr(colouring, "MOST_WORK", 10)
    assert colour_columns(pattern_of(np.ones((5, 5)))) is None
    assert colour_both(pattern_of(np.ones((5, 5)))) is None


def test_patterns_are_sorted_without_repetition():
    pattern = Pattern.of((3, 4), np.array([2, 0, 2, 2]), np.array([1, 3, 0, 1]))
    assert pattern.rows.tolist() == [0, 2, 2]
    assert pattern.columns.tolist() == [3, 0, 1]


def test_an_unknown_sequence():
    with pytest.raises(ValueError, match="smallest-last"):
        colour_columns(pattern_of(np.eye(3) + 1), "longest-first")
