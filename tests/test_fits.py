"""What is offered for which data: whatever is refused says why, and whatever is offered trains."""

import itertools
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from infovae_core import catalogue, checkpoints, data, fits, networks, training
from infovae_core.catalogue import SETS
from infovae_core.config import DataConfig, ModelConfig, RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.files import source
from infovae_core.fits import Items, why_not_likelihood, why_not_network
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS
from tests import formats

SMALL, DIGIT, COLOUR = Items((8, 8)), Items((28, 28)), Items((3, 32, 32))
BINARY, FACES, POINTS = Items((28, 28), binary=True), Items((3, 64, 64)), Items((2,), real=True)


@pytest.mark.parametrize(
    ("items", "offered"),
    [
        (SMALL, ["mlp", "cnn_infovae"]),
        (DIGIT, ["mlp", "cnn_infovae", "cnn_infomax"]),
        (BINARY, ["mlp", "cnn_infovae", "cnn_infomax", "pixelcnn"]),
        (COLOUR, ["mlp", "cnn_infovae", "cnn_infomax", "cnn_cifar", "cnn_celeba"]),
        (FACES, ["mlp", "cnn_infomax", "cnn_cifar", "cnn_celeba"]),
        (Items((3, 32, 32), binary=True), [n for n in NETWORKS if n != "pixelcnn"]),
        (Items((30, 30)), ["mlp", "cnn_infomax"]),
        (Items((181, 181)), ["mlp", "cnn_infomax", "cnn_cifar", "cnn_celeba"]),
        (Items((182, 182)), ["cnn_infomax", "cnn_cifar", "cnn_celeba"]),
        (Items((3, 512, 512)), ["cnn_infomax", "cnn_cifar", "cnn_celeba"]),
        (POINTS, ["mlp"]),
    ],
)
def test_networks_for_data(items, offered):
    assert [name for name in NETWORKS if why_not_network(name, items) is None] == offered


def test_whatever_size_images_may_have_some_network_takes_them():
    sides = range(source.LEAST, source.SIDE + 1)
    for short, channels, binary in itertools.product(sides, ((), (3,)), (False, True)):
        items = Items((*channels, short, source.SIDE), binary)  # the most values of that side
        assert any(why_not_network(name, items) is None for name in NETWORKS), items


GAUSSIAN = ["gaussian", "gaussian_shared", "gaussian_learned"]


@pytest.mark.parametrize(
    ("items", "network", "offered"),
    [
        (SMALL, "mlp", [*LIKELIHOODS]),
        (COLOUR, "cnn_cifar", [*LIKELIHOODS]),
        (BINARY, "mlp", ["bernoulli", *GAUSSIAN]),
        (BINARY, "pixelcnn", ["bernoulli"]),
        (POINTS, "mlp", GAUSSIAN),
        (Items((4, 8, 8)), "mlp", [n for n in LIKELIHOODS if n != "logistic_mixture"]),
    ],
)
def test_likelihoods_for_data_and_network(items, network, offered):
    fitting = [n for n in LIKELIHOODS if why_not_likelihood(n, items, network) is None]
    assert fitting == offered


def test_what_does_not_fit_is_refused_with_what_does():
    with pytest.raises(fits.Misfit) as error:
        fits.check(ModelConfig(network="cnn_celeba"), DIGIT)
    assert str(error.value) == (
        "the network must fit the data, got cnn_celeba for images of 28 × 28: needs images of at "
        "least 32 × 32 pixels; set model.network to mlp or cnn_infovae or cnn_infomax"
    )
    with pytest.raises(
        fits.Misfit, match="got logistic for binary images of 28 × 28: needs grey levels"
    ):
        fits.check(ModelConfig(likelihood="logistic"), BINARY)
    with pytest.raises(fits.Misfit, match="got bernoulli for points of 2 numbers: needs values"):
        fits.check(ModelConfig(), POINTS)


def test_a_misfit_is_refused_before_anything_is_loaded_and_again_before_training(digits):
    config = RunConfig.model_validate({"model": {"network": "pixelcnn"}})
    for start in (lambda: fits.check_config(config), lambda: training.init(config, digits)):
        with pytest.raises(fits.Misfit, match="set Binarise to threshold or dynamic"):
            start()
    binary = config.model_copy(
        update={"data": config.data.model_copy(update={"binarize": "dynamic"})}
    )
    fits.check_config(binary)
    assert fits.Items.of(catalogue.about(binary.data), "dynamic").binary


def test_old_configs_load_whatever_they_ask_for():
    old = {"model": {"network": "mlp", "likelihood": "gaussian", "sigma": 0.001}}
    assert RunConfig.model_validate(old).model.sigma == 0.001
    assert RunConfig.model_validate({"model": {"network": "cnn_celeba"}})


