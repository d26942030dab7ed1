"""The list of runs and what is logged of each, read once for all viewers."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dashboard import palette, words
from dashboard.limits import Cache
from infovae_core import catalogue, runs

ROOM = 128_000_000  # bytes for the rows of runs
HELD = 5  # bytes that a byte of the file takes once it is read, about


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
    waiting = runs.waiting(root, "train")  # once for all, for hundreds may wait
    lines = [_summary(run, run.id in waiting) for run in runs.list_runs(root)]
    moved = waiting ^ runs.waiting(root, "train")  # some have come, and some begun, meanwhile
    return [replace(line, state=line.run.state) if line.run.id in moved else line for line in lines]


def summary(run: runs.Run) -> Summary:
    """One line of the list."""
    return _summary(run, run.ticket is not None)


def rows(run: runs.Run) -> Sequence[Mapping[str, Any]]:
    """All metric rows, oldest first; those that lack what every row has are passed over."""
    stamp, known = _stamp(run, "metrics.jsonl"), _ROWS.get(run)
    if known is None or known.stamp != stamp:
        known = _ROWS.put(run, _Logged(stamp, _whole(run.rows())))
    return known.rows


def about(run: runs.Run) -> Mapping[str, Any]:
    """What the run said of itself when it started: quantities, classes, shapes."""
    return _about(run, _stamp(run, "events.jsonl"))


def last_test(run: runs.Run) -> Mapping[str, float | None]:
    """The newest values on held-out images, by name."""
    return _last_test(run, _stamp(run, "metrics.jsonl"))


def _summary(run: runs.Run, waits: bool) -> Summary:
    files = ("config.json", "status.json", "requests/label")
    stored = _stored(run, tuple(_stamp(run, name) for name in files))
    state = run.state_by(waits, stored.status)  # whether it lives is not written in the files
    return stored if state == stored.state else replace(stored, state=state)


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


class _Logged(NamedTuple):
    """The rows of a run, as its file was at a stamp."""

    stamp: tuple[int, ...] | None
    rows: Sequence[Mapping[str, Any]]

    @property
    def size(self) -> int:
        """Bytes that the rows take, about."""
        return HELD * self.stamp[1] if self.stamp else 0


_ROWS = Cache(ROOM, size=lambda logged: logged.size)  # for all viewers; of each run what it is now


def _whole(rows: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Rows without those that lack what every row has."""
    names = {"step", "epoch", "seconds", "split", "values"}
    return [row for row in rows if row.keys() >= names and isinstance(row["values"], dict)]


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
