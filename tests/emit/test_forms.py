"""Every form of emission gives the numbers of jacfwd, wherever it runs."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import elimax
from elimax import zoo
from elimax._jax import trace
from elimax._jax.staged import Place
from elimax.emit import model
from elimax.emit.counting import count, predict
from elimax.emit.loop import loop
from elimax.emit.model import DEFAULT
from elimax.emit.scalarise import scalarise
from elimax.emit.times import by_form

SMALL = [
    "roe_flux_1d",
    "robot_arm_6dof",
    "human_heart_dipole",
    "propane_combustion",
    "black_scholes_jacobian",
    "lighthouse",
    "hole",
    "hires",
    "robertson",
]


def close(actual, expected, factor=64):
    """Equal trees; rounding errors are measured by the largest entry of all leaves of a dtype."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    scales = {}
    for leaf in jax.tree.leaves(expected):
        finite = np.abs(np.asarray(leaf, np.float64)[np.isfinite(leaf)])
        scales[leaf.dtype] = max(scales.get(leaf.dtype, 0.0), finite.max(initial=0.0))
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.shape == e.shape
        assert a.dtype == e.dtype
        tolerance = factor * float(jnp.finfo(e.dtype).eps) if jnp.issubdtype(e.dtype, jnp.inexact) else 0.0
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * scales[e.dtype])


def spread(problem, batch):
    rng = np.random.default_rng(0)

    def one(x):
        factors = 1 + 0.01 * rng.standard_normal((*batch, *np.shape(x)))
        return jnp.asarray(np.asarray(x) * factors, x.dtype)

    return jax.tree.map(one, problem.args)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SMALL)
def test_loop_form_of_the_zoo(name, dtype):
    problem = zoo.get(name, dtype=dtype)
    args = spread(problem, (5,))
    actual = jax.jit(jax.vmap(elimax.jacobian(problem.fun, problem.argnums, form="loop")))(*args)
    close(actual, jax.jit(jax.vmap(jax.jacfwd(problem.fun, problem.argnums)))(*args), factor=400)


def fun(x, p):
    y = jnp.stack([x[0] * x[1] + p["a"], jnp.sin(x[2]) / p["b"][1], jnp.where(x[0] > 1, jnp.sqrt(x[0]), x[2] ** 3)])
    return {"y": y, "z": p["b"] * jnp.sum(x)}


X = jnp.linspace(0.5, 2.5, 12, dtype=jnp.float32).reshape(4, 3)
P = {"a": jnp.float32(2.0), "b": jnp.array([1.0, -3.0], jnp.float32)}
ARGNUMS = (0, 1)
LOOP = elimax.jacobian(fun, ARGNUMS, form="loop")
FORWARD = jax.jacfwd(fun, ARGNUMS)


def test_unbatched():
    close(jax.jit(LOOP)(X[0], P), FORWARD(X[0], P))


def test_batch_of_one_argument():
    actual = jax.jit(jax.vmap(LOOP, in_axes=(0, None)))(X, P)
    close(actual, jax.jit(jax.vmap(FORWARD, in_axes=(0, None)))(X, P))


@pytest.mark.parametrize("form", ["plain", "loop"])
@pytest.mark.parametrize("layout", ["batch-first", "batch-last"])
@pytest.mark.parametrize("out_axes", [0, -1])
def test_layouts(out_axes, layout, form):
    own = elimax.jacobian(fun, ARGNUMS, form=form, layout=layout)
    actual = jax.jit(jax.vmap(own, in_axes=(0, None), out_axes=out_axes))(X, P)
    close(actual, jax.jit(jax.vmap(FORWARD, in_axes=(0, None), out_axes=out_axes))(X, P))


def test_nested_batches_of_different_arguments():
    ps = jax.tree.map(lambda v: jnp.stack([v, v + 1, v - 5]), P)

    def nested(f):
        return jax.vmap(jax.vmap(f, in_axes=(1, None), out_axes=1), in_axes=(None, 0))

    close(jax.jit(nested(LOOP))(X.T, ps), nested(FORWARD)(X.T, ps))


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_lengths_of_the_batch(size):
    actual = jax.jit(jax.vmap(LOOP, in_axes=(0, None)))(X[:1].repeat(size, 0), P)
    close(actual, jax.jit(jax.vmap(FORWARD, in_axes=(0, None)))(X[:1].repeat(size, 0), P))


