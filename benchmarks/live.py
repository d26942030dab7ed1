"""What watching a run costs: the server, the wire, and the training beside it.

    python -m benchmarks.live --viewers 1 30 100
    python -m benchmarks.live --training --rounds 6

Without `--training` a writer appends to a run of 5 quantities and 2,000 rows, and replaces a
snapshot of 5,000 codes, twice a second, while viewers ask as the live view does: what is new twice
a second, then the snapshot if there is a newer one. Printed are the server's CPU time for each
viewer and refresh, the cores it takes, the bytes that travel and how long an answer takes.

With `--training` a model trains on digits, and the rate of its steps is taken in turns without
viewers, with 30, and with a real browser; the ratios are those of neighbouring turns.

Prints Markdown tables; the second needs chromium on the path.
"""

import argparse
import asyncio
import gzip
import json
import math
import multiprocessing
import os
import queue
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from benchmarks.browser import chromium, dashboard
from benchmarks.machine import machine
from infovae_core import runs, worker
from infovae_core.config import RunConfig

EVERY = 0.5  # seconds between two questions of a viewer
QUANTITIES = ("total", "distortion", "rate", "mmd", "mutual_information")


class Seen(NamedTuple):
    """What one viewer met with."""

    seconds: list[float]  # of each answer
    bytes: int
    refreshes: int


# Viewers.


async def watch(address: str, run: str, duration: float, phase: float) -> Seen:
    """Ask as dashboard/live/static/feed.js does, over one connection that is kept.

    A server closes what has been silent for some seconds, as it is where all are starved of
    processors: then over another, as a browser does.
    """
    host = urlsplit(address)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    row = event = travelled = refreshes = 0
    tag, shown, taken = "", None, []

    async def get(path: str, headers: str = "") -> tuple[int, dict[str, str], bytes]:
        nonlocal reader, writer
        try:
            return await ask(path, headers)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()
            reader, writer = await asyncio.open_connection(host.hostname, host.port)
            return await ask(path, headers)

    async def ask(path: str, headers: str) -> tuple[int, dict[str, str], bytes]:
        begun = time.perf_counter()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\nAccept-Encoding: gzip\r\n"
            f"{headers}\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        taken.append(time.perf_counter() - begun)
        return int(head[0].split()[1]), fields, body

    await asyncio.sleep(phase)
    end = time.monotonic() + duration
    while time.monotonic() < end:
        asked = time.monotonic()
        known = f"If-None-Match: {tag}\r\n" if tag else ""
        status, fields, body = await get(f"/api/runs/{run}/live?rows={row}&events={event}", known)
        travelled += len(body)
        if status == 200:
            news = json.loads(gzip.decompress(body))
            row, event, tag = news["next"], news["next_event"], fields["etag"]
            if news["snapshot"] not in (None, shown):
                first = int(shown is None)
                path = f"/api/runs/{run}/snapshots/{news['snapshot']}?plane=pca&originals={first}"
                status, _, body = await get(path)
                travelled += len(body)
                shown = news["snapshot"]
        refreshes += 1
        await asyncio.sleep(max(0.0, asked + EVERY - time.monotonic()))
    writer.close()
    return Seen(taken, travelled, refreshes)


async def crowd(address: str, run: str, count: int, duration: float) -> list[Seen]:
    """So many viewers, who do not all ask at once."""
    each = (watch(address, run, duration, EVERY * i / count) for i in range(count))
    return await asyncio.gather(*each)


def gather(address: str, run: str, count: int, duration: float, out: object) -> None:
    """The same as a process, whose time is not the server's."""
    out.put(asyncio.run(crowd(address, run, count, duration)))


