import math

import numpy as np
import pytest

from infovae_core import intervals
from infovae_core.measures.classes import kl_from_uniform, total_mismatch


def binomial(n, p):
    """Probability of each number of successes."""
    k = np.arange(n + 1)
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k]
    return np.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p))


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_wilsons_interval_holds_the_probability_19_times_in_20(p):
    inside = [low <= p <= high for low, high in (intervals.wilson(k, 297) for k in range(298))]
    assert 0.925 <= binomial(297, p) @ inside <= 0.975


@pytest.mark.parametrize("successes", [0, 50])
def test_wilsons_interval_ends_where_probabilities_do(successes):
    low, high = intervals.wilson(successes, 50)
    assert 0 <= low < high <= 1
    assert (low == 0, high == 1) == (successes == 0, successes == 50)


@pytest.mark.parametrize("tilt", [0.0, 0.03, 0.15, 0.3, 1.0])
@pytest.mark.parametrize("statistic", [total_mismatch, kl_from_uniform])
def test_intervals_of_unevenness_hold_the_truth(statistic, tilt):
    """Also of even shares, of which every sample is uneven."""
    random = np.random.default_rng(0)
    shares = np.full(10, 0.1) + tilt * np.linspace(-0.04, 0.04, 10)
    truth, inside = statistic(shares), 0
    for _ in range(250):
        counts = random.multinomial(10_000, shares)
        _, low, high = intervals.of_unevenness(counts, statistic, random)
        inside += low - 1e-12 <= truth <= high
    assert inside / 250 >= 0.92


def test_error_of_unevenness_is_that_of_fresh_samples():
    random = np.random.default_rng(0)
    shares = np.array([0.1, 0.3, 0.6])
    found = [total_mismatch(random.multinomial(1000, shares) / 1000) for _ in range(500)]
    error, *_ = intervals.of_unevenness(1000 * shares, total_mismatch, random)
    assert error == pytest.approx(np.std(found), rel=0.15)
