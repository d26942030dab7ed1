"""Time of a training step, recorded as the dashboard records it, beside a bare loop and peers.

    python -m benchmarks.training --models tiny mlp cnn --ways bare train
    python -m benchmarks.training --models tiny mlp --ways bare train compiled loader pythae
    python -m benchmarks.training --models tiny --profile compiled
    python -m benchmarks.training --models cnn --ways bare train pythae --operations
    python -m benchmarks.training --device cuda --models mlp cnn --ways bare train compiled tf32

Every way trains the same network on the same images in this one process. They take turns, whole
epochs for about `--seconds` each, so that a busy neighbour slows all of them; ours are past the
first half minute, in which they draw more. What is printed is the median over the rounds:
milliseconds a step, each round's time by the bare loop's of that round with its quartiles, and the
throughput by that of the way named last.

products  the matrix products of an MLP's step, and nothing else
bare      what is left when all but the arithmetic is taken away: index-selected batches, the loss
          written out, fused Adam
train     `training.train` with rows, evaluations, snapshots, checkpoints and heartbeats into a run
          directory
compiled  the same with `training.compile` on; on a CUDA GPU, captured as a CUDA graph
tf32      compiled, with `training.precision` tf32
bfloat16  compiled, with `training.precision` bfloat16
loader    a DataLoader, plain Adam, and the loss read at every step
pythae    its trainer; `pip install -r benchmarks/requirements.txt`

`--threads` left out, tiny networks take one; of others ours as many as a worker takes, and peers
all that torch would. What is timed on a GPU ends when the GPU is done. Prints a Markdown table.
"""

import argparse
import cProfile
import itertools
import math
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker does, before torch is loaded

import torch
from torch.nn import functional as F

from benchmarks import peers
from benchmarks.machine import machine
from infovae_core import data, pulse, runs, startup, stepper, training, worker
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.precision import allow_tf32
from infovae_core.recorder import Recorder

Steps = Iterator[object]


class Case(NamedTuple):
    """A network, its images and an objective."""

    config: RunConfig
    images: Dataset
    threads: int  # of ours
    theirs: int | None = None  # where peers take others


def case(model: str, objective: dict, batch: int | None, device: str = "cpu") -> Case:
    """One of the networks that peers are measured with."""
    settings = {
        "tiny": {"model": {"widths": (128, 64), "latent_dim": 10}, "training": {"batch_size": 64}},
        "mlp": {"model": {"widths": (512, 256), "latent_dim": 20}},
        "cnn": {"model": {"network": "cnn_infomax", "latent_dim": 20}},
    }[model]
    settings.setdefault("training", {"batch_size": 128}).update(epochs=1000, device=device)
    if batch is not None:
        settings["training"]["batch_size"] = batch
    config = RunConfig.model_validate(settings | {"objective": objective})
    if model == "tiny":
        return Case(config, data.load(config.data, device), 1)
    images = {"mlp": (20_000, 2_000), "cnn": (5_000, 500)}[model]
    made = grey_images(*images, device=device)
    return Case(config, made, startup.threads(), torch.get_num_threads())


