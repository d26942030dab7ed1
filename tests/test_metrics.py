import dataclasses
import math
from itertools import groupby

import numpy as np
import pytest
import torch

from infovae_core import measures, metrics, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split, load
from infovae_core.likelihoods import LIKELIHOODS, Bernoulli
from infovae_core.measures import bounds, classes, likelihood
from infovae_core.metrics import METRICS, choose, evaluate
from infovae_core.terms import MutualInformation
from tests.oracles import ProbabilisticPCA

CHEAP = [name for name, metric in METRICS.items() if metric.cost == "cheap"]


@pytest.fixture
def quick(monkeypatch):
    """As measured, but with fewer samples of everything."""
    for module, numbers in (
        (likelihood, {"SAMPLES": 100, "SAMPLED": 64, "TEMPERATURES": 60, "ANNEALED": 24}),
        (classes, {"CLASSIFIER_STEPS": 100, "PRIOR_SAMPLES": 1000, "MLP_PROBE": (32,)}),
        (classes, {"LEAST_VALIDATION": 50, "REPEATS": 4}),
    ):
        for name, number in numbers.items():
            monkeypatch.setattr(module, name, number)
    fit = bounds.critics.fit

    def shorter(*args, **kwargs):
        return fit(*args, **kwargs | {"steps": 300, "batch": 64, "learning_rate": 3e-3})

    monkeypatch.setattr(bounds.critics, "fit", shorter)
    monkeypatch.setattr(bounds, "MutualInformation", smaller)


def smaller(bound, **more):
    return MutualInformation(bound, (32,), **more)


def dataset(oracle, train=1500, test=600, classes=("low", "high")):
    """Images of the model, in two classes by the sign of their first principal direction."""

    def split(count):
        x = oracle.sample(count)
        return Split(x, (x @ oracle.w[:, 0] > 0).long())

    return Dataset("pca", split(train), split(test), classes, kind="points")


def measured(model, data, *names, seed=0):
    return dict(evaluate(model, data, names, seed))


@pytest.fixture
def oracle():
    return ProbabilisticPCA(scales=(2.0, 1.0))


# The registry


def test_every_metric_has_a_function_and_words():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert callable(getattr(measures, metric.function))
        assert metric.better in ("higher", "lower", "zero", None)
        assert metric.cost in ("cheap", "medium", "dear")
        assert metric.title
        assert metric.unit
        assert metric.help.endswith(".")
        assert metric.help.count(". ") <= 2
        assert metric.symbol.count("{") == metric.symbol.count("}")
    assert set(measures.__all__) == {m.function for m in METRICS.values()} | {"Subject"}


def test_what_is_measured_together_stands_together_and_costs_the_same():
    runs = [list(group) for _, group in groupby(METRICS.values(), key=lambda m: m.function)]
    assert len(runs) == len({metric.function for metric in METRICS.values()})
    assert all(len({metric.cost for metric in run}) == 1 for run in runs)


def test_names_are_chosen_in_the_order_of_the_registry():
    assert choose(["all"]) == list(METRICS)
    assert choose(["cheap"]) == CHEAP
    assert choose(["rate", "elbo", "rate"]) == ["elbo", "rate"]
    assert choose(["cheap", "mine"]) == [n for n in METRICS if n in {*CHEAP, "mine"}]


@pytest.mark.parametrize("names", [["elbow"], ["elbo", "elbow"], []])
def test_unknown_names_are_refused_with_those_there_are(names):
    with pytest.raises(ValueError, match=r"all, cheap or one of elbo, .* got (elbow|none); choose"):
        choose(names)


# Every estimator against its exact value


