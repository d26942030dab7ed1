import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from infovae_core.distributions import DiagonalNormal
from infovae_core.divergences import KERNELS, ksd2, mmd2
from infovae_core.estimators import (
    CELLS,
    active_units,
    ksd2_error,
    log_aggregated,
    log_det_cov,
    marginal_kl,
    mmd2_errors,
    mutual_information,
    surgery,
    u_statistics,
    variance_error,
)
from infovae_core.intervals import Z
from tests.oracles import ProbabilisticPCA, draw, gaussian_mmd2, linear_encoder

N = 4000


def coded(oracle, count=N):
    q = oracle.posterior(oracle.sample(count))
    return q, draw(q)


def test_information_and_marginal_kl_of_a_linear_encoder_are_the_closed_forms():
    oracle = linear_encoder()
    q, z = coded(oracle)
    assert mutual_information(q, z).item() == pytest.approx(oracle.information, abs=0.05)
    assert marginal_kl(q, z).item() == pytest.approx(oracle.marginal_kl, abs=0.06)


def test_parts_of_the_rate_of_a_linear_encoder_are_the_closed_forms():
    oracle = linear_encoder()
    s = surgery(*coded(oracle))
    for name in ("rate", "information", "total_correlation", "dimensionwise_kl", "marginal_kl"):
        terms = getattr(s, name)
        error = terms.std().item() / math.sqrt(N)
        truth = getattr(oracle, name)
        assert truth > 0.1
        assert terms.mean().item() == pytest.approx(truth, abs=4 * error)
        assert 4 * error < 0.5 * truth


def test_the_rate_is_the_sum_of_its_parts_image_by_image():
    q = DiagonalNormal.of(torch.randn(50, 3), torch.rand(50, 3) + 0.1)
    z = draw(q)
    s = surgery(q, z)
    whole = s.information + s.total_correlation + s.dimensionwise_kl
    torch.testing.assert_close(whole, s.rate)
    torch.testing.assert_close(s.total_correlation + s.dimensionwise_kl, s.marginal_kl)
    torch.testing.assert_close(s.information.mean(), mutual_information(q, z))
    torch.testing.assert_close(s.marginal_kl.mean(), marginal_kl(q, z))


def test_codes_of_the_exact_encoder_have_no_marginal_kl():
    oracle = ProbabilisticPCA(scales=(1.0, 0.5))
    q = oracle.model.posterior(oracle.sample(N))
    s = surgery(q, draw(q))
    assert s.information.mean().item() == pytest.approx(oracle.information, abs=0.05)
    assert s.rate.mean().item() == pytest.approx(oracle.information, abs=0.05)
    for part in (s.marginal_kl, s.total_correlation, s.dimensionwise_kl):
        assert part.mean().item() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("n", [8, 30, 300])
def test_information_lies_between_its_bounds_also_where_log_n_binds(n):
    oracle = ProbabilisticPCA(scales=(2.0, 2.0, 1.0, 1.0), sigma=0.2)
    repeats = []
    for _ in range(200 if n < 100 else 40):
        with torch.no_grad():
            q = oracle.model.posterior(oracle.sample(n))
        s = surgery(q, draw(q))
        repeats.append((s.information.mean(), s.upper.mean(), s.rate.mean()))
        assert s.information.max() <= math.log(n) + 1e-12
    low, high, rate = torch.tensor(repeats).mean(0).tolist()
    assert low < oracle.information < high
    assert rate == pytest.approx(oracle.information, abs=0.1)
    if n < 100:
        assert oracle.information > math.log(n) > low


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_do_not_change_what_is_summed_over_pairs(block):
    q, z = DiagonalNormal.of(torch.randn(20, 3), torch.rand(20, 3) + 0.1), torch.randn(9, 3)
    expected = q.log_prob(z[:, None]).logsumexp(1) - math.log(20)
    torch.testing.assert_close(log_aggregated(q, z, block), expected)

    z = draw(q)
    densities = q.log_prob(z[:, None])
    others = densities.masked_fill(torch.eye(20, dtype=torch.bool), -math.inf).logsumexp(1)
    upper = densities.diagonal() - others + math.log(19)
    found = surgery(q, z, block)
    torch.testing.assert_close(found.upper, upper)
    units = (DiagonalNormal.of(q.mean[:, j : j + 1], q.stddev[:, j : j + 1]) for j in range(3))
    alone = [surgery(unit, z[:, j : j + 1]).missing for j, unit in enumerate(units)]
    torch.testing.assert_close(found.units_missing, sum(alone))


def test_aggregated_density_stays_exact_for_narrow_posteriors_in_single_precision():
    mean = torch.randn(50, 2, dtype=torch.float32)
    q = DiagonalNormal.of(mean, torch.full_like(mean, 1e-3))
    exact = DiagonalNormal.of(mean.double(), torch.full_like(mean, 1e-3).double())
    expected = exact.log_prob(mean.double()[:, None]).logsumexp(1) - math.log(50)
    torch.testing.assert_close(log_aggregated(q, mean), expected)


@pytest.mark.parametrize("n", [10, 300])
def test_information_is_capped_at_log_n_and_reaches_it_where_codes_are_apart(n):
    mean = 100 * torch.arange(n * 2.0).reshape(n, 2)
    q = DiagonalNormal.of(mean, torch.ones(n, 2))
    assert mutual_information(q, draw(q)).item() == pytest.approx(math.log(n))


def test_a_collapsed_encoder_carries_nothing():
    q = DiagonalNormal.of(torch.zeros(50, 3), torch.ones(50, 3))
    for part in surgery(q, draw(q)):
        assert part.tolist() == pytest.approx([0] * 50, abs=1e-12)
    assert mutual_information(q, draw(q)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [2, 20, 5000])
