"""A dashboard on a folder of runs, and a browser before it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).parents[1]
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def dashboard(root: Path, script: str = "app.py") -> Iterator[str]:
    """The address of a dashboard, or of another script, on the runs in `root`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless=true", f"--server.port={port}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, *options],
        cwd=PROJECT,
        env=os.environ | {"INFOVAE_RUNS": str(root)},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://localhost:{port}"
    try:
        while not healthy(address):
            if server.poll() is not None:
                raise RuntimeError("the dashboard must stay up, but it ended; see its messages")
            time.sleep(0.02)
        yield address
    finally:
        server.terminate()
        server.wait()


def healthy(address: str) -> bool:
    """Whether the server answers."""
    try:
        return urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).status == 200
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium from the path, without a window."""
    path = shutil.which("chromium")
    if path is None:
        raise RuntimeError("chromium must be on the path, found none; install it")
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=path, args=OPTIONS)
