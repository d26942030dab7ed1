"""The table of metrics as a data frame; the only module of ours that needs pandas."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from dashboard.palette import Look
from dashboard.tables import Table

MARKER = " "  # the head of the column of markers
BEST = "★ "  # before the best of a column; never colour alone

# Streamlit's own CSV has neither errors nor notes; the page offers one that has.
OWN_EXPORTS = """<style>
.st-key-{key} [data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) {{
  display: none;
}}
</style>"""


def sorted_by(key: str) -> str | None:
    """The head of the column that was pressed in the table under `key`; None where none was."""
    return next(iter(st.session_state.get(key, {}).get("selection", {}).get("columns", ())), None)


def show(table: Table, looks: Sequence[Look], key: str) -> None:
    """The table; the head of a column can be pressed, see `sorted_by`."""
    st.html(OWN_EXPORTS.format(key=key))
    settings = {
        column.head: st.column_config.NumberColumn(
            help=f"{column.help}  \n${column.symbol}$" if column.symbol else column.help or None,
        )
        for column in table.columns
    }
    settings[MARKER] = st.column_config.TextColumn(width=30, pinned=True)
    settings["Run"] = st.column_config.TextColumn(pinned=True)
    st.dataframe(
        styled(table, looks),
        key=key,
        hide_index=True,
        column_config=settings,
        height="content",
        placeholder="–",
        on_select="rerun",
        selection_mode="single-column",
    )


def styled(table: Table, looks: Sequence[Look]) -> Styler:
    """Values as numbers, written as the cells write themselves; markers in the runs' colours."""
    said = {MARKER: [look.glyph for look in looks], "Run": [row.name for row in table.rows]}
    facts = {name: [row.facts.get(name, "") for row in table.rows] for name in table.facts}
    values = {
        column.head: [
            cell.value if (cell := row.cell(column)).known else None for row in table.rows
        ]
        for column in table.columns
    }
    frame = pd.DataFrame(said | facts)
    for head, numbers in values.items():
        frame[head] = pd.array(numbers, dtype="Float64")
    style = frame.style.apply(
        lambda _: [f"background-color: {look.colour}; color: white" for look in looks],
        subset=[MARKER],
    )
    for column in table.columns:
        best = table.best(column)
        for i, row in enumerate(table.rows):
            text = f"{BEST if i in best else ''}{row.cell(column)}"
            style.format(lambda _, text=text: text, subset=([i], [column.head]), na_rep=text)
        marks = ["font-weight: bold" if i in best else "" for i in range(len(table.rows))]
        style.apply(lambda _, marks=marks: marks, subset=[column.head])
    return style
