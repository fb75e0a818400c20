"""Equality saturation: equal values, no more operations; a named error where egglog is missing."""

from __future__ import annotations

import importlib.util
import random

import numpy as np
import pytest

from elimax.coarsen import STRICT, Arena, cost, derive, emit
from elimax.coarsen.saturation import saturate
from tests.coarsen.expressions import NAMES, grow, points

installed = importlib.util.find_spec("egglog") is not None
needs = pytest.mark.skipif(not installed, reason="needs the extra egglog")


@needs
def test_a_common_factor_is_found_in_any_order():
    arena = Arena(STRICT)
    x, y, z, w = (arena.variable(name, "float64") for name in "xyzw")
    left = arena.apply("mul", arena.apply("mul", y, x), w)
    right = arena.apply("mul", z, arena.apply("mul", x, w))
    sink = arena.apply("add", left, right)
    (found,) = saturate(arena, [sink])
    assert cost([found]).operations < cost([sink]).operations
    values = dict(zip("xyzw", (0.3, 0.7, 1.1, -2.0), strict=True))
    np.testing.assert_allclose(emit([found], values), emit([sink], values), rtol=1e-14)


@needs
@pytest.mark.parametrize("seed", range(10))
def test_partials_keep_their_values(seed):
    arena = Arena(STRICT)
    sink, _ = grow(random.Random(seed), arena, 6)
    derived = derive(arena, [sink], [arena.variable(k, "float64") for k in range(len(NAMES))])
    before = derived.sinks[1:]
    after = saturate(arena, before)
    assert cost(after).time <= cost(before).time
    xs = points(seed, 5)
    for ours, theirs in zip(*(emit(sinks, dict(enumerate(xs)), (5,)) for sinks in (after, before)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(installed, reason="egglog is there")
def test_the_install_line_is_named():
    arena = Arena()
    with pytest.raises(ImportError, match=r"elimax\[egglog\]"):
        saturate(arena, [arena.variable("x", "float64")])
