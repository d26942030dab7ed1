import functools
import itertools
from contextlib import nullcontext

import pytest
import torch
import torch._inductor
from torch import fx

from infovae_core import checkpoints, products, stepper, training
from infovae_core.bounds import BOUNDS
from infovae_core.config import Knobs, RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS
from infovae_core.objectives import OBJECTIVES, InfoVAE
from infovae_core.tape import Tape, adam
from infovae_core.terms import DIVERGENCES

CHOICES = (
    [{"objective": {"name": name}} for name in OBJECTIVES]
    + [{"objective": {"name": "InfoVAE", "divergence": name}} for name in DIVERGENCES]
    + [{"objective": {"name": "InfoMaxVAE", "bound": name}} for name in BOUNDS]
    + [{"objective": {"name": "InfoVAE", "kernel": "imq", "statistic": "v"}}]
    + [{"objective": {"name": "InfoMaxVAE"}, "training": {"critic_steps": 3}}]
    + [{"model": {"likelihood": name}} for name in LIKELIHOODS]
    + [{"model": {"network": name}} for name in NETWORKS]
)


def dataset(settings, count=48):
    """Images that its network takes, binary where its likelihood asks for that."""
    side = {"mlp": 4, "cnn_infomax": 16}.get(settings.model.network, 32)
    if settings.model.network in ("cnn_infovae", "pixelcnn"):
        side = 8
    x = torch.rand(count, side, side, generator=torch.Generator().manual_seed(1))
    x = (x * 255).round() / 255 if "logistic" in settings.model.likelihood else x
    x = x.round() if settings.model.network == "pixelcnn" else x
    part = Split(x, torch.arange(count) % 2)
    return Dataset("noise", part, part, ("0", "1"))


def settings_of(choice, **training_fields):
    small = {"widths": [5], "latent_dim": 3, "pixel_channels": 4, "pixel_layers": 2}
    return RunConfig.model_validate(
        choice
        | {
            "model": small | choice.get("model", {}),
            "training": {"batch_size": 16} | choice.get("training", {}) | training_fields,
        }
    )


def weights(state):
    return [w.detach().clone() for w in stepper.changing(state)]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_tape_gives_the_bits_of_the_steps_that_it_replays(choice):
    settings = settings_of(choice)
    data = dataset(settings)
    ends, values = [], []
    for taped in (False, True):
        state = training.init(settings, data)
        step = functools.partial(stepper.train_step, state, state.objective)
        batches = itertools.cycle(data.train.x.split(16))
        step(x := next(batches), stepper.draw_noise(state, x))
        for i in range(4):
            x = next(batches)
            noise = stepper.draw_noise(state, x)
            if taped and i == 0:
                before = weights(state)
                step = Tape(step, stepper.changing(state), x, noise)
                assert all(map(torch.equal, before, weights(state)))
            values.append(step(x, noise))
        ends.append(weights(state))
    assert all(map(torch.equal, *ends))
    assert values[:4] == values[4:]


def test_the_optimisers_formula_is_that_of_the_fused_one():
    torch.manual_seed(0)
    mine = [torch.randn(5, 3), torch.randn(4)]
    theirs = [w.clone().requires_grad_() for w in mine]
    optimizer = torch.optim.Adam(theirs, 0.01, fused=True)
    means, squares = ([torch.zeros_like(w) for w in mine] for _ in range(2))
    steps = [torch.zeros(()) for _ in mine]
    for _ in range(5):
        gradients = [torch.randn_like(w) for w in mine]
        for w, gradient in zip(theirs, gradients, strict=True):
            w.grad = gradient
        optimizer.step()
        torch._foreach_add_(steps, 1)
        adam(mine, gradients, means, squares, [], steps, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other.detach())


@pytest.fixture
def soon(monkeypatch):
    """Tapes after three steps, and in place of a compiler one that only takes the step apart."""
    monkeypatch.setattr(stepper, "SETTLED", 3)
    monkeypatch.setattr(stepper, "RECORDED_FROM", 0)
    monkeypatch.setattr(stepper, "RESTED", 4)
    monkeypatch.setattr(torch._inductor, "compile", lambda module, inputs: module)


def test_a_compiled_run_is_resumed_bit_for_bit(soon, tmp_path):
    settings = settings_of({}, compile="on", epochs=4)
    data = dataset(settings)
    reports = []
    for report in training.train(settings, data):
        if report.state.step == 7:
            checkpoints.save(report.state, tmp_path)
        reports.append(report.event)
    assert [event["kind"] for event in reports if event] == ["compiled"]
    state = checkpoints.load(settings, data, tmp_path)
    [*_, end] = training.train(settings, data, state)
    assert end.state.step == report.state.step == 12
    assert all(map(torch.equal, weights(end.state), weights(report.state)))


def test_a_step_is_compiled_only_once_the_knobs_have_rested(soon):
    settings = settings_of({"objective": {"name": "InfoVAE"}}, compile="on", epochs=5)
    turns = {step: Knobs(learning_rate=1e-3 * step) for step in (3, 5, 7)}
    busy = []
    hear = lambda what: busy.append(what) or nullcontext()  # noqa: E731
    reports = [
        (report.state.step, report.event["kind"], len(busy))
        for report in training.train(settings, dataset(settings), turns=turns, busy=hear)
        if report.event
    ]
    assert reports == [(7 + stepper.RESTED + 1, "compiled", 1)]
    assert "Compiling" in busy[0]


