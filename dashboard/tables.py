"""The table of metrics: a row for each run, a column for each metric, and how it is exported.

Standard library only: what it takes are strings and numbers, what it gives is text.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dashboard import words

Better = Literal["higher", "lower", "zero"]

RANK: dict[Better, Callable[[float], float]] = {  # the best value has the largest
    "higher": lambda value: value,
    "lower": lambda value: -value,
    "zero": lambda value: -abs(value),
}
NEAR_CAP = 0.98  # of its cap; an estimate from there on says little about the truth
SHORT = {"nats per image": "nats", "bits per dimension": "bits per dim."}
ESCAPES = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
LETTERS = {"α": r"$\alpha$", "β": r"$\beta$", "λ": r"$\lambda$", "σ": r"$\sigma$", "²": r"$^2$"}


@dataclass(frozen=True)
class Column:
    """A quantity that the table compares."""

    name: str
    title: str
    unit: str = ""
    better: Better | None = None
    symbol: str = ""  # LaTeX
    help: str = ""

    @property
    def head(self) -> str:
        """Title and unit; what is in nats is so per image."""
        unit = SHORT.get(self.unit, self.unit)
        return f"{self.title} ({unit})" if unit else self.title


@dataclass(frozen=True)
class Cell:
    """A measured value, as far as it is known."""

    value: float | None = None
    error: float | None = None  # standard error
    low: float | None = None
    high: float | None = None
    cap: float | None = None
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.value is not None and math.isfinite(self.value)

    @property
    def capped(self) -> bool:
        """Whether the estimator is about as high as it can get, wherever the truth may be."""
        return self.known and self.cap is not None and self.value >= NEAR_CAP * self.cap

    def __str__(self) -> str:
        """Value ± standard error, or value [low, high]; ⊤ where the cap binds."""
        if not self.known:
            return "–"
        text = words.number(self.value)
        if self.error:
            text = with_error(self.value, self.error)
        elif self.low is not None and self.high is not None:
            text = f"{text} [{words.number(self.low)}, {words.number(self.high)}]"
        return f"{text} ⊤" if self.capped else text


@dataclass(frozen=True)
class Row:
    """A run: what it is, and its cells by the name of the column."""

    name: str
    facts: Mapping[str, str]  # objective, data and whatever else is said before the metrics
    cells: Mapping[str, Cell] = field(default_factory=dict)

    def cell(self, column: Column) -> Cell:
        """The cell of a column; empty where nothing was measured."""
        return self.cells.get(column.name, Cell())


@dataclass(frozen=True)
class Table:
    """Runs and columns in the order in which they are shown."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    def best(self, column: Column) -> set[int]:
        """The rows whose value is the best of a column; none where nothing is worse or better."""
        if column.better is None:
            return set()
        rank = RANK[column.better]
        ranks = {i: rank(c.value) for i, r in enumerate(self.rows) if (c := r.cell(column)).known}
        if not ranks or min(ranks.values()) == max(ranks.values()):
            return set()
        return {i for i, value in ranks.items() if value == max(ranks.values())}

    @property
    def facts(self) -> list[str]:
        """What is said of some run before its metrics."""
        return list(dict.fromkeys(name for row in self.rows for name in row.facts))

    def csv(self) -> str:
        """Comma-separated values with all their digits, the error and the bounds beside each."""
        shown = [(c, part) for c in self.columns for part in self._parts(c)]
        heads = [c.head if part == "value" else f"{c.name} {part}" for c, part in shown]
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n").writerow
        write(["run", *self.facts, *heads])
        for row in self.rows:
            numbers = [getattr(row.cell(column), part) for column, part in shown]
            facts = [row.facts.get(name, "") for name in self.facts]
            write([_inert(text) for text in (row.name, *facts)] + numbers)
        return out.getvalue()

    def markdown(self) -> str:
        """A table as GitHub writes it; the best of a column is bold."""
        lines = [["Run", *self.facts, *(column.head for column in self.columns)]]
        lines.append(["---"] * (1 + len(self.facts)) + ["---:"] * len(self.columns))
        for i, row in enumerate(self.rows):
            facts = (row.facts.get(name, "") for name in self.facts)
            cells = (self._marked(i, column, "**{}**") for column in self.columns)
            lines.append([_markdown(row.name), *map(_markdown, facts), *cells])
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def latex(self) -> str:
        """A tabular for the package booktabs; the best of a column is bold."""
        heads = ["Run", *self.facts, *(column.head for column in self.columns)]
        lines = [" & ".join(map(latex, heads))]
        for i, row in enumerate(self.rows):
            facts = (row.facts.get(name, "") for name in self.facts)
            cells = (
                r"\textbf{%s}" % text if i in self.best(column) else text
                for column in self.columns
                for text in [_latex_cell(row.cell(column))]
            )
            lines.append(" & ".join([latex(row.name), *map(latex, facts), *cells]))
        head, *body = (f"{line} \\\\" for line in lines)
        kinds = "l" * (1 + len(self.facts)) + "r" * len(self.columns)
        return "\n".join(
            [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule", *body]
            + [r"\bottomrule", r"\end{tabular}", ""]
        )

    def _parts(self, column: Column) -> list[str]:
        """The value, and of its error, bounds and cap those that some run has."""
        cells = [row.cell(column) for row in self.rows]
        parts = ("error", "low", "high", "cap")
        return ["value", *(p for p in parts if any(getattr(c, p) is not None for c in cells))]

    def _marked(self, i: int, column: Column, mark: str) -> str:
        text = str(self.rows[i].cell(column))
        return mark.format(text) if i in self.best(column) else text


def with_error(value: float, error: float) -> str:
    """A value and its standard error, two digits of the error and as many decimals of the value."""
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 7)
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}".replace("-", "−")


