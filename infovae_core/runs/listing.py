"""A folder of runs: made, listed and found in it."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from infovae_core.runs.directory import RunError
from infovae_core.runs.files import replace
from infovae_core.runs.queue import folder_of
from infovae_core.runs.run import BLANK, Run

ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def default_root() -> Path:
    """Where runs are kept: the environment's INFOVAE_RUNS, else `runs` in this directory."""
    return Path(os.environ.get("INFOVAE_RUNS") or "runs")


def create(root: Path, config: Any) -> Run:
    """A new run of `config`, a RunConfig or a dict, not yet in the queue.

    Raises: RunError where `root` cannot be written.
    """
    if hasattr(config, "model_dump_json"):
        text = config.model_dump_json(indent=2)
    else:
        text = json.dumps(config, indent=2, allow_nan=False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        run = Run(_new_directory(root))
        for name in ("snapshots", "decoders", "checkpoint", "requests"):
            (run.path / name).mkdir()
        run._write("status.json", BLANK | {"state": "queued", "created": time.time()})
        # Last, for a directory without config.json is no run yet.
        replace(run.path / "config.json", lambda file: file.write(text.encode()))
    except OSError as error:
        raise RunError(
            f"the runs folder must be writable, got {root} ({error.strerror}); "
            "set INFOVAE_RUNS, or --runs on the command line, to another"
        ) from error
    return run


def _new_directory(root: Path) -> Path:
    while True:
        path = root / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path


def list_runs(root: Path) -> list[Run]:
    """The runs in `root`, newest first; whatever else lies there is passed over."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        try:
            written = (path / "config.json").stat().st_mtime_ns
        except OSError:
            continue
        if ID.fullmatch(path.name):
            found.append((written, path.name, Run(path)))
    return [run for *_, run in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def find(root: Path, id: str) -> Run:
    """The run called `id`.

    Raises: RunError where there is none, also for names that would lead out of `root`.
    """
    if ID.fullmatch(id) and (root / id / "config.json").is_file():
        return Run(root / id)
    raise RunError(f"a run must be one of those listed, got {id[:80]!r}; choose one from the list")


def holder(ticket: Path) -> Run:
    """The run that holds a ticket."""
    return Run(folder_of(ticket))
