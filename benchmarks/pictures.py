"""Take the pictures in docs/ of the dashboard while it trains.

    python -m benchmarks.pictures --mnist DIR

DIR holds MNIST/raw, as torchvision lays it out. Needs chromium on the path.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.browser import PROJECT, chromium, dashboard
from infovae_core import runs, worker
from infovae_core.config import RunConfig

WINDOW = {"width": 1280, "height": 800}


def main() -> None:
    """Train and photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", default="data")
    args = parser.parse_args()
    scenes = {  # data, theme, share of the training that has passed
        "digits": ({"name": "digits"}, "light", 0.7),
        "mnist": ({"name": "mnist", "root": args.mnist}, "dark", 0.35),
    }
    root = Path(tempfile.mkdtemp())
    with dashboard(root) as address, chromium() as browser:
        for name, (data, theme, share) in scenes.items():
            run = runs.create(root, RunConfig.model_validate({"data": data}))
            worker.launch(run)
            page = browser.new_page(viewport=WINDOW, device_scale_factor=1.5, color_scheme=theme)
            page.goto(f"{address}/?run={run.id}")
            while (run.status["step"] or 0) < share * (run.status["steps"] or 1):
                if run.state not in runs.ACTIVE:
                    raise RuntimeError(f"{name} must train, got {run.status['error']}")
                time.sleep(0.2)
            page.screenshot(path=PROJECT / "docs" / f"{name}.png")
            page.close()
            run.request("stop")
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
