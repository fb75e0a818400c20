"""Random programs that a seed determines, over scalars alone or over scalars, vectors and matrices."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from elimax.zoo.problem import Problem, float_dtype
from elimax.zoo.random_operations import MATRIX, OPERATIONS, SCALAR, SCALAR_OPERATIONS, VECTOR


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation of a program: its name, the values it takes, and its static index."""

    operation: str
    operands: tuple[int, ...]
    index: int


@dataclasses.dataclass(frozen=True)
class Program:
    """A straight-line program; value i is input i, or the result of step i - num_inputs.

    Attributes:
      num_inputs: number of arguments.
      steps: the operations, in order.
      outputs: the values that are returned.
    """

    num_inputs: int
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def __call__(self, *args: jax.Array) -> tuple[jax.Array, ...]:
        """Runs the program."""
        values = [jnp.asarray(arg) for arg in args]
        for step in self.steps:
            operands = [values[operand] for operand in step.operands]
            values.append(OPERATIONS[step.operation].apply(step.index, *operands))
        return tuple(values[output] for output in self.outputs)


def draw_program(seed: int, size: int, ranks: tuple[int, ...], width: int, num_outputs: int) -> Program:
    """Draws a program.

    Args:
      seed: determines the program, with the other arguments.
      size: number of operations.
      ranks: rank of each input.
      width: N, the length of vectors.
      num_outputs: how many values are returned; the last one always is.
    """
    rng = np.random.default_rng((seed, size, width, *ranks))
    table = OPERATIONS if any(rank != SCALAR for rank in ranks) else SCALAR_OPERATIONS
    names = sorted(table)
    of_rank: dict[int, list[int]] = {rank: [] for rank in (SCALAR, VECTOR, MATRIX)}
    for value, rank in enumerate(ranks):
        of_rank[rank].append(value)
    unused = set(range(len(ranks)))
    steps: list[Step] = []
    while len(steps) < size:
        name = names[rng.integers(len(names))]
        operation = table[name]
        if not all(of_rank[rank] for rank in operation.operands):
            continue
        operands = tuple(_draw_operand(rng, of_rank[rank], unused) for rank in operation.operands)
        unused.difference_update(operands)
        unused.add(len(ranks) + len(steps))
        of_rank[operation.result].append(len(ranks) + len(steps))
        steps.append(Step(name, operands, int(rng.integers(width))))
    last = len(ranks) + size - 1
    others = rng.integers(last, size=num_outputs - 1) if last else np.zeros(num_outputs - 1, int)
    return Program(len(ranks), tuple(steps), (*(int(value) for value in others), last))


def _draw_operand(rng: np.random.Generator, candidates: list[int], unused: set[int]) -> int:
    """Often a value that nothing uses yet, which leaves little dead code; else any value."""
    waiting = [value for value in candidates[-16:] if value in unused]
    pool = waiting if waiting and rng.random() < 0.6 else candidates
    return pool[rng.integers(len(pool))]


def build(
    *,
    seed: int = 0,
    size: int = 30,
    arrays: bool = True,
    width: int = 3,
    num_outputs: int = 3,
    dtype: npt.DTypeLike | None = None,
) -> Problem:
    """The problem ``random_program``.

    Args:
      seed: determines the program and its arguments.
      size: number of operations.
      arrays: two scalars, two vectors and a matrix as inputs; else five scalars.
      width: length of the vectors.
      num_outputs: number of results; they may repeat, and may be inputs.
      dtype: of the example arguments; JAX's default floating dtype when None.
    """
    ranks = (SCALAR, SCALAR, VECTOR, VECTOR, MATRIX) if arrays else (SCALAR,) * 5
    program = draw_program(seed, size, ranks, width, num_outputs)
    rng = np.random.default_rng((seed, 1))
    args = tuple(np.asarray(rng.standard_normal((width,) * rank), float_dtype(dtype)) for rank in ranks)
    return Problem(
        name="random_program",
        fun=program,
        args=args,
        argnums=tuple(range(len(args))),
        reference="made here; the idea of random programs as benchmarks: J. Lohoff and E. Neftci, arXiv 2406.05027",
        description=f"5 inputs through {size} random operations to {num_outputs} results",
    )
