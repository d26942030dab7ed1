"""What a run does by the clock: its heartbeat, and turns that come every so many seconds."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from infovae_core.runs import Run

if TYPE_CHECKING:
    from infovae_core.store import Progress
    from infovae_core.training import Plan

BEAT = 0.25  # seconds between two heartbeats
UNSEEN = 0.4  # seconds that images may be drawn before it is said
EARLY = 30.0  # seconds in which a cadence may take more of the time
RATE_OVER = 2.0  # seconds that images per second are measured over


class Cadence:
    """Something due every so many seconds, or less often where that would take too long.

    The pause before the next turn is the longest of `interval`, `growth` times the age, and what
    keeps the turns at `share` of all time; at `early` of it in the first `EARLY` seconds, when most
    happens and somebody is likely to watch.
    """

    def __init__(
        self,
        interval: float,
        *,
        share: float = 0.05,
        early: float | None = None,
        growth: float = 0.0,
        at_once: bool = False,
    ) -> None:
        self.interval, self.share, self.growth = interval, share, growth
        self.early = share if early is None else early
        self._begun = time.monotonic()
        self._next = self._begun + (0 if at_once else interval)

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._next

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Do it; the time that takes decides when it is due again."""
        begun = time.monotonic()
        yield
        now = time.monotonic()
        cost, age = now - begun, now - self._begun
        share = self.early if age < EARLY else self.share
        self._next = now + max(self.interval, self.growth * age, cost * (1 / share - 1))


class Pulse:
    """Keeps status.json fresh from a thread, so that a long step does not look like a death.

    `watch` is called every few seconds from the same thread.
    """

    def __init__(self, run: Run, watch: Callable[[], object] = lambda: None) -> None:
        self.run, self.watch = run, watch
        self.step = 0
        self.preparing: dict[str, object] | None = None  # done, of and what, of the data
        self.drawing: dict[str, object] | None = None  # of a snapshot's images or the compiler
        self._plan: Plan | None = None
        self._begun = 0.0
        self._before = run.status["seconds"] or 0.0  # trained before this process
        self._marks: deque[tuple[float, int]] = deque()  # time, step
        self._failed = False
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Pulse:
        self.set(state="running", error=None)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def start(self, step: int, plan: Plan, device: str) -> None:
        """From here on, time counts as training."""
        self.step, self._begun, self._plan = step, time.monotonic(), plan
        self.set(steps=plan.steps, epochs=plan.epochs, device=device)

    @contextmanager
    def telling(self) -> Iterator[Progress]:
        """A progress that viewers see, where it goes on for a while."""
        begun = time.monotonic()

        def told(done: int, of: int, what: str) -> None:
            if time.monotonic() - begun > UNSEEN:
                self.drawing = {"done": done, "of": of, "what": what}

        try:
            yield told
        finally:
            self.drawing = None

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Have viewers see at once what takes long and cannot say how far it is."""
        self.drawing = {"done": 0, "of": 0, "what": what}
        try:
            with suppress(OSError):
                self.set()
            yield
        finally:
            self.drawing = None

    @property
    def epoch(self) -> float:
        """Epochs completed."""
        return self.step / self._plan.steps_per_epoch

    @property
    def seconds(self) -> float:
        """Time trained so far."""
        return round(self._before + time.monotonic() - self._begun, 3)

    def set(self, **changes: object) -> None:
        """Change the status, and bring its numbers up to date."""
        with self._writing:
            if self._plan is not None:
                changes |= {"step": self.step, "epoch": self.epoch, "seconds": self.seconds}
                changes["rate"] = self._rate(self._plan.batch_size)
            self.run.set_status(preparing=self.preparing, drawing=self.drawing, **changes)

    def _rate(self, batch_size: int) -> float | None:
        """Images per second of late."""
        marks, now = self._marks, time.monotonic()
        marks.append((now, self.step))
        while len(marks) > 2 and marks[1][0] < now - RATE_OVER:
            marks.popleft()
        then, step = marks[0]
        return round((self.step - step) * batch_size / (now - then), 1) if now > then else None

    def _beat(self) -> None:
        for beat in itertools.count(1):
            if self._over.wait(BEAT):
                return
            with suppress(OSError):  # a full disk may have room at the next beat
                self.set()
            if beat % 10 == 0:
                self._look()

    def _look(self) -> None:
        try:
            self.watch()
        except Exception:  # the run goes on, and must be seen to
            if not self._failed:
                self.run.trace()
            self._failed = True
