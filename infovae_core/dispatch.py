"""Who works on which run, and when: a queue of tickets, slots on the devices, one waiting worker.

Everything lies in `<root>/.worker`, and a kill at any instant leaves it true:

- `queue/<ns>-<run id>` is a ticket to be trained, `<ns>=<run id>` one to be evaluated. It goes once
  its run is marked, so that a worker which dies in between leaves the run in the queue.
- `slots/<host>.<device>.<i>.lock` is held while a run is worked on there; INFOVAE_SLOTS says how
  many there are of each. They are per folder of runs, and per host where hosts share one: two
  folders do not wait for each other. The locks are the kernel's, which frees them with the process.
- `<run>/.lock` is held by the run's one writer.
- `seats/<i>.lock` is held by a worker for as long as it means to look at the queue again.
- `idle.lock` is held by the one that waits, and `warm` lies there once it has loaded torch. `keep`
  is touched for as long as anybody may want it.

Nothing here loads torch: the web server calls it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from infovae_core import metrics, startup
from infovae_core.runs import (
    ACTIVE,
    HIDDEN,
    Run,
    RunError,
    holder,
    place_of,
    task_of,
    tickets,
)

KEEP = 600.0  # seconds that a worker waits after the last call of `ensure`

_children: list[subprocess.Popen] = []  # kept to be reaped


@dataclass(frozen=True)
class Claim:
    """A run together with what it takes to work on it; use as a context."""

    run: Run
    slot: FileLock
    writer: FileLock
    task: str = "train"  # or evaluate

    def __enter__(self) -> Run:
        return self.run

    def __exit__(self, *exception: object) -> None:
        self.writer.release()
        self.slot.release()


def launch(run: Run) -> None:
    """Have `run` trained: from its checkpoint, where it has one, as soon as a slot is free.

    The worker outlives this process. Launching a run that is queued or running already does
    nothing, so that two viewers may press the button at once.

    Raises: RunError for a finished run.
    """
    slots()  # a setting that no worker could use is said here
    enqueue(run)
    ensure(run.root)


def enqueue(run: Run) -> None:
    """Put `run` at the end of the queue, unless it is in it or running; see `launch`."""
    with FileLock(_hidden(run.root) / "queue.lock", poll_interval=0.005):
        state = run.state
        if state in ACTIVE:
            return
        if state == "finished":
            raise RunError(
                f"only a run with steps left can be trained, got {run.id}, which is finished; "
                "start a new one with more epochs"
            )
        run.withdraw("stop")
        run.withdraw("pause")
        _place(run, "-")


def launch_evaluation(run: Run, names: Iterable[str] = ("cheap",), seed: int = 0) -> None:
    """Have the last checkpoint of `run` evaluated by the metrics called so, when a slot is free.

    See `Run.evaluating` for how far it is, `Run.cancel_evaluation` to end it, `Run.evaluation` for
    what was measured. Asking for what is under way already does nothing.

    Raises: RunError for a run that is queued, running, being evaluated otherwise or never trained;
    ValueError for an unknown name.
    """
    slots()
    asked = {"names": metrics.choose(names), "seed": seed}
    with FileLock(_hidden(run.root) / "queue.lock", poll_interval=0.005):
        now = run.evaluating
        if now is None:
            check_evaluable(run)
            run.withdraw("cancel")
            run.request("evaluate", json.dumps(asked))
            _place(run, "=")
        elif asked != {name: now[name] for name in asked}:
            raise RunError(
                f"a run is evaluated once at a time, got {run.id}, which is under way; "
                "wait for it or cancel it"
            )
    ensure(run.root)


def check_evaluable(run: Run) -> None:
    """Whether the run rests and has a checkpoint.

    Raises: RunError where it does not.
    """
    if (state := run.state) in ACTIVE:
        raise RunError(
            f"a run must be at rest to be evaluated, got {state}; pause or stop it, or wait until "
            "it is finished"
        )
    if not any((run.path / "checkpoint").glob("*.safetensors")):
        raise RunError(
            f"a run must have been trained to be evaluated, got {run.id} without a checkpoint; "
            "train it first"
        )


def _place(run: Run, mark: str) -> None:
    """Put a ticket at the end of the queue, also where the clock was set back."""
    newest = max(map(place_of, tickets(run.root)), default=0)
    (_hidden(run.root, "queue") / f"{max(time.time_ns(), newest + 1)}{mark}{run.id}").touch()


def claim(root: Path, device_of: Callable[[Run], str], own: FileLock | None = None) -> Claim | None:
    """The oldest queued run whose device has a free slot, marked as worked on; or None.

    A run whose writer is there already waits for that process alone, which claims it by passing the
    lock as `own`; it is not evaluated meanwhile. A run that cannot be taken yet holds up those
    behind it on its device, so that order holds; one that cannot be marked leaves the queue.
    """
    with FileLock(_hidden(root) / "queue.lock", poll_interval=0.005):
        busy: set[str] = set()
        for ticket in tickets(root):
            run, task = holder(ticket), task_of(ticket)
            try:
                there = run.path.is_dir()
                if there and (device := _device(ticket, device_of)) in busy:
                    continue  # for which hundreds may wait
                if not there or (task == "train" and run.state == "running"):
                    ticket.unlink(missing_ok=True)
                    continue
                claimed = _take(run, task, device, own)
            except RunError as error:
                run.end_evaluation(str(error))
                ticket.unlink(missing_ok=True)
                continue
            except OSError as error:
                _tell(root, f"run {run.id} leaves the queue, for it cannot be written: {error}")
                ticket.unlink(missing_ok=True)
                continue
            if claimed is not None:
                ticket.unlink(missing_ok=True)
                return claimed
            busy.add(device)
    return None


def _device(ticket: Path, device_of: Callable[[Run], str]) -> str:
    """The device that a run asks for."""
    try:
        return _device_kept(ticket, device_of)
    except RunError:  # what cannot be read now may be later
        return device_of(holder(ticket))


@lru_cache(maxsize=1 << 16)
def _device_kept(ticket: Path, device_of: Callable[[Run], str]) -> str:
    """The same, kept: whoever waits looks at all tickets again and again.

    Raises: RunError where the run's config cannot be read.
    """
    run = holder(ticket)
    _ = run.config
    return device_of(run)


def _take(run: Run, task: str, device: str, own: FileLock | None) -> Claim | None:
    """A free slot and the place of its writer for `run`, which is marked; or None.

    Raises: RunError where it cannot be evaluated, for another process writes it.
    """
    with ExitStack() as undo:
        slot = _free_slot(run.root, device)
        if slot is None:
            return None
        undo.callback(slot.release)
        owned = own is not None and own.lock_file == str(_writer_file(run))
        if task == "train" and owned:
            writer = own
        else:
            writer = _try(_writer_file(run)) if own is None else None
        if task == "evaluate" and writer is None and (own is None or owned):
            raise RunError(
                f"a run must be at rest to be evaluated, got {run.id}, which is being worked on; "
                "evaluate it when that is done"
            )
        if writer is None:
            return None
        undo.callback(writer.release)
        if task == "train":
            run.set_status(state="running", error=None)
        else:
            run.begin_evaluation(**run.asked_evaluation)
        undo.pop_all()
        return Claim(run, slot, writer, task)


@contextmanager
def reserve(run: Run) -> Iterator[FileLock]:
    """Be the writer of `run`, so that no worker takes it; gives the lock to `claim` with.

    Raises: RunError where another process is.
    """
    writer = _try(_writer_file(run))
    if writer is None:
        raise RunError(
            f"a run can be worked on by one process at a time, got {run.id}, which has one; "
            "stop it first"
        )
    try:
        yield writer
    finally:
        writer.release()


def relieve(root: Path, device_of: Callable[[Run], str]) -> None:
    """Start another worker where a queued run has a free slot and the one at work is busy."""
    tried: set[str] = set()
    for ticket in tickets(root):
        device = _device(ticket, device_of)
        slot = None if device in tried else _free_slot(root, device)
        tried.add(device)
        if slot is not None:
            slot.release()
            if not _held(_hidden(root) / "idle.lock"):
                spawn(root)
            return


def idle(root: Path) -> bool:
    """Whether a worker waits with torch loaded."""
    return (_hidden(root) / "warm").exists() and _held(_hidden(root) / "idle.lock")


def ensure(root: Path) -> None:
    """See to it that there is a worker, waiting or soon to wait again; cheap when there is.

    A waiting worker that nobody ensures for `KEEP` seconds goes.
    """
    (_hidden(root) / "keep").touch()
    _reap()
    if not any(_held(seat) for seat in _hidden(root, "seats").iterdir()):
        spawn(root)


def spawn(root: Path) -> None:
    """Start a worker, in a session of its own and with nothing open of this process."""
    _reap()  # a long run may be relieved of hundreds
    with (_hidden(root) / "worker.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "infovae_core.worker", str(root.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=startup.environment(),
            start_new_session=True,
        )
    _children.append(child)


def _reap() -> None:
    """Let go of the workers that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


