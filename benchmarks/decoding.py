"""How long the browser takes from a code to its pixels, for decoders of several sizes.

    python -m benchmarks.decoding

Chromium runs the dashboard's own decoder.js on decoders of random weights, each for a thousand
codes. Prints a Markdown table; needs chromium on the path.
"""

import shutil
import tempfile
from pathlib import Path

import torch

from benchmarks.browser import chromium, dashboard
from infovae_core import decoding, runs
from infovae_core.config import RunConfig
from infovae_core.networks import build

SIZES = ((2, (256, 256)), (20, (256, 256)), (2, (512, 512)), (20, (1024, 1024)))
SHAPE = (28, 28)
CLOCK = """async ([api, run, d]) => {
  const { loadDecoder } = await import("/api/static/any/live/decoder.js");
  const decoder = await loadDecoder(api, run, 0);
  const codes = Array.from({ length: 1000 }, () =>
    Float32Array.from({ length: d }, () => 4 * Math.random() - 2));
  const times = codes.map((z) => {
    const begun = performance.now();
    decoder.draw(z);
    return performance.now() - begun;
  });
  return times.sort((a, b) => a - b);
}"""


def main() -> None:
    """Print the table."""
    root = Path(tempfile.mkdtemp())
    print("| decoder | parameters | median ms | 99th hundredth ms |\n|---|---|---|---|")
    with dashboard(root) as address, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{address}/_stcore/health")
        for d, widths in SIZES:
            config = RunConfig(model={"latent_dim": d, "decoder_widths": widths})
            model = build(SHAPE, config.model)
            run = runs.create(root, config)
            run.save_decoder(0, decoding.take(model, SHAPE, decoding.nothing_seen(d)))
            times = page.evaluate(CLOCK, ["/api/runs", run.id, d])
            name = "-".join(map(str, (d, *widths, 784)))
            count = sum(weight.numel() for weight in model.decoder.parameters())
            print(f"| {name} | {count:,} | {times[500]:.2f} | {times[990]:.2f} |")
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