def test_a_step_is_recorded_only_where_that_is_earned_back(soon, monkeypatch):
    recorded = []
    record = lambda *args, **kw: recorded.append(Tape(*args, **kw)) or recorded[-1]  # noqa: E731
    monkeypatch.setattr(stepper, "Tape", record)
    settings = settings_of({}, epochs=4)
    for ahead, tapes in ((9, 1), (10, 1)):
        stepper.RECORDED_FROM = ahead
        list(training.train(settings, dataset(settings)))
        assert len(recorded) == tapes


@pytest.mark.parametrize("dead", ["_fused_adam_", "_foreach_add_"])
def test_a_torch_that_takes_the_optimiser_for_dead_code_is_noticed(dead, soon, monkeypatch):
    eliminate = fx.Graph.eliminate_dead_code

    def zealous(graph, *args, **kwargs):
        for node in reversed(graph.nodes):
            if dead in str(node.target) and not node.users:
                graph.erase_node(node)
        return eliminate(graph, *args, **kwargs)

    monkeypatch.setattr(fx.Graph, "eliminate_dead_code", zealous)
    settings = settings_of({}, epochs=4)
    reports = list(training.train(settings, dataset(settings)))
    [event] = [report.event for report in reports if report.event]
    assert event["kind"] == "warning"
    assert "a replay must change" in event["text"]
    before = training.init(settings, dataset(settings)).model.state_dict()
    assert all(
        not torch.equal(w, before[name]) for name, w in reports[-1].state.model.state_dict().items()
    )


def test_a_compiler_that_forgets_the_optimiser_is_noticed(soon, monkeypatch):
    def forgetful(module, inputs):
        def fused(*inputs):
            copies = [x.clone() for x in inputs]
            return module(*copies)

        return fused

    monkeypatch.setattr(torch._inductor, "compile", forgetful)
    settings = settings_of({}, compile="on", epochs=4)
    data = dataset(settings)
    reports = list(training.train(settings, data))
    [event] = [report.event for report in reports if report.event]
    assert "a replay must change" in event["text"]
    [*_, plain] = training.train(settings.model_copy(update={"training": off(settings)}), data)
    assert all(map(torch.equal, weights(reports[-1].state), weights(plain.state)))


@pytest.mark.parametrize("step", [0, 1, 6])
def test_turned_knobs_are_followed_from_the_next_step_on(step, soon):
    settings = settings_of({"objective": {"name": "InfoVAE"}}, epochs=4)
    data = dataset(settings)
    ends = []
    for settled in (3, 10**6):
        stepper.SETTLED = settled
        turns = {step: Knobs(objective=InfoVAE(lam=50.0), learning_rate=1e-2)}
        [*_, end] = training.train(settings, data, turns=turns)
        ends.append(weights(end.state))
    assert all(map(torch.equal, *ends))
    if step == 0:  # as if the run had begun so
        settings = settings_of(
            {"objective": {"name": "InfoVAE", "lam": 50.0}}, epochs=4, learning_rate=1e-2
        )
        [*_, begun] = training.train(settings, data)
        assert all(map(torch.equal, weights(begun.state), ends[0]))


@pytest.mark.parametrize("fails", ["compile", "fx"])
def test_training_goes_on_where_a_step_cannot_be_compiled_or_recorded(fails, soon, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("no compiler\nand more")

    settings = settings_of({}, compile="on", epochs=4)
    data = dataset(settings)
    [*_, plain] = training.train(settings.model_copy(update={"training": off(settings)}), data)
    at = (torch._inductor, "compile") if fails == "compile" else (stepper, "Tape")
    monkeypatch.setattr(*at, refuse)
    reports = list(training.train(settings, data))
    [event] = [report.event for report in reports if report.event]
    assert event["kind"] == "warning"
    assert event["text"].endswith(": no compiler")
    assert all(map(torch.equal, weights(reports[-1].state), weights(plain.state)))


def off(settings):
    return settings.training.model_copy(update={"compile": "off"})


def test_compiling_is_asked_for_where_it_is_earned_back(monkeypatch):
    monkeypatch.setattr(products, "pay", lambda: False)
    fully = training.init(settings := settings_of({}), dataset(settings))
    assert stepper.pays(fully, stepper.COMPILED_FROM, 16)
    assert not stepper.pays(fully, stepper.COMPILED_FROM - 1, 16)
    monkeypatch.setattr(products, "pay", lambda: True)
    assert stepper.pays(fully, stepper.COMPILED_FROM, 16)  # no product is large
    assert not stepper.pays(fully, stepper.COMPILED_FROM, products.LEAST)
    assert stepper.pays(fully, 4 * stepper.COMPILED_FROM, products.LEAST)
    convolving = settings_of({"model": {"network": "cnn_infovae"}})
    assert not stepper.pays(training.init(convolving, dataset(convolving)), 10**9, 16)
