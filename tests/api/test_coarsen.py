"""Coarsened functions: values and every derivative of JAX, what is kept for the way back, and what is left alone."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import elimax
from elimax import zoo
from tests.agreement import assert_trees_close

X = jnp.array([0.3, -1.2, 2.0])


def step(x, h):
    """Explicit steps of a pendulum with friction: long, and with few arguments."""
    for _ in range(4):
        x = x + h * jnp.stack([x[1], -jnp.sin(x[0]) - 0.1 * x[1] ** 2, jnp.cos(x[2]) * x[0]])
    return x


def stencil(x):
    """A banded Jacobian, and a diagonal one."""
    y = x
    for _ in range(3):
        y = jnp.sin(y) + 0.1 * jnp.concatenate([y[1:], y[:1]])
    return y, jnp.exp(jnp.tanh(jnp.sin(x) * x))


def tree(p, *, scale):
    """A tree of arguments and results, with None, an integer and a keyword argument."""
    a, b = p["a"], p["b"][1]
    return {"s": jnp.sum(jnp.sin(a) ** 2) * scale, "n": jnp.argmax(a), "none": None, "t": (a * b, b)}


def reads(x):
    """Indices, branches by element, reductions."""
    y = jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), jnp.exp(x))
    return jnp.sum(y[jnp.array([2, 0, 0])] * jnp.cumsum(x)), y.at[1].add(x[2])


def looped(x):
    """A loop inside."""
    return jax.lax.scan(lambda c, a: (jnp.sin(c) * a + c, c * c), x[0], x)[0]


CASES = {
    "step": lambda x: step(x, jnp.asarray(0.1, x.dtype)),
    "stencil": stencil,
    "tree": lambda x: tree({"a": x, "b": [None, x[0]]}, scale=x[1]),
    "reads": reads,
    "looped": looped,
}


def total(fun):
    """The sum of all inexact results, weighed so that no two of them count alike."""

    def summed(*args):
        leaves = [y for y in jax.tree.leaves(fun(*args)) if jnp.issubdtype(y.dtype, jnp.inexact)]
        return functools.reduce(jnp.add, [jnp.sum(jnp.sin(y) * (k + 1.0)) for k, y in enumerate(leaves)])

    return summed


def num_kept(fun, *args):
    """Elements of the arrays that reverse mode keeps."""
    closed = jax.make_jaxpr(lambda *xs: jax.tree.leaves(jax.vjp(fun, *xs)[1]))(*args)
    constants = {id(v) for v in closed.jaxpr.constvars}
    kept = {id(v): v.aval.size for v in closed.jaxpr.outvars if id(v) not in constants and not hasattr(v, "val")}
    return sum(kept.values())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("dtype", "transform"), [(jnp.float64, lambda f: f), (jnp.float32, jax.jit)], ids=["float64-eager", "float32-jit"]
)
def test_derivatives_are_those_of_jax(name, dtype, transform):
    fun, x = CASES[name], X.astype(dtype)
    coarse = elimax.coarsen(fun, when="always")
    assert_trees_close(transform(coarse)(x), fun(x))
    t = jnp.cos(x)
    assert_trees_close(transform(lambda x, t: jax.jvp(coarse, (x,), (t,)))(x, t), jax.jvp(fun, (x,), (t,)))
    grad = transform(jax.grad(total(coarse)))
    assert_trees_close(grad(x), jax.jit(jax.grad(total(fun)))(x))
    values, push = jax.linearize(coarse, x)
    assert_trees_close((values, push(t)), (fun(x), jax.linearize(fun, x)[1](t)))


@pytest.mark.parametrize("name", CASES)
def test_jacobians_and_higher_derivatives(name):
    fun = CASES[name]
    coarse = elimax.coarsen(fun, when="always")
    only = lambda f: lambda x: [y for y in jax.tree.leaves(f(x)) if jnp.issubdtype(y.dtype, jnp.inexact)]  # noqa: E731
    assert_trees_close(jax.jit(jax.jacfwd(only(coarse)))(X), jax.jit(jax.jacfwd(only(fun)))(X))
    assert_trees_close(jax.jit(jax.jacrev(only(coarse)))(X), jax.jit(jax.jacrev(only(fun)))(X))
    assert_trees_close(jax.jit(jax.hessian(total(coarse)))(X), jax.jit(jax.hessian(total(fun)))(X))
    assert_trees_close(jax.jit(jax.jacrev(jax.grad(total(coarse))))(X), jax.jit(jax.hessian(total(fun)))(X))
    if name == "step":
        return  # long, and no other than the others are
    third = lambda f: jax.grad(lambda x: jnp.sum(jax.hessian(total(f))(x) ** 2))  # noqa: E731
    assert_trees_close(jax.jit(third(coarse))(X), third(fun)(X), eps=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_maps_loops_and_rematerialisation(name):
    fun = total(CASES[name])
    coarse = total(elimax.coarsen(CASES[name], when="always"))
    batch = jnp.sin(jnp.arange(12.0) + 0.5).reshape(4, 3)
    assert_trees_close(jax.jit(jax.vmap(jax.grad(coarse)))(batch), jax.jit(jax.vmap(jax.grad(fun)))(batch))
    mapped = lambda f: jax.grad(lambda b: jnp.sum(jax.vmap(f)(b)))  # noqa: E731
    assert_trees_close(jax.jit(mapped(coarse))(batch), mapped(fun)(batch))

    def loop(f):
        def body(c, x):
            return 0.5 * jnp.sin(c) + 0.1 * f(c * x), f(x)

        return lambda x, xs: jnp.sum(jax.lax.scan(body, x, xs)[0]) + jnp.sum(jax.lax.scan(body, x, xs)[1])

    expected = jax.jit(jax.grad(loop(fun), argnums=(0, 1)))(X, batch)
    assert_trees_close(jax.jit(jax.grad(loop(coarse), argnums=(0, 1)))(X, batch), expected, eps=1e-15)
    for outer in (jax.checkpoint, functools.partial(jax.checkpoint, policy=jax.checkpoint_policies.nothing_saveable)):
        assert_trees_close(jax.jit(jax.grad(outer(coarse)))(X), jax.jit(jax.grad(fun))(X))
    inside = total(elimax.coarsen(jax.checkpoint(CASES[name]), when="always"))
    assert_trees_close(jax.jit(jax.grad(inside))(X), jax.jit(jax.grad(fun))(X))


@pytest.mark.parametrize("count", [3, 4])
def test_batches_of_loops(count):
    """Gradients of a mapped loop; as many rows as columns would hide axes that are taken for each other."""

    def fun(x, a):
        b = jnp.sin(x[0]) * x[1] + a
        return jnp.stack([x[1] * b, x[2] - b * x[0], jnp.tanh(b)]), jnp.stack([a * a, jnp.exp(a)]) * a

    def loss(f):
        def one(x, a):
            def turn(carry, _):
                y, z = f(*carry)
                return (x + 0.1 * y, a + 0.1 * z[1]), z[0]

            (y, z), many = jax.lax.scan(turn, (x, a), None, length=3)
            return jnp.sum(y * jnp.array([1.0, 2.0, 3.0])) + z + jnp.sum(many)

        return one

    batch, single = jnp.sin(jnp.arange(3.0 * count) + 0.5).reshape(count, 3), jnp.asarray(0.3)
    for axes, args in (((0, None), (batch, single)), ((1, None), (batch.T, single)), ((None, 0), (X, batch[:, 0]))):
        results = []
        for f in (elimax.coarsen(fun, when="always"), fun):
            weighed = lambda *xs, f=f, axes=axes: jnp.sum(  # noqa: E731
                jax.vmap(loss(f), axes)(*xs) * jnp.arange(1.0, count + 1.0)
            )
            results.append(jax.jit(jax.value_and_grad(weighed, argnums=(0, 1)))(*args))
        assert_trees_close(*results, eps=1e-15)


def test_keeps_the_entries_of_blocks():
    h = jnp.asarray(0.1)
    coarse = elimax.coarsen(step)
    assert num_kept(lambda x: coarse(x, h), X) == 9
    assert num_kept(coarse, X, h) == 12
    assert num_kept(lambda x: step(x, h), X) > 20
    assert num_kept(lambda x: step(x, h), X) > num_kept(lambda x: jax.jit(coarse)(x, h), X)


def test_keeps_the_entries_of_blocks_at_each_turn_of_a_loop():
    h = jnp.asarray(0.1)

    def loop(f):
        return lambda x: jax.lax.scan(lambda c, _: (f(c, h), None), x, None, length=20)[0]

    assert num_kept(loop(elimax.coarsen(step)), X) == 20 * 9
    assert num_kept(loop(step), X) > 20 * 20
    assert_trees_close(
        jax.jit(jax.grad(total(loop(elimax.coarsen(step)))))(X), jax.jit(jax.grad(total(loop(step))))(X), eps=1e-15
    )


def test_sparse_blocks_stay_sparse():
    x = jnp.linspace(0.1, 1.0, 500)
    coarse = elimax.coarsen(stencil)
    assert num_kept(coarse, x) == 500 + 3 * 500  # a diagonal, and four, one of which is known
    assert_trees_close(jax.jit(jax.grad(total(coarse)))(x), jax.jit(jax.grad(total(stencil)))(x))
    plan = elimax.plan(coarse, x)
    assert plan.coarsening.startswith("local Jacobian; it keeps 2,000 elements")
    assert "coarsened: local Jacobian" in str(plan)


def test_scattered_entries_are_kept_side_by_side():
    rows, columns = np.array([0, 3, 7, 9, 2, 7, 5]), np.array([5, 5, 1, 0, 8, 7, 3])

    def fun(x):
        y = jnp.zeros(30)
        for r, c in zip(rows, columns, strict=True):
            y = y.at[3 * r].add(jnp.sin(jnp.tanh(x[2 * c]) ** 2 * x[2 * c]))
        return y

    x = jnp.linspace(0.1, 1.0, 20)
    coarse = elimax.coarsen(fun)
    assert num_kept(coarse, x) == rows.size
    assert_trees_close(jax.jit(jax.jacrev(coarse))(x), jax.jit(jax.jacrev(fun))(x))
    assert_trees_close(jax.jit(jax.jacfwd(coarse))(x), jax.jit(jax.jacfwd(fun))(x))


def test_arguments_as_in_checkpoint():
    def fun(x, n, p, *, k=None):
        y = x
        for _ in range(n):
            y = jnp.sin(y) * p["w"]
        return y if k is None else (y + k["c"], p["none"])

    p = {"w": jnp.asarray(2.0), "none": None}
    for numbers in (1, (1,), [-2], np.array([1])):
        coarse = elimax.coarsen(fun, static_argnums=numbers)
        grads = jax.jit(jax.grad(lambda x, p, f=coarse: jnp.sum(f(x, 8, p)), argnums=(0, 1)))(X, p)
        assert_trees_close(grads, jax.jit(jax.grad(lambda x, p: jnp.sum(fun(x, 8, p)), argnums=(0, 1)))(X, p))
    by_keyword = lambda f: jax.grad(lambda c: jnp.sum(f(X, 8, p, k={"c": c})[0] ** 2))  # noqa: E731
    assert_trees_close(by_keyword(coarse)(X), by_keyword(fun)(X))
    assert coarse(X, 2, p, k={"c": X})[1] is None


def test_decorates_functions_and_methods():
    class Model:
        rate = 0.1

        @functools.partial(elimax.coarsen, static_argnums=0)
        def step(self, x):
            """Ten steps."""
            return step(x, jnp.asarray(self.rate))

    model = Model()
    assert model.step.__name__ == "step"
    assert_trees_close(
        jax.jit(jax.grad(total(model.step)))(X), jax.jit(jax.grad(total(lambda x: step(x, 0.1 * jnp.ones(())))))(X)
    )


def test_integer_arguments_keys_and_float0():
    def fun(x, n, key):
        y = x
        for _ in range(9):
            y = jnp.tanh(y) * x + jax.random.normal(key, x.shape)
        return y[n], n + 1

    coarse = elimax.coarsen(fun)
    n, key = jnp.asarray(1), jax.random.key(0)
    tangents = (jnp.ones(3), np.zeros((), jax.dtypes.float0), np.zeros((), jax.dtypes.float0))
    got, want = (jax.jvp(f, (X, n, key), tangents) for f in (coarse, fun))
    assert_trees_close(got, want)
    assert got[1][1].dtype == jax.dtypes.float0
    for f in (jax.grad, lambda g: jax.jit(jax.grad(g))):
        assert_trees_close(f(lambda x: coarse(x, n, key)[0])(X), f(lambda x: fun(x, n, key)[0])(X))

    def scanned(f):
        def turn(c, k):
            return (f(c[0] * X, c[1], k)[0], c[1]), None

        return lambda x: jax.lax.scan(turn, (x[0], n), jax.random.split(key, 3))[0][0]

    assert_trees_close(jax.jit(jax.grad(scanned(coarse)))(X), jax.jit(jax.grad(scanned(fun)))(X))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_closed_over_values_are_differentiated(transform):
    def outer(y, x, wrap):
        def fun(x):
            z = x
            for _ in range(8):
                z = jnp.sin(z) * jnp.sum(y)
            return z * jnp.prod(y)

        return jnp.sum(wrap(fun)(x))

    coarse = functools.partial(outer, wrap=functools.partial(elimax.coarsen, when="always"))
    plain = functools.partial(outer, wrap=lambda f: f)
    assert_trees_close(
        transform(jax.grad(coarse, argnums=(0, 1)))(X, X), jax.jit(jax.grad(plain, argnums=(0, 1)))(X, X)
    )
    assert_trees_close(transform(jax.hessian(coarse))(X, X), jax.jit(jax.hessian(plain))(X, X))
    assert_trees_close(transform(jax.vmap(jax.grad(coarse), (0, None)))(X[:, None], X[0]), jax.jit(jax.vmap(jax.grad(plain), (0, None)))(X[:, None], X[0]))  # fmt: skip # noqa: E501


def test_only_what_is_differentiated_counts():
    def fun(x, w):
        y = x
        for _ in range(12):
            y = jnp.sin(y) * w[:3] + w[3] * x
        return y

    coarse, w = elimax.coarsen(fun), jnp.linspace(0.5, 1.5, 200)
    assert num_kept(lambda x: coarse(x, w), X) == 3
    assert elimax.plan(coarse, X, w).coarsening.startswith("local Jacobian; it keeps 3 elements")
    assert num_kept(lambda x, w: coarse(x, w), X, w) == 3 + 3 + 3  # by x, by w[:3], by w[3]


def test_while_loops_have_a_gradient():
    def fun(x):
        return jax.lax.while_loop(lambda c: jnp.sum(c**2) < 50.0, lambda c: 1.3 * c + 0.1 * jnp.sin(c[::-1]), x)

    with pytest.raises(ValueError, match="Reverse-mode"):
        jax.grad(total(fun))(X)
    coarse = elimax.coarsen(fun)
    expected = jnp.cos(fun(X)) @ jax.jit(jax.jacfwd(fun))(X)
    assert_trees_close(jax.jit(jax.grad(total(coarse)))(X), expected)
    assert_trees_close(jax.jit(jax.vmap(jax.grad(total(coarse))))(X[None])[0], expected)
    assert "no reverse mode" in elimax.plan(coarse, X).coarsening
    assert num_kept(coarse, X) == 6  # a diagonal and one across


def test_rules_of_the_user_are_respected():
    @jax.custom_jvp
    def one(x):
        return jnp.sin(x)

    one.defjvps(lambda t, y, x: 3.0 * t)

    @jax.custom_vjp
    def two(x):
        return jnp.cos(x)

    two.defvjp(lambda x: (jnp.cos(x), x), lambda x, g: (5.0 * g * x,))

    def fun(x):
        return two(one(x) * x) + one(x) ** 2

    for when in ("auto", "always"):
        coarse = elimax.coarsen(fun, when=when)
        assert_trees_close(jax.jit(jax.grad(total(coarse)))(X), jax.jit(jax.grad(total(fun)))(X))
        assert_trees_close(jax.jit(jax.grad(total(coarse)))(X), jax.jit(jax.grad(total(fun)))(X))


def test_functions_that_do_not_pay_are_left_alone():
    def layer(x, w):
        return jnp.tanh(w @ x)

    x, w = jnp.linspace(0.0, 1.0, 40), jnp.sin(jnp.arange(1600.0)).reshape(40, 40)
    coarse = elimax.coarsen(layer)
    assert elimax.plan(coarse, x, w, argnums=(0, 1)).coarsening.startswith("left to JAX")
    assert num_kept(coarse, x, w) == num_kept(layer, x, w)
    assert_trees_close(
        jax.jit(jax.grad(total(coarse), argnums=(0, 1)))(x, w), jax.jit(jax.grad(total(layer), argnums=(0, 1)))(x, w)
    )


def test_complex_values_are_left_to_jax():
    def fun(z):
        return jnp.abs(jnp.sum(jnp.exp(z) * z)) + jnp.sum(jnp.sin(z).real)

    z, coarse = jax.lax.complex(jnp.sin(X), X), elimax.coarsen(fun, when="always")
    assert_trees_close(jax.jit(jax.grad(coarse))(z), jax.jit(jax.grad(fun))(z))
    assert "complex" in str(elimax.plan(coarse, z).coarsening)


def test_side_effects_happen_as_in_jax(capfd):
    def fun(x):
        y = x
        for _ in range(8):
            y = jnp.sin(y) * x
        jax.debug.print("here {}", x[0])
        return y

    coarse = elimax.coarsen(fun)
    shown = []
    for f in (fun, coarse):
        assert_trees_close(jax.jit(jax.grad(total(f)))(X), jax.jit(jax.grad(total(lambda x: f(x))))(X))  # noqa: B023
        jax.effects_barrier()
        shown.append(capfd.readouterr().out)
    assert shown[0] == shown[1] != ""
    assert "side effects" in elimax.plan(coarse, X).coarsening


def test_callbacks_with_a_rule():
    @jax.custom_jvp
    def outside(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential")

    outside.defjvp(lambda p, t: (outside(*p), jnp.cos(p[0]) * t[0]))
    fun = lambda x: outside(x) * x + outside(x * x)  # noqa: E731
    for when in ("auto", "always"):
        coarse = elimax.coarsen(fun, when=when)
        assert_trees_close(jax.jit(jax.grad(total(coarse)))(X), jax.jit(jax.grad(total(fun)))(X))


def test_callbacks_without_a_rule_fail_as_in_jax():
    @elimax.coarsen
    def fun(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x) * x

    np.testing.assert_allclose(fun(X), jnp.sin(X) * X, rtol=1e-6)
    with pytest.raises(ValueError, match="Pure callbacks do not support JVP"):  # a warning would be an error
        jax.jacrev(fun)(X)


def test_points_without_a_derivative():
    def fun(x):
        return jnp.abs(x) * jnp.maximum(x, 0.0) + jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), x)

    x = jnp.array([0.0, -1.0, 2.0])
    coarse = elimax.coarsen(fun, when="always")
    assert_trees_close(jax.jit(jax.jacrev(coarse))(x), jax.jit(jax.jacrev(fun))(x))
    assert_trees_close(jax.jit(jax.jacfwd(coarse))(x), jax.jit(jax.jacfwd(fun))(x))


def test_traced_once_and_decided_alike():
    calls = []

    def fun(x):
        calls.append(None)
        return step(x, jnp.asarray(0.1))

    coarse = elimax.coarsen(fun)
    coarse(X)
    assert len(calls) == 1
    jax.jit(jax.grad(total(coarse))).lower(X)
    assert len(calls) == 2
    texts = {elimax.plan(elimax.coarsen(step), v, h).coarsening for v in (X, 5 * X) for h in (jnp.asarray(0.1), 3.0)}
    assert len(texts) == 1
    jaxprs = {str(jax.make_jaxpr(jax.grad(total(elimax.coarsen(step, form="plain"))))(X, 0.1)) for _ in range(3)}
    assert len(jaxprs) == 1


def test_empty_and_constant_results():
    coarse = elimax.coarsen(lambda x: (jnp.zeros((0, 3)) * x, 1.0, x[:0], None), when="always")
    assert_trees_close(jax.jvp(coarse, (X,), (X,))[1], (jnp.zeros((0, 3)), jnp.zeros(()), X[:0], None))
    coarse = elimax.coarsen(lambda x: jnp.ones(2), when="always")
    assert_trees_close(jax.jit(jax.grad(lambda x: jnp.sum(coarse(x))))(X), jnp.zeros(3))
    assert elimax.coarsen(lambda: 2.0)() == 2.0


def test_mixed_precision():
    def fun(x, y):
        return jnp.sin(x).astype(jnp.float64) * y, x * y.astype(jnp.float32)

    x, y = X.astype(jnp.float32), X
    both = lambda f: jax.jit(lambda x, y: jax.vjp(f, x, y)[1]((y, x)))(x, y)  # noqa: E731
    assert_trees_close(both(elimax.coarsen(fun, when="always")), both(fun), eps=1e-7)


def test_values_are_needed():
    def fun(x):
        return x**2 if x > 0 else -x

    coarse = elimax.coarsen(fun)
    with pytest.warns(elimax.ElimaxWarning, match="static_argnums"):
        assert jax.grad(coarse)(3.0) == 6.0
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(coarse)(3.0)


def test_bad_input():
    with pytest.raises(TypeError, match="Expected a function"):
        elimax.coarsen(3)
    with pytest.raises(TypeError, match="static_argnums"):
        elimax.coarsen(step, static_argnums="x")
    with pytest.raises(ValueError, match="form must be"):
        elimax.coarsen(step, form="fast")
    with pytest.raises(ValueError, match="when must be"):
        elimax.coarsen(step, when="never")
    with pytest.raises(ValueError, match="names positional argument 5"):
        elimax.coarsen(step, static_argnums=5)(X, 0.1)
    with pytest.raises(TypeError, match=r"Argument 1\['a'\] of step is 'x'.*static_argnums"):
        elimax.coarsen(step)(X, {"a": "x"})
    with pytest.raises(TypeError, match="returned str at"):
        elimax.coarsen(lambda x: {"a": "text"})(X)
    with pytest.raises(elimax.OrderError, match="markowitz"):
        jax.grad(total(elimax.coarsen(CASES["step"], order="fastest")))(X)


def test_wrapped_again_it_is_another_function():
    coarse = elimax.coarsen(CASES["step"])
    other = functools.wraps(coarse)(lambda x: coarse(x) ** 2)
    assert not elimax.plan(other, X).coarsening
    assert_trees_close(elimax.jacobian(coarse)(X), jax.jit(jax.jacfwd(CASES["step"]))(X))
    assert_trees_close(elimax.jacobian(other)(X), jax.jit(jax.jacfwd(lambda x: CASES["step"](x) ** 2))(X))


def test_orders_and_plans():
    plan = elimax.plan(step, X, 0.1, order="markowitz")
    expected = jax.jit(jax.grad(lambda x: jnp.sum(step(x, 0.1))))(X)
    for order in ("reverse", "forward", plan):
        coarse = elimax.coarsen(step, static_argnums=1, order=order)
        assert_trees_close(jax.jit(jax.grad(lambda x, f=coarse: jnp.sum(f(x, 0.1))))(X), expected)


def test_plan_of_a_coarsened_function_is_saved(tmp_path):
    plan = elimax.plan(elimax.coarsen(step), X, jnp.asarray(0.1))
    plan.save(tmp_path / "plan.json")
    assert elimax.Plan.load(tmp_path / "plan.json").coarsening == plan.coarsening != ""


@pytest.mark.parametrize("seed", range(2))
def test_random_programs_over_arrays(seed):
    problem = zoo.get("random_program", seed=seed, size=15)
    args = problem.args
    coarse = elimax.coarsen(problem.fun, when="always")
    cotangents = jax.tree.map(lambda y: jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape), problem.fun(*args))
    back = lambda f: jax.jit(lambda *xs: jax.vjp(f, *xs)[1](cotangents))  # noqa: E731
    assert_trees_close(back(coarse)(*args), back(problem.fun)(*args), eps=1e-13)
    push = lambda f: jax.jit(lambda *xs: jax.jvp(f, xs, tuple(jnp.cos(x) for x in xs)))  # noqa: E731
    assert_trees_close(push(coarse)(*args), push(problem.fun)(*args), eps=1e-13)


def test_sums_over_named_axes_and_meshes():
    def fun(x):
        y = x
        for _ in range(5):
            y = jnp.sin(y) * x
        return y * jax.lax.psum(jnp.sum(y), "i")

    batch = jnp.sin(jnp.arange(8.0) + 0.5).reshape(4, 2)
    mesh = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    part = jax.sharding.PartitionSpec("i")

    def losses(f):
        weights = jnp.arange(1.0, 9.0).reshape(4, 2)
        mapped = lambda b: jnp.sum(jax.vmap(f, axis_name="i")(b) * weights)  # noqa: E731
        sharded = jax.shard_map(lambda b: f(b[0])[None], mesh=mesh, in_specs=part, out_specs=part)
        return mapped, lambda b: jnp.sum(sharded(b) * weights)

    for coarse, plain in zip(losses(elimax.coarsen(fun, when="always")), losses(fun), strict=True):
        assert_trees_close(jax.jit(jax.grad(coarse))(batch), jax.jit(jax.grad(plain))(batch))


@pytest.mark.slow
def test_adjoint_of_a_solver():
    diffrax = pytest.importorskip("diffrax")

    def rate(t, y, k):
        for _ in range(6):
            y = jnp.stack([y[1] * k, -jnp.sin(y[0]), jnp.cos(y[2]) * y[0]])
        return y

    def end(rate):
        def solve(y, k):
            term = diffrax.ODETerm(rate)
            return jnp.sum(diffrax.diffeqsolve(term, diffrax.Heun(), 0.0, 1.0, 0.1, y, args=k).ys ** 2)

        return jax.jit(jax.grad(solve, argnums=(0, 1)))

    with jax.numpy_dtype_promotion("standard"):
        k = jnp.asarray(0.7)
        assert_trees_close(end(elimax.coarsen(rate, when="always"))(X, k), end(rate)(X, k), eps=1e-14)


def test_tangents_may_be_python_numbers():
    fun = elimax.coarsen(lambda x: jnp.exp(jnp.sin(x)) * x)
    np.testing.assert_allclose(jax.jvp(fun, (1.0,), (1.0,))[1], jax.jit(jax.grad(fun))(1.0), rtol=1e-6)
