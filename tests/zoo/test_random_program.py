"""Random programs: a seed determines them, other seeds give others, and every operation occurs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elimax import zoo
from elimax.zoo.random_operations import MATRIX, OPERATIONS, SCALAR, VECTOR
from elimax.zoo.random_program import draw_program


def test_a_seed_determines_the_program_and_its_arguments():
    first, second = (zoo.get("random_program", seed=3, size=40) for _ in range(2))
    assert first.fun == second.fun
    assert all(np.array_equal(a, b) for a, b in zip(first.args, second.args, strict=True))
    assert first.fun != zoo.get("random_program", seed=4, size=40).fun


def test_the_first_program_does_not_change():
    # Seeds name programs in reports: a change of the generator must be seen.
    program = draw_program(0, 4, (SCALAR, VECTOR), 3, 2)
    expected = ["soft_root_vector", "roll", "quotient_vector", "cos_scalar"]
    assert [step.operation for step in program.steps] == expected
    assert program.outputs[-1] == 5


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operations_keep_values_bounded(name):
    operation = OPERATIONS[name]
    rng = np.random.default_rng(0)
    operands = [rng.uniform(-1, 1, (3,) * rank) for rank in operation.operands]
    for index in range(3):
        out = operation.apply(index, *map(jnp.asarray, operands))
        assert out.shape == (3,) * operation.result
        assert float(jnp.max(jnp.abs(out))) <= 1.0


def test_long_programs_stay_finite():
    problem = zoo.get("random_program", seed=1, size=400)
    outputs = jax.jit(problem.fun)(*problem.args)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in outputs)
    used = {step.operation for step in problem.fun.steps}
    assert len(used) > 0.9 * len(OPERATIONS)


def test_scalar_programs_have_scalars_only():
    problem = zoo.get("random_program", seed=2, size=50, arrays=False)
    jaxpr = jax.make_jaxpr(problem.fun)(*problem.args)
    assert {var.aval.shape for eqn in jaxpr.eqns for var in eqn.outvars} == {()}
    assert MATRIX == 2
