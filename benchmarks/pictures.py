"""Take the pictures in docs/ of the dashboard's pages.

    python -m benchmarks.pictures --mnist DIR

DIR holds MNIST/raw, as torchvision lays it out. README's are taken of the pages at work, those of
docs/gallery.md of each view of four finished runs; `--only gallery` takes these alone. Needs
chromium on the path.
"""

import argparse
import io
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.browser import PROJECT, chromium, dashboard
from infovae_core import runs, worker
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES
from infovae_core.runs import Run

WINDOW = {"width": 1280, "height": 800}
SHOWN = {  # runs of the gallery
    f"{data}-{d}": {"data": {"name": data}, "model": {"latent_dim": d}}
    for data in ("digits", "mnist")
    for d in (2, 20)
}
SHORT = {"data": {"limit": 20_000}, "training": {"epochs": 6}}  # of MNIST: what a picture needs
VIEWS = {
    "train": "/?run={}",
    "latent": "/latent?run={}",
    "manifold": "/traverse?runs={}",
    "dimensions": "/traverse?runs={}&view=dimensions&image=3",
    "between": "/traverse?runs={}&view=between",
    "present": "/latent?run={}&present=1",
}


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


def small(page: Page, name: str) -> None:
    """Take a picture for the gallery, and close the page."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").save(PROJECT / "docs" / "gallery" / f"{name}.webp", quality=82)
    page.close()


def gallery(browser: Browser, address: str, root: Path, mnist: str) -> None:
    """Each view of each run, in light and dark by turns."""
    (PROJECT / "docs" / "gallery").mkdir(exist_ok=True)
    made = {}
    for name, settings in SHOWN.items():
        data, more = dict(settings["data"]), {}
        if data["name"] == "mnist":
            data |= {"root": mnist, **SHORT["data"]}
            more = {"training": SHORT["training"]}
        made[name] = begun(root, **settings | {"data": data} | more)
    for name, run in made.items():
        reaches(run, 1)
        for number, (view, path) in enumerate(VIEWS.items()):
            theme = ("light", "dark")[number % 2]
            page = browser.new_page(viewport=WINDOW, color_scheme=theme)
            page.goto(address + path.format(run.id))
            page.locator(".lab canvas, .lab img").first.wait_for()
            page.wait_for_timeout(6000)
            small(page, f"{view}-{name}")


def pages(browser: Browser, address: str, root: Path, mnist: str) -> None:
    """README's pictures."""
    compared = [begun(root, objective={"name": name}) for name in OBJECTIVES]
    page = opened(browser, f"{address}/?run={compared[2].id}", "light")
    reaches(compared[2], 0.7)
    page.locator("button.sees").click()
    page.wait_for_timeout(1500)
    photograph(page, "digits")
    reaches(compared[-1], 1)
    page = opened(browser, f"{address}/compare?runs={','.join(r.id for r in compared)}", "light")
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
    run = begun(root, data={"name": "mnist", "root": mnist})
    page = opened(browser, f"{address}/?run={run.id}", "dark")
    reaches(run, 0.35)
    photograph(page, "mnist")
    run.request("stop")


def main() -> None:
    """Train and photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", default="data")
    parser.add_argument("--only", choices=["gallery", "pages"])
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    with dashboard(root) as address, chromium() as browser:
        if args.only != "pages":
            gallery(browser, address, root, args.mnist)
        if args.only != "gallery":
            pages(browser, address, root, args.mnist)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
