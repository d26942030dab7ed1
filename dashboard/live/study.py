"""Canvas components of the page Information: a study that runs, and the units of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.live import LOADER

_study = st.components.v2.component(
    "infovae_study", html='<div class="lab" style="min-height: 440px"></div>', js=LOADER
)
_units = st.components.v2.component(
    "infovae_units", html='<div class="lab" style="min-height: 360px"></div>', js=LOADER
)


def study(
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
    return _study(
        key=key,
        data={
            "run": id,
            "state": state,
            "title": title,
            "axis": tuple(axis.items()),  # a dict or a list would make streamlit load pandas
            "exact": exact,
            "lines": tuple(lines),
            "references": tuple(references),
            "height": height,
            "api": "/api/studies",
            "module": f"/api/live/{api.assets_version()}/study.js",
        },
        on_state_change=on_state_change,
    )


def units(
    values: Sequence[float],
    *,
    marks: Sequence[Mapping[str, Any]],
    color: str,
    stamp: str,
    key: str,
    height: int = 470,
) -> None:
    """Show a variance for each unit, and how many are above a threshold that can be moved.

    `marks` are thresholds with a value and a name; the first is the one to begin with. `stamp` says
    what the values are of.
    """
    _units(
        key=key,
        data={
            "values": tuple(values),
            "marks": tuple(marks),
            "color": color,
            "stamp": stamp,
            "height": height,
            "module": f"/api/live/{api.assets_version()}/units.js",
        },
    )
