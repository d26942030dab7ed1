"""q(z) of many posteriors beside the prior: what integrates, and normals of which all is known."""

import math

import numpy as np
import pytest
import torch

from infovae_core import aggregate, estimators
from infovae_core.distributions import DiagonalNormal
from tests import oracles

EDGES = np.linspace(-12, 12, 241)


def posteriors(n=60, d=2, seed=0):
    """Means and standard deviations, some of them narrower than any cell."""
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)), np.exp(random.uniform(-7, 0.3, (n, d)))


def test_the_density_is_a_mass_of_one_however_narrow_the_posteriors():
    mean, std = posteriors()
    edges = np.tile(EDGES, (2, 1))
    density = aggregate.per_cell(aggregate.cdf(mean, std, edges), edges)
    np.testing.assert_allclose(density.sum(1) * (EDGES[1] - EDGES[0]), 1, atol=1e-6)
    plane = aggregate.on_axes(mean, std, EDGES)
    np.testing.assert_allclose(plane.sum() * (EDGES[1] - EDGES[0]) ** 2, 1, atol=1e-5)
    np.testing.assert_allclose(plane.sum(1) * (EDGES[1] - EDGES[0]), density[0], atol=1e-5)
    np.testing.assert_allclose(plane.sum(0) * (EDGES[1] - EDGES[0]), density[1], atol=1e-5)


def test_the_density_of_wide_posteriors_is_the_mixture_that_estimates_use():
    mean, std = posteriors()
    std = 0.3 + std
    edges = np.linspace(-3, 3, 121)
    middles = torch.from_numpy((edges[:-1] + edges[1:]) / 2)
    places = torch.cartesian_prod(middles, middles)
    q = DiagonalNormal.of(torch.from_numpy(mean), torch.from_numpy(std))
    expected = estimators.log_aggregated(q, places).exp().view(120, 120)
    np.testing.assert_allclose(aggregate.on_axes(mean, std, edges), expected, atol=5e-4)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_a_turned_plane_shows_the_same_density_turned(angle):
    """Circular posteriors, for these stay what they are."""
    mean, std = posteriors()
    std = np.repeat(0.4 + std[:, :1], 2, axis=1)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    spread = np.einsum("ji,nj,jk->nik", turn, std**2, turn)
    edges = np.linspace(-7, 7, 141)
    oblique = aggregate.on_plane(mean @ turn, spread, edges)
    np.testing.assert_allclose(oblique, aggregate.on_axes(mean @ turn, std, edges), atol=2e-4)
    np.testing.assert_allclose(oblique.sum() * 0.01, 1, atol=1e-4)


def test_correlated_posteriors_have_the_density_of_their_covariance():
    spread = np.array([[[1.0, 0.6], [0.6, 0.8]]])
    edges = np.linspace(-4, 4, 161)
    middles = (edges[:-1] + edges[1:]) / 2
    places = np.stack(np.meshgrid(middles, middles, indexing="ij"), -1)
    power = np.einsum("...i,ij,...j", places, np.linalg.inv(spread[0]), places)
    expected = np.exp(-power / 2) / (2 * math.pi * math.sqrt(np.linalg.det(spread[0])))
    found = aggregate.on_plane(np.zeros((1, 2)), spread, edges)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_quantiles_of_one_normal_lie_on_a_line():
    mean, std = np.array([[0.5, -1.0]]), np.array([[2.0, 0.5]])
    t = np.linspace(-2.5, 2.5, 21)
    shares = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in t])
    edges = np.tile(np.linspace(-9, 9, 361), (2, 1))
    found = aggregate.quantiles(aggregate.cdf(mean, std, edges), edges, shares)
    np.testing.assert_allclose(found, mean.T + std.T * t, atol=0.02)


def test_marginal_kl_is_that_of_a_normal_and_nothing_at_the_prior():
    mean, std = np.array([[0.0, 0.7, 0.0]]), np.array([[1.0, 1.0, 0.4]])
    edges = np.tile(np.linspace(-6, 6, 241), (3, 1))
    found = aggregate.marginal_kl(aggregate.cdf(mean, std, edges), edges)
    expected = aggregate.rates(mean, std)
    np.testing.assert_allclose(expected, [0, 0.245, 0.5 * (0.16 - 1) - math.log(0.4)])
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert (found <= expected + 1e-6).all()


