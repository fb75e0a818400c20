"""A sample of the CUTEst equations (sif2jax): Jacobians of real residuals at their starting points, in float64.

`benchmarks/sif2jax_walk.py` compares all 185 problems. The 40 here are small and were chosen to differ in how they are
written: which operations they use, how their unknowns and equations are laid out, how many there are.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sif2jax_walk.py"
_SPEC = importlib.util.spec_from_file_location("sif2jax_walk", _SCRIPT)
assert _SPEC is not None
assert _SPEC.loader is not None
walk = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = walk  # dataclasses look their module up
_SPEC.loader.exec_module(walk)

SAMPLE = {
    # Scalars picked from a vector, results gathered in different ways.
    "AIRCRFTA": "results written by scatter",
    "ARGAUSS": "15 equations unrolled, concatenate",
    "CLUSTER": "two unknowns, sin and cos",
    "DENSCHNDNE": "powers of scalars",
    "EGGCRATENE": "scatter of scalars",
    "FREURONE": "scatter, nested polynomials",
    "HEART6": "results by stack",
    "HEART8": "zoo's human heart dipole in another form",
    "HELIXNE": "arctan2 and sqrt",
    "HIMMELBFNE": "156 operations, quotients",
    "PFIT1": "powers with unknown exponents",
    "POWELLSE": "stack and reshape",
    # Curves fitted to data: few unknowns, many equations.
    "BARDNE": "select on an iota",
    "BENNETT5": "unknown base and exponent, 154 equations",
    "CERI651C": "erfc, selects inside nested jit",
    "ENSO": "168 equations of sin and cos",
    "FBRAIN2": "2211 equations, reshape and transpose",
    "GAUSS1": "exponentials of squares, 250 equations",
    "KIRBY2": "quotient of polynomials",
    "LANCZOS1": "sum of exponentials",
    "NELSON": "log and exp of data",
    "OSBORNE2": "zoo's Gaussian data fitting in another form",
    "RAT43": "pow of an exponential",
    "VESUVIO": "1025 equations, selects",
    "VIBRBEAMNE": "polynomial phase in a cosine",
    # Arrays as unknowns.
    "10FOLDTR": "cumulative sums, 1000 unknowns",
    "ARGLBLE": "dot_general with constants, rank one",
    "ARGLCLE": "scatter of slices",
    "BDVALUES": "10002 unknowns, compared by products",
    "CHANDHEQ": "outer products and row sums",
    "CHEBYQADNE": "arccos and cos of a matrix",
    "COOLHANS": "quadratic matrix equation",
    "ERRINROSNE": "strided scatters",
    "INTEGREQ": "integral operator by select and dot_general, 502 unknowns",
    "LEVYMONE": "interleaved equations, 100 unknowns",
    "LUKSAN12": "gathers by computed indices, stack and reshape",
    "LUKSAN21": "scatter-add",
    "LUKSAN22": "gathers, selects, sign and abs",
    "MANCINONE": "square roots of sums, 100 dense rows",
    "MSQRTA": "square root of a matrix, 1024 unknowns",
}


@pytest.fixture(scope="module")
def problems():
    return walk.load_problems()


def test_the_sample_is_part_of_the_suite(problems):
    assert len(SAMPLE) == 40
    assert len(problems) >= 185
    assert set(SAMPLE) <= set(problems)


SLOW = ("10FOLDTR", "BDVALUES", "LUKSAN22")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(SAMPLE)])
def test_jacobian_of_the_residual(problems, name):
    row = walk.compare(problems[name])
    assert row.verdict == "ok", row.line()


def test_a_wrong_jacobian_is_noticed(problems, monkeypatch):
    def wrong(fun):
        return lambda point: jax.tree.map(lambda block: block.at[0, 1].add(1e-6), jax.jacfwd(fun)(point))

    monkeypatch.setattr(walk, "_transform", lambda method: wrong)
    assert walk.compare(problems["HEART8"]).verdict == "differs"


@pytest.mark.parametrize(
    ("expected", "actual", "error"),
    [
        ([[1.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]], 0.0),
        ([[1.0, 200.0], [1.0, 0.0]], [[1.0, 201.0], [1.0, 0.0]], 0.005),
        ([[np.nan, 1.0]], [[np.nan, 1.0]], 0.0),
        ([[1.0, 1.0]], [[np.nan, 1.0]], np.inf),
        ([[np.inf, 1.0]], [[-np.inf, 1.0]], np.inf),
        ([[0.0, 0.0]], [[0.0, 1e-3]], 1e-3),
    ],
)
def test_errors_are_relative_to_the_row(expected, actual, error):
    np.testing.assert_allclose(walk.row_error(np.array(expected), np.array(actual)), error)
