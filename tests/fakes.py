"""Runs that no worker has trained: what viewers find in a run directory, made up by a test."""

import copy
from pathlib import Path

import numpy as np

from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.runs import Run

STEPS = 100
NATS = "nats per image"
QUANTITIES = {
    "total": {"label": "loss", "unit": NATS},
    "distortion": {"label": "distortion D", "unit": NATS},
    "rate": {"label": "rate R", "unit": NATS},
    "mmd": {
        "label": "MMD²(q(z), p(z))",
        "unit": "squared kernel distance",
        "sight": "the witness f(z)",
    },
}


def about(dimensions: int = 2) -> dict:
    """What a run says of itself when it starts."""
    return {
        "quantities": copy.deepcopy(QUANTITIES),
        "classes": [str(digit) for digit in range(10)],
        "image_shape": [8, 8],
        "latent_dim": dimensions,
        "device": "cpu",
        "steps_per_epoch": 10,
    }


def start(root: Path, dimensions: int = 2) -> Run:
    """A run that this process says it trains."""
    run = runs.create(root, RunConfig())
    run.event("started", 0, about=about(dimensions))
    progress(run, 0)
    return run


def progress(run: Run, step: int, state: str = "running", **more: object) -> None:
    """The status of a run at a step."""
    epochs = {"epoch": step / 10, "epochs": STEPS // 10}
    run.set_status(
        state=state, step=step, steps=STEPS, rate=1e4, seconds=step / 10, **epochs, **more
    )


def row(step: int, split: str = "train") -> dict:
    """A metric row; every value says which step it is of."""
    values = {name: (i + 1) / step for i, name in enumerate(QUANTITIES)}
    return {"step": step, "epoch": step / 10, "seconds": step / 7, "split": split, "values": values}


def snapshot(dimensions: int = 2, seed: int = 0, count: int = 300) -> dict[str, np.ndarray]:
    """Arrays of a snapshot, another for each seed; the originals are the same for all."""
    random, fixed = np.random.default_rng((seed, 1)), np.random.default_rng(0)
    shown = np.flatnonzero(np.arange(count) >= 0.8 * count)[:40].astype(np.int32)
    images = (len(shown), 8, 8)
    arrays = {
        "mean": random.normal(size=(count, dimensions)).astype(np.float32),
        "std": random.uniform(0.1, 1, (count, dimensions)).astype(np.float32),
        "label": (np.arange(count) % 10).astype(np.int16),
        "split": (np.arange(count) >= 0.8 * count).astype(np.uint8),
        "index": np.arange(count, dtype=np.int32),
        "shown": shown,
        "originals": fixed.integers(0, 256, images, dtype=np.uint8),
        "reconstructions": random.integers(0, 256, images, dtype=np.uint8),
        "samples": random.integers(0, 256, (100, 8, 8), dtype=np.uint8),
    }
    if dimensions > 2:
        arrays["center"] = arrays["mean"].mean(0)
        arrays["plane"] = np.linalg.qr(random.normal(size=(dimensions, 2)))[0].astype(np.float32)
    return arrays


SIGHTS = ("field", "flow", "scores")


def sight(kind: str, arrays: dict[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """A snapshot's arrays with what a term sees, of one of SIGHTS, another for each seed."""
    random, mean = np.random.default_rng((seed, 2)), arrays["mean"]
    count, d = mean.shape
    if kind == "field":
        slope = random.normal(size=d).astype(np.float32)
        if d > 2:
            return arrays | {"sees": np.array("mmd"), "field": mean @ slope}
        axis = np.linspace(-5, 5, 33, dtype=np.float32)
        places = np.stack(np.meshgrid(*[axis] * d, indexing="ij"), -1)
        return arrays | {"sees": np.array("mmd"), "field": places @ slope, "reach": np.float32(5)}
    if kind == "flow":
        pushed = np.arange(0, count, 5, dtype=np.int32)
        flow = random.normal(size=(len(pushed), d)).astype(np.float32)
        return arrays | {"sees": np.array("mmd"), "flow": flow, "pushed": pushed}
    together, apart = (random.normal(mean, 1, 200).astype(np.float32) for mean in (3, -1))
    said = {"together": together, "apart": apart, "bound": np.float32(1.5)}
    return arrays | {"sees": np.array("mmd"), **said}
