import math

import pytest
import torch
from torch import nn

from infovae_core.bounds import BOUNDS, FREE, GUARD, dv, guarded_exp, kl, nce
from infovae_core.distributions import DiagonalNormal
from infovae_core.model import Pass
from infovae_core.terms import MutualInformation
from tests.oracles import GaussianPair

N = 40_000
PAIRWISE = [name for name in BOUNDS if name != "nce"]

# By bound: the t at which it is tight, from log u, and the value there for one dimension.
OPTIMA = {
    "kl": (lambda r: 1 + r, lambda rho: -0.5 * math.log(1 - rho**2)),
    "dv": (lambda r: r - 3, lambda rho: -0.5 * math.log(1 - rho**2)),
    "reverse_kl": (
        lambda r: -torch.exp(-r),
        lambda rho: rho**2 / (1 - rho**2) + 0.5 * math.log(1 - rho**2),
    ),
    "pearson": (lambda r: 2 * (r.exp() - 1), lambda rho: 1 / (1 - rho**2) - 1),
    "hellinger": (
        lambda r: 1 - torch.exp(-r / 2),
        lambda rho: 2 - 2 * (1 - rho**2) ** 0.25 / (1 - rho**2 / 4) ** 0.5,
    ),
    "js": (lambda r: math.log(2) + r - torch.log1p(r.exp()), None),
}


def as_pass(x, z):
    return Pass(x, DiagonalNormal.of(z, torch.ones_like(z)), z, x[:, 0], torch.randn_like(z))


def ratios(pair, count=N):
    """log u at pairs drawn together and at pairs drawn apart."""
    x, z = pair.sample(count)
    return pair.log_ratio(x, z), pair.log_ratio(x, z.roll(1, 0))


