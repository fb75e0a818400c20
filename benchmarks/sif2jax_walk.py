"""Compares Jacobians of all nonlinear equations of the CUTEst collection (sif2jax) with those of JAX, in float64.

One line a problem: name, inputs -> outputs, what was compared, error, seconds of JAX and of the method, verdict.
Results are appended to ``--output`` as JSON lines; problems that are in it already are skipped, so a walk can be
interrupted and continued. Each problem runs in a worker process that is replaced when it takes too long or dies.

    python -m benchmarks.sif2jax_walk --output walk.jsonl
    python -m benchmarks.sif2jax_walk --only HEART8 --only SPIN --method jacrev
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import multiprocessing.connection
import resource
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.rows import count, read, walk  # noqa: E402

TOLERANCE = 1e-10
"""Largest error accepted, relative to the largest entry of the same row."""
DENSE_ENTRIES = 30_000_000
"""Jacobians with more entries than this are compared by their products with vectors."""
JIT_EQUATIONS = 3_000
"""Residuals with more equations than this are run without jit: compiling them takes minutes."""
METHODS = ("elimax", "jacrev")


@dataclasses.dataclass(frozen=True)
class Row:
    """What is known of one problem after its comparison.

    Attributes:
      name: of the problem.
      inputs: number of unknowns.
      outputs: number of equations.
      equations: number of equations of the jaxpr of the residual.
      compared: ``"dense"`` or ``"products"``.
      error: largest difference, relative to the largest entry of the same row; NaN differences count as infinite.
      seconds_jax: time of JAX's answer, compilation included.
      seconds: time of the method's answer, planning and compilation included.
      verdict: ``"ok"``, ``"differs"``, ``"error"``, ``"timeout"`` or ``"died"``.
      note: the message of an error.
    """

    name: str
    inputs: int = 0
    outputs: int = 0
    equations: int = 0
    compared: str = ""
    error: float = float("nan")
    seconds_jax: float = float("nan")
    seconds: float = float("nan")
    verdict: str = ""
    note: str = ""

    def line(self) -> str:
        """The row as one line of text."""
        size = f"{self.inputs} -> {self.outputs}"
        times = f"{self.seconds_jax:8.2f}s {self.seconds:8.2f}s"
        return f"{self.name:<12} {size:>18} {self.compared:<9} {self.error:9.1e} {times}  {self.verdict} {self.note}"


def load_problems() -> dict[str, Any]:
    """All problems by name, in the order of the suite."""
    # This module builds its matrices element by element while it is imported, which takes a minute. It is a quadratic
    # program and no part of the nonlinear equations, so an empty class stands in for it.
    module = types.ModuleType("sif2jax.cutest._constrained_minimisation.cleuven7")
    vars(module)["CLEUVEN7"] = type("CLEUVEN7", (), {})
    sys.modules.setdefault(module.__name__, module)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        import sif2jax

        return {problem.name: problem for problem in sif2jax.nonlinear_equations_problems}


def num_equations(fun: Callable, *args: Any) -> int:
    """Number of top-level equations of the jaxpr."""
    return len(jax.make_jaxpr(fun)(*args).eqns)


def compare(problem: Any, method: str = "elimax", dense_entries: int = DENSE_ENTRIES) -> Row:
    """Compares one problem.

    Args:
      problem: of sif2jax, with ``constraint`` and ``y0``.
      method: what to compare with JAX, one of ``METHODS``.
      dense_entries: Jacobians with more entries are compared by products with random vectors.
    """
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        point = problem.y0
        sizes = [
            sum(leaf.size for leaf in jax.tree.leaves(tree))
            for tree in (point, jax.eval_shape(problem.constraint, point))
        ]
        equations = num_equations(problem.constraint, point)
        jit = jax.jit if equations <= JIT_EQUATIONS else lambda fun: fun
        dense = sizes[0] * sizes[1] <= dense_entries
        run = _compare_dense if dense else _compare_products
        error, seconds_jax, seconds = run(problem.constraint, point, method, jit)
    verdict = "ok" if error <= TOLERANCE else "differs"
    compared = "dense" if dense else "products"
    return Row(problem.name, *sizes, equations, compared, error, seconds_jax, seconds, verdict)


def _compare_dense(fun: Callable, point: Any, method: str, jit: Callable) -> tuple[float, float, float]:
    expected, seconds_jax = _timed(jit(jax.jacfwd(fun)), point)
    actual, seconds = _timed(jit(_transform(method)(fun)), point)
    if jax.tree.structure(expected) != jax.tree.structure(actual):
        return float("inf"), seconds_jax, seconds
    num_inputs = len(jax.tree.leaves(point))
    outputs = jax.tree.leaves(jax.eval_shape(fun, point))
    pairs = list(zip(jax.tree.leaves(expected), jax.tree.leaves(actual), strict=True))
    errors = []
    for number, output in enumerate(outputs):
        row = [
            (e.reshape(output.size, -1), a.reshape(output.size, -1))
            for e, a in pairs[number * num_inputs :][:num_inputs]
        ]
        errors.append(row_error(*(np.concatenate(side, axis=1) for side in zip(*row, strict=True))))
    return max(errors), seconds_jax, seconds


def _compare_products(fun: Callable, point: Any, method: str, jit: Callable) -> tuple[float, float, float]:
    """Compares ``J v`` and ``u J`` for random v and u; J has blocks of BCOO (elimax) or is JAX's transposed map."""
    rng = np.random.default_rng(0)
    tangents = [_random_like(rng, point) for _ in range(2)]
    adjoints = [_random_like(rng, jax.eval_shape(fun, point)) for _ in range(2)]

    def products_of_jax(point: Any) -> Any:
        pull = jax.vjp(fun, point)[1]
        return [jax.jvp(fun, (point,), (t,))[1] for t in tangents], [pull(a)[0] for a in adjoints]

    def products(point: Any) -> Any:
        if method == "jacrev":
            push = jax.linearize(fun, point)[1]
            pull = jax.linear_transpose(push, point)
            return [push(t) for t in tangents], [pull(a)[0] for a in adjoints]
        blocks = _sparse_rows(fun, point)
        return [_push(blocks, t, fun, point) for t in tangents], [_pull(blocks, a, point) for a in adjoints]

    expected, seconds_jax = _timed(jit(products_of_jax), point)
    actual, seconds = _timed(jit(products), point)
    errors = jax.tree.map(lambda e, a: row_error(np.ravel(e)[None], np.ravel(a)[None]), expected, actual)
    return max(jax.tree.leaves(errors)), seconds_jax, seconds