@pytest.mark.parametrize("far", [-30.0, -9.0, 9.0, 30.0])
def test_marginal_kl_far_out_is_never_above_the_true_one_on_either_side(far):
    """There the prior has no mass that 1 − Φ could tell from rounding."""
    mean, std = np.array([[far]]), np.array([[0.5]])
    edges = np.linspace(-1, 1, 2001)[None] * (abs(far) + 4)
    found = aggregate.marginal_kl(aggregate.cdf(mean, std, edges), edges)
    expected = aggregate.rates(mean, std)
    assert found <= expected
    np.testing.assert_allclose(found, expected, rtol=0.02)


def test_covariance_adds_what_posteriors_are_wide_to_what_their_means_scatter():
    corners = np.array([[1.0, 2], [1, -2], [-1, 2], [-1, -2]])
    found = aggregate.covariance(corners, np.full((4, 2), 0.5))
    np.testing.assert_allclose(found, [[1.25, 0], [0, 4.25]])
    sheared = aggregate.covariance(corners @ np.array([[1, 0.5], [0, 1]]), np.zeros((4, 2)))
    np.testing.assert_allclose(np.linalg.slogdet(sheared)[1], math.log(4))


def test_rates_add_up_to_that_of_the_model():
    mean, std = posteriors(d=5)
    means, stds = torch.from_numpy(mean), torch.from_numpy(std)
    expected = estimators.closed_rate(means, stds**2).mean()
    np.testing.assert_allclose(aggregate.rates(mean, std).sum(), expected)


@pytest.mark.parametrize("d", [1, 2, 3, 20])
def test_distances_of_the_prior_follow_chi(d):
    r = np.linspace(1e-6, 12, 4001)
    density = aggregate.chi_density(r, d)
    cdf = aggregate.chi_cdf(r, d)
    np.testing.assert_allclose(np.gradient(cdf, r)[1:-1], density[1:-1], atol=2e-3)
    assert cdf[-1] == pytest.approx(1)
    for share in (0.05, 0.5, 0.95):
        assert np.interp(aggregate.chi_quantile(share, d), r, cdf) == pytest.approx(share, abs=1e-4)
    drawn = aggregate.distances(np.zeros((2000, d), np.float32), np.ones((2000, d), np.float32))
    below = (drawn < aggregate.chi_quantile(0.9, d)).mean()
    assert below == pytest.approx(0.9, abs=5 * math.sqrt(0.09 / drawn.size))


def test_chi_has_its_known_values():
    """In one dimension it is the half-normal, in two Rayleigh's."""
    r = np.array([0.0, 0.5, 2])
    normal = np.exp(-(r**2) / 2)
    np.testing.assert_allclose(aggregate.chi_density(r, 1), math.sqrt(2 / math.pi) * normal)
    np.testing.assert_allclose(aggregate.chi_density(r, 2), r * normal)
    assert aggregate.chi_quantile(0.5, 2) == pytest.approx(math.sqrt(2 * math.log(2)))


def test_mmd2_of_a_normal_is_the_closed_form_however_it_is_put_together():
    """N(m, S) as many equal posteriors, and as draws of means with narrow ones."""
    m, s = torch.tensor([0.5, -0.2]), torch.tensor([0.8, 1.3])
    exact = oracles.gaussian_mmd2("rbf", m, s)
    mean, std = np.tile(m.numpy(), (9, 1)), np.tile(s.sqrt().numpy(), (9, 1))
    assert aggregate.mmd2(mean, std) == pytest.approx(exact, abs=1e-12)
    random = np.random.default_rng(0)
    drawn = [
        aggregate.mmd2(mean[:1] + std[:1] * random.normal(size=(300, 2)), np.full((300, 2), 1e-4))
        for _ in range(40)
    ]
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert np.mean(drawn) == pytest.approx(exact, abs=4 * error)
