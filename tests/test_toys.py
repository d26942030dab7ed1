"""Points of known densities: what is drawn has the moments that are said, and the formulas hold."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from infovae_core import data, toys
from infovae_core.catalogue import SETS
from infovae_core.config import DataConfig
from infovae_core.distributions import DiagonalNormal
from infovae_core.model import VAE
from infovae_core.toys import LINEAR, MIXTURE
from tests.oracles import ProbabilisticPCA

POINTS = [name for name, known in SETS.items() if known.kind == "points"]


@pytest.mark.parametrize("name", POINTS)
def test_points_are_the_same_each_time_and_as_many_as_said(name):
    one, two = (data.load(DataConfig(name=name)) for _ in range(2))
    assert torch.equal(one.train.x, two.train.x)
    assert one.kind == "points"
    assert (one.shape, len(one.train), len(one.test)) == (
        SETS[name].shape,
        SETS[name].train,
        SETS[name].test,
    )
    assert one.train.x.dtype == torch.float32
    shares = torch.bincount(one.train.y) / len(one.train)
    assert len(shares) == len(one.classes)
    assert (shares - 1 / len(shares)).abs().max() < 0.02


def test_two_points_are_two_points():
    for split in (data.load(DataConfig(name="two_points")).train,):
        assert torch.equal(split.x[:, 0], 2.0 * split.y - 1)
        assert split.x.mean() == 0


def test_the_mixtures_density_is_that_of_its_components():
    x = np.random.default_rng(0).normal(size=(50, 2))
    parts = Normal(torch.tensor(MIXTURE.means), MIXTURE.sigma)
    mixed = MixtureSameFamily(
        Categorical(logits=torch.zeros(8)), torch.distributions.Independent(parts, 1)
    )
    np.testing.assert_allclose(MIXTURE.log_density(x), mixed.log_prob(torch.tensor(x)), rtol=1e-10)


def test_the_mixtures_points_have_its_moments():
    x, c = toys.make("mixture")[0]
    for i, mean in enumerate(MIXTURE.means):
        mine, error = x[c == i], MIXTURE.sigma / math.sqrt((c == i).sum())
        assert np.abs(mine.mean(0) - mean).max() < 4 * error
        assert np.abs(mine.std(0) - MIXTURE.sigma).max() < 4 * error / math.sqrt(2)


def test_linear_points_have_the_covariance_that_is_said():
    x, _ = toys.make("linear_gaussian")[0]
    s = LINEAR.covariance
    error = np.sqrt((np.outer(s.diagonal(), s.diagonal()) + s**2) / len(x))
    assert (np.abs(np.cov(x.T) - s) < 4 * error).all()
    assert (np.abs(x.mean(0)) < 4 * np.sqrt(s.diagonal() / len(x))).all()


def test_linear_density_and_entropy_are_those_of_the_normal():
    x = toys.make("linear_gaussian")[1][0].astype(np.float64)
    normal = MultivariateNormal(torch.zeros(6), torch.tensor(LINEAR.covariance))
    np.testing.assert_allclose(LINEAR.log_density(x), normal.log_prob(torch.tensor(x)), rtol=1e-9)
    assert LINEAR.entropy == pytest.approx(normal.entropy().item())
    error = math.sqrt(LINEAR.k / 2 / len(x))
    assert LINEAR.log_density(x).mean() == pytest.approx(-LINEAR.entropy, abs=4 * error)


def test_columns_are_orthogonal_and_as_long_as_said():
    np.testing.assert_allclose(LINEAR.w.T @ LINEAR.w, np.diag(np.square(LINEAR.scales)), atol=1e-12)


def test_information_is_what_the_covariances_say():
    log_det = np.linalg.slogdet(LINEAR.covariance)[1]
    assert LINEAR.information == pytest.approx(
        0.5 * (log_det - LINEAR.k * math.log(LINEAR.sigma**2))
    )


def test_the_exact_encoder_makes_the_elbo_the_evidence_at_every_point():
    oracle = ProbabilisticPCA()
    d = len(LINEAR.scales)
    encoder, decoder = torch.nn.Linear(LINEAR.k, 2 * d), torch.nn.Linear(d, LINEAR.k)
    with torch.no_grad():
        encoder.weight.zero_()
        encoder.weight[:d] = torch.tensor(LINEAR.encoder)
        encoder.bias[:d] = 0
        encoder.bias[d:] = -torch.tensor(LINEAR.precision).log()
        decoder.weight.copy_(torch.tensor(LINEAR.w))
        decoder.bias.zero_()
    likelihood = type(oracle.model.likelihood)(LINEAR.sigma)
    model = VAE(encoder, decoder, likelihood, d)
    x = torch.tensor(toys.make("linear_gaussian")[1][0]).double()
    p = model(x)
    log_prior = DiagonalNormal.of(torch.zeros(d), torch.ones(d)).log_prob(p.z)
    evidence = p.log_px + log_prior - p.q.log_prob(p.z)
    np.testing.assert_allclose(evidence.detach(), LINEAR.log_density(x.numpy()), rtol=1e-7)
    assert p.rate.mean().item() == pytest.approx(LINEAR.information, rel=0.05)


def test_the_optimum_is_found_from_the_covariance():
    w, sigma = LINEAR.optimum(LINEAR.covariance, 2)
    assert sigma == pytest.approx(LINEAR.sigma)
    np.testing.assert_allclose(w @ w.T, LINEAR.w @ LINEAR.w.T, atol=1e-12)