def test_a_collapsed_unit_is_inactive_at_any_sample_size(n):
    means = torch.stack((torch.zeros(n), torch.linspace(-1, 1, n)), 1)
    assert active_units(means).item() == 1
    assert active_units(means, threshold=2.0).item() == 0


def test_log_det_of_a_linear_encoders_codes_is_the_closed_form():
    oracle = linear_encoder()
    value, error = log_det_cov(coded(oracle)[1])
    assert value.item() == pytest.approx(oracle.aggregated.logdet().item(), abs=4 * error.item())
    assert error.item() == pytest.approx(math.sqrt(2 * 2 / N), rel=0.1)  # of normal codes


def test_log_det_of_few_normal_codes_is_right_on_average():
    values = torch.stack([log_det_cov(torch.randn(40, 3))[0] for _ in range(500)])
    assert values.mean().item() == pytest.approx(0, abs=4 * values.std().item() / math.sqrt(500))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_as_many_codes_as_dimensions_have_no_volume(n):
    assert log_det_cov(torch.randn(n, 3))[0] == -math.inf


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **kwargs or {})
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        return made


ALL_PAIRS = {
    "surgery": lambda q, z: surgery(q, z),
    "mutual_information": mutual_information,
    "mmd2": lambda q, z: mmd2_errors(z, q.mean),
    "ksd2": lambda q, z: ksd2_error(z, 1.0),
}


@pytest.mark.parametrize("name", ALL_PAIRS)
def test_pairs_are_never_in_memory_all_at_once(name):
    n = 2000
    q = DiagonalNormal.of(torch.randn(n, 2), torch.ones(n, 2))
    with Largest() as largest:
        ALL_PAIRS[name](q, draw(q))
    assert n <= largest.numbers <= CELLS < n * n / 4


# Discrepancies with errors


@pytest.mark.parametrize("block", [1, 7, 30, 1000])
def test_u_statistics_are_means_over_pairs_with_their_errors_whatever_the_tiles(block):
    n, done = 30, []
    matrices = torch.randn(2, n, n) + torch.tensor([0.5, -2.0])[:, None, None]
    matrices = (matrices + matrices.mT) / 2
    off = ~torch.eye(n, dtype=torch.bool)
    found = u_statistics(lambda i, j: (h[i, j].clone() for h in matrices), n, block, done.append)
    for (value, error), h in zip(found, matrices, strict=True):
        assert value == pytest.approx(h[off].mean().item())
        rows = (h.sum(1) - h.diagonal()) / (n - 1)
        whole = h[off].var(correction=0)
        single = ((rows.var() * (n - 1) - whole) / (n - 2)).clamp_min(0)
        variance = (4 * (n - 2) * single + 2 * whole) / (n * (n - 1))
        assert error == pytest.approx(variance.sqrt().item())
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)


def test_ksd2_with_error_is_ksd2():
    z = torch.randn(40, 3) + 0.5
    assert ksd2_error(z, 1.7, block=9)[0] == pytest.approx(ksd2(z, 1.7).item())


def test_mmd2_with_error_is_mmd2_and_its_closed_form():
    mean, variance = torch.tensor([0.5, 0.0]), torch.tensor([0.5, 1.5])
    z, prior = mean + variance.sqrt() * torch.randn(800, 2), torch.randn(800, 2)
    found = mmd2_errors(z, prior)
    assert set(found) == set(KERNELS)
    for kernel, (value, error) in found.items():
        assert value == pytest.approx(mmd2(z, prior, kernel).item(), abs=error)
        assert value == pytest.approx(gaussian_mmd2(kernel, mean, variance), abs=4 * error)


# Errors are what they say: estimates of fresh samples scatter by them


def held(pairs, truths):
    """Which intervals, value ± 1.96 errors, hold the truth."""
    return torch.tensor(
        [
            abs(value - truth) <= Z * error
            for (value, error), truth in zip(pairs, truths, strict=True)
        ]
    )


def test_intervals_of_the_parts_of_the_rate_and_of_log_det_hold_the_truth():
    oracle = linear_encoder()
    parts = ("rate", "information", "marginal_kl", "total_correlation", "dimensionwise_kl")
    truths = [*(getattr(oracle, part) for part in parts), oracle.aggregated.logdet()]

    def once():
        q, z = coded(oracle, 300)
        s = surgery(q, z)
        terms = (getattr(s, part) for part in parts)
        return held(
            [*((t.mean(), t.std() / math.sqrt(300)) for t in terms), log_det_cov(z)], truths
        )

    share = torch.stack([once() for _ in range(300)]).double().mean(0)
    assert all((share > 0.9) & (share < 0.99)), share


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
def test_intervals_of_mmd2_and_ksd2_hold_the_truth_near_and_far_from_the_prior(shift):
    """At the prior the statistic is degenerate: its distribution is not normal, its spread is."""
    mean, d, h = torch.full((2,), shift), 2, 1.5
    truths = [gaussian_mmd2(kernel, mean, torch.ones(2)) for kernel in KERNELS]
    truths.append(2 * shift**2 * (1 + 2 / h**2) ** (-d / 2))

    def once():
        z, prior = mean + torch.randn(100, 2), torch.randn(100, 2)
        return held([*mmd2_errors(z, prior).values(), ksd2_error(z, h)], truths)

    share = torch.stack([once() for _ in range(150)]).double().mean(0)
    assert all(share > 0.88), share
    assert shift < 1 or all(share < 0.99), share


def test_error_of_a_variance_is_that_of_normal_numbers():
    error = variance_error(2 * torch.randn(20_000, 1)).item()
    assert error == pytest.approx(4 * math.sqrt(2 / 20_000), rel=0.05)
