"""What is lost when things are killed, disks fill up and folders are locked.

    python -m benchmarks.faults
    python -m benchmarks.faults --only killed=20 hindered=20

A run on digits is trained in a process of its own and disturbed at random moments, again and again,
and resumed to its end. It records everything after nearly every step, so that most faults come
between or within writes. After each fault all that a viewer reads must be readable, the checkpoint
no older than the last one seen, the rows those of the run that nothing disturbed; at the end the
rows and the weights must be its, bit for bit. Server and browsers are killed while such a run
trains under the dashboard's own worker, which must not hear of it.

Prints the Markdown table of docs/reliability.md. Ends with 1 where anything was lost.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.faults import garbage, server, trial, worker
from benchmarks.machine import machine

HERE = {"killed": worker.killed, "hindered": worker.hindered, "locked": worker.locked}
DISK = {"filled": worker.filled}  # on a small disk
SERVED = {
    "servers": server.servers,
    "sockets": server.sockets,
    "garbage": garbage.garbage,
    "browsers": server.browsers,
}
TIMES = {
    "killed": 300,
    "hindered": 100,
    "filled": 60,
    "locked": 60,
    "servers": 60,
    "sockets": 200,
    "garbage": 400,
    "browsers": 30,
}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="FAULT=TIMES", help=" ".join(TIMES))
    parser.add_argument("--epochs", type=int, default=4, help="of runs without a server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)  # the small disk
    args = parser.parse_args()
    wanted = TIMES
    if args.only:
        wanted = {name: int(times) for name, _, times in (one.partition("=") for one in args.only)}
    if unknown := wanted.keys() - TIMES.keys():
        parser.error(f"a fault must be one of {', '.join(TIMES)}, got {', '.join(unknown)}")
    os.environ |= {"OMP_NUM_THREADS": "1", "INFOVAE_SLOTS": "1"}
    lost = False
    if args.root is None:
        print(f"{machine()}\n\n| fault | tried | runs resumed to their end | lost |")
        print("|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = args.root or Path(folder)
        trial.warm_up()
        short = trial.setting(args.epochs)
        here, served = (HERE, short, True), (SERVED, server.LONG, False)
        for faults, config, often in [here, served] if args.root is None else [(DISK, short, True)]:
            names = [name for name in faults if name in wanted]
            right = trial.reference(root, config, often) if names else None
            for name in names:
                row = faults[name](root, right, wanted[name], random.Random(args.seed))
                print(row, flush=True)
                lost |= bool(row.lost)
        if args.root is None and (disk := [f"{n}={wanted[n]}" for n in DISK if n in wanted]):
            same = "--seed", str(args.seed), "--epochs", str(args.epochs)
            code = worker.on_small_disk(root, *same, "--only", *disk)
            if code is None:
                print("| a small disk, which cannot be mounted here | 0 | 0 | |", flush=True)
            lost |= bool(code)
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
