"""Walks the CUTEst collection (sif2jax): sparse Jacobians of constraints and residuals, sparse Hessians of objectives.

Each problem runs in a process of its own that is ended when it takes more than ``--seconds`` of processor time
(tracing, planning, compiling and one run together) or more than ``--gigabytes`` of memory. What came out is compared
with JAX: small matrices entry by entry, large ones by their products with random vectors. One JSON line a problem is
appended to ``--output``; problems that are in it already are skipped, so a walk can be interrupted and continued.

    python -m benchmarks.sif2jax_sparse --output sparse.jsonl                   # all constraints and residuals
    python -m benchmarks.sif2jax_sparse --output sparse.jsonl --larger 2000     # those with more than 2000 unknowns
    python -m benchmarks.sif2jax_sparse --output hessians.jsonl --hessians 100  # the Hessians of 100 objectives
    python -m benchmarks.sif2jax_sparse --write sparse.jsonl hessians.jsonl     # the table of docs/sparse.md from both

Processor time and not the clock is limited, because the clock of a busy machine says little; give the walk one core
(``taskset -c 0``) and the two are the same on an idle one.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.util
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import documents  # noqa: E402
from benchmarks.rows import count, read, walk  # noqa: E402

TOLERANCE = 1e-9
"""Largest error accepted, relative to the entries of the same row."""
DENSE_ENTRIES = 2_000_000
"""Matrices with more entries than this are compared by their products with vectors."""
JIT_EQUATIONS = 3_000
"""Functions with more equations than this are run without jit: compiling them takes minutes, in every mode."""
REPEATS = 5
LARGE = 2000
"""Problems with more unknowns than this have a line of their own in the table."""
LONGEST = 3
"""How many of those that took longest are named."""


@dataclasses.dataclass
class Row:
    """What is known of one problem.

    Attributes:
      name: of the problem.
      kind: ``"jacobian"`` or ``"hessian"``.
      inputs: number of unknowns.
      outputs: number of constraints or residuals; 1 for an objective.
      equations: number of equations of the jaxpr of the function.
      nnz: number of stored entries.
      jitted: whether the result was compiled as a whole.
      planning: processor seconds of tracing and planning; all together where nothing was compiled as a whole.
      compiling: processor seconds of compiling.
      running: median processor seconds of a run.
      total: processor seconds from the start to the first result.
      wall: the same by the clock.
      base_megabytes: memory before, with JAX and the problem loaded.
      peak_megabytes: largest memory until the result was there.
      jax: processor seconds of JAX's answer that was compared with.
      compared: ``"dense"``, ``"products"`` or ``""``.
      error: largest difference; see ``entry_error`` and ``product_error``.
      canonical: whether the entries are sorted and unique.
      verdict: ``"ok"``, ``"differs"``, ``"time"``, ``"memory"``, ``"error"``, ``"died"``, or ``"unchecked"``
        when JAX was not able to give its answer.
      note: in which stage it ended, or the message of an error.
    """

    name: str
    kind: str = "jacobian"
    inputs: int = 0
    outputs: int = 0
    equations: int = 0
    nnz: int = 0
    jitted: bool = True
    planning: float = math.nan
    compiling: float = math.nan
    running: float = math.nan
    total: float = math.nan
    wall: float = math.nan
    base_megabytes: float = math.nan
    peak_megabytes: float = math.nan
    jax: float = math.nan
    compared: str = ""
    error: float = math.nan
    canonical: bool = True
    verdict: str = ""
    note: str = ""

    def line(self) -> str:
        """The row as one line of text."""
        size = f"{self.inputs} -> {self.outputs}"
        times = f"{self.planning:6.1f} + {self.compiling:5.1f} + {self.running:7.4f} s"
        memory = f"{self.peak_megabytes:6.0f} MB"
        return f"{self.name:<12} {size:>16} {self.nnz:>9} {times} {memory} {self.error:8.1e} {self.verdict} {self.note}"


# --- the process of one problem ---------------------------------------------------------------------------------------


def measure(problem: Any, kind: str, tell: Callable[[Row, str], None]) -> Row:
    """The row of one problem; ``tell`` is called with what is known so far and the name of each stage that begins."""
    import jax

    import elimax

    row = Row(problem.name, kind)
    fun = problem.constraint if kind == "jacobian" else lambda y: problem.objective(y, problem.args)
    point = problem.y0
    closed = jax.make_jaxpr(fun)(point)
    row.equations, row.jitted = len(closed.eqns), len(closed.eqns) <= JIT_EQUATIONS
    row.inputs = sum(leaf.size for leaf in jax.tree.leaves(point))
    row.outputs = sum(aval.size for aval in closed.out_avals)
    row.base_megabytes = peak_megabytes()
    method = (elimax.jacobian if kind == "jacobian" else elimax.hessian)(fun, output="bcoo")

    tell(row, "planning")
    start = [time.process_time(), time.perf_counter()]
    if row.jitted:
        lowered = jax.jit(method).lower(point)
        row.planning = time.process_time() - start[0]
        tell(row, "compiling")
        begin = time.process_time()
        run = lowered.compile()
        row.compiling = time.process_time() - begin
        tell(row, "running")
        result = jax.block_until_ready(run(point))
    else:
        run, result = method, jax.block_until_ready(method(point))
        row.planning = time.process_time() - start[0]
    row.total, row.wall = time.process_time() - start[0], time.perf_counter() - start[1]
    row.peak_megabytes = peak_megabytes()
    matrix, row.canonical = scipy_matrix(result, point)
    row.nnz = matrix.nnz
    tell(row, "checking")
    row.running = median_seconds(run, point) if row.jitted else row.total
    return check(row, fun, point, matrix)


def peak_megabytes() -> float:
    """Largest memory of this process so far."""
    # getrusage would say what the parent held when it was copied.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def median_seconds(run: Callable, point: Any) -> float:
    """Median processor seconds of a few runs."""
    import jax

    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        jax.block_until_ready(run(point))
        seconds.append(time.process_time() - start)
    return sorted(seconds)[len(seconds) // 2]


def scipy_matrix(tree: Any, point: Any) -> tuple[Any, bool]:
    """All blocks of a tree as one CSR matrix [outputs, inputs], and whether entries are sorted and unique."""
    import jax
    import numpy as np
    import scipy.sparse
    from jax.experimental import sparse

    blocks = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, sparse.BCOO))
    leaves = jax.tree.leaves(point)
    rows: list[list[Any]] = [[] for _ in range(len(blocks) // len(leaves))]
    canonical = True
    for number, block in enumerate(blocks):
        leaf = leaves[number % len(leaves)]
        indices = np.asarray(block.indices, np.int64)
        num_axes = len(block.shape) - leaf.ndim
        shape = math.prod(block.shape[:num_axes]), leaf.size
        flat = np.ravel_multi_index(tuple(indices.T), block.shape) if block.shape else np.zeros(len(indices), np.int64)
        canonical &= bool(np.all(np.diff(flat) > 0))
        row, column = np.divmod(flat, max(leaf.size, 1))
        rows[number // len(leaves)].append(scipy.sparse.coo_matrix((np.asarray(block.data), (row, column)), shape))
    if not rows:
        return scipy.sparse.csr_matrix((0, sum(leaf.size for leaf in leaves))), canonical
    return scipy.sparse.bmat(rows, format="csr"), canonical


def check(row: Row, fun: Callable, point: Any, matrix: Any) -> Row:
    """Compares the matrix with JAX."""
    import jax
    import numpy as np

    jit = jax.jit if row.jitted else lambda fun: fun
    leaves, tree = jax.tree.flatten(point)

    def flat(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(fun(jax.tree.unflatten(tree, leaves)))

    if row.kind == "hessian":
        gradient = jax.grad(fun)

        def flat(*leaves: Any) -> list[Any]:
            return jax.tree.leaves(gradient(jax.tree.unflatten(tree, leaves)))

    num_rows, num_columns = matrix.shape
    start = time.process_time()
    if num_rows * num_columns <= DENSE_ENTRIES:
        row.compared = "dense"
        mode = jax.jacfwd if num_columns <= 2 * num_rows else jax.jacrev
        if not num_rows:
            row.error, row.verdict, row.note = 0.0, "ok", "no outputs"
            return row
        blocks = jit(mode(flat, argnums=tuple(range(len(leaves)))))(*leaves)
        expected = np.block(
            [[np.asarray(b).reshape(-1, leaf.size) for b, leaf in zip(line, leaves, strict=True)] for line in blocks]
        )
        row.jax = time.process_time() - start
        actual = matrix.toarray()
        if np.isnan(expected).any():  # JAX's modes may disagree on which entries are undefined: 0 times infinity
            other = jit((jax.jacrev if mode is jax.jacfwd else jax.jacfwd)(flat, argnums=tuple(range(len(leaves)))))
            second = np.block(
                [
                    [np.asarray(b).reshape(-1, x.size) for b, x in zip(line, leaves, strict=True)]
                    for line in other(*leaves)
                ]
            )
            undefined = np.isnan(expected) | np.isnan(second)
            expected, row.note = np.where(undefined, actual, expected), f"{undefined.sum()} entries are NaN in JAX"
        row.error = entry_error(expected, actual)
    else:
        row.compared = "products"
        rng = np.random.default_rng(0)
        errors = []
        products = jit(lambda *tangents: jax.jvp(flat, tuple(leaves), tangents)[1])
        for _ in range(2):
            tangents = [rng.standard_normal(leaf.shape) for leaf in leaves]
            expected = products(*tangents)
            vector = np.concatenate([np.ravel(t) for t in tangents])
            errors.append(product_error(np.concatenate([np.ravel(e) for e in expected]), matrix, vector))
        row.jax = time.process_time() - start
        row.error = max(errors)
    row.verdict = "ok" if row.error <= TOLERANCE and row.canonical else "differs"
    return row


def entry_error(expected: Any, actual: Any) -> float:
    """Largest difference of two matrices, relative to the largest finite expected entry of the same row."""
    import numpy as np

    if not expected.size:
        return 0.0
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    scale = np.max(np.abs(np.where(np.isfinite(expected), expected, 0.0)), axis=1, keepdims=True)
    return _largest(same, expected, actual, scale)


def product_error(expected: Any, matrix: Any, vector: Any) -> float:
    """Largest difference of ``matrix @ vector`` from what is expected, relative to ``|matrix| @ |vector|``."""
    import numpy as np

    actual, scale = matrix @ vector, abs(matrix) @ np.abs(vector)
    same = (expected == actual) | (~np.isfinite(expected) & ~np.isfinite(actual))
    return _largest(same, expected, actual, scale)


def _largest(same: Any, expected: Any, actual: Any, scale: Any) -> float:
    import numpy as np

    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(expected - actual)) / np.where(scale > 0.0, scale, 1.0)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))


def load_one(path: Path) -> Any:
    """The pickled problem, without running the packages around its module: they load hundreds of others."""
    spec = importlib.util.find_spec("sif2jax")
    folder = Path(next(iter(spec.submodule_search_locations)))
    packages = [init.parent for init in folder.rglob("__init__.py") if init.parent.name != "data"]  # no problems in it
    for package in packages:
        name = ".".join(("sif2jax", *package.relative_to(folder).parts))
        module = types.ModuleType(name)
        module.__path__ = [str(package)]
        sys.modules.setdefault(name, module)
    offered = importlib.import_module("sif2jax._problem")  # what the package offers to its modules
    vars(sys.modules["sif2jax"])["__getattr__"] = lambda name: getattr(offered, name)
    return pickle.loads(path.read_bytes())


def answer(path: Path, kind: str) -> None:
    """Prints a JSON line at the beginning of every stage, and the row at the end."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_dtype_promotion", "standard")

    def tell(row: Row, stage: str) -> None:
        print(json.dumps({"stage": stage, "cpu": time.process_time(), "row": dataclasses.asdict(row)}), flush=True)

    problem = load_one(path)
    row = Row(problem.name, kind)
    try:
        row = measure(problem, kind, tell)
    except Exception as error:  # a defect is a result here
        row.verdict, row.note = "error", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    tell(row, "end")


