"""What is lost when things are killed at random moments.

    python -m benchmarks.faults --kills 300

A run on digits is trained again and again in a process of its own, which SIGKILL ends at random
moments, and resumed until it finishes. The trial records everything after nearly every step, so
that most kills come between or within writes. After each kill all that a viewer reads must be
readable, the checkpoint no older than the last one seen, the rows those of the run that nothing
disturbed; at the end the rows and the weights must be its, bit for bit.

Prints a Markdown row: how often it was tried, and what was lost. Ends with 1 where anything was.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from infovae_core import dispatch, recorder, runs, worker
from infovae_core.config import RunConfig
from infovae_core.runs import Run

CONFIG = RunConfig.model_validate(
    {
        "data": {"limit": 320, "binarize": "dynamic"},
        "model": {"widths": (8,)},
        "objective": {"name": "InfoMaxVAE", "critic_widths": (8,)},
        "training": {"epochs": 6, "batch_size": 32},
    }
)
STALLED = 60.0  # seconds without an end after which a process that was not killed has hung


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


def train(run: Run) -> int:
    """Train in a process of its own; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        recorder.Cadence = Often
        with dispatch.reserve(run):
            code = 0 if worker.work(run) == "finished" else 2
    finally:
        os._exit(code)


def ended(pid: int, after: float | None) -> bool:
    """Kill a process after so many seconds, or wait; whether it came to its own end."""
    deadline = time.monotonic() + (STALLED if after is None else after)
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            if status:
                raise RuntimeError(f"the training must not fail, got status {status}")
            return True
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if after is None:
        raise RuntimeError(f"the training must come to an end, waited {STALLED} s")
    return False


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
    return max(
        (int(file.stem) for file in (run.path / "checkpoint").glob("[0-9]*.safetensors")), default=0
    )


def lost_at_a_kill(run: Run, reference: list[dict], before: int) -> Iterator[str]:
    """What a viewer or a resumed run would miss."""
    if run.config != CONFIG.model_dump(mode="json"):
        yield "config"
    if run.state not in ("interrupted", "queued", "finished"):
        yield "state"
    if checkpoint_step(run) < before:
        yield "checkpoint"
    for split in ("train", "test", "codes"):
        had = [row for row in rows(run) if row["split"] == split]
        if had != [row for row in reference if row["split"] == split][: len(had)]:
            yield "rows"
    try:
        for step in run.snapshot_steps():
            run.snapshot(step)
        run.events()
    except runs.RunError:
        yield "snapshot"


def kill_again_and_again(root: Path, kills: int, seed: int) -> tuple[int, int, Counter]:
    """So many kills; also how many runs that took, and what was lost how often."""
    chance, lost, count, finished = random.Random(seed), Counter(), 0, 0
    undisturbed = runs.create(root, CONFIG.model_dump(mode="json"))
    begun = time.monotonic()
    ended(train(undisturbed), None)
    longest = time.monotonic() - begun  # seconds that a process may live
    reference, right = rows(undisturbed), weights(undisturbed)
    while count < kills:
        run, before = runs.create(root, CONFIG.model_dump(mode="json")), 0
        for after in (chance.uniform(0, longest) for _ in iter(int, 1)):
            if ended(train(run), after):
                break
            count += 1
            lost.update(lost_at_a_kill(run, reference, before))
            before = checkpoint_step(run)
        finished += 1
        if rows(run) != reference:
            lost["rows at the end"] += 1
        if weights(run) != right:
            lost["weights at the end"] += 1
        run.delete()
    return count, finished, lost


def main() -> int:
    """Print a Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    worker.load_torch()
    import torch

    torch.set_num_threads(1)  # before anything runs in parallel, for the process forks
    from infovae_core import checkpoints, data, information, snapshots, training  # noqa: F401

    data.load(CONFIG.data)
    with tempfile.TemporaryDirectory() as root:
        count, finished, lost = kill_again_and_again(Path(root), args.kills, args.seed)
    said = ", ".join(f"{what} {n} ×" for what, n in lost.items()) or "nothing"
    print("| fault | tried | runs resumed to their end | lost |\n|---|---|---|---|")
    print(f"| SIGKILL of the worker at a random moment | {count} | {finished} | {said} |")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
