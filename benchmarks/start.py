"""Time from `streamlit run` to the first painted page, beside that of a page of one line.

    python -m benchmarks.start --repeats 7
    python -m benchmarks.start --repeats 7 --timeline

Starts the dashboard on an empty folder of runs, with a browser that already runs and has nothing in
its cache, and takes the time until the server answers and until a frame with the Train button and
the empty panels is on the screen. In turns with it an app of a single `st.title`, for what
Streamlit itself takes. Prints a Markdown table, with `--timeline` of what the browser saw between
the two as well; needs chromium on the path.
"""

import argparse
import base64
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from playwright.sync_api import Browser, Page
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.browser import chromium, dashboard
from benchmarks.machine import machine

BARE = 'import streamlit as st\n\nst.title("Bare")\n'
APPS = {"InfoVAE Lab": ("app.py", ".lab .panels"), "one line of Streamlit": (None, "h1")}
# The browser itself notes when: whoever asks it from outside hears of it a third of a second later.
PAINTED = """sign => {
  const find = (root) => {
    const roots = [...root.querySelectorAll("*")].map(each => each.shadowRoot).filter(Boolean)
    return root.querySelector(sign) ?? roots.map(find).find(Boolean)
  }
  window.painted = new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`${sign} must be painted within a minute`)), 60_000)
    const look = () => requestAnimationFrame(() => {
      const box = find(document)?.getBoundingClientRect()
      if (box?.width && box.height) requestAnimationFrame(() => done(Date.now() / 1000))
      else look()
    })
    look()
  })
}"""
STAGES = {
    "answers": "server answers",
    "document": "document is there",
    "started": "Streamlit runs in the browser",
    "new_session": "first run of the page begins",
    "delta": "its first element is there",
    "script_finished": "it is over",
    "loaded": "last file is there",
    "painted": "page painted",
}

Times = dict[str, float]


def watch(page: Page, begun: float) -> Times:
    """Seconds since `begun`, filled in as the page loads: the first of each, the last file."""
    times: Times = {}
    clock: dict[str, float] = {}  # from the browser's to ours

    def since(event: Any) -> float:
        return event["timestamp"] + clock["offset"] - begun

    def sent(event: Any) -> None:
        clock.setdefault("offset", event["wallTime"] - event["timestamp"])
        if event["request"]["url"].endswith("/_stcore/health"):
            times.setdefault("started", since(event))

    def loaded(event: Any) -> None:
        times.setdefault("document", since(event))
        times["loaded"] = since(event)

    def heard(event: Any) -> None:
        message = ForwardMsg()
        try:
            message.ParseFromString(base64.b64decode(event["response"]["payloadData"]))
        except (ValueError, DecodeError):
            return
        times.setdefault(message.WhichOneof("type"), since(event))

    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.on("Network.requestWillBeSent", sent)
    tools.on("Network.loadingFinished", loaded)
    tools.on("Network.webSocketFrameReceived", heard)
    return times


def start(browser: Browser, folder: Path, script: str, sign: str) -> Times:
    """Seconds from starting the server until each of `STAGES`."""
    begun = time.time()
    with dashboard(folder, script) as address:
        answers = time.time() - begun
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        times = watch(page, begun)
        page.add_init_script(f"({PAINTED})({json.dumps(sign)})")
        page.goto(address, wait_until="commit")
        times |= {"answers": answers, "painted": page.evaluate("() => window.painted") - begun}
        context.close()
    return times


def rounds(repeats: int) -> Iterator[tuple[str, Times]]:
    """The apps in turns."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        bare = folder / "bare.py"
        bare.write_text(BARE)
        for _ in range(repeats):
            for app, (script, sign) in APPS.items():
                yield app, start(browser, folder / "runs", script or str(bare), sign)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--timeline", action="store_true", help="what happens on the way, too")
    args = parser.parse_args()
    print(f"{machine()}\n")
    found: dict[str, list[Times]] = {app: [] for app in APPS}
    for app, times in rounds(args.repeats):
        found[app].append(times)
    print("| | server answers, s | page painted, s | best | worst |\n|---|---|---|---|---|")
    for app, many in found.items():
        painted = [times["painted"] for times in many]
        print(
            f"| {app} | {median(many, 'answers'):.2f} | {median(many, 'painted'):.2f} "
            f"| {min(painted):.2f} | {max(painted):.2f} |"
        )
    if args.timeline:
        print(f"\n| s until | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
        for stage, words in STAGES.items():
            cells = " | ".join(f"{median(many, stage):.2f}" for many in found.values())
            print(f"| {words} | {cells} |")


def median(many: list[Times], stage: str) -> float:
    """Of the seconds until a stage."""
    return statistics.median(times[stage] for times in many)


if __name__ == "__main__":
    main()
