"""The latent space of a run: q(z) against p(z), what is selected there, what it decodes to."""

import streamlit as st

from dashboard import comparison, latent, posteriors, state  # noqa: F401  # for answers
from infovae_core import runs

RUN = "latent.run"

state.settle("latent")

root = runs.default_root()
lines = {line.run.id: line for line in state.summaries(root) if not line.problem}
if not lines:
    state.came_from("latent")
    state.say_no_runs(
        "see here where its codes lie and what they decode to", ":material/scatter_plot:"
    )
    st.stop()

listed = comparison.choices(list(lines.values()))
absent = state.one_in_view(RUN, "latent", list(lines))
with st.container(horizontal=True, vertical_alignment="center"):
    id = st.selectbox(
        "Run",
        list(lines),
        key=RUN,
        format_func=listed.get,
        persist_state="session",
        label_visibility="collapsed",
        width=460,
    )
    line = lines[id]
    st.markdown(line.model, help=id)
state.view(line.run)
state.say_absent(absent)
latent.view(line.run, line.state)
