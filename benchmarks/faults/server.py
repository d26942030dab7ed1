"""The web server and its browsers killed, while a run trains under the dashboard's own worker."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.browser import OPTIONS, PROJECT, healthy
from benchmarks.faults.trial import Reference, Row, setting
from benchmarks.sessions import Session
from infovae_core import runs, worker
from infovae_core.config import RunConfig
from infovae_core.runs import Run, RunError

LONG = setting(epochs=150)
LIFE = 8.0  # seconds that a server lives at most, from its start
STAY = 3.0  # seconds that a browser stays at most
ABREAST = 4  # sessions at once
PATIENCE = 180.0  # seconds until something that should come is given up


class Trained:
    """A folder in which a run always trains, whatever else happens."""

    def __init__(self, root: Path, right: Reference) -> None:
        self.root, self.right = root / "served", right
        self.lost: Counter = Counter()
        self.finished = 0
        self.run = self._next()

    def _next(self) -> Run:
        run = runs.create(self.root, LONG)
        worker.launch(run)
        return run

    def look(self) -> None:
        """Count what is lost by now, and begin the next run where one is done."""
        if (state := self.run.state) == "finished":
            self._judge()
            self.run = self._next()
        elif state not in runs.ACTIVE:
            self.lost[f"the run, which is {state}"] += 1
            self.run = self._next()
        for run in runs.list_runs(self.root):
            try:
                RunConfig.model_validate(run.config)
                run.rows(), run.events(), run.last()
            except (RunError, ValueError):
                self.lost["a run directory"] += 1
            if run != self.run and run.state in runs.ACTIVE:
                run.request("stop")  # a viewer has begun it

    def _judge(self) -> None:
        self.finished += 1
        self.lost.update(self.right.missing_at_the_end(self.run))

    def end(self) -> None:
        """Wait for the last run, and have the worker go."""
        until(lambda: self.run.state not in runs.ACTIVE)
        self._judge()
        (self.root / runs.HIDDEN / "keep").unlink()


def servers(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """SIGKILL of the web server, from its start on, while somebody watches and presses Train."""
    trained, seen = Trained(root, right), ("", 0)
    with free_port() as port:
        address = f"http://localhost:{port}"
        for _ in range(times):
            server, over = start(trained.root, port), time.monotonic() + chance.uniform(0, LIFE)
            while time.monotonic() < over:
                with contextlib.suppress(OSError, ValueError):
                    seen = watched(address, trained, seen)
                if chance.random() < 0.1:
                    asyncio.run(press(address, over - time.monotonic()))
                time.sleep(0.05)
            server.kill()
            server.wait()
            trained.look()
    trained.end()
    return Row("SIGKILL of the web server", times, trained.finished, trained.lost)


def watched(address: str, trained: Trained, seen: tuple[str, int]) -> tuple[str, int]:
    """The run's id, and how many rows of it a viewer is shown, who has been shown `seen`."""
    run = trained.run
    with urllib.request.urlopen(f"{address}/api/runs/{run.id}/live", timeout=5) as answer:
        news = json.load(answer)
    if run.id == seen[0] and news["next"] < seen[1]:
        trained.lost["rows in view"] += 1
    return run.id, news["next"]


async def press(address: str, seconds: float) -> None:
    """Press Train, or whatever comes of it in so many seconds."""
    with contextlib.suppress(Exception):  # the server is being killed
        async with asyncio.timeout(max(0.1, seconds)):
            session = await Session.open(address)
            await session.run()
            await session.run(press="train")


def sockets(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """Websockets that break off at random moments while pages run and buttons are pressed."""
    trained = Trained(root, right)
    with free_port() as port, running(trained.root, port) as address:
        for begun in range(0, times, ABREAST):
            count = min(ABREAST, times - begun)
            asyncio.run(break_off(address, trained.run.id, count, chance))
            judge(address, trained)
        trained.end()
    return Row("websocket broken off", times, trained.finished, trained.lost)


async def break_off(address: str, id: str, count: int, chance: random.Random) -> None:
    """So many sessions that look around and break off."""

    async def one(stay: float, page: str, press: bool) -> None:
        session = await Session.open(address)
        with contextlib.suppress(TimeoutError, LookupError):
            async with asyncio.timeout(stay):
                session.query = f"run={id}&runs={id}"
                while True:
                    await session.run(page)
                    if press:
                        await session.run(press="train")
        session.kill()

    pages = ("", "runs", "compare", "latent", "traverse", "information")
    stays = ((chance.uniform(0, STAY), chance.choice(pages)) for _ in range(count))
    await asyncio.gather(*(one(stay, page, chance.random() < 0.2) for stay, page in stays))


def browsers(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """SIGKILL of Chromium and all its processes, from its start on."""
    trained, chromium = Trained(root, right), shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("chromium must be on the path, found none; install it")
    with free_port() as port, running(trained.root, port) as address:
        for _ in range(times):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                browser = subprocess.Popen(
                    [
                        *(chromium, *OPTIONS, f"--user-data-dir={profile}"),
                        *("--remote-debugging-port=0", f"{address}/?run={trained.run.id}"),
                    ],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
                time.sleep(chance.uniform(0, 3 * STAY))
                os.killpg(browser.pid, signal.SIGKILL)
                browser.wait()
            judge(address, trained)
        trained.end()
    return Row("SIGKILL of the browser", times, trained.finished, trained.lost)


def judge(address: str, trained: Trained) -> None:
    """Count what is lost: the server must answer, the run go on."""
    if not healthy(address):
        trained.lost["the server"] += 1
    trained.look()


# The server.


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    yield port


def start(root: Path, port: int) -> subprocess.Popen:
    """A dashboard on the runs in `root`, which may not answer yet."""
    options = ["--server.headless=true", f"--server.port={port}", "--server.fileWatcherType=none"]
    return subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *options],
        cwd=PROJECT,
        env=os.environ | {"INFOVAE_RUNS": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def running(root: Path, port: int) -> Iterator[str]:
    """The address of a dashboard that answers."""
    address, server = f"http://localhost:{port}", start(root, port)
    try:
        until(lambda: healthy(address))
        yield address
    finally:
        server.terminate()
        server.wait()


def until(condition: object) -> None:
    """Wait for something. Raises: RuntimeError where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE:g} s in vain")
        time.sleep(0.05)
