"""The tables name every primitive of jax.lax, or say why not."""

from __future__ import annotations

import warnings

import jax
from jax import lax

from tests.primitives.cases import TABLES

# Primitives that no case can differentiate through.
NO_DERIVATIVE = {
    "integers and bits": {
        "and", "or", "xor", "not", "shift_left", "shift_right_arithmetic", "shift_right_logical", "population_count",
        "clz", "mulhi", "reduce_xor",
    },
    "helpers of derivatives that are not differentiated again by JAX": {"igamma_grad_a", "eq_to", "le_to", "lt_to"},
    "tokens and effects": {"after_all", "create_token", "dce_sink", "stage"},
    "random bits": {"rng_bit_generator", "rng_uniform"},
    "no derivative in JAX": {"cholesky_update", "symmetric_product", "ormqr", "tridiagonal", "reduce_window"},
    "integers of a factorisation": {"lu_pivots_to_permutation"},
}  # fmt: skip
# Primitives of parallel programs, which act on one device's part: tests/api/test_composition.py.
PARALLEL = {"all_gather", "all_to_all", "axis_index", "pmax", "pmin", "ppermute", "psum", "ragged_all_to_all"}
# Primitives that the public functions of this version of JAX do not produce, or only inside derivatives.
NOT_PRODUCED = {"select_and_gather_add", "select_and_scatter", "sharding_constraint", "stack", "unstack", "tile"}


def _names(jaxpr, found):
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                _names(inner, found)
    return found


def _exported_names(module):
    names = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for attribute in dir(module):
            if attribute.endswith("_p"):
                names.add(getattr(module, attribute).name)
    return names


def test_every_primitive_of_lax_has_a_case():
    found = set()
    with jax.numpy_dtype_promotion("standard"):
        for cases in TABLES.values():
            for case in cases.values():
                _names(jax.make_jaxpr(case.fun)(*case.args).jaxpr, found)
    wanted = _exported_names(lax) | _exported_names(lax.linalg)
    missing = wanted - found - PARALLEL - NOT_PRODUCED - set().union(*NO_DERIVATIVE.values())
    assert not missing, f"no case uses {sorted(missing)}"


def test_the_exceptions_are_exceptions():
    """A primitive listed as undifferentiable must not have become differentiable unnoticed."""
    found = set()
    for cases in TABLES.values():
        for case in cases.values():
            if case.differentiable:
                with jax.numpy_dtype_promotion("standard"):
                    _names(jax.make_jaxpr(case.fun)(*case.args).jaxpr, found)
    assert not found & NO_DERIVATIVE["no derivative in JAX"]
