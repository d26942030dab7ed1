"""A small run that can be disturbed, and what it lost compared with one that nothing disturbed."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from infovae_core import dispatch, recorder, runs, startup, worker
from infovae_core.config import RunConfig
from infovae_core.runs import Run

STALLED = 240.0  # seconds without an end after which a process that was not killed has hung


class Often:
    """A cadence that is due at two of three looks."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.looks = 0

    @property
    def due(self) -> bool:
        """Whether it is time."""
        self.looks += 1
        return self.looks % 3 > 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """It costs nothing."""
        yield


class Row(NamedTuple):
    """A line of the table."""

    fault: str
    tried: int
    resumed: int  # runs that came to their end after it
    lost: Counter

    def __str__(self) -> str:
        said = ", ".join(f"{what} {n} ×" for what, n in self.lost.items()) or "nothing"
        return f"| {self.fault} | {self.tried} | {self.resumed} | {said} |"


class Reference(NamedTuple):
    """A run that nothing disturbed."""

    config: RunConfig
    rows: list[dict]
    weights: dict[str, bytes]
    seconds: float  # it took

    def missing(self, run: Run, before: int) -> Iterator[str]:
        """What a viewer or a resumed run would miss, whose checkpoint was of step `before`."""
        if run.config != self.config.model_dump(mode="json"):
            yield "config"
        if run.state not in runs.STATES or run.state == "running":
            yield "state"
        if checkpoint_step(run) < before:
            yield "checkpoint"
        for split in ("train", "test", "codes"):
            had = [row for row in rows(run) if row["split"] == split]
            if had != [row for row in self.rows if row["split"] == split][: len(had)]:
                yield "rows"
        try:
            for step in run.snapshot_steps():
                run.snapshot(step)
            run.events()
        except runs.RunError:
            yield "snapshot"

    def missing_at_the_end(self, run: Run) -> Iterator[str]:
        """How a run that was disturbed and resumed differs in the end."""
        if run.state != "finished":
            yield "the end"
        if rows(run) != self.rows:
            yield "rows at the end"
        if weights(run) != self.weights:
            yield "weights at the end"


def setting(epochs: int) -> RunConfig:
    """What is trained: so many times 10 steps."""
    return RunConfig.model_validate(
        {
            "data": {"limit": 320, "binarize": "dynamic"},
            "model": {"widths": (8,)},
            "objective": {"name": "InfoMaxVAE", "critic_widths": (8,)},
            "training": {"epochs": epochs, "batch_size": 32, "device": "cpu"},
        }
    )


def reference(root: Path, config: RunConfig, often: bool) -> Reference:
    """Train a run that nothing disturbs; see `train`."""
    run = runs.create(root, config)
    begun = time.monotonic()
    if (status := ended(train(run, often=often), None)) != 0:
        raise RuntimeError(f"the training must not fail, got status {status}: {run.status}")
    return Reference(config, rows(run), weights(run), time.monotonic() - begun)


def warm_up() -> None:
    """Load all that the processes need which are forked from here, a first step included."""
    startup.load_torch()
    import torch

    torch.set_num_threads(1)  # before anything runs in parallel, for the process forks
    from infovae_core import checkpoints, data, information, snapshots, training  # noqa: F401

    config = setting(1)
    next(training.train(config, data.load(config.data)))


def train(run: Run, spoil: Callable[[], object] = lambda: None, often: bool = True) -> int:
    """Train in a process of its own, which spoils something for itself first; its id.

    It records everything nearly all the time, or as `often` as is usual.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if often:
            recorder.Cadence = Often
        with dispatch.reserve(run):
            spoil()
            code = {"finished": 0, "failed": 2}[worker.work(run)]
    finally:
        os._exit(code)


def ended(pid: int, after: float | None) -> int | None:
    """The exit code of a process, or None where it had to be killed after so many seconds."""
    deadline = time.monotonic() + (STALLED if after is None else after)
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if after is None:
        raise RuntimeError(f"the training must come to an end, waited {STALLED} s")
    return None


def disturbed(
    root: Path,
    right: Reference,
    fault: str,
    times: int,
    disturb: Callable[[Run], bool],
    chance: random.Random,
    each: int = 5,
) -> Row:
    """Disturb runs so many times, each up to `each` times, and resume them to their end.

    `disturb` trains the run and gives whether it was disturbed before its end.
    """
    lost, count, finished = Counter(), 0, 0
    while count < times:
        run, before, over = runs.create(root, right.config), 0, False
        for _ in range(min(chance.randint(1, each), times - count)):
            if not disturb(run):
                over = True
                break
            count += 1
            lost.update(right.missing(run, before))
            before = checkpoint_step(run)
        if not over and ended(train(run), None) != 0:
            lost["the end"] += 1
        finished += 1
        lost.update(right.missing_at_the_end(run))
        run.delete()
    return Row(fault, count, finished, lost)


def rows(run: Run) -> list[dict]:
    """What was logged, without the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


def weights(run: Run) -> dict[str, bytes]:
    """The files of the checkpoint, by name."""
    return {
        file.name: file.read_bytes()
        for file in (run.path / "checkpoint").glob("[0-9]*.safetensors")
    }


def checkpoint_step(run: Run) -> int:
    """The step that a resumed run goes on from."""
    return max(map(int, (name.partition(".")[0] for name in weights(run))), default=0)
