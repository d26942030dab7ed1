"""The live view of a run: a canvas component that pulls what is new from `dashboard.api`.

Python says which run and which colours; everything else goes from the server's routes to the
browser, so that watching a run costs no run of the page's script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.loader import LOADER
from dashboard.palette import ALL
from infovae_core import catalogue

_component = st.components.v2.component(
    "infovae_live",
    html='<div class="lab" style="min-height: 560px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def view(
    run_id: str | None,
    *,
    state: str | None = None,
    items: catalogue.About | None = None,
    elsewhere: str = "",
    palette: Mapping[str, Any] = ALL,
    key: str = "live",
    height: int | None = None,
    on_state_change: Callable[[], Any] = lambda: None,
    on_turned_change: Callable[[], Any] = lambda: None,
) -> Any:
    """Show a run while it trains and after, or, with None, what there will be to see.

    `state` is what the page took the run's state to be: where the view hears of another, the page
    runs again, with the news as `state` of the result; so it does when knobs were turned. Without a
    run, it says what there will be to see of the `items`, and to readers who can train none where
    `elsewhere` that is done. `palette["classes"]` colours the classes. The view is `height` pixels
    high, or as high as the window leaves room for.
    """
    return _component(
        key=key,
        data={
            "run": run_id,
            "state": state,
            "noun": items.noun if items else None,
            "kind": items.kind if items else None,
            "elsewhere": elsewhere,
            "palette": tuple(palette["classes"]),  # a list would make streamlit load pandas
            "height": height,
            "api": "/api/runs",
            "module": api.module("live"),
        },
        on_state_change=on_state_change,
        on_turned_change=on_turned_change,
    )