# --- the walk ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the process of one problem may use: processor seconds of the method and of JAX, and memory."""

    seconds: float
    gigabytes: float
    seconds_jax: float


def run_one(name: str, path: Path, kind: str, limits: Limits) -> Row:
    """The row of a problem, from a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--answer", str(path), "--kind", kind]
    with tempfile.TemporaryDirectory(prefix="elimax-walk-") as cache, tempfile.TemporaryFile("w+") as out:
        environment = {
            **os.environ,
            "ELIMAX_CACHE_DIR": cache,
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        }
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
        verdict = ""
        while process.poll() is None and not verdict:
            time.sleep(0.1)
            verdict = _over(process.pid, _stages(out), limits)
        if verdict:
            process.kill()
        process.wait()
        return _verdict(name, kind, _stages(out), verdict)


def _stages(out: Any) -> list[dict[str, Any]]:
    out.seek(0)
    return [json.loads(line) for line in out.read().splitlines() if line.startswith("{") and line.endswith("}")]


def _over(pid: int, stages: list[dict[str, Any]], limits: Limits) -> str:
    """Which limit the process is over, or ``""``."""
    if not stages:
        return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # it has just ended
        return ""
    ticks = os.sysconf("SC_CLK_TCK")
    begin = stages[-1 if stages[-1]["stage"] == "checking" else 0]["cpu"]
    checking = stages[-1]["stage"] in ("checking", "end")
    if (int(fields[11]) + int(fields[12])) / ticks - begin > (limits.seconds_jax if checking else limits.seconds):
        return "unchecked" if checking else "time"
    if int(peak.split()[1]) / 2**20 > (2.0 if checking else 1.0) * limits.gigabytes:
        return "unchecked" if checking else "memory"
    return ""


def _verdict(name: str, kind: str, stages: list[dict[str, Any]], over: str) -> Row:
    if not stages:
        return Row(name, kind, verdict="died", note="while loading")
    row = Row(**stages[-1]["row"])
    if stages[-1]["stage"] != "end":
        row.verdict = over or "died"
        row.note = f"while {stages[-1]['stage']}"
    return row


def load_problems() -> dict[str, Any]:
    """All problems by name, in the order of the suite."""
    # This module builds its matrices element by element while it is imported, which takes a minute: it is left out.
    module = types.ModuleType("sif2jax.cutest._constrained_minimisation.cleuven7")
    vars(module)["CLEUVEN7"] = type("CLEUVEN7", (), {})
    sys.modules.setdefault(module.__name__, module)
    import jax

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        import sif2jax

        return {problem.name: problem for problem in sif2jax.problems if hasattr(problem, "y0")}


def choose(problems: dict[str, Any], hessians: int, larger: int) -> dict[str, Any]:
    """The problems of a walk: all with constraints, or the given number of objectives, evenly picked."""
    import jax

    if hessians:
        found = [p for p in problems.values() if not hasattr(p, "constraint")]
        found = [found[k * len(found) // hessians] for k in range(min(hessians, len(found)))]
    else:
        found = [p for p in problems.values() if hasattr(p, "constraint")]
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        sizes = {p.name: sum(leaf.size for leaf in jax.tree.leaves(p.y0)) for p in found}
    return {p.name: p for p in found if sizes[p.name] > larger}


def summary(jacobians: list[Row], hessians: list[Row]) -> str:
    """Markdown: how many matrices are as JAX's within the limits, which are not and why, and which took longest."""
    lines = ["| matrices | walked | as JAX, in limits | not |", "|---|---:|---:|---|"]
    for name, rows in (
        (f"Jacobians, more than {LARGE:,} unknowns", [row for row in jacobians if row.inputs > LARGE]),
        ("Jacobians, all", jacobians),
        ("Hessians of objectives", hessians),
    ):
        good = [row for row in rows if row.verdict == "ok"]
        bad = [f"{row.name} ({row.equations:,} equations: {_reason(row)})" for row in rows if row.verdict != "ok"]
        lines.append(f"| {name} | {len(rows)} | {len(good)} | {', '.join(bad) or 'none'} |")
    words = []
    for name, rows in (("Jacobians", jacobians), ("Hessians", hessians)):
        good = sorted((row for row in rows if row.verdict == "ok"), key=lambda row: -row.total)
        if not good:
            continue
        longest = ", ".join(f"{r.name} {r.total:.1f} s ({r.equations:,} equations)" for r in good[:LONGEST])
        words.append(
            f"{name}: largest error {max(row.error for row in good):.0e}, relative to the entries of the same row; "
            f"largest peak {max(row.peak_megabytes for row in good) / 1024:.1f} GB; longest: {longest}."
        )
    undefined = [f"{row.name}: {row.note}" for row in (*jacobians, *hessians) if "NaN" in row.note]
    if undefined:
        words.append(f"Not compared where JAX's modes give no number: {'; '.join(undefined)}.")
    return "\n".join([*lines, "", *words])


