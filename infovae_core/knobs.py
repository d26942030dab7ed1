"""Knobs that viewers turn while a run trains: asked for, recorded, replayed.

A viewer leaves `requests/knobs`; the worker takes it between two steps and records an event with
the step, so that a run that is resumed, or repeated, turns them again at the same place. Loads no
torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError

from infovae_core import runs
from infovae_core.config import Knobs, RunConfig, Turn
from infovae_core.errors import explain
from infovae_core.runs import Run, RunError

TURNED = "turned"  # the event


def ask(run: Run, knobs: Knobs) -> None:
    """Ask the worker of `run` to turn `knobs`; a later wish replaces one not yet taken.

    Raises: RunError for a run that is gone.
    """
    run.request("knobs", knobs.model_dump_json(exclude_none=True))


def pending(run: Run) -> Knobs | None:
    """What is asked for and not turned yet, where it can be read."""
    with suppress(ValidationError):
        text = run.asked("knobs")
        return None if text is None else Knobs.model_validate_json(text)
    return None


def take(run: Run, config: RunConfig) -> Knobs | None:
    """The knobs that a viewer asked for, or None where that changes nothing.

    `Run.settle` is to follow once they are turned.

    Raises: ValueError, OSError where the request cannot be followed.
    """
    text = run.take("knobs")
    if text is None:
        return None
    try:
        knobs = Knobs.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"knobs stay as they are: {explain(error)}") from error
    if knobs.objective is not None:
        config.objective.check_turn(knobs.objective)
    return knobs if config.said_of_turn(knobs) else None


def recorded(run: Run, config: RunConfig) -> tuple[tuple[Turn, ...], list[str]]:
    """What was turned so far, in order, and why some of it cannot be read."""
    found: dict[int, Turn] = {}
    problems = []
    for event in run.events():
        if event.get("event") != TURNED:
            continue
        try:
            turn = Turn.model_validate({name: event.get(name) for name in ("step", "knobs")})
            if turn.knobs.objective is not None:
                config.objective.check_turn(turn.knobs.objective)
        except ValueError as error:
            problems.append(f"what was turned after step {event.get('step')}: {explain(error)}")
        else:
            found[turn.step] = turn
    return tuple(found[step] for step in sorted(found)), problems


def in_force(config: RunConfig, turns: Iterable[Turn]) -> RunConfig:
    """The settings once all of `turns` were made."""
    for turn in turns:
        config = config.turned(turn.knobs)
    return config


def repeat(run: Run) -> Run:
    """A new run that will do what `run` did: its settings, and its turns at the same steps.

    Raises: as `replica`.
    """
    return runs.create(run.root, replica(run))


def replica(run: Run) -> RunConfig:
    """The settings with which a run does what `run` did, the turns made in it included.

    Raises: ValidationError where its config cannot be read; RunError where its turns cannot.
    """
    config = RunConfig.model_validate(run.config)
    turned, problems = recorded(run, config)
    if problems:
        raise RunError(
            f"a run must say what was turned in it to be repeated, got {problems[0]}; "
            "repeat it with the version that trained it"
        )
    turns = {turn.step: turn for turn in (*config.turns, *turned)}
    return config.model_copy(update={"turns": tuple(turns[step] for step in sorted(turns))})
