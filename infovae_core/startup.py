"""How a process of ours begins: its environment, and torch as all of them have it.

Importing this loads no torch: the web server starts processes.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
COMPILED = "TORCHINDUCTOR_CACHE_DIR"


def environment() -> dict[str, str]:
    """The environment of a process of ours, wherever this one was started."""
    path = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return unless_set() | os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def unless_set() -> dict[str, str]:
    """What the environment must say before torch is loaded, where it says nothing."""
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}  # it shares the cores with a browser
    return passive if COMPILED in os.environ else passive | {COMPILED: compiled()}


@cache
def compiled() -> str:
    """A folder of the user's own for what torch's compiler keeps.

    It trusts what lies there, pickles too, and by itself would keep it where everybody on the
    machine may have put something: in the folder of temporary files.
    """
    try:
        own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(own, "infovae-lab", "compiled")
        folder.mkdir(0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except (OSError, RuntimeError):  # no home, or none that can be written
        return tempfile.mkdtemp(prefix="infovae-lab-")
    return str(folder)


def load_torch() -> None:
    """Load torch, with what must be said to it before anything else.

    Threads that spin while they wait starve the server and the browser beside them, and so do as
    many as the machine has, which then wait for each other: of its hardware threads one is left to
    them, unless OMP_NUM_THREADS says how many. What torch's compiler keeps must lie where nobody
    else puts anything; denormal numbers, which weights and moments fill with in time, cost a factor
    of two. A GPU may round to TF32 in the steps that ask for it, and in nothing that is measured.
    """
    for name, value in unless_set().items():
        os.environ.setdefault(name, value)
    import torch

    from infovae_core.precision import allow_tf32

    torch.set_flush_denormal(True)
    torch.set_num_threads(threads())
    allow_tf32(False, False)


def threads() -> int:
    """How many a training takes: see `load_torch`."""
    import torch

    taken = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return taken
    with suppress(AttributeError):  # where systems cannot say which processors it may have
        return max(1, min(taken, len(os.sched_getaffinity(0)) - 1))
    return max(1, min(taken, (os.cpu_count() or 1) - 1))
