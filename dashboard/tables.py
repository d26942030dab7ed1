"""The table of metrics: a row for each run, a column for each metric, and how it is exported.

What it takes are strings and numbers, what it gives is text.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from dashboard import words

Better = Literal["higher", "lower", "zero"]

NEAR_CAP = 0.98  # of its cap; an estimate from there on says little about the truth
CHANCE = 1.96  # standard errors by which a value may be off 0 where the truth is 0
SHORT = {  # units as heads of columns write them, where that is not in full
    "nats per image": "nats",
    "bits per dimension": "bits",
    "squared kernel distance": "",  # the title says so
    "squared Stein discrepancy": "",
    "units": "",
}
ESCAPES = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "ε": "varepsilon",
    "λ": "lambda",
    "μ": "mu",
    "ρ": "rho",
    "σ": "sigma",
    "Σ": "Sigma",
    "χ": "chi",
}
SYMBOLS = {  # that pdflatex does not know as they are
    **{c: rf"$\{name}$" for c, name in GREEK.items()},
    **{c: f"$_{i}$" for i, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    "Î": r"$\hat{I}$",
    "‖": r"$\|$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "⊤": r"$\top$",
    "★": r"$\star$",
    "·": r"$\cdot$",
    "−": "$-$",
    "–": "--",
    "²": "$^2$",
    "…": r"\ldots{}",
    "’": "'",
}
MARKS = (
    "⊤ as high as its estimator can get · * the run was trained on since · ± standard error, "
    "[ ] 95 % interval; nats are per item"
)
SIGNS = {"−": "-", "±": r"\pm", "⊤": r"\top", "*": r"^*"}


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
        """Title and unit; nats and bits are per image and per dimension, and the help says so."""
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
    stale: bool = False  # the run has been trained on since
    count: bool = False  # a whole number of something

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.value is not None and math.isfinite(self.value)

    @property
    def capped(self) -> bool:
        """Whether the estimator is about as high as it can get, wherever the truth may be."""
        return self.known and self.cap is not None and self.value >= NEAR_CAP * self.cap

    def rank(self, better: Better) -> float:
        """The larger, the better, as far as the value can say.

        One that chance may have taken off 0 is as near as 0 itself, from whichever side; those
        about as high as their cap lets them be are alike.
        """
        if better == "higher":
            return NEAR_CAP * self.cap if self.capped else self.value
        if better == "zero":
            return -abs(self.value) if abs(self.value) > CHANCE * (self.error or 0.0) else 0.0
        return -self.value

    def __str__(self) -> str:
        """Value ± standard error, or value [low, high]; ⊤ where the cap binds, * where stale."""
        if not self.known:
            return "–"
        text = words.number(self.value) if self.count else number(self.value)
        if self.error:
            text = with_error(self.value, self.error)
        elif None not in (self.low, self.high) and self.low < self.high:
            text = f"{text} [{number(self.low)}, {number(self.high)}]"
        return f"{text}{' ⊤' if self.capped else ''}{'*' if self.stale else ''}"


@dataclass(frozen=True)
class Row:
    """A run: what it is, and its cells by the name of the column."""

    name: str
    facts: Mapping[str, str]  # objective, data and whatever else is said before the metrics
    cells: Mapping[str, Cell] = field(default_factory=dict)
    id: str = ""  # of its directory
    settled: bool = True  # no longer in training: until then nothing of it is the best

    def cell(self, column: Column) -> Cell:
        """The cell of a column; empty where nothing was measured."""
        return self.cells.get(column.name, Cell())


@dataclass(frozen=True)
class Table:
    """Runs and columns in the order in which they are shown, and the facts that all runs share."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    shared: Mapping[str, str] = field(default_factory=dict)

    def best(self, column: Column) -> set[int]:
        """The rows whose value is the best of a column; none where nothing is worse or better."""
        if column.better is None:
            return set()
        settled = [(i, row.cell(column)) for i, row in enumerate(self.rows) if row.settled]
        ranks = {i: cell.rank(column.better) for i, cell in settled if cell.known}
        if not ranks or min(ranks.values()) == max(ranks.values()):
            return set()
        return {i for i, value in ranks.items() if value == max(ranks.values())}

    @property
    def facts(self) -> list[str]:
        """What is said of some run before its metrics."""
        return list(dict.fromkeys(name for row in self.rows for name in row.facts))

    def without(self, names: Container[str]) -> Table:
        """The table without the columns called so."""
        return replace(self, columns=[c for c in self.columns if c.name not in names])

    def order(self, head: str | None) -> list[int]:
        """The rows, the best or largest of a column first; what is not known comes last.

        By a fact they come in its alphabet, by no column as they are.
        """
        if head in self.facts:
            return sorted(range(len(self.rows)), key=lambda i: self.rows[i].facts.get(head, ""))
        column = next((column for column in self.columns if column.head == head), None)
        if column is None:
            return list(range(len(self.rows)))

        def rank(i: int) -> float:
            cell = self.rows[i].cell(column)
            if not cell.known:
                return math.inf
            return -(cell.value if column.better is None else cell.rank(column.better))

        return sorted(range(len(self.rows)), key=rank)

    def notes(self) -> list[tuple[str, str, str]]:
        """What estimates leave out: titles of columns, names of runs, and the note they share."""
        found: dict[str, tuple[list[str], list[str]]] = {}
        for column in self.columns:
            for row in self.rows:
                if note := row.cell(column).note:
                    titles, names = found.setdefault(note, ([], []))
                    titles.append(column.title)
                    names.append(row.name)
        return [
            (", ".join(dict.fromkeys(titles)), ", ".join(dict.fromkeys(names)), note)
            for note, (titles, names) in found.items()
        ]