def grey_images(
    train: int, test: int, shape: tuple[int, ...] = (28, 28), device: str = "cpu"
) -> Dataset:
    """Images of smooth noise: as large as MNIST's, and with grey values as there."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(train + test, 1, 7, 7, generator=generator)
    x = F.interpolate(coarse, shape[-2:], mode="bilinear").sub(0.4).mul(3).clamp(0, 1).squeeze(1)
    x, y = x.to(device), torch.arange(train + test, device=device) % 10
    parts = Split(x[:train], y[:train]), Split(x[train:], y[train:])
    return Dataset("noise", *parts, tuple(map(str, range(10))))


def recorded(case: Case, root: Path, compile: str, precision: str = "float32") -> Steps:
    """What a worker does with a run, and with the next when it is over."""
    how = {"compile": compile, "precision": precision}
    kept = case.config.training.model_copy(update=how)
    config = case.config.model_copy(update={"training": kept})
    while True:
        run = runs.create(root, config.model_dump(mode="json"))
        state = training.init(config, case.images)
        with pulse.Pulse(run) as beat:
            beat.start(0, training.plan(config, case.images), config.training.device)
            recorder = Recorder(run, config, case.images, beat)
            with worker.obeying(run) as asked:
                for report in training.train(config, case.images, state, recorder.turns):
                    recorder.report(report)
                    asked()
                    yield


WAYS: dict[str, Callable[[Case, Path], Steps]] = {
    "products": lambda case, root: peers.products_alone(case.config, case.images),
    "bare": lambda case, root: peers.bare(case.config, case.images),
    "train": lambda case, root: recorded(case, root, "off"),
    "compiled": lambda case, root: recorded(case, root, "on"),
    "tf32": lambda case, root: recorded(case, root, "on", "tf32"),
    "bfloat16": lambda case, root: recorded(case, root, "on", "bfloat16"),
    "loader": lambda case, root: peers.loader(case.config, case.images),
    "pythae": lambda case, root: peers.pythae(case.config, case.images),
}
PEERS = "loader", "pythae"
COMPILED = "compiled", "tf32", "bfloat16"
OURS = "train", *COMPILED


class Clock:
    """One way's own, which stands while others have their turn.

    What a run writes is due by the clock: by everybody's, it would write for the others' time too.
    """

    def __init__(self) -> None:
        self._before, self._since = 0.0, None

    def monotonic(self) -> float:
        """Seconds that the way has had."""
        now = time.perf_counter()
        return self._before + (0.0 if self._since is None else now - self._since)

    @contextmanager
    def running(self) -> Iterator[None]:
        """It goes, and is what runs look at."""
        self._since, pulse.time = time.perf_counter(), self
        yield
        self._before, self._since = self.monotonic(), None


def take_turns(
    case: Case, ways: list[str], rounds: int, seconds: float, root: Path
) -> dict[str, list[float]]:
    """Seconds a step of each way in each round."""
    threads = {way: (way in PEERS and case.theirs) or case.threads for way in ways}
    steps = {way: WAYS[way](case, root) for way in ways}
    epoch = training.plan(case.config, case.images).steps_per_epoch
    begun = {way: stepper.RESTED if way in COMPILED else stepper.SETTLED for way in ways}
    clocks, counts = {way: Clock() for way in ways}, {}
    for way, step in steps.items():
        torch.set_num_threads(threads[way])
        with clocks[way].running():
            counts[way] = warm(step, begun[way], epoch, seconds)
            while way in OURS and clocks[way].monotonic() < pulse.EARLY:
                timed(step, epoch)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in ways if turn % 2 else reversed(ways):  # who comes first may find a warm cache
            torch.set_num_threads(threads[way])
            with clocks[way].running():
                times[way].append(timed(steps[way], counts[way]))
    for step in steps.values():
        step.close()
    return times


PARTS = {  # of a step of ours: a file, and the function whose time it is
    "matrix products": (("~", "torch.mm>"), ("~", "torch.addmm>"), ("products.py", "product")),
    "noise": (("stepper.py", "draw_noise"),),
    "the step": (("stepper.py", "__call__"),),
    "rows": (("training.py", "due_rows"),),
    "snapshots, checkpoints, checks": (("recorder.py", "report"),),
    "batches": (("training.py", "batches"), ("~", "'index_select'")),
}


def profiled(case: Case, way: str, root: Path, count: int = 3000) -> dict[str, float]:
    """What share of its time one way spends where, by Python's profiler, which slows calls."""
    torch.set_num_threads(case.threads)
    steps = WAYS[way](case, root)
    epoch = training.plan(case.config, case.images).steps_per_epoch
    warm(steps, stepper.RESTED if way in COMPILED else stepper.SETTLED, epoch, 0.1)
    with cProfile.Profile() as profile:
        timed(steps, count)
    steps.close()
    stats = pstats.Stats(profile)
    shares = {
        part: sum(
            cumulative
            for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()
            if any(file.endswith(f) and n in name for f, n in functions)
        )
        / stats.total_tt
        for part, functions in PARTS.items()
    }
    shares["the step"] -= shares["matrix products"] + shares["noise"]
    return shares | {"all else": 1 - sum(shares.values())}