@contextmanager
def seat(root: Path) -> Iterator[None]:
    """Be a worker. Whoever leaves looks at the queue once more, for `ensure` counted on it."""
    seats = (_try(_hidden(root, "seats") / f"{i}.lock") for i in count())
    lock = next(filter(None, seats))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def waiting(root: Path) -> Iterator[Path | None]:
    """Be the worker that waits; gives the file to make once warm, or None if another one waits."""
    # Not at once, for `idle` and `ensure` hold the lock for an instant.
    lock = _try(_hidden(root) / "idle.lock", timeout=0.2)
    if lock is None:
        yield None
        return
    warm = _hidden(root) / "warm"
    warm.unlink(missing_ok=True)  # of a worker that was killed
    try:
        yield warm
    finally:
        warm.unlink(missing_ok=True)
        lock.release()


def edition() -> int:
    """When the code was last edited; only whether it differs counts, for clocks may be wrong."""
    return max((path.stat().st_mtime_ns for path in startup.PACKAGE.rglob("*.py")), default=0)


def unwanted(root: Path, born: float, code: int) -> bool:
    """Whether a worker waiting since `born`, with the edition `code`, should go.

    That is when nobody asks for it any more, or its code is not what lies there.
    """
    try:
        asked = (_hidden(root) / "keep").stat().st_mtime
    except OSError:
        return True  # the whole folder was removed
    return time.time() - max(asked, born) > KEEP or edition() != code


def slots() -> int:
    """Runs that may train on one device at a time."""
    text = os.environ.get("INFOVAE_SLOTS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise RunError(f"INFOVAE_SLOTS must be a whole number from 1 up, got {text!r}; change it")
    return int(text)


def _free_slot(root: Path, device: str) -> FileLock | None:
    name = f"{socket.gethostname()}.{device.replace(':', '-')}"
    tried = (_try(_hidden(root, "slots") / f"{name}.{i}.lock") for i in range(slots()))
    return next(filter(None, tried), None)


def _tell(root: Path, text: str) -> None:
    """Add a line to the log of the waiting worker."""
    with suppress(OSError), (_hidden(root) / "worker.log").open("a", encoding="utf-8") as log:
        print(text, file=log)


def _writer_file(run: Run) -> Path:
    return run.path / ".lock"


def _try(path: Path, timeout: float = 0) -> FileLock | None:
    lock = FileLock(path, poll_interval=0.005)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        return None
    return lock


def _held(path: Path) -> bool:
    lock = _try(path)
    if lock is not None:
        lock.release()
    return lock is None


def _hidden(root: Path, name: str = "") -> Path:
    folder = root / HIDDEN / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
