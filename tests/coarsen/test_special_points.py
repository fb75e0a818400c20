"""At kinks, poles, zeros and infinities partials are those of `jax.jvp`, and users' rules are followed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from elimax._jax import inline, trace
from elimax.coarsen import STRICT, Arena, Rules, derive, emit
from elimax.coarsen.operations import OPERATIONS, WITHOUT_DERIVATIVE
from elimax.coarsen.read import NotExpressible, expressions

POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, np.inf, -np.inf, np.nan, 1e-300, -1e-300, 1e300, 30.0, -800.0]
UNARY = [
    name
    for name, operation in OPERATIONS.items()
    if not operation.params and name not in ("softplus", "bernoulli", "select_n", *WITHOUT_DERIVATIVE)
]


def both(fun, xs, rules=STRICT):
    """Value and partials of a function of scalars by expressions and by `jax.jvp`, arrays ``[1 + n, points]``."""
    program = inline(trace(lambda *args: [fun(*args)], [x[0] for x in xs]), [True] * len(xs), keep=False)
    arena = Arena(rules)
    variables, sinks = expressions(arena, program)
    derived = derive(arena, sinks, variables)
    names = [v.param("name") for v in variables]

    def compute(*xs):
        found = iter(emit(derived.sinks, dict(zip(names, xs, strict=True)), xs[0].shape))
        ours = [next(found), *(jnp.zeros_like(xs[0]) if p is None else next(found) for p in derived.partials[0])]
        theirs = []
        for k in range(len(xs)):

            def of_one(x, k=k):  # a zero tangent given as numbers would be multiplied by infinities
                return jax.vmap(fun)(*xs[:k], x, *xs[k + 1 :])

            value, tangent = jax.jvp(of_one, (xs[k],), (jnp.ones_like(xs[k]),))
            theirs.append(tangent)
        return ours, [value, *theirs]

    ours, theirs = map(np.array, jax.jit(compute)(*xs))
    return ours, theirs, derived


def same(ours, theirs, rtol=1e-12):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0, equal_nan=True)


def grid(count):
    axes = np.meshgrid(*[np.array(POINTS)] * count, indexing="ij")
    return [jnp.asarray(axis.ravel()) for axis in axes]


@pytest.mark.parametrize("name", sorted(set(UNARY)))
def test_one_operation(name):
    operation = OPERATIONS[name]
    for count in (1, 2, 3):
        try:
            result = jax.eval_shape(operation.call, *[jax.ShapeDtypeStruct((), np.float64)] * count)
        except TypeError:
            continue
        if not jnp.issubdtype(result.dtype, np.floating):
            continue
        ours, theirs, _ = both(operation.call, grid(min(count, 2)) if count < 3 else [x[::7] for x in grid(3)])
        if name == "div":  # x / y^2 overflows and underflows in JAX where (x / y) / y does not
            finite = np.isfinite(theirs) & (abs(theirs) < 1e290)
            np.testing.assert_allclose(ours[finite], theirs[finite], rtol=1e-12, atol=1e-290)
        else:
            same(ours, theirs)


KINKS = {
    "abs": abs,
    "max": lambda x: jnp.maximum(x, 1.0),
    "max of equals": lambda x: jnp.maximum(x, x),
    "min": lambda x: jnp.minimum(0.5, x) * x,
    "clip": lambda x: jnp.clip(x, -1.0, 1.0) * x,
    "clamp": lambda x: lax.clamp(-1.0, x, 1.0),
    "sign": lambda x: jnp.sign(x) * x,
    "relu": lambda x: jax.nn.relu(x) * 3.0,
    "where": lambda x: jnp.where(x > 0, jnp.log(x), x),
    "double where": lambda x: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0),
    "cube": lambda x: x**3,
    "reciprocal square": lambda x: x**-2,
    "power": lambda x: x**2.5,
    "power two": lambda x: lax.pow(x, 2.0),
    "power zero": lambda x: x**0.0,
    "exponential": lambda x: 2.0**x,
    "zero to the power": lambda x: 0.0**x,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "log sigmoid": jax.nn.log_sigmoid,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "elu": jax.nn.elu,
    "stop": lambda x: lax.stop_gradient(x) * x,
    "floor": lambda x: jnp.floor(x) + x,
    "remainder": lambda x: lax.rem(x, 2.0),
    "rational": lambda x: (x - 1) / (x + 1),
    "sinc": jnp.sinc,
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name):
    ours, theirs, _ = both(KINKS[name], [jnp.asarray(POINTS)])
    finite = np.isfinite(theirs)
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=1e-12, atol=1e-300)
    same(ours[0], theirs[0])


def test_untaken_branches_have_no_say():
    def fun(x):
        return jnp.where(x > 0, jnp.sqrt(x) * 3.0, 2.0 * x)

    ours, _, derived = both(fun, [jnp.asarray([0.0, -1.0, 4.0])])
    same(ours[1], [2.0, 2.0, 0.75])
    assert derived.order in ("markowitz", "reverse", "forward")


def test_rules_of_users_are_followed():
    @jax.custom_jvp
    def f(x, y):
        return jnp.sin(x) * y

    @f.defjvp
    def rule(primals, tangents):
        x, y = primals
        return f(x, y), 100.0 * jnp.cos(x) * tangents[0] + x * tangents[1]

    def fun(x, y):
        return f(x * y, y) ** 2 + jnp.sin(x * y) * y

    xs = [jnp.asarray([0.3, -0.7]), jnp.asarray([1.1, 0.2])]
    ours, theirs, derived = both(fun, xs)
    same(ours, theirs)
    assert sum(node.op == "sin" for node in nodes_of(derived)) == 1  # the value is shared with the rule's


def test_rules_that_give_nothing():
    @jax.custom_jvp
    def f(x):
        return jnp.exp(x)

    f.defjvp(lambda primals, tangents: (f(*primals), jnp.zeros_like(tangents[0])))
    ours, theirs, derived = both(lambda x: f(x) + 0.0 * x + f(jnp.sin(x)), [jnp.asarray([0.3, -0.7])])
    same(ours, theirs)


def nodes_of(derived):
    from elimax.coarsen.nodes import reachable

    return reachable(derived.sinks)


STABLE = {
    "log(1 + exp(x))": (
        lambda x: jnp.log(1 + jnp.exp(x)),
        lambda x: np.logaddexp(0, x),
        lambda x: 1 / (1 + np.exp(-x)),
    ),
    "sqrt(x^2)": (lambda x: jnp.sqrt(x * x), np.abs, np.sign),
    "exp(x) - 1": (lambda x: jnp.exp(x) - 1, np.expm1, np.exp),
    "log(1 + x)": (lambda x: jnp.log(1 + x), np.log1p, lambda x: 1 / (1 + x)),
}


@pytest.mark.parametrize("name", STABLE)
def test_stable_forms(name):
    fun, value, slope = STABLE[name]
    xs = np.array([0.5, 1e-18, 1e-9, 1e-200, 3.0, 600.0])
    ours, _, _ = both(fun, [jnp.asarray(xs)], Rules())
    same(ours[0], value(xs), 1e-14)
    same(ours[1], slope(xs), 1e-14)


def test_removable_zero():
    xs = np.array([0.0, 1e-30, 1e-8, -1e-3, 0.0999, 0.1001, -0.1, 2.0, -3.0, 40.0])
    ours, _, _ = both(lambda x: x / jnp.expm1(x), [jnp.asarray(xs)], Rules())
    import mpmath

    with mpmath.workdps(120):
        exact = [mpmath.mpf(float(x)) if x else mpmath.mpf(10) ** -60 for x in xs]
        value = [float(x / mpmath.expm1(x)) for x in exact]
        slope = [float((mpmath.expm1(x) - x * mpmath.exp(x)) / mpmath.expm1(x) ** 2) for x in exact]
    same(ours[0], value, 1e-14)
    same(ours[1], slope, 2e-14)


def test_root_of_a_square_at_zero_is_that_of_abs():
    ours, _, _ = both(lambda x: jnp.sqrt(x**2), [jnp.asarray([0.0, -2.0])], Rules())
    same(ours[1], [jax.jit(jax.grad(jnp.abs))(0.0), -1.0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_types_are_kept(dtype):
    x = jnp.asarray([0.5, -1.5], dtype)
    ours, theirs, derived = both(lambda x: jnp.tanh(x) * 2 + x.astype(jnp.float32).astype(dtype) ** 2, [x])
    assert {str(sink.dtype) for sink in derived.sinks} == {dtype}
    np.testing.assert_allclose(ours.astype(np.float64), theirs.astype(np.float64), rtol=8 * float(jnp.finfo(dtype).eps))


def test_what_is_no_expression_is_refused():
    program = inline(trace(lambda x: [jnp.sort(x)], [jnp.ones(3)]), [True])
    with pytest.raises(NotExpressible):
        expressions(Arena(), program)
