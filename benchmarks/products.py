"""Matrix products as torch has them, beside oneDNN's: `infovae_core.products` follows from these.

    python -m benchmarks.products --threads 1 2

The products of an MLP's step at a batch of 128: forward, of the gradient with the weights, and with
what went in. Prints a Markdown table.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.machine import machine
from infovae_core import products

BATCH = 128
LAYERS = (128, 64), (256, 40), (512, 256), (784, 512), (2048, 2048)
ROUNDS = 61


def seconds(multiply: Callable[[], Tensor]) -> float:
    """Of one product."""
    begun = time.perf_counter()
    multiply()
    return time.perf_counter() - begun


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    args = parser.parse_args()
    print(f"{machine()}\n\n| threads | layer | product | torch, ms | oneDNN, ms | × faster |")
    print("|---|---|---|---|---|---|")
    for threads in args.threads:
        torch.set_num_threads(threads)
        for inputs, outputs in LAYERS:
            x, g = torch.randn(BATCH, inputs), torch.randn(BATCH, outputs)
            w = torch.randn(outputs, inputs)
            for name, a, b in (("x Wᵀ", x, w.T), ("g W", g, w), ("gᵀ x", g.T, x)):
                ways = [functools.partial(way, a, b) for way in (torch.mm, products.product)]
                times = [[seconds(way) for way in ways] for _ in range(ROUNDS)]
                ratio = statistics.median(theirs / ours for theirs, ours in times)
                theirs, ours = (1e3 * statistics.median(each) for each in zip(*times, strict=True))
                print(
                    f"| {threads} | {inputs} → {outputs} | {name} | {theirs:.3f} | {ours:.3f} "
                    f"| {ratio:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
