"""The Jacobian is a JAX function: compiled, batched, differentiated, rematerialised, checked, sharded, exported."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import NamedSharding, PartitionSpec

import elimax
from tests.agreement import assert_trees_close

X = jnp.array([0.3, -1.2, 2.0])
BATCH = jnp.sin(jnp.arange(12.0)).reshape(4, 3)


def fun(x):
    y = jnp.sin(x) * x[0] + jnp.cumsum(x**2)
    return {"y": y[1:] * y[:-1], "s": jnp.sum(jnp.where(x > 0, y, x))}


def loss(x):
    return jnp.sum(jnp.tanh(x[1:] * x[:-1]) ** 2) * x[0]


def scanned(x):
    return jax.lax.scan(lambda c, a: (jnp.sin(c) * a, c * c), x[0], x)


FUNCTIONS = {"tree": fun, "loss": loss, "scan": scanned}


def over(jacobian, transform):
    """Applies a transformation to every leaf function of a Jacobian."""
    return transform(lambda x: jax.tree.map(jnp.sum, jax.tree.map(jnp.sin, jacobian(x))))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("order", ["auto", "forward", "reverse", "markowitz"])
def test_jit(name, order):
    f = FUNCTIONS[name]
    assert_trees_close(jax.jit(elimax.jacobian(f, order=order))(X), jax.jit(jax.jacfwd(f))(X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap(name):
    f = FUNCTIONS[name]
    assert_trees_close(jax.jit(jax.vmap(elimax.jacobian(f)))(BATCH), jax.jit(jax.vmap(jax.jacfwd(f)))(BATCH))


def test_vmap_over_other_axes_and_nested():
    f = jax.vmap(jax.vmap(elimax.jacobian(lambda x, y: x * y + jnp.sin(x)), (0, None)), (None, 0))
    g = jax.vmap(jax.vmap(jax.jacfwd(lambda x, y: x * y + jnp.sin(x)), (0, None)), (None, 0))
    assert_trees_close(jax.jit(f)(BATCH, X), jax.jit(g)(BATCH, X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacfwd_of_the_jacobian(name):
    f = FUNCTIONS[name]
    assert_trees_close(jax.jit(jax.jacfwd(elimax.jacobian(f)))(X), jax.jit(jax.jacfwd(jax.jacfwd(f)))(X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacrev_of_the_jacobian(name):
    f = FUNCTIONS[name]
    assert_trees_close(jax.jit(jax.jacrev(elimax.jacobian(f)))(X), jax.jit(jax.jacfwd(jax.jacfwd(f)))(X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_order_by_itself(name):
    f = FUNCTIONS[name]
    assert_trees_close(jax.jit(elimax.jacobian(elimax.jacobian(f)))(X), jax.jit(jax.jacfwd(jax.jacfwd(f)))(X))


@pytest.mark.parametrize("name", ["loss", "scan"])
def test_third_order_by_itself(name):
    f = FUNCTIONS[name]
    third = elimax.jacobian(elimax.jacobian(elimax.jacobian(f)))
    assert_trees_close(jax.jit(third)(X), jax.jit(jax.jacfwd(jax.jacfwd(jax.jacfwd(f))))(X))


def test_grad_jvp_and_vjp_of_the_jacobian():
    def total(jacobian):
        return lambda x: sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(jacobian(x)))

    ours, theirs = elimax.jacobian(fun), jax.jacfwd(fun)
    assert_trees_close(jax.jit(jax.grad(total(ours)))(X), jax.jit(jax.grad(total(theirs)))(X))
    assert_trees_close(jax.jvp(jax.jit(ours), (X,), (X,)), jax.jvp(jax.jit(theirs), (X,), (X,)))
    (value, pullback), (expected, reference) = jax.vjp(jax.jit(ours), X), jax.vjp(jax.jit(theirs), X)
    assert_trees_close(value, expected)
    assert_trees_close(pullback(expected), reference(expected))
    _, linear = jax.linearize(jax.jit(ours), X)
    assert_trees_close(linear(X), jax.jvp(jax.jit(theirs), (X,), (X,))[1])


def test_hessian_of_a_vector_function_under_vmap():
    ours, theirs = jax.vmap(elimax.hessian(loss)), jax.vmap(jax.hessian(loss))
    assert_trees_close(jax.jit(ours)(BATCH), jax.jit(theirs)(BATCH))


def test_remat():
    ours = jax.jit(jax.grad(jax.checkpoint(lambda x: jnp.sum(elimax.jacobian(loss)(x) ** 2))))
    theirs = jax.jit(jax.grad(lambda x: jnp.sum(jax.grad(loss)(x) ** 2)))
    assert_trees_close(ours(X), theirs(X))
    of_remat = elimax.jacobian(jax.checkpoint(fun))
    assert_trees_close(jax.jit(of_remat)(X), jax.jit(jax.jacfwd(fun))(X))


def test_checkify_outside():
    def checked(x):
        checkify.check(x[0] < 1, "too large: {x}", x=x[0])
        return elimax.jacobian(fun)(x)

    run = jax.jit(checkify.checkify(checked))
    error, jac = run(X)
    error.throw()
    assert_trees_close(jac, jax.jit(jax.jacfwd(fun))(X))
    error, _ = run(X + 5)
    with pytest.raises(Exception, match="too large"):
        error.throw()


def test_checkify_finds_nan_in_the_jacobian():
    checked = checkify.checkify(elimax.jacobian(lambda x: jnp.sqrt(x) * x, form="plain"), errors=checkify.nan_checks)
    error, _ = jax.jit(checked)(X - 1)
    assert error.get() is not None
    error, _ = jax.jit(checked)(X**2)
    assert error.get() is None


def test_checks_inside_the_function():
    def f(x):
        checkify.check(jnp.all(x < 3), "too large")
        return jnp.sin(x) * x

    ours = jax.jit(checkify.checkify(lambda x: elimax.jacobian(f)(x)))
    theirs = jax.jit(checkify.checkify(lambda x: jax.jacfwd(f)(x)))
    for x in (X, X + 5):
        (error, jac), (expected_error, expected) = ours(x), theirs(x)
        assert (error.get() is None) == (expected_error.get() is None)
        assert_trees_close(jac, expected)


def test_debug_print_inside_the_function(capfd):
    def f(x):
        jax.debug.print("value {v}", v=x[0])
        return x * x

    jac = jax.jit(elimax.jacobian(f))(X)
    jax.effects_barrier()
    assert_trees_close(jac, jnp.diag(2 * X))
    assert capfd.readouterr().out.count("value 0.3") == 1


@pytest.fixture(params=["Auto", "Explicit"])
def mesh(request):
    return jax.make_mesh((4,), ("batch",), axis_types=(getattr(jax.sharding.AxisType, request.param),))


def test_sharded_inputs(mesh):
    sharding = NamedSharding(mesh, PartitionSpec("batch"))
    x = jax.device_put(BATCH, sharding)
    jac = jax.jit(jax.vmap(elimax.jacobian(fun)))(x)
    assert_trees_close(jac, jax.jit(jax.vmap(jax.jacfwd(fun)))(BATCH))
    assert len(jac["y"].sharding.device_set) == 4


@pytest.mark.parametrize("form", ["points", "kernel"])
def test_forms_that_are_one_kernel_with_sharded_inputs(mesh, form):
    x = jax.device_put(BATCH, NamedSharding(mesh, PartitionSpec("batch")))
    jac = jax.jit(jax.vmap(elimax.jacobian(fun, form=form)))(x)
    assert_trees_close(jac, jax.jit(jax.vmap(jax.jacfwd(fun)))(BATCH))


def test_sharded_input_of_one_function(mesh):
    x = jax.device_put(jnp.arange(8.0) / 8, NamedSharding(mesh, PartitionSpec("batch")))

    def f(x):
        return jnp.sin(x) * jnp.sum(x)

    for differentiate in (elimax.jacobian(f), jax.jit(elimax.jacobian(f))):
        assert_trees_close(differentiate(x), jax.jit(jax.jacfwd(f))(x))


# Constants do not yet vary along the mesh as their partners do: JAX's own mode takes over, and says so once a function.
@pytest.mark.filterwarnings("ignore:elimax failed to differentiate:elimax.ElimaxWarning")
def test_inside_shard_map(mesh):
    spec = PartitionSpec("batch")
    ours = jax.shard_map(jax.vmap(elimax.jacobian(fun)), mesh=mesh, in_specs=spec, out_specs=spec)
    x = jax.device_put(BATCH, NamedSharding(mesh, spec))
    assert_trees_close(jax.jit(ours)(x), jax.jit(jax.vmap(jax.jacfwd(fun)))(BATCH))


@pytest.mark.filterwarnings(
    "ignore:elimax failed to differentiate:elimax.ElimaxWarning"
)  # as above, on explicit meshes
def test_around_shard_map(mesh):
    def f(x):
        part = jax.shard_map(
            lambda a: jnp.sin(a) * jax.lax.psum(a, "batch"),
            mesh=mesh,
            in_specs=PartitionSpec("batch"),
            out_specs=PartitionSpec("batch"),
        )
        return part(x) * x

    x = jax.device_put(jnp.arange(4.0) / 4, NamedSharding(mesh, PartitionSpec("batch")))
    assert_trees_close(jax.jit(elimax.jacobian(f))(x), jax.jit(jax.jacfwd(f))(x))


def test_export_with_symbolic_shapes():
    def f(x):
        return jnp.sin(x) * x[0] + jnp.cumsum(x)

    (size,) = jax.export.symbolic_shape("n")
    with pytest.warns(elimax.ElimaxWarning, match="symbolic"):
        exported = jax.export.export(jax.jit(elimax.jacobian(f)))(jax.ShapeDtypeStruct((size,), jnp.float64))
    for n in (2, 5):
        x = jnp.arange(float(n)) + 0.5
        assert_trees_close(exported.call(x), jax.jit(jax.jacfwd(f))(x))


def test_export_with_a_symbolic_batch():
    (size,) = jax.export.symbolic_shape("b")
    exported = jax.export.export(jax.jit(jax.vmap(elimax.jacobian(fun))))(jax.ShapeDtypeStruct((size, 3), jnp.float64))
    assert_trees_close(exported.call(BATCH), jax.jit(jax.vmap(jax.jacfwd(fun)))(BATCH))


def test_lowering_and_cost_analysis():
    compiled = jax.jit(elimax.jacobian(fun)).lower(X).compile()
    assert_trees_close(compiled(X), jax.jit(jax.jacfwd(fun))(X))


def test_user_functions_with_derivatives_inside():
    def with_grad(x):
        return jax.grad(loss)(x) * x

    def with_elimax(x):
        return elimax.jacobian(loss)(x) * x

    def with_both(x):
        return jax.jvp(elimax.jacobian(loss), (x,), (x,))[1] + jax.vmap(jax.grad(loss))(jnp.stack([x, 2 * x])).sum(0)

    def both_by_jax(x):
        return jax.jvp(jax.grad(loss), (x,), (x,))[1] + jax.vmap(jax.grad(loss))(jnp.stack([x, 2 * x])).sum(0)

    expected = jax.jit(jax.jacfwd(with_grad))(X)
    assert_trees_close(jax.jit(elimax.jacobian(with_grad))(X), expected)
    assert_trees_close(jax.jit(elimax.jacobian(with_elimax))(X), expected)
    assert_trees_close(jax.jit(jax.jacrev(with_elimax))(X), expected)
    assert_trees_close(jax.jit(elimax.jacobian(with_both))(X), jax.jit(jax.jacfwd(both_by_jax))(X))


def test_inside_loops_and_branches():
    def newton(x):
        def step(_, x):
            return x - jnp.linalg.solve(elimax.jacobian(lambda y: y**3 - 2 + y[::-1])(x), x**3 - 2 + x[::-1])

        return jax.lax.fori_loop(0, 8, step, x)

    def by_jax(x):
        def step(_, x):
            return x - jnp.linalg.solve(jax.jacfwd(lambda y: y**3 - 2 + y[::-1])(x), x**3 - 2 + x[::-1])

        return jax.lax.fori_loop(0, 8, step, x)

    x = jnp.array([1.2, 0.8])
    assert_trees_close(jax.jit(newton)(x), jax.jit(by_jax)(x))
    branch = jax.jit(lambda x: jax.lax.cond(x[0] > 0, elimax.jacobian(fun), jax.jacfwd(fun), x))
    for sign in (1, -1):
        assert_trees_close(branch(sign * X), jax.jit(jax.jacfwd(fun))(sign * X))


def test_in_a_scan_over_inputs():
    _, stacked = jax.lax.scan(lambda c, x: (c, elimax.jacobian(loss)(x)), None, BATCH)
    assert_trees_close(stacked, jax.jit(jax.vmap(jax.grad(loss)))(BATCH))


def test_closing_over_a_traced_value():
    def outer(scale, x):
        return elimax.jacobian(lambda y: jnp.sin(y * scale) * scale)(x)

    def expected(scale, x):
        return jax.jacfwd(lambda y: jnp.sin(y * scale) * scale)(x)

    scale = jnp.array(0.7)
    assert_trees_close(
        jax.jit(jax.grad(lambda s: jnp.sum(outer(s, X))))(scale),
        jax.jit(jax.grad(lambda s: jnp.sum(expected(s, X))))(scale),
    )
    assert_trees_close(jax.jit(jax.vmap(outer, (0, None)))(X, X), jax.jit(jax.vmap(expected, (0, None)))(X, X))


def test_sparse_blocks_compose():
    f = elimax.jacobian(lambda x: x[1:] * x[:-1], output="bcoo")
    expected = jax.jacfwd(lambda x: x[1:] * x[:-1])
    assert_trees_close(jax.jit(lambda x: f(x) @ x)(X), expected(X) @ X)
    assert_trees_close(
        jax.jit(jax.grad(lambda x: jnp.sum((f(x) @ x) ** 2)))(X),
        jax.jit(jax.grad(lambda x: jnp.sum((expected(x) @ x) ** 2)))(X),
    )
    batched = jax.jit(jax.vmap(lambda x: f(x).data))(BATCH)
    assert batched.shape == (4, f(X).nse)


def test_disable_jit_and_debug_nans():
    with jax.disable_jit():
        assert_trees_close(elimax.jacobian(loss)(X), jax.jit(jax.jacfwd(loss))(X))
    with jax.debug_nans(True):
        assert_trees_close(elimax.jacobian(loss)(X), jax.jit(jax.jacfwd(loss))(X))


def test_numpy_results_of_the_jacobian():
    np.testing.assert_allclose(np.asarray(elimax.jacobian(loss)(X)), np.asarray(jax.jit(jax.grad(loss))(X)), rtol=1e-12)
