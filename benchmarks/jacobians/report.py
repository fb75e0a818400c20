"""Tables of the benchmark, for the terminal and for docs/jacobians.md."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import documents
from benchmarks.jacobians import networks
from benchmarks.jacobians.loops import FUSED, TOGETHER
from benchmarks.jacobians.rows import BOUND, MODES, OURS, Row, machine, mean

from elimax.viz.tables import seconds, table, to_markdown, to_text

PARITY, NOISE = 1.0, 0.98
"""A case below the first is listed, one below the second is a loss: differences of 2 % are noise."""


def names() -> tuple[str, ...]:
    """Names of cases that are not in the zoo."""
    return (*networks.NETWORKS, *networks.LARGE)


def best_layout(row: Row) -> float:
    """Gain of the best layout of elimax over the best of JAX's modes and layouts."""
    ours = min(t for name, t in row.seconds.items() if name.startswith(OURS))
    theirs = [t for name, t in row.seconds.items() if name.startswith(MODES)]
    return min(theirs, default=math.nan) / ours


def over_c(row: Row) -> float:
    """Time of the best layout of elimax over that of C; below 1, elimax is faster."""
    ours = min(t for name, t in row.seconds.items() if name.startswith((OURS, TOGETHER, FUSED)))
    return ours / row.seconds["C"]


def best_bound(row: Row) -> float:
    """What `best_layout` would be for a program that does only what it must."""
    return min((t for name, t in row.seconds.items() if name.startswith(MODES)), default=math.nan) / row.seconds[BOUND]


def of(row: Row, variant: str, over: float | None = None) -> float:
    """Gain of a variant of ours over the better of JAX's modes, or over a gain given; NaN where not measured."""
    return (row.better if over is None else over) / row.gain.get(variant, math.nan)


def tables(rows: list[Row]) -> dict[str, tuple]:
    """All tables by name."""
    made = {
        "aims": _aims(rows),
        "losses": _losses(rows),
        "vector": _scalar([row for row in rows if row.part == "vector"], "Tasks of one vector"),
        "scalar": _scalar([row for row in rows if row.part == "scalar"], "Tasks of several numbers"),
        "loops": _loops([row for row in rows if row.part in ("newton", "runge")]),
        "networks": _gains([row for row in rows if row.part == "network"], "Jacobians of networks, each example"),
        "planning": _planning([row for row in rows if row.part == "planning"]),
        "compile": _compile([row for row in rows if row.part == "compile"]),
    }
    return {name: content for name, content in made.items() if content[1]}


def text(rows: list[Row]) -> str:
    """The tables for a terminal."""
    return "\n\n".join(to_text(table(*content[:2], title=content[2])) for content in tables(rows).values())


def write(folder: Path, rows: list[Row]) -> None:
    """Fill the tables of docs/jacobians.md and draw the picture beside it."""
    from benchmarks.jacobians.picture import draw

    what = machine()
    words = f"{what['architecture']}, {what['cores']} core(s), {what['backend']}, JAX {what['jax']}"
    sections = {name: to_markdown(table(*content[:2])) for name, content in tables(rows).items()}
    if "losses" not in sections:
        sections["losses"] = "None."
    documents.write(folder / "jacobians.md", sections, f"{words}.")
    draw(rows, folder / "jacobians.svg")


def _aims(rows: list[Row]) -> tuple:
    cells = []

    def aim(
        words: str,
        part: str,
        value: Callable[[Row], float],
        wanted: float,
        keep: Callable[[Row], bool],
        above: bool = True,
        over: Callable[[Iterable[float]], float] = mean,
        bound: Callable[[Row], float] | None = None,
    ) -> None:
        own = [row for row in rows if row.part == part and keep(row)]
        values = [x for x in map(value, own) if not math.isnan(x)]
        if values:
            found = over(values)
            met = found >= wanted if above else found <= wanted
            sign = ">=" if above else "<="
            reach = f"{over(map(bound, own)):.2f}" if bound and all(BOUND in row.seconds for row in own) else "-"
            cells.append((words, len(values), f"{found:.2f}", reach, f"{sign} {wanted:g}", "yes" if met else "no"))

    reachable = functools.partial(of, variant=BOUND)

    for part, result in (("vector", "(B, n) to (B, m, n)"), ("scalar", "an array for each entry")):
        for batch, dtype, wanted in (
            (100_000, "float32", 10),
            (100_000, "float64", 5),
            (1000, None, 3),
            (16, None, 1),
            (1, None, 1),
        ):
            aim(
                f"{result}, batch {batch:,}{f', {dtype}' if dtype else ''}: over the better mode, as users write it",
                part,
                lambda r: r.better,
                wanted,
                lambda r, b=batch, d=dtype: r.batch == b and d in (None, r.dtype),
                bound=reachable,
            )
        aim(
            f"{result}, batch 100,000: over the best layout of either mode",
            part,
            best_layout,
            3,
            lambda r: r.batch == 100_000 and any("last" in name for name in r.seconds),
            bound=best_bound,
        )
        aim(f"{result}, any task: the least gain", part, lambda r: r.better, NOISE, lambda r: True, over=min)
        at_limit = {"keep": lambda r: r.batch == 100_000 and "C" in r.seconds, "above": False}
        aim(f"{result}, batch 100,000: time over C, worst", part, over_c, 1.5, over=max, **at_limit)
        aim(f"{result}, batch 100,000: time over C, mean", part, over_c, 1.5, **at_limit)
    for batch in (1, 8, 64):
        aim(
            f"Newton-like step in a loop, batch {batch}",
            "newton",
            lambda r: r.better,
            3,
            lambda r, b=batch: r.batch == b,
            bound=reachable,
        )
        for variant in (TOGETHER, FUSED):
            aim(
                f"the same with `elimax.{variant}`, batch {batch}",
                "newton",
                functools.partial(of, variant=variant),
                3,
                lambda r, b=batch: r.batch == b,
            )
    aim(
        "Runge-Kutta in a loop, over jacfwd",
        "runge",
        lambda r: r.gain["jacfwd"],
        2,
        lambda r: True,
        bound=lambda r: of(r, BOUND, r.gain["jacfwd"]),
    )
    for variant in (TOGETHER, FUSED):
        gain = functools.partial(lambda r, v: of(r, v, r.gain["jacfwd"]), v=variant)
        aim(f"the same with `elimax.{variant}`", "runge", gain, 2, lambda r: True)
    aim("networks, each example: the least gain", "network", lambda r: r.better, NOISE, lambda r: True, over=min)
    aim("planning a large network, seconds", "planning", lambda r: r.seconds[OURS], 1, lambda r: True, False, max)
    fastest = {(r.problem, r.dtype): min(r.gain, key=r.seconds.__getitem__) for r in rows if r.part == "compile"}
    aim(
        "compile time over that of the mode that compiles faster",
        "compile",
        lambda r: 1 / r.gain[fastest[r.problem, r.dtype]],
        1.2,
        lambda r: True,
        False,
    )
    aim(
        "planning, as a share of compile time",
        "compile",
        lambda r: r.seconds["plan"] / r.seconds[OURS],
        0.2,
        lambda r: True,
        False,
    )
    title = "Against the aims; geometric means where not said otherwise"
    return ("<what", "cases", "found", "bound", "aim", "<met"), cells, title


