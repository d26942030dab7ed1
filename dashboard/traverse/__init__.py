"""Walks through latent space: what a run's decoder makes of codes, in the browser.

A canvas component as the live view is one: decoders and codes go from the server's routes to the
browser, so that a slider moves without a question to the server; the page's script takes no part.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

import streamlit as st

from dashboard import api
from dashboard.comparison import Entry
from dashboard.loader import LOADER

GRIDS = (11, 15)  # places of the manifold along each axis: of several runs, of one

_component = st.components.v2.component(
    "infovae_traverse",
    html='<div class="lab" style="min-height: 560px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def quantiles(count: int) -> tuple[float, ...]:
    """The middles of so many equal shares of N(0, 1): F(zᵢ) = (i + ½) / n."""
    return tuple(NormalDist().inv_cdf((i + 0.5) / count) for i in range(count))


def show(compared: Iterable[Entry], key: str) -> Any:
    """Traversals of these runs."""
    return _component(
        key=key,
        data={
            "runs": tuple(entry.said() for entry in compared),
            "quantiles": tuple(quantiles(count) for count in GRIDS),
            "api": "/api/runs",
            "module": api.module("traverse"),
        },
    )
