"""Train objectives on the same data, seed and batches; tabulate what their codes carry.

    python -m benchmarks.objectives --data digits --epochs 300

Distortion and rate are of the held-out images; I, KLz and active units of the training images'
codes (at most 5,000 of them), the held-out ones being too few for log N not to bind.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from infovae_core import data, estimators, training
from infovae_core.config import RunConfig

FAMILY = [
    {"name": "VAE"},
    {"name": "BetaVAE"},
    {"name": "InfoVAE"},
    {"name": "InfoVAE", "divergence": "stein"},
    {"name": "InfoVAE", "divergence": "jensen"},
    {"name": "InfoVAE", "divergence": "kl"},
    {"name": "InfoMaxVAE"},
    {"name": "InfoMaxVAE", "bound": "dv"},
]


def measure(config: RunConfig, images: data.Dataset) -> dict[str, float]:
    """Train to the end of the plan and measure."""
    begun = time.process_time()
    for report in training.train(config, images):
        state = report.state
    values = training.evaluate(state, images.test)
    with torch.no_grad():
        q = state.model.posterior(images.train.x[:5000])
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


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--latent-dim", type=int, default=2)
    parser.add_argument("--objective", type=json.loads, action="append")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    header = None
    for objective in args.objective or FAMILY:
        config = RunConfig.model_validate(
            {
                "data": {"name": args.data, "root": args.root},
                "model": {"latent_dim": args.latent_dim},
                "objective": objective,
                "training": {"epochs": args.epochs},
            }
        )
        row = measure(config, data.load(config.data))
        if header is None:
            header = list(row)
            print("| objective |", " | ".join(header), "|")
            print("|---" * (len(header) + 1) + "|")
        changed = ", ".join(f"{k} {v}" for k, v in objective.items() if k != "name")
        print(
            f"| {config.objective.title} {changed} |",
            " | ".join(f"{value:.4g}" for value in row.values()),
            "|",
            flush=True,
        )


if __name__ == "__main__":
    main()
