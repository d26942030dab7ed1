"""What the page Information asks for and says: studies of estimators, active units."""

from __future__ import annotations

import functools
import math
from contextlib import suppress
from typing import Any

import numpy as np
import streamlit as st

from dashboard import access, palette
from dashboard.words import number
from infovae_core import archive, runs, worker
from infovae_core.runs import ACTIVE, Run, RunError
from infovae_core.studies import BoundStudy, PointStudy, Study

ESTIMATORS = {  # label, its short form, and what goes wrong with it
    "kl": (
        "f-dual of KL",
        "f-dual",
        "A single pair's exponential can outweigh the batch: the variance grows like e to the I, "
        "so that it learns slowly and swings.",
    ),
    "dv": (
        "Donsker–Varadhan",
        "DV",
        "Ascends the logarithm of one batch's mean, which is too small on average. Critics learn "
        "to exploit that: at small B it runs away above I.",
    ),
    "mine": (
        "MINE",
        "MINE",
        "The same value, but its gradient divides by a moving average of batches, and does not run "
        "away. One batch's value may lie above I all the same.",
    ),
    "nce": (
        "InfoNCE",
        "InfoNCE",
        "Steady, for it compares each pair with the whole batch. But it never says more than "
        "log B.",
    ),
    "empirical": (
        "Î of N points",
        "Î",
        "InfoNCE with the best critic there is, the encoder itself: too small on average, and at "
        "most log N.",
    ),
}
BURDA, INFOMAX = 0.01, 0.05
MARKS = (
    {"value": BURDA, "name": "Burda et al. 2016"},
    {"value": INFOMAX, "name": "InfoMax-VAE"},
)
DRAWS = 20  # of z for each image, in the InfoMax-VAE's code


# Studies.


def ask(study: Study) -> Run:
    """The directory of a study, under way or finished; another that this session left makes way.

    Whoever else looks at that one finds it stopped, and asks for it again.

    Raises: RunError where it cannot be had, or where viewers would have to start it.
    """
    root = runs.default_root()
    if access.viewer():
        with suppress(RunError):
            return runs.find(archive.folder(root), study.id)
        raise RunError(f"{access.REASON}, and nobody has asked for this study yet; choose another")
    run, left = archive.obtain(root, study), st.session_state.get("study")
    st.session_state["study"] = run.id
    if left not in (None, run.id):
        former = Run(archive.folder(root) / left)
        if former.state in ACTIVE:
            former.request("stop")
    state = run.state
    if state in ACTIVE or state == "finished" or (state == "failed" and left == run.id):
        return run
    worker.launch(run)
    return run


def bounds(study: BoundStudy) -> dict[str, Any]:
    """A study of bounds, for `study.view`."""
    cap = math.log(study.batch_size)
    over = (0, study.steps)
    return {
        "title": "What each critic says of I(x; z)",
        "axis": {"title": "step", "at": "step ", "low": 0, "high": study.steps, "log": False},
        "exact": study.exact,
        "lines": [line(name) for name in ("kl", "dv", "mine", "nce")],
        "references": [
            exact(study, over),
            {
                "name": "cap",
                "label": f"log B, B = {study.batch_size}",
                "short": "log B",
                "note": "Where InfoNCE ends.",
                "color": palette.ESTIMATORS["nce"],
                "dashed": True,
                "points": [[x, cap] for x in over],
            },
        ],
    }


def points(study: PointStudy) -> dict[str, Any]:
    """A study of the number of points, for `study.view`."""
    over = (study.POINTS[0], study.POINTS[-1])
    return {
        "title": "What N points say of I(x; z)",
        "axis": {"title": "N", "at": "N = ", "low": over[0], "high": over[1], "log": True},
        "exact": study.exact,
        "lines": [line("empirical")],
        "references": [
            exact(study, over),
            {
                "name": "cap",
                "label": "log N",
                "short": "log N",
                "note": "Telling N images apart takes no more; the estimate cannot pass it.",
                "color": palette.NEUTRAL,
                "dashed": True,
                "points": [[x, math.log(x)] for x in over],
            },
        ],
    }


def line(name: str) -> dict[str, str]:
    """An estimator's words and colour."""
    label, short, note = ESTIMATORS[name]
    color = palette.ESTIMATORS[name]
    return {"name": name, "label": label, "short": short, "note": note, "color": color}


def exact(study: Study, over: tuple[int, int]) -> dict[str, Any]:
    """The line of the true value."""
    return {
        "name": "exact",
        "label": "Exact I",
        "short": "exact I",
        "note": f"In {study.dimension} dimensions at ρ = {study.rho:.6g}.",
        "color": "",
        "dashed": False,
        "points": [[x, study.exact] for x in over],
    }


def formula(study: Study) -> str:
    """What follows from a study's numbers, with them in it, as LaTeX: I, or ρ where I is given."""
    d = study.dimension
    if isinstance(study, PointStudy):
        exponent = rf"-2 \cdot {number(study.information)} / {d}"
        return rf"\rho = \sqrt{{1 - e^{{{exponent}}}}} = \mathbf{{{study.rho:.6g}}}"
    nats = rf"\mathbf{{{number(study.exact)}}}\ \mathrm{{nats}}"
    return rf"I = -\tfrac{{{d}}}{{2}} \log(1 - {study.rho:g}^2) = {nats}"


# Active units.


def unit_variances(run: Run, draws: int | None = None) -> tuple[int, tuple[float, ...]] | None:
    """The step of a run's newest snapshot, and Var_x E[z_j|x] of its held-out codes by unit j.

    With `draws` the mean of as many draws stands for E[z_j|x], as it must not. None where there is
    no snapshot that can be read.
    """
    with suppress(RunError):
        if steps := run.snapshot_steps():
            return steps[-1], _variances(run, steps[-1], draws)
    return None


@functools.lru_cache(maxsize=64)
def _variances(run: Run, step: int, draws: int | None) -> tuple[float, ...]:
    arrays = run.snapshot(step)
    held_out = arrays["split"] == 1
    mean = arrays["mean"][held_out].astype(np.float64)
    if draws is not None:
        if "std" not in arrays:
            raise RunError(
                f"a snapshot must hold std for draws, got one of an older version, {run.id}"
            )
        noise = np.random.default_rng(0).standard_normal(mean.shape)
        mean += arrays["std"][held_out] * noise / math.sqrt(draws)
    return tuple(mean.var(0).tolist())


def active(variances: tuple[float, ...], threshold: float) -> int:
    """#{j : Var_x E[z_j|x] ≥ threshold}; see `estimators.active_units`."""
    return sum(variance >= threshold for variance in variances)
