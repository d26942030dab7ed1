"""The form of objectives that are to be trained side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st
from pydantic import ValidationError

from dashboard import forms, state, uploads, words
from dashboard.experiments import Contender, describe, side_by_side
from infovae_core import fits, runs
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES

KEYS = "contenders"  # in the session: the keys of their forms, one for each
MADE = "contenders.made"  # how many there have been
BASE, REPEATS, PREFIX = "contenders.base", "contenders.repeats", "contenders.prefix"
FORM = "form"  # stands for the settings of the page Train
ABREAST = 4


def draw(root: Path, chosen: list[str], train: Callable[[list[RunConfig]], None]) -> None:
    """Objectives, the settings that they share, and the button with which to `train` them.

    The settings may be those of the `chosen` runs.
    """
    keys = _keys()
    drawn = []
    for start in range(0, len(keys), ABREAST):
        for cell, one in zip(st.columns(ABREAST), keys[start : start + ABREAST], strict=False):
            with cell.container(border=True):
                drawn.append(_draw_one(one, removable=len(keys) > 1))
    st.button(
        "Add an objective",
        key="add",
        type="tertiary",
        icon=":material/add:",
        on_click=_add,
        args=(Contender(),),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.selectbox(
            "All other settings",
            [FORM, *chosen],
            key=BASE,
            format_func=lambda id: _called(root, id),
            width=380,
        )
        repeats = st.number_input(
            "Seeds",
            min_value=1,
            max_value=20,
            key=REPEATS,
            persist_state="session",
            width=120,
            help="Runs of each objective. Those of one seed begin with the same weights and see "
            "the same batches in the same order.",
        )
        prefix = st.text_input(
            "Labels begin with", "comparison", key=PREFIX, persist_state="session", width=220
        )
        base, objectives = (
            _base(root, source),
            [form.value.objective for form in drawn if form.value],
        )
        sound = base is not None and len(objectives) == len(drawn)
        configs = side_by_side(base, objectives, int(repeats), prefix) if sound else []
        st.button(
            "Train 1 run" if len(configs) == 1 else f"Train {len(configs)} runs",
            key="train",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not sound,
            on_click=lambda: train(configs),
            help=None if sound else "A setting is wrong, here or on the page Train.",
        )
    if base is not None:
        st.caption(words.plain(describe(base)))


def _keys() -> list[str]:
    """The keys of the forms; at first there is one for each kind of objective."""
    if KEYS not in st.session_state:
        st.session_state[KEYS] = []
        for kind in OBJECTIVES.values():
            _add(Contender(objective=kind()))
    return st.session_state[KEYS]


def _add(contender: Contender) -> None:
    number = st.session_state[MADE] = st.session_state.get(MADE, 0) + 1
    forms.fill(f"contender.{number}", contender)
    st.session_state[KEYS].append(f"contender.{number}")


def _draw_one(key: str, removable: bool) -> forms.Form[Contender]:
    form = forms.Form(Contender, key)
    form.draw("objective")
    form.fold("Details", "objective")
    if removable:
        st.button(
            "Remove",
            key=f"remove.{key}",
            type="tertiary",
            icon=":material/close:",
            on_click=st.session_state[KEYS].remove,
            args=(key,),
        )
    return form


def _called(root: Path, source: str) -> str:
    if source == FORM:
        return "as on the page Train"
    return f"as in {state.summary(runs.Run(root / source)).name}"


def _base(root: Path, source: str) -> RunConfig | None:
    """The settings to train with; None where they are wrong, or of another version."""
    if source == FORM:
        about = uploads.Look().about
        return forms.Form(RunConfig, state.FORM, partial(fits.refusals, about=about)).value
    try:
        return state.settings(runs.Run(root / source))
    except (runs.RunError, ValidationError):
        return None
