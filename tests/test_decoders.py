"""Decoders as arrays: what decodes without torch decodes as the model does."""

import io
import json
import math
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import nn

from dashboard.decoding import WAITING, Service
from dashboard.limits import Busy
from infovae_core import checkpoints, decoders, decoding, networks, runs, snapshots, training
from infovae_core.config import RunConfig
from infovae_core.decoders import ACTIVATIONS, LINKS
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS
from infovae_core.pulse import Pulse
from infovae_core.recorder import Recorder
from infovae_core.runs import Run, RunError

HALF = 2e-2  # what rounding the weights to half precision may change a mean by


@pytest.fixture(autouse=True)
def _as_runs_are():
    torch.set_default_dtype(torch.float32)


def config(d=2, **model):
    return RunConfig(model={"latent_dim": d, "widths": [24], **model}, training={"epochs": 1})


def trained(digits, run_config):
    """A state with weights that are not those it began with."""
    *_, report = training.train(run_config, digits)
    return report.state


def codes(d, count=20):
    return 2 * torch.randn(count, d, generator=torch.Generator().manual_seed(1))


LINKED = [name for name, make in LIKELIHOODS.items() if make(config().model).link]


@pytest.fixture
def conv(monkeypatch):
    """A network whose decoder is no stack of fully connected layers."""

    def build(shape, *rest):
        encoder, _ = networks.mlp(shape, *rest)
        grow = nn.Sequential(
            nn.Linear(rest[-1].latent_dim, 32),
            nn.Unflatten(-1, (2, 4, 4)),
            nn.BatchNorm2d(2),
            nn.ConvTranspose2d(2, 1, 2, stride=2),
            nn.Flatten(),
            nn.Unflatten(-1, shape),
        )
        return encoder, grow

    monkeypatch.setitem(NETWORKS, "mlp", build)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("likelihood", LINKED)
def test_numpy_decodes_as_torch_does(digits, likelihood, activation, d):
    state = trained(digits, config(d, activation=activation, likelihood=likelihood))
    arrays = decoding.take(state.model, digits.shape, snapshots.take(state, digits))
    assert decoders.runs_anywhere(arrays)
    z = codes(d)
    with torch.no_grad():
        expected = state.model.decode(z).mean
    np.testing.assert_allclose(decoders.decode(arrays, z.numpy()), expected, atol=HALF)


def test_every_link_a_likelihood_names_is_its_mean():
    output = torch.linspace(-30, 30, 62, dtype=torch.float64).view(1, 2, 31)
    for make in LIKELIHOODS.values():
        likelihood = make(config().model)
        if likelihood.link is not None:
            beside = math.prod(likelihood.output_shape((1,)))  # numbers for each value
            mean = likelihood(torch.stack([output] * beside, 1) if beside > 1 else output).mean
            np.testing.assert_allclose(LINKS[likelihood.link](output.numpy()), mean, atol=1e-9)


def test_the_link_of_a_continuous_bernoulli_is_its_mean():
    logits = torch.linspace(-12, 12, 241, dtype=torch.float64)  # beyond, torch rounds
    mean = torch.distributions.ContinuousBernoulli(logits=logits).mean
    link = LINKS["continuous_bernoulli"]
    np.testing.assert_allclose(link(logits.numpy()), mean, atol=1e-6)
    near = np.array([-1e-9, 0.0, 1e-9, 0.0499, 0.0501, -1e3, 1e3])
    assert np.isfinite(link(near)).all()
    assert link(near)[3:5] == pytest.approx(0.5 + near[3:5] / 12, abs=1e-6)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_an_atlas_holds_the_images_of_its_places(digits, conv, d):
    state = trained(digits, config(d))
    state.model.eval()
    snapshot = snapshots.take(state, digits)
    arrays = decoding.take(state.model, digits.shape, snapshot)
    said = decoders.about(arrays)
    assert not decoders.runs_anywhere(arrays)
    axes = min(d, 2)
    shape = arrays["atlas"].shape
    assert shape[axes:] == digits.shape
    place = np.random.default_rng(0).integers(0, shape[:axes])
    at = said["reach"] * (2 * place / (shape[0] - 1) - 1)
    z = snapshot["plane"] @ at if d > 2 else at
    with torch.no_grad():
        image = snapshots.pixels(state.model.decode(torch.tensor(z).float()[None]).mean)[0]
    np.testing.assert_allclose(arrays["atlas"][tuple(place)], image, atol=1)
    inside = np.abs(snapshot["mean"] @ snapshot.get("plane", np.eye(d))) <= said["reach"]
    assert inside.mean() > 0.99


@pytest.mark.parametrize("d", [2, 5])
def test_what_is_kept_decodes_again_with_torch(digits, conv, d):
    run_config = config(d)
    state = trained(digits, run_config)
    state.model.eval()
    arrays = decoding.take(state.model, digits.shape, snapshots.take(state, digits))
    z = codes(d)
    with torch.no_grad():
        expected = snapshots.pixels(state.model.decode(z).mean)
    again = decoding.restore(run_config.model, arrays)(z)
    np.testing.assert_allclose(again, expected, atol=255 * HALF)


