"""Posterior collapse: a decoder that can do without its code, trained with every objective.

    python -m benchmarks.collapse --root data --picture docs/collapse.png

A gated PixelCNN on dynamically binarised MNIST; the same images, batches and initial weights for
each objective. All values are of held-out images, D at one draw of z; I is capped at log N. The
picture shows reconstructions: draws with the same noise for all images, so that whatever differs
between them comes from the code.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

from infovae_core import data, snapshots, training
from infovae_core.config import RunConfig

OBJECTIVES = [
    {"name": "VAE"},
    {"name": "InfoVAE", "alpha": 0.9, "lam": 20.0},
    {"name": "InfoMaxVAE", "beta": 1.0, "alpha": 5.0, "bound": "kl"},
]
SHOWN = 10  # images of the picture


def train(config: RunConfig, images: data.Dataset) -> tuple[dict[str, float], snapshots.Arrays]:
    """Train to the end of the plan; measure and draw."""
    begun = time.process_time()
    for report in training.train(config, images):
        state, step = report.state, report.state.step
        for row in report.rows:
            if row.split == "test":
                print(f"step {step}: D {row.values['distortion']:.1f}", file=sys.stderr)
    seconds = time.process_time() - begun
    ends = training.evaluate(state, images.test)
    codes = training.describe_codes(state, images.test)
    values = {
        "D": ends["distortion"],
        "R": codes["rate"],
        "I": codes["mutual_information"],
        "KLz": codes["marginal_kl"],
        "AU": codes["active_units"],
        "steps": state.step,
        "seconds": seconds,
    }
    return values, snapshots.take(state, images)


def picture(rows: list[np.ndarray], path: Path) -> None:
    """Rows of images below each other, black on white."""
    from PIL import Image

    sheet = np.concatenate([np.pad(np.concatenate(row, 1), 1) for row in rows], 0)
    whole = Image.fromarray(255 - sheet)
    whole.resize((2 * whole.width, 2 * whole.height), Image.Resampling.NEAREST).save(path)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--network", default="pixelcnn")
    parser.add_argument("--channels", type=int, default=12)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--latent-dim", type=int, default=10)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--objective", type=json.loads, action="append")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    rows = []
    print("| objective | D | R | I | KLz | active units | steps | CPU s |\n" + "|---" * 8 + "|")
    for objective in args.objective or OBJECTIVES:
        config = RunConfig.model_validate(
            {
                "data": {
                    "name": args.data,
                    "binarize": "dynamic",
                    "limit": args.limit,
                    "root": args.root,
                },
                "model": {
                    "network": args.network,
                    "pixel_channels": args.channels,
                    "pixel_layers": args.layers,
                    "latent_dim": args.latent_dim,
                },
                "objective": objective,
                "training": {"epochs": args.epochs, "batch_size": args.batch_size},
            }
        )
        images = data.load(config.data)
        few = slice(args.held_out)
        test = data.Split(images.test.items(few), images.test.y[few])
        images = data.Dataset(args.data, images.train, test, images.classes, dynamic=True)
        values, arrays = train(config, images)
        if not rows:
            rows.append(arrays["originals"][:SHOWN])
        rows.append(arrays["reconstructions"][:SHOWN])
        said = ", ".join(f"{k} {v}" for k, v in objective.items() if k != "name")
        cells = " | ".join(f"{value:.4g}" for value in values.values())
        print(f"| {config.objective.title} {said} | {cells} |", flush=True)
        if args.picture:
            picture(rows, args.picture)
    print(f"\nlog N = {math.log(min(training.CODES, args.held_out)):.2f}")


if __name__ == "__main__":
    main()
