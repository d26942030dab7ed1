"""The table of metrics: which value is the best, how cells are written, what exports say."""

import csv
import io
import re

import pytest

from dashboard import tables, words
from dashboard.tables import Cell, Column, Row, Table, rows_to_csv
from infovae_core.metrics import METRICS
from infovae_core.objectives import OBJECTIVES
from infovae_core.terms import BOUNDED, MMD, Jensen, MarginalKL, Rate, Stein

NAN = float("nan")


def column_of(values, better):
    column = Column("m", "Metric", "nats per image", better)
    rows = [Row(str(i), {}, {} if v is None else {"m": Cell(v)}) for i, v in enumerate(values)]
    return Table([column], rows), column


@pytest.mark.parametrize(
    ("better", "values", "best"),
    [
        ("higher", [1.0, 3.0, 2.0], {1}),
        ("lower", [1.0, 3.0, 2.0], {0}),
        ("zero", [-3.0, 0.5, -0.25], {2}),
        ("zero", [-0.5, 2.0, 0.5], {0, 2}),
        ("higher", [2.0, None, 2.0, 1.0], {0, 2}),
        ("higher", [NAN, 1.0, 2.0], {2}),
        ("higher", [float("inf"), 1.0, 2.0], {2}),
        ("lower", [2.0, 2.0], set()),
        ("lower", [2.0, None], set()),
        ("lower", [None, None], set()),
        (None, [1.0, 2.0], set()),
    ],
)
def test_the_best_of_a_column(better, values, best):
    table, column = column_of(values, better)
    assert table.best(column) == best


@pytest.mark.parametrize(
    ("better", "cells", "best"),
    [
        # What chance may have taken off 0 is as near to it as what it took to the other side.
        ("zero", [Cell(-0.01, 0.02), Cell(0.015, 0.02), Cell(0.2, 0.02)], {0, 1}),
        ("zero", [Cell(-0.3, 0.02), Cell(0.1, 0.02)], {1}),
        ("zero", [Cell(-0.01, 0.02), Cell(0.015, 0.02)], set()),
        # 8.7 of an estimate whose cap binds is no more than 0 because its interval begins there.
        ("zero", [Cell(8.7, 0.05, low=0, high=8.8), Cell(2.1, 0.05)], {1}),
        ("higher", [Cell(9.20, cap=9.21), Cell(9.21, cap=9.21), Cell(5.0, cap=9.21)], {0, 1}),
        ("higher", [Cell(9.20, cap=9.21), Cell(9.21, cap=9.21)], set()),
    ],
)
def test_the_best_is_not_told_by_chance_nor_by_a_cap(better, cells, best):
    column = Column("m", "Metric", better=better)
    table = Table([column], [Row(str(i), {}, {"m": cell}) for i, cell in enumerate(cells)])
    assert table.best(column) == best


def test_what_is_still_in_training_is_not_the_best():
    column = Column("m", "m", "nats", "higher")
    rows = [Row("done", {}, {"m": Cell(1.0)}), Row("also", {}, {"m": Cell(2.0)})]
    under_way = Row("not yet", {}, {"m": Cell(3.0)}, settled=False)
    assert Table([column], [*rows, under_way]).best(column) == {1}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell(), "–"),
        (Cell(NAN), "–"),
        (Cell(22.0), "22.0"),
        (Cell(-0.00012345), "−0.000123"),
        (Cell(100.0), "100"),
        (Cell(12345.6), "12,346"),
        (Cell(-82.9612, error=0.3121), "−82.96 ± 0.31"),
        (Cell(1234.5, error=12.3), "1,234 ± 12"),
        (Cell(0.00211, error=0.00042, low=1, high=2), "0.00211 ± 0.00042"),
        (Cell(2.0, error=0.0), "2.00"),
        (Cell(2.0, low=1.5, high=2.25), "2.00 [1.50, 2.25]"),
        (Cell(2.0, low=2, high=2, cap=2), "2.00 ⊤"),
        (Cell(5.88, cap=5.886), "5.88 ⊤"),
        (Cell(5.0, cap=5.886), "5.00"),
        (Cell(5.88, cap=5.886, stale=True), "5.88 ⊤*"),
    ],
)
def test_a_cell_says_what_is_known(cell, text):
    assert str(cell) == text


