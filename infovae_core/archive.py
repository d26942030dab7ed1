"""Studies kept as run directories in a folder beside the runs; equal settings share one study.

Like a run a study has one writer, a worker, and is launched by `dispatch`. Its folder has a queue
and slots of its own, so that it waits for no training. Nothing here loads torch.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from infovae_core import runs
from infovae_core.runs import Run, RunError
from infovae_core.studies import STUDIES, Study

FOLDER = ".studies"  # in the folder of the runs, which passes it over
KEEP = 50  # studies; those asked for longest ago go
LONELY = 5.0  # seconds after which a study that nobody looks at makes way for one that waits


def folder(root: Path) -> Path:
    """Where the studies beside the runs in `root` are kept."""
    return root / FOLDER


def obtain(root: Path, study: Study) -> Run:
    """The directory of a study, as it is; a new one, not yet in the queue, where there is none.

    Raises: RunError where `root` cannot be written.
    """
    here = folder(root)
    run = Run(here / study.id)
    try:
        os.utime(run.path / "config.json")  # `list_runs` puts what was asked for last first
    except OSError:
        new = runs.create(here, study)
        try:
            new.path.rename(run.path)  # whole or not at all
        except OSError:
            new.delete()  # another viewer was faster
        thin(here)
    watch(run)
    return run


def thin(here: Path) -> None:
    """Remove the studies asked for longest ago until `KEEP` are left; those under way stay."""
    for run in runs.list_runs(here)[KEEP:]:
        with suppress(RunError):
            run.delete()


def watch(run: Run) -> None:
    """Let the worker know that somebody looks at a study; to be called again and again."""
    with suppress(OSError):  # it is gone, or cannot be written
        _watched(run).touch()


def lonely(run: Run) -> bool:
    """Whether another study waits while nobody has looked at this one of late."""
    if not runs.tickets(run.root):
        return False
    try:
        return time.time() - _watched(run).stat().st_mtime > LONELY
    except OSError:
        return True


def _watched(run: Run) -> Path:
    return run.path / "requests" / "watched"


def read(run: Run) -> Study:
    """What a study was asked to do.

    Raises: RunError, KeyError, ValidationError where this version cannot read it.
    """
    config = run.config
    return STUDIES[config["study"]].model_validate(config)
