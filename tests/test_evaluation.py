"""Evaluating run directories: by the command line, and by real workers as the dashboard asks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infovae_core import dispatch, results, runs, worker
from infovae_core.config import RunConfig
from infovae_core.metrics import METRICS, choose
from infovae_core.runs import RunError
from tests.processes import end_workers, until

ROOT = Path(__file__).parent.parent
SHORT = RunConfig(
    data={"limit": 320},
    model={"widths": (16,)},
    objective={"name": "VAE"},
    training={"epochs": 3, "batch_size": 32, "device": "cpu"},
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation") / "runs"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INFOVAE_SLOTS", "1")
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.setenv("PYTHONPATH", str(ROOT))
        yield folder
        end_workers(folder)


@pytest.fixture(scope="module")
def run(root):
    """A run that has finished."""
    run = runs.create(root, SHORT)
    with dispatch.reserve(run):
        assert worker.work(run) == "finished"
    return run


@pytest.fixture
def spawned(monkeypatch):
    """Roots for which a worker would have been started."""
    roots = []
    monkeypatch.setattr(dispatch, "spawn", roots.append)
    return roots


def resting(root, **config):
    """A run that looks as if it had been trained."""
    run = runs.create(root, config)
    (run.path / "checkpoint" / "00000001.safetensors").touch()
    run.set_status(state="finished")
    return run


def over(run):
    """Wait until the evaluation has come to an end, however."""
    worker.ensure(run.root)
    until(lambda: run.evaluating is None, "the evaluation to end")


def numbers(run):
    """All that was measured, but for the clock."""
    return {
        name: {k: v for k, v in record.items() if k not in ("seconds", "time")}
        for name, record in run.evaluation.items()
    }


def shell(*words):
    return subprocess.run(
        [sys.executable, "-m", "infovae_core", *words], capture_output=True, text=True, check=False
    )


def test_the_command_and_a_worker_measure_and_store_the_same_numbers(run):
    before = run.status, run.events(), run.rows()
    names = choose(["cheap", "probe_knn"])
    done = shell("evaluate", str(run.path), "--metrics", "cheap", "probe_knn", "--seed", "3")
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert " ".join(header.split()) == "metric value 95 % interval unit at most note"
    for name, line in zip(names, lines, strict=False):
        assert line.startswith(METRICS[name].title)
        assert METRICS[name].unit in line
    assert "±" in lines[0]
    assert "[1] The Bernoulli likelihood" in done.stdout
    assert all(METRICS[name].title in done.stderr for name in names)

    first = numbers(run)
    assert list(first) == names
    for record in run.evaluation.values():
        assert set(record) == set(runs.MEASURED)
        assert record["step"] == run.status["step"]
        assert record["settings"]["seed"] == 3
        assert record["seconds"] >= 0
    assert first["mutual_information"]["cap"] == pytest.approx(5.693, abs=1e-3)

    (run.path / "evaluation.json").unlink()
    worker.launch_evaluation(run, names, seed=3)
    over(run)
    assert run.evaluation_error is None
    assert numbers(run) == first
    assert (run.status, run.events(), run.rows()) == before
    assert run.state == "finished"
    assert not run.requested("evaluate")


def test_an_evaluation_shows_its_progress_and_is_cancelled(run):
    worker.launch_evaluation(run, ["elbo", "log_likelihood_ais", "mine"], seed=7)
    under_way = until(
        lambda: (now := run.evaluating) and now["name"] == "log_likelihood_ais" and now,
        "the evaluation to come to the annealing",
    )
    assert under_way["state"] == "running"
    assert under_way["names"] == ["elbo", "log_likelihood_ais", "mine"]
    assert 1 / 3 <= under_way["share"] < 1
    assert run.state == "finished"
    with pytest.raises(RunError, match="cancel that first"):
        run.delete()
    with pytest.raises(RunError, match="one process at a time"), dispatch.reserve(run):
        pass
    run.cancel_evaluation()
    over(run)
    assert run.evaluation_error is None
    assert not run.requested("cancel")
    assert run.evaluation["elbo"]["settings"]["seed"] == 7
    assert "mine" not in run.evaluation


def test_an_evaluation_whose_worker_dies_says_so_and_can_be_asked_for_again(run):
    worker.launch_evaluation(run, ["rate", "log_likelihood_ais"], seed=8)
    status = until(
        lambda: (now := run.evaluating) and now["state"] == "running" and now, "it to begin"
    )
    os.kill(status["pid"], signal.SIGKILL)
    until(lambda: run.evaluating is None, "the death to be seen")
    assert "evaluate again" in run.evaluation_error
    worker.launch_evaluation(run, ["rate"], seed=8)
    assert run.evaluation_error is None
    over(run)
    assert run.evaluation["rate"]["settings"]["seed"] == 8
    assert run.evaluation_error is None


def test_an_evaluation_that_fails_says_why_and_leaves_the_run_alone(run):
    [weights] = (run.path / "checkpoint").glob("*.safetensors")
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:100])
        worker.launch_evaluation(run, ["rate"])
        over(run)
    finally:
        weights.write_bytes(whole)
    assert "Error" in run.evaluation_error
    assert "Traceback" in (run.path / "worker.log").read_text()
    assert run.state == "finished"
    assert run.status["error"] is None


# Asking, without a worker


def test_asking_again_for_the_same_changes_nothing_and_for_other_things_is_refused(
    tmp_path, spawned
):
    run = resting(tmp_path)
    for _ in range(2):
        worker.launch_evaluation(run, ["rate", "elbo"])
    assert [runs.task_of(ticket) for ticket in runs.tickets(tmp_path)] == ["evaluate"]
    assert run.evaluating["state"] == "waiting"
    assert run.evaluating["names"] == ["elbo", "rate"]
    for other in ({"names": ["mine"]}, {"names": ["rate", "elbo"], "seed": 1}):
        with pytest.raises(RunError, match=r"once at a time.*wait for it or cancel"):
            worker.launch_evaluation(run, **other)
    run.cancel_evaluation()
    assert run.evaluating is None
    assert runs.tickets(tmp_path) == []
    worker.launch_evaluation(run, ["mine"])
    assert not run.requested("cancel")
    assert spawned == [tmp_path] * 3


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_at_work_is_not_evaluated(tmp_path, state, spawned):
    run = resting(tmp_path)
    if state == "running":
        run.set_status(state="running")
    else:
        run.set_status(state="stopped")
        dispatch.enqueue(run)
    with pytest.raises(RunError, match=f"at rest to be evaluated, got {state}; pause or stop it"):
        worker.launch_evaluation(run)
    assert run.evaluating is None


def test_a_run_never_trained_and_a_metric_that_is_none_are_refused(tmp_path, spawned):
    with pytest.raises(RunError, match="without a checkpoint; train it first"):
        worker.launch_evaluation(runs.create(tmp_path, SHORT))
    with pytest.raises(ValueError, match="got elbow; choose"):
        worker.launch_evaluation(resting(tmp_path), ["elbow"])
    assert runs.tickets(tmp_path) == []


# The queue


def device_of(run):
    return "cpu:0"


def test_evaluations_and_trainings_take_turns_in_one_queue(tmp_path, spawned, monkeypatch):
    monkeypatch.setenv("INFOVAE_SLOTS", "1")
    first, second = resting(tmp_path), runs.create(tmp_path, {})
    worker.launch_evaluation(first)
    dispatch.enqueue(second)
    assert (first.state, second.state) == ("finished", "queued")
    claim = dispatch.claim(tmp_path, device_of)
    assert (claim.run, claim.task) == (first, "evaluate")
    assert first.state == "finished"
    assert first.evaluating["state"] == "running"
    assert dispatch.claim(tmp_path, device_of) is None
    with claim:
        pass
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == second


def test_a_run_resumed_during_its_evaluation_waits_for_the_end_of_it(
    tmp_path, spawned, monkeypatch
):
    monkeypatch.setenv("INFOVAE_SLOTS", "2")
    run = resting(tmp_path)
    run.set_status(state="stopped")
    worker.launch_evaluation(run)
    with dispatch.claim(tmp_path, device_of):
        dispatch.enqueue(run)
        assert run.state == "queued"
        assert dispatch.claim(tmp_path, device_of) is None
    run.end_evaluation()
    claim = dispatch.claim(tmp_path, device_of)
    assert (claim.run, claim.task, run.state) == (run, "train", "running")


@pytest.mark.parametrize("passes_lock", [True, False])
def test_a_run_that_a_shell_has_taken_meanwhile_is_not_evaluated_and_holds_up_nobody(
    tmp_path, spawned, passes_lock
):
    mine, other = resting(tmp_path), runs.create(tmp_path, {})
    worker.launch_evaluation(mine)
    mine.set_status(state="stopped")
    with dispatch.reserve(mine) as writer:
        dispatch.enqueue(other)
        if passes_lock:
            assert dispatch.claim(tmp_path, device_of, own=writer) is None
        else:
            with dispatch.claim(tmp_path, device_of) as run:
                assert run == other
    assert mine.evaluating is None
    assert "evaluate it when that is done" in mine.evaluation_error


@pytest.mark.parametrize("text", ["", "[]", '{"names": ', '{"names": ["elbow"]}', '{"names": 3}'])
def test_a_request_that_cannot_be_followed_is_an_error_that_is_shown(tmp_path, spawned, text):
    run = resting(tmp_path, **SHORT.model_dump(mode="json"))
    worker.launch_evaluation(run)
    (run.path / "requests" / "evaluate").write_text(text)
    assert run.evaluating["state"] == "waiting"
    with dispatch.claim(tmp_path, device_of):
        assert worker.evaluate(run) == "failed"
    assert run.evaluation_error
    assert run.evaluating is None


# What is stored


@pytest.mark.parametrize("text", ["", "[]", '{"rate": 3}', '{"rate": {"value"', "\x00"])
def test_an_evaluation_that_cannot_be_read_is_none(tmp_path, text):
    run = runs.create(tmp_path, {})
    assert run.evaluation == {}
    for name in ("evaluation.json", "evaluating.json"):
        (run.path / name).write_text(text)
    assert run.evaluation == {}
    assert run.evaluating is None
    run.save_evaluation({"rate": {"value": 2.0}})
    assert run.evaluation["rate"] == runs.MEASURED | {"value": 2.0}


def test_measured_values_are_added_to_and_replaced_by_name(tmp_path):
    run = runs.create(tmp_path, {})
    run.save_evaluation({"rate": {"value": 1.0}, "elbo": {"value": float("nan")}})
    run.save_evaluation({"rate": {"value": 2.0, "low": float("-inf")}})
    values = {name: record["value"] for name, record in run.evaluation.items()}
    assert values == {"rate": 2.0, "elbo": None}
    stored = json.loads((run.path / "evaluation.json").read_text())
    assert stored["rate"]["low"] is None


# As text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-118.6127, 0.3434, "-118.61 ± 0.34"),
        (15.77268, 0.02699, "15.773 ± 0.027"),
        (1234.5, 56.7, "1234 ± 57"),
        (1e6, 12345.0, "1000000 ± 12345"),
        (0.000389, 0.0000373, "0.000389 ± 0.000037"),
        (3.89e-7, 3.73e-8, "(3.89 ± 0.37)e-7"),
        (1e-9, 2e-8, "(0.1 ± 2.0)e-8"),
        (0.6931471805599491, 4.5e-16, "0.6931"),
        (18.0, None, "18"),
        (0.123456, 0.0, "0.1235"),
        (None, None, "–"),
        (None, 0.5, "–"),
    ],
)
def test_values_have_the_digits_that_their_errors_allow(value, error, text):
    assert results.with_error(value, error) == text


def test_a_table_says_each_note_once_and_leaves_out_what_was_not_measured():
    records = {
        "rate": runs.MEASURED | {"value": 1.0, "error": 0.1, "note": "Same."},
        "elbo": runs.MEASURED | {"value": -2.0, "low": -3.0, "high": -1.0, "note": "Same."},
        "ksd2": runs.MEASURED | {"note": "Other.", "cap": 4.0},
    }
    lines = list(results.table(records))
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        METRICS[name].title for name in ("elbo", "rate", "ksd2")
    ]
    assert [line.split()[-1] for line in lines[1:4]] == ["[1]", "[1]", "[2]"]
    assert "-3 to -1" in lines[1]
    assert lines[4:] == ["[1] Same.", "[2] Other."]
