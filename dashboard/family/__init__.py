"""The (α, λ) plane of the family, to look at and to choose from: an SVG component.

Python says where everything lies; the browser says which point or landmark was chosen, and Python
which fields of an objective that means (`infovae_core.family`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard import api, palette
from dashboard.loader import LOADER
from infovae_core.family import coordinates, settings_at
from infovae_core.objectives import OBJECTIVES, InfoMaxVAE, InfoVAE, Objective
from infovae_core.presets import PRESETS

Record = Mapping[str, Any]

_component = st.components.v2.component(
    "infovae_family",
    html='<div class="family" style="min-height: 236px"></div>',  # no jump of the page on loading
    js=LOADER,
)


def plane(
    name: str,
    objective: Objective | None,
    in_run: Objective | None = None,
    *,
    on_pick: Callable[[Record], Any],
    key: str = "family",
) -> None:
    """Show where the objective called `name` lies, and where that of the run in view.

    `objective` is None while its settings are wrong. `on_pick` hears which fields of an objective
    put it where somebody clicked, before the page runs again; those of an InfoVAE where the
    objective is no member of the family, for no coefficient leads it there.
    """

    def picked() -> None:
        if choice := st.session_state[key].picked:
            outside = objective is not None and coordinates(objective) is None
            on_pick(record_of(choice, InfoVAE.__name__ if outside else name))

    both = (objective, in_run)
    beta = next((o.beta for o in both if isinstance(o, InfoMaxVAE)), InfoMaxVAE().beta)
    shown = {
        "form": _spot(name, objective),
        "run": _spot(in_run.name, in_run) if in_run and in_run != objective else None,
        "infomax": {"beta": beta, "color": palette.OBJECTIVES["InfoMaxVAE"]},
        "betavae": {"color": palette.OBJECTIVES["BetaVAE"]},
        "limits": {"alpha": _limits("alpha"), "lam": _limits("lam")},
        "landmarks": _landmarks(),
    }
    _component(
        key=key,
        # As text: to look for tables in dicts, streamlit would load pandas.
        data={"plane": json.dumps(shown), "module": api.module("family")},
        on_picked_change=picked,
    )


def record_of(choice: Record, name: str) -> Record:
    """The fields that a choice means: a landmark's own, or those that put `name` at a point."""
    if "landmark" in choice:
        return LANDMARKS[choice["landmark"]][1]
    return settings_at(float(choice["alpha"]), float(choice["lam"]), name)


LANDMARKS: dict[str, tuple[str, Record]] = {  # title and fields of the objective
    "VAE": ("VAE", {"name": "VAE"}),
    **{name: (preset.title, preset.settings["objective"]) for name, preset in PRESETS.items()},
}
LABELLED = ("VAE", "aae")  # also where nobody points at them
OUTSIDE = "its bound is on another divergence than I"  # of an InfoMax-VAE without a point


@functools.cache
def _landmarks() -> tuple[Record, ...]:
    """One for each point; presets whose objectives share it are named together."""
    made: dict[Any, dict[str, Any]] = {}
    for name, (title, record) in LANDMARKS.items():
        spot = _spot(record["name"], OBJECTIVES[record["name"]].model_validate(record))
        if spot["point"] in made:
            made[spot["point"]]["title"] += f"; {title}"
        else:
            label = title if name in LABELLED else ""
            made[spot["point"]] = spot | {"name": name, "title": title, "label": label}
    return tuple(made.values())


def _spot(name: str, objective: Objective | None) -> dict[str, Any]:
    """An objective as the browser draws it; without a point where it has none, and why."""
    point = objective and coordinates(objective)
    return {
        "title": OBJECTIVES[name].title,
        "color": palette.OBJECTIVES.get(name, palette.NEUTRAL),
        "point": point,
        "why": OUTSIDE if objective and point is None else "",
    }


@functools.cache
def _limits(field: str) -> tuple[float, float]:
    """The range of one of InfoVAE's coefficients."""
    about = InfoVAE.model_json_schema()["properties"][field]
    return about["minimum"], about["maximum"]
