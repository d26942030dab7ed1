"""What a run in the queue waits for, in words; it loads no Streamlit."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from dashboard import words
from infovae_core import catalogue, runs
from infovae_core.runs.life import lives

LENGTH = 48  # characters of a name


def waits_for(run: runs.Run, task: str) -> str:
    """What a run waits for that is to be trained or evaluated ("train", "evaluate"), in words.

    That is the run which is worked on, and how many stand before it in the queue.
    """
    mine, queue = runs.ticket_of(run.path, task), runs.tickets(run.root)
    before = queue.index(mine) if mine in queue else 0
    others = (other for other in _at_work(run.root, second()) if other != run)
    names = [words.short(name_of(other), LENGTH) for other in others][:1]
    if before:
        names.append(f"{before} more" if names else f"{before} before it")
    return f"waits for {' and '.join(names)}" if names else "waits for a worker to start"


def name_of(run: runs.Run) -> str:
    """A run's label; else what it minimises of which data, its id where that cannot be read."""
    if run.label:
        return run.label
    with suppress(runs.RunError, KeyError, TypeError, AttributeError):  # of another version
        knobs = run.status["knobs"] or run.config
        objective = " ".join(words.objective(knobs["objective"])).strip()
        return f"{objective} · {catalogue.called(run.config['data'])}"
    return run.id


def second() -> int:
    """Changes once a second."""
    return int(time.monotonic())


@lru_cache(maxsize=4)  # a folder may be called by more than one name
def _at_work(root: Path, second: int) -> list[runs.Run]:
    """Those that are trained or evaluated; what has long been silent is not read.

    Looked at once a second: whoever waits asks, and many may.
    """
    heard = (
        run
        for run in runs.list_runs(root)
        if time.time() - max(map(_written, _records(run))) < runs.SILENCE
    )
    return [run for run in heard if _works(run)]


def _works(run: runs.Run) -> bool:
    """Its process is looked for first: most have none, and the queue may be long."""
    return (lives(run.status) and run.state == "running") or (
        lives(run.evaluation_status) and (run.evaluating or {}).get("state") == "running"
    )


def _records(run: runs.Run) -> tuple[Path, Path]:
    return run.path / "status.json", run.path / "evaluating.json"


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
