"""A run directory as such: its name, its records, and the requests that viewers leave in it."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infovae_core.runs.files import FULL, overwrite, replace
from infovae_core.runs.queue import ticket_of

REQUESTS = frozenset({"stop", "pause", "label", "knobs", "evaluate", "cancel"})
ENDINGS = frozenset({"stop", "pause"})  # requests that also take a waiting run out of the queue


SMALL = frozenset({"status.json", "evaluating.json"})  # said also where the disk is full


class RunError(ValueError):
    """A run that cannot be had or may not be changed; the message names the remedy."""


@dataclass(frozen=True)
class Directory:
    """The directory of a run."""

    path: Path

    @property
    def id(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The directory that holds this run and its neighbours."""
        return self.path.parent

    def _record(self, name: str) -> dict[str, Any]:
        """The JSON object in a file, empty where there is none that can be read."""
        try:
            record = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write(self, name: str, record: dict[str, Any], indent: int | None = None) -> None:
        data = json.dumps(record, allow_nan=False, indent=indent).encode()
        try:
            replace(self.path / name, lambda file: file.write(data))
        except OSError as error:
            if error.errno not in FULL or name not in SMALL:
                raise
            overwrite(self.path / name, data)

    # What viewers may do.

    def request(self, name: str, text: str = "") -> None:
        """Leave a request for the worker; a run still waiting for one leaves the queue instead.

        Raises: RunError for a name not in `REQUESTS` and for a run that is gone.
        """
        if name not in REQUESTS:
            raise RunError(
                f"a request must be one of {', '.join(sorted(REQUESTS))}, got {name!r}; choose one"
            )
        try:
            replace(self._request(name), lambda file: file.write(text.encode()))
        except FileNotFoundError as error:
            raise RunError(f"run {self.id} must exist, got no such directory; reload") from error
        if name in ENDINGS and (ticket := ticket_of(self.path, "train")) is not None:
            ticket.unlink(missing_ok=True)

    def requested(self, name: str) -> bool:
        """Whether that request stands."""
        return self._request(name).exists()

    def withdraw(self, name: str) -> None:
        """Take a request back."""
        self._request(name).unlink(missing_ok=True)

    def _request(self, name: str) -> Path:
        return self.path / "requests" / name

    def _taken(self, name: str) -> Path:
        return self.path / "requests" / f".{name}.taken"

    # What its worker does.

    def take(self, name: str) -> str | None:
        """The text of a request, which is put aside until `settle`: a kill loses none."""
        with suppress(FileNotFoundError):
            return self._request(name).replace(self._taken(name)).read_text(encoding="utf-8")
        return None

    def asked(self, name: str) -> str | None:
        """The text of a request that stands, or was taken and not yet followed."""
        for path in (self._request(name), self._taken(name)):
            with suppress(OSError, UnicodeDecodeError):
                return path.read_text(encoding="utf-8")
        return None

    def settle(self, name: str) -> None:
        """Forget a request that was taken."""
        taken = self._taken(name)
        if taken.is_dir():  # no request of ours
            shutil.rmtree(taken, ignore_errors=True)
        else:
            taken.unlink(missing_ok=True)
