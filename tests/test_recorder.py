import math
import time
import types
from itertools import pairwise

import numpy as np
import pytest
import torch

from infovae_core import decoding, knobs, recorder, runs, snapshots, training
from infovae_core.bounds import BOUNDS
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES, VAE, InfoMaxVAE
from infovae_core.pulse import EARLY, Cadence, Pulse
from infovae_core.recorder import NotFinite, Recorder, blown_up
from tests import fakes
from tests.processes import until

PLAN = types.SimpleNamespace(steps=100, steps_per_epoch=10, epochs=10, batch_size=32)


class Clock:
    """Time that passes when told."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path, RunConfig())


IMAGES = types.SimpleNamespace(train=range(1000), test=range(200), dynamic=False)


USUAL = [
    *(objective() for objective in OBJECTIVES.values()),
    *(InfoMaxVAE(bound=bound, critic_widths=(32,)) for bound in ("dv", "js", "hellinger", "nce")),
]


def at(step, objective=None):
    return types.SimpleNamespace(step=step, objective=objective or VAE())


def row(split, **values):
    return training.Row(split, {"rate": 0.0} | values)


def turns(cadence, clock, cost, duration, step=0.01):
    """Times of the turns that fall due while `duration` seconds pass."""
    begun, out = clock.now, []
    while clock.now - begun < duration:
        if cadence.due:
            out.append(clock.now - begun)
            with cadence.turn():
                clock.now += cost
        clock.now += step
    return out


@pytest.mark.parametrize("cost", [0.0, 0.01, 0.1, 1.0])
def test_turns_take_their_share_of_the_time_and_no_more(clock, cost):
    happened = turns(Cadence(0.4, share=0.05, at_once=True), clock, cost, 200)
    assert happened[0] == 0
    assert (len(happened) - 1) * cost <= 0.05 * 200
    assert len(happened) == pytest.approx(200 / max(0.4, cost / 0.05), rel=0.1)


def test_turns_may_take_more_of_the_time_at_first(clock):
    happened = turns(Cadence(0.4, share=0.02, early=0.1, at_once=True), clock, 0.1, 630)
    early = [t for t in happened if t < EARLY]
    assert len(early) == pytest.approx(EARLY / 1.0, rel=0.1)
    assert len(happened) - len(early) == pytest.approx(600 / 5.0, rel=0.1)


def test_a_growing_cadence_is_due_ever_more_rarely(clock):
    happened = turns(Cadence(0.4, growth=0.1), clock, 0, 300)
    assert happened[0] == pytest.approx(0.4, abs=0.02)
    late = [t for t in happened if t > 10]
    ratios = [b / a for a, b in pairwise(late)]
    assert ratios == pytest.approx([1.1] * len(ratios), abs=0.01)


def test_the_heart_beats_while_a_step_takes_long(run):
    with Pulse(run) as pulse:
        pulse.start(0, PLAN, "cpu")
        beats = {run.status["heartbeat"]}
        until(lambda: beats.add(run.status["heartbeat"]) or len(beats) > 3, "a heartbeat")
        assert run.state == "running"
    assert run.status["device"] == "cpu"


def test_the_heart_goes_on_after_a_write_that_failed(run, monkeypatch):
    healthy, failures = runs.Run.set_status, []

    def full_disk(self, **changes):
        if len(failures) < 2:
            failures.append(changes)
            raise OSError("no space left on device")
        healthy(self, **changes)

    with Pulse(run) as pulse:
        pulse.start(0, PLAN, "cpu")
        pulse.step = 7
        monkeypatch.setattr(runs.Run, "set_status", full_disk)
        until(lambda: run.status["step"] == 7, "a heartbeat")
    assert len(failures) == 2


def test_the_heart_goes_on_after_its_watch_failed_and_says_so_once(run, monkeypatch):
    monkeypatch.setattr("infovae_core.pulse.BEAT", 0.002)
    looks = []

    def watch():
        looks.append(run.status["heartbeat"])
        raise KeyError("device")

    with Pulse(run, watch):
        until(lambda: len(looks) > 2 and run.status["heartbeat"] > looks[2], "a heartbeat")
    log = (run.path / "worker.log").read_text()
    assert log.count("KeyError: 'device'") == 1


def test_progress_is_counted_from_all_that_was_trained(run, clock):
    run.set_status(seconds=50.0)
    pulse = Pulse(run)
    pulse.start(20, PLAN, "cpu")
    for _ in range(40):
        clock.now += 0.5
        pulse.step += 2
        pulse.set()
    status = run.status
    assert (status["step"], status["steps"], status["epoch"], status["epochs"]) == (
        100,
        100,
        10,
        10,
    )
    assert status["seconds"] == 70.0
    assert status["rate"] == pytest.approx(4 * 32)


@pytest.mark.parametrize("drawn", [None, 5])
def test_a_model_that_is_past_saving_is_not_saved(run, drawn):
    pulse = Pulse(run)
    pulse.start(5, PLAN, "cpu")
    kept = Recorder(run, RunConfig(), None, pulse)
    kept.drawn = drawn
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.weight[0, 0] = math.nan
    with pytest.raises(NotFinite, match=r"weights not finite at step 5; lower .*\(0\.001\)"):
        kept.close(types.SimpleNamespace(model=model, step=5))
    assert list((run.path / "checkpoint").iterdir()) == []
    assert run.snapshot_steps() == []


@pytest.mark.parametrize("left", [0, 30, -30])
def test_a_broken_snapshot_does_not_stop_a_run_from_going_on(run, left):
    run.save_snapshot(3, fakes.snapshot())
    assert Recorder(run, RunConfig(), None, Pulse(run)).drawn == 3
    file = run.path / "snapshots" / "00000003.npz"
    file.write_bytes(file.read_bytes()[:left])
    kept = Recorder(run, RunConfig(), None, Pulse(run))
    assert (kept.drawn, kept.before) == (None, None)  # so that it is drawn again


def test_what_a_run_of_five_hundred_dimensions_keeps_is_bounded_in_bytes(run, monkeypatch):
    """Files of the size they have there, without their content: mean and std of 5,000 codes."""

    def hollow(kind, size):
        def save(self, step, arrays):
            with self._file(kind, step).open("wb") as file:
                file.truncate(size)

        return save

    size = 2 * 4 * 5000 * 500
    monkeypatch.setattr(runs.Run, "save_snapshot", hollow("snapshots", size))
    monkeypatch.setattr(runs.Run, "save_decoder", hollow("decoders", 5_000_000))
    monkeypatch.setattr(snapshots, "take", lambda *_: {})
    monkeypatch.setattr(snapshots, "pictures", lambda _: {"pictures": np.zeros(10**6)})
    monkeypatch.setattr(decoding, "take", lambda *_: {})
    images = types.SimpleNamespace(shape=(784,))
    kept = Recorder(run, RunConfig(), images, Pulse(run))
    state = at(0)
    state.model = torch.nn.Linear(1, 1)
    for state.step in range(1, 151):
        kept._snapshot(state)
        assert run.kept_bytes <= recorder.ROOM + recorder.DECODERS + snapshots.PICTURES + 1000
        for steps in (run.snapshot_steps(), run.decoder_steps()):
            assert (steps[0], steps[-1]) == (1, state.step)
    assert len(run.snapshot_steps()) == recorder.ROOM // size
    assert set(run.decoder_steps()) <= set(run.snapshot_steps())


def test_rows_are_written_once_and_a_loss_that_is_not_finite_ends_the_run(run):
    for step in (1, 10):
        run.log({"step": step, "split": "train", "values": {"total": 1.0}})
    pulse = Pulse(run)
    pulse.start(5, PLAN, "cpu")
    kept = Recorder(run, RunConfig(), IMAGES, pulse)
    for step in (10, 20):
        kept._log(row("train", total=2.0), at(step))
    kept._log(row("test", total=3.0), at(10))
    got = [(row["step"], row["split"], row["values"]["total"]) for row in run.rows()]
    assert got == [(1, "train", 1), (10, "train", 1), (20, "train", 2), (10, "test", 3)]

    pulse.step = 30
    wild = row("train", total=math.inf, distortion=1.0, mmd=math.nan)
    with pytest.raises(NotFinite, match="got mmd not finite at step 30"):
        kept._log(wild, at(30))
    assert run.last("train")["values"] == {
        "rate": 0.0,
        "total": None,
        "distortion": 1.0,
        "mmd": None,
    }

    again, logged = Recorder(run, RunConfig(), IMAGES, pulse), run.rows()
    with pytest.raises(NotFinite, match="got mmd not finite at step 30"):
        again._log(wild, at(30))
    assert run.rows() == logged


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_bound_that_has_blown_up_is_a_warning_and_a_gap(run, bound):
    pulse = Pulse(run)
    pulse.start(0, PLAN, "cpu")
    objective = InfoMaxVAE(bound=bound)
    kept = Recorder(run, RunConfig(objective=objective), IMAGES, pulse)
    [information] = [term for _, term in objective.terms() if term.name == "mutual_information"]
    low, high = information.limits(len(IMAGES.train))
    above = 1.1 * high if math.isfinite(high) else 2 * low
    for step, value in enumerate((min(0.9 * high, 1e9), 1.1 * low, 0.0, above, 3 * low), 1):
        values = {"total": 1.0, "distortion": 1.0, "rate": 1.0, "mutual_information": value}
        told = kept._log(row("train", **values), at(step, objective))
        last = run.rows()[-1]["values"]  # whoever watches is told what is recorded
        assert last == {k: v if math.isfinite(v) else None for k, v in told.values.items()}
    drawn = [r["values"]["mutual_information"] is not None for r in run.rows()]
    assert drawn == [r["values"]["total"] is not None for r in run.rows()]
    assert drawn == [True, False, True, False, False]
    assert all(r["values"]["distortion"] == r["values"]["rate"] == 1 for r in run.rows())
    warnings = run.events()
    assert [(w["event"], w["step"]) for w in warnings] == [("warning", 2), ("warning", 4)]
    assert "blown up" in warnings[0]["text"]
    assert "lower its weight" in warnings[0]["text"]
    assert warnings[0]["quantity"] == "mutual_information"


def test_a_bound_that_is_not_followed_leaves_the_total_as_it_is(run):
    pulse = Pulse(run)
    pulse.start(0, PLAN, "cpu")
    kept = Recorder(run, RunConfig(), IMAGES, pulse)
    objective = InfoMaxVAE(alpha=0)
    for step, value in enumerate((-1e3, math.nan), 1):
        kept._log(row("train", total=1.0, mutual_information=value), at(step, objective))
    assert [r["values"]["total"] for r in run.rows()] == [1, 1]
    assert [r["values"]["mutual_information"] for r in run.rows()] == [None, None]
    assert len(run.events()) == 2


@pytest.mark.parametrize("bound", ["kl", "dv", "nce", "pearson"])
def test_images_drawn_anew_have_no_cap_by_their_number(bound):
    objective, binary = InfoMaxVAE(bound=bound), types.SimpleNamespace(**vars(IMAGES))
    much = row("train", total=0.0, mutual_information=3.0 * len(IMAGES.train))
    assert "mutual_information" in blown_up(much, objective, IMAGES)
    binary.dynamic = True
    assert blown_up(much, objective, binary) == {}


def test_a_status_that_a_kill_kept_from_being_written_is_put_right(run):
    run.event("turned", 3, knobs={"learning_rate": 0.5})
    run.event("turned", 4, knobs={"objective": {"name": "VAE"}})
    run.event("turned", "x", knobs={"learning_rate": 0.7})
    kept = Recorder(run, RunConfig(), IMAGES, Pulse(run))
    assert list(kept.turns) == [3]
    assert run.status["knobs"]["learning_rate"] == 0.5
    said = [event["text"] for event in run.events() if event["event"] == "warning"]
    assert len(said) == 2
    assert "after step 4" in said[0]
    assert "start another run" in said[0]
    with pytest.raises(runs.RunError, match="after step 4"):
        knobs.repeat(run)


@pytest.mark.parametrize("break_it", ["directory", "bytes", "range"])
def test_a_request_that_cannot_be_followed_is_a_warning_and_gone(run, break_it):
    request = run.path / "requests" / "knobs"
    if break_it == "directory":
        request.mkdir()
    elif break_it == "bytes":
        request.write_bytes(b"\xff{")
    else:
        request.write_text('{"learning_rate": 7}')
    kept = Recorder(run, RunConfig(), IMAGES, Pulse(run))
    kept.turn_after(5)
    [warning] = run.events()
    assert (warning["event"], warning["step"]) == ("warning", 5)
    assert break_it != "range" or "learning_rate: Input should be less" in warning["text"]
    run.mend()
    assert kept.turns == {}
    assert run.take("knobs") is None


@pytest.mark.parametrize("objective", USUAL, ids=repr)
def test_training_as_it_should_be_warns_of_nothing(objective, digits):
    config = RunConfig(objective=objective, training={"epochs": 3})
    for report in training.train(config, digits):
        for one in report.rows:
            assert blown_up(one, report.state.objective, digits) == {}


def test_what_is_drawn_for_long_is_told(run, clock):
    pulse = Pulse(run)
    with pulse.telling() as told:
        told(1, 28, "Drawing rows of samples")
        assert pulse.drawing is None  # it may be over before anybody has seen it
        clock.now += 1
        told(2, 28, "Drawing rows of samples")
        pulse.set()
        said = {"done": 2, "of": 28, "what": "Drawing rows of samples"}
        assert run.status["drawing"] == said
    pulse.set()
    assert run.status["drawing"] is None


def test_the_compiler_is_told_of_at_once(run):
    pulse = Pulse(run)
    with pulse.busy("Compiling"):
        assert run.status["drawing"] == {"done": 0, "of": 0, "what": "Compiling"}
    pulse.set()
    assert run.status["drawing"] is None


def test_a_resumed_run_says_a_warning_that_is_new_and_none_twice(run):
    """It goes on before the last row, so that its first steps have been recorded already."""
    run.log({"step": 10, "split": "train", "values": {"total": 1.0}})
    weak = types.SimpleNamespace(step=7, model=torch.nn.Module(), sums=None)
    weak.model.encoder = torch.nn.Linear(1, 1)
    warning = {"kind": "warning", "text": "no compiler"}
    for event in (warning, warning, {"kind": "compiled", "seconds": 3.0}):
        kept = Recorder(run, RunConfig(), IMAGES, Pulse(run))
        kept.snapshots = kept.checkpoints = Cadence(math.inf)
        for _ in range(2):
            kept.report(training.Report(weak, (), event=event))
    said = [(event["event"], event["step"]) for event in run.events()]
    assert said == [("warning", 7), ("compiled", 7), ("compiled", 7)]
