"""Trains and evaluates run directories: `python -m infovae_core.worker RUNS` waits for them.

torch is loaded by those who work; `launch`, `launch_evaluation`, `ensure` and `idle` cost the web
server none of it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from infovae_core import archive, dispatch, startup, store
from infovae_core.config import RunConfig
from infovae_core.dispatch import Claim, ensure, idle, launch, launch_evaluation
from infovae_core.errors import explain
from infovae_core.evaluation import Cancelled, Evaluation, Seen
from infovae_core.pulse import Pulse
from infovae_core.recorder import NotFinite, Recorder
from infovae_core.runs import Run, tickets
from infovae_core.store import Progress

if TYPE_CHECKING:
    from infovae_core.data import Dataset
    from infovae_core.training import Plan, Report

    Watch = Callable[[Report, Plan], object]

__all__ = [
    "device_of",
    "ensure",
    "evaluate",
    "explain",
    "idle",
    "launch",
    "launch_evaluation",
    "serve",
    "work",
]

POLL = 0.025  # seconds between two looks at an empty queue
OBEY = 0.05  # seconds between two looks at the requests
ANSWERS = {"stop": "stopped", "pause": "paused", "knobs": "knobs"}  # to each request
NICE = 10  # of a process that carries out a study


def serve(root: Path) -> None:
    """Wait for runs of `root` and work on them, until another worker waits or nobody wants one.

    A failed run is the last: what made it fail may have spoiled the process.
    """
    born, code, ending = time.time(), dispatch.edition(), None
    with dispatch.seat(root):
        while ending not in ("failed", "terminated"):
            with dispatch.waiting(root) as warm:
                if warm is None:
                    return
                if ending is None:
                    try:
                        warm_up(root)
                    except Exception:  # a full device, say: a run will hear what is wrong
                        traceback.print_exc()
                warm.touch()
                claim = next_claim(root, born, code)
            if claim is None:
                break
            try:
                with claim as run, output_to(run.path / "worker.log"):
                    ending = work(run) if claim.task == "train" else evaluate(run)
            except OSError:  # the run's directory cannot be written, so that it cannot hear of it
                traceback.print_exc()
                ending = "failed"
            free_memory()
    if tickets(root) and ending != "terminated":
        dispatch.spawn(root)


def next_claim(root: Path, born: float, code: int) -> Claim | None:
    """Wait for a run that can be worked on now; None once the worker is not wanted any more."""
    for poll in count():
        if poll % 50 == 0 and dispatch.unwanted(root, born, code):
            break
        queued = bool(tickets(root))
        if queued and (claim := dispatch.claim(root, device_of)) is not None:
            return claim
        time.sleep(8 * POLL if queued else POLL)  # slots come free more slowly than tickets come
    return None


class Ended(Exception):
    """A run was asked to end before its training began; the message says how."""


def work(run: Run, watch: Watch = lambda report, plan: None, heard: Progress = store.quiet) -> str:
    """Train `run`, from its checkpoint where it has one; give how that ended.

    That is finished, failed, paused, stopped or, by SIGTERM, terminated. SIGINT stops. Both leave a
    checkpoint; a second signal is obeyed at once. `watch` sees every report, and `heard` how far
    the data are prepared. The caller is the run's one writer (`dispatch.claim`).
    """
    run.mend()
    with Pulse(run, partial(dispatch.relieve, run.root, device_of)) as pulse:
        try:
            study = "study" in run.config
            ending = investigate(run, pulse) if study else train(run, pulse, watch, heard)
        except Ended as end:
            ending = str(end)
        except Exception as error:  # whatever it was, the viewers must hear of it
            run.trace()
            with suppress(OSError):  # the disk may be what failed
                run.event("failed", pulse.step, error=explain(error))
            with suppress(OSError):
                pulse.set(state="failed", error=explain(error))
            return "failed"
        run.event(ending, pulse.step)
        pulse.set(state="stopped" if ending == "terminated" else ending)
        return ending


def train(run: Run, pulse: Pulse, watch: Watch, heard: Progress) -> str:
    """Train `run` and record it; give how it ended where it did not fail. Raises: Ended."""
    startup.load_torch()
    from infovae_core import checkpoints, training

    config = RunConfig.model_validate(run.config)
    images = prepare(run, config, pulse, heard)
    state = checkpoints.load(config, images, run.path / "checkpoint")
    kind = "started" if state is None else "resumed"
    state = state or training.init(config, images)
    plan, about = training.plan(config, images), training.about(config, images, state)
    run.event(kind, state.step, about=about)
    pulse.start(state.step, plan, about["device"])
    recorder = Recorder(run, config, images, pulse)
    if late := [turn.step for turn in config.turns if turn.step >= plan.steps]:
        text = f"turns must come before the last step, {plan.steps}, got {late}; they never happen"
        run.event("warning", state.step, text=text)
    with obeying(run) as asked:
        ending = None
        try:
            for report in training.train(config, images, state, recorder.turns, pulse.busy):
                watch(recorder.report(report), plan)
                wish = asked()
                if wish == "knobs":
                    recorder.turn_after(state.step)
                elif ending := wish:
                    break
            recorder.close(state)
        except NotFinite as error:
            raise recorder.trace(error, state, asked) from None
    return ending or "finished"


def prepare(run: Run, config: RunConfig, pulse: Pulse, heard: Progress) -> Dataset:
    """The data of `run`; while they are fetched and decoded, the status says how far that is.

    Raises: Ended where the run is asked to end meanwhile.
    """
    from infovae_core import data, training

    with obeying(run) as asked:

        def progress(done: int, of: int, what: str) -> None:
            heard(done, of, what)
            pulse.preparing = {"done": done, "of": of, "what": what}
            if (wish := asked()) and wish != "knobs":
                raise Ended(wish)

        device = training.resolve_device(config.training.device)
        try:
            return data.load(config.data, device, progress)
        finally:
            pulse.preparing = None


def evaluate(run: Run, seen: Seen = lambda name, estimate, share: None) -> str:
    """Measure what `Run.begin_evaluation` said of `run`, and store it; give how that ended.

    That is finished, failed or, by a request or SIGINT, cancelled. What was measured before is
    kept, and the run's own state and events stay as they are. `seen` hears of progress. The caller
    is the run's one writer (`dispatch.claim`, `dispatch.reserve`).
    """
    try:
        with Evaluation(run, partial(dispatch.relieve, run.root, device_of)) as evaluation:
            startup.load_torch()
            evaluation.measure(seen)
    except (Cancelled, KeyboardInterrupt):
        run.end_evaluation()
        return "cancelled"
    except Exception as error:
        run.trace()
        run.end_evaluation(explain(error))
        return "failed"
    run.end_evaluation()
    return "finished"


def investigate(run: Run, pulse: Pulse) -> str:
    """Carry out the study in `run` and record it; give how it ended where it did not fail.

    One that was broken off begins again: it repeats itself bit for bit, and what is written stays.
    """
    startup.load_torch()
    import torch

    from infovae_core import information, training

    study = archive.read(run)
    torch.set_num_threads(1)  # it is not to slow down a training beside it
    with suppress(AttributeError):  # where processes have no niceness
        os.nice(max(0, NICE - os.nice(0)))
    logged = {row["split"]: row["step"] for row in run.rows()}
    pulse.start(0, training.Plan(study.work, study.work, 1, 1), "cpu")
    run.event("resumed" if logged else "started", 0)
    with obeying(run) as asked:
        for report in information.PROCEDURES[study.study](study):
            pulse.step = report.done
            for row in report.rows:
                if row.at > logged.get(row.kind, 0):
                    clock = {"step": row.at, "epoch": pulse.epoch, "seconds": pulse.seconds}
                    run.log(clock | {"split": row.kind, "values": row.values})
            if ending := asked() or (archive.lonely(run) and "stopped"):
                return ending
    return "finished"


@contextmanager
def obeying(run: Run) -> Iterator[Callable[[], str | None]]:
    """A function that says how the training is asked to end, or that knobs are to be turned."""
    caught: list[int] = []
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def catch(number: int, frame: object) -> None:
        caught.append(number)
        signal.signal(number, former[number])

    looked = time.monotonic()

    def asked() -> str | None:
        nonlocal looked
        if caught:
            return "terminated" if signal.SIGTERM in caught else "stopped"
        if (now := time.monotonic()) - looked < OBEY:
            return None
        looked = now
        return next((answer for name, answer in ANSWERS.items() if run.requested(name)), None)

    for number in former:
        signal.signal(number, catch)
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def warm_up(root: Path) -> None:
    """Load all that a run needs and, unless one waits already, do once what it will do."""
    startup.load_torch()
    from infovae_core import checkpoints, data, decoding, snapshots, training

    if tickets(root):
        return
    config = RunConfig()
    images = data.load(config.data, training.resolve_device("auto"))
    report = next(training.train(config, images))
    snapshots.pictures(images)
    decoding.take(report.state.model, images.shape, snapshots.take(report.state, images))
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(report.state, Path(folder))
    gc.freeze()  # `free_memory` need not look through torch


def free_memory() -> None:
    """Give back what the last run needed, on the GPU for other processes too."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


def device_of(run: Run) -> str:
    """The device whose slot a run takes; where there is no such device it fails on the CPU's."""
    from infovae_core import training

    try:
        device = training.resolve_device(run.config["training"]["device"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        return "cpu:0"
    return f"{device.type}:{device.index or 0}"


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send what this process prints, whatever prints it, to the end of a file."""
    before = [os.dup(number) for number in (1, 2)]
    try:
        with path.open("ab") as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in zip((1, 2), before, strict=True):
            os.dup2(old, number)
            os.close(old)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
