"""What a run's decoder makes of codes: the manifold, single dimensions, ways between images."""

import streamlit as st

from dashboard import comparison, state, traverse, words
from infovae_core import runs

CHOSEN = "traverse.runs"
MOST = 4  # runs at once: as many manifolds as stand side by side

root = runs.default_root()
absent = state.runs_in_view(root, CHOSEN, MOST, "traverse")
lines = [line for line in state.summaries(root) if not line.problem]
if not lines:
    st.info(
        "No runs yet. Train a model, and see here what its decoder makes of every code.",
        icon=":material/open_with:",
    )
    state.link("Train a model", state.TRAIN)
    st.stop()

listed = comparison.choices(lines)
if CHOSEN not in st.session_state or (
    "runs" not in st.query_params and not st.session_state[CHOSEN]
):
    left = st.session_state.get("left")
    st.session_state[CHOSEN] = [left if left in listed else next(iter(listed))]
ids = st.multiselect(
    "Runs",
    list(listed),
    key=CHOSEN,
    format_func=lambda id: listed.get(id, id),
    max_selections=MOST,
    placeholder="Choose by label, objective or data",
    label_visibility="collapsed",
)
state.view_runs(ids, "traverse")
if absent:
    names = ", ".join(words.plain(words.short(id, 60)) for id in absent)
    st.warning(f"Deleted, or in another folder: {names}.", icon=":material/search_off:")
if not ids:
    st.info("Choose a run above, or several to compare.", icon=":material/open_with:")
    st.stop()

compared = comparison.entries([runs.Run(root / id) for id in ids])
traverse.show(compared, key="traverse")
