"""A real browser before a real server, for what only they show."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

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