def test_every_metric_of_the_exact_encoder_is_the_closed_form(oracle, quick):
    data = dataset(oracle)
    found = measured(oracle.model, data, "all")
    log_px = oracle.log_evidence(data.test.x).mean().item()
    truths = {
        "elbo": oracle.mean_log_evidence(),
        "rate": oracle.information,
        "mutual_information": oracle.information,
        **dict.fromkeys(("marginal_kl", "total_correlation", "dimensionwise_kl"), 0),
        **dict.fromkeys(("log_det_cov_train", "log_det_cov_test"), 0),
        **dict.fromkeys(("mmd2_rbf", "mmd2_rbf_wide", "mmd2_imq", "ksd2"), 0),
    }
    truths["distortion"] = -truths["elbo"] - oracle.information
    truths |= dict.fromkeys(("log_likelihood_is", "log_likelihood_ais"), truths["elbo"])
    truths["bits_per_dim"] = -truths["elbo"] / (6 * math.log(2))
    for name, truth in truths.items():
        estimate = found[name]
        assert estimate.value == pytest.approx(truth, abs=4 * estimate.error), name
        assert estimate.low - 2 * estimate.error <= truth <= estimate.high + 2 * estimate.error
    assert found["log_likelihood_is"].value == pytest.approx(log_px)  # of these very images
    assert found["log_likelihood_ais"].value == pytest.approx(log_px, abs=0.2)
    assert found["active_units"].value == found["active_units_05"].value == 2
    assert found["active_units"].cap is None  # all units may be active: no limit of the estimator
    assert found["active_units"].settings["units"] == 2
    for name in ("mine", "donsker_varadhan", "f_dual", "info_nce"):
        value, error = found[name].value, found[name].error
        assert 0.7 * oracle.information < value < oracle.information + 4 * error, name
    for name in ("probe_logistic", "probe_knn", "probe_mlp"):
        assert 93 < found[name].value <= 100, name
    assert found["svc_error_100"].value < 10
    assert found["svc_error_1000"].value < found["svc_error_100"].value
    assert found["class_mismatch"].value < 0.2  # both classes are as likely under the prior
    assert found["class_kl"].value < 0.02
    for name, estimate in found.items():
        assert estimate.cap is None or estimate.value <= estimate.cap + 1e-9, name
        assert estimate.low <= estimate.value <= estimate.high, name
        assert estimate.n in (600, 1500, 1000), name


def test_a_worse_encoder_opens_the_gap_that_sampling_closes(oracle, quick):
    oracle.worsen(shift=0.1)
    data = dataset(oracle)
    found = measured(oracle.model, data, "elbo", "log_likelihood_is", "log_likelihood_ais")
    log_px = oracle.log_evidence(data.test.x).mean().item()
    values = {name: estimate.value for name, estimate in found.items()}
    assert values["elbo"] == pytest.approx(oracle.elbo(), abs=4 * found["elbo"].error)
    assert values["elbo"] < log_px - 0.2
    assert values["log_likelihood_is"] == pytest.approx(log_px, abs=0.05)
    assert values["log_likelihood_ais"] == pytest.approx(log_px, abs=0.2)


def test_correcting_some_images_estimates_the_mean_of_all_of_them():
    held, truth = 0, 3.0
    for _ in range(300):
        rough = torch.randn(400)
        fine = rough + truth + 0.5 * torch.randn(400) + 0.3 * rough
        rows = torch.arange(0, 400, 10)
        estimate = likelihood.corrected(rough, rows, fine[rows])
        held += estimate.low <= truth <= estimate.high
    assert 0.9 <= held / 300 <= 0.985
    whole = likelihood.corrected(rough, torch.arange(400), fine)
    assert whole.value == pytest.approx(fine.mean().item())
    assert whole.error == pytest.approx(fine.std().item() / 20)


@pytest.mark.parametrize("n", [20, 60])
def test_intervals_hold_the_truth_also_where_log_n_binds(n):
    oracle = ProbabilisticPCA(scales=(3.0, 3.0, 2.0), sigma=0.2)
    truths = {
        "mutual_information": oracle.information,
        **dict.fromkeys(("marginal_kl", "total_correlation"), 0.0),
    }
    held = dict.fromkeys(truths, 0)
    for seed in range(60):
        found = measured(oracle.model, dataset(oracle, 2, n), *truths, seed=seed)
        for name, truth in truths.items():
            held[name] += found[name].low <= truth <= found[name].high
            assert "log N" in found[name].note
    assert oracle.information > math.log(n)
    assert all(count / 60 >= 0.9 for count in held.values()), held


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("n", [20, 60])
def test_intervals_hold_the_truth_also_where_n_is_small_for_a_single_unit(alike, n):
    """Two units that say the same share their bias, so that the total correlation is too small."""
    oracle = ProbabilisticPCA(scales=(3.0, 2.0), sigma=0.05)
    if alike:
        with torch.no_grad():
            oracle.model.encoder.weight[1] = oracle.model.encoder.weight[0]
            oracle.model.encoder.bias[3] = oracle.model.encoder.bias[2]
    names = ("total_correlation", "dimensionwise_kl")
    held = dict.fromkeys(names, 0)
    for seed in range(60):
        found = measured(oracle.model, dataset(oracle, 2, n), *names, seed=seed)
        for name in names:
            truth = getattr(oracle.encoder, name)
            held[name] += found[name].low <= truth + 1e-9 and truth - 1e-9 <= found[name].high
        assert "too few for the density of each unit" in found["dimensionwise_kl"].note
    assert all(count / 60 >= 0.9 for count in held.values()), held


