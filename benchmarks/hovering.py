"""How long it takes from a move of the pointer to the decoded image on the screen.

    python -m benchmarks.hovering [--data.root FOLDER]

Untrained models of digits and MNIST: with fully connected decoders, which run in the browser, and
with convolutional ones, of which images were decoded ahead. Chromium shows the page Latent space;
the pointer moves 300 times, and each move is timed from the event's own time stamp to the first
task after the frame in which the image was painted; "work" is the part that the page's script takes
to decode and paint it, the rest is waiting for the screen's next frame, every 16.7 ms. Prints a
Markdown table; needs chromium on the path.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.browser import chromium, dashboard
from infovae_core import data, decoding, runs, snapshots, training
from infovae_core.config import RunConfig

MOVES = 300
RUNS = (  # data, units, network
    ("digits", 2, "mlp"),
    ("digits", 20, "mlp"),
    ("digits", 2, "cnn_infovae"),
    ("mnist", 2, "mlp"),
    ("mnist", 20, "mlp"),
    ("mnist", 2, "cnn_infovae"),
    ("mnist", 20, "cnn_infovae"),
)
WATCH = """root => {
  window.times = [];
  window.work = [];
  const canvas = root.querySelector(".plane canvas");
  const painted = new MessageChannel();
  let begun = null;
  painted.port1.onmessage = () => { times.push(performance.now() - begun); begun = null; };
  canvas.addEventListener("pointermove", (event) => {
    if (begun !== null) return;
    begun = event.timeStamp;
    work.push(Number(root.querySelector(".decoded").dataset.took));
    requestAnimationFrame(() => painted.port2.postMessage(0)); // heard once the frame is painted
  });
}"""


def left(root: Path, name: str, d: int, network: str, folder: str) -> runs.Run:
    """A finished run of an untrained model."""
    config = RunConfig(
        data={"name": name, "root": folder, "limit": 1000 if name == "mnist" else None},
        model={"latent_dim": d, "network": network},
    )
    images = data.load(config.data)
    state = training.init(config, images)
    arrays = snapshots.take(state, images)
    run = runs.create(root, config)
    run.event("started", 0, about=training.about(config, images, state))
    run.save_pictures(snapshots.pictures(images))
    run.save_decoder(0, decoding.take(state.model, images.shape, arrays))
    run.save_snapshot(0, arrays)
    run.set_status(state="finished", step=0)
    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data.root", dest="folder", default="data")
    folder = parser.parse_args().folder
    root = Path(tempfile.mkdtemp())
    print("| data | units | decoder | median ms | p95 ms | work ms |")
    print("|---|---|---|---|---|---|")
    with dashboard(root) as address, chromium() as browser:
        for name, d, network in RUNS:
            run = left(root, name, d, network, folder)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{address}/latent?run={run.id}")
            page.wait_for_selector(".lab.latent[data-decoder='0']", timeout=60_000)
            page.wait_for_timeout(1000)
            view = page.locator(".lab.latent")
            view.evaluate(WATCH)
            box = page.locator(".plane canvas").first.bounding_box()
            for angle in np.linspace(0, 6 * np.pi, MOVES):
                x = box["width"] * (0.5 + 0.25 * np.cos(angle))
                y = box["height"] * (0.5 + 0.25 * np.sin(1.3 * angle))
                page.mouse.move(box["x"] + x, box["y"] + y)
            median, late = np.percentile(page.evaluate("times"), [50, 95])
            work = np.median(page.evaluate("work"))
            row = f"{median:.1f} | {late:.1f} | {work:.1f}"
            print(f"| {name} | {d} | {network} | {row} |", flush=True)
            page.close()
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
