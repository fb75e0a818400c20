"""Errors of elementary functions in units of the last place, against wider arithmetic."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np

from elimax.emit.elementary import FUNCTIONS

REFERENCES = {
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "pow": mp.power,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "erf": mp.erf,
}
WIDER = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "pow": np.power,
    "cbrt": np.cbrt,
}
"""The same in the wider arithmetic of the machine."""

CASES = [(name, str(dtype)) for name, function in FUNCTIONS.items() for dtype in function.dtypes]

MOST = {"pow": 2.0, "tan": 3.0, "atan": 3.0, "atan2": 3.0, "asin": 2.5, "acos": 2.5}
"""Largest error allowed, in units of the last place; 2 for all others."""

NUM_ARGUMENTS = {"atan2": 2, "pow": 2}

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e4, -1e6, np.inf, -np.inf, np.nan]


def compiled(name):
    return jax.jit(FUNCTIONS[name].call)


def limit(name, dtype):
    bounds = FUNCTIONS[name].limit
    return np.inf if bounds is None else bounds[np.dtype(dtype)]


def patterns(dtype, count, seed):
    """Random bit patterns: numbers of all exponents, subnormal ones, infinities and NaN."""
    size = np.dtype(dtype).itemsize
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, size), np.uint8).view(dtype).ravel()


def ordinary(name, dtype, count, seed):
    """Random numbers of sizes at which a function changes most; for two arguments, pairs."""
    rng = np.random.default_rng(seed)
    if name == "pow":
        top = 1000.0 if dtype == "float64" else 126.0
        x = np.exp(rng.uniform(-1, 1, count) * 10.0 ** rng.uniform(-8, np.log10(top * 0.69), count)).astype(dtype)
        with np.errstate(all="ignore"):
            y = (rng.uniform(-top, top, count) / np.log2(x.astype(np.longdouble))).astype(dtype)
        finite = np.isfinite(y)  # not where x is 1
        return [x[finite], y[finite]]
    return [
        (rng.choice([-1, 1], count) * 2.0 ** rng.uniform(-20, 12, count)).astype(dtype)
        if k % 2
        else rng.uniform(-8, 8, count).astype(dtype)
        if name not in ("asin", "acos")
        else rng.uniform(-1, 1, count).astype(dtype)
        for k in range(NUM_ARGUMENTS.get(name, 1))
    ]


def multiples(dtype, most):
    """Numbers next to multiples of pi/2: every one at first, then the closest of many random ones."""
    rng = np.random.default_rng(7)
    count = np.unique(np.concatenate([np.arange(1, 2000), rng.integers(1, int(most * 0.63), 200_000)]))
    wide = np.longdouble("1.57079632679489661923132169163975144") * count
    near = wide.astype(dtype)
    near = near[np.abs(near) <= most]
    far = np.abs(wide[: len(near)] - near)
    chosen = np.concatenate([np.arange(500), np.argsort(far / np.abs(near))[:500]])
    near = near[np.unique(chosen)]
    return np.concatenate([near, -near, np.nextafter(near, dtype(0)), np.nextafter(near, dtype(np.inf))])


def exact_reference(name, args):
    """Values in arithmetic of 250 digits where all arguments are finite; NaN where there is no real one."""
    fun = REFERENCES[name]
    with mp.workdps(50):
        found = []
        for row in zip(*args, strict=True):
            digits = 400 if max(abs(float(v)) for v in row) > 1e30 and name in ("sin", "cos", "tan") else 50
            with mp.workdps(digits):
                found.append(+fun(*(mp.mpf(float(v)) for v in row)))
    return found


def errors(actual, expected):
    """Errors in units of the last place of the exact values; subnormal values may be zero.

    Args:
      actual: array.
      expected: numbers of mpmath, or an array of a wider dtype.
    """
    actual = np.asarray(actual)
    info = np.finfo(actual.dtype)
    if isinstance(expected, np.ndarray):
        with np.errstate(all="ignore"):
            rounded = expected.astype(actual.dtype)
            size = np.maximum(np.abs(rounded), info.tiny)
            found = np.abs(actual.astype(expected.dtype) - expected) / np.spacing(np.minimum(size, info.max))
        same = (np.isnan(rounded) & np.isnan(actual)) | (rounded == actual)
        flushed = (np.abs(expected) < info.tiny) & (actual == 0)
        found = np.where(same & ~np.isfinite(rounded), 0, np.where(flushed, 0, found))
        return np.where(np.isnan(found), np.inf, found).astype(float)
    result = []
    for a, e in zip(actual, expected, strict=True):
        if isinstance(e, mp.mpc) or mp.isnan(e):
            result.append(0.0 if np.isnan(a) else np.inf)
        elif abs(e) < info.tiny and a == 0:
            result.append(0.0)
        elif abs(e) > float(info.max):
            result.append(0.0 if np.isinf(a) and (a > 0) == (e > 0) else np.inf)
        elif not np.isfinite(a):
            result.append(np.inf)
        else:
            unit = np.spacing(max(np.abs(actual.dtype.type(float(e))), info.tiny))
            with mp.workdps(50):
                result.append(float(abs(mp.mpf(float(a)) - e) / float(unit)))
    return np.array(result)


def largest(name, dtype, args):
    """Largest error over finite and special arguments within the limit, and where it is; by wider arithmetic."""
    wide = np.float64 if dtype == "float32" else np.longdouble
    inside = np.abs(args[0]) <= limit(name, dtype)
    if limit(name, dtype) == np.inf:
        inside = np.full(len(args[0]), True)
    args = [a[inside] for a in args]
    actual = np.asarray(compiled(name)(*map(jnp.asarray, args)))
    with np.errstate(all="ignore"):
        expected = WIDER[name](*(a.astype(wide) for a in args))
    found = errors(actual, expected)
    at = int(np.argmax(found))
    return float(found[at]), [float(a[at]) for a in args]
