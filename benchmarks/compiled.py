"""What the real compiler makes of a run: near the same one uncompiled, and resumed bit for bit.

    python -m benchmarks.compiled

A run on digits is compiled from step `stepper.RESTED` on and goes on for `--steps`. Half way there
a checkpoint is written, from which a second process goes on. Prints how far the rows lie from
those of an uncompiled run, and whether both ends are the same in every bit.

Exits with 1 where the rows lie farther apart than `--tolerance`, or the ends differ at all.
"""

import argparse
import math
import multiprocessing
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.machine import machine
from infovae_core import checkpoints, data, stepper, training
from infovae_core.config import RunConfig
from infovae_core.training import Report

WIDTHS, BATCH = (64, 32), 64


def settings(compile: str, steps: int) -> RunConfig:
    """A run of a small network that ends at so many steps, or a few later."""
    images = data.load(RunConfig().data)
    epochs = math.ceil(steps / (len(images.train) // BATCH))
    model = {"widths": WIDTHS, "latent_dim": 10}
    fields = {"epochs": epochs, "batch_size": BATCH, "device": "cpu", "compile": compile}
    return RunConfig.model_validate({"model": model, "training": fields})


def trained(config: RunConfig, folder: Path | None = None, kept: int = -1) -> Iterator[Report]:
    """Train, from a checkpoint in `folder` where there is one; keep one of step `kept` there."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    images = data.load(config.data)
    state = checkpoints.load(config, images, folder) if folder else None
    for report in training.train(config, images, state):
        if report.state.step == kept:
            checkpoints.save(report.state, folder)
        yield report


def end_of(reports: Iterator[Report]) -> tuple[dict[int, float], list[str], str]:
    """The loss of each training row, the kinds of events, and a text of the last weights' bits."""
    losses, events = {}, []
    for report in reports:
        for row in report.rows:
            if row.split == "train":
                losses[report.state.step] = row.values["total"]
        events += [report.event["kind"]] if report.event else []
    bits = b"".join(w.detach().numpy().tobytes() for w in report.state.model.parameters())
    return losses, events, bits.hex()


def resumed(config: RunConfig, folder: Path) -> tuple[dict[int, float], list[str], str]:
    """What comes of the checkpoint, in this process."""
    return end_of(trained(config, folder))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="compiled ones")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of the loss, relative")
    args = parser.parse_args()
    end, half = stepper.RESTED + args.steps, stepper.RESTED + args.steps // 2
    config = settings("on", end)
    plain, _, other = end_of(trained(settings("off", end)))
    with tempfile.TemporaryDirectory() as folder:
        losses, events, whole = end_of(trained(config, Path(folder), half))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            _, again, bits = pool.apply(resumed, (config, Path(folder)))
    apart = max(abs(losses[step] / plain[step] - 1) for step in losses if step > stepper.RESTED)
    before = all(losses[step] == plain[step] for step in losses if step <= stepper.RESTED)
    print(f"{machine()}\n")
    print("| events | resumed | same before | other weights after | loss apart | resumed alike |")
    print("|---|---|---|---|---|---|")
    said = [" ".join(kinds) for kinds in (events, again)]
    alike = bits == whole
    print(f"| {said[0]} | {said[1]} | {before} | {other != whole} | {apart:.1g} | {alike} |")
    compiled = events == again == ["compiled"]
    raise SystemExit(not (compiled and before and alike and apart <= args.tolerance))


if __name__ == "__main__":
    main()
