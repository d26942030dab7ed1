"""The run in view, the links between pages, and what all viewers share."""

from __future__ import annotations

import functools
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import ValidationError
from streamlit.errors import StreamlitAPIException

from dashboard import access, forms, palette, words
from infovae_core import catalogue, knobs, runs, worker
from infovae_core.config import RATES, Knobs, RunConfig
from infovae_core.objectives import Objective

PAGES = Path(__file__).parent.parent / "pages"
TRAIN, RUNS, COMPARE, LATENT, TRAVERSE, INFORMATION = (
    PAGES / f"{name}.py"
    for name in ("train", "runs", "compare", "latent", "traverse", "information")
)
FORM = "config"  # the settings in the sidebar
TURNABLE = runs.ACTIVE | {"paused"}  # states in which a run's knobs can be turned


@functools.cache
def settle(page: str = "") -> None:
    """Once for each page that loads more: exempt what is loaded by now from garbage collection.

    Streamlit collects all generations after each run of a script, and walking through every module
    each time is most of what a refresh would cost.
    """
    gc.collect()
    gc.freeze()


# The address.


def run_in_view(root: Path) -> tuple[str | None, runs.Run | None]:
    """The id that the address asks for, and its run if there is one.

    Who comes back from another page, whose links name no run, finds the run left behind; who goes
    back to an address without a run finds none.
    """
    asked, before = st.query_params.get("run"), came_from("train")
    if asked is None and before not in (None, "train"):
        left = st.session_state.get("left")
        if left and find(root, left):
            st.query_params["run"] = asked = left
    st.session_state["left"] = asked
    return asked, find(root, asked) if asked else None


def one_in_view(key: str, page: str, ids: Sequence[str]) -> str | None:
    """Let the widget under `key` choose, of `ids`, the run that the address names.

    Gives the id that is asked for and not there. Where none is asked for, it is the run left behind
    on another page, else the first. Call `view` once the widget has been drawn.
    """
    asked, left = st.query_params.get("run"), st.session_state.get("left")
    came_from(page)
    if key not in st.session_state or (asked is not None and asked != left):
        wanted = left if asked is None else asked
        st.session_state[key] = wanted if wanted in ids else ids[0]
    elif st.session_state[key] not in ids:
        st.session_state[key] = ids[0]  # it was deleted
    return asked if asked not in (None, *ids) else None


def say_absent(id: str | None) -> None:
    """Say that the run which the address asks for is not here, if there is one such."""
    if id is not None:
        said = words.plain(words.short(id, 60))
        st.warning(f"There is no run “{said}” here; this is another.", icon=":material/search_off:")


def runs_in_view(root: Path, key: str, most: int, page: str) -> list[str]:
    """Let the widget under `key` say which runs the address lists; the ids of those not here.

    It takes no more than `most`. Who comes back to `page` from another finds the runs left behind.
    Call `view_runs` once the widget has been drawn.
    """
    asked, before = st.query_params.get("runs"), came_from(page)
    left = st.session_state.get(f"listed.{page}")
    if asked is None and before not in (None, page):
        asked = left
    if asked is not None and (asked != left or key not in st.session_state):
        st.session_state[key] = list(dict.fromkeys(filter(None, asked.split(","))))
    ids = st.session_state.get(key, [])
    st.session_state[key] = [id for id in ids if find(root, id)][:most]
    return [id for id in ids if not find(root, id)]


def view_runs(ids: Sequence[str], page: str) -> None:
    """Put these runs into the address of the page."""
    st.session_state[f"listed.{page}"] = listed = ",".join(ids)
    _put("runs", listed)


def came_from(page: str) -> str | None:
    """The page that this session was on before; from now on it is on `page`."""
    before = st.session_state.get("page")
    st.session_state["page"] = page
    return before


def view(run: runs.Run) -> None:
    """Put `run` into the address."""
    st.session_state["left"] = run.id
    _put("run", run.id)


def _put(name: str, text: str) -> None:
    """Put `text` into the address, where it does not stand there: browsers count every change."""
    if text != st.query_params.get(name, ""):
        if text:
            st.query_params[name] = text
        else:
            st.query_params.pop(name, None)


def to_watch(root: Path) -> runs.Run | None:
    """The run that trains, else the newest one that can be read, if there is any."""
    lines = [line for line in summaries(root) if not line.problem]
    lines.sort(key=lambda line: line.state != "running")
    return lines[0].run if lines else None


def find(root: Path, id: str) -> runs.Run | None:
    """The run of that id, or None."""
    with suppress(runs.RunError):
        return runs.find(root, id)
    return None


def attempt(action: Callable[..., Any], *args: Any) -> Any:
    """Do what a button asks for, where that is not for viewers to do; see `look`.

    All by which a page changes anything passes here.
    """

    def allowed() -> Any:
        access.check()
        return action(*args)

    return look(allowed)


def look(action: Callable[..., Any], *args: Any) -> Any:
    """Do something that changes nothing; why it was refused is said by `say_refusal`."""
    try:
        return action(*args)
    except (ValidationError, runs.RunError, OSError) as error:
        st.session_state["refused"] = worker.explain(error)
    return None


