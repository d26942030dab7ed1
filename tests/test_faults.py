"""What goes wrong while a model trains: kills, disks, numbers, memory."""

import json
import math
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from infovae_core import blame, checkpoints, data, recorder, runs, terms, training, worker
from infovae_core.config import RunConfig
from infovae_core.model import Pass
from infovae_core.runs.files import overwrite

PROJECT = Path(__file__).parents[1]


def test_nothing_is_lost_when_workers_are_killed_and_disks_fill_up():
    """A short round of what `python -m benchmarks.faults` tries hundreds of times."""
    command = [sys.executable, "-m", "benchmarks.faults", "--epochs", "1"]
    command += ["--only", "killed=1", "hindered=1"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"\| (\d+) \| (\d+) \| nothing \|", done.stdout)
    assert [int(tried) for tried, _ in rows] == [1, 1]
    assert all(int(resumed) > 0 for _, resumed in rows)


def test_what_is_written_over_a_longer_file_is_all_that_is_read(tmp_path):
    path = tmp_path / "status.json"
    path.write_text(json.dumps({"state": "running", "error": "x" * 100}))
    size, inode = path.stat().st_size, path.stat().st_ino
    overwrite(path, json.dumps({"state": "failed"}).encode())
    assert json.loads(path.read_bytes()) == {"state": "failed"}
    assert (path.stat().st_size, path.stat().st_ino) == (size, inode)


class Steady:
    """A cadence that is due at every third step."""

    def __init__(self, *_, **__):
        self.looks = 0

    @property
    def due(self):
        self.looks += 1
        return self.looks % 3 == 0

    turn = nullcontext


