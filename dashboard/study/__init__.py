"""A study of estimators, live: a canvas component that pulls what is new from `dashboard.api`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.loader import LOADER

_component = st.components.v2.component(
    "infovae_study",
    html='<div class="lab" style="min-height: 560px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def view(
    id: str,
    state: str,
    *,
    title: str,
    axis: Mapping[str, Any],
    exact: float,
    lines: Sequence[Mapping[str, Any]],
    references: Sequence[Mapping[str, Any]],
    key: str,
    height: int = 545,
    on_state_change: Callable[[], Any] = lambda: None,
) -> Any:
    """Show the estimates of a study while it runs and after, beside the value that is exact; nats.

    `axis` is what the rows are over: its title, what stands before a place at it, low, high, and
    whether it is log. `lines` and `references` have a name, a label, a short one for the plot, a
    note for the table and a color ("" is the text's); a reference also the points it goes through,
    and whether it is dashed. Where the study turns out to be stopped or gone the page runs again.
    """
    shown = {
        "run": id,
        "state": state,
        "title": title,
        "axis": axis,
        "exact": exact,
        "lines": lines,
        "references": references,
        "height": height,
        "api": "/api/studies",
    }
    return _component(
        key=key,
        # As text: to look for tables in dicts, streamlit would load pandas.
        data={"study": json.dumps(shown), "module": api.module("study")},
        on_state_change=on_state_change,
    )