def say_refusal() -> None:
    """Say once why the last button was refused."""
    if "refused" in st.session_state:
        st.error(words.plain(st.session_state.pop("refused")), icon=":material/error:")


def link(label: str, page: Path, help: str | None = None, **address: str) -> None:
    """A link to another page; only its label where this page stands without the frame."""
    try:
        st.page_link(page, label=f":blue[{label}]", help=help, query_params=address or None)
    except StreamlitAPIException:
        st.markdown(label)


# The settings.


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


# The list of runs, read once for all viewers.


@dataclass(frozen=True)
class Summary:
    """What a line of the list says of a run."""

    run: runs.Run
    label: str
    state: str
    status: Mapping[str, Any]
    objective: Mapping[str, Any]
    data: str
    latent_dim: int | None
    problem: str  # why the run cannot be read, or ""

    @property
    def name(self) -> str:
        """What to call the run."""
        return self.label or self.run.id

    @property
    def model(self) -> str:
        """The objective with its colour and coefficients, as Markdown."""
        chip = palette.chip(self.objective.get("name"))
        turned = " (turned)" if self.status["knobs"] else ""
        return f"{chip} {words.plain(' '.join(words.objective(self.objective)) + turned)}"

    @property
    def setting(self) -> str:
        """What is encoded, and into how many dimensions: 'digits, d = 2'."""
        return self.data if self.latent_dim is None else f"{self.data}, d = {self.latent_dim}"

    @property
    def age(self) -> float | None:
        """Seconds since the run was asked for."""
        created = self.status["created"]
        return None if created is None else max(0.0, time.time() - created)

    def matches(self, text: str) -> bool:
        """Whether every word of `text` occurs in the line."""
        said = (self.label, self.run.id, self.setting, str(self.objective), self.problem)
        line = " ".join(said).casefold()
        return all(word in line for word in text.casefold().split())


def summaries(root: Path) -> list[Summary]:
    """All runs in `root`, newest first; what has not changed is not read again."""
    waiting = {runs.holder(ticket).id for ticket in runs.tickets(root)}
    return [_summary(run, run.id in waiting) for run in runs.list_runs(root)]


def summary(run: runs.Run) -> Summary:
    """One line of the list."""
    return _summary(run, waits=True)


def rows(run: runs.Run) -> Sequence[Mapping[str, Any]]:
    """All metric rows, oldest first; those that lack what every row has are passed over."""
    return _rows(run, _stamp(run, "metrics.jsonl"))


def about(run: runs.Run) -> Mapping[str, Any]:
    """What the run said of itself when it started: quantities, classes, shapes."""
    return _about(run, _stamp(run, "events.jsonl"))


def last_test(run: runs.Run) -> Mapping[str, float | None]:
    """The newest values on held-out images, by name."""
    return _last_test(run, _stamp(run, "metrics.jsonl"))


def _summary(run: runs.Run, waits: bool) -> Summary:
    files = ("config.json", "status.json", "requests/label")
    stored = _stored(run, tuple(_stamp(run, name) for name in files))
    if stored.state in runs.STATES and stored.state not in runs.ACTIVE and not waits:
        return stored
    return replace(stored, state=run.state)  # whether it lives is not written in the files


@functools.lru_cache(maxsize=4096)
def _stored(run: runs.Run, stamps: tuple) -> Summary:
    status = run.status
    try:
        config, problem = run.config, ""
    except runs.RunError as error:
        config, problem = {}, str(error)
    return Summary(
        run=run,
        label=run.label,
        state=str(status["state"]),
        status=status,
        objective=_named(_section(_section(status, "knobs") or config, "objective")),
        data=catalogue.called(_section(config, "data")),
        latent_dim=_section(config, "model").get("latent_dim"),
        problem=problem,
    )


@functools.lru_cache(maxsize=32)
def _rows(run: runs.Run, stamp: object) -> Sequence[Mapping[str, Any]]:
    whole = {"step", "epoch", "seconds", "split", "values"}
    return [row for row in run.rows() if row.keys() >= whole and isinstance(row["values"], dict)]


@functools.lru_cache(maxsize=64)
def _about(run: runs.Run, stamp: object) -> Mapping[str, Any]:
    said = (_section(event, "about") for event in reversed(run.events()))
    return next(filter(None, said), {})


@functools.lru_cache(maxsize=1024)
def _last_test(run: runs.Run, stamp: object) -> Mapping[str, float | None]:
    row = run.last("test")
    return _section(row or {}, "values")


def _section(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = record.get(name)
    return section if isinstance(section, dict) else {}


def _named(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record whose name can be looked up, whatever it is."""
    return record if isinstance(record.get("name", ""), str) else {}


def _stamp(run: runs.Run, name: str) -> tuple[int, ...] | None:
    """What differs whenever the file does."""
    try:
        stat = os.stat(f"{run.path}/{name}")  # text: joining Paths is most of the cost of a list
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
