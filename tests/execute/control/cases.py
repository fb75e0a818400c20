"""Loops and branches of many kinds, for arguments of shape [3] in any precision."""

import jax
import jax.numpy as jnp
from jax import lax


def turns(n, step, *start):
    """Carried values after a number of turns that is known at run time only."""
    return lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, *step(*s[1:])), (jnp.asarray(0), *start))[1:]


def counted(n):
    return lambda x, y: turns(n, lambda s: (jnp.sin(s) * y + s,), x)


def tree(x, y):
    def step(s):
        return {"n": s["n"] + 1, "a": s["a"] * s["b"].sum(), "b": s["b"] + y * s["a"], "t": (s["a"] > 0)}

    end = lax.while_loop(lambda s: s["n"] < 4, step, {"n": 0, "a": x, "b": y + y, "t": x > 0})
    return {"n": end["n"], "a": end["a"], "b": end["b"]}


def times(n, like):
    return jnp.arange(1, n + 1).astype(like.dtype)


def stacked(x, y, **options):
    return lax.scan(lambda c, t: (jnp.sin(c) * y + t, (c.sum(), c * t)), x, times(5, x), **options)


def nested(x, y):
    def inner(k, s):
        return lax.fori_loop(0, k, lambda _, a: jnp.sin(a) * y + x, s)

    return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, inner(s[0], s[1])), (0, x))[1]


def nested_scans(x, y):
    def turn(c, t):
        return lax.scan(lambda d, u: (jnp.sin(d) * u + c[0] * y, d.sum()), c, times(3, x) * t)[0], c.sum()

    return lax.scan(turn, x, times(4, x))


def batched(x, y):
    """Points of a batch stop after different numbers of turns."""
    grown = jax.vmap(lambda a, b: lax.while_loop(lambda s: s < 5, lambda s: s + s * s + b * b, a))
    return grown(jnp.abs(x) + 1, y)


def trees_of_branches(x, y):
    return lax.cond(x[0] > 0, lambda t: {"p": t[0] * t[1], "q": t[1]}, lambda t: {"p": t[1], "q": t[1]}, (x, y))


CASES = {
    "no turn": counted(0),
    "one turn": counted(1),
    "many turns": counted(7),
    "mixing": lambda x, y: lax.while_loop(
        lambda s: jnp.sum(s**2) < 50, lambda s: s + jnp.abs(s) + jnp.sin(s[::-1]) * y + 1, x
    ),
    "trees": tree,
    "constant start": lambda x, y: turns(4, lambda s: (jnp.sin(s) * y + x,), jnp.ones_like(x))[0],
    "scalars": lambda x, y: lax.fori_loop(
        0, 6, lambda i, s: (s[1], s[0] * jnp.sin(y[0]) + s[1] * x[i % 3]), (x[0], x[1])
    ),
    "a value that nothing reads": lambda x, y: turns(4, lambda a, b: (jnp.sin(a) * y, b * jnp.cos(a)), x, y)[0],
    "a value that does not move": lambda x, y: turns(3, lambda a, b: (a, jnp.sin(b) * a), x, y),
    "exchange": lambda x, y: turns(4, lambda a, b, c: (b, jnp.sin(c), a * b), x, y, x * y),
    "one value twice": lambda x, y: turns(3, lambda a, b: (jnp.sin(a) * x, b + x * a), x, x),
    "integers on the way": lambda x, y: turns(3, lambda a, k: (jnp.sin(a) * y, k + jnp.argmax(a)), x, jnp.argmax(x)),
    "indices": lambda x, y: lax.fori_loop(0, 3, lambda i, c: c.at[i].add(c[i - 1] ** 2 * y[i]), x),
    "matrices": lambda x, y: turns(3, lambda s: (jnp.tanh(jnp.outer(x, y) @ s),), y)[0],
    "a solver in the body": lambda x, y: turns(
        2, lambda s: (jnp.linalg.solve(jnp.diag(x * x + 3) + jnp.outer(s, y), s + x),), y
    )[0],
    "rules of users": lambda x, y: turns(3, lambda s: (jax.nn.relu(s) * y + jax.nn.softplus(s),), x)[0],
    "scan": stacked,
    "scan from the end": lambda x, y: stacked(x, y, reverse=True),
    "scan with turns written out": lambda x, y: stacked(x, y, unroll=2),
    "scan of slices": lambda x, y: lax.scan(lambda c, t: (jnp.sin(c) * t, c * t), x[0], jnp.tile(y, 3)),
    "scan of few slices": lambda x, y: lax.scan(
        lambda c, t: (jnp.sin(c) * t[0] + t, c * t), y[:2], jnp.stack([x, y])[:, :2]
    ),
    "scan of one turn": lambda x, y: lax.scan(lambda c, t: (jnp.sin(c) * t, c[1] * t), x, y[None]),
    "scan of no turn": lambda x, y: lax.scan(lambda c, t: (jnp.sin(c) * t, c[1] * t), x, y[:0]),
    "axes without elements": lambda x, y: turns(3, lambda a, b: (jnp.sin(a) * y, b), x, jnp.outer(x, y)[:, :0])[0],
    "axes of length one": lambda x, y: turns(3, lambda s: (jnp.sin(s) * y[:1],), x[:1])[0],
    "nested": nested,
    "nested scans": nested_scans,
    "points that stop at different times": batched,
    "branch": lambda x, y: lax.cond(x[0] > 0, lambda a, b: jnp.sin(a) * b, lambda a, b: a + b, x, y),
    "branch not taken": lambda x, y: lax.cond(x[0] < 0, lambda a, b: jnp.sin(a) * b, lambda a, b: a - b * b, x, y),
    "branches without partials": lambda x, y: lax.cond(x[0] > 0, lambda a: jnp.floor(a), lambda a: a, x) * y,
    "trees of branches": trees_of_branches,
    "switch": lambda x, y: lax.switch(jnp.argmax(x), [jnp.multiply, jnp.add, lambda a, b: a * a * b], x, y),
    "loop in a branch": lambda x, y: lax.cond(
        x[0] > 0, lambda a: turns(3, lambda s: (jnp.sin(s) * y,), a)[0], lambda a: a * y, x
    ),
    "branch in a loop": lambda x, y: turns(
        4, lambda s: (lax.cond(s[0] > 0, lambda a: jnp.sin(a) * y - 1, lambda a: a * a + x, s),), x
    )[0],
    "selection": lambda x, y: jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), y * x),
}
