"""Equal nodes exist once, in canonical form; rules apply where they may."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax.coarsen import NONE, STRICT, Arena, Rules, cost, derive, emit
from elimax.coarsen.arena import MOST_OPERATIONS
from elimax.coarsen.nodes import reachable
from elimax.coarsen.rules import ALL
from elimax.errors import ExpressionError


def fixture(rules=None):
    arena = Arena(rules)
    return (arena, *(arena.variable(name, "float64") for name in "xyz"))


def number(arena, value):
    return arena.constant(value, "float64")


def test_equal_nodes_are_one():
    arena, x, y, _ = fixture(NONE)
    assert arena.apply("add", x, y) is arena.apply("add", y, x)
    assert arena.apply("sub", x, y) is not arena.apply("sub", y, x)
    assert arena.apply("sin", arena.apply("mul", x, y)) is arena.apply("sin", arena.apply("mul", y, x))
    assert number(arena, 1.0) is number(arena, 1)
    assert number(arena, 0.0) is not number(arena, -0.0)
    assert arena.constant(1, "float32") is not number(arena, 1)
    assert arena.apply("integer_pow", x, y=2) is not arena.apply("integer_pow", x, y=3)


def test_choices_that_share_a_case_are_chosen_between_later():
    arena, x, y, z = fixture()
    p, q = arena.apply("lt", x, y), arena.apply("lt", y, z)
    choose = lambda which, a, b: arena.apply("select_n", which, a, b)  # noqa: E731
    assert choose(p, choose(q, x, y), choose(q, x, z)) is choose(q, x, choose(p, y, z))
    assert choose(p, choose(q, x, z), choose(q, y, z)) is choose(q, choose(p, x, y), z)
    assert choose(p, choose(q, x, y), choose(q, y, z)).args[0] is p


def test_operations_on_choices_are_distributed_where_they_go_away():
    arena, x, y, _ = fixture()
    p, low = arena.apply("lt", x, y), arena.apply("sin", x)
    choose = lambda a, b: arena.apply("select_n", p, a, b)  # noqa: E731
    known = arena.apply("log", number(arena, 3.0))
    assert arena.apply("log", choose(arena.apply("exp", low), number(arena, 3.0))) is choose(low, known)
    assert arena.apply("integer_pow", choose(number(arena, 2), number(arena, 3)), y=2).op == "select_n"
    assert arena.apply("exp", choose(low, number(arena, 1.0))).op == "exp"
    assert arena.apply("sin", choose(x, y)).op == "sin"


def test_every_rule_says_where_it_holds():
    assert len({rule.name for rule in ALL}) == len(ALL)
    for rule in ALL:
        assert rule.condition
        assert rule.group in ("basic", "always", "stable", "identities")


CASES = {
    "x 1": lambda a, x, y: (a.apply("mul", x, number(a, 1)), x),
    "x + 0": lambda a, x, y: (a.apply("add", number(a, 0), x), x),
    "-(-x)": lambda a, x, y: (a.apply("neg", a.apply("neg", x)), x),
    "x x": lambda a, x, y: (a.apply("mul", x, x), a.apply("integer_pow", x, y=2)),
    "x + x": lambda a, x, y: (a.apply("add", x, x), a.apply("mul", number(a, 2), x)),
    "2 + 3": lambda a, x, y: (a.apply("add", number(a, 2), number(a, 3)), number(a, 5)),
    "3 (2 x)": lambda a, x, y: (
        a.apply("mul", number(a, 3), a.apply("mul", x, number(a, 2))),
        a.apply("mul", number(a, 6), x),
    ),
    "x / 4": lambda a, x, y: (a.apply("div", x, number(a, 4)), a.apply("mul", x, number(a, 0.25))),
    "x + (-y)": lambda a, x, y: (a.apply("add", x, a.apply("neg", y)), a.apply("sub", x, y)),
    "(-x) (-y)": lambda a, x, y: (a.apply("mul", a.apply("neg", x), a.apply("neg", y)), a.apply("mul", x, y)),
    "exp(log(y^2))": lambda a, x, y: (
        a.apply("exp", a.apply("log", a.apply("integer_pow", y, y=2))),
        a.apply("integer_pow", y, y=2),
    ),
    "log(exp(sin(x)))": lambda a, x, y: (
        a.apply("log", a.apply("exp", a.apply("sin", x))),
        a.apply("sin", x),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rules_that_are_always_allowed(name):
    arena, x, y, _ = fixture(STRICT)
    found, expected = CASES[name](arena, x, y)
    assert found is expected


def test_rules_that_would_hide_a_nan_or_move_the_domain_are_not_applied():
    arena, x, y, _ = fixture(STRICT)
    zero = number(arena, 0)
    assert arena.apply("mul", zero, x) is not zero
    assert arena.apply("sub", x, x).op == "sub"
    assert arena.apply("div", x, x).op == "div"
    assert arena.apply("exp", arena.apply("log", x)).op == "exp"
    assert arena.apply("log", arena.apply("exp", x)).op == "log"
    assert arena.apply("integer_pow", arena.apply("sqrt", x), y=2).op == "integer_pow"
    squares = [arena.apply("integer_pow", arena.apply(name, x), y=2) for name in ("sin", "cos")]
    assert arena.apply("add", *squares).op == "add"
    large = number(arena, 1e200)
    assert arena.apply("mul", number(arena, 1e-200), arena.apply("mul", large, x)) is not x


def test_identities_on_demand():
    arena, x, y, _ = fixture(Rules())
    sine, cosine = (arena.apply("integer_pow", arena.apply(name, x), y=2) for name in ("sin", "cos"))
    assert arena.apply("add", sine, cosine) is number(arena, 1)
    assert arena.apply("add", arena.apply("mul", y, sine), arena.apply("mul", cosine, y)) is y
    assert arena.apply("sub", number(arena, 1), sine) is cosine
    assert arena.apply("mul", number(arena, 0), x) is number(arena, 0)


def test_partials_share_with_values():
    """1 - tanh(x)^2 from the value; 1 / y once for a quotient; the tangent twice."""
    arena, x, y, _ = fixture(STRICT)
    sinks = [arena.apply("tanh", x), arena.apply("div", x, y), arena.apply("tan", x)]
    derived = derive(arena, sinks, [x, y])
    ops = [node.op for node in reachable(derived.sinks)]
    assert ops.count("tanh") == ops.count("tan") == 1
    assert ops.count("div") == 2
    arena, x, y, _ = fixture(Rules())
    once = derive(arena, [arena.apply("div", x, y)], [x, y])
    assert [node.op for node in reachable(once.sinks)].count("div") == 1


def test_a_row_of_quotients_divides_once():
    arena = Arena()
    xs = [arena.variable(k, "float64") for k in range(4)]
    norm = arena.apply("sqrt", arena.apply("add", arena.apply("mul", xs[0], xs[0]), arena.apply("mul", xs[1], xs[1])))
    derived = derive(arena, [arena.apply("div", x, norm) for x in xs], xs)
    assert [node.op for node in reachable(derived.sinks)].count("div") == 1


def test_cost_counts_shared_nodes_once_and_constants_never():
    arena, x, y, _ = fixture(NONE)
    product = arena.apply("mul", x, y)
    both = [arena.apply("add", product, x), arena.apply("sin", product)]
    assert cost(both).operations == 3
    assert cost(both, given=[product]).operations == 2
    assert cost([arena.apply("log", number(arena, 2))]).operations == 0
    assert cost([arena.apply("integer_pow", x, y=5)]).operations == 3
    assert cost(both).time > 100


def test_emission_has_each_node_once():
    arena, x, y, _ = fixture(NONE)
    product = arena.apply("mul", x, y)
    sinks = [arena.apply("sin", product), arena.apply("cos", product)]
    closed = jax.make_jaxpr(lambda a, b: emit(sinks, {"x": a, "y": b}, (3,)))(jnp.ones(3), jnp.ones(3))
    assert [equation.primitive.name for equation in closed.jaxpr.eqns] == ["mul", "sin", "cos"]


def test_second_derivatives_are_expressions_too():
    arena, x, y, _ = fixture(STRICT)
    sink = arena.apply("mul", arena.apply("exp", x), arena.apply("sin", y))
    first = derive(arena, [sink], [x, y]).partials[0]
    second = derive(arena, first, [x, y])
    found = emit(second.sinks, {"x": 0.3, "y": 0.7})[2:]
    expected = jax.jit(jax.hessian(lambda v: jnp.exp(v[0]) * jnp.sin(v[1])))(jnp.array([0.3, 0.7]))
    np.testing.assert_allclose(np.reshape(found, (2, 2)), expected, rtol=1e-14)


def test_unknown_operations_are_refused():
    arena, x, y, _ = fixture(NONE)
    with pytest.raises(ExpressionError, match="no operation 'sine'"):
        arena.apply("sine", x)


def endless():
    arena, x, y, _ = fixture(NONE)
    for _ in range(MOST_OPERATIONS):
        x = arena.apply("sub", x, y)


def test_endless_expressions_are_refused():
    with pytest.raises(ExpressionError, match="more than"):
        endless()
