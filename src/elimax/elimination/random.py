"""Random numbers inside compiled code, with a state that the caller owns: xorshift64* (Vigna 2016)."""

from __future__ import annotations

import numpy as np

from elimax.elimination.kernel import inner


def new_state(seed: int) -> np.ndarray:
    """State uint64 [1] of a generator, by splitmix64 so that close seeds give unrelated streams."""
    mask = (1 << 64) - 1
    x = (seed + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return np.array([(x ^ (x >> 31)) or 1], np.uint64)


@inner
def draw(state):
    """A random uint64."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(2685821657736338717)


@inner
def below(state, limit):
    """A random integer from 0 to ``limit - 1``."""
    return np.int64((draw(state) >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32))


@inner
def uniform(state):
    """A random number in (0, 1)."""
    return (np.int64(draw(state) >> np.uint64(12)) + 0.5) * (1.0 / 4503599627370496.0)