NASTY = r"50% of_a & b {x} #1 $z$ \o/ ~^ | `c` <d> *e* β λ ‖"


@pytest.fixture
def table():
    columns = [
        Column("elbo", "Evidence lower bound", "nats per image", "higher"),
        Column("error", "Error from 100 labels", "%", "lower"),
    ]
    rows = [
        Row(
            NASTY,
            {"Objective": "β-VAE β 4", "Seed": "0"},
            {"elbo": Cell(-1234.5, error=1.25, note="Grey | levels.", stale=True)},
            id="20260101-000000-aaaa",
        ),
        Row(
            "=cmd()",
            {"Objective": "VAE"},
            {"elbo": Cell(-25.0), "error": Cell(1 / 3, cap=2)},
            id="20260101-000000-bbbb",
        ),
    ]
    return Table(columns, rows, {"Data": "digits", "d": "2"})


def test_csv_keeps_every_digit_and_what_belongs_to_a_value(table):
    head, first, second = csv.reader(io.StringIO(tables.to_csv(table)))
    values = dict(zip(head, first, strict=True))
    assert values["Run"] == NASTY
    assert values["Evidence lower bound (nats)"] == "-1234.5"
    assert values["Evidence lower bound (nats): error"] == "1.25"
    assert values["Error from 100 labels (%)"] == ""
    values = dict(zip(head, second, strict=True))
    assert float(values["Error from 100 labels (%)"]) == 1 / 3
    assert values["Error from 100 labels (%): cap"] == "2"
    assert values["Seed"] == ""
    assert values["Run"] == "'=cmd()"  # a spreadsheet is not to run it
    assert not any(name.endswith(": low") for name in head)
    assert (values["Run id"], values["Data"], values["d"]) == (
        "20260101-000000-bbbb",
        "digits",
        "2",
    )
    values = dict(zip(head, first, strict=True))
    assert values["Evidence lower bound (nats): note"] == "Grey | levels."
    assert values["Evidence lower bound (nats): stale"] == "True"


def test_markdown_is_a_table_whose_text_stays_text(table):
    lines, _, rest = tables.to_markdown(table).partition("\n\n")
    lines = lines.splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert {len(row) for row in cells} == {5}
    assert re.sub(r"\\(.)", r"\1", cells[2][0].strip()) == NASTY
    assert cells[2][3].strip() == r"−1,234.5 ± 1.2\*"
    assert cells[3][3].strip() == "**−25.0**"
    assert cells[2][4].strip() == "–"
    assert r"=cmd(): run 20260101-000000-bbbb" in rest
    assert "All runs: Data digits, d 2" in rest
    assert r"Grey \| levels." in rest


def test_latex_is_a_booktabs_tabular_whose_text_stays_text(table):
    latex = tables.to_latex(table)
    for command in (r"\begin{tabular}{lllrr}", r"\toprule", r"\midrule", r"\bottomrule"):
        assert command in latex
    assert "\n% All runs: Data digits, d 2\n" in latex
    assert "% =cmd(): run 20260101-000000-bbbb\n" in latex
    assert latex.index("Grey | levels.") < latex.index(r"\begin{tabular}")
    lines = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 4 for line in lines)
    assert r"50\% of\_a \& b \{x\} \#1 \$z\$ \textbackslash{}o/" in latex
    assert r"$\beta$ $\lambda$ $\|$" in latex
    assert r"$-1{,}234.5 \pm 1.2^*$" in latex
    assert r"$\mathbf{-25.0}$" in latex
    assert r"Error from 100 labels (\%)" in latex
    assert latex.isascii()
    for opening, closing in ("{}", ("$", "$")):
        plain = re.sub(r"\\[{}$]", "", latex)
        assert plain.count(opening) == plain.count(closing)
        assert plain.count("$") % 2 == 0