def js_information(rho):
    """2 JSD of the pair from the product of its marginals, by quadrature on a grid."""
    grid = torch.linspace(-9, 9, 1201)
    x, z = torch.meshgrid(grid, grid, indexing="ij")
    apart = torch.exp(-(x**2 + z**2) / 2) / (2 * math.pi)
    u = GaussianPair(rho).log_ratio(x.reshape(-1, 1), z.reshape(-1, 1)).exp().reshape(x.shape)
    integrand = apart * (u * torch.log(2 * u / (1 + u)) + torch.log(2 / (1 + u)))
    return integrand.sum().item() * (grid[1] - grid[0]).item() ** 2


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("bound", PAIRWISE)
def test_each_bound_is_tight_at_its_optimal_critic(bound, rho):
    optimum, exact = OPTIMA[bound]
    values = torch.stack(
        [BOUNDS[bound](*map(optimum, ratios(GaussianPair(rho), 4000))) for _ in range(40)]
    )
    error = values.std().item() / 40**0.5
    expected = js_information(rho) if exact is None else exact(rho)
    assert values.mean().item() == pytest.approx(expected, abs=4 * error + 1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("d", [1, 2, 20])
def test_dv_with_the_optimal_critic_is_the_information(rho, d):
    pair = GaussianPair(rho / d**0.5, d)
    joint, marginal = ratios(pair)
    error = 4 * (joint.std() + marginal.exp().std()).item() / N**0.5
    assert dv(joint, marginal).item() == pytest.approx(pair.information, abs=error + 1e-12)


@pytest.mark.parametrize("bound", PAIRWISE)
@pytest.mark.parametrize("scale", [0.3, 0.8, 1.3])
def test_no_other_critic_does_better(bound, scale):
    optimum, exact = OPTIMA[bound]
    rho = 0.5
    joint, marginal = ratios(GaussianPair(rho))
    other = BOUNDS[bound](optimum(scale * joint + 0.1), optimum(scale * marginal + 0.1))
    best = js_information(rho) if exact is None else exact(rho)
    assert other.item() < best + 0.01


DOMAINS = {  # the t that a free output stands for, where t has a limit
    "reverse_kl": lambda output: -torch.exp(-output),
    "hellinger": lambda output: 1 - torch.exp(-output / 2),
    "js": lambda output: math.log(2) - torch.log1p(torch.exp(-output)),
}


@pytest.mark.parametrize("bound", PAIRWISE)
def test_bounds_of_free_outputs_are_the_bounds_at_the_t_they_stand_for(bound):
    joint, marginal = torch.randn(30), torch.randn(30)
    t = DOMAINS.get(bound, lambda output: output)
    torch.testing.assert_close(FREE[bound](joint, marginal), BOUNDS[bound](t(joint), t(marginal)))


@pytest.mark.parametrize("bound", DOMAINS)
def test_where_t_has_a_limit_the_free_output_is_the_log_ratio(bound):
    r = torch.linspace(-4, 4, 9)
    torch.testing.assert_close(DOMAINS[bound](r), OPTIMA[bound][0](r))


@pytest.mark.parametrize("bound", BOUNDS)
def test_free_outputs_of_any_size_stay_finite_in_single_precision(bound):
    output = torch.tensor([-1e4, -90, -5, 0, 5, 18, 40, 90, 1e4], dtype=torch.float32)
    output.requires_grad_()
    marginal = output.expand(9, 9) if bound == "nce" else output
    value = FREE[bound](output, marginal)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("c", [-1.0, 0.5, 1.0])
def test_a_shifted_optimal_critic_costs_the_f_dual_and_not_dv(c):
    r, apart = ratios(GaussianPair(0.5))
    loss = kl(1 + r, 1 + apart) - kl(1 + r + c, 1 + apart + c)
    error = 4 * abs(math.exp(c) - 1) * apart.exp().std().item() / N**0.5
    assert loss.item() == pytest.approx(math.exp(c) - 1 - c, abs=error)
    torch.testing.assert_close(dv(r, apart), dv(r + c, apart + c))


def test_dv_is_never_below_the_f_dual():
    for _ in range(20):
        joint, marginal = 3 * torch.randn(50), 3 * torch.randn(50)
        assert dv(joint, marginal) >= kl(joint, marginal)


@pytest.mark.parametrize("b", [2, 16])
def test_nce_is_capped_at_log_b_and_indifferent_to_shifts_by_image(b):
    perfect = 100 * torch.eye(b)
    assert nce(perfect.diagonal(), perfect).item() == pytest.approx(math.log(b))
    t, shift = torch.randn(b, b), torch.randn(b, 1)
    torch.testing.assert_close(nce(t.diagonal(), t), nce((t + shift).diagonal(), t + shift))


def test_nce_with_the_optimal_critic_approaches_the_information():
    pair = GaussianPair(0.8)
    x, z = pair.sample(1000)
    every = torch.stack([pair.log_ratio(x_i.expand_as(z), z) for x_i in x])
    assert nce(every.diagonal(), every).item() == pytest.approx(pair.information, abs=0.08)


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
        def forward(self, x, z):
            seen.append((x[:, 0].tolist(), z[:, 0].tolist()))
            return z[:, 0]

    x = torch.arange(5.0)[:, None]
    MutualInformation()(as_pass(x, x.clone()), Spy())
    (images, together), (images2, apart) = seen
    assert images == images2 == together == [0, 1, 2, 3, 4]
    assert all(image != code for image, code in zip(images, apart, strict=True))
    assert sorted(apart) == together


def test_pair_critic_is_the_network_on_the_concatenation_also_for_every_pair():
    critic = MutualInformation(widths=(7, 5)).make_critic(3, 2)
    x, z = torch.randn(4, 3), torch.randn(4, 2)
    expected = critic.layers(torch.cat((x, z), 1)).squeeze(1)
    torch.testing.assert_close(critic(x, z), expected)
    torch.testing.assert_close(critic(x[:, None], z[None]).diagonal(), expected)


@pytest.mark.parametrize("bound", BOUNDS)
def test_term_without_its_critic_says_what_is_missing(bound):
    x, z = GaussianPair(0.5).sample(4)
    with pytest.raises(ValueError, match="make_critic"):
        MutualInformation(bound)(as_pass(x, z))


@pytest.mark.parametrize("bound", BOUNDS)
def test_term_lets_the_gradient_through_both_kinds_of_pairs(bound):
    x, z = GaussianPair(0.5).sample(6)
    z.requires_grad_()
    term = MutualInformation(bound, widths=(8,))
    critic = term.make_critic(1, 1)
    assert torch.autograd.gradcheck(lambda codes: term(as_pass(x, codes), critic), (z,))


def test_dv_shows_the_plain_value_and_follows_the_moving_average():
    x, z = GaussianPair(0.8).sample(64)
    z.requires_grad_()
    term = MutualInformation("dv", widths=(8,))
    critic = term.make_critic(1, 1)
    p = as_pass(x, z)
    joint, marginal = term.scores(p.x, p.z, critic)
    denominator = 2 * marginal.exp().mean().detach()
    critic.log_denominator.copy_(denominator.log())
    value = term(p, critic)
    torch.testing.assert_close(value, dv(joint, marginal))
    [followed] = torch.autograd.grad(value, z)
    [expected] = torch.autograd.grad(joint.mean() - marginal.exp().mean() / denominator, z)
    torch.testing.assert_close(followed, expected)


def test_the_moving_average_moves_with_the_critics_steps_only():
    term = MutualInformation("dv", widths=(8,))
    critic, pair = term.make_critic(1, 1), GaussianPair(0.8)
    first, second = (as_pass(*pair.sample(32)) for _ in range(2))
    term(first, critic)
    assert critic.log_denominator == -math.inf
    means = [term.scores(p.x, p.z, critic)[1].exp().mean().item() for p in (first, second)]
    term.critic_loss(first, critic)
    assert critic.log_denominator.exp().item() == pytest.approx(means[0])
    term.critic_loss(second, critic)
    expected = 0.99 * means[0] + 0.01 * means[1]
    assert critic.log_denominator.exp().item() == pytest.approx(expected)


def test_without_memory_the_critic_follows_dv_itself():
    x, z = GaussianPair(0.8).sample(64)
    term = MutualInformation("dv", widths=(8,), moving=1.0)
    critic = term.make_critic(1, 1)
    for _ in range(2):
        followed = torch.autograd.grad(
            term.critic_loss(as_pass(x, z), critic), critic.layers[0].weight
        )
    plain = -dv(*term.scores(x, z, critic))
    torch.testing.assert_close(followed, torch.autograd.grad(plain, critic.layers[0].weight))


@pytest.mark.parametrize("shift", [-1e4, -100.0, 100.0, 1e4])
@pytest.mark.parametrize("moving", [0.01, 1.0])
def test_dv_follows_the_same_direction_wherever_its_outputs_lie(moving, shift):
    x, z = GaussianPair(0.8).sample(64)
    term = MutualInformation("dv", widths=(8,), moving=moving)
    critic = term.make_critic(1, 1)
    weight, bias = critic.layers[0].weight, critic.layers[-1].bias

    def steps():
        critic.log_denominator.fill_(-math.inf)
        return [
            torch.autograd.grad(term.critic_loss(as_pass(x, z * k), critic), weight)[0]
            for k in (1, 2)
        ]

    before = steps()
    with torch.no_grad():
        bias += shift
    torch.testing.assert_close(steps(), before)


def trained(term, pair, d, steps=400, batch=64):
    """A critic that has seen fresh pairs at every step; the mean of what it says of others."""
    fresh = 256
    if term.bound == "nce":  # which scores every pair of a batch: slow, and soon there
        steps, batch, fresh = steps // 2, 32, 64
    critic = term.make_critic(d, d).float()
    adam = torch.optim.Adam(critic.parameters(), 1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)

    def drawn(count):
        return as_pass(*(part.float() for part in pair.sample(count)))

    for _ in range(steps):
        adam.zero_grad()
        term.critic_loss(drawn(batch), critic).backward()
        adam.step()
        decay.step()
    with torch.no_grad():
        return sum(term(drawn(fresh), critic).item() for _ in range(60)) / 60


@pytest.mark.parametrize("bound", ["kl", "dv", "nce"])
@pytest.mark.parametrize(
    ("rho", "d", "widths", "steps"),
    [
        (0.8, 1, (32, 32), 400),
        (0.4, 1, (32, 32), 400),
        (0.6, 2, (32, 32), 400),
        (0.3, 20, (128,), 1000),  # log u is a sum of products, for which one wide layer does best
    ],
)
def test_a_trained_critic_finds_the_information(bound, rho, d, widths, steps):
    pair = GaussianPair(rho, d)
    found = trained(MutualInformation(bound, widths), pair, d, steps)
    assert pair.information - (0.1 if d < 20 else 0.2) < found < pair.information + 0.04


@pytest.mark.parametrize("bound", ["reverse_kl", "pearson", "hellinger", "js"])
@pytest.mark.parametrize("rho", [0.3, 0.5])
def test_a_trained_critic_finds_the_other_divergences(bound, rho):
    exact = OPTIMA[bound][1]
    expected = js_information(rho) if exact is None else exact(rho)
    found = trained(MutualInformation(bound, widths=(32, 32)), GaussianPair(rho), 1, batch=256)
    assert found == pytest.approx(expected, abs=0.05)