def _sparse_rows(fun: Callable, point: Any) -> list[list[Any]]:
    """Blocks of the Jacobian, one list for each leaf of the output, as sparse matrices [output size, input size]."""
    from jax.experimental import sparse

    import elimax

    tree = elimax.jacobian(fun, output="bcoo")(point)
    blocks = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, sparse.BCOO))
    inputs, outputs = jax.tree.leaves(point), jax.tree.leaves(jax.eval_shape(fun, point))
    rows = [blocks[number * len(inputs) :][: len(inputs)] for number in range(len(outputs))]
    return [
        [block.reshape(output.size, leaf.size) for block, leaf in zip(row, inputs, strict=True)]
        for row, output in zip(rows, outputs, strict=True)
    ]


def _push(rows: list[list[Any]], tangent: Any, fun: Callable, point: Any) -> Any:
    vectors = [jnp.ravel(leaf) for leaf in jax.tree.leaves(tangent)]
    shapes, tree = jax.tree.flatten(jax.eval_shape(fun, point))
    sums = [sum(block @ vector for block, vector in zip(row, vectors, strict=True)) for row in rows]
    return jax.tree.unflatten(tree, [jnp.reshape(s, shape.shape) for s, shape in zip(sums, shapes, strict=True)])


def _pull(rows: list[list[Any]], adjoint: Any, point: Any) -> Any:
    vectors = [jnp.ravel(leaf) for leaf in jax.tree.leaves(adjoint)]
    leaves, tree = jax.tree.flatten(point)
    sums = [sum(vector @ row[k] for row, vector in zip(rows, vectors, strict=True)) for k in range(len(leaves))]
    return jax.tree.unflatten(tree, [jnp.reshape(s, leaf.shape) for s, leaf in zip(sums, leaves, strict=True)])


