"""The settings in the form beside those of a run, and the knobs that differ."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard import forms
from dashboard.state.actions import attempt
from infovae_core import knobs, runs, worker
from infovae_core.config import RATES, Knobs, RunConfig
from infovae_core.objectives import Objective

FORM = "config"  # the settings in the sidebar
TURNABLE = runs.ACTIVE | {"paused"}  # states in which a run's knobs can be turned


def adopt(run: runs.Run | None) -> None:
    """Begin a session's settings, from those of the run that it was opened on if there is one."""
    if FORM not in st.session_state:
        forms.fill(FORM, RunConfig())
        if run is not None:
            with suppress(runs.RunError, ValidationError):
                copy(run)


def copy(run: runs.Run) -> None:
    """Put a run's settings, as its knobs stand now, into the form.

    Raises: RunError, ValidationError where this version cannot read them.
    """
    forms.fill(FORM, settings(run))


def differs(run: runs.Run, config: RunConfig | None) -> bool:
    """Whether the form says something else than what the run was asked to do."""
    with suppress(runs.RunError, ValidationError):
        return config is None or settings(run) != config.model_copy(update={"label": ""})
    return False  # nothing that could be copied


def choose(objective: Mapping[str, Any]) -> None:
    """Put these fields of an objective into the form, and leave the others as they are."""
    forms.put(FORM, {"objective": objective})


def objective(run: runs.Run | None) -> Objective | None:
    """What a run minimises as its knobs stand now; None without one that this version can read."""
    with suppress(runs.RunError, ValidationError):
        return run and settings(run).objective
    return None


def repeat(run: runs.Run) -> None:
    """Queue a new run that does what `run` did, its turns included.

    Raises: RunError, ValidationError where this version cannot read its settings.
    """
    worker.launch(knobs.repeat(run))


def expected(run: runs.Run) -> RunConfig:
    """The settings of a run once the knobs that somebody asked for are turned.

    Raises: RunError, ValidationError where this version cannot read them.
    """
    now, wish = settings(run), knobs.pending(run)
    return now if wish is None else now.turned(wish)


def turning(run: runs.Run, config: RunConfig | None) -> dict[str, tuple[Any, Any]]:
    """What of a run that is not over would change if its knobs were set as `config` has them.

    By title: value now, or as asked for already, and then. Empty where nothing would, or where
    knobs are not enough.
    """
    if config is None or run.state not in TURNABLE:
        return {}
    with suppress(runs.RunError, ValidationError):
        now = expected(run)
        wish = now.knobs_to(config)
        return {} if wish is None else now.said_of_turn(wish)
    return {}


def waiting(run: runs.Run) -> dict[str, tuple[Any, Any]]:
    """What was asked of a run's knobs and not turned yet, as in `turning`."""
    with suppress(runs.RunError, ValidationError):
        wish = knobs.pending(run)
        return {} if wish is None else settings(run).said_of_turn(wish)
    return {}


def turn(run: runs.Run, config: RunConfig) -> None:
    """Have the knobs of a run turned to where `config` has them."""
    attempt(knobs.ask, run, config.knobs)


def follow(run: runs.Run, moved: Mapping[str, Any]) -> None:
    """Have those knobs of a run turned that moved in the form; others stay as others left them."""
    now = expected(run).model_dump()
    for section in (now["objective"], now["training"]):
        section.update({name: value for name, value in moved.items() if name in section})
    attempt(lambda: turn(run, RunConfig.model_validate(now)))


def moved(config: RunConfig | None) -> dict[str, Any]:
    """The knobs that stand elsewhere in the form than when it was last valid, by field."""
    before = st.session_state.get("knobs")
    if config is None:
        return {}
    rates = config.knobs.model_dump(include=set(RATES))
    now = st.session_state["knobs"] = config.objective.model_dump() | rates
    return {name: now[name] for name in now if before is not None and before.get(name) != now[name]}


def settings(run: runs.Run) -> RunConfig:
    """What makes a run what it is, as its knobs stand now: all but its label.

    Raises: RunError, ValidationError where this version cannot read them.
    """
    config = RunConfig.model_validate(run.config | {"label": "", "turns": ()})
    turned = run.status["knobs"]
    return config if turned is None else config.turned(Knobs.model_validate(turned))


def just_started(run: runs.Run | None, config: RunConfig) -> bool:
    """Whether `run` is this config's, begun a moment ago: then a second click says nothing new."""
    if run is None or time.time() - (run.status["created"] or 0) > 1:
        return False
    with suppress(runs.RunError):
        return run.config == config.model_dump(mode="json")
    return False
