"""Published settings: each is what its source says, in this program's scale."""

import math

import pytest
import torch

from infovae_core import fits, presets, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS
from infovae_core.objectives import OBJECTIVES, BetaVAE, InfoVAE
from infovae_core.presets import PRESETS
from infovae_core.terms import DIVERGENCES, MMD

OTHER = RunConfig.model_validate(
    {
        "label": "mine",
        "data": {"limit": 100, "binarize": "dynamic", "root": "elsewhere"},
        "model": {"widths": [7], "activation": "tanh", "latent_dim": 3, "likelihood": "gaussian"},
        "objective": {"name": "InfoVAE", "alpha": -50, "lam": 60, "kernel": "imq"},
        "training": {"epochs": 2, "seed": 4, "critic_steps": 3},
    }
)
BASES = {
    "default": RunConfig(),
    "other": OTHER,
    **{name: RunConfig(objective=cls()) for name, cls in OBJECTIVES.items()},
}


def over_default(name):
    return PRESETS[name].over(RunConfig())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("base", BASES)
def test_a_preset_changes_what_it_says_and_nothing_else(name, base):
    preset, config = PRESETS[name], BASES[base]
    made = preset.over(config)
    assert preset.holds(made)
    assert preset.over(made) == made
    before, after = config.model_dump(), made.model_dump()
    for part, fields in after.items():
        said = preset.settings.get(part, {})
        if part == "objective" and fields["name"] != before[part]["name"]:
            before[part] = OBJECTIVES[fields["name"]]().model_dump()
        assert fields == (before[part] | dict(said) if said else before[part])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_no_longer_holds_when_one_of_its_settings_is_changed(name):
    made = over_default(name)
    assert PRESETS[name].holds(made.model_copy(update={"label": "mine"}))
    assert not PRESETS[name].holds(made.model_copy(update={"objective": BetaVAE(beta=7)}))
    sooner = made.training.model_copy(update={"learning_rate": 0.5})
    changed = made.model_copy(update={"training": sooner})
    assert PRESETS[name].holds(changed) == ("training" not in PRESETS[name].settings)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_where_it_is_from_and_its_objective_can_be_made(name):
    preset = PRESETS[name]
    assert preset.title
    assert preset.source
    assert preset.note.endswith(".")
    assert over_default(name).objective.terms()


def test_names_of_members():
    aae, mmd = over_default("aae").objective, over_default("mmd-vae").objective
    assert aae == InfoVAE(alpha=1, lam=1, divergence="jensen")
    assert aae.weights == (0, 1)
    assert mmd.weights == (0, mmd.lam)
    assert mmd.lam > 0
    assert isinstance(DIVERGENCES[mmd.divergence](mmd), MMD)


# By preset: weights of the rate and of the other term; z; Adam, and the critic's; batch; epochs.
PUBLISHED = {
    "mmd-vae-tutorial": ((0, 784), 20, 1e-3, None, 200, 33),
    "infovae-mnist-cnn": ((1, 49), 10, 4e-5, None, 100, None),
    "infovae-mnist-quoted": ((1, 999), None, None, None, None, None),
    "infomax-mnist-fc": ((1, -10), 2, 1e-4, 1e-5, 100, 5),
    "infomax-mnist-cnn": ((1, -20), 20, 1e-3, 1e-5, 100, 10),
    "infomax-cifar": ((0.1, -10), 100, 1e-3, 1e-5, 100, 20),
    "infomax-celeba": ((1, -10), 100, 1e-3, 1e-4, 50, 10),
    "baseline-mnist-fc": ((0, 1000), 2, 1e-4, None, 100, 10),
    "baseline-mnist-cnn": ((0, 10_000), 20, 1e-3, None, 100, 10),
    "baseline-cifar": ((0.5, 1000), 500, 1e-3, None, 100, 10),
    "baseline-beta-cifar": ((4,), 500, 1e-3, None, 100, None),
    "decoder-depth": ((1,), 20, None, None, None, None),
    "posterior-collapse": ((1,), 10, 1e-3, None, 100, 5),
    "exploding-elbo": ((1,), 1, 1e-3, None, 512, 2000),
    "exploding-mmd": ((0, 500), 1, 1e-3, None, 512, 2000),
}