def _reason(row: Row) -> str:
    """Why a row is not ok, in words."""
    reasons = {"time": "too long,", "memory": "too much memory,", "differs": f"differs by {row.error:.0e}"}
    return f"{reasons.get(row.verdict, row.verdict)} {row.note}".strip()


def main() -> None:
    """Runs the walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="file of JSON lines; problems in it are skipped")
    parser.add_argument("--hessians", type=int, default=0, metavar="N", help="Hessians of N objectives instead")
    parser.add_argument("--larger", type=int, default=0, metavar="N", help="problems with more than N unknowns alone")
    parser.add_argument("--limit", type=int, help="stop after this many problems")
    parser.add_argument("--only", action="append", default=[], help="name of a problem; may be repeated")
    parser.add_argument("--retry", action="store_true", help="run again what was not ok in the file")
    parser.add_argument("--seconds", type=float, default=30.0, help="processor time of one problem")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="memory of one problem")
    parser.add_argument("--seconds-jax", type=float, default=60.0, help="processor time of JAX's answer")
    parser.add_argument(
        "--write", type=Path, nargs=2, metavar="FILE", help="rows of Jacobians and of Hessians, into docs/sparse.md"
    )
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="jacobian", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        return answer(options.answer, options.kind)
    if options.write:
        words = summary(*(list(read(path, Row).values()) for path in options.write))
        print(words)
        limits = f"Limits: {options.seconds:g} s of processor time and {options.gigabytes:g} GB for each; float64."
        return documents.write(documents.DOCS / "sparse.md", {"cutest": words}, limits)

    rows = read(options.output, Row)
    problems = choose(load_problems(), options.hessians, options.larger)
    unknown = sorted(set(options.only) - set(problems))
    if unknown:
        parser.error(f"no such problem in this walk: {', '.join(unknown)}")
    done = {name for name, row in rows.items() if row.verdict == "ok" or not options.retry}
    names = [name for name in options.only or problems if name not in done][: options.limit]
    limits = Limits(options.seconds, options.gigabytes, options.seconds_jax)
    kind = "hessian" if options.hessians else "jacobian"
    print(f"{len(problems)} problems, {len(names)} to do", flush=True)
    with tempfile.TemporaryDirectory(prefix="elimax-walk-") as folder:

        def row_of(name: str) -> Row:
            path = Path(folder) / "problem.pickle"
            path.write_bytes(pickle.dumps(problems[name]))
            return run_one(name, path, kind, limits)

        for row in walk(names, row_of, options.output):
            rows[row.name] = row
            print(row.line(), flush=True)
    print(count([row.verdict for row in rows.values()]))
    return None


if __name__ == "__main__":
    main()
