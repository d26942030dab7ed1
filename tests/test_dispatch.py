import json
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from infovae_core import dispatch, runs, startup
from infovae_core.runs import RunError


@pytest.fixture(autouse=True)
def one_slot(monkeypatch):
    monkeypatch.setenv("INFOVAE_SLOTS", "1")


@pytest.fixture
def spawned(monkeypatch):
    """Roots for which a worker would have been started."""
    roots = []
    monkeypatch.setattr(dispatch, "spawn", roots.append)
    return roots


def device_of(run):
    return run.config.get("device", "cpu:0")


def queued(root, **config):
    run = runs.create(root, config)
    dispatch.enqueue(run)
    return run


def at_once(function, count=8):
    start = threading.Barrier(count)

    def wait_and_run(_):
        start.wait()
        return function()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_run, range(count)))


def test_a_run_launched_by_many_at_once_has_one_ticket(tmp_path):
    run = runs.create(tmp_path, {})
    at_once(lambda: dispatch.enqueue(run))
    assert [runs.holder(ticket) for ticket in runs.tickets(tmp_path)] == [run]


def test_a_run_claimed_by_many_at_once_has_one_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_SLOTS", "8")
    run = queued(tmp_path)
    claims = list(filter(None, at_once(lambda: dispatch.claim(tmp_path, device_of))))
    assert [claim.run for claim in claims] == [run]
    assert run.state == "running"
    assert runs.tickets(tmp_path) == []


def test_runs_start_in_order_as_slots_come_free(tmp_path):
    first, second, third = (queued(tmp_path) for _ in range(3))
    for run in (first, second, third):
        with dispatch.claim(tmp_path, device_of) as claimed:
            assert claimed == run
            assert dispatch.claim(tmp_path, device_of) is None
    assert dispatch.claim(tmp_path, device_of) is None


def test_there_are_as_many_slots_as_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_SLOTS", "2")
    first, second, _third = (queued(tmp_path) for _ in range(3))
    with ExitStack() as claims:
        for run in (first, second):
            assert claims.enter_context(dispatch.claim(tmp_path, device_of)) == run
        assert dispatch.claim(tmp_path, device_of) is None


@pytest.mark.parametrize("slots", ["0", "-1", "many", "1.5"])
def test_a_number_of_slots_that_is_none_is_refused(tmp_path, monkeypatch, slots, spawned):
    monkeypatch.setenv("INFOVAE_SLOTS", slots)
    with pytest.raises(RunError, match=f"INFOVAE_SLOTS .* got '{slots}'"):
        dispatch.launch(runs.create(tmp_path, {}))
    assert not spawned


def test_a_busy_device_holds_up_its_own_runs_only(tmp_path):
    busy, _waiting = queued(tmp_path), queued(tmp_path)
    other = queued(tmp_path, device="cuda:1")
    with dispatch.claim(tmp_path, device_of) as first:
        assert first == busy
        with dispatch.claim(tmp_path, device_of) as second:
            assert second == other


def test_a_slot_that_comes_free_meanwhile_does_not_go_to_a_younger_run(tmp_path):
    training, older, _younger = (queued(tmp_path) for _ in range(3))
    claimed, looks = dispatch.claim(tmp_path, device_of), []
    assert claimed.run == training

    def freed_after_the_first_look(run):
        looks.append(run)
        if len(looks) == 2:
            claimed.slot.release()
        return device_of(run)

    assert dispatch.claim(tmp_path, freed_after_the_first_look) is None
    assert len(looks) == 2
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == older


def test_whoever_waits_reads_no_run_behind_the_first_of_a_busy_device(tmp_path, monkeypatch):
    with dispatch.claim(queued(tmp_path).root, device_of):
        waiting = [queued(tmp_path) for _ in range(5)]
        dispatch.claim(tmp_path, device_of)  # what the runs ask for is known from here on
        read, state = [], runs.Run.state.fget
        monkeypatch.setattr(runs.Run, "state", property(lambda run: read.append(run) or state(run)))
        assert dispatch.claim(tmp_path, device_of) is None
        assert read == waiting[:1]


