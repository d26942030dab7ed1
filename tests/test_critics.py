import math

import pytest
import torch

from infovae_core import critics
from infovae_core.critics import Coded
from infovae_core.distributions import DiagonalNormal
from infovae_core.intervals import Z
from infovae_core.terms import MutualInformation
from tests.oracles import GaussianPair, optimal_critic

TERMS = {
    "mine": MutualInformation("dv", (32,)),
    "donsker_varadhan": MutualInformation("dv", (32,), moving=1.0),
    "f_dual": MutualInformation("kl", (32,)),
    "info_nce": MutualInformation("nce", (32,)),
}


def coded(oracle, count):
    """Images x ~ N(0, I) with the posteriors N(ρ x, 1 − ρ²) of the pair."""
    x = torch.randn(count, oracle.d)
    spread = math.sqrt(1 - oracle.rho**2)
    return critics.coded(x, DiagonalNormal.of(oracle.rho * x, torch.full_like(x, spread)))


def drawn(images, seed=0):
    return images.draw(torch.Generator().manual_seed(1000 + seed))  # not the stream of x


@pytest.mark.parametrize("name", TERMS)
def test_an_optimal_critic_reports_the_information(name):
    oracle, term = GaussianPair(0.7, 2), TERMS[name]
    critic = optimal_critic(oracle, shift=float(name == "f_dual"))
    value, error = critics.report(term, critic, drawn(coded(oracle, 2000)), 1000)
    assert value == pytest.approx(oracle.information, abs=4 * error)
    assert error < 0.1 * oracle.information


@pytest.mark.parametrize("name", TERMS)
def test_errors_of_a_report_are_those_of_fresh_images(name):
    oracle, term, held = GaussianPair(0.6, 2), TERMS[name], 0
    critic = optimal_critic(oracle, shift=float(name == "f_dual"))
    for repeat in range(150):
        value, error = critics.report(term, critic, drawn(coded(oracle, 200), repeat), 200)
        held += abs(value - oracle.information) <= Z * error
    assert 0.9 <= held / 150 <= 0.99


@pytest.mark.parametrize("count", [10, 100])
def test_infonce_is_capped_by_the_size_of_its_groups_also_for_a_perfect_critic(count):
    x = torch.eye(count)
    p = drawn(Coded(x, 100 * x, torch.full_like(x, 1e-3)))

    def perfect(x, z):
        return 1e4 * (x * z).sum(-1)

    for group in (5, count):
        value, _ = critics.report(TERMS["info_nce"], perfect, p, group)
        assert value == pytest.approx(math.log(group))
    assert [critics.groups(count, size) for size in (count // 3, count, 2 * count)] == [3, 1, 1]


@pytest.mark.parametrize("name", TERMS)
def test_a_report_scores_a_bounded_number_of_pairs_at_once(name):
    oracle, seen = GaussianPair(0.7, 2), []
    optimal = optimal_critic(oracle)

    def critic(x, z):
        scores = optimal(x, z)
        seen.append(scores.numel())
        return scores

    critics.report(TERMS[name], critic, drawn(coded(oracle, 3000)), 512)
    assert sum(seen) >= 3000 * min(critics.SHIFTS, 512)
    assert max(seen) <= critics.BLOCK * critics.SHIFTS


@pytest.mark.parametrize("name", TERMS)
def test_a_fresh_critic_finds_most_of_the_information_and_no_more(name):
    oracle = GaussianPair(0.8, 1)
    fitted = critics.fit(
        TERMS[name],
        coded(oracle, 3000),
        torch.Generator().manual_seed(0),
        seed=0,
        steps=400,
        batch=64,
        learning_rate=3e-3,
    )
    value, error = critics.report(TERMS[name], fitted.critic, drawn(coded(oracle, 2000)), 512)
    assert 0.75 * oracle.information < value < oracle.information + 3 * error
    assert 0 < fitted.steps <= 400


@pytest.mark.parametrize("name", TERMS)
def test_a_critic_that_has_blown_up_is_above_what_its_pairs_can_bear_out(name):
    """It misses the pairs that would punish it: of 40 images' none is near another's code."""
    x = torch.eye(40)
    p = drawn(Coded(x, x, torch.full_like(x, 1e-3)))

    def wild(x, z):
        return 100 * (x * z).sum(-1) - 50

    value, _ = critics.report(TERMS[name], wild, p, 40)
    cap = critics.ceiling(TERMS[name], 40, 40)
    if name == "info_nce":
        assert value == pytest.approx(cap) == pytest.approx(math.log(40))
    else:
        assert cap == pytest.approx(math.log(40 * 39))
        assert value > cap


def test_a_critic_that_blows_up_while_it_learns_is_not_kept(monkeypatch):
    term, images = TERMS["donsker_varadhan"], coded(GaussianPair(0.5), 200)
    values = iter((1.0, 50.0, 0.5))
    monkeypatch.setattr(critics, "CHECK", 5)
    monkeypatch.setattr(critics, "report", lambda *_: critics.Bounded(next(values), 0.1))
    fitted = critics.fit(term, images, torch.Generator().manual_seed(0), 0, steps=15, batch=16)
    assert fitted.steps == 5


def test_a_critic_that_learns_its_images_by_heart_gets_nothing_for_it():
    """Images and codes are unrelated, and few enough to be remembered."""
    term = MutualInformation("dv", (128,))
    few, others = coded(GaussianPair(0.0, 20), 60), coded(GaussianPair(0.0, 20), 500)
    fitted = critics.fit(
        term, few, torch.Generator().manual_seed(0), seed=0, steps=300, batch=48, learning_rate=1e-2
    )
    value, error = critics.report(term, fitted.critic, drawn(others), 512)
    assert value < 3 * error


def test_fitting_leaves_the_process_stream_alone():
    images = coded(GaussianPair(0.5), 100)
    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    one, two = (
        critics.fit(TERMS["mine"], images, torch.Generator().manual_seed(1), 2, steps=20, batch=16)
        for _ in range(2)
    )
    assert torch.equal(torch.randn(4), expected)
    for a, b in zip(one.critic.parameters(), two.critic.parameters(), strict=True):
        assert torch.equal(a, b)
