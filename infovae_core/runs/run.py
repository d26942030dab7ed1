"""One run: what it was asked, how it stands, what it has logged."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from infovae_core.runs.directory import RunError
from infovae_core.runs.drawn import Drawn
from infovae_core.runs.evaluated import Evaluated
from infovae_core.runs.files import Tail, append, finite, last_of
from infovae_core.runs.life import lives, signature
from infovae_core.runs.queue import ticket_of
from infovae_core.runs.records import event_of, mapping, number, row_of, sound, text, whole

STATES = ("queued", "running", "paused", "finished", "stopped", "failed", "interrupted")
ACTIVE = frozenset({"queued", "running"})
RESUMABLE = frozenset({"paused", "stopped", "interrupted", "failed"})

BLANK: dict[str, Any] = {  # a status of which nothing is known
    "state": None,
    "step": None,  # done,
    "steps": None,  # of as many planned
    "epoch": None,  # completed, with a fraction
    "epochs": None,
    "rate": None,  # images per second
    "seconds": None,  # of training so far
    "device": None,
    "error": None,  # one line
    "preparing": None,  # of the data, before the first step: done, of how many (0: unknown), what
    "drawing": None,  # the same of what takes its time later: a snapshot's images, the compiler
    "knobs": None,  # as they were turned last
    "created": None,  # Unix time, as is
    "heartbeat": None,
    "pid": None,
    "host": None,
}


STATUS = {  # of which kind each is
    **dict.fromkeys(("state", "device", "error", "host"), text),
    **dict.fromkeys(("step", "steps", "pid"), whole),
    **dict.fromkeys(("epoch", "epochs", "rate", "seconds", "heartbeat"), number),
    "created": lambda value: number(value) and 0 <= value < YEAR_9000,
    "preparing": lambda value: (
        mapping(value)
        and whole(value.get("done"))
        and whole(value.get("of"))
        and text(value.get("what"))
    ),
    "knobs": mapping,
}
YEAR_9000 = 221_845_392_000  # as a Unix time, which a calendar still knows


class Run(Drawn, Evaluated):
    """One run directory."""

    @property
    def label(self) -> str:
        """What a viewer renamed the run to, else what its config calls it, else ""."""
        try:
            return (self.path / "requests" / "label").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            pass
        try:
            return str(self.config.get("label") or "")
        except RunError:
            return ""

    @property
    def config(self) -> dict[str, Any]:
        """What the run was asked to do.

        Raises: RunError when config.json cannot be read as a JSON object.
        """
        try:
            config = json.loads((self.path / "config.json").read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise self._unreadable(type(error).__name__) from error
        if not isinstance(config, dict):
            raise self._unreadable(type(config).__name__)
        return config

    def _unreadable(self, got: str) -> RunError:
        return RunError(
            f"config.json of run {self.id} must be a JSON object, got {got}; "
            "put the file right or delete the run"
        )

    @property
    def status(self) -> dict[str, Any]:
        """What the worker last said of itself, every key of `BLANK` present."""
        return BLANK | sound(self._record("status.json"), STATUS)

    @property
    def state(self) -> str:
        """One of `STATES`: what the worker said, checked against what is there.

        A run waits because it has a ticket and works because its worker lives; one that says so
        without either was interrupted, or withdrawn by a request before any worker took it.
        """
        waits = self.ticket is not None  # first, for it goes once the status says running
        return self.state_by(waits, self.status)

    def state_by(self, waits: bool, status: Mapping[str, Any]) -> str:
        """The state by a status that was read after it was seen whether the run waits."""
        if status["state"] == "running" and lives(status):
            return "running"
        if waits:
            return "queued"
        if status["state"] in ("paused", "finished", "stopped", "failed"):
            return status["state"]
        if self.requested("stop"):
            return "stopped"
        return "paused" if self.requested("pause") else "interrupted"

    @property
    def ticket(self) -> Path | None:
        """The run's place in the queue of those to be trained."""
        return ticket_of(self.path, "train")

    def rows(self) -> list[dict[str, Any]]:
        """All metric rows, oldest first."""
        return Tail(self.path / "metrics.jsonl", row_of).read()

    def events(self) -> list[dict[str, Any]]:
        """All events, oldest first."""
        return Tail(self.path / "events.jsonl", event_of).read()

    def last(self, split: str = "test") -> dict[str, Any] | None:
        """The newest metric row of `split`."""
        log = self.path / "metrics.jsonl"
        for reach in (1 << 16, None):  # the end will do, unless rows of `split` are far between
            rows = reversed(last_of(log, reach, row_of))
            if (row := next((row for row in rows if row["split"] == split), None)) is not None:
                return row
        return None

    # What viewers may do.

    def rename(self, label: str) -> None:
        """Call the run `label`, on one line."""
        self.request("label", " ".join(label.split())[:200])

    def delete(self) -> None:
        """Remove the directory for good.

        Raises: RunError while the run is queued, running or being evaluated.
        """
        if (state := self.state) in ACTIVE:
            raise RunError(f"a run must be at rest to be deleted, got {state}; stop it first")
        if self.evaluating is not None:
            raise RunError(
                f"a run must be at rest to be deleted, got {self.id}, which is being evaluated; "
                "cancel that first"
            )
        try:
            self.path.rename(self.root / f".deleted-{self.id}-{secrets.token_hex(4)}")
        except FileNotFoundError:
            return  # another viewer was faster
        for gone in self.root.glob(".deleted-*"):  # and what a kill may have left of earlier ones
            shutil.rmtree(gone, ignore_errors=True)

    # What its worker does.

    def log(self, row: dict[str, Any]) -> None:
        """Append a metric row; values that are not finite are written as null."""
        values = {k: finite(v) for k, v in row["values"].items()}
        append(self.path / "metrics.jsonl", row | {"values": values})

    def event(self, kind: str, step: int, **more: Any) -> None:
        """Append an event."""
        append(
            self.path / "events.jsonl", {"event": kind, "time": time.time(), "step": step} | more
        )

    def trace(self) -> None:
        """Append the exception being handled to worker.log, as far as the disk has room."""
        with suppress(OSError), (self.path / "worker.log").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)

    def set_status(self, **changes: Any) -> None:
        """Change the status, signed by this process with a new heartbeat."""
        self._write("status.json", self.status | changes | signature())

    def mend(self) -> None:
        """Put right what a killed worker may have left.

        That is a last line cut short, files half written, a request taken and not followed.
        """
        for name in ("metrics.jsonl", "events.jsonl"):
            if (log := self.path / name).exists():
                os.truncate(log, log.read_bytes().rfind(b"\n") + 1)
        if self._taken("knobs").exists() and not self.requested("knobs"):
            self._taken("knobs").replace(self._request("knobs"))
        for folder in (self.path, self.path / "snapshots", self.path / "decoders"):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)
