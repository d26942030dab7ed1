"""What a run's decoder makes of codes: the manifold, single dimensions, ways between images."""

import streamlit as st

from dashboard import choosing, comparison, state, traverse
from infovae_core import runs

MOST = 4  # runs at once: as many manifolds as stand side by side

root = runs.default_root()
lines = [line for line in state.summaries(root) if not line.problem]
if not lines:
    state.came_from("traverse")
    state.say_no_runs("see here what its decoder makes of every code", ":material/open_with:")
    st.stop()

ids = choosing.choose(root, lines, "traverse", MOST, label="Runs", begun=True)
if not ids:
    st.info("Choose a run above, or several to compare.", icon=":material/open_with:")
    st.stop()

compared = comparison.entries([runs.Run(root / id) for id in ids])
traverse.show(compared, key="traverse")
