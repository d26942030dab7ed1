"""Runs that differ in their objective alone: same data, same seed, same batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel

from dashboard import words
from dashboard.comparison import BETWEEN
from infovae_core import choices, runs, worker
from infovae_core.catalogue import DataError, called
from infovae_core.config import AnyObjective, RunConfig
from infovae_core.objectives import VAE, Objective


class Contender(BaseModel, frozen=True):
    """One of the objectives that are trained side by side; for its form."""

    objective: AnyObjective = VAE()


def side_by_side(
    base: RunConfig, objectives: Sequence[Objective], repeats: int = 1, prefix: str = ""
) -> list[RunConfig]:
    """A config for each objective and each of so many seeds, from that of `base` on.

    All else is as in `base`. Weights and the order of the images follow from the seed alone, so
    that those of one seed begin alike and see the same batches. Objectives that are equal are
    trained once.
    """
    seeds = range(base.training.seed, base.training.seed + repeats)
    return [
        base.model_copy(
            update={
                "label": _label(prefix, objective, seed if repeats > 1 else None),
                "objective": objective,
                "training": base.training.model_copy(update={"seed": seed}),
                "turns": (),
            }
        )
        for seed in seeds
        for objective in dict.fromkeys(objectives)
    ]


def launch(root: Path, configs: Iterable[RunConfig]) -> list[runs.Run]:
    """Create a run for each config and put them into the queue, in this order.

    Raises: RunError where `root` cannot be written.
    """
    created = [runs.create(root, config) for config in configs]
    for run in created:
        worker.launch(run)
    return created


def describe(base: RunConfig) -> str:
    """What the runs will have in common, in a line."""
    model, training = base.model, base.training
    limit = f", {base.data.limit:,} training images" if base.data.limit else ""
    try:
        epochs = f"{base.epochs:,} epochs"
    except DataError:  # a file that is gone, say: the runs will hear of it
        epochs = "as many epochs as suit the images"
    data = called(base.data.model_dump())
    network, likelihood = (choices.of(model, name) for name in ("network", "likelihood"))
    return (
        f"{data}{limit} · {network}, d = {model.latent_dim}, {likelihood} · "
        f"{epochs}, batches of {training.batch_size:,}, "
        f"learning rate {training.learning_rate:g}, seed {training.seed}"
    )


def _label(prefix: str, objective: Objective, seed: int | None) -> str:
    """The common prefix, then what tells this run from the others."""
    what = " ".join(words.objective(objective.model_dump(mode="json"))).strip()
    parts = (prefix.strip(), what, "" if seed is None else f"seed {seed}")
    return BETWEEN.join(filter(None, parts))[-200:]