# Random numbers


def test_values_depend_on_the_seed_and_not_on_what_else_is_asked(oracle):
    data = dataset(oracle, 300, 200)
    together = measured(oracle.model, data, "cheap", "probe_knn")
    assert measured(oracle.model, data, "cheap", "probe_knn") == together
    for name in ("elbo", "total_correlation", "log_det_cov_test", "ksd2", "probe_knn"):
        assert measured(oracle.model, data, name) == {name: together[name]}
    other = measured(oracle.model, data, "elbo", "mutual_information", "mmd2_imq", seed=1)
    assert all(other[name] != together[name] for name in other)


def test_evaluation_disturbs_neither_the_process_nor_the_training(quick):
    config = RunConfig.model_validate(
        {"data": {"limit": 200}, "model": {"widths": [16]}, "training": {"epochs": 2}}
    )
    data = load(config.data)

    def weights(disturb):
        for report in training.train(config, data):
            if disturb and report.state.step == 1:
                list(evaluate(report.state.model, data, ["cheap", "mine", "class_kl"]))
        return torch.cat([w.detach().flatten() for w in report.state.model.parameters()])

    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    assert torch.equal(weights(disturb=True), weights(disturb=False))
    assert torch.equal(torch.randn(4), expected)


def test_what_the_progress_raises_ends_the_evaluation(oracle):
    seen = []

    def progress(name, done):
        seen.append((name, done))
        if name == "mutual_information":
            raise InterruptedError

    found = []
    with pytest.raises(InterruptedError):
        found.extend(evaluate(oracle.model, dataset(oracle, 60, 60), progress=progress))
    assert seen[0] == ("elbo", 0.0)
    assert seen[-1] == ("mutual_information", 0.0)


# What an estimate says of itself


def binary_model(data):
    config = RunConfig.model_validate({"model": {"widths": [8]}, "objective": {"name": "VAE"}})
    return training.init(config, data).model


@pytest.mark.parametrize("binarize", ["none", "threshold"])
def test_cross_entropy_on_grey_values_is_not_passed_off_as_a_density(binarize, quick):
    data = load(RunConfig(data={"limit": 60, "binarize": binarize}).data)
    names = ("elbo", "distortion", "rate", "log_likelihood_is", "bits_per_dim")
    found = measured(binary_model(data), data, *names)
    grey = binarize == "none"
    for name in ("elbo", "distortion", "log_likelihood_is", "bits_per_dim"):
        assert ("not a normalised density" in found[name].note) == grey, name
    assert found["rate"].note == ""
    if grey:
        assert found["bits_per_dim"].value is None
    else:
        bits = -found["log_likelihood_is"].value / 64 / math.log(2)
        assert found["bits_per_dim"].value == pytest.approx(bits)
        assert found["bits_per_dim"].low < bits < found["bits_per_dim"].high


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_bits_per_dimension_are_those_of_levels_and_say_so(name, quick):
    """A density of x = k/255 stands for a probability 255 times smaller."""
    config = RunConfig.model_validate(
        {
            "model": {"widths": [8], "likelihood": name},
            "data": {"limit": 60, "binarize": "threshold" if name == "bernoulli" else "none"},
        }
    )
    data = load(config.data)
    model = training.init(config, data).model
    found = measured(model, data, "log_likelihood_is", "bits_per_dim")
    bits, levels = found["bits_per_dim"], {"bernoulli": 1, "logistic": 1, "logistic_mixture": 1}
    expected = -found["log_likelihood_is"].value / 64 + math.log(levels.get(name, 255))
    assert bits.value == pytest.approx(expected / math.log(2))
    assert bits.low < bits.value < bits.high
    said = {
        "bernoulli": "same binarisation",
        "logistic": "other works",
        "logistic_mixture": "other",
    }
    assert said.get(name, "not dequantised") in bits.note


