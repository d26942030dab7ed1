"""What is measured of a run on demand, and how far that is."""

from __future__ import annotations

from typing import Any

from infovae_core.runs.directory import Directory
from infovae_core.runs.files import finite
from infovae_core.runs.life import lives, signature
from infovae_core.runs.queue import ticket_of
from infovae_core.runs.records import listing, mapping, number, sound, text, whole

MEASURED: dict[str, Any] = {  # a metric of which nothing is known
    "value": None,
    "error": None,  # standard error
    "low": None,  # 95 % interval
    "high": None,
    "cap": None,  # what the estimator cannot exceed
    "n": None,  # images, or samples
    "step": None,
    "settings": {},
    "seconds": None,  # it took
    "time": None,  # Unix time, when it was done
    "note": "",
}
EVALUATION: dict[str, Any] = {  # an evaluation of which nothing is known
    "names": [],  # of the metrics asked for
    "seed": 0,
    "name": None,  # of the one that is being measured
    "share": 0.0,  # of all that is done
    "seconds": 0.0,  # since it began
    "error": None,  # one line
    "heartbeat": None,
    "pid": None,
    "host": None,
}


METRIC = {  # of which kind each is
    **dict.fromkeys(("value", "error", "low", "high", "cap", "seconds", "time"), number),
    **dict.fromkeys(("n", "step"), whole),
    "settings": mapping,
    "note": text,
}
ASKED = {
    "names": listing(text),
    **dict.fromkeys(("seed", "pid"), whole),
    **dict.fromkeys(("name", "error", "host"), text),
    **dict.fromkeys(("share", "seconds", "heartbeat"), number),
}


class Evaluated(Directory):
    """A run as it is evaluated; its own state knows nothing of that."""

    @property
    def evaluation(self) -> dict[str, dict[str, Any]]:
        """What was measured on demand, by the metric's name.

        Each with value, error, low, high, cap and n (numbers or None), note, settings, and the step
        it is of, the seconds it took and the Unix time at which it was done.
        """
        records = self._record("evaluation.json")
        return {
            name: MEASURED | sound(record, METRIC)
            for name, record in records.items()
            if isinstance(record, dict)
        }

    @property
    def evaluating(self) -> dict[str, Any] | None:
        """How far the evaluation of this run is, or None where there is none under way.

        Its `state` is waiting, for a slot on the device, or running; the rest is as in
        `EVALUATION`.
        """
        if ticket_of(self.path, "evaluate") is not None:  # first: it goes once the file says so
            return EVALUATION | {"state": "waiting"} | self.asked_evaluation
        status = self.evaluation_status
        under_way = status["error"] is None and lives(status)
        return status | {"state": "running"} if under_way else None

    @property
    def evaluation_error(self) -> str | None:
        """Why the last evaluation did not come to its end, or None."""
        if not (self.path / "evaluating.json").exists() or self.evaluating is not None:
            return None
        return self.evaluation_status["error"] or (
            "an evaluation must keep its worker until it is done, got one that is gone; "
            "evaluate again: what it had measured is kept"
        )

    @property
    def asked_evaluation(self) -> dict[str, Any]:
        """What the request to evaluate asks for: names, seed."""
        return sound(self._record("requests/evaluate"), ASKED)

    @property
    def evaluation_status(self) -> dict[str, Any]:
        """What the worker last said of the evaluation, every key of `EVALUATION` present."""
        return EVALUATION | sound(self._record("evaluating.json"), ASKED)

    def cancel_evaluation(self) -> None:
        """Take the evaluation out of the queue, or end it; what it has measured is kept."""
        self.request("cancel")
        if (ticket := ticket_of(self.path, "evaluate")) is not None:
            ticket.unlink(missing_ok=True)

    # What its worker does.

    def begin_evaluation(self, **asked: Any) -> None:
        """Say that this process evaluates the run, by the `names` and the `seed` asked for."""
        self._write("evaluating.json", EVALUATION | asked | signature())

    def set_evaluating(self, **changes: Any) -> None:
        """Say how far the evaluation is, with a new heartbeat."""
        self._write("evaluating.json", self.evaluation_status | changes | signature())

    def end_evaluation(self, error: str | None = None) -> None:
        """Say that the evaluation is over; why, where it failed."""
        self.withdraw("evaluate")
        self.withdraw("cancel")
        if error is None:
            (self.path / "evaluating.json").unlink(missing_ok=True)
        else:
            self.set_evaluating(error=error)

    def save_evaluation(self, records: dict[str, dict[str, Any]]) -> None:
        """Add measured metrics by name, in place of what was known of them.

        Numbers that are not finite are written as null.
        """
        known = {name: {k: finite(v) for k, v in r.items()} for name, r in records.items()}
        self._write("evaluation.json", self.evaluation | known, indent=1)