def test_eager_calls():
    close(jax.vmap(LOOP, in_axes=(0, None))(X, P), jax.jit(jax.vmap(FORWARD, in_axes=(0, None)))(X, P))


@pytest.mark.parametrize("form", ["auto", "plain", "loop"])
def test_loops_around(form):
    own = elimax.jacobian(fun, form=form)

    def newton(jacobian):
        def step(x, _):
            jac = jax.vmap(jacobian, in_axes=(0, None))(x, P)
            return x - 0.01 * jnp.sum(jac["y"], 1), jac["z"]

        return lambda x: lax.scan(step, x, None, length=3)

    def search(jacobian):
        def step(state):
            k, x = state
            return k + 1, x - 0.1 * jnp.tanh(jacobian(x, P)["y"][0])

        return lambda x: lax.while_loop(lambda state: state[0] < 4, step, (0, x))

    close(jax.jit(newton(own))(X), newton(jax.jacfwd(fun))(X))
    close(jax.jit(search(own))(X[0]), search(jax.jacfwd(fun))(X[0]))
    close(jax.jit(jax.vmap(search(own)))(X), jax.jit(jax.vmap(search(jax.jacfwd(fun))))(X))


def test_derivatives_of_the_result():
    def loss(jacobian):
        return lambda x: jnp.sum(jax.vmap(jacobian, in_axes=(0, None))(x, P)["y"] ** 2)

    close(jax.jit(jax.grad(loss(elimax.jacobian(fun, form="loop"))))(X), jax.jit(jax.grad(loss(jax.jacfwd(fun))))(X))
    own = jax.jit(jax.vmap(elimax.hessian(lambda x: jnp.sum(fun(x, P)["y"]), form="loop")))(X)
    close(own, jax.jit(jax.vmap(jax.hessian(lambda x: jnp.sum(fun(x, P)["y"]))))(X))
    twice = elimax.jacobian(elimax.jacobian(fun, form="loop"), form="loop")
    close(
        jax.jit(jax.vmap(twice, in_axes=(0, None)))(X, P),
        jax.jit(jax.vmap(jax.jacfwd(jax.jacfwd(fun)), in_axes=(0, None)))(X, P),
    )
    primal, tangent = jax.jvp(jax.vmap(LOOP, in_axes=(0, None)), (X, P), (X, P))
    expected = jax.jvp(jax.vmap(FORWARD, in_axes=(0, None)), (X, P), (X, P))
    close((primal, tangent), expected)


def test_values_and_integer_results():
    def mixed(x):
        return x[:2] * x[1:], (jnp.sum(x).astype(jnp.int32), x[0] > 1, x[2].astype(jnp.float64) * 2)

    own = elimax.value_and_jacobian(mixed, has_aux=True, form="loop")
    (value, aux), jac = jax.jit(jax.vmap(own))(X)
    expected, expected_aux = jax.jit(jax.vmap(mixed))(X)
    close((value, aux), (expected, expected_aux))
    close(jac, jax.jit(jax.vmap(jax.jacfwd(lambda x: mixed(x)[0])))(X))


def test_two_dtypes_in_one_loop():
    def f(x, y):
        return x * y.astype(jnp.float32), y * x[0].astype(jnp.float64)

    x, y = X[:, 0], jnp.linspace(1.0, 2.0, 4, dtype=jnp.float64)
    f2 = lambda x, y: f(x[None], y[None])  # noqa: E731
    own = jax.jit(jax.vmap(elimax.jacobian(f2, ARGNUMS, form="loop")))(x, y)
    close(own, jax.jit(jax.vmap(elimax.jacobian(f2, ARGNUMS, form="plain")))(x, y))


def test_untaken_branches_and_special_values():
    def f(x):
        safe = jnp.where(x > 0, jnp.log(x), 0.0)
        return jnp.stack([safe.sum(), jnp.sum(1 / x)])

    x = jnp.array([[0.0, 1.0], [-1.0, 2.0], [jnp.inf, 3.0], [jnp.nan, 1.0]])
    own = jax.jit(jax.vmap(elimax.jacobian(f, form="loop")))(x)
    close(own, jax.jit(jax.vmap(elimax.jacobian(f, form="plain")))(x))


