import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.runs import Run, RunError, Tail
from tests import fakes

HOSTILE = [
    *("", ".", "..", "../x", "../../etc", "x/../y", ".worker", "/etc", "a\\b", "a\x00b", "a\n"),
    *("%2e%2e", "~", "run ", "nobody", "x" * 5000),
]


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path / "runs", {"label": "first"})


@pytest.fixture(scope="module")
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def row(step, split="train", **values):
    return {"step": step, "epoch": step / 10, "seconds": 0.1 * step, "split": split} | {
        "values": {"total": 1.0} | values
    }


def ticket(run, age=0):
    queue = run.root / runs.HIDDEN / "queue"
    queue.mkdir(parents=True, exist_ok=True)
    (queue / f"{time.time_ns() - age}-{run.id}").touch()


def write_status(run, **status):
    (run.path / "status.json").write_text(json.dumps(status))


# Creating, finding, listing


def test_a_config_comes_back_as_it_went_in(tmp_path):
    config = RunConfig(label="β = 4", objective={"name": "BetaVAE", "beta": 4})
    run = runs.create(tmp_path / "new" / "runs", config)
    assert RunConfig.model_validate(run.config) == config
    assert run.label == "β = 4"
    assert runs.find(run.root, run.id) == run


def test_runs_made_at_once_get_names_of_their_own(tmp_path):
    assert len({runs.create(tmp_path, {}).id for _ in range(50)}) == 50


def test_the_newest_run_is_listed_first_whatever_it_is_called(tmp_path):
    made = [runs.create(tmp_path, {}) for _ in range(3)]
    made[1] = Run(made[1].path.rename(tmp_path / "a-name-of-my-own"))
    for age, run in enumerate(reversed(made)):
        os.utime(run.path / "config.json", (time.time() - age,) * 2)
    assert runs.list_runs(tmp_path) == made[::-1]


def test_a_folder_that_cannot_be_written_is_said_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="INFOVAE_RUNS"):
        runs.create(tmp_path / "file" / "runs", {})


def test_the_environment_says_where_runs_are_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("INFOVAE_RUNS", raising=False)
    assert str(runs.default_root()) == "runs"
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    assert runs.default_root() == tmp_path


def test_listing_forgives_what_is_no_run(run):
    (run.root / "notes").mkdir()
    (run.root / "notes.txt").touch()
    (run.root / ".hidden").mkdir()
    (run.root / ".hidden" / "config.json").write_text("{}")
    broken = runs.create(run.root, {})
    (broken.path / "config.json").write_text('{"label": ')
    (broken.path / "status.json").write_bytes(b"\xff\x00")
    listed = runs.list_runs(run.root)
    assert {r.id for r in listed} == {run.id, broken.id}
    assert [(r.label, r.state, r.status["step"]) for r in listed if r == broken] == [
        ("", "interrupted", None)
    ]


def test_a_missing_folder_has_no_runs(tmp_path):
    assert runs.list_runs(tmp_path / "none") == []
    assert runs.tickets(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["", "[]", '{"label"', "\x00"])
def test_an_unreadable_config_is_said_with_the_remedy(run, text):
    (run.path / "config.json").write_text(text)
    with pytest.raises(RunError, match=rf"config\.json of run {run.id}.*delete the run"):
        _ = run.config


@pytest.mark.parametrize("id", HOSTILE)
def test_hostile_ids_are_refused_without_a_path(run, id):
    (run.root.parent / "config.json").write_text("{}")
    (run.root / ".worker").mkdir()
    (run.root / ".worker" / "config.json").write_text("{}")
    with pytest.raises(RunError) as refusal:
        runs.find(run.root, id)
    assert str(run.root) not in str(refusal.value)
    assert len(str(refusal.value)) < 200


# State


def test_a_new_run_waits_for_somebody_to_launch_it(run):
    assert run.status["state"] == "queued"
    assert run.state == "interrupted"  # there is no ticket: nobody will come
    ticket(run)
    assert run.state == "queued"


def test_a_running_run_is_one_whose_worker_lives(run):
    run.set_status(state="running", step=3)
    assert run.state == "running"
    assert run.status["step"] == 3
    assert run.status["pid"] == os.getpid()


