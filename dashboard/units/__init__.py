"""The units of a run by what their means say of the images: a canvas component."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.loader import LOADER

_component = st.components.v2.component(
    "infovae_units",
    html='<div class="lab" style="min-height: 470px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def histogram(
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
    shown = {
        "values": values,
        "marks": marks,
        "color": color,
        "stamp": stamp,
        "height": height,
    }
    # As text: to look for tables in dicts, streamlit would load pandas.
    _component(key=key, data={"units": json.dumps(shown), "module": api.module("units")})
