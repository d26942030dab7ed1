"""A real browser before a real server, for what only they show."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.processes import end_workers, until

PROJECT = Path(__file__).parents[2]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PATIENCE = 20_000  # ms


class View:
    """What a test asks of the live view on a page; what it shows is said by data attributes."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.root = page.locator(".lab")

    def open(self, run=None):
        self.page.goto(self.address + (f"/?run={run.id}" if run else "/"))
        expect(self.root.locator(".panels")).to_be_visible(timeout=PATIENCE)
        expect(self.root).to_have_attribute("data-run", run.id if run else "")
        return self

    def until(self, **data):
        for name, value in data.items():
            expect(self.root).to_have_attribute(f"data-{name}", str(value), timeout=PATIENCE)

    def data(self, name):
        return self.root.get_attribute(f"data-{name}")

    def panel(self, name):
        return self.root.locator(f".{name}")

    def canvas(self, panel):
        return self.panel(panel).locator("canvas").first

    def entry(self, panel, name):
        return self.panel(panel).locator(f'.legend [data-name="{name}"]')

    def picture(self, panel):
        """The canvas as text, once what moves has come to rest."""
        canvas, before = self.canvas(panel), None
        while (now := canvas.evaluate("canvas => canvas.toDataURL()")) != before:
            before = now
            self.page.wait_for_timeout(100)
        return now

    def turn_wheel(self, panel, x=0.5, y=0.5, notches=3):
        box = self.canvas(panel).bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        for _ in range(notches):
            self.page.mouse.wheel(0, -100)


@pytest.fixture(scope="package")
def root(tmp_path_factory):
    """The folder of the server's runs."""
    folder = tmp_path_factory.mktemp("runs")
    yield folder
    end_workers(folder)


@pytest.fixture(scope="package")
def server(root):
    """The address of a dashboard that `streamlit run app.py` has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.headless=true",
        f"--server.port={port}",
    ]
    log = root / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--server.fileWatcherType=none"],
            cwd=PROJECT,
            env=os.environ | {"INFOVAE_RUNS": str(root)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://localhost:{port}"

    def healthy():
        assert process.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(f"{address}/_stcore/health").status == 200
        except OSError:
            return False

    try:
        until(healthy, "the server")
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="package")
def browser():
    """Debian's Chromium with a window of a laptop's size; its pages share what they downloaded."""
    path = shutil.which("chromium")
    assert path, "the browser tests need chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
        chromium.close()


@pytest.fixture
def page(browser):
    """A page of its own; an error in it is an error of the test."""
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    yield page
    page.close()
    assert not errors


@pytest.fixture
def view(page, server):
    """The live view on a page."""
    return View(page, server)
