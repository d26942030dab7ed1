"""Measured metrics as text: values with as many digits as their errors allow, and a table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from infovae_core.metrics import METRICS

ROUNDING = 1e-12  # share of a value below which an error is that of the arithmetic
MOST_DECIMALS = 6  # beyond that a power of ten is taken out
MISSING = "–"
WIDTH = 100  # of the notes


def with_error(value: float | None, error: float | None) -> str:
    """The value ± its error to two digits, or to four significant ones where that is not known."""
    if value is None:
        return MISSING
    if not error or error < ROUNDING * abs(value):
        return f"{value:.4g}"
    decimals = 1 - math.floor(math.log10(error))
    if decimals <= MOST_DECIMALS:
        decimals = max(0, decimals)
        return f"{value:.{decimals}f} ± {error:.{decimals}f}"
    power = math.floor(math.log10(max(abs(value), error)))
    scale, decimals = 10.0**-power, decimals + power
    return f"({value * scale:.{decimals}f} ± {error * scale:.{decimals}f})e{power:+d}"


def interval(low: float | None, high: float | None) -> str:
    """From low to high."""
    return MISSING if low is None or high is None else f"{low:.4g} to {high:.4g}"


def table(records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a table of `Run.evaluation`, in the order of METRICS, with notes below it."""
    notes: list[str] = []
    rows = [("metric", "value", "95 % interval", "unit", "at most", "note")]
    for name in (name for name in METRICS if name in records):
        record, metric = records[name], METRICS[name]
        if (note := record["note"]) and note not in notes:
            notes.append(note)
        rows.append(
            (
                metric.title,
                with_error(record["value"], record["error"]),
                interval(record["low"], record["high"]),
                metric.unit,
                "" if record["cap"] is None else f"{record['cap']:.4g}",
                f"[{notes.index(note) + 1}]" if note else "",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
    for number, note in enumerate(notes, 1):
        yield from textwrap.wrap(f"[{number}] {note}", WIDTH, subsequent_indent="    ")