ON = {  # data set and network, where the preset says them
    "mmd-vae-tutorial": ("mnist", "cnn_infovae"),
    "infovae-mnist-cnn": ("mnist", "cnn_infovae"),
    "infovae-mnist-quoted": ("mnist", None),
    "infomax-mnist-fc": ("mnist", "mlp"),
    "infomax-mnist-cnn": ("mnist", "cnn_infomax"),
    "infomax-cifar": ("cifar10", "cnn_cifar"),
    "infomax-celeba": ("celeba", "cnn_celeba"),
    "baseline-mnist-fc": ("mnist", "mlp"),
    "baseline-mnist-cnn": ("mnist", "cnn_infomax"),
    "baseline-cifar": ("cifar10", "cnn_cifar"),
    "baseline-beta-cifar": ("cifar10", "cnn_cifar"),
    "decoder-depth": ("mnist", "mlp"),
    "posterior-collapse": ("mnist", "pixelcnn"),
    "exploding-elbo": ("two_points", "mlp"),
    "exploding-mmd": ("two_points", "mlp"),
}


def test_every_preset_is_checked():
    assert {*PUBLISHED} == {*PRESETS} - {"aae", "mmd-vae"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name):
    weights, latent_dim, rate, critic_rate, batch, epochs = PUBLISHED[name]
    config, base = PRESETS[name].over(OTHER), OTHER
    assert config.objective.weights == weights
    assert config.model.latent_dim == (latent_dim or base.model.latent_dim)
    assert config.training.learning_rate == (rate or base.training.learning_rate)
    assert config.training.critic_learning_rate == (
        critic_rate or base.training.critic_learning_rate
    )
    assert config.training.batch_size == (batch or base.training.batch_size)
    assert config.training.epochs == (epochs or base.training.epochs)
    data, network = ON[name]
    assert config.data.name == (data or base.data.name)
    assert config.model.network == (network or base.model.network)
    fits.check_config(config)


def test_the_tutorials_ten_thousand_steps_are_its_epochs():
    config = over_default("mmd-vae-tutorial")
    steps = config.training.epochs * (60_000 // config.training.batch_size)
    assert steps == pytest.approx(10_000, rel=0.02)


def test_the_tutorials_likelihood_is_the_squared_error_and_a_constant():
    model = over_default("mmd-vae-tutorial").model
    x, output = torch.rand(2, 3, 28, 28)
    distortion = -LIKELIHOODS[model.likelihood](model)(output).log_prob(x)
    squared_error = (x - output).square().sum((1, 2))
    constant = 392 * math.log(math.pi)
    torch.testing.assert_close(distortion, squared_error + constant)
    assert f"{constant:.1f} nats" in PRESETS["mmd-vae-tutorial"].note.replace('" "', "")


@pytest.mark.parametrize(
    ("name", "encoder", "decoder", "millions"),
    [
        (
            "infomax-mnist-fc",
            [784, 1000, 2000, 2000, 1000, 1000, 1000, 1000, 4],
            [2, 1000, *[2000] * 6, 784],
            35,
        ),
        (
            "baseline-mnist-fc",
            [784, 1000, 2000, 2000, 1000, 4],
            [2, 1000, 2000, 2000, 1000, 784],
            None,
        ),
    ],
)
def test_fully_connected_layers(name, encoder, decoder, millions):
    with torch.device("meta"):  # the shapes without the weights
        built = NETWORKS["mlp"]((28, 28), (28, 28), PRESETS[name].over(OTHER).model)
    layers = [[m for m in net if isinstance(m, torch.nn.Linear)] for net in built]
    for linear, sizes in zip(layers, (encoder, decoder), strict=True):
        assert [linear[0].in_features, *(m.out_features for m in linear)] == sizes
    assert all(isinstance(m, torch.nn.ReLU) for m in built[0][2::2])
    if millions:
        weights = sum(w.numel() for net in built for w in net.parameters())
        assert round(weights / 1e6) == millions
        assert f"{millions} million weights" in PRESETS[name].note


def test_two_points_leave_the_prior_with_the_elbo_and_stay_within_it_with_mmd():
    x = torch.tensor([[-1.0], [1.0]]).repeat(16, 1)
    points = Split(x, (x[:, 0] > 0).long())
    farthest = {}
    for name in ("exploding-elbo", "exploding-mmd"):
        data = Dataset("two points", points, points, ("-1", "+1"), kind="points")
        state = training.init(over_default(name), data)
        for _ in range(400):
            training.train_step(state, state.objective, x)
        with torch.no_grad():
            q = state.model.posterior(x)
        farthest[name] = (q.mean.abs() + q.stddev).max().item()
    assert farthest["exploding-mmd"] < 1.5
    assert farthest["exploding-elbo"] > 1.25 * farthest["exploding-mmd"]


@pytest.mark.parametrize(("name", "said"), [("ae", "did you mean aae"), ("", "choose one of them")])
def test_an_unknown_name_is_refused_with_the_list(name, said):
    with pytest.raises(ValueError, match=f"a preset must be one of .*, got '{name}'; {said}") as e:
        presets.find(name)
    assert all(known in str(e.value) for known in PRESETS)
