"""Names, docstrings, signatures, and the list of public names."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import elimax


def documented(x, scale: float = 2.0):
    """Has a docstring."""
    return x * scale


class Callable:
    def __call__(self, x):
        return x * x

    def method(self, x):
        return x * 3


@pytest.mark.parametrize(
    ("make", "word"),
    [(elimax.jacobian, "Jacobian"), (elimax.value_and_jacobian, "Value and Jacobian"), (elimax.hessian, "Hessian")],
)
def test_wrapped_metadata(make, word):
    wrapped = make(documented, argnums=(0, 1))
    reference = jax.jacfwd(documented, argnums=(0, 1))
    assert wrapped.__name__ == reference.__name__ == "documented"
    assert wrapped.__qualname__ == reference.__qualname__
    assert wrapped.__module__ == reference.__module__
    assert wrapped.__wrapped__ is documented
    assert wrapped.__doc__.startswith(f"{word} of documented with respect to positional argument(s) (0, 1)")
    assert inspect.signature(wrapped) == inspect.signature(reference)


def test_metadata_of_callables_without_a_name():
    x = jnp.arange(2.0)
    for fun in (Callable(), Callable().method, functools.partial(documented, scale=3.0), jax.jit(documented), jnp.sin):
        wrapped = elimax.jacobian(fun)
        assert wrapped.__doc__.startswith("Jacobian of ")
        assert jnp.allclose(wrapped(x), jax.jit(jax.jacfwd(fun))(x))
    assert elimax.jacobian(functools.partial(documented)).__name__ == "documented"


def test_usable_as_a_decorator():
    @elimax.jacobian
    def slope(x):
        return x**3

    @functools.partial(elimax.jacobian, argnums=1)
    def other(x, y):
        return x * y

    assert slope(2.0) == 12.0
    assert other(3.0, 4.0) == 3.0


def test_same_parameters_as_jax():
    jacrev = list(inspect.signature(jax.jacrev).parameters.values())
    ours = list(inspect.signature(elimax.jacobian).parameters.values())
    assert [(p.name, p.default) for p in ours[: len(jacrev)]] == [(p.name, p.default) for p in jacrev]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in ours[len(jacrev) :])
    hessian = list(inspect.signature(jax.hessian).parameters.values())
    ours = list(inspect.signature(elimax.hessian).parameters.values())
    assert [(p.name, p.default) for p in ours[: len(hessian)]] == [(p.name, p.default) for p in hessian]


def test_public_names_exist_and_are_documented():
    assert len(set(elimax.__all__)) == len(elimax.__all__)
    for name in elimax.__all__:
        thing = getattr(elimax, name)
        assert name == "__version__" or inspect.getdoc(thing)
    assert callable(elimax.plan)
    assert not inspect.ismodule(elimax.plan)


def test_plan_stays_a_function_when_submodules_are_imported():
    code = "import elimax, elimax.plan, elimax.execute, elimax.cli.app; assert callable(elimax.plan), elimax.plan"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_import_is_light():
    code = (
        "import sys, jax, jax.numpy, jax.experimental.sparse; before = set(sys.modules); import elimax; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "heavy = new & {'numba', 'matplotlib', 'scipy', 'ray', 'rich', 'click', 'sympy', 'mctx'}; "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_version_is_that_of_the_package():
    from importlib import metadata

    assert elimax.__version__ == metadata.version("elimax")