@pytest.mark.parametrize(
    "lost",
    ["pid gone", "pid taken by another since", "other host silent", "no pid", "no heartbeat"],
)
def test_a_run_whose_worker_is_gone_is_interrupted(run, dead_pid, lost):
    here, now, long_ago = socket.gethostname(), time.time(), time.time() - 2 * runs.SILENCE
    signature = {
        "pid gone": (dead_pid, here, now),
        "pid taken by another since": (os.getpid(), here, long_ago),
        "other host silent": (1, "elsewhere", long_ago),
        "no pid": (None, here, now),
        "no heartbeat": (os.getpid(), here, None),
    }[lost]
    status = dict(zip(("pid", "host", "heartbeat"), signature, strict=True))
    write_status(run, state="running", **status)
    assert run.state == "interrupted"
    assert run.state in runs.RESUMABLE
    ticket(run)
    assert run.state == "queued"  # killed before it took the ticket away: the run is not lost


def test_a_run_claimed_while_its_state_is_read_is_never_at_rest(run, monkeypatch):
    ticket(run)

    def claimed_after(read):
        def read_and_claim(*args):
            value = read(*args)
            monkeypatch.undo()
            run.set_status(state="running")
            run.ticket.unlink()
            return value

        return read_and_claim

    # Whichever of the two is looked at first.
    monkeypatch.setattr(runs.queue, "tickets", claimed_after(runs.tickets))
    monkeypatch.setattr(Run, "status", property(claimed_after(Run.status.fget)))
    assert run.state in runs.ACTIVE
    assert run.ticket is None