def test_a_device_is_asked_for_again_where_the_config_could_not_be_read(tmp_path):
    training, run = queued(tmp_path), queued(tmp_path)
    config = run.path / "config.json"
    whole = config.read_bytes()

    def by_config(asking):
        return "cuda:0" if asking == run and config.read_bytes() else "cpu:0"

    with dispatch.claim(tmp_path, by_config) as claimed:
        assert claimed == training
        config.write_bytes(b"")
        assert dispatch.claim(tmp_path, by_config) is None  # it seems to wait for the same device
        config.write_bytes(whole)
        with dispatch.claim(tmp_path, by_config) as claimed:
            assert claimed == run


def test_a_run_that_cannot_be_written_does_not_hold_up_the_others(tmp_path):
    broken, good = queued(tmp_path), queued(tmp_path)
    (broken.path / "status.json").unlink()
    (broken.path / "status.json").mkdir()
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == good
    assert runs.tickets(tmp_path) == []
    assert f"run {broken.id} leaves" in (tmp_path / runs.HIDDEN / "worker.log").read_text()
    with dispatch.reserve(broken):
        pass  # its locks are free again


def test_the_last_in_the_queue_is_the_last_whatever_the_clock_says(tmp_path, monkeypatch):
    first = queued(tmp_path)
    hour = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(dispatch.time, "time_ns", lambda: hour)
    second, third = queued(tmp_path), queued(tmp_path)
    assert [runs.holder(ticket) for ticket in runs.tickets(tmp_path)] == [first, second, third]


def test_hosts_that_share_a_folder_have_slots_of_their_own(tmp_path, monkeypatch):
    here, there = queued(tmp_path), queued(tmp_path)
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == here
        monkeypatch.setattr(dispatch.socket, "gethostname", lambda: "elsewhere")
        with dispatch.claim(tmp_path, device_of) as run:
            assert run == there


def test_a_worker_killed_before_it_took_the_ticket_away_loses_nothing(tmp_path):
    run = queued(tmp_path)
    ticket = run.ticket.name
    with dispatch.claim(tmp_path, device_of):
        pass  # the kernel frees the locks
    (tmp_path / runs.HIDDEN / "queue" / ticket).touch()
    (run.path / "status.json").write_text(json.dumps(run.status | {"heartbeat": 0.0}))
    assert run.state == "queued"
    with dispatch.claim(tmp_path, device_of) as again:
        assert again == run


def test_tickets_that_lead_nowhere_are_thrown_away(tmp_path):
    gone, running, good = (queued(tmp_path) for _ in range(3))
    gone.path.rename(tmp_path / ".deleted")
    running.set_status(state="running")
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == good
    assert runs.tickets(tmp_path) == []


def test_launching_again_takes_requests_back(tmp_path):
    run = queued(tmp_path)
    run.request("stop")
    run.request("pause")
    assert runs.tickets(tmp_path) == []
    dispatch.enqueue(run)
    assert run.state == "queued"
    assert not run.requested("stop")
    assert not run.requested("pause")


@pytest.mark.parametrize("state", ["queued", "running"])
def test_launching_what_is_under_way_changes_nothing(tmp_path, state):
    run = queued(tmp_path)
    if state == "running":
        run.ticket.unlink()
        run.set_status(state="running")
    before = runs.tickets(tmp_path)
    run.path.joinpath("requests", "stop").touch()  # for the worker, which will see it
    dispatch.enqueue(run)
    assert runs.tickets(tmp_path) == before
    assert run.requested("stop")


def test_a_finished_run_is_not_launched(tmp_path):
    run = runs.create(tmp_path, {})
    run.set_status(state="finished")
    with pytest.raises(RunError, match="finished; start a new one"):
        dispatch.enqueue(run)
    assert runs.tickets(tmp_path) == []


def test_a_run_waiting_for_its_own_process_keeps_its_place(tmp_path):
    mine = runs.create(tmp_path, {})
    with dispatch.reserve(mine) as writer:
        dispatch.enqueue(mine)
        younger, elsewhere = queued(tmp_path), queued(tmp_path, device="cuda:0")
        with dispatch.claim(tmp_path, device_of) as run:
            assert run == elsewhere  # a worker neither takes mine nor lets a younger run pass it
        with pytest.raises(RunError, match="one process at a time"), dispatch.reserve(mine):
            pass
        with dispatch.claim(tmp_path, device_of, own=writer) as run:
            assert run == mine
    with dispatch.claim(tmp_path, device_of) as run:
        assert run == younger