def latex(self) -> str:
        """A tabular for the package booktabs; the best of a column is bold."""
        heads = ["Run", *self.facts, *(column.head for column in self.columns)]
        lines = [" & ".join(map(latex, heads))]
        for i, row in enumerate(self.rows):
            facts = (row.facts.get(name, "") for name in self.facts)
            cells = (
                r"\textbf{%s}" % text if i in self.best(column) else text
                for column in self.columns
                for text in [_latex_cell(row.cell(column))]
            )
            lines.append(" & ".join([latex(row.name), *map(latex, facts), *cells]))
        head, *body = (f"{line} \\\\" for line in lines)
        kinds = "l" * (1 + len(self.facts)) + "r" * len(self.columns)
        return "\n".join(
            [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule", *body]
            + [r"\bottomrule", r"\end{tabular}", ""]
        )

    def _parts(self, column: Column) -> list[str]:
        """The value, and of its error, bounds and cap those that some run has."""
        cells = [row.cell(column) for row in self.rows]
        parts = ("error", "low", "high", "cap")
        return ["value", *(p for p in parts if any(getattr(c, p) is not None for c in cells))]

    def _marked(self, i: int, column: Column, mark: str) -> str:
        text = str(self.rows[i].cell(column))
        return mark.format(text) if i in self.best(column) else text


def places(value: float, error: float) -> str:
    """A value with as many decimals as its standard error has at three significant digits."""
    if not (math.isfinite(error) and error > 0):
        return words.number(value)
    decimals = min(max(2 - math.floor(math.log10(error)), 0), 6)
    return f"{value:,.{decimals}f}".replace("-", "−")


def latex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(ESCAPES.get(c, LETTERS.get(c, c)) for c in text)


def _latex_cell(cell: Cell) -> str:
    if not cell.known:
        return "--"
    text = str(cell).replace("−", "-").replace("±", r"\pm").replace("⊤", r"\top")
    return f"${re.sub(r',(?=[0-9])', '{,}', text)}$"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", " ".join(text.split()))


def _inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