def test_captured_tracers():
    def outer(c, x):
        return jax.vmap(elimax.jacobian(lambda v: jnp.sin(v * c) * v[0], form="loop"))(x)

    def expected(c, x):
        return jax.vmap(jax.jacfwd(lambda v: jnp.sin(v * c) * v[0]))(x)

    close(jax.jit(outer)(X[0], X), expected(X[0], X))
    close(jax.jit(jax.vmap(outer, in_axes=(0, None)))(X, X), jax.jit(jax.vmap(expected, in_axes=(0, None)))(X, X))


def test_sparse_output():
    own = jax.jit(jax.vmap(elimax.jacobian(lambda x: x**2 * jnp.roll(x, 1), output="bcoo", form="loop")))(X)
    dense = jax.jit(jax.vmap(jax.jacfwd(lambda x: x**2 * jnp.roll(x, 1))))(X)
    close(own.todense(), dense)


def test_unknown_layout():
    with pytest.raises(ValueError, match="layout must be one of 'batch-first', 'batch-last', got 'last'"):
        elimax.jacobian(fun, layout="last")


def test_unknown_form():
    with pytest.raises(ValueError, match=r"form must be one of 'auto', .*, 'points', got 'fast'"):
        elimax.jacobian(fun, form="fast")


def test_auto_takes_the_loop_for_large_batches():
    problem = zoo.get("roe_flux_1d")
    own = jax.vmap(elimax.jacobian(problem.fun, problem.argnums))
    large = jax.jit(own).lower(*spread(problem, (100_000,))).as_text()
    small = jax.jit(own).lower(*spread(problem, (2,))).as_text()
    assert "stablehlo.reduce" in large
    assert "stablehlo.reduce" not in small


def operations(x, y):
    """Operations that move, fold and combine elements in every way that is taken apart."""
    moved = jnp.concatenate([x[::-1], jnp.pad(y, (1, 2), constant_values=3), x[jnp.array([2, 0])]])
    table = jnp.tile(moved[:6].reshape(2, 3), (1, 2)).T
    folded = [table.sum(0), table.prod(1), table.max(0), table.min(1), jnp.cumsum(x), lax.cumprod(y, reverse=True)]
    flags = [(table > 1).any(1), (table > 0).all(0)]
    products = [table.T @ table, x @ jnp.ones((3, 2), x.dtype), jnp.einsum("i,j->ij", x, y)]
    halves = jnp.split(moved, [2, 3])
    chosen = jnp.where(jnp.array([True, False, True]), x, 2 * x)
    placed = x.at[jnp.array([0, 2])].set(y)
    return [*folded, *flags, *products, *halves, chosen, placed, lax.clamp(0.5, x, 1.5), x.astype(jnp.int32)]


@pytest.mark.parametrize("batch_last", [False, True])
def test_programs_taken_apart(batch_last):
    x, y = jnp.array([0.3, 1.7, 2.2]), jnp.array([1.1, -0.4])
    closed = trace(operations, [x, y])
    program = scalarise(closed)
    assert program is not None
    place = Place(((3, (True, False)),), batch_last, "cpu", False)
    form = loop(program, place.sizes, [mask for _, mask in place.batch], batch_last)
    xs = jnp.stack([x, x + 1, -x])
    actual = jax.jit(form)(xs, y)
    expected = jax.jit(jax.vmap(operations, in_axes=(0, None), out_axes=-1 if batch_last else 0))(xs, y)
    close(list(actual), expected)


@pytest.mark.parametrize("filler", [0.0, 1.0, 3.0, -2.0])
def test_fillers_are_not_taken_for_elements(filler):
    def fun(x):
        return x[0] * x.at[jnp.array([1, 7])].get(mode="fill", fill_value=filler) ** 2

    own = jax.jit(jax.vmap(elimax.value_and_jacobian(fun, form="loop")))(X)
    close(own, (jax.jit(jax.vmap(fun))(X), jax.jit(jax.vmap(jax.jacfwd(fun)))(X)))


