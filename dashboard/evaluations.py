"""Having runs evaluated: which metrics, and how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from dashboard import access, state, words
from dashboard.comparison import Entry
from dashboard.waiting import waits_for
from infovae_core import runs, worker
from infovae_core.metrics import METRICS

WANTED = "evaluations.wanted"
COSTS = {"cheap": "seconds", "medium": "up to a minute", "dear": "minutes"}  # for each run
ABREAST = 4  # bars


class Bar(NamedTuple):
    """How far something is that goes on."""

    title: str
    share: float
    said: str


def draw(compared: Sequence[Entry]) -> None:
    """A choice of metrics, and the button that has them measured."""
    with st.popover("Evaluate", icon=":material/straighten:"):
        top = st.container()  # the list below it may be longer than the screen
        for cost, time in COSTS.items():
            st.pills(
                f"{cost.capitalize()}: {time} for a run",
                names := [name for name, metric in METRICS.items() if metric.cost == cost],
                default=names if cost == "cheap" else None,
                selection_mode="multi",
                key=f"{WANTED}.{cost}",
                format_func=lambda name: METRICS[name].title,
                persist_state="session",
            )
        ready = resting(compared)
        wanted = [name for cost in COSTS for name in st.session_state[f"{WANTED}.{cost}"]]
        if not ready:
            hint = "Runs are evaluated once they rest: wait for their end, or pause them."
        else:
            hint = "On held-out data, at the last checkpoint; the worker does it, one by one."
        count = f"{len(ready)} runs" if len(ready) != 1 else "1 run"
        top.button(
            f"Evaluate {count}" if ready else "Evaluate",
            key="evaluate",
            type="primary",
            disabled=not (ready and wanted),
            on_click=_launch,
            args=(ready, wanted),
            help=hint,
        )


def resting(compared: Sequence[Entry]) -> list[runs.Run]:
    """The runs that nobody trains, so that they can be evaluated."""
    return [entry.run for entry in compared if entry.summary.state not in runs.ACTIVE]


def bars(compared: Sequence[Entry]) -> list[Bar]:
    """Of the runs that wait, train or are evaluated."""
    found = []
    for entry in compared:
        status, evaluating = entry.summary.status, entry.run.evaluating
        if entry.summary.state in runs.ACTIVE:
            done, planned = (words.number(status[name]) for name in ("epoch", "epochs"))
            said = f"epoch {done} of {planned}" if status["step"] else entry.summary.state
            if entry.summary.state == "queued":
                said = waits_for(entry.run, "train")
            found.append(Bar(entry.title, (status["step"] or 0) / (status["steps"] or 1), said))
        elif evaluating is not None:
            name = METRICS.get(evaluating["name"])
            said = f"measuring: {name.title}" if name else "begins to be evaluated"
            if evaluating["state"] == "waiting":
                said = f"to be evaluated, {waits_for(entry.run, 'evaluate')}"
            found.append(Bar(entry.title, evaluating["share"], said))
    return found


def progress(compared: Sequence[Entry]) -> bool:
    """Draw the bars, and the button that ends evaluations; whether there is one."""
    found = bars(compared)
    for start in range(0, len(found), ABREAST):
        for cell, bar in zip(st.columns(ABREAST), found[start : start + ABREAST], strict=False):
            said = words.plain(f"{bar.title} · {bar.said}")
            cell.progress(min(max(bar.share, 0.0), 1.0), f":small[{said}]")
    evaluated = [entry.run for entry in compared if entry.run.evaluating is not None]
    if evaluated and not access.viewer():
        ending = all(run.requested("cancel") for run in evaluated)
        st.button(
            "Cancelling" if ending else "Cancel the evaluation",
            key="cancel",
            type="tertiary",
            icon=":material/hourglass_empty:" if ending else ":material/close:",
            disabled=ending,
            on_click=_cancel,
            args=(evaluated,),
            help="What was measured is kept.",
        )
    return bool(found)


def say_failures(compared: Sequence[Entry]) -> None:
    """Why evaluations did not come to their end."""
    for entry in compared:
        if error := entry.run.evaluation_error:
            st.warning(words.plain(f"{entry.title}: {error}"), icon=":material/straighten:")


def _launch(chosen: Sequence[runs.Run], wanted: Sequence[str]) -> None:
    for run in chosen:
        state.attempt(worker.launch_evaluation, run, wanted)


def _cancel(chosen: Sequence[runs.Run]) -> None:
    for run in chosen:
        state.attempt(run.cancel_evaluation)
