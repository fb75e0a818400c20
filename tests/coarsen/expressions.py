"""Random expressions, in an arena and in SymPy alike."""

from __future__ import annotations

import random

import numpy as np
import sympy

from elimax.coarsen import Arena, Node

# name: SymPy's function. Arguments are kept small, so that values stay away from overflow.
UNARY = {
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "atan": sympy.atan,
    "asinh": sympy.asinh,
    "erf": sympy.erf,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1p": lambda x: sympy.log(1 + x),
    "logistic": lambda x: 1 / (1 + sympy.exp(-x)),
    "rsqrt": lambda x: 1 / sympy.sqrt(x),
    "neg": lambda x: -x,
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
}
NAMES = ("a", "b", "c")


def grow(rng: random.Random, arena: Arena, size: int, dtype: str = "float64") -> tuple[Node, sympy.Expr]:
    """An expression of about ``size`` operations that shares its parts, and the same for SymPy."""
    pool = [(arena.variable(k, dtype), sympy.Symbol(name)) for k, name in enumerate(NAMES)]
    for _ in range(size):
        x, s = rng.choice(pool[-4:])
        kind = rng.random()
        if kind < 0.35:
            name = rng.choice(list(UNARY))
            pool.append((arena.apply(name, x), UNARY[name](s)))
        elif kind < 0.5:
            power = rng.choice([-2, -1, 2, 3])
            pool.append((arena.apply("integer_pow", x, y=power), s**power))
        elif kind < 0.65:
            number = rng.choice([0.0, 0.5, -1.0, 1.0, 2.0, -3.0])
            name = rng.choice(["add", "mul", "sub"])
            pool.append((arena.apply(name, x, arena.constant(number, dtype)), BINARY[name](s, number)))
        else:
            y, t = rng.choice(pool)
            name = rng.choice(list(BINARY))
            pool.append((arena.apply(name, x, y), BINARY[name](s, t)))
    return pool[-1]


def points(seed: int, count: int) -> np.ndarray:
    """Points away from special ones, of shape ``[3, count]``."""
    return np.random.default_rng(seed).uniform(0.2, 1.5, (len(NAMES), count))
