"""Whatever a body does, what is closed has the values and derivatives of the loop."""

from __future__ import annotations

import pytest

from tests.coarsen.loops.bodies import random_loop
from tests.coarsen.loops.comparison import check, closed_form


@pytest.mark.parametrize("start", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (4, 8, 12))])
def test_random_bodies(start):
    for seed in range(start, start + 4):
        fun, args = random_loop(seed)
        check(fun, args)


def test_many_random_bodies_are_closed():
    count = sum(bool(closed_form(fun, *args)[1]) for fun, args in map(random_loop, range(16)))
    assert count >= 6
