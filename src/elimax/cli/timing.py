"""Fair comparison of run times: interleaved, many short runs, medians and paired ratios.

On a shared machine a single time says little. Variants take turns in one process, in an order that changes from round
to round, so that slow phases of the machine hit all of them alike.
"""

from __future__ import annotations

import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

_SAMPLE_SECONDS = 2e-4
_MIN_ROUNDS, _MAX_ROUNDS = 5, 400


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Times of variants that took turns.

    Attributes:
      samples: for each variant its seconds per call, one for each round; round i of every variant ran side by side.
    """

    samples: Mapping[str, tuple[float, ...]]

    @property
    def rounds(self) -> int:
        """Number of rounds."""
        return min((len(times) for times in self.samples.values()), default=0)

    def median(self, variant: str) -> float:
        """Median seconds of one call."""
        return statistics.median(self.samples[variant])

    def ratio(self, variant: str, reference: str) -> float:
        """Median over rounds of time(variant) / time(reference); below 1 the variant is faster."""
        pairs = zip(self.samples[variant], self.samples[reference], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def compare(
    variants: Mapping[str, Callable[[], Any]],
    seconds: float = 1.0,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time variants in turns.

    Every variant is called once beforehand, so that compilation is not timed. A sample of a very short call is the mean
    of enough calls to be measurable; the number is the same for all variants.

    Args:
      variants: functions without arguments that return arrays; they are waited for.
      seconds: time to spend, warm-up excluded; at least five rounds are run in any case.
      seed: of the order in which variants take turns.
      clock: what tells the time of a call; `time.process_time` leaves out what other processes took of the core.

    Returns:
      The samples.
    """
    shuffle = random.Random(seed).shuffle
    for variant in variants.values():
        _run(variant, 1, clock)
    fastest = min((_run(variant, 1, clock) for variant in variants.values()), default=1.0)
    calls = max(1, min(1000, round(_SAMPLE_SECONDS / max(fastest, 1e-7))))
    samples: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    end = time.perf_counter() + seconds
    for done in range(_MAX_ROUNDS):
        if done >= _MIN_ROUNDS and time.perf_counter() >= end:
            break
        shuffle(names)
        for name in names:
            samples[name].append(_run(variants[name], calls, clock))
    return Comparison({name: tuple(times) for name, times in samples.items()})


def _run(variant: Callable[[], Any], calls: int, clock: Callable[[], float]) -> float:
    """Seconds per call; every result is waited for, so that calls do not overlap."""
    import jax

    start = clock()
    for _ in range(calls):
        jax.block_until_ready(variant())
    return (clock() - start) / calls
