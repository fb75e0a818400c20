"""Coefficients and accuracy of the vectorisable elementary functions.

    python docs/make_elementary.py coefficients   # writes src/elimax/emit/elementary/coefficients.py
    python docs/make_elementary.py table          # measures errors, writes docs/elementary.md
    python docs/make_elementary.py sweep          # all 2**32 arguments of the float32 functions; hours on one core

Polynomials are minimax approximations by Remez exchange at 80 digits; degrees are the least that reach the precision.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import mpmath as mp
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PRECISION = {"float32": 24, "float64": 53}
GUARD = 4
"""Bits by which polynomials are better than the rounding of results."""


def remez(fun: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, degree: int) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients, lowest first, of the polynomial of least largest error, and that error."""
    count = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mp.cos(mp.pi * k / (count - 1)) for k in range(count)]
    grid = [middle - half * mp.cos(mp.pi * k / (24 * count)) for k in range(24 * count + 1)]
    values = [fun(x) for x in grid]
    for _ in range(12):
        system = mp.matrix(count, count)
        for i, x in enumerate(points):
            scaled = (x - middle) / half
            for j in range(degree + 1):
                system[i, j] = scaled**j
            system[i, degree + 1] = (-1) ** i
        solution = mp.lu_solve(system, mp.matrix([fun(x) for x in points]))
        errors = [
            v - mp.polyval(list(solution[: degree + 1])[::-1], (x - middle) / half)
            for x, v in zip(grid, values, strict=True)
        ]
        peaks: list[int] = []
        for k, error in enumerate(errors):
            if peaks and (error > 0) == (errors[peaks[-1]] > 0):
                if abs(error) > abs(errors[peaks[-1]]):
                    peaks[-1] = k
            else:
                peaks.append(k)
        if len(peaks) < count:
            break
        while len(peaks) > count:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        moved = [grid[k] for k in peaks]
        if moved == points:
            break
        points = moved
    shifted = [mp.mpf(0)] * (degree + 1)
    for j in range(degree + 1):  # from powers of (x - middle) / half to powers of x
        for k in range(j + 1):
            shifted[k] += solution[j] / half**j * mp.binomial(j, k) * (-middle) ** (j - k)
    return shifted, max(abs(e) for e in errors)


def fit(fun: Callable[[mp.mpf], mp.mpf], low: float, high: float, scale: float, bits: int) -> list[mp.mpf]:
    """The polynomial of least degree whose error times ``scale`` is below 2**-(bits + GUARD)."""
    for degree in range(2, 30):
        found, error = remez(fun, mp.mpf(low), mp.mpf(high), degree)
        if error * scale < mp.mpf(2) ** -(bits + GUARD):
            return found
    raise ValueError("no polynomial is good enough")


def parts(value: mp.mpf, bits: list[int]) -> list[mp.mpf]:
    """A number as a sum of numbers with the given numbers of bits."""
    found = []
    for count in bits:
        exponent = mp.floor(mp.log(abs(value), 2)) - count + 1
        part = mp.nint(value / mp.mpf(2) ** exponent) * mp.mpf(2) ** exponent
        found.append(part)
        value -= part
    return found


def _even(fun: Callable[[mp.mpf], mp.mpf], lead: list[mp.mpf]) -> Callable[[mp.mpf], mp.mpf]:
    """z -> (fun(sqrt z) - lead[0] - lead[1] z - ...) / z**len(lead)."""

    def divided(z: mp.mpf) -> mp.mpf:
        z = mp.mpf(z) if z > mp.mpf(10) ** -24 else mp.mpf(10) ** -24
        known = sum((c * z**k for k, c in enumerate(lead)), mp.mpf(0))
        return (fun(mp.sqrt(z)) - known) / z ** len(lead)

    return divided


def _ratio(fun: Callable[[mp.mpf], mp.mpf]) -> Callable[[mp.mpf], mp.mpf]:
    return lambda x: fun(x) / x


def tables() -> dict[str, dict[str, list[mp.mpf]]]:
    """All polynomials and constants by dtype and name."""
    mp.mp.dps = 80
    one = mp.mpf(1)

    def exponential(u: mp.mpf) -> mp.mpf:
        u = u if abs(u) > mp.mpf(10) ** -24 else mp.mpf(10) ** -24
        return (mp.expm1(u) - u) / u**2

    def tail(t: mp.mpf) -> mp.mpf:
        x = 2 * (1 + t) / (1 - t)
        return mp.erfc(x) * mp.exp(x * x)

    result: dict[str, dict[str, list[mp.mpf]]] = {}
    for dtype, bits in PRECISION.items():
        halves = [30, 30, 30, 53] if bits == 53 else [11, 11, 11, 11, 24]
        short = bits - 32 if bits == 53 else 10
        result[dtype] = {
            "SINE": fit(_even(_ratio(mp.sin), [one]), 0, 0.625, 0.6, bits),
            "COSINE": fit(_even(mp.cos, [one, -one / 2]), 0, 0.625, 0.4, bits),
            "ARCTANGENT": fit(_even(_ratio(mp.atan), [one]), 0, 0.1717, 0.2, bits),
            "ARCSINE": fit(_even(_ratio(mp.asin), [one]), 0, 0.2501, 0.3, bits),
            "ERROR": fit(_even(lambda x: mp.erf(x) / x - 1, []), 0, 1.0, 1.0, bits),
            "ERROR_TAIL": fit(tail, -0.3334, 0.5001, 0.5, bits),
            "LOGARITHM": fit(_even(_ratio(mp.atanh), [one, one / 3]), 0, 0.0296, 2.0**-10, bits + 9),
            "EXPONENTIAL": fit(exponential, -0.36, 0.36, 0.15, bits),
            "HALF_PI": parts(mp.pi / 2, halves),
            "TWO_OVER_PI": parts(2 / mp.pi, [bits]),
            "QUARTER_PI": parts(mp.pi / 4, [bits, bits]),
            "THIRD": parts(one / 3, [bits, bits]),
            "TWO_OVER_LN2": parts(2 / mp.log(2), [short, bits]),
            "LN2": parts(mp.log(2), [bits]),
        }
    return result


