"""The run directory: one writer, its worker; any number of readers, who may leave requests.

```
config.json      what was asked; written once
status.json      state, progress and heartbeat of the worker; replaced atomically
metrics.jsonl    one row a line, appended
events.jsonl     started, resumed, turned, paused, stopped, finished, failed, warning
snapshots/       <step>.npz, what the views draw
decoders/        <step>.npz, what decodes a code as it was then; see `decoders`
pictures.npz     small pictures of the images whose codes the snapshots hold; written once
checkpoint/      what `resume` goes on from
evaluation.json  what was measured of the last checkpoint, by name of the metric
evaluating.json  how far an evaluation is, or why it failed; replaced atomically, removed at its end
requests/        stop, pause, label, knobs, evaluate, cancel: all that a viewer writes
worker.log       output and tracebacks
```
Standard library and numpy only, so that a viewer opens runs without loading torch.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import shutil
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

STATES = ("queued", "running", "paused", "finished", "stopped", "failed", "interrupted")
ACTIVE = frozenset({"queued", "running"})
RESUMABLE = frozenset({"paused", "stopped", "interrupted", "failed"})
REQUESTS = frozenset({"stop", "pause", "label", "knobs", "evaluate", "cancel"})
ENDINGS = frozenset({"stop", "pause"})  # requests that also take a waiting run out of the queue
TASKS = {
    "-": "train",
    "=": "evaluate",
}  # what a ticket is for, by what parts its number and its run
SILENCE = 30.0  # seconds without a heartbeat after which a worker counts as gone
HIDDEN = ".worker"  # beside the runs: queue, slots, and the log of the waiting worker

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
    "knobs": None,  # as they were turned last
    "created": None,  # Unix time, as is
    "heartbeat": None,
    "pid": None,
    "host": None,
}
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
ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class RunError(ValueError):
    """A run that cannot be had or may not be changed; the message names the remedy."""


@dataclass(frozen=True)
class Run:
    """One run directory."""

    path: Path

    @property
    def id(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The directory that holds this run and its neighbours."""
        return self.path.parent

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
        except (OSError, ValueError) as error:
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
        return BLANK | self._record("status.json")

    @property
    def state(self) -> str:
        """One of `STATES`: what the worker said, checked against what is there.

        A run waits because it has a ticket and works because its worker lives; one that says so
        without either was interrupted, or withdrawn by a request before any worker took it.
        """
        waits = self.ticket is not None  # first, for it goes once the status says running
        status = self.status
        if status["state"] == "running" and _lives(status):
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
        return self._ticket("train")

    def _ticket(self, task: str) -> Path | None:
        mine = (t for t in tickets(self.root) if holder(t) == self)
        return next((t for t in mine if task_of(t) == task), None)

    def rows(self) -> list[dict[str, Any]]:
        """All metric rows, oldest first."""
        return Tail(self.path / "metrics.jsonl").read()

    def events(self) -> list[dict[str, Any]]:
        """All events, oldest first."""
        return Tail(self.path / "events.jsonl").read()

    def last(self, split: str = "test") -> dict[str, Any] | None:
        """The newest metric row of `split`."""
        log = self.path / "metrics.jsonl"
        for reach in (1 << 16, None):  # the end will do, unless rows of `split` are far between
            row = next((r for r in reversed(_end(log, reach)) if r.get("split") == split), None)
            if row is not None:
                return row
        return None

    @property
    def evaluation(self) -> dict[str, dict[str, Any]]:
        """What was measured on demand, by the metric's name.

        Each with value, error, low, high, cap and n (numbers or None), note, settings, and the step
        it is of, the seconds it took and the Unix time at which it was done.
        """
        records = self._record("evaluation.json")
        return {
            name: MEASURED | record for name, record in records.items() if isinstance(record, dict)
        }

    @property
    def evaluating(self) -> dict[str, Any] | None:
        """How far the evaluation of this run is, or None where there is none under way.

        Its `state` is waiting, for a slot on the device, or running; the rest is as in
        `EVALUATION`. The run's own state knows nothing of it.
        """
        if self._ticket("evaluate") is not None:  # first, for it goes once the file says running
            return EVALUATION | {"state": "waiting"} | self.asked_evaluation
        status = self.evaluation_status
        lives = status["error"] is None and _lives(status)
        return status | {"state": "running"} if lives else None

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
        return self._record("requests/evaluate")

    @property
    def evaluation_status(self) -> dict[str, Any]:
        """What the worker last said of the evaluation, every key of `EVALUATION` present."""
        return EVALUATION | self._record("evaluating.json")

    def _record(self, name: str) -> dict[str, Any]:
        """The JSON object in a file, empty where there is none that can be read."""
        try:
            record = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def snapshot_steps(self) -> list[int]:
        """Steps of which there is a snapshot, in order."""
        return sorted(self._sizes("snapshots"))

    def snapshot(self, step: int) -> dict[str, np.ndarray]:
        """The arrays of one snapshot.

        Raises: RunError where there is none of that step, or none any more.
        """
        return self._arrays("snapshots", step)

    def decoder_steps(self) -> list[int]:
        """Steps of which the decoder is kept, in order."""
        return sorted(self._sizes("decoders"))

    def decoder(self, step: int) -> dict[str, np.ndarray]:
        """The arrays of the decoder at one step; see `decoders`.

        Raises: RunError where there is none of that step, or none any more.
        """
        return self._arrays("decoders", step)

    @property
    def pictures(self) -> dict[str, np.ndarray] | None:
        """Small pictures of images with split and index of each; None where none are kept."""
        try:
            with np.load(self.path / "pictures.npz", allow_pickle=False) as arrays:
                return dict(arrays)
        except FileNotFoundError:
            return None

    @property
    def kept_bytes(self) -> int:
        """What snapshots, decoders and pictures take on the disk."""
        sizes = [size for kind in ("snapshots", "decoders") for size in self._sizes(kind).values()]
        with suppress(FileNotFoundError):
            sizes.append((self.path / "pictures.npz").stat().st_size)
        return sum(sizes)

    def _sizes(self, kind: str) -> dict[int, int]:
        """Bytes of the files of "snapshots" or "decoders", by step."""
        folder, sizes = self.path / kind, {}
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if re.fullmatch(r"\d+\.npz", entry.name):
                with suppress(FileNotFoundError):  # thinned out just now
                    sizes[int(entry.name[:-4])] = entry.stat().st_size
        return sizes

    def _arrays(self, kind: str, step: int) -> dict[str, np.ndarray]:
        try:
            with (
                self._file(kind, step).open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                return dict(arrays)
        except FileNotFoundError as error:
            name = kind.removesuffix("s")
            raise RunError(
                f"a {name} must be of a recorded step, got {step} in run {self.id}; "
                f"choose one of {name}_steps()"
            ) from error

    def _file(self, kind: str, step: int) -> Path:
        return self.path / kind / f"{step:08d}.npz"

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
            _replace(self._request(name), lambda file: file.write(text.encode()))
        except FileNotFoundError as error:
            raise RunError(f"run {self.id} must exist, got no such directory; reload") from error
        if name in ENDINGS and (ticket := self.ticket) is not None:
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

    def rename(self, label: str) -> None:
        """Call the run `label`, on one line."""
        self.request("label", " ".join(label.split())[:200])

    def cancel_evaluation(self) -> None:
        """Take the evaluation out of the queue, or end it; what it has measured is kept."""
        self.request("cancel")
        if (ticket := self._ticket("evaluate")) is not None:
            ticket.unlink(missing_ok=True)

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

    def log(self, row: dict[str, Any]) -> None:
        """Append a metric row; values that are not finite are written as null."""
        values = {k: _finite(v) for k, v in row["values"].items()}
        _append(self.path / "metrics.jsonl", row | {"values": values})

    def event(self, kind: str, step: int, **more: Any) -> None:
        """Append an event."""
        _append(
            self.path / "events.jsonl", {"event": kind, "time": time.time(), "step": step} | more
        )

    def trace(self) -> None:
        """Append the exception being handled to worker.log, as far as the disk has room."""
        with suppress(OSError), (self.path / "worker.log").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)

    def set_status(self, **changes: Any) -> None:
        """Change the status, signed by this process with a new heartbeat."""
        self._write("status.json", self.status | changes | _signature())

    def begin_evaluation(self, **asked: Any) -> None:
        """Say that this process evaluates the run, by the `names` and the `seed` asked for."""
        self._write("evaluating.json", EVALUATION | asked | _signature())

    def set_evaluating(self, **changes: Any) -> None:
        """Say how far the evaluation is, with a new heartbeat."""
        self._write("evaluating.json", self.evaluation_status | changes | _signature())

    def end_evaluation(self, error: str | None = None) -> None:
        """Say that the evaluation is over; why, where it failed."""
        self.withdraw("evaluate")
        self.withdraw("cancel")
        if error is None:
            (self.path / "evaluating.json").unlink(missing_ok=True)
        else:
            self.set_evaluating(error=error)

    def _write(self, name: str, record: dict[str, Any], indent: int | None = None) -> None:
        data = json.dumps(record, allow_nan=False, indent=indent).encode()
        _replace(self.path / name, lambda file: file.write(data))

    def save_snapshot(self, step: int, arrays: dict[str, np.ndarray]) -> None:
        """Write a snapshot."""
        _replace(self._file("snapshots", step), lambda file: np.savez(file, **arrays))

    def save_decoder(self, step: int, arrays: dict[str, np.ndarray]) -> None:
        """Write a decoder."""
        (self.path / "decoders").mkdir(exist_ok=True)
        _replace(self._file("decoders", step), lambda file: np.savez(file, **arrays))

    def save_pictures(self, arrays: dict[str, np.ndarray]) -> None:
        """Write the pictures of a run's images."""
        _replace(self.path / "pictures.npz", lambda file: np.savez(file, **arrays))

    def save_evaluation(self, records: dict[str, dict[str, Any]]) -> None:
        """Add measured metrics by name, in place of what was known of them.

        Numbers that are not finite are written as null.
        """
        finite = {name: {k: _finite(v) for k, v in r.items()} for name, r in records.items()}
        self._write("evaluation.json", self.evaluation | finite, indent=1)

    def thin_snapshots(self, keep: int) -> None:
        """Remove snapshots until `keep` are left: first and last stay, the rest spread evenly."""
        steps = self.snapshot_steps()
        while len(steps) > max(keep, 2):
            self._file("snapshots", steps.pop(most_crowded(steps))).unlink(missing_ok=True)

    def thin_decoders(self, room: int) -> None:
        """Remove decoders until they take `room` bytes at most, and those without a snapshot.

        The last stays in any case and the first where both have room, the rest spread evenly.
        """
        sizes, drawn = self._sizes("decoders"), set(self.snapshot_steps())
        steps = sorted(sizes)
        gone = [step for step in steps[:-1] if step not in drawn]
        steps = [step for step in steps if step not in gone]
        while len(steps) > 1 and sum(sizes[step] for step in steps) > room:
            gone.append(steps.pop(most_crowded(steps) if len(steps) > 2 else 0))
        for step in gone:
            self._file("decoders", step).unlink(missing_ok=True)

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


