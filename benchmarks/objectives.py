"""Train objectives on the same data, seeds and batches; tabulate what their codes carry.

    python -m benchmarks.objectives --data digits --seeds 3
    python -m benchmarks.objectives --data digits --objective '{"name": "BetaVAE", "beta": 4}'

Without --objective, every objective with its defaults, every divergence and every bound.
Distortion and rate are of the held-out images; I, KLz and active units of the training images'
codes (at most 5,000 of them), the held-out ones being too few for log N not to bind. With several
seeds: mean ± standard deviation.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from infovae_core import data, estimators, training
from infovae_core.bounds import BOUNDS
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES
from infovae_core.terms import DIVERGENCES

CHOICES = {"InfoVAE": ("divergence", DIVERGENCES), "InfoMaxVAE": ("bound", BOUNDS)}


def family() -> list[dict]:
    """Every objective with its defaults, once for each divergence or bound that it may have."""
    return [
        {"name": name} | ({field: choice} if field else {})
        for name in OBJECTIVES
        for field, choices in [CHOICES.get(name, ("", [None]))]
        for choice in choices
    ]


def measure(config: RunConfig, images: data.Dataset) -> dict[str, float]:
    """Train to the end of the plan and measure."""
    begun = time.process_time()
    for report in training.train(config, images):
        state = report.state
    values = training.evaluate(state, images.test)
    with torch.no_grad():
        q = state.model.posterior(images.train.items(slice(5000)))
        z = q.mean + q.stddev * torch.randn(
            q.mean.shape, generator=torch.Generator().manual_seed(0)
        )
    return {
        "D": values["distortion"],
        "R": values["rate"],
        "I": estimators.mutual_information(q, z).item(),
        "KLz": estimators.marginal_kl(q, z).item(),
        "AU": estimators.active_units(q.mean).item(),
        "steps": state.step,
        "seconds": time.process_time() - begun,
    }


def summary(values: list[float]) -> str:
    """A mean, with the standard deviation where there are several values."""
    mean = f"{statistics.mean(values):.4g}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2g}"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--latent-dim", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--training", type=json.loads, default={}, help="more of its fields")
    parser.add_argument("--objective", type=json.loads, action="append")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    header = None
    for objective in args.objective or family():
        rows = []
        for seed in range(args.seeds):
            config = RunConfig.model_validate(
                {
                    "data": {"name": args.data, "root": args.root},
                    "model": {"latent_dim": args.latent_dim},
                    "objective": objective,
                    "training": {"epochs": args.epochs, "seed": seed} | args.training,
                }
            )
            rows.append(measure(config, data.load(config.data)))
        if header is None:
            header = list(rows[0])
            print("| objective |", " | ".join(header), "|")
            print("|---" * (len(header) + 1) + "|")
        changed = ", ".join(f"{k} {v}" for k, v in objective.items() if k != "name")
        cells = (summary([row[name] for row in rows]) for name in header)
        print(f"| {config.objective.title} {changed} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