def coefficients() -> str:
    """Source of the module of coefficients."""
    lines = [
        '"""Polynomials, lowest coefficient first, and constants in parts; written by docs/make_elementary.py."""',
        "",
        "from __future__ import annotations",
        "",
        "COEFFICIENTS: dict[str, dict[str, tuple[float, ...]]] = {",
    ]
    for dtype, table in tables().items():
        lines.append(f'    "{dtype}": {{')
        for name, values in table.items():
            lines.append(f'        "{name}": (')
            rounded = [float(np.float32(float(v))) if dtype == "float32" else float(v) for v in values]
            lines += [f"            {v!r}," for v in rounded]
            lines.append("        ),")
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def measured() -> list[tuple[str, str, float, float, float, float]]:
    """For each function and dtype the largest errors by kind of argument, in units of the last place."""
    from tests.emit import accuracy

    rows = []
    for name, dtype in accuracy.CASES:
        count = accuracy.NUM_ARGUMENTS.get(name, 1)
        found = dict.fromkeys(("patterns", "ordinary", "multiples", "digits"), float("nan"))
        if name in accuracy.WIDER:
            bits = [accuracy.patterns(dtype, 1 << 22, seed) for seed in range(count)]
            found["patterns"] = accuracy.largest(name, dtype, bits)[0]
            found["ordinary"] = accuracy.largest(name, dtype, accuracy.ordinary(name, dtype, 1 << 20, 1))[0]
        limit = accuracy.limit(name, dtype)
        if limit < np.inf:
            near = accuracy.multiples(np.dtype(dtype).type, limit)
            found["multiples"] = accuracy.errors(
                accuracy.compiled(name)(near), accuracy.exact_reference(name, [near])
            ).max()
        args = accuracy.ordinary(name, dtype, 5000, 2)
        found["digits"] = accuracy.errors(accuracy.compiled(name)(*args), accuracy.exact_reference(name, args)).max()
        rows.append((name, dtype, *found.values()))
    return rows


def table() -> str:
    """The document."""
    from elimax.emit.elementary import FUNCTIONS

    lines = [
        "# Vectorisable elementary functions",
        "",
        'With `elementary="vector"` the loop form computes the functions below by arithmetic without branches. XLA:CPU',
        "calls the C library for each element of them instead, which keeps it from vectorising the whole loop. Largest",
        f"errors in units of the last place, compiled on {platform.machine()} with JAX {jax.__version__}:",
        "",
        "* *bit patterns*: 2^22 random ones, so numbers of all exponents, subnormal ones, infinities and NaN, within",
        "  the limit of the function; *ordinary*: 2^20 numbers where the function changes most; both against wider",
        "  arithmetic of the machine (float64 for float32, 80 bits for float64);",
        "* *near multiples*: numbers closest to multiples of pi/2; *mpmath*: 5,000 ordinary ones; both against mpmath.",
        "",
        "| function | dtype | limit | bit patterns | ordinary | near multiples | mpmath |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, dtype, *errors in measured():
        limits = FUNCTIONS[name].limit
        limit = "none" if limits is None else f"{limits[np.dtype(dtype)]:.0e}"
        cells = ["-" if np.isnan(e) else f"{e:.2f}" for e in errors]
        lines.append(f"| {name} | {dtype} | {limit} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Where an argument of sin, cos or tan is finite and beyond the limit somewhere in the batch, all is computed",
        "again with the functions of the C library. Subnormal results may be zero, as in all arithmetic of XLA:CPU;",
        "subnormal arguments are treated as the numbers they are. Zeros keep their sign, infinities and NaN give what",
        "the C standard says. The functions that are not listed have vector code in XLA already.",
        "",
        "Written by `python docs/make_elementary.py table`; what the option gains is measured by",
        "`python -m benchmarks.elementary`.",
        "",
    ]
    return "\n".join(lines)


def sweep() -> None:
    """Prints the largest error of each float32 function of one argument over all bit patterns."""
    from tests.emit import accuracy

    step = 1 << 24
    for name, dtype in accuracy.CASES:
        if dtype != "float32" or accuracy.NUM_ARGUMENTS.get(name, 1) > 1:
            continue
        worst = (0.0, [0.0])
        for start in range(0, 1 << 32, step):
            bits = np.arange(start, start + step, dtype=np.uint64).astype(np.uint32)
            worst = max(worst, accuracy.largest(name, dtype, [bits.view(np.float32)]))
        print(f"{name}: {worst[0]:.3f} at {worst[1][0]!r}", flush=True)


def main() -> None:
    """Does what the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["coefficients", "table", "sweep"])
    what = parser.parse_args().what
    jax.config.update("jax_enable_x64", True)
    if what == "coefficients":
        target = ROOT / "src" / "elimax" / "emit" / "elementary" / "coefficients.py"
        target.write_text(coefficients())
    elif what == "table":
        (ROOT / "docs" / "elementary.md").write_text(table())
    else:
        sweep()


if __name__ == "__main__":
    main()
