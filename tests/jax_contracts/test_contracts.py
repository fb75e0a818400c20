"""What `elimax._jax` relies on. A JAX release that changes one of these fails here first, and loudly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import sparse
from jax.extend import core as jex  # noqa: TID251 the contract is about this very module

from elimax._jax.entries import PRODUCT
from elimax._jax.program import CALLS, Placeholder, inline, subprograms, trace
from elimax.emit.choose import staged_call


def equations(fun, *args):
    return jax.make_jaxpr(fun)(*args).jaxpr.eqns


def only(fun, name, *args):
    found = [e for e in equations(fun, *args) if e.primitive.name == name]
    assert len(found) == 1, [e.primitive.name for e in equations(fun, *args)]
    return found[0]


def test_a_traced_function_has_constants_variables_and_equations():
    array = jnp.arange(3.0)
    closed = trace(lambda x: [x * array + 2.0], [array])
    assert len(closed.consts) == len(closed.jaxpr.constvars) == 1
    assert len(closed.jaxpr.invars) == 1
    names = [e.primitive.name for e in closed.jaxpr.eqns]
    assert names == ["mul", "add"]
    assert isinstance(closed.jaxpr.eqns[1].invars[1], jex.Literal)
    assert closed.jaxpr.eqns[1].invars[1].aval.dtype == array.dtype


def test_bind_parameters_are_one_mapping():
    equation = only(lambda x: lax.slice(x, (1,), (3,)), "slice", jnp.arange(4.0))
    params = equation.primitive.get_bind_params(equation.params)
    result = equation.primitive.bind(jnp.arange(4.0), **params)
    np.testing.assert_array_equal(result, [1.0, 2.0])


@pytest.mark.parametrize(
    "wrap", [jax.jit, jax.checkpoint, lambda f: jax.jit(jax.jit(f))], ids=["jit", "checkpoint", "nested jit"]
)
def test_calls_are_inlined(wrap):
    program = inline(trace(lambda x: [wrap(jnp.sin)(x)], [1.0]), [True])
    assert [e.name for e in program.equations] == ["sin"]


def test_names_of_calls_are_current():
    names = {e.primitive.name for f in (jax.jit, jax.checkpoint) for e in equations(f(jnp.sin), 1.0)}
    assert names <= set(CALLS)


def test_custom_jvp_is_expanded_into_its_linear_part():
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (cube(*primals), 7.0 * tangents[0]))
    program = inline(trace(lambda x: [cube(x)], [2.0]), [True])
    (output,) = program.outputs
    linear = [e for e in program.equations if e.active]
    assert [e.name for e in linear] == ["mul"]
    assert linear[0].linear
    assert output.vertex == linear[0].outputs[0].vertex != output.value
    assert any(isinstance(c, Placeholder) for c in program.constants.values())


def test_custom_vjp_stays_one_equation_that_can_be_evaluated():
    @jax.custom_vjp
    def double(x):
        return 2.0 * x

    double.defvjp(lambda x: (double(x), None), lambda _, g: (5.0 * g,))
    program = inline(trace(lambda x: [double(x)], [2.0]), [True])
    (equation,) = program.equations
    assert equation.name == "custom_vjp_call"
    assert equation.call(jnp.asarray(3.0))[0] == 6.0
    assert jax.vjp(lambda x: equation.call(x)[0], 3.0)[1](1.0)[0] == 5.0


@pytest.mark.parametrize(
    ("fun", "name"),
    [
        (lambda x: lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * x, c[1] + 1), (x, 0))[0], "while"),
        (lambda x: lax.scan(lambda c, _: (c * x, c), x, None, length=3)[0], "scan"),
        (lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x), "cond"),
    ],
)
def test_bodies_of_loops_and_branches_are_found(fun, name):
    equation = only(fun, name, 1.0)
    names = {n for inner in subprograms(equation.params) for n in inner}
    assert names & {"mul", "sin"}


@pytest.mark.parametrize(
    ("name", "fun", "args", "params"),
    [
        ("broadcast_in_dim", lambda x: lax.broadcast(x, (2,)), (jnp.ones(3),), {"broadcast_dimensions"}),
        ("transpose", jnp.transpose, (jnp.ones((2, 3)),), {"permutation"}),
        ("squeeze", lambda x: lax.squeeze(x, (0,)), (jnp.ones((1, 3)),), {"dimensions"}),
        ("reshape", lambda x: lax.reshape(x, (6,)), (jnp.ones((2, 3)),), {"dimensions"}),
        ("rev", lambda x: lax.rev(x, (0,)), (jnp.ones(3),), {"dimensions"}),
        ("pad", lambda x: lax.pad(x, jnp.zeros((), x.dtype), [(1, 1, 0)]), (jnp.ones(3),), {"padding_config"}),
        ("concatenate", lambda x: lax.concatenate([x, x], 0), (jnp.ones(3),), {"dimension"}),
        ("split", lambda x: lax.split(x, [1, 2])[0], (jnp.ones(3),), {"axis"}),
        ("reduce_sum", jnp.sum, (jnp.ones(3),), {"axes"}),
        ("reduce_max", jnp.max, (jnp.ones(3),), {"axes"}),
        ("cumsum", lambda x: lax.cumsum(x), (jnp.ones(3),), {"axis"}),
        ("sort", lambda x: lax.sort(x), (jnp.ones(3),), {"dimension"}),
        ("fft", lambda x: lax.fft(x, "fft", (3,)), (jnp.ones(3, complex),), {"fft_lengths"}),
        ("dot_general", jnp.dot, (jnp.ones(3), jnp.ones(3)), {"dimension_numbers"}),
        (
            "conv_general_dilated",
            lambda x, w: lax.conv(x, w, (1, 1), "SAME"),
            (jnp.ones((1, 1, 3, 3)), jnp.ones((1, 1, 2, 2))),
            {"dimension_numbers", "window_strides", "padding", "lhs_dilation", "rhs_dilation", "feature_group_count"},
        ),
        (
            "reduce_window_sum",
            lambda x: lax.reduce_window(x, 0.0, lax.add, (2,), (1,), "VALID"),
            (jnp.ones(3),),
            {"window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation"},
        ),
    ],
)
def test_parameters_that_rules_read(name, fun, args, params):
    program = inline(trace(lambda *a: [fun(*a)], args), [True] * len(args))
    (equation,) = [e for e in program.equations if e.name == name]
    assert params <= set(equation.params)


def test_a_sparse_product_has_the_operands_and_parameters_that_its_expansion_reads():
    matrix = sparse.BCOO.fromdense(jnp.eye(3))
    closed = jax.make_jaxpr(lambda data, x: sparse.BCOO((data, matrix.indices), shape=(3, 3)) @ x)(
        matrix.data, jnp.ones(3)
    )
    (equation,) = [e for e in closed.jaxpr.eqns if e.primitive.name == PRODUCT]
    assert [atom.aval.shape for atom in equation.invars] == [(3,), (3, 2), (3,)]
    assert equation.params["dimension_numbers"] == (((1,), (0,)), ((), ()))
    assert tuple(equation.params["lhs_spinfo"].shape) == (3, 3)
    assert "preferred_element_type" in equation.params


def test_unread_results_of_a_staged_program_are_dropped():
    def both(x):
        return [jnp.sin(x) * x, jnp.exp(x)]

    def staged(x):
        return staged_call("both", jax.make_jaxpr(both)(x), [x], "loop", "batch-first")[0]

    text = jax.jit(staged).lower(jnp.ones(3)).as_text()
    assert "sine" in text
    assert "exponential" not in text
