"""Likelihoods: against formulas that were not used to write them, and as sums and integrals."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import MultivariateNormal, Normal

from infovae_core import distributions
from infovae_core.config import ModelConfig
from infovae_core.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    LearnedGaussian,
    LogisticMixture,
    SharedGaussian,
)

LOGITS = [-40.0, -3.0, -0.3, -1e-3, -1e-9, 0.0, 1e-6, 0.19, 0.21, 2.0, 15.0]


def grey_levels():
    return torch.arange(256) / 255


def made(name, **settings):
    return LIKELIHOODS[name](ModelConfig(likelihood=name, **settings))


# Bernoulli


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


# Continuous Bernoulli


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_is_the_normalised_cross_entropy(logit):
    q, share = ContinuousBernoulli()(torch.tensor([[logit]])), 1 / (1 + math.exp(-logit))

    def unnormalised(x):
        return share**x * (1 - share) ** (1 - x)

    total, _ = integrate.quad(unnormalised, 0, 1, epsabs=1e-13)
    first, _ = integrate.quad(lambda x: x * unnormalised(x), 0, 1, epsabs=1e-13)
    for x in (0.0, 0.3, 1.0):
        expected = math.log(unnormalised(x) / total)
        assert q.log_prob(torch.tensor([[x]])).item() == pytest.approx(expected, abs=1e-8)
    assert q.mean.item() == pytest.approx(first / total, abs=1e-8)


def test_continuous_bernoulli_of_many_pixels_is_their_sum():
    logits, x = torch.randn(4, 2, 3), torch.rand(4, 2, 3)
    alone = [ContinuousBernoulli()(logits[:, [i]][..., [j]]) for i in range(2) for j in range(3)]
    parts = [q.log_prob(x[:, [i // 3]][..., [i % 3]]) for i, q in enumerate(alone)]
    torch.testing.assert_close(ContinuousBernoulli()(logits).log_prob(x), sum(parts))


def test_single_precision_keeps_six_digits_where_the_textbook_formula_loses_them():
    logits = torch.linspace(-30, 30, 4001)
    x = torch.full_like(logits, 0.25)
    exact = distributions.ContinuousBernoulli(logits)
    rough = distributions.ContinuousBernoulli(logits.float())
    torch.testing.assert_close(
        rough.log_prob(x.float()).double(), exact.log_prob(x), atol=3e-6, rtol=1e-6
    )
    torch.testing.assert_close(rough.mean.double(), exact.mean, atol=3e-6, rtol=1e-6)


def test_the_two_ways_to_a_continuous_bernoulli_meet_where_one_takes_over():
    h = torch.tensor([0.1 - 1e-12, 0.1 + 1e-12])
    for f in (distributions.log_sinhc, distributions.langevin):
        assert f(h).diff().item() == pytest.approx(0, abs=1e-11)


# Gaussians


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_gaussian_against_the_multivariate_density(sigma):
    mean, x = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    expected = MultivariateNormal(mean.flatten(1), sigma**2 * torch.eye(6)).log_prob(x.flatten(1))
    torch.testing.assert_close(Gaussian(sigma)(mean).log_prob(x), expected)
    torch.testing.assert_close(SharedGaussian(sigma, 0.01)(mean).log_prob(x), expected)
    output = torch.stack((mean, torch.zeros_like(mean)), 1)
    torch.testing.assert_close(LearnedGaussian(sigma, 0.01)(output).log_prob(x), expected)


def test_gaussian_integrates_to_one():
    grid = torch.linspace(-8, 8, 4001)[:, None]
    density = Gaussian(0.7)(torch.full_like(grid, 0.3)).log_prob(grid).exp()
    assert torch.trapezoid(density, grid[:, 0]).item() == pytest.approx(1)


def test_sigma_of_every_value_is_the_floor_and_what_the_decoder_adds():
    mean, rho, x = torch.randn(3, 4, 2, 2).unbind(0)
    q = LearnedGaussian(0.5, 0.2)(torch.stack((mean, rho), 1))
    sigma = 0.2 + np.log1p(np.exp(rho.numpy() + math.log(math.expm1(0.3))))
    expected = stats.norm(mean.numpy(), sigma).logpdf(x.numpy()).sum((1, 2))
    np.testing.assert_allclose(q.log_prob(x), expected)


@pytest.mark.parametrize("name", ["gaussian_shared", "gaussian_learned"])
def test_a_learned_sigma_ends_at_the_floor_and_no_lower_where_the_data_are_exact(name):
    likelihood = made(name, sigma=0.5, sigma_floor=0.1)
    output = torch.zeros(1, *likelihood.output_shape((1,)))
    target = output[:, 0].clone() if name == "gaussian_learned" else output.clone()
    output.requires_grad_()
    steps = torch.optim.Adam([output, *likelihood.parameters()], 0.5)
    for _ in range(200):
        steps.zero_grad()
        (-likelihood(output).log_prob(target)).sum().backward()
        steps.step()
    best = Normal(0.0, 0.1).log_prob(torch.zeros(())).item()
    reached = likelihood(output).log_prob(target).item()
    assert best - 1e-3 < reached <= best + 1e-9


# Discretised logistics


@pytest.mark.parametrize("scale", [-6.0, -3.0, 0.0, 2.0])
@pytest.mark.parametrize("centre", [-1.3, -1.0, 0.11, 1.0])
def test_discretised_logistic_is_the_mass_of_each_bin(centre, scale):
    q = distributions.DiscretisedLogistic(*torch.tensor([[centre], [scale]]).expand(2, 256))
    edges = np.concatenate(([-np.inf], np.arange(1, 256) * 2 / 255 - 1 - 1 / 255, [np.inf]))
    logistic = stats.logistic(centre, math.exp(scale))
    share, rest = np.diff(logistic.cdf(edges)), -np.diff(logistic.sf(edges))
    expected = np.where(edges[1:] <= centre, share, rest)  # from the side that loses no digits
    probability = q.log_prob(grey_levels()).exp()
    np.testing.assert_allclose(probability, expected, rtol=1e-9, atol=1e-300)
    assert probability.sum().item() == pytest.approx(1)
    mean = (probability * grey_levels()).sum().item()
    assert q.mean[0].item() == pytest.approx(mean, abs=0.5 / 255)
    assert 0 <= q.mean[0].item() <= 1


def test_values_are_taken_at_the_nearest_level():
    q = distributions.DiscretisedLogistic(torch.zeros(3), torch.full((3,), -3.0))
    there, above, below = q.log_prob(torch.tensor([100, 100.4, 99.6]) / 255).tolist()
    assert there == pytest.approx(above) == pytest.approx(below)


def test_a_mixture_sums_to_one_over_all_grey_levels():
    likelihood = LogisticMixture(3)
    output = torch.randn(1, *likelihood.output_shape((1, 1))).expand(256, -1, -1, -1)
    q = likelihood(output)
    probability = q.log_prob(grey_levels()[:, None, None]).exp()
    assert probability.sum().item() == pytest.approx(1)
    assert q.mean[0].item() == pytest.approx((probability * grey_levels()).sum().item(), abs=2e-3)


def coupled(x, logits, centres, log_scales, slopes):
    """log p of one pixel of one component after another, with scipy's logistic; x in [0, 255]."""
    y, total = 2 * x / 255 - 1, 0.0
    for k, weight in enumerate(np.exp(logits) / np.exp(logits).sum()):
        a, b, c = slopes[:, k]
        middle = centres[:, k] + [0, a * y[0], b * y[0] + c * y[1]]
        for channel in range(3):
            logistic = stats.logistic(middle[channel], math.exp(log_scales[channel, k]))
            low = -np.inf if x[channel] == 0 else y[channel] - 1 / 255
            high = np.inf if x[channel] == 255 else y[channel] + 1 / 255
            weight *= logistic.cdf(high) - logistic.cdf(low)
        total += weight
    return math.log(total)


