"""A run to take away: a page, the model, and what repeats it."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import streamlit as st
from pydantic import ValidationError

from dashboard import access, state, words
from dashboard.decoding import SERVICE
from dashboard.limits import Busy, Cache, Gate
from infovae_core import knobs, startup
from infovae_core.runs import Run, RunError

PATIENCE = 300  # seconds that ONNX may take
MAKING = Gate(1, "making ONNX for somebody else")
MADE = Cache(64_000_000, size=lambda made: len(made[0]))  # by run and step, for all viewers


def menu(run: Run) -> None:
    """A button below which all of it stands."""
    from infovae_core import export, recipes, report  # and tyro: the first page has no run

    with st.popover("Export", icon=":material/ios_share:", type="tertiary"):
        with suppress(RunError, ValidationError):
            config = knobs.replica(run)
            st.caption("The same run again, bit for bit on the same machine")
            for text, language in (
                (recipes.command(config), "bash"),
                (recipes.python(config), None),
            ):
                st.code(text, language or "python", height=68 if language else 150, wrap_lines=True)
        _save("Report (HTML)", lambda: report.html(run, images), f"{run.id}.html")
        try:
            step = int(export.checkpoint(run).stem)
        except RunError:
            st.caption("The model can be saved once the run has a checkpoint.")
            return
        _save(
            "Model (safetensors)",
            lambda: export.safetensors(run),
            f"{run.id}.safetensors",
            help="Read again before you get it: every weight is the checkpoint's, bit for bit.",
        )
        if not access.viewer():  # it takes a process
            _offer_onnx(run, step)


def _save(label: str, content: object, name: str, help: str | None = None) -> None:
    st.download_button(
        label,
        content,
        name,
        key=f"export.{name}",
        on_click="ignore",
        icon=":material/download:",
        help=help,
    )


def images(run: Run, step: int, z: np.ndarray) -> np.ndarray:
    """What the run's decoder makes of codes, decoded by the process beside the server.

    Raises: RunError where they cannot be had, or not now.
    """
    try:
        return SERVICE.images(run, step, z)
    except Busy as error:
        raise RunError(str(error)) from error


def _offer_onnx(run: Run, step: int) -> None:
    """ONNX takes a process with torch some seconds, so it is made first and saved then."""
    if (made := MADE.get((run.path, step))) is not None:
        _save("Model (ONNX, zipped)", lambda: onnx(run, step)[0], f"{run.id}.onnx.zip")
        st.caption("  \n".join(words.plain(line) for line in made[1]))
        return
    if st.button("Make ONNX", key="export.onnx", icon=":material/deployed_code:"):
        with st.spinner("Making encoder and decoder, and checking them …"):
            state.attempt(onnx, run, step)
        st.rerun()


def onnx(run: Run, step: int) -> tuple[bytes, list[str]]:
    """Encoder and decoder as ONNX, in a zip file, and what was checked; another process does it.

    They are kept as those of the checkpoint at `step`, as far as there is room.

    Raises: RunError where that fails, or takes too long, or is being done for somebody else.
    """
    if (kept := MADE.get((run.path, step))) is not None:
        return kept
    try:
        with MAKING.inside(), tempfile.TemporaryDirectory() as folder:
            return MADE.put((run.path, step), _made(run, folder))
    except Busy as error:
        raise RunError(str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"ONNX must be made within {PATIENCE} s, got nothing by then; try again when less "
            "is going on, or run the export from the shell, which waits"
        ) from error


def _made(run: Run, folder: str) -> tuple[bytes, list[str]]:
    from infovae_core import export

    command = [sys.executable, "-P", "-m", "infovae_core", "export", str(run.path.resolve())]
    done = subprocess.run(
        [*command, "--to", "onnx", "--out", folder],
        capture_output=True,
        text=True,
        env=startup.environment(),
        timeout=PATIENCE,
        check=False,
    )
    said = done.stderr.strip().splitlines()
    if done.returncode:
        raise RunError(said[-1].removeprefix("error: ") if said else "the export failed")
    told = [line for line in said if line.startswith(export.TOLD)]
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(folder).glob("*.onnx")):
                archive.write(path, path.name)
        return file.getvalue(), told