# The form


def page(prefill):
    """The settings as the dashboard has them."""
    import streamlit as st

    from dashboard import forms
    from infovae_core import fits
    from infovae_core.config import RunConfig

    if "f" not in st.session_state:
        forms.fill("f", RunConfig.model_validate(prefill))
    form = forms.Form(RunConfig, "f", fits.refusals)
    form.draw("")
    st.session_state["out"] = form


def opened(**prefill):
    app = AppTest.from_function(page, args=(prefill,), default_timeout=30).run()
    assert not app.exception
    return app


def widget(app, path):
    [key] = [leaf.key for leaf in app.session_state["out"].leaves if leaf.path == path]
    return app.get_by_key(key)


def model_of(app):
    assert not app.exception
    return app.session_state["out"].value.model


def said(app):
    """All text, without what keeps Markdown from reading more into it."""
    parts = (*app.markdown, *app.caption)
    return [part.value.replace("\\", "").replace("\u2060", "") for part in parts]


def test_the_form_offers_what_fits_and_says_why_the_rest_does_not():
    app = opened()
    assert widget(app, "model.network").options == ["MLP", "CNN of InfoVAE"]
    for reason in (
        "Not offered here:",
        "CNN for CIFAR, CNN for CelebA: needs images of at least 32",
        "PixelCNN: draws binary images",
    ):
        assert any(reason in m for m in said(app)), reason
    app = widget(app, "data.binarize").set_value("dynamic").run()
    assert "PixelCNN" in widget(app, "model.network").options
    assert any("continuous Bernoulli: needs grey values" in m for m in said(app))


def test_what_no_longer_fits_gives_way_and_that_is_said():
    app = opened(model={"network": "cnn_infovae", "likelihood": "logistic"})
    assert model_of(app).network == "cnn_infovae"
    app = widget(app, "data.name").set_value("mixture").run()
    assert (model_of(app).network, model_of(app).likelihood) == ("mlp", "gaussian")
    assert any("MLP instead of CNN of InfoVAE: needs images" in m for m in said(app))
    assert any("instead of discretised logistic: needs values from 0 to 1" in m for m in said(app))
    app.run()
    assert any("MLP instead of" in m for m in said(app))
    app = widget(app, "data.name").set_value("digits").run()
    assert not any("instead of" in m for m in said(app))
    assert model_of(app).network == "mlp"


def test_a_network_narrows_the_likelihoods():
    app = opened(data={"binarize": "threshold"}, model={"likelihood": "gaussian"})
    app = widget(app, "model.network").set_value("pixelcnn").run()
    assert model_of(app).likelihood == "bernoulli"
    assert widget(app, "model.likelihood").options == ["Bernoulli"]


# Whatever is offered trains

STEPS, BATCH = 50, 2
ITEMS = 50  # two epochs, for what a run measures after each takes its time
HOWS = ("none", "threshold", "dynamic")
OWN = {  # a person's files, as they are found
    "pictures.zip": replace(SETS["files"], shape=(3, 8, 8), values="colour"),
    "masks.npy": replace(SETS["files"], shape=(8, 8), values="binary"),
}
KNOWN = {name: known for name, known in SETS.items() if name != "files"} | OWN


def combinations():
    """All that the form offers: data set, Binarise, network and likelihood."""
    for number, (name, known) in enumerate(KNOWN.items()):
        for how in HOWS if number % 2 else HOWS[::-1]:
            if known.kind == "points" and how != "none":
                continue
            items = Items.of(known, how)
            for network in [n for n in NETWORKS if not why_not_network(n, items)]:
                for likelihood in LIKELIHOODS:
                    if not why_not_likelihood(likelihood, items, network):
                        yield name, how, network, likelihood


def kind(name, how, network, likelihood):
    """What decides over the model, the shapes of its tensors and the way that they take.

    Zeros and ones are numbers like others to all likelihoods but Bernoulli's, which is a
    probability of these and a cross-entropy of those. Drawing them anew has nothing to do with
    either, but for a decoder that draws itself.
    """
    binary = likelihood == "bernoulli" and Items.of(KNOWN[name], how).binary
    return KNOWN[name].shape, network, likelihood, binary, network == "pixelcnn" and how


def chosen():
    """Of each kind the first combination, and the first of each set with each Binarise."""
    first = {}
    for case in combinations():
        for key in (kind(*case), case[:2]):
            first.setdefault(key, case)
    return dict.fromkeys(first.values())


OFFERED = {name: list(cases) for name, cases in itertools.groupby(chosen(), lambda case: case[0])}