@pytest.mark.parametrize("x", [(0, 0, 0), (255, 255, 255), (0, 255, 17), (90, 100, 160)])
def test_colours_of_a_pixel_depend_on_one_another_as_in_the_paper(x):
    parts = torch.randn(2), torch.randn(3, 2), torch.randn(3, 2), torch.randn(3, 2).tanh()
    q = distributions.LogisticMixture(*(part[None, ..., None, None] for part in parts))
    value = torch.tensor(x)[None, :, None, None] / 255
    expected = coupled(np.array(x), *(part.numpy() for part in parts))
    assert q.log_prob(value).item() == pytest.approx(expected, rel=1e-9)


def test_a_mixture_reads_its_parts_from_the_output():
    likelihood = LogisticMixture(2)
    output = torch.randn(3, *likelihood.output_shape((3, 4, 5)))
    q, x = likelihood(output), torch.rand(3, 3, 4, 5)
    total = torch.zeros(3)
    for i, j in np.ndindex(4, 5):
        pixel = likelihood(output[:, :, i : i + 1, j : j + 1])
        total += pixel.log_prob(x[:, :, i : i + 1, j : j + 1])
    torch.testing.assert_close(q.log_prob(x), total)
    assert q.mean.shape == x.shape


def test_a_mixture_of_one_with_no_slope_is_the_discretised_logistic():
    output, x = torch.randn(4, 3, 2, 5), torch.rand(4, 2, 5)
    alone = DiscretisedLogistic()(output[:, 1:])
    torch.testing.assert_close(LogisticMixture(1)(output).log_prob(x), alone.log_prob(x))
    torch.testing.assert_close(LogisticMixture(1)(output).mean, alone.mean)


# All of them


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("shape", [(2, 3), (3, 4, 4)])
def test_draws_have_the_mean_that_a_view_shows(name, shape):
    likelihood = made(name, sigma=0.2)
    wanted = likelihood.output_shape(shape)
    q = likelihood(torch.randn(1, *wanted).expand(8000, *wanted))
    draws = q.sample()
    error = 4 * draws.std(0) / math.sqrt(len(draws)) + 0.004
    # The mean of coupled colours is exact but for what is cut off at black and white.
    coupling = 0.05 if name == "logistic_mixture" and len(shape) == 3 else 0
    assert ((draws.mean(0) - q.mean[0]).abs() < error + coupling).all()


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("size", [0.0, 1e-6, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_stay_finite_at_the_extremes(name, size, dtype):
    likelihood = made(name).to(dtype)
    shape = likelihood.output_shape((3, 2, 2))
    for sign in (-1, 1):
        output = torch.full((3, *shape), sign * size, dtype=dtype, requires_grad=True)
        x = torch.tensor([0.0, 0.5, 1.0], dtype=dtype)[:, None, None, None].expand(3, 3, 2, 2)
        log_px = likelihood(output).log_prob(x)
        [slope] = torch.autograd.grad(log_px.sum(), output)
        assert log_px.isfinite().all()
        assert slope.isfinite().all()
        assert likelihood(output).mean.isfinite().all()


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_gradients_are_those_of_differences(name):
    likelihood = made(name, sigma=0.5)
    output = (0.5 * torch.randn(2, *likelihood.output_shape((3, 1, 2)))).requires_grad_()
    x = torch.rand(2, 3, 1, 2)
    assert torch.autograd.gradcheck(lambda o: likelihood(o).log_prob(x), output)
