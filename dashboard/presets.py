"""The menu of published settings."""

from __future__ import annotations

import streamlit as st

from dashboard import forms
from dashboard.words import plain
from infovae_core.config import RunConfig
from infovae_core.presets import PRESETS

KEY = "preset"  # of the menu
HELP = (
    "Settings of the papers and of their authors' code, as far as they can be set here. What a "
    "preset does not say stays as it is."
)


def menu(form: forms.Form[RunConfig], key: str) -> None:
    """Offer the presets to the form under `key`; one is shown for as long as the form says it."""
    name = st.session_state.get(KEY)
    if name and not (form.value and PRESETS[name].holds(form.value)):
        st.session_state[KEY] = name = None
    st.selectbox(
        "Preset",
        list(PRESETS),
        index=None,
        format_func=lambda name: PRESETS[name].title,
        key=KEY,
        placeholder="published settings",
        on_change=_put,
        args=(key,),
        help=f"**{plain(PRESETS[name].source)}.**" if name else HELP,
        persist_state="session",
    )
    if name:
        st.caption(plain(PRESETS[name].note))


def _put(key: str) -> None:
    if name := st.session_state[KEY]:
        forms.put(key, PRESETS[name].settings)