def test_a_zombie_does_not_train(run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    status = {"pid": child.pid, "host": socket.gethostname(), "heartbeat": time.time()}
    write_status(run, state="running", **status)
    assert run.state == "interrupted"
    child.wait()


def test_a_worker_on_another_machine_is_believed(run, dead_pid):
    write_status(run, state="running", pid=dead_pid, host="elsewhere", heartbeat=time.time())
    assert run.state == "running"


@pytest.mark.parametrize("state", ["paused", "finished", "stopped", "failed"])
def test_what_is_settled_stays_so_without_a_worker(run, state):
    write_status(run, state=state)
    assert run.state == state
    assert (state in runs.RESUMABLE) == (state != "finished")


def test_every_state_is_known(run):
    write_status(run, state="dancing")
    assert run.state in runs.STATES
    assert runs.STATES[:2] == tuple(sorted(runs.ACTIVE))


def test_status_is_whole_for_every_reader_at_every_moment(run):
    torn, over = [], threading.Event()

    def read():
        while not over.is_set():
            try:
                status = json.loads((run.path / "status.json").read_bytes())
                assert status["step"] is None or status["error"] == "x" * status["step"]
            except ValueError as error:
                torn.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(300):
        run.set_status(step=step * 20, error="x" * step * 20)
    over.set()
    for reader in readers:
        reader.join()
    assert not torn
    assert [p.name for p in run.path.glob(".*.partial")] == []


def test_a_status_keeps_what_is_not_changed(run):
    created = run.status["created"]
    run.set_status(state="running", step=1)
    run.set_status(step=2)
    assert run.status["state"] == "running"
    assert run.status["created"] == created
    assert run.status.keys() == runs.BLANK.keys()


# Logs


def test_rows_come_back_in_order_and_not_finite_is_null(run):
    run.log(row(1, distortion=2.5))
    run.log(row(2, distortion=float("nan"), rate=float("inf")))
    first, second = run.rows()
    assert first == row(1, distortion=2.5)
    assert second["values"] == {"total": 1.0, "distortion": None, "rate": None}


@pytest.mark.parametrize("cut", [1, 9, -1])
def test_half_a_line_waits_for_its_other_half(run, cut):
    tail = Tail(run.path / "metrics.jsonl")
    assert tail.read() == []  # no file yet
    run.log(row(1))
    line = json.dumps(row(2)) + "\n"
    with tail.path.open("a") as log:
        log.write(line[:cut])
        log.flush()
        assert tail.read() == run.rows() == [row(1)]
        log.write(line[cut:])
    assert tail.read() == [row(2)]
    assert tail.read() == []


def test_pieces_add_up_to_the_whole_however_the_file_grows(run):
    data = b"".join(
        json.dumps(row(i, **{"é" * i: 1.0}), ensure_ascii=False).encode() + b"\n" for i in range(20)
    )
    tail, pieces = Tail(run.path / "metrics.jsonl"), []
    cuts = sorted(np.random.default_rng(0).integers(0, len(data), 40).tolist())
    with tail.path.open("ab") as log:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            log.write(data[start:end])
            log.flush()
            pieces += tail.read()
    assert pieces == run.rows()
    assert [r["step"] for r in pieces] == list(range(20))


def test_a_replaced_file_is_read_from_its_start(run):
    tail = Tail(run.path / "metrics.jsonl")
    run.log(row(1))
    run.log(row(2))
    assert len(tail.read()) == 2
    tail.path.unlink()
    assert tail.read() == []
    run.log(row(7))
    assert [r["step"] for r in tail.read()] == [7]


def test_a_line_that_is_no_record_is_passed_over(run):
    whole = json.dumps(row(5)).encode()
    (run.path / "metrics.jsonl").write_bytes(
        b"garbage\n[1]\n\xff\xfe\n\n" + whole + b'\n{"step": 6}\n' + b"[" * 100_000 + b"\n"
    )
    assert run.rows() == [row(5)]


def test_mending_cuts_what_a_kill_left_and_nothing_else(run):
    run.log(row(1))
    run.event("started", 0)
    run.save_snapshot(1, {"mean": np.zeros((2, 2))})
    whole = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    for name in ("metrics.jsonl", "events.jsonl"):
        with (run.path / name).open("ab") as log:
            log.write(b'{"step": 2, "va')
    (run.path / ".status.json.1-ab.partial").write_bytes(b'{"sta')
    (run.path / "snapshots" / ".00000002.npz.1-ab.partial").write_bytes(b"PK")
    run.mend()
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == whole
    run.log(row(2))
    assert [r["step"] for r in run.rows()] == [1, 2]


def test_a_line_the_disk_has_no_room_for_is_an_error_and_mended(run):
    run.log(row(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (run.path / "metrics.jsonl").stat().st_size + 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            run.log(row(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run.mend()
    run.log(row(3))
    assert [r["step"] for r in run.rows()] == [1, 3]


def test_mending_leaves_nothing_of_a_log_that_is_half_a_line(run):
    (run.path / "metrics.jsonl").write_bytes(b'{"step": 1')
    run.mend()
    assert run.rows() == []


def test_the_last_row_of_a_split_is_found_however_far_back(run):
    assert run.last("test") is None
    run.log(row(1, "test"))
    for step in range(2, 1500):
        run.log(row(step))
    assert run.last("test") == row(1, "test")
    assert run.last("train") == row(1499)
    assert (run.path / "metrics.jsonl").stat().st_size > 1 << 16


def test_events_carry_what_they_are_given(run):
    run.event("started", 0, about={"classes": ["0", "1"]})
    [event] = run.events()
    assert event.pop("time") <= time.time()
    assert event == {"event": "started", "step": 0, "about": {"classes": ["0", "1"]}}


# Snapshots


def test_snapshots_come_back_bit_for_bit(run):
    arrays = fakes.snapshot()
    run.save_snapshot(12, arrays)
    assert run.snapshot_steps() == [12]
    read = run.snapshot(12)
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[k], arrays[k]) for k in arrays)
    with pytest.raises(RunError, match="got 13"):
        run.snapshot(13)


def test_a_snapshot_holds_no_code(run):
    run.save_snapshot(1, {"mean": np.array([{}], dtype=object)})
    with pytest.raises(RunError, match="allow_pickle"):
        run.snapshot(1)


def test_steps_are_ordered_as_numbers(run):
    for step in (5, 123_456_789, 99_999_999):
        run.save_snapshot(step, {"mean": np.zeros(1)})
    (run.path / "snapshots" / ".00000007.npz.1-ab.partial").touch()
    assert run.snapshot_steps() == [5, 99_999_999, 123_456_789]


@pytest.mark.parametrize("keep", [2, 3, 10])
def test_thinning_keeps_the_ends_and_no_gap_grows_too_wide(run, keep):
    for step in range(1, 61):
        run.save_snapshot(step, {"mean": np.zeros(1)})
        run.thin_snapshots(keep, 10**9)
    steps = run.snapshot_steps()
    assert len(steps) == keep
    assert (steps[0], steps[-1]) == (1, 60)
    assert max(np.diff(steps)) <= 2.5 * 59 / (keep - 1)


@pytest.mark.parametrize("room", [0, 100_000, 400_000])
def test_thinning_keeps_within_its_bytes_and_never_loses_the_ends(run, room):
    for step in range(1, 61):
        run.save_snapshot(step, {"mean": np.zeros(4000 + 100 * step)})  # 32 to 80 kB
        run.thin_snapshots(200, room)
        steps = run.snapshot_steps()
        assert (steps[0], steps[-1]) == (1, step)
        assert run.kept_bytes <= room or len(steps) <= 2
    assert len(steps) >= room // 80_000
    assert max(np.diff(steps)) <= 2.5 * 59 / (len(steps) - 1)


def test_what_is_kept_of_a_run_counts_snapshots_decoders_and_pictures(run):
    arrays = {"a": np.zeros(1000)}
    assert run.kept_bytes == 0
    run.save_snapshot(1, arrays)
    one = run.kept_bytes
    run.save_decoder(1, arrays)
    run.save_pictures(arrays)
    assert run.kept_bytes == 3 * one > 3 * 8000


# Requests, names, deletion


def test_a_request_stands_until_it_is_withdrawn(run):
    run.withdraw("stop")
    assert not run.requested("stop")
    run.request("stop")
    run.request("stop")
    assert run.requested("stop")
    run.withdraw("stop")
    assert not run.requested("stop")


@pytest.mark.parametrize("name", ["", "sotp", "../status.json", "a/b", "."])
def test_only_known_requests_are_left(run, name):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(RunError, match="knobs, label, pause, stop"):
        run.request(name)
    assert sorted(run.path.rglob("*")) == before


@pytest.mark.parametrize(("name", "state"), [("stop", "stopped"), ("pause", "paused")])
def test_a_run_still_queued_leaves_the_queue_when_asked(run, name, state):
    other = runs.create(run.root, {})
    ticket(run)
    ticket(other)
    run.request(name)
    assert run.state == state
    assert [runs.holder(t) for t in runs.tickets(run.root)] == [other]


def test_a_request_that_was_taken_outlives_a_kill_unless_a_newer_one_stands(run):
    assert run.take("knobs") is None
    run.request("knobs", "first")
    assert run.take("knobs") == "first"
    assert not run.requested("knobs")
    run.mend()
    assert run.take("knobs") == "first"
    run.settle("knobs")
    run.mend()
    assert run.take("knobs") is None
    run.request("knobs", "second")
    run.take("knobs")
    run.request("knobs", "third")
    run.mend()
    assert run.take("knobs") == "third"


def test_a_name_given_later_wins_and_stays_on_one_line(run):
    assert run.label == "first"
    run.rename("  β-VAE,\n  seed 2 " + "x" * 500)
    assert run.label.startswith("β-VAE, seed 2 x")
    assert len(run.label) == 200
    assert run.config["label"] == "first"
    run.rename("")
    assert run.label == ""


@pytest.mark.parametrize("name", ["label", "knobs"])
def test_a_name_or_knobs_leave_a_queued_run_in_the_queue(run, name):
    ticket(run)
    run.request(name, "other")
    assert run.state == "queued"


@pytest.mark.parametrize("state", ["queued", "running"])
def test_an_active_run_is_not_deleted(run, state):
    if state == "queued":
        ticket(run)
    else:
        run.set_status(state="running")
    with pytest.raises(RunError, match="stop it first"):
        run.delete()
    assert runs.list_runs(run.root) == [run]


def test_deleting_takes_everything_and_also_twice(run):
    other = runs.create(run.root, {})
    (run.root / ".deleted-old-1234").mkdir()  # a kill in the middle of an earlier one
    run.set_status(state="finished")
    run.delete()
    run.delete()
    assert [p.name for p in run.root.iterdir()] == [other.id]
    with pytest.raises(RunError, match="must exist"):
        run.request("stop")


def test_the_queue_is_first_come_first(tmp_path):
    made = [runs.create(tmp_path, {}) for _ in range(3)]
    for age, run in zip((0, 2_000_000_000, 1_000_000_000), made, strict=True):
        ticket(run, age)
    for stray in (".swp", "7", "²-x"):
        (tmp_path / runs.HIDDEN / "queue" / stray).touch()
    assert [runs.holder(t) for t in runs.tickets(tmp_path)] == [made[1], made[2], made[0]]
    assert made[0].ticket == runs.tickets(tmp_path)[2]


def test_a_run_is_known_by_its_path(run):
    assert Run(run.path) == run
    assert len({Run(run.path), run}) == 1
