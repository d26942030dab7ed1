"""The latent space of a run: a canvas component, as the live view is one.

Codes, densities, pictures and the decoder go from the server's routes to the browser; what a viewer
chooses stands in the address. The page's script takes no part in either.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import api, words
from dashboard import state as state_of
from dashboard.loader import LOADER
from dashboard.palette import CLASSES
from infovae_core.metrics import METRICS
from infovae_core.runs import Run

FACTS = {  # metrics beside the picture, and how they are written there
    "mutual_information": "I(x; z)",
    "marginal_kl": "KL(q(z) ‖ p(z))",
    "rate": "R",
    "mmd2_rbf": "MMD²",
    "active_units": "active units",
    "log_det_cov_test": "log det Cov",
}
OF_EITHER = {  # what is said of one split in METRICS, and shown here of either
    "log_det_cov_test": {
        "title": "Log-determinant of the codes' covariance",
        "help": "Volume of the cloud of codes: 0 is the prior's, above it the codes are blown up, "
        "below it they are pressed together. Compare Train and Test: where they differ, the "
        "encoder has learned its images by heart.",
    },
}

_component = st.components.v2.component(
    "infovae_latent",
    html='<div class="lab" style="min-height: 560px"></div>',  # the page does not jump on loading
    js=LOADER,
)


def view(
    run: Run, state: str, *, key: str = "latent", on_state_change: Callable[[], Any] = lambda: None
) -> Any:
    """Show the codes of a run beside the prior, also while it trains.

    `state` is what the page took the run's state to be: where the view hears of another, the page
    runs again.
    """
    of_points = state_of.about(run).get("kind") == "points"
    said = words.of_points if of_points else str
    facts = [
        {"name": name, "symbol": symbol}
        | {k: said(getattr(METRICS[name], k)) for k in ("title", "unit", "help")}
        | OF_EITHER.get(name, {})
        for name, symbol in FACTS.items()
    ]
    measured = {name: found for name, found in run.evaluation.items() if name in FACTS}
    return _component(
        key=key,
        data={
            "run": run.id,
            "state": state,
            "palette": tuple(CLASSES),  # a list would make streamlit load pandas
            "facts": json.dumps(facts),
            "measured": json.dumps(measured),
            "api": "/api/runs",
            "module": api.module("latent"),
        },
        on_state_change=on_state_change,
    )
