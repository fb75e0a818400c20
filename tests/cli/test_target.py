"""Functions by name."""

import click
import pytest

from elimax.cli.target import resolve
from elimax.errors import ElimaxError

SOURCE = """
import jax.numpy as jnp

class Model:
    @staticmethod
    def step(x, y):
        return jnp.sin(x) * y

not_a_function = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "some_model_of_mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "some_model_of_mine", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "some_model_of_mine"


def test_function_of_a_module(module):
    found = resolve(f"{module}:Model.step", args="1.0, 2.0", argnums=(0, 1))
    assert found.args == (1.0, 2.0)
    assert found.argnums == (0, 1)
    assert float(found.fun(0.0, 2.0)) == 0.0


def test_function_of_a_file(module):
    found = resolve(f"{module}.py:Model.step", shapes="f32[2], f32[]")
    assert [arg.shape for arg in found.args] == [(2,), ()]
    assert found.argnums == 0


def test_zoo_problem():
    found = resolve("zoo:brusselator_1d,points=5")
    assert found.args[0].shape == (2, 5)
    assert found.fun(*found.args).shape == (2, 5)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("roe_flux_1d", "zoo:NAME, package.module:function"),
        (":f", "was expected, got ':f'"),
        ("no_such_module_here:f", "No module named 'no_such_module_here'"),
        ("{module}:Model.stepp", "did you mean 'step'"),
        ("{module}:not_a_function", "a function was expected"),
        ("{module}:Model.step", "example arguments were expected"),
        ("missing.py:f", "no Python file"),
        ("zoo:burgers_1d,points", "settings such as points=8"),
    ],
)
def test_wrong_targets(module, target, message):
    with pytest.raises(click.BadParameter, match=message):
        resolve(target.format(module=module))


@pytest.mark.parametrize("target", ["zoo:roe_flux_2d", "zoo:burgers_1d,size=3"])
def test_wrong_problems(target):
    with pytest.raises(ElimaxError, match=r"no problem|no option"):
        resolve(target)


def test_arguments_are_given_once(module):
    with pytest.raises(click.UsageError, match="one of them"):
        resolve(f"{module}:Model.step", args="1.0", shapes="f32[]")
