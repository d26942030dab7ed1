"""After how many steps the time comes back that recording a step as a tape takes.

    python -m benchmarks.recording

The default network on digits, one thread, in seconds of the processor, which a busy machine changes
less. Prints a Markdown table; `stepper.RECORDED_FROM` follows from its last column.
"""

import functools
import itertools
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.machine import machine
from benchmarks.training import OBJECTIVES
from infovae_core import data, stepper, training
from infovae_core.config import RunConfig
from infovae_core.tape import Tape

ROUNDS, STEPS = 30, 5


def taken(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def repeat(step: Callable[[], object]) -> None:
    """A few steps."""
    for _ in range(STEPS):
        step()


def main() -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"{machine()}\n")
    print("| objective | recording, ms | step, ms | replay, ms | back after steps |")
    print("|---|---|---|---|---|")
    for name, objective in OBJECTIVES.items():
        settings = {"objective": objective, "training": {"device": "cpu"}}
        config = RunConfig.model_validate(settings)
        images = data.load(config.data)
        state = training.init(config, images)
        x = images.train.x[: config.training.batch_size]
        noise = stepper.draw_noise(state, x)
        step = functools.partial(stepper.train_step, state, state.objective)
        step(x, noise)
        tape = Tape(step, stepper.changing(state), x, noise)  # the first loads what it needs
        record = functools.partial(Tape, step, stepper.changing(state), x, noise)
        cost = statistics.median(taken(record) for _ in range(3))
        times: dict[bool, list[float]] = {False: [], True: []}
        for _, taped in itertools.product(range(ROUNDS), times):
            way = functools.partial(tape if taped else step, x, noise)
            times[taped].append(taken(functools.partial(repeat, way)) / STEPS)
        plain, replay = (statistics.median(times[taped]) for taped in times)
        saved = plain - replay
        back = f"{cost / saved:.0f}" if saved > 0 else "never"
        row = f"| {name} | {1e3 * cost:.0f} | {1e3 * plain:.2f} | {1e3 * replay:.2f} | {back} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