def test_a_discretised_logistic_and_a_fine_gaussian_of_the_same_shape_have_the_same_bits(quick):
    """What makes the bits of densities and of probabilities comparable."""
    from infovae_core.distributions import DiscretisedLogistic

    x = torch.randint(0, 256, (500,)) / 255
    centre, scale = torch.full_like(x, 0.1), torch.full_like(x, -1.0)
    probability = DiscretisedLogistic(centre, scale).log_prob(x)
    y = 2 * x - 1
    u = (y - centre) * (-scale).exp()
    density = -u - scale - 2 * torch.nn.functional.softplus(-u) + math.log(2)  # of x
    inside = (x > 0) & (x < 1)
    torch.testing.assert_close(
        probability[inside], density[inside] - math.log(255), atol=1e-4, rtol=0
    )


def test_points_have_no_levels(quick):
    config = RunConfig.model_validate(
        {"model": {"widths": [8], "likelihood": "gaussian_shared"}, "data": {"name": "mixture"}}
    )
    data = load(config.data.model_copy(update={"limit": 60}))
    data = dataclasses.replace(data, test=Split(data.test.x[:60], data.test.y[:60]))
    found = measured(training.init(config, data).model, data, "log_likelihood_is", "bits_per_dim")
    bits = -found["log_likelihood_is"].value / 2 / math.log(2)
    assert found["bits_per_dim"].value == pytest.approx(bits)
    assert "no levels" in found["bits_per_dim"].note


def test_every_metric_can_be_had_of_a_pixelcnn(quick, monkeypatch):
    monkeypatch.setattr(classes, "PRIOR_SAMPLES", 40)
    settings = {"network": "pixelcnn", "pixel_channels": 2, "pixel_layers": 1}
    config = RunConfig.model_validate(
        {"model": settings, "data": {"limit": 60, "binarize": "threshold"}}
    )
    data = load(config.data)
    data = dataclasses.replace(data, test=Split(data.test.x[:30], data.test.y[:30]))
    model = training.init(config, data).model
    likelihoods = ("log_likelihood_is", "log_likelihood_ais")
    names, told = ("elbo", *likelihoods, "class_mismatch"), []
    found = dict(evaluate(model, data, names, progress=lambda *what: told.append(what)))
    shares = [share for name, share in told if name == "class_mismatch"]
    assert shares[-8:] == [0.5 + row / 16 for row in range(1, 9)]  # of the samples
    assert found["elbo"].settings["draws"] == 1
    is_, ais = (found[name] for name in likelihoods)
    assert is_.value == pytest.approx(ais.value, abs=4 * (is_.error + ais.error))
    assert found["class_mismatch"].value is not None


def test_a_density_says_how_it_compares_with_fewer_grey_levels(oracle, quick):
    found = measured(oracle.model, dataset(oracle, 20, 20), "bits_per_dim")
    assert "Subtract" not in found["bits_per_dim"].note
    config = RunConfig.model_validate(
        {"data": {"limit": 60}, "model": {"widths": [8], "likelihood": "gaussian"}}
    )
    digits = load(config.data)  # of 17 grey levels
    model = training.init(config, digits).model
    note = measured(model, digits, "bits_per_dim")["bits_per_dim"].note
    assert "Subtract log₂ (255/16) = 3.99 for the 17 levels" in note


def test_annealing_that_rests_on_few_chains_says_so(oracle, quick, monkeypatch):
    data = dataset(oracle, 20, 40)
    monkeypatch.setattr(likelihood, "ANNEALED", 6)
    monkeypatch.setattr(likelihood, "TEMPERATURES", 200)
    sound = measured(oracle.model, data, "log_likelihood_ais")["log_likelihood_ais"]
    assert (sound.note, sound.settings["effective_chains"] > 8) == ("", True)
    monkeypatch.setattr(likelihood, "TEMPERATURES", 2)
    poor = measured(oracle.model, data, "log_likelihood_ais")["log_likelihood_ais"]
    assert "of 16 chains: log p(x) may be above" in poor.note
    assert poor.value < sound.value


