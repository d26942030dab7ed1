"""What terms see: the functions themselves, and where they are evaluated."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from infovae_core.bounds import BOUNDS, FREE
from infovae_core.distributions import DiagonalNormal
from infovae_core.divergences import KERNELS, svgd_direction, witness
from infovae_core.model import Pass
from infovae_core.objectives import InfoVAE
from infovae_core.sights import Field, Flow, Sample, Scores, even_noise
from infovae_core.terms import DIVERGENCES, MutualInformation, Rate


def sample(n=40, d=2):
    return Sample(torch.rand(n, 3, 3), 0.5 + torch.randn(n, d), torch.randn(n, d))


class LogRatio(nn.Module):
    """The optimal critic of q = N(1, ½): log p(z)/q(z)."""

    def forward(self, z):
        return Normal(0, 1).log_prob(z) - Normal(1, 0.5**0.5).log_prob(z)


def test_the_rate_sees_nothing():
    assert Rate().sight is None
    assert Rate().sees(sample()) is None


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_sees_its_witness(kernel):
    seen, z = sample(), torch.randn(9, 2)
    sight = DIVERGENCES["mmd"](InfoVAE(kernel=kernel)).sees(seen)
    torch.testing.assert_close(sight.of(z), witness(z, seen.z, seen.prior, kernel))


@pytest.mark.parametrize("name", ["jensen", "kl"])
def test_an_optimal_critic_sees_the_density_ratio_positive_where_there_are_too_many_codes(name):
    z = torch.linspace(-3, 3, 13)[:, None]
    f = DIVERGENCES[name](InfoVAE(divergence=name)).sees(sample(d=1), LogRatio()).of(z)
    ratio = (0.5 * z.square() - (z - 1).square() + 0.5 * math.log(2)).squeeze(1)  # log q/p
    torch.testing.assert_close(f, ratio)
    assert f[8] > 0 > f[0]  # at the mean of q, and far from it


@pytest.mark.parametrize("d", [1, 2, 5])
def test_stein_sees_the_direction_that_it_follows(d):
    seen, z = sample(d=d), torch.randn(9, d)
    flow = DIVERGENCES["stein"](InfoVAE(divergence="stein")).sees(seen).of(z)
    torch.testing.assert_close(flow, svgd_direction(seen.z, d**0.5, z))


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_critic_of_pairs_shows_the_scores_that_make_its_bound(bound):
    term, seen = MutualInformation(bound, widths=(8,)), sample()
    critic, x = term.make_critic(9, 2), seen.x.flatten(1)
    kept = critic.log_denominator.clone()
    with torch.no_grad():
        sight = term.sees(seen, critic)
        q = DiagonalNormal.of(seen.z, torch.ones_like(seen.z))
        value = term(Pass(seen.x, q, seen.z, seen.z[:, 0], seen.prior), critic)
        torch.testing.assert_close(sight.bound, value)
        torch.testing.assert_close(sight.together, critic(x, seen.z))
        rolled = critic(x, seen.z.roll(1, 0))
        apart, each = sight.apart.view(40, -1), torch.arange(40)
        assert apart.shape[1] == (39 if bound == "nce" else 1)  # codes of every other image
        torch.testing.assert_close(apart[each, each - 1 if bound == "nce" else 0], rolled)
    assert torch.equal(critic.log_denominator, kept)


@pytest.mark.parametrize("bound", BOUNDS)
def test_what_a_critic_of_pairs_shows_is_named_t_only_where_its_output_is_t(bound):
    """The bound of free outputs is that of t itself wherever these are one function."""
    is_t = FREE[bound] is BOUNDS[bound]
    assert ("critic's t at" in MutualInformation(bound).sight) == is_t
    assert ("log of a density ratio" in MutualInformation(bound).sight) == (not is_t)


@pytest.mark.parametrize("d", [1, 2])
def test_a_field_is_evaluated_on_a_grid_around_prior_and_codes(d):
    codes = 0.1 * torch.randn(200, d)
    slope = torch.tensor([1.0, 10.0])[:d]
    for far in (0.0, 4.0, 1000.0, math.nan):
        codes[0], codes[1:20] = 1e4, far  # one that is lost does not count
        arrays = Field(lambda z: z @ slope).arrays(codes)
        field, reach = arrays["field"], arrays["reach"].item()
        assert max(5, min(0 if math.isnan(far) else far, 12)) <= reach <= 12
        axis = torch.linspace(-reach, reach, len(field))
        expected = axis if d == 1 else axis[:, None] + 10 * axis
        torch.testing.assert_close(field, expected)


def test_of_more_dimensions_a_field_is_evaluated_at_the_codes():
    codes = torch.randn(30, 3)
    arrays = Field(lambda z: z.square().sum(1)).arrays(codes)
    assert arrays.keys() == {"field"}
    torch.testing.assert_close(arrays["field"], codes.square().sum(1))


@pytest.mark.parametrize("count", [1, 7, 500])
def test_a_flow_is_evaluated_at_few_codes_from_all_parts(count):
    codes = torch.randn(count, 3)
    arrays = Flow(torch.neg).arrays(codes)
    pushed = arrays["pushed"].long()
    assert torch.equal(arrays["flow"], -codes[pushed])
    assert pushed.tolist() == sorted(set(pushed.tolist()))
    assert (pushed[0], pushed[-1], len(pushed)) == (0, count - 1, min(count, 60))


def test_scores_are_kept_as_they_are():
    scores = torch.arange(3.0), torch.arange(5.0), torch.tensor(0.5)
    assert list(Scores(*scores).arrays(torch.randn(4, 2)).values()) == list(scores)


@pytest.mark.parametrize("d", [1, 10])
def test_even_noise_has_the_prior_s_averages_more_closely_than_chance(d):
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    noise = even_noise(1500, d, seed=1)
    assert torch.equal(torch.randn(2), expected)  # its own generator
    assert torch.equal(noise, even_noise(1500, d, seed=1))
    assert not torch.equal(noise, even_noise(1500, d, seed=2))
    chance = 1500**-0.5
    assert noise.mean(0).abs().max() < 0.2 * chance
    assert (noise.square().mean(0) - 1).abs().max() < 0.5 * chance
    between = (noise.T @ noise / 1500).fill_diagonal_(0)
    assert between.abs().max() < 3 * chance
    assert torch.special.ndtr(noise[:, 0]).sort().values == pytest.approx(
        (torch.arange(1500) + 0.5) / 1500, abs=0.005
    )
