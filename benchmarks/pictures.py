"""Take the pictures in docs/ of the dashboard's pages.

    python -m benchmarks.pictures --mnist DIR

DIR holds MNIST/raw, as torchvision lays it out. Needs chromium on the path.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.browser import PROJECT, chromium, dashboard
from infovae_core import runs, worker
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES
from infovae_core.runs import Run

WINDOW = {"width": 1280, "height": 800}


def begun(root: Path, **settings: dict) -> Run:
    """A run with these settings, queued."""
    run = runs.create(root, RunConfig.model_validate(settings))
    worker.launch(run)
    return run


def reaches(run: Run, share: float) -> None:
    """Wait until that share of the training has passed."""
    while (run.status["step"] or 0) < share * (run.status["steps"] or 1):
        if share < 1 and run.state not in runs.ACTIVE:
            raise RuntimeError(f"{run.id} must train, got {run.status['error']}")
        time.sleep(0.2)


def opened(browser: Browser, address: str, theme: str) -> Page:
    """A page in that theme."""
    page = browser.new_page(viewport=WINDOW, device_scale_factor=1.5, color_scheme=theme)
    page.goto(address)
    return page


def photograph(page: Page, name: str) -> None:
    """Take the picture, and close the page."""
    page.screenshot(path=PROJECT / "docs" / f"{name}.png")
    page.close()


def selected(browser: Browser, address: str) -> Page:
    """The page Latent space with some codes selected and one of their images pressed."""
    page = opened(browser, address, "light")
    page.locator(".pick").nth(9).wait_for()
    box = page.locator(".plane canvas").first.bounding_box()
    x, y = (box[side] + 0.62 * box[size] for side, size in (("x", "width"), ("y", "height")))
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ((70, -20), (100, 50), (40, 110), (-30, 70)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
    page.locator(".pick").nth(2).click()
    page.mouse.move(x - 60, y - 40)
    page.wait_for_timeout(1500)
    return page


def main() -> None:
    """Train and photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", default="data")
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    with dashboard(root) as address, chromium() as browser:
        compared = [begun(root, objective={"name": name}) for name in OBJECTIVES]
        page = opened(browser, f"{address}/?run={compared[2].id}", "light")
        reaches(compared[2], 0.7)
        page.locator("button.sees").click()
        page.wait_for_timeout(1500)
        photograph(page, "digits")
        reaches(compared[-1], 1)
        page = opened(
            browser, f"{address}/compare?runs={','.join(r.id for r in compared)}", "light"
        )
        page.wait_for_timeout(8000)
        photograph(page, "compare")
        photograph(selected(browser, f"{address}/latent?run={compared[2].id}"), "latent")
        coded = [
            begun(root, label=name, objective={"name": name}, model={"latent_dim": 10})
            for name in ("VAE", "InfoMaxVAE")
        ]
        reaches(coded[-1], 1)
        ids = ",".join(run.id for run in coded)
        page = opened(browser, f"{address}/traverse?runs={ids}&view=dimensions&image=3", "light")
        page.wait_for_timeout(5000)
        photograph(page, "traverse")
        page = opened(browser, f"{address}/information", "light")
        page.wait_for_timeout(30_000)
        photograph(page, "information")
        run = begun(root, data={"name": "mnist", "root": args.mnist})
        page = opened(browser, f"{address}/?run={run.id}", "dark")
        reaches(run, 0.35)
        photograph(page, "mnist")
        run.request("stop")
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