@pytest.mark.parametrize("mode", ["clip", "drop", "promise_in_bounds"])
def test_places_by_mode(mode):
    places = jnp.array([2, 0] if mode == "promise_in_bounds" else [2, 9])

    def fun(x):
        read = x.at[jnp.clip(places, 0, 2)].get(mode="clip") * x[1]
        return x.at[places].set(read, mode=mode) ** 2

    close(jax.jit(jax.vmap(elimax.jacobian(fun, form="loop")))(X), jax.jit(jax.vmap(jax.jacfwd(fun)))(X))


@pytest.mark.parametrize(
    "resisting",
    [
        lambda x: jnp.fft.rfft(x).real,
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: c * 2, x),
        lambda x: x[jnp.argmax(x)],
        lambda x: jnp.sort(x),
        lambda x: x.astype(jnp.float16),
        lambda x: jnp.tile(x, 10_000),
    ],
)
def test_programs_that_resist_keep_their_form(resisting):
    x = jnp.array([0.3, 1.7, 2.2])
    assert scalarise(trace(lambda x: [resisting(x)], [x])) is None
    close(jax.jit(elimax.jacobian(resisting, form="loop"))(x), jax.jit(jax.jacfwd(resisting))(x))


def test_model_tells_arrays_from_scalars():
    """Residuals of many points stay arrays, which the model takes to be faster than the same residuals one by one."""
    points = np.linspace(0.0, 1.0, 40)
    machine = dataclasses.replace(DEFAULT, threads=1)

    def residual(x, t):
        return x[0] / x[1] * jnp.exp(-0.5 * ((t - x[2]) / x[1]) ** 2)

    def times(fun):
        plain = elimax.jacobian(fun, form="plain")
        program = scalarise(trace(lambda x: [plain(x)], [jnp.ones(3, np.float32)]))
        return {form: prediction.at(5000, False) for form, prediction in predict(program, machine).items()}

    arrays = times(lambda x: residual(x, points.astype(np.float32)))
    one_by_one = times(lambda x: jnp.stack([residual(x, t) for t in points.astype(np.float32)]))
    assert arrays["plain"] < one_by_one["plain"]
    assert arrays["plain"] < arrays["loop"]


def test_model_knows_that_nothing_is_chosen_where_the_batch_is_last():
    """Entries computed in different ways are chosen among with the batch in front, and stretches with it behind."""

    def fun(x):
        return jnp.stack([x[0] * x[1] * x[2], x[0] / (1 + x[1] * x[2]), jnp.sqrt(1 + x[0] * x[2])])

    program = scalarise(trace(lambda x: [elimax.jacobian(fun, form="plain")(x)], [jnp.ones(3)]))
    machine = dataclasses.replace(DEFAULT, threads=1)
    first, last = (by_form(program, machine, 10_000, looped=False, behind=behind) for behind in (False, True))
    assert last["plain"] < 0.8 * first["plain"]
    assert last["loop"] <= first["loop"]
    assert last["points"] > first["points"]


def test_what_constants_alone_decide_costs_nothing():
    """The compiler computes it: it is no work of the forms, and no column of the loop form."""

    def fun(x, slope):
        return jnp.stack([slope() * x[0], jnp.cos(x[1]) * slope(), x[0] * x[1]])

    def plain(slope):
        jacobian = elimax.jacobian(lambda x: fun(x, slope), form="plain")
        return scalarise(trace(lambda x: [jacobian(x)], [jnp.ones(2)]))

    counted, known = (count(plain(slope)) for slope in (lambda: jnp.sin(jnp.float64(0.3)), lambda: np.sin(0.3)))
    assert counted["loop"].work == known["loop"].work
    assert counted["plain"].columns == known["plain"].columns
    x = jnp.array([[0.3, 1.2], [0.7, -0.4]])
    settled = functools.partial(fun, slope=lambda: jnp.sin(jnp.float64(0.3)))
    close(jax.jit(jax.vmap(elimax.jacobian(settled, form="loop")))(x), jax.jit(jax.vmap(jax.jacfwd(settled)))(x))


