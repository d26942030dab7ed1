"""Studies as directories that viewers share, carried out by workers of their own."""

import os
import signal
import time

import pytest

from infovae_core import archive, dispatch, runs, worker
from infovae_core.studies import BoundStudy, PointStudy
from tests.processes import end_workers, until

SHORT = BoundStudy(steps=500, batch_size=16, width=16)
LONG = BoundStudy(steps=8000)


@pytest.fixture
def root(tmp_path):
    """A folder of runs; workers of its studies end with the test."""
    yield tmp_path
    end_workers(archive.folder(tmp_path))


def launched(root, study):
    run = archive.obtain(root, study)
    worker.launch(run)
    return run


def reaches(run, state):
    def there():
        archive.watch(run)
        now = run.state
        assert now != "failed", run.status["error"]
        return now == state

    until(there, f"state {state} of {run.id}")
    return run


def measured(run):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


def test_equal_settings_share_a_study_and_the_list_of_runs_knows_none(tmp_path):
    one, same = (archive.obtain(tmp_path, SHORT) for _ in range(2))
    other = archive.obtain(tmp_path, PointStudy())
    assert one == same != other
    assert archive.read(one) == SHORT
    assert archive.read(other) == PointStudy()
    assert runs.list_runs(tmp_path) == []
    assert len(runs.list_runs(archive.folder(tmp_path))) == 2


def test_who_comes_second_gets_the_study_of_who_came_first(tmp_path, monkeypatch):
    create = runs.create

    def slowly(here, study):
        with monkeypatch.context() as faster:
            faster.setattr(runs, "create", create)
            archive.obtain(tmp_path, study).set_status(step=7)
        return create(here, study)

    monkeypatch.setattr(runs, "create", slowly)
    assert archive.obtain(tmp_path, SHORT).status["step"] == 7
    assert len(runs.list_runs(archive.folder(tmp_path))) == 1


def test_studies_asked_for_longest_ago_go_but_not_those_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "KEEP", 2)
    studies = [SHORT.model_copy(update={"seed": seed}) for seed in range(5)]
    kept = [archive.obtain(tmp_path, study) for study in studies[:3]]
    assert [run.path.exists() for run in kept] == [False, True, True]
    archive.obtain(tmp_path, studies[1])  # looked at again
    dispatch.enqueue(kept[2])
    new = [archive.obtain(tmp_path, study) for study in studies[3:]]
    assert [run.path.exists() for run in (*kept, *new)] == [False, False, True, True, True]


def test_a_study_that_nobody_looks_at_makes_way_for_one_that_waits(tmp_path):
    run = archive.obtain(tmp_path, SHORT)
    assert not archive.lonely(run)
    ago = time.time() - 2 * archive.LONELY
    os.utime(run.path / "requests" / "watched", (ago, ago))
    assert not archive.lonely(run)  # nobody waits
    dispatch.enqueue(archive.obtain(tmp_path, PointStudy()))
    assert archive.lonely(run)
    archive.watch(run)
    assert not archive.lonely(run)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / archive.FOLDER).write_text("no folder")
    with pytest.raises(runs.RunError, match="the runs folder must be writable"):
        archive.obtain(tmp_path, SHORT)


def test_a_study_killed_and_launched_again_is_the_one_that_nothing_disturbed(root):
    whole = reaches(launched(root, SHORT), "finished")
    rows = measured(whole)
    assert [row["step"] for row in rows if row["split"] == "mean"] == list(range(10, 501, 10))
    assert whole.status["step"] == SHORT.work
    whole.delete()

    run = launched(root, SHORT)
    until(lambda: len(run.rows()) > 20, "some rows")
    os.kill(run.status["pid"], signal.SIGKILL)
    until(lambda: run.state == "interrupted", "the death to be seen")
    before = measured(run)
    assert before == rows[: len(before)]
    worker.launch(run)
    reaches(run, "finished")
    assert measured(run) == rows
    assert [event["event"] for event in run.events()] == ["started", "resumed", "finished"]


def test_a_stopped_study_makes_way_and_comes_back_at_the_end_of_the_queue(root):
    first = reaches(launched(root, LONG), "running")
    second = launched(root, SHORT)
    assert second.state == "queued"
    first.request("stop")
    reaches(second, "running")
    worker.launch(first)
    reaches(second, "finished")
    reaches(first, "running")
    assert os.getpriority(os.PRIO_PROCESS, first.status["pid"]) >= worker.NICE


def test_a_study_left_alone_is_stopped_for_the_next(root):
    alone = reaches(launched(root, LONG), "running")
    launched(root, PointStudy())
    until(lambda: alone.state == "stopped", "the study to make way")
