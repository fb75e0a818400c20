"""Example arguments from words."""

import click
import jax.numpy as jnp
import numpy as np
import pytest

from elimax.cli.arguments import parse_args, parse_shapes


def same(got, want):
    assert type(got) is type(want) or hasattr(got, "shape")
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for key in want:
            same(got[key], want[key])
    elif isinstance(want, tuple):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            same(g, w)
    elif hasattr(want, "shape"):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    else:
        assert got == want


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("", ()),
        ("1.0", (1.0,)),
        ("1.0, 2", (1.0, 2)),
        ("-1e-3,", (-1e-3,)),
        ("[1.0, 2.0]", (jnp.array([1.0, 2.0]),)),
        ("[[1, 2], [3, 4]]", (jnp.array([[1, 2], [3, 4]]),)),
        ("(1.0, [2.0]), {'a': [3.0]}", ((1.0, jnp.array([2.0])), {"a": jnp.array([3.0])})),
        ("None, True, 1j", (None, True, 1j)),
    ],
)
def test_values(words, want):
    same(parse_args(words), want)


@pytest.mark.parametrize("words", ["1.0; 2.0", "x", "[1.0, 2.0", "f(1)", "[[1.0], [2.0, 3.0]]", "['a']"])
def test_wrong_values(words):
    with pytest.raises(click.BadParameter, match="expected"):
        parse_args(words)


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("f32[]", (jnp.ones((), "float32"),)),
        ("f64[3], i32[2, 2]", (jnp.ones(3, "float64"), jnp.ones((2, 2), "int32"))),
        ("(f16[1], {'a': bool[0]})", ((jnp.ones(1, "float16"), {"a": jnp.ones(0, bool)}),)),
        ("c128[2]", (jnp.ones(2, "complex128"),)),
    ],
)
def test_shapes(words, want):
    same(parse_shapes(words), want)


@pytest.mark.parametrize("words", ["f32", "f32[3", "q32[3]", "f32[3],3", "f32[3] f32[3]", "f32[3], None"])
def test_wrong_shapes(words):
    with pytest.raises(click.BadParameter, match="expected"):
        parse_shapes(words)


def test_shapes_name_the_known_dtypes():
    with pytest.raises(click.BadParameter, match=r"bf16.*got 'float32'"):
        parse_shapes("float32[3]")
