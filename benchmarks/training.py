"""Time of a training step, recorded as the dashboard records it, beside a bare loop.

    python -m benchmarks.training --models tiny mlp --rounds 15

Every way trains the same network on the same images in this one process. They take turns, about
`--seconds` each, so that a busy neighbour slows all of them, and what is printed is the median
over the rounds: milliseconds a step, and each round's time by the bare loop's of that round.

bare      what is left when all but the arithmetic is taken away: index-selected batches, the loss
          written out, fused Adam
train     `training.train` with rows, evaluations, snapshots, checkpoints and heartbeats into a run
          directory

Prints a Markdown table.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker does, before torch is loaded

import torch
from torch.nn import functional as F

from benchmarks.machine import machine
from infovae_core import data, runs, training, worker
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.divergences import mmd2
from infovae_core.recorder import Pulse, Recorder

Steps = Iterator[object]


class Case(NamedTuple):
    """A network, its images and an objective."""

    config: RunConfig
    images: Dataset
    threads: int


def case(model: str, objective: dict, batch: int | None) -> Case:
    """One of the networks that peers are measured with."""
    settings = {
        "tiny": {"model": {"widths": (128, 64), "latent_dim": 10}, "training": {"batch_size": 64}},
        "mlp": {"model": {"widths": (512, 256), "latent_dim": 20}},
    }[model]
    settings.setdefault("training", {"batch_size": 128})["epochs"] = 1_000_000
    if batch is not None:
        settings["training"]["batch_size"] = batch
    config = RunConfig.model_validate(settings | {"objective": objective})
    if model == "tiny":
        return Case(config, data.load(config.data), 1)
    return Case(config, grey_images(20_000, 2_000), torch.get_num_threads())


def grey_images(train: int, test: int, shape: tuple[int, ...] = (28, 28)) -> Dataset:
    """Images of smooth noise: as large as MNIST's, and with grey values as there."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(train + test, 1, 7, 7, generator=generator)
    x = F.interpolate(coarse, shape[-2:], mode="bilinear").sub(0.4).mul(3).clamp(0, 1).squeeze(1)
    y = torch.arange(train + test) % 10
    parts = Split(x[:train], y[:train]), Split(x[train:], y[train:])
    return Dataset("noise", *parts, tuple(map(str, range(10))))


def bare(case: Case) -> Steps:
    """Nothing but arithmetic, written out."""
    config, x = case.config, case.images.train.x
    model = training.init(config, case.images).model
    optimizer = torch.optim.Adam(model.parameters(), config.training.learning_rate, fused=True)
    batch, objective = config.training.batch_size, config.objective
    while True:
        order = torch.randperm(len(x))
        for rows in order[: len(x) // batch * batch].view(-1, batch):
            images = x.index_select(0, rows)
            mean, log_var = model.encoder(images).chunk(2, -1)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            logits = model.decoder(z)
            loss = F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / batch
            rate = 0.5 * (log_var.exp() + mean.square() - 1 - log_var).sum() / batch
            if objective.name == "InfoVAE":
                loss = loss + (1 - objective.alpha) * rate
                weight = objective.alpha + objective.lam - 1
                loss = loss + weight * mmd2(z, torch.randn_like(z), objective.kernel)
            else:
                loss = loss + rate
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def recorded(case: Case, root: Path) -> Steps:
    """What a worker does with a run."""
    run = runs.create(root, case.config.model_dump(mode="json"))
    state = training.init(case.config, case.images)
    with Pulse(run) as pulse:
        pulse.start(0, training.plan(case.config, case.images), "cpu")
        recorder = Recorder(run, case.config, case.images, pulse)
        with worker.obeying(run) as asked:
            for report in training.train(case.config, case.images, state, recorder.turns):
                recorder.report(report)
                asked()
                yield


WAYS: dict[str, Callable[[Case, Path], Steps]] = {
    "bare": lambda case, root: bare(case),
    "train": recorded,
}


def take_turns(
    case: Case, ways: list[str], rounds: int, seconds: float, root: Path
) -> dict[str, list[float]]:
    """Seconds a step of each way in each round."""
    torch.set_num_threads(case.threads)
    steps = {way: WAYS[way](case, root) for way in ways}
    counts = {way: warm(step, seconds) for way, step in steps.items()}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in ways if turn % 2 else reversed(ways):  # who comes first may find a warm cache
            begun = time.perf_counter()
            for _ in itertools.islice(steps[way], counts[way]):
                pass
            times[way].append((time.perf_counter() - begun) / counts[way])
    for step in steps.values():
        step.close()
    return times


def warm(steps: Steps, seconds: float) -> int:
    """Train for a while; how many steps take about so many seconds."""
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < 2 * seconds:
        next(steps)
        count += 1
    return max(1, count // 2)


OBJECTIVES = {
    "VAE": {"name": "VAE"},
    "InfoVAE, MMD": {"name": "InfoVAE", "alpha": 0.8, "lam": 5.0},
    "InfoVAE, MMD, IMQ": {"name": "InfoVAE", "alpha": 0.8, "lam": 5.0, "kernel": "imq"},
}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["tiny", "mlp"])
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES))
    parser.add_argument("--batch", type=int, nargs="+", default=[None])
    parser.add_argument("--ways", nargs="+", default=["bare", "train"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    print(f"{machine()}\n")
    print("| model | objective | batch | way | ms a step | × bare | from | to |")
    print("|---|---|---|---|---|---|---|---|")
    for model, name, batch in itertools.product(args.models, args.objectives, args.batch):
        chosen = case(model, OBJECTIVES[name], batch)
        with tempfile.TemporaryDirectory() as root:
            times = take_turns(chosen, args.ways, args.rounds, args.seconds, Path(root))
        for way, taken in times.items():
            ratios = [t / base for t, base in zip(taken, times["bare"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
            print(
                f"| {model} | {name} | {chosen.config.training.batch_size} | {way} "
                f"| {1e3 * statistics.median(taken):.3g} | {middle:.2f} | {low:.2f} | {high:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
