"""What a busy program on the same processor costs a training: its steps beside it, and alone.

    python -m benchmarks.neighbour --models tiny mlp cnn

The neighbour is a process that never rests, held up and let go in turns. On n hardware threads a
training of as many threads would lose at least 1/n of its time to it; one of fewer may lose nothing
but what hardware threads of one core take from each other. Prints a Markdown table.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker does, before torch is loaded

import torch

from benchmarks.machine import machine
from benchmarks.training import case, quartiles, recorded, timed, warm
from infovae_core import stepper, training


@contextmanager
def neighbour() -> Iterator[int]:
    """A process that never rests, held up at first; its number."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        process.send_signal(signal.SIGSTOP)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["tiny", "mlp", "cnn"])
    parser.add_argument("--threads", type=int, nargs="+", help="left out: what a worker takes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    print(f"{machine()}\n\n| model | threads | alone, ms a step | beside it, ms | × | from | to |")
    print("|---|---|---|---|---|---|---|")
    with neighbour() as pid:
        for model in args.models:
            chosen = case(model, {"name": "VAE"}, None)
            epoch = training.plan(chosen.config, chosen.images).steps_per_epoch
            for threads in args.threads or [chosen.threads]:
                torch.set_num_threads(threads)
                times: dict[int, list[float]] = {signal.SIGSTOP: [], signal.SIGCONT: []}
                with tempfile.TemporaryDirectory() as root:
                    steps = recorded(chosen, Path(root), "off")
                    count = warm(steps, stepper.SETTLED, epoch, args.seconds)
                    for _ in range(args.rounds):
                        for sent, found in times.items():
                            os.kill(pid, sent)
                            found.append(timed(steps, count))
                    os.kill(pid, signal.SIGSTOP)
                    steps.close()
                alone, beside = times.values()
                low, middle, high = quartiles(beside, alone)
                print(
                    f"| {model} | {threads} | {1e3 * statistics.median(alone):.3g} "
                    f"| {1e3 * statistics.median(beside):.3g} | {middle:.2f} | {low:.2f} "
                    f"| {high:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
