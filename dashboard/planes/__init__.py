"""The latent planes of several runs on the same axes: a canvas component, as the live view is one.

A drag in one plane selects images, which are marked in all. The codes go from the server's routes
to the browser; the page's script takes no part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.comparison import Entry
from dashboard.loader import LOADER
from dashboard.palette import CLASSES

_component = st.components.v2.component(
    "infovae_planes",
    html='<div class="lab" style="min-height: 340px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def show(compared: Iterable[Entry], key: str) -> Any:
    """The newest codes of each run, also while it trains."""
    return _component(
        key=key,
        data={
            "runs": tuple(entry.said() for entry in compared),
            "palette": tuple(CLASSES),
            "api": "/api/runs",
            "module": api.module("planes"),
        },
    )
