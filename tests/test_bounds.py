import math

import pytest
import torch
from torch import nn

from infovae_core.bounds import BOUNDS, GUARD, guarded_exp, kl
from infovae_core.model import Pass, diagonal_normal
from infovae_core.terms import MutualInformation
from tests.oracles import GaussianPair

N = 40_000


def as_pass(x, z):
    return Pass(x, diagonal_normal(z, torch.ones_like(z)), z, x[:, 0], torch.randn_like(z))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("d", [1, 2])
def test_f_dual_with_the_optimal_critic_is_the_information(rho, d):
    pair = GaussianPair(rho, d)
    x, z = pair.sample(N)
    apart = z.roll(1, 0)
    bound = kl(1 + pair.log_ratio(x, z), 1 + pair.log_ratio(x, apart))
    spread = pair.log_ratio(x, z).std() + pair.log_ratio(x, apart).exp().std()
    assert bound.item() == pytest.approx(pair.information, abs=4 * spread.item() / N**0.5 + 1e-12)


@pytest.mark.parametrize("c", [-1.0, 0.5, 1.0])
def test_shifting_the_optimal_critic_costs_exp_c_minus_1_minus_c(c):
    pair = GaussianPair(0.5)
    x, z = pair.sample(N)
    joint, marginal = pair.log_ratio(x, z) + 1, pair.log_ratio(x, z.roll(1, 0)) + 1
    loss = kl(joint, marginal) - kl(joint + c, marginal + c)
    error = 4 * abs(math.exp(c) - 1) * (marginal - 1).exp().std().item() / N**0.5
    assert loss.item() == pytest.approx(math.exp(c) - 1 - c, abs=error)


@pytest.mark.parametrize("bound", BOUNDS)
def test_no_critic_does_better_than_the_information(bound):
    pair = GaussianPair(0.8)
    x, z = pair.sample(N)
    for scale in (0.3, 0.8, 1.2):
        joint = 1 + scale * pair.log_ratio(x, z)
        marginal = 1 + scale * pair.log_ratio(x, z.roll(1, 0))
        assert BOUNDS[bound](joint, marginal).item() < pair.information + 0.02


def test_guard_is_the_exponential_below_and_its_tangent_above():
    t = torch.linspace(-5, GUARD, 50)
    torch.testing.assert_close(guarded_exp(t), t.exp())
    over = torch.tensor([GUARD + 1e-9, GUARD + 3, 1e4], requires_grad=True)
    value = guarded_exp(over)
    torch.testing.assert_close(value, math.exp(GUARD) * (1 + over - GUARD))
    value.sum().backward()
    torch.testing.assert_close(over.grad, torch.full((3,), math.exp(GUARD)))


def test_term_pairs_each_image_with_another_ones_code_and_all_codes_once():
    seen = []

    class Spy(nn.Module):
        def forward(self, xz):
            seen.append(xz)
            return xz[:, :1]

    x = torch.arange(5.0)[:, None]
    MutualInformation()(as_pass(x, x.clone()), Spy())
    joint, marginal = seen
    assert (joint[:, 0] == joint[:, 1]).all()
    assert (marginal[:, 0] != marginal[:, 1]).all()
    assert sorted(marginal[:, 1].tolist()) == [0, 1, 2, 3, 4]


def test_term_without_its_critic_says_what_is_missing():
    x, z = GaussianPair(0.5).sample(4)
    with pytest.raises(ValueError, match="make_critic"):
        MutualInformation()(as_pass(x, z))


def test_term_lets_the_gradient_through_both_kinds_of_pairs():
    x, z = GaussianPair(0.5).sample(6)
    z.requires_grad_()
    critic = MutualInformation(widths=(8,)).make_critic(1, 1)
    assert torch.autograd.gradcheck(
        lambda codes: MutualInformation()(as_pass(x, codes), critic), (z,)
    )


def test_a_trained_critic_finds_the_information():
    pair, term = GaussianPair(0.8), MutualInformation(widths=(32, 32))
    critic = term.make_critic(1, 1)
    adam = torch.optim.Adam(critic.parameters(), 5e-3)
    for _ in range(600):
        loss = term.critic_loss(as_pass(*pair.sample(256)), critic)
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        value = term(as_pass(*pair.sample(N)), critic).item()
    assert pair.information - 0.1 < value < pair.information + 0.03
