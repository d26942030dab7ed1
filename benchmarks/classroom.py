"""A classroom: browsers on one live run, and people who each start runs.

    python -m benchmarks.classroom
    python -m benchmarks.classroom --minutes 60

Sessions are real ones, over the dashboard's websocket, without drawing. Viewers open the live run
and pull what is new as the live view does, twice a second; now and then they go to another page.
People put a seed and a label of their own into the form and press Train, again and again, without
waiting for their last run. Counted are: forms or runs that hold somebody else's values; runs that
were begun out of turn; how long answers take; and the memory of the server and the workers, whose
last quarter is compared with the one before the middle.

Prints a Markdown table. Ends with 1 where anything was mixed up, or out of turn.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.browser import dashboard
from benchmarks.live import viewers
from benchmarks.machine import machine
from benchmarks.sessions import PATIENCE, Session
from infovae_core import runs, worker
from infovae_core.config import RunConfig

PAGES = ("runs", "compare", "latent", "traverse", "information")
ARRIVE = 20.0  # seconds in which all of them come
LOOK = 5.0  # seconds between two looks at the memory
LIVE = RunConfig(label="live", training={"epochs": 10**6, "device": "cpu"})


@dataclass
class Seen:
    """What went on."""

    mixed: Counter = field(default_factory=Counter)
    begun: list[str] = field(default_factory=list)  # ids of the runs that people started, in order
    presses: list[float] = field(default_factory=list)  # seconds until Train had been answered
    pages: list[float] = field(default_factory=list)  # seconds that a page took
    lost: int = 0  # pages that did not come within `sessions.PATIENCE`
    memory: dict[str, list[float]] = field(default_factory=lambda: {"server": [], "workers": []})


async def arrive(address: str, query: str, seen: Seen) -> Session:
    """Open a page, and again where it does not come."""
    while True:
        session = await Session.open(address)
        session.query = query
        try:
            await session.run()
        except TimeoutError:
            seen.lost += 1
            await session.close()
        else:
            return session


async def view(address: str, run: str, until: float, seen: Seen, chance: random.Random) -> None:
    """Open the live run, and look around now and then."""
    await asyncio.sleep(chance.uniform(0, ARRIVE))
    session = await arrive(address, f"run={run}", seen)
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(10, 40))
        begun = time.monotonic()
        try:
            await session.run(chance.choice(("", *PAGES)))
        except TimeoutError:  # and so would the next, which waits for this one
            seen.lost += 1
            await session.close()
            session = await arrive(address, f"run={run}", seen)
            continue
        seen.pages.append(time.monotonic() - begun)
        seen.mixed["errors on a page"] += len(session.errors)
        session.errors.clear()
    await session.close()


async def learn(
    address: str, root: Path, who: int, until: float, seen: Seen, chance: random.Random
) -> None:
    """Start runs of one's own, each with its seed and its label."""
    await asyncio.sleep(chance.uniform(0, ARRIVE))
    session, count = await arrive(address, "", seen), 0
    while time.monotonic() < until:
        count += 1
        seed, label = 1000 * who + count, f"person {who}, run {count}"
        try:
            await session.run(fold__Training=True)  # else its fields are not there
            await session.run(training__seed=seed, config__1__label=label, training__epochs=3)
            begun = time.monotonic()
            await session.run(press="train")
        except TimeoutError:
            seen.lost += 1
            await session.close()
            session = await arrive(address, "", seen)
            continue
        seen.presses.append(time.monotonic() - begun)
        id = session.address.get("run", "")
        config = runs.find(root, id).config
        if (config["training"]["seed"], config["label"]) != (seed, label):
            seen.mixed["a run with somebody else's settings"] += 1
        for key, value in (("training.seed", seed), ("config.1.label", label)):
            if session.shown(key) not in (value, None):
                seen.mixed["a form with somebody else's values"] += 1
        seen.begun.append(id)
        await asyncio.sleep(chance.uniform(2, 20))
    await session.close()


async def measure(server: int, root: Path, until: float, seen: Seen) -> None:
    """The memory of the server and of all workers, MB of their own."""
    while time.monotonic() < until:
        await asyncio.sleep(LOOK)
        seen.memory["server"].append(memory_of(server))
        seen.memory["workers"].append(sum(map(memory_of, workers_of(root))))


