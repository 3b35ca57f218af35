"""Results as JSON for keeping and as a table for people, made from the JSON, so old ones can be shown."""

import json
import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.machine import facts
from benchmarks.turns import Result

GOOD = {"more": "more is better", "less": "less is better", "neither": ""}


def document(result: Result) -> dict[str, Any]:
    """Make the JSON document of a result: the figures, and everything that they depend on."""
    names = [name for name in (result.a, result.b) if name is not None]
    return {
        "workload": result.workload,
        "settings": result.settings,
        "servers": {"a": result.a, "b": result.b},
        "machine": facts(names),
        "better": result.better,
        "rounds": {"a": result.rounds_a, "b": result.rounds_b},
        "ratios": result.ratios,
        "median_ratios": result.median_ratios,
    }


def table(shown: dict[str, Any]) -> str:
    """Lay a document out for reading: a line per figure, the ratios A/B per round and their median."""
    servers, rounds = shown["servers"], shown["rounds"]
    settings = ", ".join(f"{name} {value}" for name, value in shown["settings"].items())
    heading = [f"{shown['workload']}: {settings}", f"A = {servers['a']}"]
    heading += [f"B = {servers['b']}"] if servers["b"] else []
    columns = ["", "A", *(["B", "A/B per round", "median A/B"] if servers["b"] else []), ""]
    rows = [columns, *(_row(shown, name) for name in rounds["a"][0])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join([*heading, *_aligned(rows, widths)])


def _row(shown: dict[str, Any], name: str) -> list[str]:
    def median(side: str) -> str:
        values = [figures[name] for figures in shown["rounds"][side] if name in figures]
        return _figure(statistics.median(values)) if values else "-"

    row = [name, median("a")]
    if shown["servers"]["b"]:
        ratios = shown["ratios"].get(name)
        row.append(median("b"))
        row.append(" ".join(f"{ratio:.2f}" for ratio in ratios) if ratios else "-")
        row.append(f"{shown['median_ratios'][name]:.2f}" if ratios else "-")
    return [*row, GOOD[shown["better"][name]]]


def _figure(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _aligned(rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    for row in rows:
        first, *others, last = (
            cell.ljust(width) if i in (0, len(row) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others, last]).rstrip()


def encode(shown: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Encode a document, or several, so that a change shows as a change of few lines."""
    return json.dumps(shown, indent=2)
