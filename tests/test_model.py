import pytest
import torch
from torch.distributions import Normal, kl_divergence

from infovae_core.config import ModelConfig
from infovae_core.distributions import DiagonalNormal
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS, build


def small(latent_dim=3, **settings):
    config = ModelConfig(widths=(6,), latent_dim=latent_dim, **settings)
    return build((2, 2), config)


def test_rate_is_torchs_kl_divergence_from_the_prior():
    p = small()(torch.rand(7, 2, 2))
    prior, posterior = Normal(0.0, 1.0), Normal(p.q.mean, p.q.stddev)
    torch.testing.assert_close(p.rate, kl_divergence(posterior, prior).sum(1))


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_density_of_a_narrow_posterior_keeps_its_digits(dtype):
    log_var = torch.arange(-170.0, -59.0).to(dtype)[:, None]
    noise = torch.linspace(-3, 3, len(log_var), dtype=dtype)[:, None]
    q = DiagonalNormal(torch.zeros_like(log_var), log_var.requires_grad_())
    z = (q.stddev * noise).detach()
    exact = Normal(0.0, (0.5 * log_var.detach().double()).exp()).log_prob(z.double())
    torch.testing.assert_close(q.log_prob(z).double(), exact.sum(1), rtol=1e-6, atol=0)
    [slope] = torch.autograd.grad(q.log_prob(z).sum(), log_var)
    torch.testing.assert_close(slope, 0.5 * (noise.square() - 1), rtol=1e-4, atol=1e-5)


def test_detached_pass_carries_no_gradient():
    p = small()(torch.rand(5, 2, 2))
    assert p.z.requires_grad
    assert not p.detach().z.requires_grad
    assert torch.equal(p.detach().z, p.z)


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