def test_settings_say_what_made_a_number(oracle, quick):
    made = {
        "mine": {"steps", "batch", "learning_rate", "moving", "shifts", "widths", "best_step"},
        "info_nce": {"steps", "batch", "learning_rate", "group", "widths", "best_step"},
        "log_likelihood_is": {"samples", "images", "samples_of_all", "effective_samples"},
        "log_likelihood_ais": {"temperatures", "chains", "leapfrog_steps", "samples_of_all"},
        "probe_knn": {"codes", "neighbours", "training_codes"},
        "probe_mlp": {"codes", "widths", "epochs"},
        "svc_error_100": {"codes", "labels", "C", "repeats", "validation", "gamma"},
        "class_mismatch": {"classifier", "accuracy_of_classifier", "shares"},
        "ksd2": {"bandwidth", "codes"},
    }
    found = measured(oracle.model, dataset(oracle, 200, 60), *made)
    for name, settings in made.items():
        assert settings <= found[name].settings.keys(), name


@pytest.mark.parametrize("count", [2, 12, 120])
def test_too_few_images_are_said_and_nothing_breaks(oracle, count, quick):
    data = dataset(oracle, count, 2 + count // 2)
    found = measured(oracle.model, data, "all")
    for name, estimate in found.items():
        assert estimate.value is None or math.isfinite(estimate.value), name
        assert estimate.note or estimate.value is not None, name
    assert "1050 training images are needed" in found["svc_error_1000"].note
    assert (found["mine"].value is None) == (count < 50)
    assert found["elbo"].value is not None


def test_codes_fewer_than_their_dimensions_have_no_covariance():
    oracle = ProbabilisticPCA()
    found = measured(oracle.model, dataset(oracle, 20, 3), "log_det_cov_train", "log_det_cov_test")
    assert found["log_det_cov_train"].value is not None
    assert found["log_det_cov_test"] == metrics.Estimate(
        None, note="A covariance of 3 units needs more than 3 images, got 3."
    )


def test_one_class_leaves_nothing_to_tell_apart(oracle, quick):
    data = dataset(oracle, 300, 60)
    same = dataclasses.replace(data, train=Split(data.train.x, torch.zeros(300, dtype=torch.long)))
    found = measured(oracle.model, same, "probe_logistic", "svc_error_100", "class_mismatch")
    for estimate in found.values():
        assert estimate.value is None
        assert "one only" in estimate.note


def test_a_class_that_no_sample_shows_makes_the_divergence_infinite(oracle, quick):
    data = dataset(oracle, 300, 60, classes=("low", "high", "never"))
    found = measured(oracle.model, data, "class_mismatch", "class_kl")
    assert found["class_mismatch"].value == pytest.approx(2 / 3, abs=0.2)
    assert found["class_kl"].value is None
    assert found["class_kl"].note == "No sample shows never: the divergence is infinite."


@pytest.mark.parametrize("shares", [[0.25] * 4, [0.7, 0.1, 0.1, 0.1], [1.0, 0, 0, 0]])
def test_mismatches_of_shares_are_their_formulas(shares):
    shares = np.array(shares)
    assert classes.total_mismatch(shares) == pytest.approx(sum(abs(f - 0.25) for f in shares))
    if shares.all():
        divergence = sum(0.25 * math.log(0.25 / f) for f in shares)
        assert classes.kl_from_uniform(shares) == pytest.approx(divergence)
    else:
        assert classes.kl_from_uniform(shares) == math.inf
        assert classes.total_mismatch(shares) == 2 - 2 / 4


def test_dynamic_training_images_are_drawn_and_not_taken_as_rates():
    data = load(RunConfig(data={"limit": 50, "binarize": "dynamic"}).data)
    assert 0 < data.train.x[data.train.x > 0].min() < 1
    subject = measures.Subject(binary_model(data), data, 0)
    assert set(subject.train_x.unique().tolist()) == {0.0, 1.0}
    assert isinstance(subject.model.likelihood, Bernoulli)
    assert subject.caveat == ""
