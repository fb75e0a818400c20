"""Newton's method for a nonlinear PDE in two dimensions, with a sparse Jacobian and a sparse direct solver.

The steady temperature u of a reaction whose rate grows exponentially, in a unit square with cold walls:

    u_xx + u_yy + c exp(u) = 0 inside,    u = 0 on the boundary,

the problem of Bratu, or solid fuel ignition (B. M. Averick, R. G. Carter, J. J. More, G.-L. Xue, The MINPACK-2 Test
Problem Collection, 1992). For c < 6.808 there are two solutions; Newton's method finds the cooler one from u = 0. On a
grid of n x n inner points, with five-point differences, the Jacobian has fewer than 5 n^2 entries in n^4 places:
``output="bcoo"`` computes them alone, and ``scipy.sparse.linalg.spsolve`` takes them.

    python examples/reaction_diffusion_newton.py
    python examples/reaction_diffusion_newton.py --n 300 --strength 6.8
"""

from __future__ import annotations

import argparse
import dataclasses
import timeit
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg

import elimax

DENSE_POINTS = 40
"""Up to so many points a side, the dense Jacobian of jacfwd and a dense solve are timed too."""


@dataclasses.dataclass(frozen=True)
class Solution:
    """The temperature [n, n] and the largest residual before every iteration and at the end."""

    temperature: np.ndarray
    residuals: list[float]


def residual(u: jax.Array, strength: float) -> jax.Array:
    """The equation times the squared distance of grid points, [n, n]."""
    framed = jnp.pad(u, 1)
    neighbours = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
    return neighbours - 4.0 * u + strength / (u.shape[0] + 1) ** 2 * jnp.exp(u)


def to_csr(block: jax.experimental.sparse.BCOO) -> scipy.sparse.csr_matrix:
    """A block [n, n, n, n] as a matrix [n^2, n^2]."""
    size = block.shape[0] * block.shape[1]
    row, row_part, column, column_part = np.asarray(block.indices).T
    places = (row * block.shape[1] + row_part, column * block.shape[1] + column_part)
    return scipy.sparse.csr_matrix((np.asarray(block.data), places), (size, size))


def main(n: int = 64, strength: float = 6.0, tolerance: float = 1e-12, iterations: int = 20) -> Solution:
    """Solves the problem on n x n points and prints what happens."""
    with jax.enable_x64(True):
        both = jax.jit(elimax.value_and_jacobian(lambda u: residual(u, strength), output="bcoo"))  # planned once

        def newton_step(u: jax.Array) -> tuple[np.ndarray, np.ndarray]:
            value, block = both(u)
            value = np.asarray(value)
            return value, scipy.sparse.linalg.spsolve(to_csr(block), value.reshape(-1)).reshape(n, n)

        u = jnp.zeros((n, n))
        print(f"{n} x {n} points, Jacobian {n * n} x {n * n} with {both(u)[1].nse} entries")
        residuals: list[float] = []
        for number in range(iterations):
            value, step = newton_step(u)
            residuals.append(float(np.max(np.abs(value))))
            print(f"{number:3d}: residual {residuals[-1]:.2e}, highest temperature {float(jnp.max(u)):.8f}")
            if residuals[-1] < tolerance:
                break
            u = u - step

        print(f"Jacobian:       {1e3 * median_seconds(lambda: jax.block_until_ready(both(u))):.2f} ms")
        print(f"with the solve: {1e3 * median_seconds(lambda: newton_step(u)):.2f} ms")
        if n <= DENSE_POINTS:
            dense = jax.jit(lambda u: (residual(u, strength), jax.jacfwd(residual)(u, strength)))

            def dense_step() -> np.ndarray:
                value, block = dense(u)
                return np.linalg.solve(np.asarray(block).reshape(n * n, n * n), np.asarray(value).reshape(-1))

            print(f"jacfwd:         {1e3 * median_seconds(lambda: jax.block_until_ready(dense(u))):.2f} ms")
            print(f"with the solve: {1e3 * median_seconds(dense_step):.2f} ms")
    return Solution(np.asarray(u), residuals)


def median_seconds(run: Callable[[], object]) -> float:
    """Median time of a few runs, which leaves out a first one that compiles."""
    return float(np.median(timeit.repeat(run, number=1, repeat=5)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=64, help="inner grid points a side")
    parser.add_argument("--strength", type=float, default=6.0, help="c")
    main(**vars(parser.parse_args()))
