import itertools
import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from infovae_core import checkpoints, pace, stepper, training
from infovae_core.bounds import BOUNDS
from infovae_core.config import Knobs, RunConfig, Turn
from infovae_core.data import Split, load
from infovae_core.likelihoods import LIKELIHOODS, Bernoulli
from infovae_core.metrics import METRICS, evaluate
from infovae_core.objectives import OBJECTIVES, BetaVAE, InfoVAE
from infovae_core.randomness import seed_of
from infovae_core.terms import DIVERGENCES


def config(name="VAE", epochs=2, **training_fields):
    return RunConfig.model_validate(
        {
            "data": {"limit": 300},
            "model": {"widths": [16]},
            "objective": {"name": name},
            "training": {"epochs": epochs, "batch_size": 64, **training_fields},
        }
    )


@pytest.fixture(scope="module")
def data():
    return load(config().data)


def rows(reports):
    return [(r.state.step, row.split, row.values) for r in reports for row in r.rows]


def weights(state):
    modules = (state.model, *state.critics.values())
    return torch.cat([w.detach().flatten() for m in modules for w in m.parameters()])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_learns_more_than_the_mean_image(name, data):
    weak = {"name": name} | ({"beta": 0.5} if name == "BetaVAE" else {})  # more leaves no code here
    settings = RunConfig.model_validate(
        {
            "data": {"limit": 300},
            "model": {"widths": [64]},
            "objective": weak,
            "training": {"epochs": 90, "batch_size": 64, "learning_rate": 1e-2},
        }
    )
    values = [v for _, split, v in rows(training.train(settings, data)) if split == "test"]
    mean = data.train.x.mean(0).clamp(1e-6, 1 - 1e-6)
    without_code = -Bernoulli()(mean.logit().expand_as(data.test.x)).log_prob(data.test.x).mean()
    assert values[-1]["distortion"] < without_code - 1
    assert all(math.isfinite(number) for row in values for number in row.values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(name, data):
    first, again, other = (
        rows(training.train(config(name, seed=seed), data)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("stop", [1, 3, 4, 7])
def test_a_resumed_run_continues_bit_for_bit(name, stop, data, tmp_path):
    whole = list(training.train(config(name, epochs=4), data))
    stopped = training.train(config(name, epochs=4), data)
    before = []
    for report in stopped:
        before.append(report)
        if report.state.step == stop:
            break
    checkpoints.save(report.state, tmp_path)
    state = checkpoints.load(config(name, epochs=4), data, tmp_path)
    after = list(training.train(config(name, epochs=4), data, state))
    assert len(after) == len(whole) - stop
    first = [row for report in before for row in report.rows]
    assert first + [row for report in after for row in report.rows] == [
        row for report in whole for row in report.rows
    ]
    assert torch.equal(weights(after[-1].state), weights(whole[-1].state))


def test_training_and_the_process_stream_do_not_touch_each_other(data):
    def run(disturb):
        for report in training.train(config("InfoVAE"), data):
            if disturb:
                torch.randn(3)
                training.evaluate(report.state, data.test)
        return weights(report.state)

    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    list(training.train(config("InfoVAE", epochs=1), data))
    assert torch.equal(torch.randn(4), expected)
    assert torch.equal(run(disturb=True), run(disturb=False))


def test_an_epoch_shows_each_image_at_most_once_in_an_order_of_its_own(data):
    first, second = (training.batches(0, epoch, data.train, 64) for epoch in (0, 1))
    assert first.shape == (4, 64)
    assert first.unique().numel() == 256
    assert not torch.equal(first, second)
    assert torch.equal(first, training.batches(0, 0, data.train, 64))


def test_a_batch_larger_than_the_data_is_the_whole_data(data):
    settings = config(batch_size=4096)
    assert training.plan(settings, data) == (2, 1, 2, 300)
    assert [r.state.step for r in training.train(settings, data)] == [1, 2]


def test_rows_come_at_step_1_then_regularly_and_others_with_epochs(data, monkeypatch):
    shares = {"test": 0.1, "codes": 0.2}
    monkeypatch.setattr(pace, "TEST_SHARE", shares["test"])
    monkeypatch.setattr(pace, "CODES_SHARE", shares["codes"])
    settings = config(epochs=16)
    length, model = training.plan(settings, data), training.init(settings, data).model
    weights = sum(w.numel() for w in model.parameters())
    works = {"test": pace.test(weights, 297, 64), "codes": pace.codes(297, 2)}
    seen = [(step, split) for step, split, _ in rows(training.train(settings, data))]
    assert [s for s, split in seen if split == "train"] == [1, *range(10, 61, 10), 64]
    for split, work in works.items():
        every = pace.epochs_between(work, shares[split], length, weights)
        assert 2 < every < 8
        expected = [4, *(4 * epoch for epoch in range(every, 16, every)), 64]
        assert [s for s, of in seen if of == split] == expected


@pytest.mark.parametrize("epochs", [3, 10**6])
@pytest.mark.parametrize("weights", [100, 10**7])
@pytest.mark.parametrize(("n", "d"), [(2, 1), (297, 2), (1000, 20), (1000, 1024)])
def test_rows_between_steps_take_a_bounded_share_of_the_work(n, d, weights, epochs):
    for steps_per_epoch in (1, 11, 468):
        length = training.Plan(epochs * steps_per_epoch, steps_per_epoch, epochs, 128)
        steps = steps_per_epoch * pace.step(weights, 128)
        for work in (pace.test(weights, n, 128), pace.codes(n, d)):
            every = pace.epochs_between(work, 0.05, length, weights)
            assert work <= 0.05 * every * steps
            assert epochs / every <= 2 * pace.ROWS


def test_a_row_of_codes_takes_the_rate_apart(data):
    state = training.init(config("VAE"), data)
    for _ in range(30):
        training.train_step(state, state.objective, data.train.x[:64])
    values = training.describe_codes(state, data.test)
    assert values == training.describe_codes(state, data.test)
    assert set(values) <= set(METRICS)
    parts = ("mutual_information", "total_correlation", "dimensionwise_kl")
    assert sum(values[part] for part in parts) == pytest.approx(values["rate"])
    assert values["marginal_kl"] == pytest.approx(values["rate"] - values["mutual_information"])
    assert values["rate"] == pytest.approx(training.evaluate(state, data.test)["rate"], rel=1e-5)
    volume = ["log_det_cov_test", "ksd2"]
    measured = dict(evaluate(state.model, data, ["mutual_information", "active_units", *volume]))
    for name in volume:
        assert values[name] == pytest.approx(measured[name].value, abs=4 * measured[name].error)
    assert values["active_units"] == measured["active_units"].value
    low, high = (getattr(measured["mutual_information"], end) for end in ("low", "high"))
    assert low < values["mutual_information"] < high


def test_a_train_row_is_the_mean_over_the_steps_since_the_last(data, monkeypatch):
    single = []
    step = training.train_step
    monkeypatch.setattr(stepper, "train_step", lambda *a: single.append(step(*a)) or single[-1])
    logged = [
        (s, v) for s, split, v in rows(training.train(config(epochs=6), data)) if split == "train"
    ]
    steps = [0, *(s for s, _ in logged)]
    for (before, step_), (_, values) in zip(itertools.pairwise(steps), logged, strict=True):
        for name, value in values.items():
            assert value == pytest.approx(np.mean([v[name] for v in single[before:step_]]))


def test_long_runs_write_a_bounded_number_of_rows():
    length = training.Plan(steps=500_000, steps_per_epoch=100, epochs=5000, batch_size=64)
    logged = [1, *range(length.row_every, length.steps + 1, length.row_every)]
    assert len(logged) <= training.TRAIN_ROWS + 1
    for before, step in itertools.pairwise(logged):
        assert training.steps_since_row(step, length) == step - before


class NoTransfer(TorchDispatchMode):
    """Refuses what would wait for a GPU: reading a value, and copying from the host."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "lift_fresh", "_to_copy", "nonzero"), name
        return operation(*args, **kwargs or {})


FAMILY = (
    [{"name": name} for name in OBJECTIVES]
    + [{"name": "InfoVAE", "divergence": name} for name in DIVERGENCES]
    + [{"name": "InfoMaxVAE", "bound": name} for name in BOUNDS]
)


@pytest.mark.parametrize("objective", FAMILY, ids=lambda o: "-".join(o.values()))
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_steps_do_not_wait_for_the_device(objective, likelihood, data):
    settings = RunConfig.model_validate(
        {"model": {"widths": [8], "likelihood": likelihood}, "objective": objective}
    )
    state = training.init(settings, data)
    x = data.train.x[:16]
    training.train_step(state, state.objective, x)  # the optimisers make their states
    with NoTransfer():
        values = training.train_step(state, state.objective, x)
    assert all(isinstance(v, torch.Tensor) and not v.requires_grad for v in values.values())


@pytest.mark.parametrize("steps", [1, 3])
def test_critics_take_as_many_steps_as_asked(steps, data, monkeypatch):
    taken = []
    descend = stepper.descend
    monkeypatch.setattr(stepper, "descend", lambda o, loss: taken.append(o) or descend(o, loss))
    state = training.init(config("InfoMaxVAE", critic_steps=steps), data)
    training.train_step(state, state.objective, data.train.x[:16])
    assert [o is state.critic_optimizer for o in taken] == [True] * steps + [False]


def test_streams_of_one_seed_know_nothing_of_each_other(data):
    """Equal seeds for two purposes would draw the same numbers twice."""
    purposes = ("weights", "noise", "evaluation", "binarise", "samples")
    assert len({seed_of(seed, purpose) for seed in (0, 1) for purpose in purposes}) == 10
    state = training.init(config(), data)
    other = torch.Generator().manual_seed(seed_of(0, "evaluation"))
    assert not torch.equal(
        *(state.model.draw_noise(data.train.x[:4], g) for g in (state.generator, other))
    )


def test_critic_and_model_each_move_their_own_weights_only(data):
    state = training.init(config("InfoMaxVAE"), data)
    p = state.model(data.train.x[:64])
    model = [w.clone() for w in state.model.parameters()]
    stepper.descend(state.critic_optimizer, state.objective.critic_loss(p.detach(), state.critics))
    assert all(map(torch.equal, model, state.model.parameters()))
    [critic] = state.critics.values()
    before = [w.clone() for w in critic.parameters()]
    stepper.descend(state.optimizer, state.objective.loss(p, state.critics).total)
    assert all(map(torch.equal, before, critic.parameters()))
    assert not all(map(torch.equal, model, state.model.parameters()))


def test_evaluation_is_the_mean_over_the_split_and_repeats(data):
    state = training.init(config("VAE"), data)
    values = training.evaluate(state, data.test)
    assert values == training.evaluate(state, data.test)
    with torch.no_grad():
        rate = state.model(data.test.x).rate.mean().item()
    for batch_size in (50, 128, 1000):  # also where the last batch is smaller
        values = training.evaluate(state, data.test, batch_size)
        assert values["rate"] == pytest.approx(rate, rel=1e-5)
    assert values["total"] == pytest.approx(values["distortion"] + values["rate"])


def test_evaluation_does_not_depend_on_how_the_split_is_sorted(digits):
    """A batch of one class alone would lie far from the prior, whatever the whole does."""
    state = training.init(config("InfoVAE"), digits)
    mix = Split(digits.train.x, digits.train.y)
    by_class = mix.y.argsort()
    ordered = Split(mix.x[by_class], mix.y[by_class])
    with torch.no_grad():
        state.model.encoder[-1].weight.mul_(20)  # codes that tell the classes apart
    one, other = (training.evaluate(state, split, 50)["mmd"] for split in (mix, ordered))
    assert one == pytest.approx(other, rel=0.05)


def test_dynamic_binarisation_trains_on_fresh_binary_images(monkeypatch):
    settings = config(epochs=2, batch_size=300).model_copy(
        update={"data": config().data.model_copy(update={"binarize": "dynamic"})}
    )
    seen = []
    step = training.train_step
    monkeypatch.setattr(stepper, "train_step", lambda *a: seen.append(a[2]) or step(*a))
    list(training.train(settings, load(settings.data)))
    assert all(set(x.unique().tolist()) == {0.0, 1.0} for x in seen)
    assert not torch.equal(*(x.sort(0).values for x in seen))


def test_an_absent_device_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"'cuda:77'.*set training.device to auto or cpu"):
        training.resolve_device("cuda:77")
    assert training.resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_about_names_every_logged_quantity(name, data):
    settings = config(name)
    described = training.about(settings, data, training.init(settings, data))
    [*_, (_, _, values)] = rows(training.train(settings, data))
    assert list(described["quantities"]) == list(values)
    for term in (term for _, term in settings.objective.terms()):
        assert described["quantities"][term.name].get("sight") == term.sight
    assert described["image_shape"] == [8, 8]
    assert described["classes"] == [str(i) for i in range(10)]


def test_a_kill_between_the_two_files_leaves_the_earlier_checkpoint(data, tmp_path):
    state, folder, later = training.init(config(), data), tmp_path / "one", tmp_path / "two"
    checkpoints.save(state, folder)
    state.step = 9
    checkpoints.save(state, later)
    (folder / "00000009.state.pt").write_bytes((later / "00000009.state.pt").read_bytes())
    (folder / ".00000009.safetensors").write_bytes(b"half")
    assert checkpoints.latest(folder) == 0
    assert checkpoints.load(config(), data, folder).step == 0
    checkpoints.save(state, folder)
    assert checkpoints.latest(folder) == 9
    assert {p.name for p in folder.iterdir()} == {p.name for p in later.iterdir()}


def test_no_checkpoint_is_none(data, tmp_path):
    assert checkpoints.latest(tmp_path / "absent") is None
    assert checkpoints.load(config(), data, tmp_path) is None


KNOBS = Knobs(objective=InfoVAE(alpha=0.5, lam=30, kernel="imq"), learning_rate=3e-3)


def test_knobs_turned_in_training_change_the_next_step_and_repeat_exactly(data, tmp_path):
    settings = config("InfoVAE", epochs=3)
    turned = []
    for report in training.train(settings, data):
        turned += rows([report])
        if report.state.step == 5:
            stepper.turn(report.state, KNOBS)
            checkpoints.save(report.state, tmp_path)
    schedule = settings.model_copy(update={"turns": (Turn(step=5, knobs=KNOBS),)})
    repeated = rows(training.train(schedule, data))
    resumed = rows(training.train(settings, data, checkpoints.load(settings, data, tmp_path)))
    untouched = rows(training.train(settings, data))
    assert turned == repeated
    assert resumed == [row for row in turned if row[0] > 5]
    assert [a == b for a, b in zip(turned, untouched, strict=True)] == [
        row[0] <= 5 for row in turned
    ]


@pytest.mark.parametrize("other", [BetaVAE(), InfoVAE(divergence="stein")])
def test_knobs_cannot_turn_a_run_into_another(other, data):
    state = training.init(config("InfoVAE"), data)
    with pytest.raises(ValueError, match="start another run"):
        stepper.turn(state, Knobs(objective=other))
    assert state.objective == InfoVAE()


def test_a_report_says_what_was_turned_before_its_step(data):
    turns = {}
    told = []
    for report in training.train(config("InfoVAE", epochs=1), data, turns=turns):
        told.append((report.state.step, report.turned))
        if report.state.step == 2:
            turns[2] = KNOBS
    assert told[:4] == [(1, None), (2, None), (3, KNOBS), (4, None)]
    assert report.state.objective == KNOBS.objective