def test_whatever_we_name_is_known_to_latex():
    named = [*(text for m in METRICS.values() for text in (m.title, m.unit)), tables.MARKS]
    named += [BOUNDED[bound] for bound in BOUNDED]
    named += [term.label for term in (Rate, MMD, Stein, Jensen, MarginalKL)]
    named += [f"{words.objective({'name': name})}" for name in OBJECTIVES]
    for text in named:
        written = tables.in_latex(text)
        assert written.isascii(), written
        assert written.count("$") % 2 == 0
    assert tables.in_latex("Î(x; z), χ²") == r"$\hat{I}$(x; z), $\chi$$^2$"


@pytest.mark.parametrize(
    ("label", "symbol"),
    [
        ("distortion D", "D"),
        ("rate R", "R"),
        ("loss", "loss"),
        (MMD.label, "MMD²"),
        (MarginalKL.label, "KLz"),
        ("Î(x; z)", "Î(x; z)"),
    ],
)
def test_a_quantity_has_a_short_name(label, symbol):
    assert words.symbol(label) == symbol


def test_a_column_left_out_is_left_out_of_what_is_saved(table):
    fewer = table.without(["elbo"])
    for write in (tables.to_csv, tables.to_latex, tables.to_markdown):
        assert "Evidence" in write(table)
        assert "Evidence" not in write(fewer)
        assert "Error from 100 labels" in write(fewer)


def test_units_stand_in_the_heads():
    assert Column("a", "Bits per dimension", "bits per dimension").head.endswith("(bits)")
    assert Column("a", "MMD²", "squared kernel distance").head == "MMD²"
    assert Column("a", "Accuracy", "%").head == "Accuracy (%)"


def test_notes_that_estimates_share_are_said_once():
    columns = [Column("a", "A"), Column("b", "B")]
    rows = [
        Row("one", {}, {"a": Cell(1.0, note="bound"), "b": Cell(1.0, note="bound")}),
        Row("two", {}, {"a": Cell(None, note="infinite"), "b": Cell(2.0, note="bound")}),
    ]
    assert Table(columns, rows).notes() == [("A, B", "one, two", "bound"), ("A", "two", "infinite")]


def test_rows_are_ordered_by_the_column_that_was_pressed():
    columns = [Column("d", "distortion", "nats", "lower"), Column("i", "information", "nats")]
    cells = [{"d": Cell(3.0)}, {"d": Cell(1.0), "i": Cell(2.0)}, {"i": Cell(5.0)}]
    rows = [Row(n, {"data": f}, c) for n, f, c in zip("abc", "yxz", cells, strict=True)]
    table = Table(columns, rows)
    heads = [columns[0].head, columns[1].head, "data", None, "gone"]
    orders = [table.order(head) for head in heads]
    assert orders == [[1, 0, 2], [2, 1, 0], [1, 0, 2], [0, 1, 2], [0, 1, 2]]


def test_rows_of_numbers_are_no_formulas_in_a_spreadsheet():
    text = rows_to_csv([["run", "R (nats)"], ["=cmd", -1.5]])
    assert text == "run,R (nats)\n'=cmd,-1.5\n"


def test_a_slide_has_the_metrics_that_are_known_below_each_other(table):
    lines = tables.to_slide(table, ["●", "■"]).splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0][1:] == [f"{g} {n}" for g, n in zip("●■", map(name, table.rows), strict=True)]
    known = [c for c in table.columns if any(row.cell(c).known for row in table.rows)]
    assert len(cells) == 2 + len(known)
    best = {(k, i) for k, c in enumerate(known) for i in table.best(c)}
    bold = {
        (k, i)
        for k, row in enumerate(cells[2:])
        for i, text in enumerate(row[1:])
        if text.startswith("**")
    }
    assert bold == best


def name(row):
    """A run's name as Markdown shows it."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", row.name)


def test_a_count_is_written_as_one():
    assert [str(Cell(value, count=True)) for value in (2.0, 0.0, 1234.0)] == ["2", "0", "1,234"]
