"""Batch axes inside of a function: found where there are some, and right results always."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax._jax import inline, trace
from elimax.emit import lane_form
from elimax.emit.lanes import lanes
from elimax.execute import emission
from tests.agreement import assert_trees_close

B = 12
RNG = np.random.default_rng(0)
X = jnp.asarray(0.5 + RNG.random((B, 3)))
COEFFICIENTS = jnp.asarray(0.5 + RNG.random(B))
MATRIX = jnp.asarray(RNG.standard_normal((3, 3)))


@pytest.fixture
def taken(monkeypatch):
    """Lengths of the lane axes of every program that was emitted lane by lane; no program is taken apart as a whole."""
    found = []

    def spy(program):
        parts = lanes(program)
        found.append(None if parts is None else parts.sizes)
        return parts

    monkeypatch.setattr(emission, "staged_call", lambda *_: None)
    monkeypatch.setattr(lane_form, "lanes", spy)
    return found


def small(x):
    return jnp.stack([x[0] * x[1] + x[2], jnp.sin(x[2]) / x[1], jnp.where(x[0] > 1, jnp.sqrt(x[0]), x[2] ** 3)])


def rows(x):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    return jnp.stack([a * b + c, jnp.sin(c) / b, jnp.where(a > 1, jnp.sqrt(a), c**3)], -1)


def columns(x):
    a, b, c = x
    return jnp.stack([a * b + c, jnp.sin(c) / b])


def batch_of_products(x):
    tables = jnp.stack([jnp.cos(x), x**2, jnp.exp(x)], 1)
    return jnp.einsum("bij,bj->bi", tables, x)


def in_turns(x):
    def step(carry, scale):
        return jnp.sin(carry * scale), None

    return lax.scan(step, x, jnp.arange(1.0, 4.0, dtype=x.dtype))[0]


def shared_and_own(x, p):
    return jnp.tanh(x @ p["matrix"]) * p["scale"][:, None] + COEFFICIENTS[:, None]


ALONG_ONE = {
    "rows": (rows, X, (B,)),
    "vmap": (jax.vmap(small), X, (B,)),
    "columns": (columns, X.T, (B,)),
    "axis in the middle": (
        lambda x: jnp.stack([x[0] * x[1], x[1] / x[0]])[..., :2] * x[..., 1:],
        X.reshape(2, 6, 3),
        (6,),
    ),
    "two axes": (rows, X.reshape(3, 4, 3), (3, 4)),
    "one axis of two is mixed": (
        lambda x: rows(x) * jnp.sin(jnp.sum(rows(x), 1, keepdims=True)),
        X.reshape(3, 4, 3),
        (3,),
    ),
    "coefficients": (lambda x: rows(x) * COEFFICIENTS[:, None], X, (B,)),
    "numbers of lanes": (lambda x: rows(x) * jnp.arange(float(B))[:, None], X, (B,)),
    "shared matrix": (lambda x: jnp.tanh(x @ MATRIX), X, (B,)),
    "own matrices": (batch_of_products, X, (B, 3)),
    "softmax": (lambda x: jax.nn.softmax(x, 1) * jnp.cumsum(x, 1), X, (B,)),
    "read by index": (lambda x: jnp.sin(x[:, jnp.array([2, 0])]) * x[:, 1:], X, (B,)),
    "written by index": (lambda x: x.at[:, 1].set(x[:, 0] * x[:, 2]) ** 2, X, (B,)),
    "moved along others": (lambda x: jnp.roll(x, 1, 1) * jnp.pad(x, ((0, 0), (1, 0)))[:, 1:] * x[:, ::-1], X, (B,)),
    "largest": (lambda x: jnp.max(x, 1) * jnp.prod(x, 1), X, (B,)),
    "flat": (lambda x: rows(x.reshape(B, 3)).reshape(-1), X.reshape(-1), (B,)),
    "transposed": (lambda x: rows(x.T).T, X.T, (B,)),
    "custom rules": (lambda x: jax.nn.relu(x - 1) * jax.nn.logsumexp(x, 1, keepdims=True), X, (B,)),
    "single precision": (rows, X.astype(jnp.float32), (B,)),
    "square": (rows, jnp.concatenate([X, X * 2, X + 1, X / 3], 1), (B,)),
    "elements alone": (lambda x: jnp.sin(x) * jnp.exp(x) / (x + 1), X, (B, 3)),
}


@pytest.mark.parametrize("output", ["dense", "bcoo"])
@pytest.mark.parametrize("name", ALONG_ONE)
def test_lane_axes(name, output, taken):
    fun, x, sizes = ALONG_ONE[name]
    actual = jax.jit(elimax.jacobian(fun, output=output, form="loop"))(x)
    assert taken == [sizes]
    assert_trees_close(actual, jax.jit(jax.jacfwd(fun))(x))


MIXED = {
    "sum over the batch": lambda x: jnp.sum(rows(x), 0),
    "sum in part": lambda x: {"rows": rows(x), "sum": jnp.sum(rows(x))},
    "mean taken off": lambda x: rows(x - jnp.mean(x, 0)),
    "scaled by the sum": lambda x: rows(x) / jnp.sum(x),
    "products of rows": lambda x: jnp.sin(x) @ jnp.cos(x).T,
    "outer product": lambda x: x[:, :1] * x[:, 0],
    "neighbours": lambda x: jnp.sin(x[1:]) * x[:-1],
    "sorted along the batch": lambda x: jnp.sort(rows(x), 0),
    "sorted along a row": lambda x: jnp.sort(rows(x), 1) * x,
    "rows by index": lambda x: rows(x)[jnp.array([3, 1, 1])],
    "a loop": in_turns,
    "a symmetric product": lambda x: x.T @ jnp.sin(x),
    "nothing": lambda x: jnp.ones((B, 2)),
    "the argument": lambda x: x,
    "half of the rows": lambda x: jnp.concatenate([jnp.sin(x[: B // 2]), jnp.cos(x[B // 2 :])]),
    "joined along the batch": lambda x: jnp.concatenate([rows(x), x * x], 0),
    "summed and scattered": lambda x: jax.ops.segment_sum(rows(x), np.arange(B) % 4, 4),
}


@pytest.mark.parametrize("name", MIXED)
def test_mixed_batches(name, taken):
    fun = MIXED[name]
    value, actual = jax.jit(elimax.value_and_jacobian(fun, output="bcoo", form="loop"))(X)
    assert_trees_close(actual, jax.jit(jax.jacfwd(fun))(X))
    assert_trees_close(value, fun(X))


def test_shared_arguments(taken):
    p = {"matrix": MATRIX, "scale": COEFFICIENTS}
    for output in ("dense", "bcoo"):
        actual = jax.jit(elimax.jacobian(shared_and_own, (0, 1), output=output, form="loop"))(X, p)
        assert_trees_close(actual, jax.jit(jax.jacfwd(shared_and_own, (0, 1)))(X, p))
    assert taken == [(B,), (B,)]


@pytest.mark.standard_promotion
def test_mixed_dtypes(taken):
    def fun(x, y, n):
        return {"a": x[:, 0] * y * n, "b": jnp.sin(y), "c": (x.astype(jnp.float64)[:, 1] * n).astype(jnp.float32)}

    args = X.astype(jnp.float32), COEFFICIENTS, jnp.arange(B)
    actual = jax.jit(elimax.jacobian(fun, (0, 1), form="loop"))(*args)
    assert taken == [(B,)]
    expected = jax.jit(jax.jacfwd(fun, (0, 1)))(*args)
    assert_trees_close(actual["b"], expected["b"])
    assert_trees_close(actual["c"], expected["c"])
    assert_trees_close(actual["a"], jax.tree.map(lambda b: b.astype(jnp.float64), expected["a"]), eps=2.0**-23)


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("output", ["dense", "bcoo"])
def test_short_batches(size, output, taken):
    x = X[:size]
    actual = jax.jit(elimax.jacobian(rows, output=output, form="loop"))(x)
    assert_trees_close(actual, jax.jit(jax.jacfwd(rows))(x))


def test_arguments_without_numbers(taken):
    def fun(x, y):
        return rows(x), jnp.sin(y)

    args = X, jnp.ones((0, 3))
    actual = jax.jit(elimax.jacobian(fun, (0, 1), form="loop"))(*args)
    assert_trees_close(actual, jax.jit(jax.jacfwd(fun, (0, 1)))(*args))


ROWS = elimax.jacobian(rows, form="loop")
MANY = jnp.stack([X, X + 0.25, X * 1.5])


def test_mapped(taken):
    assert_trees_close(jax.jit(jax.vmap(ROWS))(MANY), jax.jit(jax.vmap(jax.jacfwd(rows)))(MANY))
    assert_trees_close(jax.jit(jax.vmap(ROWS, 1, 2))(MANY), jax.jit(jax.vmap(jax.jacfwd(rows), 1, 2))(MANY))
    twice = jnp.stack([MANY, MANY + 1])
    actual = jax.jit(jax.vmap(jax.vmap(ROWS), 1, 1))(twice)
    assert_trees_close(actual, jax.jit(jax.vmap(jax.vmap(jax.jacfwd(rows)), 1, 1))(twice))
    assert taken == [(B,), (3,), (B,)]


def test_mapped_over_some_arguments(taken):
    p = {"matrix": MATRIX, "scale": COEFFICIENTS}
    own = elimax.jacobian(shared_and_own, (0, 1), form="loop")
    for axes in ((0, None), (None, {"matrix": 0, "scale": None})):
        x = MANY if axes[0] == 0 else X
        q = p if axes[1] is None else {**p, "matrix": jnp.stack([MATRIX, -MATRIX])}
        expected = jax.jit(jax.vmap(jax.jacfwd(shared_and_own, (0, 1)), axes))(x, q)
        assert_trees_close(jax.jit(jax.vmap(own, axes))(x, q), expected)


@pytest.mark.parametrize("layout", ["batch-first", "batch-last"])
def test_layouts(layout, taken):
    place = -1 if layout == "batch-last" else 0
    own = elimax.jacobian(rows, form="loop", layout=layout)
    expected = jax.jit(jax.vmap(jax.jacfwd(rows), out_axes=place))(MANY)
    assert_trees_close(jax.jit(jax.vmap(own, out_axes=place))(MANY), expected)


def test_differentiated(taken):
    def total(jacobian):
        return lambda x: jnp.sum(jacobian(x) ** 2 * jnp.arange(1.0, 4.0))

    ours, theirs = total(ROWS), total(jax.jacfwd(rows))
    assert_trees_close(jax.jit(jax.grad(ours))(X), jax.jit(jax.grad(theirs))(X))
    tangent = jnp.cos(X)
    assert_trees_close(jax.jit(lambda x: jax.jvp(ours, (x,), (tangent,)))(X), jax.jvp(theirs, (X,), (tangent,)))
    assert_trees_close(jax.jit(jax.vmap(jax.grad(ours)))(MANY), jax.jit(jax.vmap(jax.grad(theirs)))(MANY))
    actual = jax.jit(elimax.jacobian(elimax.jacobian(rows, form="loop"), form="loop"))(X[:5])
    assert_trees_close(actual, jax.jit(jax.jacfwd(jax.jacfwd(rows)))(X[:5]))


def test_hessian(taken):
    def energy(x):
        return jnp.sum(rows(x) ** 2)

    assert_trees_close(jax.jit(elimax.hessian(energy, form="loop"))(X), jax.jit(jax.hessian(energy))(X))


def test_in_a_loop(taken):
    def steps(jacobian):
        def step(x, _):
            return x - 0.01 * jnp.einsum("biBj,Bj->bi", jacobian(x), rows(x)), None

        return lambda x: lax.scan(step, x, None, length=3)[0]

    assert_trees_close(jax.jit(steps(ROWS))(X), steps(jax.jacfwd(rows))(X))
    assert taken[0] == (B,)


def test_called_without_jit():
    assert_trees_close(ROWS(X), jax.jit(jax.jacfwd(rows))(X))


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_vectorisable_functions(scale, taken):
    x = X.at[1, 2].mul(scale)
    actual = jax.jit(elimax.jacobian(rows, form="loop", elementary="vector"))(x)
    assert_trees_close(actual, jax.jit(jax.jacfwd(rows))(x))


def test_choice_follows_the_model():
    """Long batches of a program with much in common are emitted as a loop, short ones as they come."""

    def fun(x):
        y = x
        for _ in range(12):
            y = jnp.stack([y[:, 0] * y[:, 1] + y[:, 2], y[:, 1] * y[:, 2] - x[:, 0], y[:, 2] * y[:, 0] + 0.5], 1)
        return y

    def reduces(batch):
        lowered = jax.jit(elimax.jacobian(fun, output="bcoo")).lower(jnp.ones((batch, 3)))
        return "stablehlo.reduce" in lowered.as_text()

    assert reduces(20_000)
    assert not reduces(40)


def test_large_lanes_are_left_alone():
    weights = jnp.ones((64, 64))
    assert lanes(inline(trace(lambda x: jnp.tanh(x @ weights), [jnp.ones((300, 64))]), [True])) is None
    assert lanes(inline(trace(lambda x: jnp.tanh(x @ weights[:2, :2]), [jnp.ones((300, 2))]), [True])).sizes == (300,)
    plain = jax.jit(elimax.jacobian(lambda x: jnp.tanh(x @ weights), output="bcoo")).lower(jnp.ones((300, 64)))
    assert "stablehlo.reduce" not in plain.as_text()


def test_effects_stay():
    def fun(x):
        jax.debug.callback(lambda _: None, x[0, 0])
        return rows(x)

    assert lanes(inline(trace(fun, [X]), [False])) is None
    assert_trees_close(jax.jit(elimax.jacobian(fun, form="loop"))(X), jax.jit(jax.jacfwd(fun))(X))


def step_of(number, u, v, part):
    """One of some operations on two arrays [B, n] and a number between 0 and 1; many leave the batch whole."""
    axis = int(part * u.ndim)
    return [
        lambda: jnp.sin(u) * v,
        lambda: u[:, :1] * v + u,
        lambda: jnp.sum(u, axis, keepdims=True) * v,
        lambda: jnp.roll(u, 1, axis) - v,
        lambda: u * COEFFICIENTS[: u.shape[0], None],
        lambda: jnp.where(u > v, u * 2, v),
        lambda: u.T.reshape(u.shape[1], -1).T * v,
        lambda: u[:, jnp.array([0] * u.shape[1])] / (2 + v * v),
        lambda: u.at[:, 0].set(v[:, -1]) * v,
        lambda: jnp.cumsum(u, axis) * v,
        lambda: jnp.concatenate([u[:, 1:], v[:, :1]], 1) * u,
        lambda: u.reshape(-1).reshape(u.shape) * v,
        lambda: jnp.max(u, axis, keepdims=True) * v,
        lambda: u @ MATRIX[: u.shape[1], : u.shape[1]],
        lambda: u * jnp.arange(float(u.shape[0]))[:, None],
    ][number]()


@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed, taken):
    rng = np.random.default_rng(seed)
    steps = [(int(rng.integers(15)), *rng.random(3)) for _ in range(rng.integers(3, 9))]
    x = jnp.asarray(0.5 + rng.random((rng.integers(2, 6), rng.integers(1, 4))))

    def fun(x):
        values = [x]
        for number, left, right, part in steps:
            u, v = values[int(left * len(values))], values[int(right * len(values))]
            values.append(step_of(number, u, v, part))
        return values[-1], jnp.sum(values[len(values) // 2])

    output = "bcoo" if seed % 2 else "dense"
    value, actual = jax.jit(elimax.value_and_jacobian(fun, output=output, form="loop"))(x)
    assert_trees_close(actual, jax.jit(jax.jacfwd(fun))(x))
    assert_trees_close(value, fun(x))


def test_what_is_only_moved_is_no_result_of_the_core():
    """A matrix that all lanes share stays as it is: as a result of the core it would have a copy for each lane."""
    first, second = (jnp.asarray(np.random.default_rng(k).normal(size=(24, 24))) for k in (0, 1))

    def fun(x):
        return second @ jnp.tanh(first @ x)

    x = jnp.asarray(np.random.default_rng(2).normal(size=(7, 24)))
    compiled = jax.jit(jax.vmap(elimax.jacobian(fun))).lower(x)
    assert_trees_close(compiled.compile()(x), jax.jit(jax.vmap(jax.jacfwd(fun)))(x))
    copies = [line for line in compiled.as_text().splitlines() if "broadcast" in line and "(tensor<24x24x" in line]
    assert not any("tensor<7x24x24x" in line.split("->")[-1] for line in copies)


def test_what_no_argument_reaches_is_not_computed_for_every_point():
    """Weights [n, n] computed in the function are the same for all points of a batch."""
    places, batch = np.linspace(0.5, 1.5, 30), 7

    def f(x):
        t = jnp.asarray(places)
        weights = jnp.cos(t)[:, None] * jnp.sin(t) + jnp.diag(jnp.sin(t) / t)
        values = jnp.exp(-t * (x[0] ** 2 + x[1] ** 2)) - 2 * jnp.exp(-t * x[1] ** 2)
        return jnp.stack([values @ (weights @ values)])

    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.0, (batch, 2)))
    mapped = jax.vmap(elimax.jacobian(f))
    np.testing.assert_allclose(mapped(x), jax.jit(jax.vmap(jax.jacfwd(f)))(x), rtol=1e-11)
    program = jax.jit(mapped).lower(x).as_text()
    assert f"{batch}x{len(places)}x" in program
    assert f"{batch}x{len(places)}x{len(places)}x" not in program
