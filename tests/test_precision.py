"""What steps may round to, and what must not hear of it."""

import functools
import itertools
from contextlib import suppress

import pytest
import torch

from infovae_core import checkpoints, startup, stepper, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.precision import allow_tf32, computing, tf32_backends
from infovae_core.tape import Tape

CHOICES = [
    {"objective": {"name": "InfoVAE", "divergence": "mmd"}},
    {"objective": {"name": "InfoVAE", "divergence": "jensen"}},
    {"objective": {"name": "InfoMaxVAE", "bound": "dv"}},
    {"model": {"likelihood": "gaussian_learned"}},
    {"model": {"network": "cnn_infovae"}},
    {"model": {"network": "pixelcnn"}},
]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
LAYERS = torch.ops.aten.addmm, torch.ops.aten.convolution


@pytest.fixture(autouse=True)
def _single():
    """Autocast leaves doubles alone."""
    torch.set_default_dtype(torch.float32)


@pytest.fixture(autouse=True)
def flags():
    before = [backend.allow_tf32 for backend in tf32_backends()]
    yield lambda: [backend.allow_tf32 for backend in tf32_backends()]
    allow_tf32(*before)


def settings_of(choice, **fields):
    small = {"widths": [6], "latent_dim": 3, "pixel_channels": 4, "pixel_layers": 2}
    return RunConfig.model_validate(
        choice
        | {
            "model": small | choice.get("model", {}),
            "training": {"batch_size": 16, "precision": "bfloat16", "compile": "off"} | fields,
        }
    )


def dataset(count=48):
    """Binary images, which each network here takes."""
    x = torch.rand(count, 8, 8, generator=torch.Generator().manual_seed(1)).round()
    part = Split(x, torch.arange(count) % 2)
    return Dataset("noise", part, part, ("0", "1"))


def weights(state):
    return [w.detach().clone() for w in stepper.changing(state)]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_bfloat16_step_is_replayed_in_its_bits_and_near_that_of_float32(choice):
    settings, data = settings_of(choice), dataset()
    ends, values = [], []
    for precision, taped in (("float32", False), ("bfloat16", False), ("bfloat16", True)):
        state = training.init(settings, data)
        step = functools.partial(stepper.train_step, state, state.objective)
        with computing(precision, CPU):
            for i, x in enumerate(itertools.islice(itertools.cycle(data.train.x.split(16)), 4)):
                noise = stepper.draw_noise(state, x)
                if taped and i == 1:
                    step = Tape(step, stepper.changing(state), x, noise)
                    layers = step.module.graph.nodes
                    layers = [n for n in layers if getattr(n.target, "overloadpacket", 0) in LAYERS]
                    assert {layer.meta["val"].dtype for layer in layers} == {torch.bfloat16}
                values.append(step(x, noise))
        ends.append(weights(state))
    _, live, replayed = ends
    assert all(map(torch.equal, live, replayed))
    assert {w.dtype for w in live} == {torch.float32}
    exact, live, replayed = values[:4], values[4:8], values[8:]
    assert live == replayed
    for one, other in zip(exact, live, strict=True):
        assert one["total"] != other["total"]
        torch.testing.assert_close(other, one, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("divergence", ["mmd", "stein"])
def test_what_comes_after_the_networks_sees_no_bfloat16(divergence):
    choice = {"objective": {"name": "InfoVAE", "divergence": divergence}}
    settings, data = settings_of(choice), dataset()
    state, x = training.init(settings, data), data.train.x[:16]
    with computing("bfloat16", CPU):
        p = state.model(x, stepper.draw_noise(state, x))
        within = state.objective.loss(p, state.critics).parts
    assert {t.dtype for t in (p.z, p.q.mean, p.log_px, p.rate)} == {torch.float32}
    assert within == state.objective.loss(p, state.critics).parts


def test_a_bfloat16_run_measures_in_float32_and_is_resumed_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(stepper, "SETTLED", 3)
    monkeypatch.setattr(stepper, "RECORDED_FROM", 0)
    settings, data = settings_of({"objective": {"name": "InfoMaxVAE"}}, epochs=3), dataset()
    measured = 0
    for report in training.train(settings, data):
        state = report.state
        for row in report.rows:
            if row.split == "test":
                assert row.values == training.evaluate(state, data.test, 16)
                measured += 1
        mean = state.model.encoder(data.test.x).chunk(2, -1)[0]
        assert torch.equal(state.model.posterior(data.test.x).mean, mean)
        if state.step == 5:
            checkpoints.save(state, tmp_path)
    assert measured > 0
    [*_, end] = training.train(settings, data, checkpoints.load(settings, data, tmp_path))
    assert end.state.step == state.step == 9
    assert all(map(torch.equal, weights(end.state), weights(state)))


@pytest.mark.parametrize("before", [(False, False), (False, True), (True, False)])
def test_tf32_is_put_back_to_what_it_was(before, flags):
    allow_tf32(*before)
    within = []
    with suppress(KeyError), computing("tf32", CUDA):
        within += flags()
        raise KeyError
    assert within == [True, True]
    assert tuple(flags()) == before
    for precision, device in (("tf32", CPU), ("float32", CUDA), ("bfloat16", CUDA)):
        with computing(precision, device):
            assert tuple(flags()) == before
    assert tuple(flags()) == before


def test_tf32_holds_in_the_steps_alone(flags, monkeypatch):
    step, seen = stepper.train_step, []
    settings, data = settings_of({}, precision="tf32", epochs=1), dataset()
    [*_, plain] = training.train(settings, data)
    monkeypatch.setattr(stepper, "computing", lambda precision, device: computing(precision, CUDA))
    monkeypatch.setattr(stepper, "train_step", lambda *a: seen.append(flags()) or step(*a))
    try:
        startup.load_torch()
    finally:
        torch.set_flush_denormal(False)
    reports = [(report, flags()) for report in training.train(settings, data)]
    assert seen == [[True, True]] * 3
    assert [after for _, after in reports] == [[False, False]] * 3  # which torch does not do alone
    assert all(map(torch.equal, weights(reports[-1][0].state), weights(plain.state)))  # on a CPU
