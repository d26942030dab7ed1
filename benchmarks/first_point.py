"""Time from pressing Train to the first plotted point, in a real browser.

    python -m benchmarks.first_point --repeats 10

Starts the dashboard on an empty folder of runs, waits until a worker waits with torch loaded,
presses Train on the untouched form, and reads the browser's own clock: from the click to the frame
in which the first loss, and the first latent plane, are on the canvas.
Prints a Markdown table; needs chromium on the path.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.browser import chromium, dashboard
from infovae_core import runs, worker

CLOCK = """view => new Promise(resolve => {
  let pressed
  const seen = {}
  addEventListener("click", () => { pressed = performance.now() }, { capture: true, once: true })
  const look = () => {
    if (pressed && view.dataset.rows > 0) seen.loss ??= performance.now() - pressed
    if (pressed && view.dataset.snapshot) seen.plane ??= performance.now() - pressed
    if (seen.loss && seen.plane) requestAnimationFrame(() => resolve(seen))
    else requestAnimationFrame(look)
  }
  look()
})"""


def press(page: Page, address: str) -> dict[str, float]:
    """Press Train on a fresh page; milliseconds until the first loss and the first plane."""
    page.goto(address)
    page.get_by_role("button", name="Train", exact=True).wait_for()
    page.wait_for_timeout(2000)  # the page has settled, as it has for somebody who reads it
    page.locator(".lab").evaluate(f"view => {{ window.clock = ({CLOCK})(view) }}")
    page.get_by_role("button", name="Train", exact=True).click()
    return page.evaluate("() => window.clock")


def finish(root: Path) -> None:
    """Stop and delete every run."""
    for run in runs.list_runs(root):
        run.request("stop")
        while run.state in runs.ACTIVE:
            time.sleep(0.05)
        run.delete()


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    root, times = Path(tempfile.mkdtemp()), []
    with dashboard(root) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for _ in range(args.repeats):
            while not worker.idle(root):
                time.sleep(0.2)
            times.append(press(page, address))
            finish(root)
    print("| from pressing Train to | median ms | best | worst |\n|---|---|---|---|")
    for what, name in (("loss", "the first loss"), ("plane", "the first latent plane")):
        values = [t[what] for t in times]
        print(
            f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} | {max(values):.0f} |"
        )
    shutil.rmtree(root, ignore_errors=True)  # the waiting worker sees it gone, and goes


if __name__ == "__main__":
    main()
