"""Real workers in processes of their own, as the dashboard starts them."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from infovae_core import dispatch, knobs, runs, worker
from infovae_core.config import Knobs, RunConfig
from tests.processes import end_workers, until, workers

SMALL = RunConfig(
    data={"limit": 640, "binarize": "dynamic"},
    model={"widths": (16,)},
    objective={"name": "InfoMaxVAE", "critic_widths": (16,)},
    training={"epochs": 40, "batch_size": 32},
)
SHORT = SMALL.model_copy(update={"training": SMALL.training.model_copy(update={"epochs": 2})})
ENDLESS = SMALL.model_copy(update={"training": SMALL.training.model_copy(update={"epochs": 10**6})})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker") / "runs"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INFOVAE_SLOTS", "1")
        environment.setenv("OMP_NUM_THREADS", "1")
        yield folder
        end_workers(folder)


@pytest.fixture(scope="module")
def reference(root):
    """A run that nothing disturbs."""
    return finished(launched(root, SMALL))


def launched(root, config):
    run = runs.create(root, config)
    worker.launch(run)
    return run


def reaches(run, state):
    def there():
        now = run.state
        assert now != "failed" or state == "failed", run.status["error"]
        return now == state

    worker.ensure(run.root)
    until(there, f"state {state} of {run.id}")
    return run


def finished(run):
    return reaches(run, "finished")


def trains_past(run, step):
    until(lambda: (run.last("train") or {"step": 0})["step"] > step, f"step {step}")


def measured(run):
    """Rows without the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


def weights(run):
    [file] = (run.path / "checkpoint").glob("*.safetensors")
    return file.name, file.read_bytes()


def story(run):
    return [event["event"] for event in run.events()]


def test_a_run_leaves_what_its_viewers_need(reference):
    status, rows = reference.status, reference.rows()
    assert (status["step"], status["steps"]) == (800, 800)
    assert (status["epoch"], status["epochs"]) == (40, 40)
    assert status["rate"] > 0
    assert status["error"] is None
    assert story(reference) == ["started", "finished"]
    about = reference.events()[0]["about"]
    assert list(about["quantities"]) == list(rows[0]["values"])
    assert about["steps_per_epoch"] == 20
    for split in ("test", "codes"):
        epochs = [row["epoch"] for row in rows if row["split"] == split]
        assert (epochs[0], epochs[-1]) == (1, 40)
        assert len(epochs) > 2
    assert rows[0]["step"] == 1
    assert all(a["seconds"] <= b["seconds"] for a, b in pairwise(rows))
    steps = reference.snapshot_steps()
    assert (steps[0], steps[-1]) == (1, 800)
    assert reference.snapshot(800)["mean"].shape == (640 + 297, 2)
    assert weights(reference)[0] == "00000800.safetensors"


