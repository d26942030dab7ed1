"""Measures the last checkpoint of a run directory: progress, cancelling, and what is stored.

Loads torch once something is measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from infovae_core import metrics
from infovae_core.config import RunConfig
from infovae_core.metrics import METRICS, Estimate
from infovae_core.runs import Run, RunError

if TYPE_CHECKING:
    from infovae_core.data import Dataset
    from infovae_core.training import State

BEAT = 0.25  # seconds between two heartbeats

# Called with the metric that is being measured or was, its estimate in the latter case, and the
# share of all that is done.
Seen = Callable[[str, Estimate | None, float], object]


class Cancelled(Exception):
    """Somebody asked for the evaluation to end."""


class Evaluation:
    """One evaluation: a thread keeps evaluating.json fresh and looks whether it is to end.

    `watch` is called every few seconds from the same thread. Use as a context.
    """

    def __init__(self, run: Run, watch: Callable[[], object]) -> None:
        self.run, self.watch = run, watch
        self.asked = run.evaluation_status
        self.names = metrics.choose(self.asked["names"])
        self.name, self.share = self.names[0], 0.0
        self._begun = time.monotonic()
        self._cancelled = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Evaluation:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def measure(self, seen: Seen) -> None:
        """Measure and store, metric by metric.

        Raises: Cancelled; whatever goes wrong with the data or the model.
        """
        state, images = last_checkpoint(self.run)
        began = time.monotonic()

        def progress(name: str, done: float) -> None:
            nonlocal began
            if self._cancelled:
                raise Cancelled
            if done == 0:
                began = time.monotonic()
            self._advance(name, done)
            seen(name, None, self.share)

        for name, estimate in metrics.evaluate(
            state.model, images, self.names, self.asked["seed"], progress
        ):
            self._advance(name, 1.0)
            now = {"seconds": round(time.monotonic() - began, 3), "time": time.time()}
            record = asdict(estimate) | {"step": state.step, **now}
            record["settings"] = estimate.settings | {"seed": self.asked["seed"]}
            self.run.save_evaluation({name: record})
            seen(name, estimate, self.share)

    def _advance(self, name: str, done: float) -> None:
        """So far `name` has come; those before it are done, and so are those measured with it."""
        group = [n for n in self.names if METRICS[n].function == METRICS[name].function]
        before = self.names.index(group[0])
        self.name, self.share = name, (before + done * len(group)) / len(self.names)

    def _beat(self) -> None:
        beat = 0
        while not self._over.wait(BEAT):
            beat += 1
            self._cancelled = self.run.requested("cancel")
            seconds = round(time.monotonic() - self._begun, 1)
            with suppress(OSError):  # a full disk may have room at the next beat
                self.run.set_evaluating(name=self.name, share=self.share, seconds=seconds)
            if beat % 10 == 0:
                with suppress(Exception):  # the evaluation goes on whether others can start or not
                    self.watch()


def last_checkpoint(run: Run) -> tuple[State, Dataset]:
    """The model as it was saved last, and its data, on the device of its config.

    Raises: RunError where there is no checkpoint.
    """
    from infovae_core import checkpoints, data, training

    config = RunConfig.model_validate(run.config)
    images = data.load(config.data, training.resolve_device(config.training.device))
    state = checkpoints.load(config, images, run.path / "checkpoint")
    if state is None:
        raise RunError(
            f"a run must have been trained to be evaluated, got {run.id} without a checkpoint; "
            "train it first"
        )
    state.model.eval()
    return state, images
