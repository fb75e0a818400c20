"""Decompositions, solves, transforms."""

from __future__ import annotations

import jax.numpy as jnp
import jax.scipy as jsp
from jax import lax

from tests.primitives.harness import Case

M = jnp.array([[2.1, 0.3, -0.4], [0.5, 1.7, 0.2], [-0.1, 0.6, 2.9]])
SPD = M @ M.T
SYM = jnp.array([[2.0, 0.3, 0.1], [0.3, -1.0, 0.4], [0.1, 0.4, 0.5]])
TALL = jnp.array([[1.0, 0.2], [0.4, 2.0], [-0.3, 0.7]])
B = jnp.array([0.4, -1.2, 0.9])
BB = jnp.array([[0.4, 1.0], [-1.2, 0.3], [0.9, -0.8]])
BATCH = jnp.stack([M, M.T + jnp.eye(3)])
X = jnp.array([0.3, -1.7, 2.5, 0.9])
D = jnp.array([3.0, 4.0, 5.0])


def _tri(**kwargs):
    return lambda a, b: lax.linalg.triangular_solve(a, b, **kwargs)


CASES = {
    "cholesky": Case(jnp.linalg.cholesky, SPD),
    "cholesky batched": Case(lambda x: jnp.linalg.cholesky(x @ jnp.swapaxes(x, -1, -2)), BATCH),
    "cho_solve": Case(lambda a, b: jsp.linalg.cho_solve(jsp.linalg.cho_factor(a), b), SPD, B),
    "lu": Case(lambda a: lax.linalg.lu(a)[0], M),
    "lu with pivots": Case(lambda a: jsp.linalg.lu(a), M),
    "lu_factor": Case(lambda a, b: jsp.linalg.lu_solve(jsp.linalg.lu_factor(a), b), M, B),
    "qr": Case(lambda a: jnp.linalg.qr(a), TALL),
    "qr square": Case(lambda a: lax.linalg.qr(a), M),
    "eigh": Case(lambda a: lax.linalg.eigh(a)[1], SYM, loose=8),
    "eigh vectors": Case(lambda a: jnp.linalg.eigh(a)[0] ** 2, SYM, wrap=False, loose=8),
    "eigvalsh": Case(jnp.linalg.eigvalsh, SYM, loose=8),
    "svd": Case(lambda a: jnp.linalg.svd(a, full_matrices=False), TALL, loose=8),
    "svd values": Case(lambda a: jnp.linalg.svd(a, compute_uv=False), M, loose=8),
    "triangular_solve": Case(_tri(left_side=True, lower=True), jnp.tril(M), BB),
    "triangular_solve upper": Case(_tri(left_side=True, lower=False), jnp.triu(M), BB),
    "triangular_solve right": Case(_tri(left_side=False, lower=True), jnp.tril(M), BB.T),
    "triangular_solve transposed": Case(_tri(left_side=True, lower=True, transpose_a=True), jnp.tril(M), BB),
    "triangular_solve unit": Case(_tri(left_side=True, lower=True, unit_diagonal=True), jnp.tril(M), BB),
    "triangular_solve batched": Case(_tri(left_side=True, lower=True), jnp.tril(BATCH), jnp.stack([BB, 2 * BB])),
    "solve": Case(jnp.linalg.solve, M, B),
    "solve of a matrix": Case(jnp.linalg.solve, M, BB),
    "solve batched": Case(jnp.linalg.solve, BATCH, jnp.stack([BB, 2 * BB])),
    "inv": Case(jnp.linalg.inv, M),
    "det": Case(jnp.linalg.det, M),
    "det batched": Case(jnp.linalg.det, BATCH),
    "slogdet": Case(lambda a: jnp.linalg.slogdet(a), M),
    "pinv": Case(jnp.linalg.pinv, TALL, loose=8),
    "lstsq": Case(lambda a, b: jnp.linalg.lstsq(a, b)[0], TALL, B, wrap=False, loose=64),
    "expm": Case(lambda a: jsp.linalg.expm(a / 4), M, loose=8, wrap=False),
    "matrix norm": Case(lambda a: jnp.linalg.norm(a, "nuc"), M, loose=8),
    "spectral norm": Case(lambda a: jnp.linalg.norm(a, 2), M, loose=8),
    "cond": Case(lambda a: jnp.linalg.cond(a), M, loose=8),
    "tridiagonal_solve": Case(lambda dl, d, du, b: lax.linalg.tridiagonal_solve(dl, d, du, b), B, D, B[::-1], BB),
    "custom_linear_solve": Case(
        lambda a, b: lax.custom_linear_solve(
            lambda x: a @ x, b, lambda _, y: jnp.linalg.solve(a, y), lambda _, y: jnp.linalg.solve(a.T, y)
        ),
        M,
        B,
    ),
    "conjugate gradients": Case(
        lambda a, b: jsp.sparse.linalg.cg(lambda x: (a @ a.T + jnp.eye(3)) @ x, b, tol=1e-12)[0],
        M,
        B,
        wrap=False,
        loose=1e4,
    ),
    "eig values": Case(
        lambda a: jnp.real(lax.linalg.eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]),
        M,
        loose=8,
        wrap=False,
    ),
    "schur stopped": Case(lambda a: lax.linalg.schur(a)[0], M, differentiable=False),
    "hessenberg stopped": Case(lambda a: lax.linalg.hessenberg(a)[0], M, differentiable=False),
    "fft": Case(lambda x: jnp.abs(jnp.fft.fft(x)) ** 2, X),
    "fft complex output": Case(lambda x: jnp.fft.fft(x), X),
    "rfft": Case(lambda x: jnp.abs(jnp.fft.rfft(x)), X),
    "irfft": Case(lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * 2), X),
    "fft2": Case(lambda x: jnp.real(jnp.fft.fft2(x)), M),
    "fft and back": Case(lambda x: jnp.real(jnp.fft.ifft(jnp.fft.fft(x) * jnp.exp(1j * jnp.arange(4.0)))), X),
    "fftconvolve": Case(lambda x, y: jsp.signal.fftconvolve(x, y), X, B, loose=8),
    "dct": Case(lambda x: jsp.fft.dct(x), X),
    "Toeplitz": Case(lambda c: jsp.linalg.toeplitz(c, c), B),
    "block_diag": Case(lambda x, y: jsp.linalg.block_diag(x, y), M, BB),
    "multi_dot": Case(lambda x, y: jnp.linalg.multi_dot([x, y, y.T, x]), M, BB),
    "householder": Case(lambda a: lax.linalg.householder_product(a, jnp.zeros(2)), TALL, differentiable=False),
}
