"""Knobs that viewers turn while a run trains: asked for, recorded, replayed.

A viewer leaves `requests/knobs`; the worker takes it between two steps and records an event with
the step, so that a run that is resumed, or repeated, turns them again at the same place. Loads no
torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from infovae_core import runs
from infovae_core.config import Knobs, RunConfig, Turn
from infovae_core.runs import Run

TURNED = "turned"  # the event


def ask(run: Run, knobs: Knobs) -> None:
    """Ask the worker of `run` to turn `knobs`; a later wish replaces one not yet taken.

    Raises: RunError for a run that is gone.
    """
    run.request("knobs", knobs.model_dump_json(exclude_none=True))


def take(run: Run, config: RunConfig) -> Knobs | None:
    """The knobs that a viewer asked for, or None where that changes nothing; see `settle`.

    Raises: ValueError where the request cannot be followed.
    """
    text = run.take("knobs")
    if text is None:
        return None
    try:
        knobs = Knobs.model_validate_json(text)
    except ValidationError as error:
        raise ValueError("a request for knobs must be a record of them, got another") from error
    if knobs.objective is not None:
        config.objective.check_turn(knobs.objective)
    return knobs if config.said_of_turn(knobs) else None


def recorded(run: Run) -> tuple[Turn, ...]:
    """What was turned so far, in order."""
    found: dict[int, Turn] = {}
    for event in run.events():
        if event.get("event") == TURNED:
            try:
                turn = Turn.model_validate({"step": event["step"], "knobs": event["knobs"]})
            except (KeyError, ValidationError):
                continue  # of another version
            found[turn.step] = turn
    return tuple(found[step] for step in sorted(found))


def in_force(config: RunConfig, turns: Iterator[Turn] | tuple[Turn, ...]) -> RunConfig:
    """The settings once all of `turns` were made."""
    for turn in turns:
        config = config.turned(turn.knobs)
    return config


def repeat(run: Run) -> Run:
    """A new run that will do what `run` did: its settings, and its turns at the same steps.

    Raises: RunError, ValidationError where its config cannot be read.
    """
    config = RunConfig.model_validate(run.config)
    turns = {turn.step: turn for turn in (*config.turns, *recorded(run))}
    again = config.model_copy(update={"turns": tuple(turns[step] for step in sorted(turns))})
    return runs.create(run.root, again)
