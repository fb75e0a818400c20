"""Elementwise operations of one, two and three operands."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from tests.primitives.harness import Case

SMALL = jnp.array([[0.3, -0.7, 0.55], [0.1, 0.85, -0.25]])  # inside (-1, 1)
ANY = jnp.array([[0.3, -1.7, 2.55], [-0.1, 1.25, -3.25]])
POSITIVE = jnp.array([[0.3, 1.7, 2.55], [0.12, 1.25, 3.25]])
LARGE = POSITIVE + 1.5
OTHER = jnp.array([[1.3, 0.7, -1.55], [2.1, -0.85, 0.75]])
ROW = jnp.array([0.4, 1.6, -0.9])
TIED = jnp.array([[0.3, 0.7, 2.55], [2.1, 1.25, -3.25]])

_UNARY = {
    "neg": ANY,
    "sign": ANY,
    "floor": ANY,
    "ceil": ANY,
    "round": ANY,
    "abs": ANY,
    "exp": ANY,
    "exp2": ANY,
    "expm1": ANY,
    "log": POSITIVE,
    "log1p": POSITIVE,
    "sin": ANY,
    "cos": ANY,
    "tan": ANY,
    "asin": SMALL,
    "acos": SMALL,
    "atan": ANY,
    "sinh": ANY,
    "cosh": ANY,
    "tanh": ANY,
    "asinh": ANY,
    "acosh": LARGE,
    "atanh": SMALL,
    "logistic": ANY,
    "sqrt": POSITIVE,
    "rsqrt": POSITIVE,
    "cbrt": ANY,
    "square": ANY,
    "lgamma": POSITIVE,
    "digamma": POSITIVE,
    "erf": ANY,
    "erfc": ANY,
    "erf_inv": SMALL,
    "bessel_i0e": ANY,
    "bessel_i1e": ANY,
}

CASES = {name: Case(getattr(lax, name), x) for name, x in _UNARY.items()}

CASES |= {
    "add": Case(lax.add, ANY, OTHER),
    "sub": Case(lax.sub, ANY, OTHER),
    "mul": Case(lax.mul, ANY, OTHER),
    "div": Case(lax.div, ANY, OTHER),
    "rem": Case(lax.rem, ANY, OTHER),
    "pow": Case(lax.pow, POSITIVE, OTHER),
    "pow by integers": Case(lambda x: lax.pow(x, jnp.array([[1, 2, 3], [0, -1, 2]])), ANY),
    "max": Case(lax.max, ANY, OTHER),
    "min": Case(lax.min, ANY, OTHER),
    "max with ties": Case(lax.max, TIED, TIED[::-1]),
    "min with ties": Case(lax.min, TIED, TIED.at[0].add(1.0)),
    "atan2": Case(lax.atan2, ANY, OTHER),
    "nextafter": Case(lambda x, y: lax.nextafter(x, y), ANY, OTHER, differentiable=False),
    "complex": Case(lax.complex, ANY, OTHER),
    "igamma": Case(lambda x: lax.igamma((OTHER**2 + 0.5).astype(x.dtype), x), POSITIVE),
    "igammac": Case(lambda x: lax.igammac((OTHER**2 + 0.5).astype(x.dtype), x), POSITIVE),
    "polygamma": Case(lambda x: lax.polygamma(jnp.full_like(x, 2.0), x), LARGE),
    "zeta": Case(lambda q: lax.zeta(jnp.full(q.shape, 3.0, q.dtype), q), LARGE, differentiable=False),
    "regularized_incomplete_beta": Case(
        lambda x: lax.betainc(jnp.full_like(x, 1.5), jnp.full_like(x, 2.5), x), jnp.abs(SMALL)
    ),
    "clamp": Case(lambda lo, x, hi: lax.clamp(lo, x, hi), ANY * 0 - 1.0, ANY, ANY * 0 + 2.0),
    "clamp by scalars": Case(lambda x: lax.clamp(jnp.asarray(-1, x.dtype), x, jnp.asarray(2, x.dtype)), ANY),
    "select_n": Case(lambda x, y: lax.select_n(ANY > 0, x, y), ANY, OTHER),
    "select_n of three": Case(
        lambda x, y, z: lax.select_n(jnp.array([0, 2, 1], jnp.int32), x, y, z), ANY[0], OTHER[0], ROW
    ),
    "select_n by a scalar": Case(lambda x, y: lax.select_n(jnp.array(True), x, y), ANY, OTHER),
    "select by a traced predicate": Case(lambda x, y: lax.select(x > y, x * y, y), ANY, OTHER),
    "integer_pow 2": Case(lambda x: lax.integer_pow(x, 2), ANY),
    "integer_pow 3": Case(lambda x: lax.integer_pow(x, 3), ANY),
    "integer_pow -2": Case(lambda x: lax.integer_pow(x, -2), ANY),
    "integer_pow 1": Case(lambda x: lax.integer_pow(x, 1), ANY),
    "integer_pow 0": Case(lambda x: lax.integer_pow(x, 0), ANY),
    "derivative of tanh": Case(jnp.vectorize(jax.grad(jnp.tanh)), ANY),
    "reduce_precision": Case(lambda x: lax.reduce_precision(x, 8, 10), ANY, loose=2.0**42),
    "stop_gradient": Case(lambda x: lax.stop_gradient(x) * x, ANY),
    "stop_gradient alone": Case(lax.stop_gradient, ANY),
    "copy": Case(lambda x: jnp.array(x, copy=True), ANY),
    "device_put": Case(lambda x: jax.device_put(x) * 2, ANY),
    "optimization_barrier": Case(lambda x, y: lax.optimization_barrier((x, y)), ANY, ROW),
    "convert to float32": Case(lambda x: lax.convert_element_type(x, jnp.float32), ANY),
    "convert to float64": Case(lambda x: lax.convert_element_type(x, jnp.float64), ANY.astype(jnp.float32)),
    "convert to bfloat16": Case(lambda x: lax.convert_element_type(x, jnp.bfloat16) * 2, ANY),
    "convert to an integer and back": Case(lambda x: x.astype(int).astype(x.dtype) * x, ANY),
    "convert to complex": Case(lambda x: lax.convert_element_type(x, jnp.complex128), ANY),
    "comparison": Case(lambda x, y: x * (x <= y).astype(x.dtype) + lax.eq(x, y).astype(x.dtype), ANY, OTHER),
    "is_finite": Case(lambda x: lax.select(lax.is_finite(x), x * x, x), ANY),
    "bitcast": Case(lambda x: (lax.bitcast_convert_type(x, jnp.int64), x), ANY),
    "repeated operand of mul": Case(lambda x: lax.mul(x, x), ANY),
    "repeated operand of add": Case(lambda x: lax.add(x, x), ANY),
    "repeated operand of sub": Case(lambda x: lax.sub(x, x), ANY),
    "repeated operand of div": Case(lambda x: lax.div(x, x) + x, ANY),
    "repeated operand of atan2": Case(lambda x: lax.atan2(x, x) + x, ANY),  # its own derivative is 0, or rounding
    "repeated operand of select": Case(lambda x: lax.select(x > 0, x, x), ANY),
    "scalars": Case(lambda x, y: x * y + jnp.sin(x), jnp.array(0.5), jnp.array(-1.5)),
    "broadcast of a scalar": Case(lambda x, y: x * y, jnp.array(0.5), ANY),
    "broadcast of a row": Case(lambda x, y: x + y, ROW, ANY),
    "broadcast of a column": Case(lambda x, y: x * y, ANY[:, :1], OTHER),
    "broadcast of both": Case(lambda x, y: jnp.hypot(x, y), ANY[:, :1], ROW),
    "broadcast against ones": Case(lambda x, y: x[None, :] * y, ROW, ANY[:1, :1]),
}

# Composites of jax.numpy and jax.nn that are nested jits or custom rules.
CASES |= {
    "where": Case(lambda x, y: jnp.where(x > 0, x * y, y), ANY, OTHER),
    "where with a constant": Case(lambda x: jnp.where(x > 0, x, 0.0), ANY),
    "clip": Case(lambda x: jnp.clip(x, -1.0, 1.0), ANY),
    "hypot": Case(jnp.hypot, ANY, OTHER),
    "logaddexp": Case(jnp.logaddexp, ANY, OTHER),
    "logaddexp2": Case(jnp.logaddexp2, ANY, OTHER),
    "sinc": Case(jnp.sinc, ANY),
    "mod": Case(lambda x: jnp.mod(x, 0.75), ANY),
    "xlogy": Case(jax.scipy.special.xlogy, POSITIVE, POSITIVE),
    "entr": Case(jax.scipy.special.entr, POSITIVE),
    "expit": Case(jax.scipy.special.expit, ANY),
    "ndtri": Case(jax.scipy.special.ndtri, jnp.abs(SMALL)),
    "log_ndtr": Case(jax.scipy.special.log_ndtr, ANY),
    "relu": Case(jax.nn.relu, ANY),
    "gelu": Case(jax.nn.gelu, ANY),
    "silu": Case(jax.nn.silu, ANY),
    "softplus": Case(jax.nn.softplus, ANY),
    "softmax": Case(lambda x: jax.nn.softmax(x, axis=-1), ANY),
    "log_softmax": Case(lambda x: jax.nn.log_softmax(x, axis=0), ANY),
    "standardize": Case(jax.nn.standardize, ANY),
    "normal log density": Case(jax.scipy.stats.norm.logpdf, ANY, OTHER, POSITIVE),
    "interp": Case(lambda x, f: jnp.interp(x, jnp.array([-2.0, 0.0, 1.0, 3.0]), f), ROW, POSITIVE.ravel()[:4]),
    "polyval": Case(jnp.polyval, ROW, ANY),
}
