"""Implicit time steps of the Brusselator with diffusion, with a banded Jacobian and a banded solve.

    u_t = 1 + u^2 v - 4 u + a u_xx,    v_t = 3 u - u^2 v + a v_xx,    a = 1/50,  0 <= x <= 1,

with u = 1 and v = 3 at both ends, u(x, 0) = 1 + sin(2 pi x) and v(x, 0) = 3, on a uniform grid of n inner points
(E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, 2nd edition 1996, section IV.1, equation 1.6).
The BDF formula of order two (same book, section III.1 of volume I) asks in every step for the zero of

    G(y) = y - 4/3 y_1 + 1/3 y_2 - 2/3 h f(y),

which Newton's method finds. With u and v of a point side by side each row of G' has at most four entries, in five
diagonals: ``output="bcoo"`` computes those entries alone, and ``scipy.linalg.solve_banded`` takes them.

    python examples/brusselator_bdf.py
    python examples/brusselator_bdf.py --n 100000 --steps 10
"""

from __future__ import annotations

import argparse
import dataclasses
import timeit
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

import elimax

DIFFUSION = 1 / 50
DENSE_POINTS = 500
"""Up to so many points, the dense Jacobian of jacfwd and a dense solve are timed too."""


@dataclasses.dataclass(frozen=True)
class Solution:
    """The state at the end, [2 n] with u and v of a point side by side, and how it was found.

    Attributes:
      state: at the end.
      iterations: Newton iterations of all steps.
      seconds: of one Jacobian and one banded solve.
      seconds_dense: of jacfwd and a dense solve, or None for large n.
    """

    state: np.ndarray
    iterations: int
    seconds: float
    seconds_dense: float | None


def start(n: int) -> jax.Array:
    """The state at time 0, [2 n]."""
    x = jnp.arange(1, n + 1) / (n + 1)
    return jnp.stack([1.0 + jnp.sin(2.0 * jnp.pi * x), jnp.full(n, 3.0)], axis=1).reshape(-1)


def rates(state: jax.Array) -> jax.Array:
    """The right-hand side f, [2 n]."""
    u, v = state.reshape(-1, 2).T
    reaction = u * u * v
    strength = DIFFUSION * (u.size + 1) ** 2
    u_rate = 1.0 + reaction - 4.0 * u + strength * second_difference(u, 1.0)
    v_rate = 3.0 * u - reaction + strength * second_difference(v, 3.0)
    return jnp.stack([u_rate, v_rate], axis=1).reshape(-1)


def second_difference(values: jax.Array, end: float) -> jax.Array:
    """Neighbours minus twice the middle, where ``end`` lies beyond both ends."""
    framed = jnp.pad(values, 1, constant_values=end)
    return framed[:-2] - 2.0 * values + framed[2:]


def equation(state: jax.Array, last: jax.Array, before: jax.Array, step: jax.Array) -> jax.Array:
    """G, [2 n]."""
    return state - (4.0 * last - before) / 3.0 - 2.0 / 3.0 * step * rates(state)


def banded_solver(indices: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Solves with the matrices that have their entries at the given places, [entries, 2]."""
    rows, columns = indices.T
    lower, upper = int(np.max(rows - columns)), int(np.max(columns - rows))
    place = (upper + rows - columns, columns)

    def solve(entries: np.ndarray, right: np.ndarray) -> np.ndarray:
        bands = np.zeros((lower + upper + 1, right.size))
        bands[place] = entries
        return scipy.linalg.solve_banded((lower, upper), bands, right)

    return solve


def main(n: int = 500, steps: int = 100, end: float = 1.0, tolerance: float = 1e-10) -> Solution:
    """Goes from time 0 to ``end`` in equal steps on n points, and prints what happens."""
    with jax.enable_x64(True):
        step = jnp.asarray(end / steps)
        newton = jax.jit(elimax.value_and_jacobian(equation, output="bcoo"))  # traced and planned once
        last = state = start(n)
        before = state - step * rates(state)  # a step of Euler back: as accurate as the first step of order two needs
        _, jacobian = newton(state, last, before, step)
        solve = banded_solver(np.asarray(jacobian.indices))
        print(f"{n} points, Jacobian {2 * n} x {2 * n} with {jacobian.nse} entries")
        iterations = 0
        for number in range(1, steps + 1):
            change = np.inf
            while change > tolerance:
                value, jacobian = newton(state, last, before, step)
                update = solve(np.asarray(jacobian.data), np.asarray(value))
                state, change, iterations = state - update, float(np.max(np.abs(update))), iterations + 1
            before, last = last, state
            if number % max(steps // 5, 1) == 0:
                u, v = np.asarray(state).reshape(-1, 2)[n // 2]
                print(
                    f"t = {number * end / steps:5.2f}: {iterations:4d} iterations, u = {u:.6f}, v = {v:.6f} at x = 1/2"
                )

        def sparse() -> np.ndarray:
            value, jacobian = newton(state, last, before, step)
            return solve(np.asarray(jacobian.data), np.asarray(value))

        dense_newton = jax.jit(lambda *args: (equation(*args), jax.jacfwd(equation)(*args)))

        def dense() -> np.ndarray:
            value, jacobian = dense_newton(state, last, before, step)
            return np.linalg.solve(np.asarray(jacobian), np.asarray(value))

        seconds, seconds_dense = median_seconds(sparse), median_seconds(dense) if n <= DENSE_POINTS else None
    print(f"Jacobian and banded solve: {1e3 * seconds:.2f} ms")
    if seconds_dense is not None:
        print(f"jacfwd and dense solve:    {1e3 * seconds_dense:.2f} ms")
    return Solution(np.asarray(state), iterations, seconds, seconds_dense)


def median_seconds(run: Callable[[], object]) -> float:
    """Median time of a few runs, which leaves out a first one that compiles."""
    return float(np.median(timeit.repeat(run, number=1, repeat=5)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=500, help="inner grid points")
    parser.add_argument("--steps", type=int, default=100, help="time steps")
    main(**vars(parser.parse_args()))