def test_a_run_killed_and_resumed_is_the_run_that_nothing_disturbed(root, reference):
    run = launched(root, SMALL)
    trains_past(run, 100)
    run.request("pause")
    reaches(run, "paused")
    paused_at = run.status["step"]
    assert weights(run)[0] == f"{paused_at:08d}.safetensors"

    worker.launch(run)
    trains_past(run, paused_at + 100)
    os.kill(run.status["pid"], signal.SIGKILL)
    until(lambda: run.state == "interrupted", "the death to be seen")
    lost = measured(run)
    with (run.path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 999, "spl')

    worker.launch(run)
    finished(run)
    assert story(run) == ["started", "paused", "resumed", "resumed", "finished"]
    assert run.events()[3]["step"] == paused_at  # the steps since then were done twice,
    assert measured(run)[: len(lost)] == lost  # their rows written once
    assert measured(run) == measured(reference)
    assert weights(run) == weights(reference)


def turned(run):
    return [(e["step"], e["changes"]) for e in run.events() if e["event"] == "turned"]


def test_knobs_turned_live_are_kept_through_a_kill_and_repeated_exactly(root):
    run = launched(root, SMALL)
    trains_past(run, 50)
    objective = SMALL.objective.model_copy(update={"alpha": 3.0})
    knobs.ask(run, Knobs(objective=objective))
    until(lambda: turned(run), "the first turn")
    until(lambda: run.status["knobs"], "the status to know it")
    assert run.status["knobs"]["objective"]["alpha"] == 3
    assert not run.requested("knobs")
    (run.path / "requests" / "knobs").write_text('{"objective": {"name": "VAE"}}')
    until(lambda: "warning" in story(run), "the refusal of another objective")
    until(lambda: measured(run)[-1]["step"] > turned(run)[0][0], "a row after the turn")
    os.kill(run.status["pid"], signal.SIGKILL)
    until(lambda: run.state == "interrupted", "the death to be seen")
    lost = measured(run)
    knobs.ask(run, Knobs(learning_rate=1e-4, objective=objective))
    worker.launch(run)
    finished(run)

    assert measured(run)[: len(lost)] == lost
    (first, alpha), (second, rate) = turned(run)
    default = SMALL.objective.alpha
    assert (alpha, rate) == ({"α": [default, 3.0]}, {"Learning rate": [1e-3, 1e-4]})
    assert second >= lost[-1]["step"] > first
    event = next(e for e in run.events() if e["event"] == "turned")
    assert event["weights"] == {"mutual_information": [-default, -3.0]}
    assert event["about"]["quantities"]["mutual_information"]["weight"] == -3

    again = knobs.repeat(run)
    worker.launch(again)
    finished(again)
    assert turned(again) == turned(run)
    assert measured(again) == measured(run)
    assert weights(again) == weights(run)


def test_with_one_slot_runs_wait_in_order_and_may_leave(root):
    first = reaches(launched(root, ENDLESS), "running")
    second, third, fourth = (launched(root, SHORT) for _ in range(3))
    worker.launch(first)  # a second press changes nothing
    assert [run.state for run in (first, second, third, fourth)] == ["running"] + 3 * ["queued"]
    with pytest.raises(runs.RunError, match="stop it first"):
        second.delete()
    third.request("stop")
    assert third.state == "stopped"
    first.request("stop")
    finished(fourth)
    assert (first.state, second.state, third.state) == ("stopped", "finished", "stopped")
    assert story(first) == ["started", "stopped"]
    assert story(third) == []
    assert second.events()[-1]["time"] <= fourth.events()[0]["time"]
    third.delete()
    assert third not in runs.list_runs(root)


def test_a_run_that_blows_up_says_so_and_the_next_one_has_a_fresh_worker(root):
    wild = RunConfig(
        data={"limit": 640},
        model={"widths": (16,), "activation": "silu"},
        objective={"name": "InfoVAE", "alpha": 100},  # rewards the rate
        training={"learning_rate": 1},
    )
    run, after = launched(root, wild), launched(root, SHORT)
    reaches(run, "failed")
    error = run.status["error"]
    assert "must stay finite" in error
    assert "lower the learning rate (1)" in error
    assert story(run) == ["started", "failed"]
    assert run.events()[-1]["error"] == error
    assert "Traceback" in (run.path / "worker.log").read_text()
    finished(after)
    assert after.status["pid"] != run.status["pid"]


def test_a_waiting_worker_goes_when_its_folder_does(root):
    worker.ensure(root)
    until(lambda: worker.idle(root), "a warm worker")
    (root / runs.HIDDEN / "keep").unlink()
    until(lambda: not workers(root), "the worker to go")


def test_a_worker_that_cannot_warm_up_waits_all_the_same(tmp_path, monkeypatch, capsys):
    def full(root):
        raise RuntimeError("the device is full")

    waited = []
    monkeypatch.setattr(worker, "warm_up", full)
    monkeypatch.setattr(worker, "next_claim", lambda root, *_: waited.append(worker.idle(root)))
    worker.serve(tmp_path)
    assert waited == [True]
    assert "the device is full" in capsys.readouterr().err


def test_a_run_whose_logs_find_no_room_is_failed(tmp_path, monkeypatch):
    def full(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    run = runs.create(tmp_path, SHORT)
    monkeypatch.setattr(runs.Run, "event", full)
    assert worker.work(run) == run.state == "failed"
    assert "No space left" in run.status["error"]


def test_a_queued_run_starts_after_a_restart_and_outlives_the_server(root):
    end_workers(root)
    assert not worker.idle(root)
    run = runs.create(root, ENDLESS)
    dispatch.enqueue(run)  # and then everything went down
    server = """if True:
        import socket, sys
        from pathlib import Path
        from infovae_core import worker
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.set_inheritable(True)
            worker.ensure(Path(sys.argv[1]))
            print(listening.getsockname()[1])
        """
    gone = subprocess.run(
        [sys.executable, "-c", server, root], stdout=subprocess.PIPE, text=True, check=True
    )
    trains_past(run, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(gone.stdout)))

    [pid] = workers(root)
    os.kill(pid, signal.SIGTERM)
    reaches(run, "stopped")
    assert story(run)[-1] == "terminated"
    assert weights(run)[0] == f"{run.status['step']:08d}.safetensors"
    until(lambda: pid not in workers(root), "the worker to go")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"training": {"epochs": 0}}, "training.epochs: .* greater than or equal to 1, got 0"),
        ({"objective": {"name": "VAE", "beta": 1}}, "objective.beta: there is no such field"),
        (
            {"objective": {"name": "InfoVAE", "alpha": 0, "lam": 0}},
            "objective: alpha . lam .* got 0 . 0; raise",
        ),
        ({"objective": {"name": "GAN"}}, "objective: .*'GAN'.*'VAE'"),
        ("{", "Invalid JSON: [^{]*$"),
    ],
)
def test_a_bad_config_is_explained_by_field(config, said):
    text = config if isinstance(config, str) else json.dumps(config)
    with pytest.raises(ValidationError) as error:
        RunConfig.model_validate_json(text)
    line = worker.explain(error.value)
    assert line.count("\n") == 0
    assert re.match(said, line), line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (runs.RunError("a rule,\n  a remedy"), "a rule, a remedy"),
        (KeyError("mean"), "KeyError: 'mean'"),
        (ValueError(), "ValueError: "),
        (
            MemoryError("Unable to allocate 3.00 GiB for an array"),
            "the model and its data must fit this machine's memory, got Unable to allocate "
            "3.00 GiB for an array; lower batch_size, widths or data.limit",
        ),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: "
                "you tried to allocate 3221225472 bytes."
            ),
            "the model and its data must fit this machine's memory, got 3 GiB more than there is; "
            "lower batch_size, widths or data.limit",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/runs/a/metrics.jsonl"),
            "the disk must have room for what is written, got No space left on device at "
            "/runs/a/metrics.jsonl; free some, then resume: what was written before is kept",
        ),
        (
            OSError(errno.EROFS, "Read-only file system"),
            "the folder must be writable, got Read-only file system; change its rights, or choose "
            "another folder",
        ),
        (
            torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of"
            ),
            "the model must fit the device's memory, got CUDA out of memory. Tried to allocate "
            "2.50 GiB; lower batch_size or widths, or set training.device to cpu",
        ),
        (
            RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"),
            "the model must fit the device's memory, got CUDA error: out of memory; "
            "lower batch_size or widths, or set training.device to cpu",
        ),
    ],
)
def test_any_error_is_one_line(error, line):
    assert worker.explain(error) == line


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A run on a file of images, which are decoded one by one."""
    monkeypatch.setattr("infovae_core.own.BLOCK", 1)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (40, 6, 6), np.uint8))
    data = {"name": "files", "path": tmp_path / "x.npy", "root": tmp_path}
    return runs.create(tmp_path / "runs", RunConfig(data=data, training={"epochs": 1}))


def test_while_data_are_prepared_the_status_says_how_far_that_is(own):
    said, seen = [], []

    def heard(*told):
        said.append(told)
        if told[1] == 40 and told[0] > 20 and not seen:
            until(lambda: (own.status["preparing"] or {}).get("done", 0) > 1, "a heartbeat")
            seen.append(own.status)

    assert worker.work(own, heard=heard) == "finished", own.status["error"]
    assert said[-40:] == [(done, 40, "Decoding images") for done in range(1, 41)]
    [status] = seen
    assert status["state"] == "running"
    assert status["preparing"].keys() == {"done", "of", "what"}
    assert own.status["preparing"] is None
    said.clear()
    again = runs.create(own.root, RunConfig.model_validate(own.config))
    assert worker.work(again, heard=heard) == "finished"
    assert said == []  # decoded already


@pytest.mark.parametrize(("request_", "ending"), [("stop", "stopped"), ("pause", "paused")])
def test_preparing_can_be_ended_and_gone_on_with(own, request_, ending):
    def heard(done, of, what):
        if done == 10:
            own.request(request_)
            time.sleep(2 * worker.OBEY)

    assert worker.work(own, heard=heard) == own.state == ending
    assert own.status["preparing"] is None
    assert story(own) == [ending]
    own.withdraw(request_)
    assert worker.work(own) == "finished"
    assert story(own) == [ending, "started", "finished"]
