"""The comparison with JAX: agrees on right Jacobians, and is able to fail."""

from __future__ import annotations

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax import execute

X = jnp.array([0.3, -1.2, 2.0])
Z = jax.lax.complex(X, jnp.ones_like(X))


def fun(x, scale):
    return {"a": jnp.sin(x["u"]) * scale, "b": (x["u"] * x["v"], jnp.argmax(x["u"]))}


ARGS = ({"u": X, "v": 2 * X}, 3.0)


@pytest.fixture
def spoiled(monkeypatch):
    """Makes one block wrong, by the function given."""
    evaluate = execute.evaluate

    def spoil(change):
        def wrong(*args, **kwargs):
            result = evaluate(*args, **kwargs)
            blocks = [list(row) for row in result.blocks]
            blocks[0][0] = change(blocks[0][0])
            return types.SimpleNamespace(outputs=result.outputs, aux=result.aux, blocks=blocks)

        monkeypatch.setattr(execute, "evaluate", wrong)

    return spoil


def test_report():
    report = elimax.verify(fun, *ARGS)
    assert report.ok
    assert report.check() is report
    assert [(b.output, b.input) for b in report.blocks] == [
        (o, i) for o in ("['a']", "['b'][0]", "['b'][1]") for i in ("['u']", "['v']")
    ]
    assert report.blocks[0].shape == (3, 3)
    assert report.blocks[0].dtype == "float64"


def test_report_prints_as_a_table():
    lines = str(elimax.verify(fun, *ARGS)).splitlines()
    assert "fun" in lines[0]
    assert "all blocks agree" in lines[0]
    assert lines[1].split()[:4] == ["output", "input", "shape", "dtype"]
    assert len(lines) == 2 + 6


@pytest.mark.parametrize(
    "change",
    [
        lambda block: block + 1e-6,
        lambda block: block.at[0, 1].set(1e-3),
        lambda block: block.at[0, 0].set(jnp.nan),
        lambda block: block.at[0, 0].set(jnp.inf),
        lambda block: block * 0,
        lambda block: block[:2],
    ],
    ids=["offset", "entry", "nan", "infinity", "zero", "shape"],
)
def test_differences_are_found(spoiled, change):
    spoiled(change)
    report = elimax.verify(fun, *ARGS)
    assert not report.ok
    assert [block.ok for block in report.blocks] == [False] + [True] * 5
    assert "1 of 6 blocks differ" in str(report)
    with pytest.raises(elimax.VerificationError, match="NO"):
        report.check()
    with pytest.raises(elimax.VerificationError):
        elimax.verify(fun, *ARGS, raise_on_difference=True)


def test_tolerance(spoiled):
    spoiled(lambda block: block * (1 + 1e-6))
    assert not elimax.verify(fun, *ARGS).ok
    assert elimax.verify(fun, *ARGS, rtol=1e-5).ok


def test_specials_in_the_same_places_agree():
    report = elimax.verify(lambda x: (jnp.log(x), jnp.sqrt(x)), jnp.array([0.0, -1.0, 2.0]))
    assert report.ok
    assert np.isfinite(report.blocks[0].max_abs_error)


def test_options_are_forwarded():
    assert elimax.verify(lambda x, y: (x * y, "aux"), X, X, argnums=(0, 1), has_aux=True).ok
    assert elimax.verify(lambda z: z * z, Z, holomorphic=True).ok
    assert elimax.verify(lambda z: jnp.abs(z), Z).ok
    assert elimax.verify(lambda i: i.astype(float) * 2.0, jnp.arange(3), allow_int=True).reference == "jax.jacrev"
    assert elimax.verify(lambda x, *, n: x**n, X, n=3, output="bcoo").ok
    assert elimax.verify(lambda x: x.astype(jnp.bfloat16) * 2, X).ok
    with pytest.raises(ValueError):
        elimax.verify(lambda x: x, X, argnums=3)
