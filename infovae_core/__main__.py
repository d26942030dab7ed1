"""The command line; see `python -m infovae_core --help`."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import ValidationError

from infovae_core import (
    catalogue,
    dispatch,
    export,
    fits,
    knobs,
    metrics,
    options,
    presets,
    results,
    runs,
    startup,
    worker,
)
from infovae_core.dispatch import Claim
from infovae_core.metrics import METRICS, Estimate
from infovae_core.runs import Run, RunError

if TYPE_CHECKING:
    from tqdm import tqdm

    from infovae_core.training import Plan, Report

LINES = 5.0  # seconds between two lines where there is no terminal to draw a bar in


def main(args: Sequence[str]) -> int:
    """Run a command; give the exit code: 0 done, 1 failed, 2 not possible as asked, 130 stopped."""
    try:
        command = options.parse(args)
        if isinstance(command, options.List):
            print_table(command.runs)
            return 0
        if isinstance(command, options.Resume):
            return train_here(run_at(command.run))
        if isinstance(command, options.Repeat):
            return train_here(knobs.repeat(run_at(command.run)))
        if isinstance(command, options.Evaluate):
            return evaluate_here(run_at(command.run), command)
        if isinstance(command, options.Export):
            print(*export.write(run_at(command.run), command.to, command.out, tell), sep="\n")
            return 0
        if command.preset is not None:
            preset = presets.find(command.preset)
            tell(f"{preset.title} ({preset.source}). {preset.note}")
        fits.check_config(command.values)
        return train_here(runs.create(command.runs, command.values))
    except (options.UsageError, RunError, fits.Misfit) as error:
        tell(f"error: {error}")
        return 2
    except ValidationError as error:  # of a stored config, of another version or a person's hand
        tell(f"error: {worker.explain(error)}")
        return 2
    except KeyboardInterrupt:
        return 130


def run_at(path: Path) -> Run:
    """The run whose directory that is."""
    whole = path.resolve()
    return runs.find(whole.parent, whole.name)


def train_here(run: Run) -> int:
    """Train `run` in this process when its turn has come, and print its directory."""
    ending = "stopped"
    try:
        with dispatch.reserve(run) as writer:
            dispatch.enqueue(run)
            tell(f"run {run.id}: {setting(run, 'objective')} on {setting(run, 'data')}")
            startup.load_torch()
            claim = wait_for_turn(run, writer)
            if claim is not None:
                with claim, closing(Bar() if sys.stderr.isatty() else Lines()) as watch:
                    ending = worker.work(run, watch, watch.prepare)
    except KeyboardInterrupt:  # while it waited or loaded; training itself ends in good order
        run.request("stop")
    if ending == "failed":
        tell(f"failed: {run.status['error']}; the traceback is in {run.path / 'worker.log'}")
    else:
        tell("; ".join(filter(None, [f"{ending} at epoch {progress(run)}", last_values(run)])))
    print(run.path)
    return {"finished": 0, "failed": 1}.get(ending, 130)


def evaluate_here(run: Run, asked: options.Evaluate) -> int:
    """Measure `run` in this process, at once; print a table of what was measured."""
    try:
        names = metrics.choose(asked.metrics)
    except ValueError as error:
        raise options.UsageError(str(error)) from error
    dispatch.check_evaluable(run)
    with dispatch.reserve(run), closing(EvaluationBar()) as watch:
        run.withdraw("cancel")
        run.begin_evaluation(names=names, seed=asked.seed)
        ending = worker.evaluate(run, watch)
    if ending == "failed":
        tell(f"failed: {run.evaluation_error}; the traceback is in {run.path / 'worker.log'}")
    else:
        known = run.evaluation
        print(*results.table({n: known[n] for n in names if n in known}), sep="\n")
    return {"finished": 0, "failed": 1}.get(ending, 130)


class EvaluationBar:
    """Progress of an evaluation: a bar in a terminal, else a line for each metric."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def __call__(self, name: str, estimate: Estimate | None, share: float) -> None:
        from tqdm import tqdm

        if sys.stderr.isatty():
            if self.bar is None:
                layout = "{desc} {percentage:3.0f} %|{bar}| {elapsed}"
                self.bar = tqdm(total=1.0, bar_format=layout)
            self.bar.set_description_str(METRICS[name].title, refresh=False)
            self.bar.update(share - self.bar.n)
        elif estimate is not None:
            tell(f"{METRICS[name].title}: {results.with_error(estimate.value, estimate.error)}")

    def close(self) -> None:
        """Take the bar away: the table comes in its place."""
        if self.bar is not None:
            self.bar.leave = False
            self.bar.close()