def test_every_network_is_trained_with_every_way_of_binarising():
    offered = {(how, network) for _, how, network, _ in combinations()}
    assert offered == {(how, network) for _, how, network, _ in itertools.chain(*OFFERED.values())}


@pytest.fixture(scope="module")
def root():
    """Every set that is not made here, in its own format, mostly dark: something can be learnt."""
    noise = formats.noise

    def dark(*shape, seed=0):
        return (255 * (noise(*shape, seed=seed) / 255) ** 3).astype(np.uint8)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        patch.setattr(formats, "noise", dark)
        for kind in ("MNIST", "FashionMNIST"):
            formats.write_mnist(root, kind, train=ITEMS)
        for kind in ("CIFAR10", "CIFAR100"):
            formats.write_cifar(root, patch, kind, each=ITEMS)
        formats.write_celeba(root, train=ITEMS, test=2)
        formats.write_zip(root / "pictures.zip", formats.pictures(each=ITEMS, shape=(8, 8, 3))[0])
        np.save(root / "masks.npy", formats.noise(2 * ITEMS, 8, 8) > 127)
        yield root


@pytest.mark.parametrize("name", OFFERED)
def test_everything_that_is_offered_trains_fifty_steps(name, root, monkeypatch):
    """On sets as they are loaded, through `training.train`.

    The convolutions have an eighth of their channels and the dense layer 32 units, all else is as
    it is; with all of them each network is trained below.
    """
    strided = networks.strided

    def narrow(shape, output, d, down, up, activation):
        down, up = ([width // 8 for width in widths] for widths in (down, up))
        return strided(shape, output, d, down, up, activation)

    monkeypatch.setattr(networks, "strided", narrow)
    monkeypatch.setattr(networks, "DENSE", 32)
    source = {"name": "files", "path": root / name} if name in OWN else {"name": name}
    for how, cases in itertools.groupby(OFFERED[name], key=lambda case: case[1]):
        settings = {"root": root, "limit": ITEMS, "binarize": how, **source}
        whole = data.load(DataConfig.model_validate(settings))
        assert training.kind_of(whole) == Items.of(KNOWN[name], how)
        held_out = Split(whole.test.items(slice(2)), whole.test.y[:2])  # which takes time
        small = replace(whole, test=held_out)
        for _, _, network, likelihood in cases:
            train_fifty(settings, network, likelihood, small)


def train_fifty(settings, network, likelihood, small):
    """Train as a run does; the distortion must fall."""
    model = {"network": network, "likelihood": likelihood, "widths": [16]}
    length = {"epochs": STEPS * BATCH // ITEMS, "batch_size": BATCH}
    config = RunConfig.model_validate(
        {"data": settings, "model": model, "objective": {"name": "VAE"}, "training": length}
    )
    state = training.init(config, small)
    some = Split(small.train.items(slice(8)), small.train.y[:8])
    before = training.evaluate(state, some)["distortion"]
    rows = [row for report in training.train(config, small, state) for row in report.rows]
    assert state.step == STEPS
    assert all(math.isfinite(row.values["total"]) for row in rows if "total" in row.values)
    after = training.evaluate(state, some)["distortion"]
    assert after < before, (settings, model)


def stand_in(items, count):
    """Data of that shape; every value of the kind's is there."""
    x = torch.rand(count, *items.shape, generator=torch.Generator().manual_seed(0))
    split = Split(x.round() if items.binary else x, torch.arange(count) % 2)
    return Dataset("stand-in", split, split, ("a", "b"))


SMALLEST = {"mlp": (8, 8), "cnn_infovae": (8, 8), "cnn_infomax": (16, 16), "pixelcnn": (8, 8)}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_resumed_run_continues_bit_for_bit_with_every_network(network, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "DENSE", 16)
    binary = network == "pixelcnn"
    data = stand_in(Items(SMALLEST.get(network, (32, 32)), binary), 16)
    likelihood = "bernoulli" if binary else "gaussian_shared"
    config = RunConfig.model_validate(
        {
            "model": {"network": network, "likelihood": likelihood, "widths": [8]},
            "training": {"epochs": 2, "batch_size": 8},
        }
    )
    whole = list(training.train(config, data))
    for report in training.train(config, data):
        if report.state.step == 3:
            checkpoints.save(report.state, tmp_path)
            break
    state = checkpoints.load(config, data, tmp_path)
    after = list(training.train(config, data, state))
    assert [r for report in after for r in report.rows][-1] == whole[-1].rows[-1]
    for name, values in whole[-1].state.model.state_dict().items():
        assert torch.equal(values, after[-1].state.model.state_dict()[name]), name
