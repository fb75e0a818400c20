"""Black-Scholes against a textbook price, the closed forms of the Greeks, and the equation it solves."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import scipy.stats

from elimax import zoo

CASES = [(42.0, 40.0, 0.1, 0.2, 0.5), (1.1, 1.0, 0.05, 0.25, 0.75), (80.0, 100.0, 0.02, 0.4, 2.0)]


def test_price_of_the_textbook_example():
    # J. C. Hull, Options, Futures, and Other Derivatives, example 15.6: a call is worth 4.76.
    price = jax.jit(zoo.get("black_scholes").fun)(*CASES[0])
    assert round(float(price), 2) == 4.76


def closed_forms(spot, strike, rate, volatility, maturity):
    root = np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * maturity) / (volatility * root)
    d2 = d1 - volatility * root
    density, discount = scipy.stats.norm.pdf(d1), np.exp(-rate * maturity)
    cdf = scipy.stats.norm.cdf
    first = [
        cdf(d1),
        -discount * cdf(d2),
        strike * maturity * discount * cdf(d2),
        spot * density * root,
        spot * density * volatility / (2 * root) + rate * strike * discount * cdf(d2),
    ]
    gamma = density / (spot * volatility * root)
    vanna = -density * d2 / volatility
    vomma = spot * density * root * d1 * d2 / volatility
    return np.array(first), gamma, vanna, vomma


@pytest.mark.parametrize("case", CASES)
def test_greeks_have_their_closed_forms(case):
    problem = zoo.get("black_scholes_jacobian")
    greeks, second = jax.jit(lambda *a: (problem.fun(*a), jax.jacfwd(problem.fun, problem.argnums)(*a)))(*case)
    first, gamma, vanna, vomma = closed_forms(*case)
    np.testing.assert_allclose(greeks, first, rtol=1e-12)
    second = np.array(second)
    np.testing.assert_allclose(second, second.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose([second[0, 0], second[0, 3], second[3, 3]], [gamma, vanna, vomma], rtol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_the_price_solves_the_differential_equation(case):
    spot, _, rate, volatility, _ = case
    price, jacobian = zoo.get("black_scholes"), zoo.get("black_scholes_jacobian")
    value, delta, decay = (float(v) for v in (price.fun(*case), jacobian.fun(*case)[0], jacobian.fun(*case)[4]))
    gamma = float(jax.jit(jax.jacfwd(jacobian.fun))(*case)[0])
    diffused = 0.5 * volatility**2 * spot**2 * gamma + rate * spot * delta - rate * value
    np.testing.assert_allclose(decay, diffused, rtol=1e-11)
