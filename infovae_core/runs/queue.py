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


TICKET = re.compile(r"(\d+)([-=])(.+)")


def tickets(root: Path) -> list[Path]:
    """The queue, first come first: files named `<ns since 1970>-<run id>`, to be trained.

    To be evaluated they are named `<ns since 1970>=<run id>`.
    """
    queue = root / HIDDEN / "queue"
    return [queue / name for name in sorted(filter(TICKET.match, _names(queue)))]


def waiting(root: Path, task: str) -> set[str]:
    """The runs that wait for a task, by their ids."""
    found = filter(None, map(TICKET.match, _names(root / HIDDEN / "queue")))
    return {each[3] for each in found if TASKS[each[2]] == task}


def _names(queue: Path) -> list[str]:
    try:
        return os.listdir(queue)
    except FileNotFoundError:
        return []


def folder_of(ticket: Path) -> Path:
    """The directory of the run that holds a ticket."""
    return ticket.parent.parent.parent / TICKET.match(ticket.name)[3]


def ticket_of(path: Path, task: str) -> Path | None:
    """The ticket for a task that the run in a directory holds."""
    queue = path.parent / HIDDEN / "queue"
    ends = [name for name in _names(queue) if name.endswith(path.name)]  # hundreds may wait
    mine = [name for name in sorted(ends) if _is_ticket(name, path.name, task)]
    return queue / mine[0] if mine else None


def _is_ticket(name: str, id: str, task: str) -> bool:
    found = TICKET.match(name)
    return found is not None and found[3] == id and TASKS[found[2]] == task


def task_of(ticket: Path) -> str:
    """What a ticket is for: train or evaluate."""
    return TASKS[TICKET.match(ticket.name)[2]]


def place_of(ticket: Path) -> int:
    """The number by which a ticket takes its turn."""
    return int(TICKET.match(ticket.name)[1])
