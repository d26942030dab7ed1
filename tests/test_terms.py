"""Divergences as terms of a loss: their values against closed forms, and what they do alone."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import softplus

from infovae_core.distributions import DiagonalNormal
from infovae_core.divergences import KERNELS, mmd2, svgd_direction
from infovae_core.model import Pass
from infovae_core.objectives import InfoVAE
from infovae_core.terms import DIVERGENCES, Jensen, MarginalKL, Stein
from tests.oracles import draw

N = 40_000
M, V = 0.6, 0.5  # q(z) = N(M, V)


def as_pass(z):
    return Pass(z, DiagonalNormal.of(z, torch.ones_like(z)), z, z[:, 0], torch.randn_like(z))


class LogRatio(nn.Module):
    """The optimal critic of q = N(M, V): log p(z)/q(z)."""

    def forward(self, z):
        return Normal(0, 1).log_prob(z) - Normal(M, V**0.5).log_prob(z)


def codes():
    return M + V**0.5 * torch.randn(N, 1)


def test_marginal_kl_with_the_optimal_critic_is_the_closed_form():
    p, exact = as_pass(codes()), 0.5 * (V + M**2 - 1 - math.log(V))
    error = 4 * LogRatio()(p.z).std().item() / N**0.5
    assert MarginalKL()(p, LogRatio()).item() == pytest.approx(exact, abs=error)


def jensen_shannon():
    grid = torch.linspace(-8, 8, 8001)
    p, q = Normal(0, 1).log_prob(grid).exp(), Normal(M, V**0.5).log_prob(grid).exp()
    middle = (p + q) / 2
    integrand = (p * (p / middle).log() + q * (q / middle).log()) / 2
    return torch.trapezoid(integrand.nan_to_num(), grid).item()


def test_jensen_with_the_optimal_critic_is_the_divergence():
    value = Jensen()(as_pass(codes()), LogRatio()).item()
    assert value == pytest.approx(jensen_shannon(), abs=4 / N**0.5)


def test_jensen_shows_the_divergence_and_follows_the_non_saturating_loss():
    z = codes()[:50].requires_grad_()
    [followed] = torch.autograd.grad(Jensen()(as_pass(z), LogRatio()), z)
    [expected] = torch.autograd.grad(-LogRatio()(z).sigmoid().log().mean(), z)
    torch.testing.assert_close(followed, expected)


@pytest.mark.parametrize(
    ("d", "mean", "variance"), [(1, 0.6, 0.5), (2, 0.5, 0.6), (20, 0.15, 0.85)]
)
def test_a_trained_critic_finds_both_divergences(d, mean, variance):
    prior = DiagonalNormal.of(torch.zeros(d), torch.ones(d))
    q = DiagonalNormal.of(torch.full((d,), mean), torch.full((d,), variance**0.5))
    term, steps = Jensen(widths=(32, 32)), 700
    critic = term.make_critic(d, d)
    adam = torch.optim.Adam(critic.parameters(), 4e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        loss = term.critic_loss(as_pass(draw(q, (512,))), critic)
        adam.zero_grad()
        loss.backward()
        adam.step()
        decay.step()
    with torch.no_grad():
        p = as_pass(draw(q, (N,)))
        exact = d * 0.5 * (variance + mean**2 - 1 - math.log(variance))
        assert MarginalKL()(p, critic).item() == pytest.approx(exact, abs=0.04)
        on_q, on_p = (prior.log_prob(z) - q.log_prob(z) for z in (p.z, p.prior))
        jsd = math.log(2) - 0.5 * (softplus(-on_p).mean() + softplus(on_q).mean()).item()
        assert term(p, critic).item() == pytest.approx(jsd, abs=0.01)


def test_stein_shows_the_discrepancy_and_follows_svgd():
    z = (1 + torch.randn(40, 2)).requires_grad_()
    [followed] = torch.autograd.grad(Stein()(as_pass(z)), z)
    torch.testing.assert_close(followed, -svgd_direction(z.detach(), 2**0.5) / 40)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_shows_the_unbiased_value_and_follows_the_chosen_statistic(kernel):
    z = (1 + torch.randn(12, 2)).requires_grad_()
    for statistic in ("u", "v"):
        p = as_pass(z)
        term = DIVERGENCES["mmd"](InfoVAE(kernel=kernel, statistic=statistic))
        value = term(p)
        torch.testing.assert_close(value, mmd2(z, p.prior, kernel))
        [followed] = torch.autograd.grad(value, z)
        [expected] = torch.autograd.grad(mmd2(z, p.prior, kernel, statistic == "u"), z)
        torch.testing.assert_close(followed, expected)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_each_divergence_alone_carries_a_mixture_onto_the_prior(name):
    term = DIVERGENCES[name](InfoVAE(divergence=name, critic_widths=(32, 32)))
    z = 0.3 * torch.randn(256, 2) + torch.tensor([3.0, 0]) * torch.randn(256, 1).sign()
    z.requires_grad_()
    critic = term.make_critic(2, 2)
    adam = torch.optim.Adam([z], 2e-2)
    if critic is not None:
        critic_adam = torch.optim.Adam(critic.parameters(), 2e-3, betas=(0.5, 0.9))
    prior = torch.randn(2000, 2)
    before = mmd2(z.detach(), prior).item()
    for _ in range(900):
        p = as_pass(z)
        if critic is not None:
            critic_adam.zero_grad()
            term.critic_loss(p.detach(), critic).backward()
            critic_adam.step()
        adam.zero_grad()
        term(p, critic).backward(inputs=[z])
        adam.step()
    after = z.detach()
    assert mmd2(after, prior).item() < 0.06 * before
    assert after.mean(0).norm().item() < 0.3
    assert torch.linalg.eigvalsh(after.T.cov()).tolist() == pytest.approx([1, 1], abs=0.45)


@pytest.mark.parametrize("name", ["jensen", "kl"])
def test_an_adversarial_divergence_without_its_critic_says_what_is_missing(name):
    with pytest.raises(ValueError, match="make_critic"):
        DIVERGENCES[name](InfoVAE(divergence=name))(as_pass(codes()[:5]))
