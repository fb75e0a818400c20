"""Real functions with complex numbers on the way."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from tests.primitives.harness import Case

X = jnp.array([0.3, -1.7, 2.5])
Y = jnp.array([1.1, 0.4, -0.7])


def _z(x, y):
    return lax.complex(x, y)


_HOLOMORPHIC = {
    "exp": jnp.exp,
    "log": jnp.log,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "square": jnp.square,
    "cbrt of a power": lambda z: z ** (1 / 3),
    "integer_pow": lambda z: z**3,
    "log1p": jnp.log1p,
    "expm1": jnp.expm1,
    "reciprocal": lambda z: 1 / z,
    "neg": lambda z: -z,
}

CASES = {
    f"{name} of complex": Case(lambda x, y, f=f: (lambda w: (jnp.real(w), jnp.imag(w)))(f(_z(x, y))), X, Y, wrap=False)
    for name, f in _HOLOMORPHIC.items()
}
CASES |= {
    "complex output": Case(_z, X, Y),
    "real and imaginary part": Case(lambda x, y: jnp.real(_z(x, y)) * jnp.imag(_z(x, y)), X, Y),
    "conj": Case(lambda x, y: jnp.conj(_z(x, y)) * _z(y, x), X, Y),
    "abs": Case(lambda x, y: jnp.abs(_z(x, y)), X, Y),
    "abs at zero": Case(lambda x: jnp.abs(_z(x, x)), jnp.array([0.0, 1.0])),
    "sign": Case(lambda x, y: jnp.sign(_z(x, y)), X, Y),
    "angle": Case(lambda x, y: jnp.angle(_z(x, y)), X, Y),
    "product": Case(lambda x, y: _z(x, y) * _z(y, x), X, Y),
    "square by product": Case(lambda x, y: _z(x, y) * _z(x, y), X, Y),
    "quotient": Case(lambda x, y: jnp.real(_z(x, y) / _z(y, x + 3)), X, Y),
    "power": Case(lambda x, y: _z(x, y) ** _z(y, x), X, Y, loose=4),
    "times a real array": Case(lambda x, y: jnp.imag(jnp.exp(1j * x) * y), X, Y),
    "matmul": Case(lambda x, y: jnp.abs(_z(jnp.outer(x, y), jnp.outer(y, y)) @ _z(x, y)), X, Y),
    "vdot": Case(lambda x, y: jnp.real(jnp.vdot(_z(x, y), _z(y, x))), X, Y),
    "solve": Case(lambda x, y: jnp.abs(jnp.linalg.solve(_z(jnp.diag(x), jnp.outer(x, y)), _z(x, y))), X, Y, loose=4),
    "sum and indexing": Case(lambda x, y: jnp.imag(jnp.sum(_z(x, y)[1:] ** 2)), X, Y),
    "where": Case(lambda x, y: jnp.where(x > 0, _z(x, y), jnp.conj(_z(x, y))), X, Y),
    "concatenate": Case(lambda x, y: jnp.concatenate([_z(x, y), _z(y, x)]), X, Y),
    "roots of unity": Case(lambda x: jnp.real(jnp.exp(2j * jnp.pi * x)) + jnp.abs(jnp.exp(1j * x)), X),
    "polynomial": Case(lambda x, y: jnp.abs(jnp.polyval(_z(x, y), _z(y, x))), X, Y),
    "impedance": Case(lambda r, c: jnp.abs(1 / (1 / r + 1j * jnp.arange(1.0, 4.0) * c)), X**2, Y**2),
    "integer part untouched": Case(lambda x: (jnp.abs(1j * x), jnp.argmax(x)), X),
}
