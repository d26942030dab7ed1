"""Whether the process that signed a record is still there."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

SILENCE = 30.0  # seconds without a heartbeat after which a worker counts as gone


def signature() -> dict[str, Any]:
    """Which process says something, and when."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "heartbeat": time.time()}


def lives(status: dict[str, Any]) -> bool:
    """Whether the process that signed `status` is still there, as far as one can see from here."""
    beat, pid = status["heartbeat"], status["pid"]
    if not isinstance(beat, int | float) or not isinstance(pid, int):
        return False
    if time.time() - beat > SILENCE:  # also where another process has got the number since
        return False
    return status["host"] != socket.gethostname() or alive(pid)


def alive(pid: int) -> bool:
    """Whether a process of this machine can still do something."""
    if os.name == "nt":  # where signal 0 is Ctrl-C; the heartbeat must do
        return True
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's, or a system without /proc
    state, threads = fields[0], int(fields[17])
    # A zombie is dead and waits for its parent, once its last thread has let go of its files.
    return state not in "ZX" or threads > 1
