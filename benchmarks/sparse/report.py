"""Tables of the rows, printed and written into docs/sparse.md."""

from __future__ import annotations

from typing import Any

HEAD = [
    "| residual | entries | elimax | asdex | ratio | largest possible | ratio in a loop | planning, s "
    "| peak above start, GB |",
    "|---|---:|---:|---:|---:|---:|---:|---|---|",
]
HEAD_OTHERS = ["| matrix | elimax | others | ratio to the faster | largest possible |", "|---|---:|---|---:|---:|"]


def line(row: dict[str, Any]) -> str:
    """A row of either table."""
    return f"| {' | '.join(_other(row) if 'seconds' in row else _residual(row))} |"


def tables(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Both tables by the name of their section in the document."""
    residuals = [line(row) for row in rows if "seconds" not in row]
    others = [line(row) for row in rows if "seconds" in row]
    return {"residuals": "\n".join([*HEAD, *residuals]), "others": "\n".join([*HEAD_OTHERS, *others])}


def _residual(row: dict[str, Any]) -> list[str]:
    def ratio(what: str) -> str:
        theirs, own = row.get(f"asdex_{what}"), row.get(f"elimax_{what}")
        return "" if theirs is None or own is None else f"{theirs / own:.1f}"

    def both(what: str, scale: float, base: float = 0.0) -> str:
        found = [row.get(f"{who}_{what}") for who in ("elimax", "asdex")]
        return " / ".join(f"{(own - base) * scale:.3g}" for own in found if own is not None)

    return [
        row["name"],
        f"{row['entries']:,}",
        _time(row["elimax_seconds"]),
        _time(row["asdex_seconds"]) if "asdex_seconds" in row else "",
        ratio("seconds"),
        f"{row['asdex_seconds'] / row['floor_seconds']:.1f}" if "asdex_seconds" in row else "",
        ratio("seconds_in_a_loop"),
        both("plan_seconds", 1.0),
        both("peak_bytes", 1e-9, row["resident_at_start"]),
    ]


def _other(row: dict[str, Any]) -> list[str]:
    seconds = dict(row["seconds"])
    own, floor = seconds.pop("elimax"), seconds.pop("floor")
    others = ", ".join(f"{who} {_time(found)}" for who, found in seconds.items())
    best = min(seconds.values())
    return [row["name"], _time(own), others, f"{best / own:.1f}", f"{best / floor:.1f}"]


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
