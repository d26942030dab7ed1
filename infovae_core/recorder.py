"""What a run leaves behind while it trains: rows, events, snapshots and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infovae_core import knobs
from infovae_core.pulse import Cadence, Pulse
from infovae_core.runs import Run, RunError

if TYPE_CHECKING:
    from torch import Tensor

    from infovae_core.config import RunConfig
    from infovae_core.data import Dataset
    from infovae_core.objectives import Objective
    from infovae_core.snapshots import Arrays
    from infovae_core.training import Report, Row, State

SNAPSHOTS = 200  # kept of a run
ROOM = 256_000_000  # bytes of them, and
DECODERS = 64_000_000  # of decoders, but for the first and the last
PATIENCE = 30.0  # seconds that the cause of a failure may be sought


class NotFinite(ArithmeticError):
    """Training that blew up; `terms` are those whose values are not finite."""

    def __init__(self, said: str, terms: Collection[str] = ()) -> None:
        super().__init__(said)
        self.terms = terms


class Recorder:
    """Writes the run directory, report by report."""

    def __init__(self, run: Run, config: RunConfig, images: Dataset, pulse: Pulse) -> None:
        self.run, self.config, self.images, self.pulse = run, config, images, pulse
        # Steps after the checkpoint are repeated, to the same values: their rows are there already.
        self.logged = {row["split"]: row["step"] for row in run.rows()}
        turned, problems = knobs.recorded(run, config)
        self.now = knobs.in_force(config, turned)  # the settings as they were turned last
        self.turned = {turn.step for turn in turned}
        self.turns = {turn.step: turn.knobs for turn in (*config.turns, *turned)}
        self.said = {(event["event"], event.get("text")) for event in run.events()}
        self.warned: dict[str, int] = {}  # by subject, the step
        self.watched: Tensor | None = None  # in which a gradient that is not finite is seen
        if turned:  # a kill may have come between the event and the status
            pulse.set(knobs=self.now.knobs.model_dump(mode="json"))
        for problem in problems:
            run.event("warning", 0, text=f"{problem}; it is not turned again")
        self.drawn, self.before = newest_snapshot(run)
        self.pictured = False
        with suppress(RunError):  # what cannot be read is written again
            self.pictured = run.pictures is not None
        # As often as a change would show: at once, and later less and less.
        self.snapshots = Cadence(0.4, share=0.03, early=0.08, growth=1 / 150, at_once=True)
        self.checkpoints = Cadence(10.0, share=0.01)

    def report(self, report: Report) -> Report:
        """Keep the rows of one step, and whatever else is due; give the report as it was kept."""
        state = report.state
        self.pulse.step = state.step
        if report.turned is not None:
            self._turn(report)
        if report.event is not None:
            self._say(report.event, state.step)
        rows = tuple(self._log(row, state) for row in report.rows)
        self._check_step(state)
        if self.snapshots.due:
            with self.snapshots.turn():
                self._snapshot(state)
        if self.checkpoints.due:
            with self.checkpoints.turn():
                self._checkpoint(state)
        return report._replace(rows=rows)

    def close(self, state: State) -> None:
        """Keep the end, however it came: a snapshot and a checkpoint of the last step."""
        if self.drawn != state.step:
            self._snapshot(state)
        self._checkpoint(state)

    def turn_after(self, step: int) -> None:
        """Have the knobs that a viewer asks for turned before the next step.

        Not while steps are repeated that were taken before a kill: they stay what they were.
        """
        if step in self.turns or step < max((*self.logged.values(), *self.turned), default=0):
            return
        try:
            wish = knobs.take(self.run, self.now)
        except (ValueError, OSError) as error:
            self._warn("knobs", step, str(error))
            wish = None
        if wish is not None:
            self.turns[step] = wish
            return
        with suppress(OSError):
            self.run.settle("knobs")

    def trace(self, error: NotFinite, state: State, asked: Callable[[], str | None]) -> NotFinite:
        """The same error with the term named whose gradient it was, where that can be found.

        The steps since the last checkpoint are repeated for it, unless that takes longer than
        `PATIENCE` or the run is asked to end. A compiled run compiles first, for the same bits.
        """
        from infovae_core import blame

        on_cpu = self.images.train.x.device.type == "cpu"  # elsewhere it may be long ago
        if on_cpu and error.terms and not state.critics.keys() & set(error.terms):
            return error
        until = None
        folder = self.run.path / "checkpoint"

        def ended() -> bool:
            nonlocal until
            if until is None:  # the first step is over, which may have been compiled again
                until = time.monotonic() + PATIENCE
            return time.monotonic() > until or asked() not in (None, "knobs")

        try:
            with self.pulse.busy("Repeating the last steps to find what is not finite"):
                found = blame.find(
                    self.config, self.images, folder, self.turns, self.pulse.step, ended
                )
        except Exception:  # memory for a second model, say: what is known must be heard
            self.run.trace()
            return error
        if found is None:
            return error
        names = (
            *found.values,
            *(f"the gradient of {name}" for name in found.gradients),
            *(f"the gradient of the critic of {name}" for name in found.critics),
        )
        return self._not_finite(names, step=found.step, critic=bool(found.critics))

    def _say(self, event: dict[str, Any], step: int) -> None:
        """Record an event, but no warning a second time, as a resumed run would at its first step.

        A step that is repeated after a kill has an event of its own: another process may not be
        able to do what the first one could.
        """
        said = event["kind"], event.get("text")
        if event["kind"] != "warning" or said not in self.said:
            self.run.event(**event, step=step)
        self.said.add(said)

    def _turn(self, report: Report) -> None:
        from infovae_core import training

        step, wish = report.state.step - 1, report.turned
        if step in self.turned:
            return
        before, self.now = self.now, self.now.turned(wish)
        weights = zip(before.objective.weights, report.state.objective.terms(), strict=True)
        self.run.event(
            knobs.TURNED,
            step,
            knobs=wish.model_dump(mode="json", exclude_none=True),
            changes=before.said_of_turn(wish),
            weights={term.name: (old, new) for old, (new, term) in weights if old != new},
            about=training.about(self.config, self.images, report.state),
        )
        self.turned.add(step)
        self.run.settle("knobs")
        self.pulse.set(knobs=self.now.knobs.model_dump(mode="json"))

    def _log(self, row: Row, state: State) -> Row:
        unsound = blown_up(row, state.objective, self.images)
        followed = {term.name for weight, term in state.objective.terms() if weight}
        gaps = [*unsound, *(["total"] if followed & unsound.keys() else [])]
        kept = row._replace(values=row.values | dict.fromkeys(gaps, math.nan))
        if state.step > self.logged.get(row.split, 0):
            clock = {"step": state.step, "epoch": self.pulse.epoch, "seconds": self.pulse.seconds}
            for name, text in unsound.items():
                self._warn(name, state.step, text)
            self.run.log(clock | {"split": kept.split, "values": kept.values})
        if not math.isfinite(row.values.get("total", 0.0)):  # a row of codes has no loss
            bad = [name for name, value in row.values.items() if not math.isfinite(value)]
            raise self._not_finite(bad, bad if row.split == "train" else ())  # else spoiled before
        return kept

    def _warn(self, name: str, step: int, text: str) -> None:
        """Record a warning, again only once the run has become twice as long."""
        if step >= 2 * self.warned.get(name, 0):
            self.warned[name] = step
            self.run.event("warning", step, quantity=name, text=text)

    def _snapshot(self, state: State) -> None:
        from infovae_core import decoding, snapshots

        self._check(state)
        with self.pulse.telling() as told:
            self.before = snapshots.take(state, self.images, self.before, told)
            decoder = decoding.take(state.model, self.images.shape, self.before, told)
        self.run.save_decoder(state.step, decoder)  # first: what is seen can be decoded
        self.run.save_snapshot(state.step, self.before)
        if not self.pictured:  # once the first codes can be seen
            self.run.save_pictures(snapshots.pictures(self.images))
            self.pictured = True
        self.run.thin_snapshots(SNAPSHOTS, ROOM)
        self.run.thin_decoders(DECODERS)
        self.drawn = state.step

    def _checkpoint(self, state: State) -> None:
        from infovae_core import checkpoints

        self._check(state)  # and leave the last good one as it is
        checkpoints.save(state, self.run.path / "checkpoint")

    def _check_step(self, state: State) -> None:
        """Whether the step's values are finite, and its gradient.

        The gradient of all that follows the codes passes the last parameter of the encoder. A GPU
        would have to be waited for after each step: there rows and checkpoints tell.
        """
        if self.watched is None:  # looking through the modules takes longer than looking at it
            self.watched = [*state.model.encoder.parameters()][-1].detach()
        if self.watched.device.type != "cpu":
            return
        if state.sums is not None and not math.isfinite(state.sums["total"]):  # else a row told
            bad = [name for name, value in state.sums.items() if not value.isfinite()]
            raise self._not_finite(bad, bad)
        if not math.isfinite(self.watched.sum()):
            raise self._not_finite(["the gradient"])

    def _check(self, state: State) -> None:
        if not all(w.isfinite().all() for w in state.model.parameters()):
            raise self._not_finite(["weights"])

    def _not_finite(
        self,
        names: Iterable[str],
        terms: Collection[str] = (),
        *,
        step: int | None = None,
        critic: bool = False,
    ) -> NotFinite:
        got = ", ".join(name for name in names if name != "total") or "its sum"
        now = self.now.training
        lower = f"the learning rate ({now.learning_rate:g}) or the term's weight"
        if critic:
            lower = f"the critic's learning rate ({now.critic_learning_rate:g})"
        return NotFinite(
            f"the loss and its gradient must stay finite, got {got} not finite at step "
            f"{step or self.pulse.step}; lower {lower} in a new run, for this one would repeat "
            "itself",
            terms,
        )


def blown_up(row: Row, objective: Objective, images: Dataset) -> dict[str, str]:
    """The terms of a row whose values are no estimate of anything any more, and what to do."""
    if "total" not in row.values:
        return {}
    count = len(images.train if row.split == "train" else images.test)
    said = {}
    for weight, term in objective.terms():
        value = row.values[term.name]
        low, high = term.limits(math.inf if images.dynamic else count)
        if low <= value <= high or (weight and not math.isfinite(value)):  # that ends the run
            continue
        said[term.name] = (
            f"{term.label} must lie between {low:.3g} and {high:.3g} to mean anything, got "
            f"{value:.3g}: it has blown up and is not drawn; lower its weight or the critic's "
            "learning rate, or choose another bound"
        )
    return said


def newest_snapshot(run: Run) -> tuple[int, Arrays] | tuple[None, None]:
    """Step and arrays of the last snapshot; nothing where there is none, or none that can be read.

    It only keeps the views from jumping: no run is lost for it.
    """
    with suppress(Exception):  # numpy has one for each way in which a file is broken
        step = max(run.snapshot_steps())
        return step, run.snapshot(step)
    return None, None