@pytest.mark.parametrize("layout", ["batch-first", "batch-last"])
def test_few_elements_among_known_ones(layout):
    """They are selected into their places, without an array for each known one; what is not finite stays in place."""
    known = jnp.arange(16.0).reshape(4, 4) / 3

    def fun(x):
        return (known @ x).at[1].add(jnp.log(x[2]) * x[0]).at[3].add(x[3] ** 2)

    xs = jnp.asarray([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 0.5, 1.0], [1.0, 1.0, 2.0, 2.0]])
    place = -1 if layout == "batch-last" else 0
    own = jax.jit(jax.vmap(elimax.jacobian(fun, form="loop", layout=layout), out_axes=place))
    close(own(xs), jax.jit(jax.vmap(jax.jacfwd(fun), out_axes=place))(xs))
    at_zero = jnp.moveaxis(own(xs.at[2, 2].set(0.0)), place, 0)[2]
    np.testing.assert_array_equal(np.argwhere(~np.isfinite(at_zero)), [[1, 0], [1, 2]])
    assert ("concatenate" in own.lower(xs).as_text()) == (layout == "batch-last")


def test_bits_of_numbers():
    """Newer versions of JAX look at bits in derivatives of powers and the like."""

    def fun(x):
        bits = lax.bitcast_convert_type(x, np.uint64) & np.uint64(2**63 - 1)
        return jnp.stack([lax.bitcast_convert_type(bits, np.float64) * x[0], x]).sum(0) * x[1]

    x = jnp.array([-1.5, 2.0, 0.25])
    halves = scalarise(trace(lambda x: [lax.bitcast_convert_type(x, np.uint32)], [x]))
    assert halves is None
    for form in ("loop", "kernel"):
        found = jax.jit(jax.vmap(elimax.jacobian(fun, form=form)))(x[None])[0]
        np.testing.assert_allclose(found, jax.jit(jax.jacfwd(fun))(x))


def test_model_counts_reads_at_places_in_a_table():
    places = np.array([3, 0, 2, 2])

    def counted(fun):
        return count(scalarise(trace(fun, [jnp.ones(4)])))

    listed, sliced = counted(lambda x: jnp.sin(x)[places] * 2), counted(lambda x: jnp.sin(x)[::-1] * 2)
    assert sum(listed["plain"].gathered) == 4
    assert sum(sliced["plain"].gathered) == sum(listed["loop"].gathered) == 0
    plain = listed["plain"]
    assert plain.at(DEFAULT, 1000, False) > dataclasses.replace(plain, gathered=(0, 0)).at(DEFAULT, 1000, False)


def test_model_counts_what_one_operation_is_written_as():
    counted = [count(scalarise(trace(fun, [jnp.ones(3)])))["loop"].operations for fun in (lax.erfc, lax.exp)]
    assert counted[0] > 10 * counted[1]


@pytest.mark.parametrize(("size", "one"), [(2, True), (200, False)])
def test_small_loops_are_one_kernel(size, one):
    """What `elimax.emit.model.SMALL` is about: XLA marks a loop that accesses few bytes as a call of one kernel."""
    x = jnp.linspace(0.1, 1.0, size)
    step = elimax.fuse(lambda x: jnp.sin(x) * x[::-1] + x)
    run = jax.jit(lambda x: jax.lax.fori_loop(0, 50, lambda _, y: step(y), x))
    assert ("xla_cpu_small_call" in run.lower(x).compile().as_text()) == one


