"""Variants take turns, and ratios are paired."""

import collections
import time

import jax.numpy as jnp
import pytest

from elimax.cli.jacobians import VARIANTS, batched
from elimax.cli.timing import Comparison, compare


def test_median_and_paired_ratio():
    times = Comparison({"a": (1.0, 10.0, 3.0), "b": (2.0, 20.0, 3.0)})
    assert times.rounds == 3
    assert times.median("a") == 3.0
    assert times.ratio("a", "b") == 0.5


def test_every_variant_runs_equally_often():
    calls = collections.Counter()

    def variant(name):
        def run():
            calls[name] += 1
            return jnp.zeros(())

        return run

    times = compare({name: variant(name) for name in "abc"}, seconds=0.05)
    assert times.rounds >= 5
    assert calls["a"] == calls["b"] == calls["c"] >= times.rounds


def test_a_sample_covers_the_call():
    """A call that sleeps 5 ms takes at least that, whatever else the machine does."""
    times = compare({"sleep": lambda: time.sleep(0.005)}, seconds=0.02)
    assert times.median("sleep") >= 0.005


@pytest.mark.parametrize("batch", [1, 5])
def test_variants_compute_the_same(batch):
    from elimax import zoo

    results = {name: run() for name, run in batched(zoo.get("lighthouse"), batch).items()}
    assert set(results) == set(VARIANTS)
    import jax
    import numpy as np

    for name in VARIANTS[1:]:
        assert jax.tree.structure(results[name]) == jax.tree.structure(results["elimax"])
        for got, want in zip(jax.tree.leaves(results["elimax"]), jax.tree.leaves(results[name]), strict=True):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-10)


def test_points_of_a_batch_differ():
    from elimax import zoo

    result = batched(zoo.get("lighthouse"), 4)["jacfwd"]()
    block = result[0][0] if isinstance(result, tuple) else result
    assert len({float(value) for value in jnp.ravel(block)}) > 1