def operations(case: Case, way: str, root: Path, count: int = 100) -> dict[str, float]:
    """Seconds a step that one way spends in torch's operations, by torch's profiler."""
    torch.set_num_threads((way in PEERS and case.theirs) or case.threads)
    steps = WAYS[way](case, root)
    epoch = training.plan(case.config, case.images).steps_per_epoch
    warm(steps, stepper.RESTED if way in COMPILED else stepper.SETTLED, epoch, 0.1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        timed(steps, count)
    steps.close()
    taken = {each.key: each.self_cpu_time_total / 1e6 / count for each in profile.key_averages()}
    return dict(sorted(taken.items(), key=lambda item: -item[1]))


def timed(steps: Steps, count: int) -> float:
    """Seconds a step, over so many."""
    wait_for_gpu()
    begun = time.perf_counter()
    for _ in itertools.islice(steps, count):
        pass
    wait_for_gpu()
    return (time.perf_counter() - begun) / count


def wait_for_gpu() -> None:
    """Until it has done what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def warm(steps: Steps, begun: int, epoch: int, seconds: float) -> int:
    """Train until steps are what they will be; in how many, whole epochs, so many seconds pass."""
    timed(steps, math.ceil((begun + 1) / epoch) * epoch)
    return epoch * max(1, round(seconds / epoch / timed(steps, epoch)))


OBJECTIVES = {
    "VAE": {"name": "VAE"},
    "InfoVAE, MMD": {"name": "InfoVAE", "alpha": 0.8, "lam": 5.0},
    "InfoVAE, MMD, IMQ": {"name": "InfoVAE", "alpha": 0.8, "lam": 5.0, "kernel": "imq"},
    "InfoVAE, Jensen": {"name": "InfoVAE", "alpha": 0.8, "lam": 5.0, "divergence": "jensen"},
    "InfoMax-VAE": {"name": "InfoMaxVAE"},
}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["tiny", "mlp"])
    parser.add_argument("--objectives", nargs="+", default=["VAE"], choices=OBJECTIVES)
    parser.add_argument("--batch", type=int, nargs="+", default=[None])
    parser.add_argument("--ways", nargs="+", default=["bare", "train"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--profile", choices=OURS, help="instead: where this way's time goes")
    parser.add_argument(
        "--operations", action="store_true", help="instead: the time of torch's operations"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    args = parser.parse_args()
    try:
        training.resolve_device(args.device)
    except ValueError as error:
        parser.error(str(error))
    torch.set_flush_denormal(True)
    allow_tf32(False, False)
    gpu = f", {torch.cuda.get_device_name()}" if args.device == "cuda" else ""
    print(f"{machine()}{gpu}\n")
    if args.profile:
        print("| model | way | part | % |\n|---|---|---|---|")
        for model, name in itertools.product(args.models, args.objectives):
            chosen = case(model, OBJECTIVES[name], None, args.device)
            with tempfile.TemporaryDirectory() as root:
                shares = profiled(chosen, args.profile, Path(root))
            for part, share in shares.items():
                print(f"| {model} | {args.profile} | {part} | {100 * share:.0f} |")
        return
    if args.operations:
        print("| model | way | torch's operation | ms a step | % |\n|---|---|---|---|---|")
        for model, way in itertools.product(args.models, args.ways):
            with tempfile.TemporaryDirectory() as root:
                taken = operations(case(model, OBJECTIVES["VAE"], None), way, Path(root))
            whole = sum(taken.values())
            for name, seconds in itertools.islice(taken.items(), 6):
                share = 100 * seconds / whole
                print(f"| {model} | {way} | `{name}` | {1e3 * seconds:.2f} | {share:.0f} |")
            print(f"| {model} | {way} | all | {1e3 * whole:.2f} | 100 |", flush=True)
        return
    print("| model | objective | batch | way | ms a step | × bare | from | to | throughput × |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model, name, batch in itertools.product(args.models, args.objectives, args.batch):
        chosen = case(model, OBJECTIVES[name], batch, args.device)
        if args.threads:
            chosen = chosen._replace(threads=args.threads, theirs=None)
        with tempfile.TemporaryDirectory() as root:
            times = take_turns(chosen, args.ways, args.rounds, args.seconds, Path(root))
        for way, taken in times.items():
            low, middle, high = quartiles(taken, times["bare"])
            _, peer, _ = quartiles(times[args.ways[-1]], taken)
            print(
                f"| {model} | {name} | {chosen.config.training.batch_size} | {way} "
                f"| {1e3 * statistics.median(taken):.3g} | {middle:.2f} | {low:.2f} | {high:.2f} "
                f"| {peer:.2f} |",
                flush=True,
            )


def quartiles(taken: list[float], base: list[float]) -> list[float]:
    """Of the rounds' ratios."""
    ratios = [t / b for t, b in zip(taken, base, strict=True)]
    return statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3


if __name__ == "__main__":
    main()