def test_nothing_is_started_in_small_loops():
    counts = count(scalarise(jax.make_jaxpr(lambda x: jnp.stack([jnp.exp(x[0]) * x[1], x[0] * x[1]]))(jnp.ones(2))))
    own = dataclasses.replace(counts["plain"], launches=10, accessed=model.SMALL // 2)
    more = dataclasses.replace(own, launches=20)
    assert own.at(DEFAULT, 1, True) == more.at(DEFAULT, 1, True)
    assert own.at(DEFAULT, 2, True) < more.at(DEFAULT, 2, True)


def test_single_points_choose_element_after_element_in_small_loops():
    def fun(x):
        return jnp.stack([x[0] * x[1], jnp.float32(1.0), jnp.sin(x[2]), jnp.float32(1.0)])

    own = predict(scalarise(trace(lambda x: [fun(x)], [jnp.ones(4, np.float32)])))["plain"]
    more = own.around([own])
    assert len(more.counts.boxes) == 2 * len(own.counts.boxes) > 0
    assert more.at(1, True) > own.at(1, True)
    assert more.at(2, True) == own.at(2, True)


def test_single_points_read_columns_of_known_elements():
    def counted(*columns):
        closed = trace(lambda x: [jnp.stack([jnp.exp(x), *map(jnp.asarray, columns)], 1)], [jnp.ones(4)])
        return predict(scalarise(closed))["plain"]

    few, many = counted(np.ones(4), np.ones(4)), counted(np.arange(4.0), np.arange(1.0, 5.0))
    assert few.counts.assembled == ((12, 4, 1, 0),)
    assert many.counts.assembled == ((12, 4, 1, 2),)
    assert many.counts.counted > few.counts.counted
    assert many.at(1, False) > few.at(1, False)


def test_nothing_is_vectorised_in_small_loops():
    """Exponentials of eight points take longer in a loop that is one kernel than in one that is not."""

    def fun(x):
        return jnp.stack([jnp.exp(x[0] * k) + x[1] for k in range(1, 9)])

    own = count(scalarise(trace(lambda x: [fun(x)], [jnp.ones(2, np.float32)])))["loop"]
    small = dataclasses.replace(own, accessed=model.SMALL // 16)
    large = dataclasses.replace(own, accessed=model.SMALL)
    assert small.at(DEFAULT, 1, True) < large.at(DEFAULT, 1, True)
    assert small.at(DEFAULT, 8, True) > large.at(DEFAULT, 8, True)


def test_results_that_a_loop_carries_are_not_read_by_others():
    program = scalarise(trace(lambda x: [jnp.exp(x)], [jnp.ones(5)]))
    own = predict(program)["loop"]
    assert own.carried().counts.accessed == own.counts.accessed - (model.READERS - 1) * 5 * 8


def test_sums_of_wide_numbers_are_not_vectorised_in_loops():
    def work(dtype):
        found = count(scalarise(trace(lambda x: [jnp.sum(x, 0)], [jnp.ones((4, 3), dtype)])))["plain"]
        return sum(own.cheap for own in found.joined) / sum(own.cheap for own in found.work)

    assert work(np.float64) > 2 * work(np.float32)


def test_columns_on_fresh_pages_are_paid_for():
    own = count(scalarise(trace(lambda x: [jnp.exp(x) + x[0]], [jnp.ones(40)])))["loop"]
    machine = dataclasses.replace(DEFAULT, threads=1)
    batch = model.HEAP // (8 * 40)
    step = [own.at(machine, n, False) for n in (batch - 1, batch, batch + 1)]
    assert step[2] - step[1] > 100 * (step[1] - step[0])


def test_model_knows_that_long_kernels_of_stretches_are_not_vectorised():
    def counted(terms):
        def fun(x):
            rows = [sum(x[j] * x[(j + k) % 5] * (j + k) for j in range(terms)) for k in range(5)]
            return jnp.stack([rows[0] * rows[k] - rows[k] ** 2 for k in range(5)])

        program = scalarise(trace(lambda x: [elimax.jacobian(fun, form="plain")(x)], [jnp.ones(5)]))
        first, last = (count(program, behind)["plain"] for behind in (False, True))
        return last.weight, sum(w.cheap for w in first.work) / sum(w.cheap for w in last.work)

    (few, ratio), (many, smaller) = counted(1), counted(5)
    assert few < model.LARGE < many
    assert ratio > 2 * smaller > 2


def test_model_knows_that_many_numbers_interrupt_what_is_known():
    def counted(size):
        def fun(x):
            return jnp.stack([sum(jnp.sin((i + 2) * x[j]) for j in range(size) if (i + j) % 2) for i in range(size)])

        return count(scalarise(trace(lambda x: [elimax.jacobian(fun, form="plain")(x)], [jnp.ones(size)])))

    large, small = counted(6), counted(4)
    assert large["plain"].known[1] > large["loop"].known[1]
    assert small["plain"].known == small["loop"].known
