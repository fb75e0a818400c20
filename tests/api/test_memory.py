"""Memory: predicted, limited, kept to; what does not fit is refused before it is attempted."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax.errors import MemoryLimitError
from elimax.execute import fitting
from elimax.plan.sizes import format_bytes, parse_bytes
from tests.agreement import assert_trees_close, dense

WEIGHTS = 0.1 * jnp.sin(jnp.arange(60.0 * 60)).reshape(60, 60)


def layers(x):
    return jnp.tanh(jnp.tanh(x @ WEIGHTS) @ WEIGHTS)


def heat(u):
    return lax.fori_loop(0, 3, lambda _, v: v + 0.1 * (jnp.roll(v, 1) - v) * jnp.sin(v), u)


def advection(u):
    return u * (jnp.roll(u, 1) - u)


def roots(u):
    """A loop that JAX refuses to reverse."""
    return lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] - (s[1] ** 2 - u) / (2 * s[1])), (0, u + 1))[1]


X, U = jnp.linspace(0.0, 1.0, 480).reshape(8, 60), jnp.linspace(0.1, 1.0, 400)


def measured(jac, *args):
    """Bytes that XLA says it needs."""
    found = jax.jit(jac).lower(*args).compile().memory_analysis()
    return found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes


@pytest.mark.parametrize(
    ("fun", "x", "mode"),
    [
        (layers, X, "elimination"),
        (layers, X, "forward"),
        (layers, X, "reverse"),
        (heat, U, "coloured forward"),
        (heat, U, "reverse"),
        (advection, U, "elimination"),
        (advection, U, "forward"),
        (roots, U, "forward"),
    ],
)
def test_the_predicted_peak_is_near_what_xla_plans(fun, x, mode):
    plan = elimax.plan(fun, x).with_mode(mode)
    predicted = fitting.peak_of(lambda y: elimax.jacobian(fun, order=plan)(y), [x])
    assert 1 / 3 < predicted / measured(elimax.jacobian(fun, order=plan), x) < 3


@pytest.mark.parametrize("name", ["brusselator_1d", "burgers_1d", "encoder", "gaussian_data_fitting", "perceptron"])
def test_the_predicted_peak_of_known_problems(name):
    from elimax import zoo

    problem = zoo.get(name)
    plan = elimax.plan(problem.fun, *problem.args, argnums=problem.argnums)
    peak = dict(plan.memory)["peak"]
    assert 1 / 3 < peak / measured(elimax.jacobian(problem.fun, problem.argnums, form="plain"), *problem.args) < 3
    assert f"memory: predicted peak {format_bytes(peak)}" in str(plan)


def test_sizes_of_results():
    sizes = dict(elimax.plan(advection, U).memory)
    assert sizes["arguments"] == 400 * 8
    assert sizes["dense result"] == 400 * 400 * 8
    assert sizes["bcoo result"] == 2 * 400 * (8 + 2 * 4)
    block = jax.jit(elimax.jacobian(advection, output="bcoo"))(U)
    assert sizes["bcoo result"] == block.data.nbytes + block.indices.nbytes


@pytest.mark.parametrize(("fun", "x", "output"), [(layers, X, "dense"), (heat, U, "dense"), (roots, U, "dense")])
@pytest.mark.parametrize("share", [1.01, 1.1, 3.0, 100.0])
def test_the_limit_is_kept(fun, x, output, share):
    """Less memory, more chunks, the same Jacobian; and what XLA plans is no more than a little above the limit."""
    limit = share * x.size**2 * 8 + 8 * WEIGHTS.size + 1000 * x.size
    jac = elimax.jacobian(fun, max_memory=limit, output=output)
    assert_trees_close(jax.jit(jac)(x), jax.jit(jax.jacfwd(fun))(x))
    assert measured(jac, x) < 1.1 * limit
    plan = elimax.plan(fun, x, max_memory=limit)
    assert dict(plan.memory)["peak"] <= limit
    assert_trees_close(jax.jit(elimax.jacobian(fun, order=plan))(x), jax.jit(jax.jacfwd(fun))(x))


@pytest.mark.parametrize("mode", ["forward", "reverse", "coloured forward", "coloured reverse", "mixed"])
@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_every_mode_in_chunks(mode, chunk):
    import dataclasses

    def fun(x, p):
        y = lax.map(jnp.sin, x)
        return {"a": y * p["s"], "b": jnp.stack([y[0] * y.sum(), p["s"]])}, y * 2

    args = jnp.linspace(0.1, 1.0, 7), {"s": jnp.array(2.0)}
    plan = elimax.plan(fun, *args, argnums=(0, 1), has_aux=True)
    plan = dataclasses.replace(plan.with_mode(mode), chunk=chunk)
    expected = jax.jit(jax.jacfwd(fun, (0, 1), has_aux=True))(*args)
    assert_trees_close(jax.jit(elimax.jacobian(fun, (0, 1), has_aux=True, order=plan))(*args), expected)
    if "forward" in mode:
        loss = lambda j: lambda x: (j(x, args[1])[0]["a"][0] ** 2).sum()  # noqa: E731
        own = jax.jit(jax.grad(loss(elimax.jacobian(fun, (0, 1), has_aux=True, order=plan))))(args[0])
        assert_trees_close(own, jax.jit(jax.grad(loss(jax.jacfwd(fun, (0, 1), has_aux=True))))(args[0]))


def test_sparse_output_in_chunks():
    whole = dict(elimax.plan(heat, U).memory)["bcoo result"]
    block = jax.jit(elimax.jacobian(heat, output="bcoo", max_memory=3.5 * whole))(U)
    assert_trees_close(dense(block), jax.jit(jax.jacfwd(heat))(U))


def test_a_result_larger_than_the_limit_is_refused_and_the_sparse_one_named():
    with pytest.raises(MemoryLimitError, match=r"advection has 1\.28 MB, and max_memory is 1 MB.*bcoo.* 12\.8 kB"):
        elimax.jacobian(advection, max_memory="1 MB")(U)
    with pytest.raises(MemoryLimitError, match="no way out"):
        elimax.jacobian(lambda u: u * u.sum(), max_memory="1 MB")(U)
    with pytest.raises(MemoryLimitError, match="1 MB"):
        elimax.plan(advection, U, max_memory="1 MB")


def test_a_result_larger_than_the_machine_is_refused_at_once():
    huge = jnp.ones(10**7)
    with pytest.raises(MemoryLimitError, match=r"800 TB, and this machine has .* output=\"bcoo\" has 320 MB"):
        elimax.jacobian(advection)(huge)
    assert dict(elimax.plan(advection, huge).memory)["dense result"] == 8 * 10**14
    with pytest.raises(MemoryLimitError, match="this machine has"):
        elimax.hessian(lambda u: (u**3).sum())(huge)


def test_a_limit_that_no_mode_meets():
    with pytest.raises(MemoryLimitError, match="by the mode that needs least"):
        elimax.jacobian(layers, max_memory=X.size**2 * 8 + 1000)(X)
    with pytest.raises(MemoryLimitError, match="max_memory is 10 bytes"):
        elimax.jacobian(advection, output="bcoo", max_memory=10)(U)


def test_value_and_hessian_take_it_too():
    value, jac = jax.jit(elimax.value_and_jacobian(layers, max_memory="2.2 MB"))(X)
    assert_trees_close((value, jac), (layers(X), jax.jit(jax.jacfwd(layers))(X)))
    energy = lambda u: (heat(u) ** 2).sum()  # noqa: E731
    u = U[:30]
    assert_trees_close(jax.jit(elimax.hessian(energy, max_memory="1 MB"))(u), jax.jit(jax.hessian(energy))(u))
    with pytest.raises(MemoryLimitError):
        elimax.hessian(energy, max_memory="1 kB")(u)


@pytest.mark.parametrize(
    ("limit", "expected"), [(5, 5), ("2 GB", 2e9), ("512MiB", 2**29), ("1e6", 1e6), ("1.5 kb", 1500), (np.int64(7), 7)]
)
def test_limits(limit, expected):
    assert parse_bytes(limit) == expected


@pytest.mark.parametrize("limit", [0, -1, "two", "", True, "1.2.3 GB", float("nan"), None, [1]])
def test_what_is_no_limit(limit):
    with pytest.raises(MemoryLimitError, match="2 GB"):
        parse_bytes(limit)


def test_plans_keep_memory_and_chunks(tmp_path):
    plan = elimax.plan(layers, X, max_memory="1.95 MB")
    assert plan.chunk is not None
    assert f"{plan.chunk} directions at once" in str(plan)
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json") == plan


def test_plans_of_the_version_before_are_read(tmp_path):
    path = tmp_path / "plan.json"
    plan = elimax.plan(advection, U)
    plan.save(path)
    data = json.loads(path.read_text())
    data["version"] = 2
    del data["chunk"], data["memory"]
    path.write_text(json.dumps(data))
    old = elimax.Plan.load(path)
    assert (old.order, old.chunk, old.memory) == (plan.order, None, ())
    assert "memory" not in str(old)
    assert_trees_close(jax.jit(elimax.jacobian(advection, order=old))(U), jax.jit(jax.jacfwd(advection))(U))


def test_dense_operations_do_not_write_out_sparse_indices():
    """Elimination takes the loop for dense, 10^10 entries; its pattern is a diagonal."""
    u = jnp.linspace(0.1, 1.0, 100_000)
    block = jax.jit(elimax.jacobian(roots, output="bcoo"))(u)
    assert block.nse == u.size
    np.testing.assert_allclose(block.data, jax.jvp(roots, (u,), (jnp.ones_like(u),))[1], rtol=1e-12)
    limited = jax.jit(elimax.jacobian(roots, output="bcoo", max_memory="10 MB"))(u)
    np.testing.assert_array_equal(limited.indices, block.indices)


def test_a_sparse_result_larger_than_the_limit_is_refused():
    with pytest.raises(MemoryLimitError, match=r"the sparse Jacobian of layers has .* jax\.vjp"):
        elimax.jacobian(layers, output="bcoo", max_memory="500 kB")(X)