def _losses(rows: list[Row]) -> tuple:
    below = sorted((r for r in rows if r.part != "compile" and r.better < PARITY), key=lambda r: r.better)
    cells = [
        (r.part, r.problem, r.dtype, r.batch, f"{r.better:.2f}", "noise" if r.better >= NOISE else "loss")
        for r in below
    ]
    return ("<part", "<problem", "<dtype", "batch", "gain", "<"), cells, "Where JAX is as fast or faster"


def _scalar(rows: list[Row], title: str) -> tuple:
    columns = (
        "<problem",
        "<dtype",
        "batch",
        OURS,
        *MODES,
        "gain",
        BOUND,
        "best layouts",
        "over C",
        "over SymPy",
        "error",
    )
    cells = []
    for r in rows:
        layouts = any("last" in name for name in r.seconds)
        cells.append(
            (
                *(r.problem, r.dtype, r.batch),
                *(seconds(r.seconds.get(mode)) for mode in (OURS, *MODES)),
                f"{r.better:.2f}",
                f"{of(r, BOUND):.2f}" if BOUND in r.gain else "-",
                f"{best_layout(r):.2f}" if layouts else "-",
                f"{1 / over_c(r):.2f}" if "C" in r.seconds else "-",
                f"{r.gain['SymPy']:.2f}" if "SymPy" in r.gain else "-",
                f"{r.error:.0e}",
            )
        )
    return columns, cells, f"{title}: median time of one call, and gains"


def _loops(rows: list[Row]) -> tuple:
    columns = (
        "<part",
        "<problem",
        "<dtype",
        "batch",
        OURS,
        TOGETHER,
        FUSED,
        *MODES,
        "gain",
        "gain, together",
        "gain, fused",
        BOUND,
        "over C",
        "error",
    )
    cells = [
        (
            *(r.part, r.problem, r.dtype, r.batch),
            *(seconds(r.seconds.get(mode)) for mode in (OURS, TOGETHER, FUSED, *MODES)),
            f"{r.better:.2f}",
            *(f"{of(r, variant):.2f}" if variant in r.gain else "-" for variant in (TOGETHER, FUSED, BOUND)),
            f"{1 / over_c(r):.2f}" if "C" in r.seconds else "-",
            f"{r.error:.0e}",
        )
        for r in rows
    ]
    return columns, cells, "Jacobians inside a loop"


def _gains(rows: list[Row], title: str) -> tuple:
    columns = ("<part", "<problem", "<dtype", "batch", OURS, *MODES, "gain", "error")
    cells = [
        (
            *(r.part, r.problem, r.dtype, r.batch),
            *(seconds(r.seconds.get(mode)) for mode in (OURS, *MODES)),
            f"{r.better:.2f}",
            f"{r.error:.0e}",
        )
        for r in rows
    ]
    return columns, cells, title


def _planning(rows: list[Row]) -> tuple:
    cells = [(r.problem, seconds(r.seconds[OURS]), seconds(r.seconds["trace"]), r.note) for r in rows]
    return ("<network", "plan", "trace alone", "<mode"), cells, "Planning of large networks"


def _compile(rows: list[Row]) -> tuple:
    cells = [
        (
            *(r.problem, r.dtype),
            *(seconds(r.seconds[mode]) for mode in (OURS, *MODES, "plan")),
            f"{1 / min(r.gain.values()):.2f}",
        )
        for r in rows
    ]
    columns = ("<problem", "<dtype", OURS, *MODES, "plan", "over the faster")
    return columns, cells, "Time to trace, plan and compile"
