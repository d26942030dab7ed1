"""How long pages take beside many runs.

    python -m benchmarks.pages --runs 10 1500

Fills a folder with as many runs of an hour ago, half of them finished and half waiting, shows it by
a dashboard for viewers, which starts none of them, and goes through its pages over the websocket as
a browser does, without drawing. The first round, in which the server reads what it then knows, is
not counted. Prints a Markdown table of medians.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.browser import dashboard
from benchmarks.machine import machine
from benchmarks.sessions import Session
from infovae_core import dispatch, runs
from infovae_core.config import RunConfig

PAGES = ("train", "runs", "compare", "latent", "traverse", "information")


def fill(root: Path, count: int) -> None:
    """So many runs, every other one in the queue."""
    for i in range(count):
        run = runs.create(root, RunConfig(label=f"run {i}", training={"seed": i}))
        if i % 2:
            dispatch.enqueue(run)
        else:
            values = {"total": 30.0, "distortion": 28.0, "rate": 2.0}
            row = {"step": 60, "epoch": 3, "seconds": 1.0, "split": "test", "values": values}
            run.log(row)
            run.set_status(state="finished", step=60, steps=60)
        hour_ago = time.time() - 3600
        os.utime(run.path / "status.json", (hour_ago, hour_ago))


async def visit(address: str, rounds: int) -> dict[str, list[float]]:
    """Seconds that each page took in each round but the first."""
    session = await Session.open(address)
    times: dict[str, list[float]] = {page: [] for page in PAGES}
    for turn in range(rounds + 1):
        for page, taken in times.items():
            begun = time.perf_counter()
            await session.run("" if page == PAGES[0] else page)
            if turn:
                taken.append(time.perf_counter() - begun)
    if session.errors:
        raise RuntimeError(f"pages must show no exception, got {session.errors[0]}")
    await session.close()
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1500])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    os.environ["INFOVAE_VIEWER"] = "1"
    print(f"{machine()}\n\n| runs | {', ms | '.join(PAGES)}, ms |\n|---{'|---' * len(PAGES)}|")
    for count in args.runs:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), count)
            with dashboard(Path(folder)) as address:
                times = asyncio.run(visit(address, args.rounds))
        cells = " | ".join(f"{1e3 * statistics.median(taken):.0f}" for taken in times.values())
        print(f"| {count} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
