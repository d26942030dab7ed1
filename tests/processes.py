"""Waiting for other processes, and ending those that a test has started."""

import os
import signal
import time
from pathlib import Path

from infovae_core import runs

PATIENCE = 120.0  # seconds until a test gives up on something that should come


def until(condition, what, patience=PATIENCE):
    """Wait until `condition()` holds, and give what it gave."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return value


def workers(root):
    """Process ids of the workers that serve `root`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"infovae_core.worker" in words and os.fsencode(root.resolve()) in words:
                found.append(int(entry.name))
    return found


def end_workers(root):
    """Kill the workers of `root`, also those that others call while this goes on."""
    while found := workers(root):
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        until(lambda found=found: not any(map(runs.alive, found)), "workers to die")