def wait_for_turn(run: Run, writer: FileLock) -> Claim | None:
    """The run's slot, after those queued before it; None if a viewer takes it out of the queue."""
    told = False
    while (claim := dispatch.claim(run.root, worker.device_of, own=writer)) is None:
        if run.ticket is None:
            break
        if not told:
            tell("waiting for a free slot on the device; Ctrl-C leaves the queue")
            told = True
        if len(runs.tickets(run.root)) > 1:
            dispatch.ensure(run.root)  # the others may wait for a worker, and this run for them
        time.sleep(0.2)
    return claim


class Bar:
    """Progress in a terminal."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.preparing: tqdm | None = None
        self.losses: dict[str, float] = {}

    def prepare(self, done: int, of: int, what: str) -> None:
        """Show how far the data are prepared."""
        from tqdm import tqdm

        if self.preparing is None:
            self.preparing = tqdm(leave=False)
        if (of or None, what) != (self.preparing.total, self.preparing.desc):
            self.preparing.reset(of or None)
            self.preparing.set_description_str(what, refresh=False)
        self.preparing.update(done - self.preparing.n)

    def __call__(self, report: Report, plan: Plan) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.close()
            total, done = (n * plan.batch_size for n in (plan.steps, report.state.step - 1))
            self.bar = tqdm(total=total, initial=done, unit=" images", unit_scale=True)
        if report.rows:
            self.losses |= totals(report)
            self.bar.set_postfix_str(said_of(self.losses), refresh=False)
            self.bar.set_description(
                f"epoch {report.state.step // plan.steps_per_epoch}/{plan.epochs}", refresh=False
            )
        self.bar.update(plan.batch_size)

    def close(self) -> None:
        """Leave the bar as it is and go on below it."""
        for bar in (self.preparing, self.bar):
            if bar is not None:
                bar.close()


def totals(report: Report) -> dict[str, float]:
    """The loss in each row that has one, by split."""
    return {row.split: row.values["total"] for row in report.rows if "total" in row.values}


def said_of(losses: dict[str, float]) -> str:
    """Losses by split; one that rests on a bound that has blown up is not a number."""
    return ", ".join(
        f"{split} {'unknown' if math.isnan(loss) else format(loss, '.4g')}"
        for split, loss in losses.items()
    )


class Lines:
    """Progress in a log: a line after an epoch, now and then."""

    def __init__(self) -> None:
        self.losses: dict[str, float] = {}
        self.next = 0.0
        self.what = ""

    def prepare(self, done: int, of: int, what: str) -> None:
        """Say what is done to the data."""
        if what != self.what:
            self.what = what
            tell(what)

    def __call__(self, report: Report, plan: Plan) -> None:
        self.losses |= totals(report)
        if "test" in self.losses and report.rows and time.monotonic() >= self.next:
            self.next = time.monotonic() + LINES
            epoch = report.state.step // plan.steps_per_epoch
            tell(f"epoch {epoch}/{plan.epochs}: loss {said_of(self.losses)}")

    def close(self) -> None:
        """Nothing is left open."""


def print_table(root: Path) -> None:
    """Every run of `root` on a line."""
    table = [("id", "label", "state", "objective", "data", "epoch", "on test images", "age")]
    for run in runs.list_runs(root):
        what = (setting(run, "objective"), setting(run, "data"))
        table.append(
            (run.id, run.label, run.state, *what, progress(run), last_values(run), age(run))
        )
    if len(table) == 1:
        tell(f"there are no runs in {root} yet; `{options.PROGRAM} train` makes one")
        return
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def setting(run: Run, part: str) -> str:
    """The name of a run's objective, or of its data."""
    try:
        record = run.config[part]
        return catalogue.called(record) if part == "data" else str(record["name"])
    except (RunError, KeyError, TypeError, AttributeError):
        return "?"


def progress(run: Run) -> str:
    """Epochs done and planned."""
    status = run.status
    return f"{status['epoch'] or 0:.4g}/{status['epochs'] or '?'}"


def last_values(run: Run) -> str:
    """The newest values on held-out images."""
    row = run.last("test")
    values = row["values"] if row else {}
    return ", ".join(f"{k} {'?' if v is None else format(v, '.4g')}" for k, v in values.items())


def age(run: Run) -> str:
    """How long ago the run was made."""
    created = run.status["created"]
    if created is None:
        return "?"
    seconds = max(0.0, time.time() - created)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def tell(text: str) -> None:
    """Say something to the person; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
