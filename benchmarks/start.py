"""Time from `streamlit run` to the first painted page, beside that of a page of one line.

    python -m benchmarks.start --repeats 7

Starts the dashboard on an empty folder of runs, with a browser that already runs and has nothing in
its cache, and takes the time until the server answers and until a frame with the Train button and
the empty panels is on the screen. In turns with it an app of a single `st.title`, for what
Streamlit itself takes. Prints a Markdown table; needs chromium on the path.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.browser import chromium, dashboard
from benchmarks.machine import machine

BARE = 'import streamlit as st\n\nst.title("Bare")\n'
APPS = {"InfoVAE Lab": ("app.py", ".lab .panels"), "one line of Streamlit": (None, "h1")}
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def start(browser: Browser, folder: Path, script: str, sign: str) -> tuple[float, float]:
    """Seconds from starting the server until it answers, and until the page is painted."""
    begun = time.perf_counter()
    with dashboard(folder, script) as address:
        answers = time.perf_counter() - begun
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(address, wait_until="commit")
        page.locator(sign).first.wait_for(state="visible", timeout=60_000)
        page.evaluate(PAINTED)
        painted = time.perf_counter() - begun
        context.close()
    return answers, painted


def rounds(repeats: int) -> Iterator[tuple[str, float, float]]:
    """The apps in turns."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        bare = folder / "bare.py"
        bare.write_text(BARE)
        for _ in range(repeats):
            for app, (script, sign) in APPS.items():
                yield app, *start(browser, folder / "runs", script or str(bare), sign)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    print(f"{machine()}\n")
    found: dict[str, list[tuple[float, float]]] = {app: [] for app in APPS}
    for app, answers, painted in rounds(args.repeats):
        found[app].append((answers, painted))
    print("| | server answers, s | page painted, s | best | worst |\n|---|---|---|---|---|")
    for app, times in found.items():
        answers, painted = zip(*times, strict=True)
        print(
            f"| {app} | {statistics.median(answers):.2f} | {statistics.median(painted):.2f} "
            f"| {min(painted):.2f} | {max(painted):.2f} |"
        )


if __name__ == "__main__":
    main()
