"""Every differentiable primitive of JAX, every argument, against JAX."""

from __future__ import annotations

import zlib

import jax.numpy as jnp
import pytest

from tests.primitives.cases import TABLES
from tests.primitives.harness import check

ALL = {f"{table}: {name}": case for table, cases in TABLES.items() for name, case in cases.items()}


ORDERS = ("forward", "reverse", "markowitz")


def settings(name):
    """An order, and for some of the cases an argument, that are drawn from the name of the case, always the same."""
    number = zlib.crc32(name.encode())
    argument = number // 24 % len(ALL[name].args)
    return {"order": ORDERS[number % 3], "alone": None if number // 3 % 8 else argument}


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", ALL)
def test_same_as_jax(name):
    check(ALL[name], **settings(name))


@pytest.mark.slow
@pytest.mark.standard_promotion
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ALL)
def test_same_as_jax_in_every_order_and_argument(name, order):
    for alone in range(len(ALL[name].args)):
        check(ALL[name], order, alone)


@pytest.mark.standard_promotion
@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("elementwise")][:70:4])
def test_elementwise_in_single_precision(name):
    check(ALL[name].cast(jnp.dtype("float32")), **settings(name))