def number(value: float) -> str:
    """Three significant digits, zeros included, so that a column reads well."""
    if abs(value) < 1000:
        return f"{value:#.3g}".rstrip(".").replace("-", "−")
    return words.number(value)


def with_error(value: float, error: float) -> str:
    """A value and its standard error, two digits of the error and as many decimals of the value."""
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 7)
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}".replace("-", "−")


# As text for other programs.


def to_csv(table: Table) -> str:
    """Comma-separated values with all their digits, and what belongs to each beside it.

    That is its error, its bounds, its cap, whether the run was trained on since, and the note.
    """
    shown = [(column, part) for column in table.columns for part in _parts(table, column)]
    heads = [c.head if part == "value" else f"{c.head}: {part}" for c, part in shown]
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(["Run", "Run id", *table.shared, *table.facts, *heads])
    for row, [name, *facts] in zip(table.rows, _said(table), strict=True):
        said = [name, row.id, *table.shared.values(), *facts]
        cells = (getattr(row.cell(column), part) for column, part in shown)
        write([*map(_inert, said), *(_inert(v) if isinstance(v, str) else v for v in cells)])
    return out.getvalue()


def rows_to_csv(rows: Iterable[Sequence[str | float]]) -> str:
    """Rows of texts and numbers, the first of which is the head."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    for row in rows:
        write(_inert(value) if isinstance(value, str) else value for value in row)
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A table as GitHub writes it, the best of a column bold, and below it what it leaves out."""
    lines = [["Run", *table.facts, *(column.head for column in table.columns)]]
    lines.append(["---"] * (1 + len(table.facts)) + ["---:"] * len(table.columns))
    for i, said in enumerate(_said(table)):
        cells = (
            f"**{text}**" if i in table.best(column) else text
            for column in table.columns
            for text in [_in_markdown(str(table.rows[i].cell(column)))]
        )
        lines.append([*map(_in_markdown, said), *cells])
    lines[0] = [_in_markdown(head) for head in lines[0]]
    rows = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return rows + "\n" + "".join(f"- {_in_markdown(text)}\n" for text in about(table))


def to_slide(table: Table, glyphs: Sequence[str]) -> str:
    """A column for each run and a row for each metric that is known, as Markdown."""
    heads = (f"{glyph} {_in_markdown(r.name)}" for glyph, r in zip(glyphs, table.rows, strict=True))
    lines = [["", *heads], ["---", *["---:"] * len(table.rows)]]
    for column in table.columns:
        cells = [row.cell(column) for row in table.rows]
        if any(cell.known for cell in cells):
            texts = [_in_markdown(str(cell)) for cell in cells]
            best = table.best(column)
            texts = [f"**{text}**" if i in best else text for i, text in enumerate(texts)]
            lines.append([_in_markdown(column.head), *texts])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: Table) -> str:
    """A tabular for the package booktabs, the best of a column bold; comments say the rest."""
    heads = ["Run", *table.facts, *(column.head for column in table.columns)]
    lines = [" & ".join(map(in_latex, heads))]
    for i, said in enumerate(_said(table)):
        cells = (_number(table.rows[i].cell(c), i in table.best(c)) for c in table.columns)
        lines.append(" & ".join([*map(in_latex, said), *cells]))
    first, *others = (f"{line} \\\\" for line in lines)
    kinds = "l" * (1 + len(table.facts)) + "r" * len(table.columns)
    comments = [f"% {in_latex(' '.join(text.split()))}" for text in about(table)]
    begin = [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", first, r"\midrule"]
    return "\n".join([*comments, *begin, *others, r"\bottomrule", r"\end{tabular}", ""])


def about(table: Table) -> Iterator[str]:
    """What a table says beside its cells: the runs' ids, what they share, signs and notes."""
    for row in table.rows:
        if row.id:
            yield f"{row.name}: run {row.id}"
    if table.shared:
        yield f"All runs: {', '.join(f'{name} {fact}' for name, fact in table.shared.items())}"
    yield MARKS
    for titles, names, note in table.notes():
        yield f"{titles} ({names}): {note}"


def in_latex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(ESCAPES.get(c, SYMBOLS.get(c, c)) for c in text)


def _number(cell: Cell, best: bool) -> str:
    """A cell in LaTeX's mathematics."""
    if not cell.known:
        return "--"
    text = re.sub(r",(?=\d)", "{,}", str(cell))
    for sign, command in SIGNS.items():
        text = text.replace(sign, command)
    return rf"$\mathbf{{{text}}}$" if best else f"${text}$"


def _said(table: Table) -> Iterator[list[str]]:
    """What stands before the metrics, row by row."""
    for row in table.rows:
        yield [row.name, *(row.facts.get(name, "") for name in table.facts)]


def _parts(table: Table, column: Column) -> list[str]:
    """The value, and of what belongs to it those that some run has."""
    cells = [row.cell(column) for row in table.rows]
    parts = ("error", "low", "high", "cap", "stale", "note")
    nothing = (None, False, "")
    return ["value", *(p for p in parts if any(getattr(c, p) not in nothing for c in cells))]


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", " ".join(text.split()))


def _inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