CONFIG = RunConfig(
    data={"limit": 320},
    model={"widths": (8,)},
    objective={"name": "VAE"},
    training={"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "device": "cpu"},
)
SPOILED = {
    "value": (lambda rate: rate * math.nan, "got rate not finite at step 8"),
    "infinity": (lambda rate: rate + math.inf, "got rate not finite at step 8"),
    "gradient": (lambda rate: rate + (0 * rate).sqrt(), "got the gradient not finite at step 8"),
}


@pytest.mark.parametrize("at", [8, 10], ids=["between rows", "at a row"])
@pytest.mark.parametrize("what", SPOILED)
def test_what_is_not_finite_ends_the_run_at_that_step_and_keeps_the_checkpoint(
    tmp_path, monkeypatch, what, at
):
    """The value of √ at 0 is finite, its gradient is not; no repetition comes to that again."""
    spoil, said = SPOILED[what]
    steps, right = [], terms.Rate.__call__

    def rate(self, p, critic=None):
        if torch.is_grad_enabled():
            steps.append(len(steps) + 1)
        value = right(self, p, critic)
        return spoil(value) if torch.is_grad_enabled() and steps[-1] == at else value

    monkeypatch.setattr(terms.Rate, "__call__", rate)
    monkeypatch.setattr(recorder, "Cadence", Steady)
    run = runs.create(tmp_path, CONFIG)
    assert worker.work(run) == run.state == "failed"
    assert said.replace("8", str(at)) in run.status["error"]
    assert "lower the learning rate (0.01) or the term's weight" in run.status["error"]
    assert run.status["step"] == at
    assert run.events()[-1]["error"] == run.status["error"]
    kept = checkpoints.load(CONFIG, data.load(CONFIG.data), run.path / "checkpoint")
    assert kept.step == (at - 1) // 3 * 3
    assert all(w.isfinite().all() for w in kept.model.parameters())


RATE = "lower the learning rate (0.01) or the term's weight"
SLOPES = {
    "rate": (terms.Rate, "__call__", "the gradient of rate", RATE),
    "divergence": (terms.Jensen, "__call__", "the gradient of jensen", RATE),
    "distortion": (Pass, "distortion", "the gradient of distortion", RATE),
    "critic": (
        terms.Jensen,
        "critic_loss",
        "the gradient of the critic of jensen",
        "lower the critic's learning rate (0.002)",
    ),
}


def spoil(monkeypatch, place, name, at):
    """Leave a term its value in the pass number `at`, and no gradient, whenever that is repeated.

    √ has none at 0. That the codes are the same bit for bit says that it is the same pass.
    """
    right, passes = getattr(place, name), []

    def spoiled(*args):
        [p] = [one for one in args if isinstance(one, Pass)]
        value = right.fget(p) if isinstance(right, property) else right(*args)
        if not torch.is_grad_enabled():
            return value
        passes.append(p.z.detach().clone())
        again = len(passes) >= at and torch.equal(passes[at - 1], p.z)
        return value + (0 * value).sqrt() if again else value

    monkeypatch.setattr(place, name, property(spoiled) if isinstance(right, property) else spoiled)
    return passes


@pytest.mark.parametrize("at", [2, 20], ids=["no checkpoint yet", "at a row of test images"])
@pytest.mark.parametrize("what", SLOPES)
def test_the_term_whose_gradient_is_not_finite_is_named(tmp_path, monkeypatch, what, at):
    place, name, said, remedy = SLOPES[what]
    passes = spoil(monkeypatch, place, name, at)
    monkeypatch.setattr(recorder, "Cadence", Steady)
    jensen = {"name": "InfoVAE", "divergence": "jensen", "critic_widths": [8]}
    turned = {"step": 1, "knobs": {"critic_learning_rate": 0.002}}
    changes = {"objective": jensen, "turns": [turned]}
    run = runs.create(tmp_path, RunConfig(**dict(CONFIG) | changes))
    assert worker.work(run) == "failed"
    assert f"got {said} not finite at step {at};" in run.status["error"]
    assert remedy in run.status["error"]
    assert run.events()[-1]["error"] == run.status["error"]
    assert run.status["drawing"] is None
    assert checkpoints.latest(run.path / "checkpoint") == (18 if at == 20 else None)
    assert len(passes) > at


def test_what_is_noticed_late_is_traced_to_its_step(tmp_path, monkeypatch):
    """As on a GPU, which is not waited for after every step."""
    spoil(monkeypatch, terms.Rate, "__call__", at=13)
    monkeypatch.setattr(recorder.Recorder, "_check_step", lambda *_: None)
    jensen = {"name": "InfoVAE", "divergence": "jensen", "critic_widths": [8]}
    run = runs.create(tmp_path, RunConfig(**dict(CONFIG) | {"objective": jensen}))
    assert worker.work(run) == "failed"
    assert run.rows()[-1]["step"] == run.status["step"] == 20
    assert "got the gradient of rate not finite at step 13;" in run.status["error"]


@pytest.mark.parametrize("hindered", ["stop", "time", "memory"])
def test_a_term_is_not_sought_for_long(tmp_path, monkeypatch, hindered):
    run, find = runs.create(tmp_path, CONFIG), blame.find
    passes = spoil(monkeypatch, terms.Rate, "__call__", at=19)

    def hindering(*args):
        assert "Repeating the last steps" in run.status["drawing"]["what"]
        if hindered == "stop":
            run.request("stop")
        elif hindered == "memory":
            raise MemoryError
        return find(*args)

    monkeypatch.setattr(blame, "find", hindering)
    monkeypatch.setattr(worker, "OBEY", 0.0)
    monkeypatch.setattr(recorder, "PATIENCE", 0.0 if hindered == "time" else 30.0)
    assert worker.work(run) == "failed"
    assert "got the gradient not finite at step 19;" in run.status["error"]
    assert len(passes) <= 20


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "lower batch_size"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: you tried to allocate 8589934592 b"),
            "lower batch_size, widths or data.limit",
        ),
        (MemoryError("Unable to allocate 8 GiB"), "lower batch_size, widths or data.limit"),
        (PermissionError(13, "Permission denied"), "change its rights"),
    ],
)
@pytest.mark.parametrize(
    ("resumed", "place"),
    [(False, "training.init"), (True, "training.init"), (True, "checkpoints._content")],
    ids=str,
)
def test_a_run_without_memory_says_what_to_lower(
    tmp_path, monkeypatch, error, remedy, resumed, place
):
    def full(*_):
        raise error

    run = runs.create(tmp_path, CONFIG)
    if resumed:
        config = RunConfig.model_validate(run.config)
        state = training.init(config, data.load(config.data))
        checkpoints.save(state, run.path / "checkpoint")
    monkeypatch.setattr(f"infovae_core.{place}", full)
    assert worker.work(run) == "failed"
    assert remedy in run.status["error"]
    assert "checkpoint" not in run.status["error"]


def test_memory_that_ends_while_a_checkpoint_is_read_is_no_broken_checkpoint(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    images = data.load(CONFIG.data)
    checkpoints.save(training.init(CONFIG, images), tmp_path)
    monkeypatch.setattr(checkpoints, "from_bytes", full)
    with pytest.raises(torch.OutOfMemoryError):
        checkpoints.load(CONFIG, images, tmp_path)
