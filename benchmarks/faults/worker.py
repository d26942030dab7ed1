"""The worker killed, its files kept from growing, its disk full, its folder locked."""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from benchmarks.faults.trial import Reference, Row, disturbed, ended, train
from infovae_core.runs import Run

SMALL_DISK = "16m"
NOBODY = 65534  # without rights, in place of root
FILES = (4_000, 200_000)  # bytes that a file may have, from the least to the most


def killed(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """SIGKILL at random moments."""

    def disturb(run: Run) -> bool:
        # Soon enough that a run is killed again and again, and late enough that it goes on.
        return ended(train(run), chance.uniform(0, right.seconds / 2)) is None

    said = "SIGKILL of the worker at a random moment"
    return disturbed(root, right, said, times, disturb, chance)


def hindered(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """No file may grow beyond a random size: writes end in the middle, as on a full disk."""
    unclear = Counter()

    def disturb(run: Run) -> bool:
        low, high = FILES
        most = int(low * (high / low) ** chance.random())
        limit = (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        code = ended(train(run, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)), None)
        if code == 2 and not clear(run, "must have room"):
            unclear["clear message"] += 1
        return code == 2

    said = "a file that cannot grow (RLIMIT_FSIZE of 4 to 200 kB)"
    row = disturbed(root, right, said, times, disturb, chance)
    return row._replace(lost=row.lost + unclear)


def filled(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """A small disk that fills up while the run trains; then there is room again."""
    ballast, unclear = root / "ballast", Counter()

    def disturb(run: Run) -> bool:
        free = shutil.disk_usage(root).free
        with ballast.open("wb") as file:
            file.write(bytes(max(0, free - int(chance.uniform(4096, 300_000)))))
        code = ended(train(run), None)
        if code == 2 and not clear(run, "must have room"):
            unclear["clear message"] += 1
        ballast.unlink()
        return code != 0

    row = disturbed(root, right, "disk full (tmpfs)", times, disturb, chance)
    return row._replace(lost=row.lost + unclear)


def locked(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """The run's folder turns read-only while it trains; then it can be written again."""
    root.chmod(0o755)

    def disturb(run: Run) -> bool:
        allow(run, True)
        pid = train(run, drop_privileges)
        time.sleep(chance.uniform(0, right.seconds / 2))
        allow(run, False)
        code = ended(pid, None)
        allow(run, True)
        return code != 0

    return disturbed(root, right, "folder read-only", times, disturb, chance)


def allow(run: Run, write: bool) -> None:
    """Let all that lies in a run's folder be written, or not."""
    for folder, _, names in os.walk(run.path):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            with suppress(FileNotFoundError):  # replaced just now
                if os.geteuid() == 0:
                    os.chown(path, NOBODY, NOBODY)
                mode = os.stat(path).st_mode
                os.chmod(path, mode | 0o200 if write else mode & ~0o222)


def drop_privileges() -> None:
    """No longer be the one whom no rights bind."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)


def clear(run: Run, said: str) -> bool:
    """Whether the run says why it failed."""
    return run.state == "failed" and said in str(run.status["error"])


def on_small_disk(root: Path, *arguments: str) -> int | None:
    """`python -m benchmarks.faults` on a disk of its own, its exit code; None without mounting."""
    mounted = f'mount -t tmpfs -o size={SMALL_DISK} tmpfs "$0" && exec "$@"'
    inside = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted, str(root)]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        return None
    command = [sys.executable, "-m", "benchmarks.faults", "--root", str(root), *arguments]
    return subprocess.run([*inside, *command], check=False).returncode
