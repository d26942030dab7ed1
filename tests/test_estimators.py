import math

import pytest
import torch

from infovae_core.estimators import (
    active_units,
    log_aggregated,
    marginal_kl,
    mutual_information,
)
from infovae_core.model import diagonal_normal
from tests.oracles import LinearEncoder, ProbabilisticPCA

N = 4000


def linear_codes():
    a, b = torch.tensor([[1.0, 0.3], [0.0, 0.8]]), torch.tensor([0.4, -0.2])
    oracle = LinearEncoder(a, b, torch.diag(torch.tensor([0.3, 0.5])), torch.eye(2))
    mean = torch.randn(N, 2) @ a.T + b
    return oracle, diagonal_normal(mean, oracle.c.diagonal().sqrt().expand_as(mean))


def test_information_and_marginal_kl_of_a_linear_encoder_are_the_closed_forms():
    oracle, q = linear_codes()
    z = q.sample()
    assert mutual_information(q, z).item() == pytest.approx(oracle.information, abs=0.04)
    assert marginal_kl(q, z).item() == pytest.approx(oracle.marginal_kl, abs=0.06)


def test_codes_of_the_exact_encoder_have_no_marginal_kl():
    oracle = ProbabilisticPCA(scales=(1.0, 0.5))
    q = oracle.model.posterior(oracle.sample(N))
    z = q.sample()
    assert mutual_information(q, z).item() == pytest.approx(oracle.information, abs=0.05)
    assert marginal_kl(q, z).item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_do_not_change_the_aggregated_density(block):
    q, z = diagonal_normal(torch.randn(20, 3), torch.rand(20, 3) + 0.1), torch.randn(9, 3)
    expected = q.log_prob(z[:, None]).logsumexp(1) - math.log(20)
    torch.testing.assert_close(log_aggregated(q, z, block), expected)


def test_aggregated_density_stays_exact_for_narrow_posteriors_in_single_precision():
    mean = torch.randn(50, 2, dtype=torch.float32)
    q = diagonal_normal(mean, torch.full_like(mean, 1e-3))
    exact = diagonal_normal(mean.double(), torch.full_like(mean, 1e-3).double())
    expected = exact.log_prob(mean.double()[:, None]).logsumexp(1) - math.log(50)
    torch.testing.assert_close(log_aggregated(q, mean), expected)


@pytest.mark.parametrize("n", [10, 300])
def test_information_is_capped_at_log_n_and_reaches_it_where_codes_are_apart(n):
    mean = 100 * torch.arange(n * 2.0).reshape(n, 2)
    q = diagonal_normal(mean, torch.ones(n, 2))
    assert mutual_information(q, q.sample()).item() == pytest.approx(math.log(n))


def test_a_collapsed_encoder_carries_nothing():
    q = diagonal_normal(torch.zeros(50, 3), torch.ones(50, 3))
    assert mutual_information(q, q.sample()).item() == pytest.approx(0, abs=1e-12)
    assert marginal_kl(q, q.sample()).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [2, 20, 5000])
def test_a_collapsed_unit_is_inactive_at_any_sample_size(n):
    means = torch.stack((torch.zeros(n), torch.linspace(-1, 1, n)), 1)
    assert active_units(means).item() == 1
    assert active_units(means, threshold=2.0).item() == 0
