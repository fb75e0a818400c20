"""Features of vertices that stay as they are during a game."""

from __future__ import annotations

import numpy as np

STATIC = 6
"""Their number: input, output, distances from inputs and to outputs, numbers of inputs above and of outputs below."""

SIZED = 3
"""Number of those that are all zero in graphs of scalars."""


def static_of_edges(
    sources: np.ndarray, targets: np.ndarray, is_input: np.ndarray, is_output: np.ndarray
) -> np.ndarray:
    """Features of the whole graph, float32 [N, STATIC].

    Args:
      sources: int [E]; every edge runs from a lower to a higher number.
      targets: int [E].
      is_input: bool [N].
      is_output: bool [N].
    """
    size = is_input.size
    inputs = {int(v): 1 << k for k, v in enumerate(np.flatnonzero(is_input))}
    outputs = {int(v): 1 << k for k, v in enumerate(np.flatnonzero(is_output))}
    above, below = [inputs.get(v, 0) for v in range(size)], [outputs.get(v, 0) for v in range(size)]
    down, up = [0] * size, [0] * size
    pairs = sorted(zip(targets.tolist(), sources.tolist(), strict=True))
    for target, source in pairs:
        above[target] |= above[source]
        down[target] = max(down[target], down[source] + 1)
    for source, target in sorted(((s, t) for t, s in pairs), reverse=True):
        below[source] |= below[target]
        up[source] = max(up[source], up[target] + 1)
    depth = np.array([down, up], np.float32)
    reach = np.log1p(np.array([[b.bit_count() for b in above], [b.bit_count() for b in below]], np.float32))
    longest = max(1.0, float(depth.max(initial=0.0)))
    return np.stack([is_input, is_output, *(depth / longest), *reach], -1).astype(np.float32)


def sized_of_edges(
    sources: np.ndarray, targets: np.ndarray, is_input: np.ndarray, is_output: np.ndarray, elements: np.ndarray
) -> np.ndarray:
    """What the sizes of values add, float32 [N, SIZED], all zero if every value is a scalar.

    Logarithms: elements of the value; elements of the inputs above it per input; of the outputs below it per output.

    Args:
      sources: int [E].
      targets: int [E].
      is_input: bool [N].
      is_output: bool [N].
      elements: [N] size of each value.
    """
    size = is_input.size
    reach = np.zeros((size, size), np.bool_)  # from row to column
    for target, source in sorted(zip(targets.tolist(), sources.tolist(), strict=True)):
        reach[:, target] |= reach[:, source]
        reach[source, target] = True
    np.fill_diagonal(reach, True)
    weights = elements.astype(np.float64)
    above, below = reach[is_input].T, reach[:, is_output]
    sums = [(above @ weights[is_input], above.sum(1)), (below @ weights[is_output], below.sum(1))]
    ratios = [np.log1p(total) - np.log1p(count) for total, count in sums]
    return 0.5 * np.stack([np.log(np.maximum(weights, 1.0)), *ratios], -1).astype(np.float32)
