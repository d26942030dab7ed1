"""The queue of a folder of runs, as files in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

HIDDEN = ".worker"  # beside the runs: queue, slots, and the log of the waiting worker
TASKS = {
    "-": "train",
    "=": "evaluate",
}  # what a ticket is for, by what parts its number and its run


def tickets(root: Path) -> list[Path]:
    """The queue, first come first: files named `<ns since 1970>-<run id>`, to be trained.

    To be evaluated they are named `<ns since 1970>=<run id>`.
    """
    queue = root / HIDDEN / "queue"
    try:
        names = sorted(name for name in os.listdir(queue) if re.match(r"\d+[-=]", name))
    except FileNotFoundError:
        return []
    return [queue / name for name in names]


def folder_of(ticket: Path) -> Path:
    """The directory of the run that holds a ticket."""
    return ticket.parent.parent.parent / re.split("[-=]", ticket.name, maxsplit=1)[1]


def ticket_of(path: Path, task: str) -> Path | None:
    """The ticket for a task that the run in a directory holds."""
    mine = (ticket for ticket in tickets(path.parent) if folder_of(ticket) == path)
    return next((ticket for ticket in mine if task_of(ticket) == task), None)


def task_of(ticket: Path) -> str:
    """What a ticket is for: train or evaluate."""
    return TASKS[ticket.name.lstrip("0123456789")[0]]


def place_of(ticket: Path) -> int:
    """The number by which a ticket takes its turn."""
    return int(re.split("[-=]", ticket.name, maxsplit=1)[0])
