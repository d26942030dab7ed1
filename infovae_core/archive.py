"""Studies kept as run directories in a folder beside the runs; equal settings share one study.

Like a run a study has one writer, a worker, and is launched by `dispatch`. Its folder has a queue
and slots of its own, so that it waits for no training. Nothing here loads torch.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from infovae_core import runs
from infovae_core.runs import Run, RunError
from infovae_core.studies import STUDIES, Study

FOLDER = ".studies"  # in the folder of the runs, which passes it over
KEEP = 50  # studies; those asked for longest ago go


def folder(root: Path) -> Path:
    """Where the studies beside the runs in `root` are kept."""
    return root / FOLDER


def obtain(root: Path, study: Study) -> Run:
    """The directory of a study, as it is; a new one, not yet in the queue, where there is none.

    Raises: RunError where `root` cannot be written.
    """
    here = folder(root)
    run = Run(here / study.id)
    with suppress(OSError):
        os.utime(run.path / "config.json")  # `list_runs` puts what was asked for last first
        return run
    new = runs.create(here, study)
    try:
        new.path.rename(run.path)  # whole or not at all
    except OSError:
        new.delete()  # another viewer was faster
    thin(here)
    return run


def thin(here: Path) -> None:
    """Remove the studies asked for longest ago until `KEEP` are left; those under way stay."""
    for run in runs.list_runs(here)[KEEP:]:
        with suppress(RunError):
            run.delete()


def read(run: Run) -> Study:
    """What a study was asked to do.

    Raises: RunError, KeyError, ValidationError where this version cannot read it.
    """
    config = run.config
    return STUDIES[config["study"]].model_validate(config)
