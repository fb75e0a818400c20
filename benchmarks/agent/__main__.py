"""The learning agent: counts learnt from nothing, orders of unseen graphs, and the agent against annealing.

    python -m benchmarks.agent                                # everything but training; prints the tables
    python -m benchmarks.agent --parts heldout --write        # and writes them into docs/agent.md
    python -m benchmarks.agent --parts time --sizes 500

Trainings are not repeated: their curves and settings lie in ``benchmarks/agent/curves``; the command that made each
stands in its settings file.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import sys
import tomllib
from pathlib import Path

from benchmarks import documents
from benchmarks.agent import ceiling, equal_time, families, heldout, starts, thousand
from benchmarks.orders import report

ROOT = Path(__file__).parents[2]
PARTS = ("curves", "families", "heldout", "time", "thousand", "auto")
SIMPLE = ("forward", "reverse", "markowitz")
CURVES = Path(__file__).parent / "curves"
AIMS = {
    "roe_flux_1d": (320, 320, 295),
    "robot_arm_6dof": (231, 231, 221),
    "human_heart_dipole": (148, 148, 148),
    "propane_combustion": (88, 88, 88),
    "random_g": (417, 416, 409),
    "black_scholes_jacobian": (307, 307, 297),
    "random_program_arrays": (None, None, 353),
}
"""Count asked for, best published, best known, under the published rule; of blocks what annealing finds."""


def curves() -> str:
    """What the trainings in the folder reached, and when."""
    rows = ["| task | method | asked for | reached | best known | games | s of training | CPU s | seed |"]
    rows.append("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for folder in sorted(path for path in CURVES.iterdir() if (path / "curve.csv").exists()):
        settings = tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))
        with open(folder / "curve.csv", encoding="utf-8") as file:
            points = list(csv.DictReader(file))
        task = folder.name.partition("-")[0]
        best = min(float(point["best"]) for point in points)
        first = next(point for point in points if float(point["best"]) == best)
        asked, _, known = AIMS.get(task, (None, None, None))
        method = settings.get("method", "ppo")
        spent = f"{int(first['games']):,} | {float(first['seconds']):.0f} | {float(first['cpu_seconds']):.0f}"
        aims = f"{asked or '-'} | {best:.0f} | {known or '-'}"
        rows.append(f"| {task} | {method} | {aims} | {spent} | {settings.get('seed', 0)} |")
    return "\n".join(rows)


def draw_curves(path: Path) -> None:
    """Best and mean count over the seconds of CPU of every training."""
    from matplotlib.figure import Figure

    folders = sorted(path for path in CURVES.iterdir() if (path / "curve.csv").exists())
    columns = 3
    figure = Figure(figsize=(4.0 * columns, 2.8 * -(-len(folders) // columns)), layout="constrained")
    panels = figure.subplots(-(-len(folders) // columns), columns, squeeze=False).ravel()
    for axes in panels[len(folders) :]:
        axes.set_visible(False)
    for axes, folder in zip(panels, folders, strict=False):
        with open(folder / "curve.csv", encoding="utf-8") as file:
            points = list(csv.DictReader(file))
        seconds = [float(point["cpu_seconds"]) for point in points]
        for name, label in (("mean", "mean of a round"), ("best", "best so far")):
            axes.plot(seconds, [float(point[name]) for point in points], label=label)
        asked = AIMS.get(folder.name.partition("-")[0], (None,))[0]
        if asked is not None:
            axes.axhline(asked, color="0.6", linestyle=":", label="asked for")
        axes.set_title(folder.name, fontsize="medium")
        axes.set_xlabel("CPU seconds")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.savefig(path)


def unseen(folder: Path, rules: list[str], kinds: tuple[str, ...], passes: int, proposals: int) -> list[dict]:
    """The policy, the agent as shipped, passes with chance, annealing, and the best known, against simple orders."""
    from elimax.elimination.problem import Problem
    from elimax.order import search

    made = []
    known = ceiling.load()
    for source, name, graph in heldout.graphs(folder, kinds):
        for rule in rules:
            problem = Problem.from_graph(graph, rule)
            row = {"source": source, "name": name, "rule": rule, "vertices": len(graph.eliminable)}
            row["partials"] = "scalars" if problem.is_scalar else "blocks"
            row["simple"] = min(search(problem, order).multiplications for order in SIMPLE)
            row["policy"] = search(problem, "agent", simple=False).multiplications
            row["agent"] = search(problem, "agent").multiplications
            row["passes"] = search(problem, "agent", max_evaluations=passes, simple=False).multiplications
            row["annealing"] = search(problem, "annealing", max_evaluations=proposals).multiplications
            found = [row[column] for column in ("simple", "policy", "agent", "passes", "annealing")]
            row["best"] = min(*found, known.get(ceiling.key(source, name, rule), row["simple"]))
            made.append(row)
            print(*row.values(), file=sys.stderr, flush=True)
    ceiling.save({ceiling.key(row["source"], row["name"], row["rule"]): row["best"] for row in made})
    return made


def unseen_table(made: list[dict], rules: list[str], passes: int, proposals: int) -> str:
    """How often each is better than the best simple order, and by how much, by source and by kind of partials."""
    columns = {
        "policy": "policy alone",
        "agent": '`order="agent"`',
        "passes": f"policy, best of {passes}",
        "annealing": f"annealing, {proposals:,} proposals",
        "best": "best known",
    }
    words = [f"{title}: better, equal, worse | geometric mean" for title in columns.values()]
    rows = ["| graphs | partials | rule | number | " + " | ".join(words) + " |"]
    rows.append("| --- | --- | --- | ---: |" + " ---: | ---: |" * len(columns))
    for partials, rule in itertools.product(("scalars", "blocks"), rules):
        here = [row for row in made if (row["rule"], row["partials"]) == (rule, partials)]
        for source in [*dict.fromkeys(row["source"] for row in here), "all"]:
            some = [row for row in here if source in (row["source"], "all")]
            cells = [compared([(row[column], row["simple"]) for row in some]) for column in columns]
            rows.append(f"| {source} | {partials} | {rule} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def compared(pairs: list[tuple[int, int]]) -> str:
    """How many counts are better, equal and worse than their rivals, and the geometric mean of the ratio."""
    ratios = [max(count, 1) / max(rival, 1) for count, rival in pairs]
    mean = math.exp(sum(map(math.log, ratios)) / max(len(ratios), 1))
    return f"{sum(r < 1 for r in ratios)}, {sum(r == 1 for r in ratios)}, {sum(r > 1 for r in ratios)} | {mean:.3f}"


def main() -> None:
    """Measures, prints, and writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, default=ROOT.parent / "shared" / "graphs", help="folder of graph files")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rules", nargs="+", default=["published", "executed"])
    parser.add_argument("--kinds", nargs="+", default=["published", "zoo", "cutest"], help="sources of unseen graphs")
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--annealing", type=int, default=20_000, help="proposals of annealing on unseen graphs")
    parser.add_argument("--sizes", nargs="*", type=int, default=list(equal_time.SIZES), help="none: those of --json")
    parser.add_argument("--families", nargs="+", choices=equal_time.FAMILIES, default=list(equal_time.FAMILIES))
    parser.add_argument("--json", type=Path, help="file for the figures; those of other graphs in it are kept")
    parser.add_argument("--write", action="store_true", help="write docs/agent.md and its pictures")
    options = parser.parse_args()
    made: dict[str, str] = {}
    figures: dict = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    if "curves" in options.parts:
        made["curves"] = curves()
    if "families" in options.parts:
        made["families"] = families.table(options.rules)
    if "heldout" in options.parts:
        rows = unseen(options.graphs, options.rules, tuple(options.kinds), options.passes, options.annealing)
        new = {(row["source"], row["name"], row["rule"]) for row in rows}
        kept = [r for r in figures.get("heldout", []) if (r["source"], r["name"], r["rule"]) not in new]
        figures["heldout"] = sorted(kept + rows, key=lambda row: heldout.SOURCES.index(row["source"]))
        made["heldout"] = unseen_table(figures["heldout"], options.rules, options.passes, options.annealing)
    if "time" in options.parts:
        cases = itertools.product(options.families, options.sizes, options.rules)
        rows = [row for case in cases for row in equal_time.measure(*case)]
        new = {(row["family"], row["vertices"], row["rule"]) for row in rows}
        kept = [r for r in figures.get("time", []) if (r["family"], r["vertices"], r["rule"]) not in new]
        names = list(equal_time.FAMILIES)
        figures["time"] = sorted(kept + rows, key=lambda r: (names.index(r["family"]), r["vertices"], r["rule"]))
        made["time"] = equal_time.table(figures["time"])
    if "thousand" in options.parts:
        figures["thousand"] = [row for rule in options.rules for row in thousand.measure(rule)]
        made["thousand"] = thousand.table(figures["thousand"])
    if "auto" in options.parts:
        figures["auto"] = starts.measure(options.graphs)
        made["auto"] = starts.table(figures["auto"])
    print("\n\n".join(made.values()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.write:
        documents.write(ROOT / "docs" / "agent.md", made, f"{report.machine(1)}.")
        if "curves" in made:
            draw_curves(ROOT / "docs" / "agent_curves.svg")
        if "time" in made:
            equal_time.draw([r for r in figures["time"] if r["rule"] == "published"], ROOT / "docs" / "agent.svg")


if __name__ == "__main__":
    main()
