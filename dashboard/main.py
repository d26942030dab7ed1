"""The frame around the pages."""

from pathlib import Path

import streamlit as st

from dashboard import access, present, state, warm

HERE = Path(__file__).parent
# The live view is to fit a laptop's screen, so the frame gives up its wide margins. The button that
# presents stands above the bar, in which Streamlit leaves no place, before its own style has come:
# what follows it never moves. Beside it, what Streamlit shows while a page takes long.
COMPACT = """<style>
:has(> .st-key-present) { position: fixed; top: 14px; right: 52px; width: auto; z-index: 1000000; }
.stStatusWidget { margin-right: 7rem; }
.stMainBlockContainer { padding-left: 1.5rem; padding-right: 1.5rem; }
</style>"""

st.set_page_config(
    page_title="InfoVAE Lab",
    page_icon=HERE / "mark.svg",
    layout="wide",
    initial_sidebar_state=320,
    menu_items={"About": "**InfoVAE Lab**: information-maximising VAEs, watched while they learn."},
)
warm.load()  # before the freeze
state.settle()
st.logo(HERE / "logo.svg", icon_image=HERE / "mark.svg", size="large")
st.html(COMPACT)
page = st.navigation(
    [
        st.Page(
            state.TRAIN,
            title="Watch" if access.viewer() else "Train",
            icon=":material/model_training:",
            default=True,
            help="Watch a model learn."
            if access.viewer()
            else "Choose settings, train a model and watch it learn.",
        ),
        st.Page(
            state.RUNS,
            title="Runs",
            icon=":material/list:",
            help="Every run."
            if access.viewer()
            else "Every run: open, rename, resume, repeat or delete it.",
        ),
        st.Page(
            state.COMPARE,
            title="Compare",
            icon=":material/compare_arrows:",
            help="Runs side by side: metrics, curves, latent planes, rate and distortion.",
        ),
        st.Page(
            state.LATENT,
            title="Latent space",
            icon=":material/scatter_plot:",
            help="Aggregated posterior against prior; select codes, decode any place.",
        ),
        st.Page(
            state.TRAVERSE,
            title="Traverse",
            icon=":material/open_with:",
            help="What the decoder makes of codes: manifold, dimensions, ways between images.",
        ),
        st.Page(
            state.INFORMATION,
            title="Information",
            icon=":material/share:",
            help="Estimators of mutual information where it is known, and active units.",
        ),
    ],
    position="top",
)
present.toggle(page.url_path)
page.run()
