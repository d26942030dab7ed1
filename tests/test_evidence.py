import math

import pytest
import torch

from infovae_core import evidence
from tests.oracles import ProbabilisticPCA


@pytest.fixture
def oracle():
    return ProbabilisticPCA()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Importance sampling


@pytest.mark.parametrize("samples", [1, 7, 2500])
def test_importance_sampling_by_the_exact_encoder_is_exact(oracle, samples):
    """Then all weights are equal: p(x|z) p(z)/q(z|x) is p(x) at every z."""
    x = oracle.sample(5)
    found = evidence.importance(oracle.model, x, samples, generator())
    torch.testing.assert_close(found.log_px, oracle.log_evidence(x))
    assert found.effective.tolist() == pytest.approx([samples] * 5)


def test_importance_sampling_rises_from_the_elbo_to_log_p(oracle):
    oracle.worsen()
    x = oracle.sample(400)
    truth = oracle.log_evidence(x)
    with torch.no_grad():
        elbo = torch.stack([elbo_of(oracle.model(x)) for _ in range(100)]).mean(0)
    values = [evidence.importance(oracle.model, x, k, generator()).log_px for k in (1, 5, 50, 4000)]
    errors = [(value - truth).std().item() / math.sqrt(400) for value in values]
    one, *more = [(value - truth).mean().item() for value in values]
    assert one == pytest.approx((elbo - truth).mean().item(), abs=4 * errors[0])
    assert one < -0.2
    assert one < more[0] < more[1] < more[2] < 0.01
    assert more[2] == pytest.approx(0, abs=0.01)


def elbo_of(p):
    return p.log_px - p.rate


def test_the_three_densities_are_of_the_same_draws(oracle, monkeypatch):
    """log p(x|z) with the closed-form KL instead is no bound: it passes log p(x)."""
    monkeypatch.setattr(evidence, "PASSES", 10**6)  # all at once
    x, samples = oracle.sample(300), 200
    oracle.worsen(shift=0.0)
    found = evidence.importance(oracle.model, x, samples, generator())
    with torch.no_grad():
        q, noise = oracle.model.posterior(x), torch.randn(samples, 300, 3, generator=generator())
        z = q.mean + q.stddev * noise
        log_px = torch.stack([oracle.model.decode(codes).log_prob(x) for codes in z])
        weights = log_px + torch.distributions.Normal(0, 1).log_prob(z).sum(2) - q.log_prob(z)
        mixed = log_px.logsumexp(0) - math.log(samples) - oracle.model(x).rate
    torch.testing.assert_close(found.log_px, weights.logsumexp(0) - math.log(samples))
    truth = oracle.log_evidence(x).mean().item()
    assert mixed.mean() > truth + 0.2
    assert found.log_px.mean().item() == pytest.approx(truth, abs=0.05)


def test_effective_draws_count_equal_weights(oracle):
    oracle.worsen(shift=1.0)
    effective = evidence.importance(oracle.model, oracle.sample(50), 400, generator()).effective
    assert effective.min() >= 1
    assert effective.max() < 350


@pytest.mark.parametrize("passes", [1, 60, 10_000])
def test_blocks_change_the_draws_only(oracle, passes, monkeypatch):
    monkeypatch.setattr(evidence, "PASSES", passes)
    oracle.worsen()
    x, done = oracle.sample(9), []
    found = evidence.importance(oracle.model, x, 200, generator(), done.append)
    assert found.log_px.tolist() == pytest.approx(oracle.log_evidence(x).tolist(), abs=0.5)
    assert done == sorted(done)
    assert done[-1] == 1


# Annealed importance sampling


def test_annealing_is_exact_in_the_limit_whatever_the_encoder(oracle):
    x = oracle.sample(6)
    truth = oracle.log_evidence(x)
    oracle.worsen(shift=100.0)
    errors = []
    for steps in (4, 40, 400):
        found = evidence.annealing(oracle.model, x, steps, generator=generator())
        errors.append((found.log_px - truth).abs().mean().item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.12
    assert found.log_weights.shape == (6, 16)
    assert found.log_weights.std(1).mean() < 0.5
    assert found.acceptance == pytest.approx(evidence.ACCEPTANCE, abs=0.07)


def test_annealed_weights_are_unbiased_however_few_the_temperatures(oracle):
    """Step sizes adapted by the very chains that they move would spoil that."""
    x = oracle.sample(1)
    found = evidence.annealing(oracle.model, x.expand(150, -1), 8, 16, generator())
    weights = (found.log_weights - oracle.log_evidence(x)).exp().flatten()
    assert weights.std() > 1
    assert weights.mean().item() == pytest.approx(1, abs=4 * weights.std().item() / math.sqrt(2400))


def test_temperatures_rise_from_0_to_1_slowly_at_both_ends():
    grid = torch.tensor(evidence.temperatures(50))
    steps = grid.diff()
    assert (grid[0], grid[-1]) == (0, 1)
    assert steps.min() > 0
    assert max(steps[0], steps[-1]) < steps.max() / 5


def test_annealing_tells_how_far_it_is_and_leaves_no_gradients(oracle):
    done = []
    evidence.annealing(oracle.model, oracle.sample(120), 5, 16, generator(), done.append)
    assert done == sorted(done)
    assert done[-1] == 1
    assert len(done) > 5
    assert all(w.grad is None for w in oracle.model.parameters())