class Tail:
    """Follows a log of JSON lines; each `read` gives the lines that are new and complete.

    A line that is no JSON object is passed over. A file that was replaced is read from its start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode = 0

    def read(self) -> list[dict[str, Any]]:
        """Records of the lines completed since the last call."""
        try:
            stat = self.path.stat()
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._inode, self._offset = stat.st_ino, 0
            if stat.st_size == self._offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return _records(whole)


def most_crowded(steps: list[int]) -> int:
    """The place in a rising list, but for its ends, whose neighbours are nearest to each other."""
    return min(range(1, len(steps) - 1), key=lambda i: steps[i + 1] - steps[i - 1])


def default_root() -> Path:
    """Where runs are kept: the environment's INFOVAE_RUNS, else `runs` in this directory."""
    return Path(os.environ.get("INFOVAE_RUNS") or "runs")


def create(root: Path, config: Any) -> Run:
    """A new run of `config`, a RunConfig or a dict, not yet in the queue.

    Raises: RunError where `root` cannot be written.
    """
    if hasattr(config, "model_dump_json"):
        text = config.model_dump_json(indent=2)
    else:
        text = json.dumps(config, indent=2, allow_nan=False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        run = Run(_new_directory(root))
        for name in ("snapshots", "decoders", "checkpoint", "requests"):
            (run.path / name).mkdir()
        run._write("status.json", BLANK | {"state": "queued", "created": time.time()})
        # Last, for a directory without config.json is no run yet.
        _replace(run.path / "config.json", lambda file: file.write(text.encode()))
    except OSError as error:
        raise RunError(
            f"the runs folder must be writable, got {root} ({error.strerror}); "
            "set INFOVAE_RUNS, or --runs on the command line, to another"
        ) from error
    return run


def _new_directory(root: Path) -> Path:
    while True:
        path = root / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path


def list_runs(root: Path) -> list[Run]:
    """The runs in `root`, newest first; whatever else lies there is passed over."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        try:
            written = (path / "config.json").stat().st_mtime_ns
        except OSError:
            continue
        if ID.fullmatch(path.name):
            found.append((written, path.name, Run(path)))
    return [run for *_, run in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def find(root: Path, id: str) -> Run:
    """The run called `id`.

    Raises: RunError where there is none, also for names that would lead out of `root`.
    """
    if ID.fullmatch(id) and (root / id / "config.json").is_file():
        return Run(root / id)
    raise RunError(f"a run must be one of those listed, got {id[:80]!r}; choose one from the list")


def tickets(root: Path) -> list[Path]:
    """The queue, first come first: files named `<ns since 1970>-<run id>`, to be trained.

    To be evaluated they are named `<ns since 1970>=<run id>`.
    """
    queue = root / HIDDEN / "queue"
    try:
        names = sorted(name for name in os.listdir(queue) if re.match(r"\d+[-=]", name))
    except FileNotFoundError:
        return []
    return [queue / name for name in names]


def holder(ticket: Path) -> Run:
    """The run that holds a ticket."""
    return Run(ticket.parent.parent.parent / re.split("[-=]", ticket.name, maxsplit=1)[1])


def task_of(ticket: Path) -> str:
    """What a ticket is for: train or evaluate."""
    return TASKS[ticket.name.lstrip("0123456789")[0]]


def place_of(ticket: Path) -> int:
    """The number by which a ticket takes its turn."""
    return int(re.split("[-=]", ticket.name, maxsplit=1)[0])


def _signature() -> dict[str, Any]:
    """Which process says something, and when."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "heartbeat": time.time()}


def _lives(status: dict[str, Any]) -> bool:
    """Whether the process that signed `status` is still there, as far as one can see from here."""
    beat, pid = status["heartbeat"], status["pid"]
    if not isinstance(beat, int | float) or not isinstance(pid, int):
        return False
    if time.time() - beat > SILENCE:  # also where another process has got the number since
        return False
    return status["host"] != socket.gethostname() or alive(pid)


def alive(pid: int) -> bool:
    """Whether a process of this machine can still do something."""
    if os.name == "nt":  # where signal 0 is Ctrl-C; the heartbeat must do
        return True
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's, or a system without /proc
    state, threads = fields[0], int(fields[17])
    # A zombie is dead and waits for its parent, once its last thread has let go of its files.
    return state not in "ZX" or threads > 1


def _finite(value: Any) -> Any:
    """The value, but None for a number that JSON does not know."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _append(path: Path, record: dict[str, Any]) -> None:
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    with path.open("ab", buffering=0) as file:  # one write a line, at once
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write `path` so that a reader sees the old file or the new one, never half of either."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            write(file)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _end(log: Path, reach: int | None) -> list[dict[str, Any]]:
    """Records of the last `reach` bytes of a log, or of all of it."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - reach) if reach else 0)
            data = file.read()
    except FileNotFoundError:
        return []
    return _records(data[: data.rfind(b"\n") + 1])


def _records(lines: bytes) -> list[dict[str, Any]]:
    records = []
    for line in lines.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