def test_large_weights_stay_finite_and_large_decoders_stay_at_home(digits, monkeypatch):
    state = training.init(config(), digits)
    with torch.no_grad():
        state.model.decoder[0].weight[0, 0] = 1e6
    snapshot = snapshots.take(state, digits)
    arrays = decoding.take(state.model, digits.shape, snapshot)
    assert arrays["w.0.weight"][0, 0] == 1e6
    assert arrays["w.2.weight"].dtype == np.float16
    monkeypatch.setattr(decoding, "PORTABLE", 1000)
    assert not decoders.runs_anywhere(decoding.take(state.model, digits.shape, snapshot))


def test_taking_a_decoder_asks_no_generator(digits, conv):
    state = training.init(config(5), digits)
    snapshot = snapshots.take(state, digits)
    before = torch.get_rng_state(), state.generator.get_state()
    decoding.take(state.model, digits.shape, snapshot)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(state.generator.get_state(), before[1])


# Kept with the run.


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path, config())


def test_every_snapshot_has_its_decoder(run, digits):
    state = training.init(config(), digits)
    pulse = Pulse(run)
    pulse.start(0, training.Plan(10, 10, 1, 2), "cpu")
    kept = Recorder(run, config(), digits, pulse)
    for step in (1, 5, 9):
        state.step = step
        kept._snapshot(state)
    assert run.decoder_steps() == run.snapshot_steps() == [1, 5, 9]
    z = run.snapshot(9)["mean"][:3]
    with torch.no_grad():
        expected = state.model.decode(torch.from_numpy(z)).mean
    np.testing.assert_allclose(decoders.decode(run.decoder(9), z), expected, atol=HALF)


def test_decoders_are_thinned_evenly_and_their_ends_stay(run):
    arrays = {"about": np.array("{}"), "w.0": np.zeros(500, np.float16)}
    for step in range(1, 101):
        run.save_snapshot(step, {"mean": np.zeros(1)})
        run.save_decoder(step, arrays)
        run.thin_decoders(20_000)
        steps = run.decoder_steps()
        assert steps[0] == 1
        assert steps[-1] == step
    gaps = np.diff(steps)
    assert len(steps) > 10
    assert gaps.max() <= 3 * gaps.min() + 1
    assert run.kept_bytes > sum(f.stat().st_size for f in (run.path / "decoders").iterdir())
    run.thin_snapshots(4, 10**9)
    run.thin_decoders(20_000)
    assert set(run.decoder_steps()) <= {*run.snapshot_steps(), 100}
    run.thin_decoders(10)
    assert run.decoder_steps() == [1, 100]
    with pytest.raises(RunError, match=r"got 7 in run .* decoder_steps"):
        run.decoder(7)


# Decoded by another process.


@pytest.fixture
def service():
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def checkpoint(run, digits):
    """The state in the checkpoint of a run that kept no decoder."""
    state = training.init(config(), digits)
    state.step = 7
    checkpoints.save(state, run.path / "checkpoint")
    run.event("started", 0, about=training.about(config(), digits, state))
    return state


def test_a_checkpoint_gives_the_decoder_that_was_not_kept(run, checkpoint, service):
    z = codes(2).numpy()
    with torch.no_grad():
        expected = checkpoint.model.decode(torch.from_numpy(z)).mean
    np.testing.assert_allclose(decoders.decode(service.decoder(run, 7), z), expected, atol=HALF)
    process = service._process
    images = service.images(run, 7, z)
    assert np.abs(images.astype(int) - snapshots.pixels(expected)).max() <= 255 * HALF
    assert service.images(run, 7, z) is images  # kept
    assert service._process is process
    with pytest.raises(RunError, match="got 3 in run"):
        service.decoder(run, 3)
    process.kill()
    process.wait()
    assert service.images(run, 7, z + 1).shape == images.shape  # by another


def test_too_many_questions_are_sent_away(run, service):
    with ExitStack() as full:
        for _ in range(WAITING):
            full.enter_context(service.gate.inside())
        with pytest.raises(Busy, match="try again"):
            service.images(run, 7, np.zeros((1, 2), np.float32))


def test_the_process_answers_a_wrong_question_and_goes_on(run, checkpoint):
    good = {"run": str(run.path), "step": 7, "z": [[0.0, 0.0]]}
    lines = [b"nonsense", json.dumps(good | {"step": 1}).encode(), json.dumps(good).encode()]
    answers = io.BytesIO()
    decoding.serve(io.BytesIO(b"\n".join(lines) + b"\n"), answers)
    answers.seek(0)
    assert "error" in json.loads(answers.readline())
    assert "decoder_steps" in json.loads(answers.readline())["error"]
    said = json.loads(answers.readline())
    with np.load(io.BytesIO(answers.read(said["bytes"]))) as arrays:
        assert arrays["images"].shape == (1, 8, 8)


def test_a_run_that_never_started_says_what_to_do(tmp_path, digits):
    run = Run(runs.create(tmp_path, config()).path)
    checkpoints.save(training.init(config(), digits), run.path / "checkpoint")
    with pytest.raises(RunError, match="start it"):
        decoding.of_run(run, 0)


def test_restoring_takes_the_whole_decoder(digits):
    state = training.init(config(), digits)
    arrays = decoding.take(state.model, digits.shape, snapshots.take(state, digits))
    del arrays["w.0.bias"]
    with pytest.raises(RuntimeError, match="Missing key"):
        decoding.restore(config().model, arrays)