def test_a_process_waits_behind_runs_queued_before_its_own(tmp_path):
    older, mine = queued(tmp_path), runs.create(tmp_path, {})
    with dispatch.reserve(mine) as writer:
        dispatch.enqueue(mine)
        assert dispatch.claim(tmp_path, device_of, own=writer) is None
        with dispatch.claim(tmp_path, device_of) as run:
            assert run == older
        with dispatch.claim(tmp_path, device_of, own=writer) as run:
            assert run == mine


def test_one_worker_waits_and_is_idle_once_it_is_warm(tmp_path):
    assert not dispatch.idle(tmp_path)
    with dispatch.waiting(tmp_path) as warm:
        assert not dispatch.idle(tmp_path)
        warm.touch()
        assert dispatch.idle(tmp_path)
        with dispatch.waiting(tmp_path) as second:
            assert second is None
        assert dispatch.idle(tmp_path)
    assert not dispatch.idle(tmp_path)


def test_what_a_killed_worker_left_does_not_look_idle(tmp_path):
    with dispatch.waiting(tmp_path) as warm:
        pass
    warm.touch()
    assert not dispatch.idle(tmp_path)
    with dispatch.waiting(tmp_path):
        assert not dispatch.idle(tmp_path)


def test_a_worker_is_started_only_where_there_is_none(tmp_path, spawned):
    with dispatch.seat(tmp_path), dispatch.seat(tmp_path):
        dispatch.ensure(tmp_path)
    assert spawned == []
    dispatch.ensure(tmp_path)
    assert spawned == [tmp_path]


def test_workers_that_have_ended_are_let_go(tmp_path, monkeypatch):
    """Else a long run that is relieved of many leaves as many in the table of processes."""
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    dispatch.spawn(tmp_path)
    ended = dispatch._children[-1]
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert ended.returncode is None
    dispatch.spawn(tmp_path)
    assert ended.returncode == 0
    assert ended not in dispatch._children


def test_a_busy_worker_calls_another_where_there_is_room(tmp_path, spawned):
    queued(tmp_path), queued(tmp_path)
    dispatch.relieve(tmp_path, device_of)
    with dispatch.claim(tmp_path, device_of):
        dispatch.relieve(tmp_path, device_of)  # one is queued, but the slot is taken
    with dispatch.waiting(tmp_path):
        dispatch.relieve(tmp_path, device_of)  # there is one already
    assert spawned == [tmp_path]


def test_a_worker_goes_when_nobody_asks_or_its_code_is_another(tmp_path, spawned, monkeypatch):
    monkeypatch.setattr(startup, "PACKAGE", tmp_path)
    source, now = tmp_path / "model.py", time.time()
    source.touch()
    code = dispatch.edition()
    assert dispatch.unwanted(tmp_path, now, code)  # whoever wanted it removed the folder
    dispatch.ensure(tmp_path)
    assert not dispatch.unwanted(tmp_path, now, code)
    for edited in (now - 10, now + 10**6):  # a clock that is wrong spoils nothing
        os.utime(source, (edited,) * 2)
        assert dispatch.unwanted(tmp_path, now, code)
        assert not dispatch.unwanted(tmp_path, now, dispatch.edition())
    code = dispatch.edition()
    os.utime(tmp_path / runs.HIDDEN / "keep", (now - 2 * dispatch.KEEP,) * 2)
    assert not dispatch.unwanted(tmp_path, now, code)  # it has only just come
    assert dispatch.unwanted(tmp_path, now - 2 * dispatch.KEEP, code)


def test_what_the_compiler_keeps_lies_where_nobody_else_writes(tmp_path, monkeypatch):
    """torch opens the pickles in it, and would put it into the folder of temporary files."""
    monkeypatch.delenv(startup.COMPILED, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    startup.compiled.cache_clear()
    folder = Path(startup.environment()[startup.COMPILED])
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    startup.compiled.cache_clear()
    other = Path(startup.environment()[startup.COMPILED])
    assert other.stat().st_mode & 0o777 == 0o700
    other.rmdir()
    monkeypatch.setenv(startup.COMPILED, "elsewhere")
    assert startup.environment()[startup.COMPILED] == "elsewhere"
    startup.compiled.cache_clear()