@contextmanager
def viewers(
    address: str, run: str, count: int, duration: float
) -> Iterator[Callable[[], list[Seen]]]:
    """So many viewers in a process of their own; a function that waits for what they have seen."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=gather, args=(address, run, count, duration, out))

    def seen() -> list[Seen]:
        while True:
            with suppress(queue.Empty):
                return out.get(timeout=1)
            if process.exitcode:
                raise RuntimeError("the viewers must come to their end; see their messages")

    process.start()
    yield seen
    process.join()


# The server.


def written_run(root: Path) -> runs.Run:
    """A run with 2,000 rows and a snapshot, as if it trained."""
    run = runs.create(root, RunConfig().model_dump(mode="json"))
    about = {"quantities": {q: {"label": q, "unit": "nats"} for q in QUANTITIES}}
    about |= {
        "classes": list("0123456789"),
        "image_shape": [28, 28],
        "latent_dim": 2,
        "codes": 1000,
    }
    run.set_status(state="running", steps=10**6, epochs=100, device="cpu", pid=os.getpid())
    run.event("started", 0, about=about)
    for step in range(2000):
        append(run, 10 * step)
    draw(run, 1)
    return run


def append(run: runs.Run, step: int) -> None:
    """A row of all quantities."""
    values = {q: 100 + math.sin(step / 100 + i) for i, q in enumerate(QUANTITIES)}
    clock = {"step": step, "epoch": step / 468, "seconds": 0.01 * step}
    run.log(clock | {"split": "train", "values": values})


def draw(run: runs.Run, step: int) -> None:
    """A snapshot of 5,000 codes and 140 images."""
    random = np.random.default_rng(step)
    n = 5000
    run.save_snapshot(
        step,
        {
            "mean": random.standard_normal((n, 2), np.float32),
            "std": np.full((n, 2), 0.1, np.float32),
            "label": (np.arange(n) % 10).astype(np.int16),
            "split": (np.arange(n) >= n // 2).astype(np.uint8),
            "index": np.arange(n, dtype=np.int32),
            "shown": np.arange(40, dtype=np.int32),
            "originals": blobs(random, 40),
            "reconstructions": blobs(random, 40),
            "samples": blobs(random, 100),
        },
    )
    run.thin_snapshots(20, 10**9)


def blobs(random: np.random.Generator, count: int) -> np.ndarray:
    """Bright strokes on black, which compress as digits do."""
    y, x = np.mgrid[:28, :28]
    at = random.uniform(8, 20, (2, 3, count, 1, 1))
    near = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 8).max(0)
    return (255 * np.clip(2 * near - 0.5, 0, 1)).astype(np.uint8)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pid_of(address: str) -> int:
    """The process that listens there."""
    port = f":{urlsplit(address).port:04X}"
    table = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inode = next(row[9] for row in table if row[1].endswith(port) and row[3] == "0A")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == f"socket:[{inode}]":
                return int(link.parts[2])
        except OSError:
            continue
    raise RuntimeError(f"somebody must listen at {address}, found nobody")


def measure_server(counts: list[int], duration: float) -> None:
    """Print what viewers cost the server."""
    root = Path(tempfile.mkdtemp())
    run = written_run(root)
    print("| viewers | ms of CPU a viewer and refresh | cores | kB a refresh | median ms | p95 |")
    print("|---|---|---|---|---|---|")
    with dashboard(root) as address:
        pid, step = pid_of(address), 20_000
        idle = spent(pid, run, duration, step)
        for count in counts:
            with viewers(address, run.id, count, duration + 3) as out:
                time.sleep(2)  # they have what was there
                step += 10_000
                used = spent(pid, run, duration, step) - idle
                seen = out()
            refreshes = count * duration / EVERY
            answers = [second for one in seen for second in one.seconds[2:]]
            sent = sum(one.bytes for one in seen) / sum(one.refreshes for one in seen)
            print(
                f"| {count} | {1e3 * used / refreshes:.2f} | {used / duration:.3f} "
                f"| {sent / 1e3:.0f} | {1e3 * statistics.median(answers):.1f} "
                f"| {1e3 * statistics.quantiles(answers, n=20)[-1]:.1f} |",
                flush=True,
            )
    shutil.rmtree(root, ignore_errors=True)


def spent(pid: int, run: runs.Run, duration: float, step: int) -> float:
    """CPU seconds of the server while the run goes on for a while."""
    before, end = cpu_seconds(pid), time.monotonic() + duration
    while (left := end - time.monotonic()) > 0:
        step += 10
        append(run, step)
        draw(run, step)
        run.set_status(step=step)
        time.sleep(min(EVERY, max(0.0, left)))
    return cpu_seconds(pid) - before


# The training.


def measure_training(rounds: int, duration: float) -> None:
    """Print what viewers cost a training."""
    root = Path(tempfile.mkdtemp())
    config = RunConfig.model_validate({"training": {"epochs": 1_000_000}})
    ratios: dict[str, list[float]] = {"30 viewers": [], "a browser": []}
    with dashboard(root) as address, chromium() as browser, training(root, config) as run:
        for _ in range(rounds):
            alone = steps_in(run, duration)
            with viewers(address, run.id, 30, duration + 3):
                time.sleep(2)
                watched = steps_in(run, duration)
            again = steps_in(run, duration)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{address}/?run={run.id}")
            page.locator(".lab canvas").first.wait_for()
            time.sleep(3)
            seen = steps_in(run, duration)
            page.close()
            ratios["30 viewers"].append(2 * watched / (alone + again))
            ratios["a browser"].append(2 * seen / (again + steps_in(run, duration)))
    print("| beside the training | its steps, × those without | from | to |\n|---|---|---|---|")
    for what, found in ratios.items():
        print(f"| {what} | {statistics.median(found):.2f} | {min(found):.2f} | {max(found):.2f} |")
    shutil.rmtree(root, ignore_errors=True)


@contextmanager
def training(root: Path, config: RunConfig) -> Iterator[runs.Run]:
    """A run that trains for as long as it is needed."""
    run = runs.create(root, config.model_dump(mode="json"))
    worker.launch(run)
    try:
        while not run.last("train"):
            time.sleep(0.2)
        yield run
    finally:
        run.request("stop")
        while run.state in runs.ACTIVE:
            time.sleep(0.1)


def steps_in(run: runs.Run, duration: float) -> int:
    """Steps that a run takes in a while."""
    before = run.status["step"]
    time.sleep(duration)
    return run.status["step"] - before


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 30, 100])
    parser.add_argument("--training", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    print(f"{machine()}\n")
    if args.training:
        measure_training(args.rounds, args.seconds)
    else:
        measure_server(args.viewers, args.seconds)


if __name__ == "__main__":
    main()
