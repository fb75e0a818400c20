"""What `import elimax` offers."""

from __future__ import annotations

import importlib

import jax.numpy as jnp

import elimax


def test_every_public_name_is_there():
    assert sorted(elimax.__all__) == sorted(set(elimax.__all__))
    assert all(hasattr(elimax, name) for name in elimax.__all__)


def test_plan_is_the_function_and_Plan_what_it_returns():
    """There is a subpackage of the same name: importing it must not put it in the function's place."""
    importlib.import_module("elimax.plan.make")
    made = elimax.plan(lambda x: jnp.sin(x) * x, 0.5)
    assert isinstance(made, elimax.Plan)
    from elimax.plan import Plan

    assert Plan is elimax.Plan


def test_coarsen_is_the_function():
    """There is a subpackage of this name too."""
    importlib.import_module("elimax.coarsen.derive")
    assert float(elimax.coarsen(lambda x: jnp.sin(x) * x)(0.0)) == 0.0
