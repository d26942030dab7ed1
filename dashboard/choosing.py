"""The runs that a page shows side by side: a choice that stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard import comparison, state, words


def choose(
    root: Path, lines: Sequence[state.Summary], page: str, most: int, *, label: str, begun: bool
) -> list[str]:
    """Draw the choice of a page among `lines`, at most so many, and give their ids.

    Where nothing is chosen and the page is to have `begun` with a run, that is the one left behind
    on another page, else the newest. What the address asks for and is not here is said.
    """
    key = f"{page}.runs"
    absent = state.runs_in_view(root, key, most, page)
    listed = comparison.choices(lines)
    nothing = "runs" not in st.query_params and not st.session_state[key]
    if begun and nothing:
        left = st.session_state.get("left")
        st.session_state[key] = [left if left in listed else next(iter(listed))]
    ids = st.multiselect(
        label,
        list(listed),
        key=key,
        format_func=lambda id: listed.get(id, id),
        max_selections=most,
        placeholder="Choose by label, objective or data" if listed else "No runs yet",
        disabled=not listed,
        label_visibility="collapsed" if begun else "visible",
    )
    state.view_runs(ids, page)
    if absent:
        names = ", ".join(words.plain(words.short(id, 60)) for id in absent)
        st.warning(f"Deleted, or in another folder: {names}.", icon=":material/search_off:")
    return ids
