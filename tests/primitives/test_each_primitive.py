"""Every differentiable primitive of JAX, every argument, against JAX."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from tests.primitives.cases import TABLES, elementwise
from tests.primitives.harness import check

ALL = {f"{table}: {name}": case for table, cases in TABLES.items() for name, case in cases.items()}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", ALL)
def test_same_as_jax(name):
    check(ALL[name])


@pytest.mark.standard_promotion
@pytest.mark.parametrize("dtype", ["float32"])
@pytest.mark.parametrize("name", list(elementwise.CASES)[:70:2])
def test_elementwise_in_other_precisions(name, dtype):
    check(elementwise.CASES[name].cast(jnp.dtype(dtype)), orders=("reverse",))
