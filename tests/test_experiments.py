"""Runs that differ in their objective alone."""

import pytest

from dashboard import experiments
from infovae_core import dispatch, runs, worker
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES, BetaVAE

BASE = RunConfig.model_validate(
    {
        "label": "ignored",
        "data": {"name": "mnist", "limit": 500},
        "model": {"latent_dim": 7},
        "training": {"seed": 3, "epochs": 5, "batch_size": 32, "learning_rate": 0.01},
    }
)


def but(config, **same):
    """A config without what may differ."""
    record = config.model_dump()
    return {name: value for name, value in record.items() if name not in ("label", "objective")}


def test_one_run_for_each_objective_with_all_else_equal():
    objectives = [kind() for kind in OBJECTIVES.values()]
    configs = experiments.side_by_side(BASE, objectives, prefix=" lecture ")
    assert [config.objective for config in configs] == objectives
    assert all(but(config) == but(BASE) for config in configs)
    assert all(config.label.startswith("lecture · ") for config in configs)
    assert len({config.label for config in configs}) == len(configs)
    assert "seed" not in configs[0].label


def test_seeds_go_on_from_that_of_the_settings():
    objectives = [BetaVAE(beta=1), BetaVAE(beta=4), BetaVAE(beta=1)]
    configs = experiments.side_by_side(BASE, objectives, repeats=2, prefix="")
    assert [(c.objective.beta, c.training.seed) for c in configs] == [
        (1, 3),
        (4, 3),
        (1, 4),
        (4, 4),
    ]
    assert configs[2].label == "β-VAE β 1 · seed 4"
    fresh = BASE.training.model_copy(update={"seed": 4})
    assert configs[3].training == fresh
    assert RunConfig.model_validate(configs[3].model_dump()) == configs[3]


def test_turns_of_a_run_are_not_taken_over():
    turns = ({"step": 5, "knobs": {"learning_rate": 0.1}},)
    base = RunConfig.model_validate(BASE.model_dump() | {"turns": turns})
    [config] = experiments.side_by_side(base, [BetaVAE()])
    assert config.turns == ()


def test_runs_are_queued_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    configs = experiments.side_by_side(BASE, [kind() for kind in OBJECTIVES.values()])
    created = experiments.launch(tmp_path, configs)
    assert [runs.holder(ticket) for ticket in runs.tickets(tmp_path)] == created
    assert [RunConfig.model_validate(run.config) for run in created] == configs


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(runs.RunError, match="must be writable"):
        experiments.launch(tmp_path / "file", [BASE])


def test_what_the_runs_share_is_said_in_a_line():
    said = experiments.describe(BASE)
    for part in ("MNIST", "500 training images", "d = 7", "5 epochs", "batches of 32", "seed 3"):
        assert part in said
