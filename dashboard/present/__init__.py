"""Presentation: larger type and only the plots, on every page, for a lecture hall.

The browser does it at once; the page's script only keeps it in the address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.loader import LOADER

ASKED = "present"  # in the address

_component = st.components.v2.component(
    "infovae_present",
    html='<div class="present"></div>',
    js=LOADER,
)


def toggle(page: str, *, on_on_change: Callable[[], Any] = lambda: None) -> None:
    """A button in the top bar; as long as it is on, the address says so on whatever page."""
    with st.container(key="present"):
        result = _component(
            key="presenting",
            data={"page": page, "module": api.module("present")},
            on_on_change=on_on_change,
        )
    if result.on and not asked():
        st.query_params[ASKED] = "1"
    elif result.on is False:
        st.query_params.pop(ASKED, None)


def asked() -> bool:
    """Whether the address asks for it."""
    return st.query_params.get(ASKED) == "1"
