"""Random programs of loops and branches have the derivatives that forward mode of JAX gives them."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from tests.execute.control.random_loops import random_program

BOTH = (0, 1)


def total(fun):
    return lambda p, x: sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(fun(p, x)))


def second(fun, *_):
    return jax.jacfwd(jax.jacfwd(total(fun), 0), BOTH)


CHECKS = {
    "jacobian": (lambda f: elimax.jacobian(f, BOTH), lambda f: jax.jacfwd(f, BOTH)),
    "value": (lambda f: elimax.value_and_jacobian(f, BOTH), lambda f: lambda *xs: (f(*xs), jax.jacfwd(f, BOTH)(*xs))),
    "mapped": (lambda f: jax.vmap(elimax.jacobian(f, BOTH)), lambda f: jax.vmap(jax.jacfwd(f, BOTH))),
    "gradient": (lambda f: jax.grad(total(elimax.coarsen(f)), BOTH), lambda f: jax.jacfwd(total(f), BOTH)),
    "mapped gradient": (
        lambda f: jax.vmap(jax.grad(total(elimax.coarsen(f)), BOTH)),
        lambda f: jax.vmap(jax.jacfwd(total(f), BOTH)),
    ),
    "coarsened jacobian": (
        lambda f: jax.vmap(elimax.jacobian(elimax.coarsen(f), BOTH)),
        lambda f: jax.vmap(jax.jacfwd(f, BOTH)),
    ),
    "hessian": (lambda f: jax.jacfwd(elimax.jacobian(total(f), 0), BOTH), second),
    "reverse of reverse": (lambda f: jax.jacrev(jax.grad(total(elimax.coarsen(f)), 0), BOTH), second),
    "forward of reverse": (lambda f: jax.jacfwd(jax.grad(total(elimax.coarsen(f)), 0), BOTH), second),
}


def check(seed, name=None, dtype="float64"):
    """Compare one kind of derivatives, by default the one that the seed draws."""
    kind, fun, length = random_program(seed)
    name = name or random.Random(-1 - seed).choice(list(CHECKS))
    ours, theirs = CHECKS[name]
    values = np.random.default_rng(seed).normal(size=(2, length))
    args = [jnp.asarray(v, dtype) for v in values]
    if "mapped" in name or name == "coarsened jacobian":
        args = [jnp.stack([v, v * 0.3, -v]) for v in args]
    found, expected = (jax.tree.leaves(jax.jit(make(fun))(*args)) for make in (ours, theirs))
    tolerance = 1e-9 if dtype == "float64" else 3e-3
    for a, b in zip(found, expected, strict=True):
        where = f"seed {seed} ({kind}), {name}, {dtype}"
        assert (a.shape, a.dtype) == (b.shape, b.dtype), where
        a, b = np.asarray(a), np.asarray(b)
        finite = np.isfinite(b)
        scale = 1 + np.max(np.abs(np.where(finite, b, 0)), initial=0.0)
        np.testing.assert_allclose(np.where(finite, a, 0), np.where(finite, b, 0), 0, tolerance * scale, err_msg=where)


@pytest.mark.parametrize("seed", range(4))
def test_random_loops(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 150))
def test_many_random_loops(seed):
    check(seed)
    check(seed, "jacobian", "float32")
    jax.clear_caches()