async def lesson(
    address: str, root: Path, live: str, args: argparse.Namespace, server: int
) -> Seen:
    """All of them at once, for so many minutes."""
    seen, chance = Seen(), random.Random(args.seed)
    until = time.monotonic() + 60 * args.minutes
    people = [learn(address, root, i, until, seen, chance) for i in range(args.people)]
    views = [view(address, live, until, seen, chance) for _ in range(args.viewers)]
    await asyncio.gather(measure(server, root, until, seen), *people, *views)
    return seen


def out_of_turn(root: Path, seen: Seen) -> int:
    """Runs that began before one that was asked for at least a second earlier."""
    times = []
    for id in seen.begun:
        run = runs.find(root, id)
        started = next((e["time"] for e in run.events() if e["event"] == "started"), None)
        if started is not None:
            times.append((run.status["created"], started))
    return sum(
        any(asked + 1 < later and start > began for asked, start in times) for later, began in times
    )


def memory_of(pid: int) -> float:
    """MB that a process has for itself."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def processes() -> dict[int, list[str]]:
    """Command lines by process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found[int(entry.name)] = [os.fsdecode(word) for word in words]
    return found


def workers_of(root: Path) -> list[int]:
    """The workers that serve a folder, and its studies."""
    mine = root.resolve()
    return [
        pid
        for pid, said in processes().items()
        if "infovae_core.worker" in said and mine in (Path(said[-2]), Path(said[-2]).parent)
    ]


def growth(series: list[float]) -> str:
    """MB at the end, and how much more than before the middle."""
    quarter = max(1, len(series) // 4)
    before = statistics.median(series[quarter : 2 * quarter] or series)
    after = statistics.median(series[-quarter:])
    return f"{after:.0f} MB, {after - before:+.0f}"


def waits(seconds: list[float]) -> str:
    """Median and 95th percentile."""
    if not seconds:
        return "–"
    ordered = sorted(seconds)
    return (
        f"{1e3 * statistics.median(ordered):.0f} / {1e3 * ordered[int(0.95 * len(ordered))]:.0f} ms"
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "INFOVAE_SLOTS": "2"}  # one for the live run
    # A worker that is leaving may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        os.environ["INFOVAE_RUNS"] = folder
        with dashboard(root) as address:
            port = address.rpartition(":")[2]
            # The first: what it starts is called like it for an instant.
            server = min(p for p, said in processes().items() if f"--server.port={port}" in said)
            live = runs.create(root, LIVE)
            worker.launch(live)
            with viewers(address, live.id, args.viewers, 60 * args.minutes) as pulls:
                seen = asyncio.run(lesson(address, root, live.id, args, server))
                pulled = pulls()
            state = live.state
            for run in runs.list_runs(root):
                run.request("stop")
        unfair = out_of_turn(root, seen)
        trained = sum(run.state == "finished" for run in runs.list_runs(root))
        for keep in root.glob(f"**/{runs.HIDDEN}/keep"):
            keep.unlink()
        while workers_of(root):
            time.sleep(0.2)
    refreshes = sum(each.refreshes for each in pulled)
    answers = [seconds for each in pulled for seconds in each.seconds]
    mixed = ", ".join(f"{what} {n} ×" for what, n in (+seen.mixed).items()) or "nothing"
    print(f"{machine()}; {args.viewers} viewers, {args.people} people, {args.minutes:g} minutes\n")
    print("| what | how much |\n|---|---|")
    print(f"| the live run at the end | {state} |")
    print(
        f"| refreshes of a viewer, a second | {refreshes / args.viewers / args.minutes / 60:.2f} |"
    )
    print(f"| an answer of the API, median / 95 % | {waits(answers)} |")
    print(f"| a page, median / 95 % | {waits(seen.pages)} |")
    print(f"| pages that did not come within {PATIENCE:g} s | {seen.lost} |")
    print(f"| Train until it is answered, median / 95 % | {waits(seen.presses)} |")
    print(f"| runs asked for / trained by then | {len(seen.begun)} / {trained} |")
    print(f"| begun out of turn | {unfair} |")
    print(f"| mixed up between people | {mixed} |")
    for name, series in seen.memory.items():
        print(f"| memory of the {name}, and its growth since the middle | {growth(series)} |")
    return int(bool(+seen.mixed) or bool(unfair) or state != "running")


if __name__ == "__main__":
    sys.exit(main())