def row_error(expected: np.ndarray, actual: np.ndarray) -> float:
    """Largest difference of two matrices [m, n], relative to the largest finite expected entry of the same row."""
    expected, actual = np.asarray(expected), np.asarray(actual)
    if not expected.size:
        return 0.0
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    scale = np.max(np.abs(np.where(np.isfinite(expected), expected, 0.0)), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(expected - actual)) / np.where(scale > 0.0, scale, 1.0)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))


def _transform(method: str) -> Callable:
    if method == "jacrev":
        return jax.jacrev
    import elimax

    return elimax.jacobian


def _random_like(rng: np.random.Generator, tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape), leaf.dtype), tree)


def _timed(fun: Callable, *args: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = jax.block_until_ready(fun(*args))
    return jax.tree.map(np.asarray, result), time.perf_counter() - start


# --- the walk ---------------------------------------------------------------------------------------------------------


def _work(connection: multiprocessing.connection.Connection, method: str, dense_entries: int, gigabytes: float) -> None:
    """Answers names of problems with rows until it is told None."""
    limit = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    problems = load_problems()
    connection.send(list(problems))
    while (name := connection.recv()) is not None:
        try:
            row = compare(problems[name], method, dense_entries)
        except Exception as error:  # a defect is a result here
            row = Row(name, verdict="error", note=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        connection.send(row)
        jax.clear_caches()


class Worker:
    """A process that compares problems; replaced when it is too slow or has died."""

    def __init__(self, *settings: Any):
        self.settings = settings
        self.names = self._start()

    def _start(self) -> list[str]:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, *self.settings), daemon=True)
        self.process.start()
        other.close()
        return self.connection.recv()

    def _replace(self) -> None:
        self.process.kill()
        self.process.join()
        self._start()

    def compare(self, name: str, seconds: float) -> Row:
        """The row of a problem; its verdict says when the process took longer or died."""
        self.connection.send(name)
        if not self.connection.poll(seconds):
            self._replace()
            return Row(name, verdict="timeout", note=f"more than {seconds:.0f} s")
        try:
            return self.connection.recv()
        except EOFError:
            self._replace()
            return Row(name, verdict="died", note="the process ended; out of memory?")

    def stop(self) -> None:
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(None)
        self.process.join(timeout=5)
        self.process.kill()


def main() -> None:
    """Runs the walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="file of JSON lines; problems in it are skipped")
    parser.add_argument("--method", choices=METHODS, default="elimax", help="what to compare with jax.jacfwd")
    parser.add_argument("--limit", type=int, help="stop after this many problems")
    parser.add_argument("--only", action="append", default=[], help="name of a problem; may be repeated")
    parser.add_argument("--retry", action="store_true", help="run again what was not ok in the file")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for each problem")
    parser.add_argument("--dense-entries", type=int, default=DENSE_ENTRIES, help="larger Jacobians: by products")
    parser.add_argument("--json", type=Path, help="file for all rows as one JSON list")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="memory of the worker")
    options = parser.parse_args()

    rows = read(options.output, Row)
    done = {name for name, row in rows.items() if row.verdict == "ok" or not options.retry}
    worker = Worker(options.method, options.dense_entries, options.gigabytes)
    unknown = sorted(set(options.only) - set(worker.names))
    if unknown:
        parser.error(f"no such problem: {', '.join(unknown)}; the suite has: {', '.join(worker.names)}")
    names = [name for name in options.only or worker.names if name not in done]
    for row in walk(names[: options.limit], lambda name: worker.compare(name, options.timeout), options.output):
        rows[row.name] = row
        print(row.line(), flush=True)
    worker.stop()
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows.values()], indent=1) + "\n")
    print(count([row.verdict for row in rows.values()]))


if __name__ == "__main__":
    main()
