import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from infovae_core.config import ModelConfig
from infovae_core.likelihoods import LIKELIHOODS, Bernoulli, Gaussian
from infovae_core.model import VAE, standard_normal
from infovae_core.networks import NETWORKS, mlp


def small(latent_dim=3, **settings):
    config = ModelConfig(widths=(6,), latent_dim=latent_dim, **settings)
    return VAE(*mlp((2, 2), config), LIKELIHOODS[config.likelihood](config), latent_dim)


def test_rate_is_torchs_kl_divergence_from_the_prior():
    p = small()(torch.rand(7, 2, 2))
    torch.testing.assert_close(p.rate, kl_divergence(p.q, standard_normal(p.z)))


def test_rate_against_the_formula_and_zero_at_the_prior():
    m, v = torch.tensor([0.5, -1.0]), torch.tensor([0.2, 3.0])
    model = small(2)
    layer = model.encoder[-1]
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.cat((m, v.log())))
    expected = 0.5 * (v + m.square() - 1 - v.log()).sum().item()
    assert model(torch.rand(3, 2, 2)).rate.tolist() == pytest.approx([expected] * 3)
    torch.nn.init.zeros_(layer.bias)
    assert model(torch.rand(3, 2, 2)).rate.tolist() == pytest.approx([0] * 3)


def test_codes_are_mean_plus_deviation_times_noise():
    noise = torch.randn(2, 5, 3)
    p = small()(torch.rand(5, 2, 2), noise)
    torch.testing.assert_close(p.z, p.q.mean + p.q.stddev * noise[0])
    assert torch.equal(p.prior, noise[1])


def test_detached_pass_carries_no_gradient():
    p = small()(torch.rand(5, 2, 2))
    assert p.z.requires_grad
    assert not p.detach().z.requires_grad
    assert torch.equal(p.detach().z, p.z)


def test_bernoulli_against_the_sum_of_cross_entropies_also_on_grey_values():
    logits, x = torch.randn(4, 2, 3), torch.rand(4, 2, 3)
    pi = 1 / (1 + (-logits).exp())
    expected = (x * pi.log() + (1 - x) * (1 - pi).log()).sum((1, 2))
    q = Bernoulli()(logits)
    torch.testing.assert_close(q.log_prob(x), expected)
    torch.testing.assert_close(q.mean, pi)


def test_bernoulli_sums_to_one_over_binary_images():
    logits = torch.randn(1, 3).expand(8, 3)
    every = torch.tensor(np.array(list(np.ndindex(2, 2, 2))), dtype=torch.float64)
    assert Bernoulli()(logits).log_prob(every).exp().sum().item() == pytest.approx(1)


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_gaussian_against_the_multivariate_density(sigma):
    mean, x = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    expected = MultivariateNormal(mean.flatten(1), sigma**2 * torch.eye(6)).log_prob(x.flatten(1))
    torch.testing.assert_close(Gaussian(sigma)(mean).log_prob(x), expected)


def test_gaussian_integrates_to_one():
    grid = torch.linspace(-8, 8, 4001)[:, None]
    density = Gaussian(0.7)(torch.full_like(grid, 0.3)).log_prob(grid).exp()
    assert torch.trapezoid(density, grid[:, 0]).item() == pytest.approx(1)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("shape", [(8, 8), (3, 5, 4)])
@pytest.mark.parametrize("d", [1, 2, 20])
def test_every_network_maps_images_to_codes_and_back(network, likelihood, shape, d):
    config = ModelConfig(network=network, likelihood=likelihood, latent_dim=d, widths=(7, 5))
    model = VAE(*NETWORKS[network](shape, config), LIKELIHOODS[likelihood](config), d)
    p = model(torch.rand(4, *shape))
    assert p.z.shape == (4, d)
    assert model.decode(p.z).mean.shape == (4, *shape)
    assert torch.isfinite(p.log_px).all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"widths": (7, 5)}, [(4, 7), (7, 5), (5, 6), (3, 5), (5, 7), (7, 4)]),
        ({"widths": (7,), "decoder_widths": (2, 9)}, [(4, 7), (7, 6), (3, 2), (2, 9), (9, 4)]),
    ],
)
def test_widths_are_the_layers_and_the_decoder_mirrors_unless_told(settings, expected):
    encoder, decoder = mlp((2, 2), ModelConfig(latent_dim=3, **settings))
    layers = [m for m in (*encoder, *decoder) if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == expected


def test_names_in_configs_are_those_of_the_registries():
    from typing import get_args

    from infovae_core.catalogue import SETS
    from infovae_core.config import DataConfig
    from infovae_core.data import DATASETS
    from infovae_core.networks import ACTIVATIONS

    def names(model, field):
        return get_args(model.model_fields[field].annotation)

    assert names(ModelConfig, "network") == tuple(NETWORKS)
    assert names(ModelConfig, "likelihood") == tuple(LIKELIHOODS)
    assert names(ModelConfig, "activation") == tuple(ACTIVATIONS)
    assert names(DataConfig, "name") == tuple(DATASETS) == tuple(SETS)
