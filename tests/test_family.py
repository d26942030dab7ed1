"""The (α, λ) plane: objectives have the coefficients of the points that they lie at, and back."""

import itertools

import pytest
from pydantic import ValidationError

from infovae_core.bounds import BOUNDS
from infovae_core.family import coordinates, settings_at
from infovae_core.objectives import OBJECTIVES, VAE, BetaVAE, InfoMaxVAE, InfoVAE, Objective
from tests.test_objectives import assert_same

MEMBERS = [
    VAE(),
    *(BetaVAE(beta=beta) for beta in (0, 0.1, 0.3, 1.1, 4, 100)),
    *(InfoVAE(alpha=alpha, lam=lam) for alpha, lam in ((0, 1), (1, 1), (0.3, 0.7), (-9, 1e4))),
    *(
        InfoMaxVAE(beta=beta, alpha=alpha)
        for beta, alpha in itertools.product((0, 0.1, 1, 100), repeat=2)
    ),
]


def made(record):
    return OBJECTIVES[record["name"]].model_validate(record)


@pytest.mark.parametrize("objective", MEMBERS, ids=repr)
def test_the_point_of_an_objective_has_its_coefficients(objective):
    """Of R and of KL(q(z) ‖ p(z)); the information of InfoMax is R − KL(q(z) ‖ p(z))."""
    rate, other = (*objective.weights, 0.0)[:2]
    if isinstance(objective, InfoMaxVAE):
        rate, other = rate + other, -other
    alpha, lam = coordinates(objective)
    assert (1 - alpha, alpha + lam - 1) == pytest.approx((rate, other))


@pytest.mark.parametrize("bound", BOUNDS)
def test_only_bounds_on_the_information_lie_on_the_plane(bound):
    there = coordinates(InfoMaxVAE(bound=bound)) is not None
    assert there == (bound in ("kl", "dv", "nce"))


def test_the_published_infomax_rewards_rate():
    assert 1 - coordinates(InfoMaxVAE(beta=1, alpha=10)).alpha == -9


@pytest.mark.parametrize(
    "objective", [VAE(), *(BetaVAE(beta=b) for b in (0, 0.5, 1.1, 4))], ids=repr
)
def test_what_lies_at_a_point_of_the_line_is_one_loss_bit_for_bit(objective):
    point = coordinates(objective)
    assert_same(objective, InfoVAE(alpha=point.alpha, lam=point.lam, divergence="stein"))


@pytest.mark.parametrize("objective", MEMBERS, ids=repr)
def test_there_and_back(objective):
    record = settings_at(*coordinates(objective), objective.name)
    assert made(record) == objective


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_point_has_an_objective_and_those_of_the_forbidden_half_the_one_above(name):
    values = (-99, -10, -0.4, 0, 0.05, 0.7, 1, 1.3, 20, 100)
    for alpha, lam in itertools.product(values, (0, 0.05, 0.3, 1, 1.4, 11, 100, 1e5)):
        objective = made(settings_at(alpha, lam, name))
        point = coordinates(objective)
        assert point == pytest.approx((alpha, max(lam, 1 - alpha)))
        assert objective.name in (name, "InfoVAE") or (name, objective.name) == ("VAE", "BetaVAE")


def test_an_objective_stays_what_it_is_where_it_can():
    on_the_line, above = (-3.0, 4.0), (0.5, 10.0)
    assert made(settings_at(0, 1, "VAE")) == VAE()
    assert made(settings_at(*on_the_line, "VAE")) == BetaVAE(beta=4)
    assert made(settings_at(*on_the_line, "BetaVAE")) == BetaVAE(beta=4)
    assert made(settings_at(*above, "BetaVAE")) == InfoVAE(alpha=0.5, lam=10)
    assert made(settings_at(*on_the_line, "InfoVAE")) == InfoVAE(alpha=-3, lam=4)
    assert made(settings_at(*on_the_line, "InfoMaxVAE")) == InfoMaxVAE(beta=4, alpha=0)
    assert made(settings_at(*above, "InfoMaxVAE")) == InfoMaxVAE(beta=10, alpha=9.5)
    assert made(settings_at(0.5, 1000, "InfoMaxVAE")) == InfoVAE(alpha=0.5, lam=1000)


def test_only_what_places_an_objective_is_said():
    assert settings_at(1, 7, "InfoVAE").keys() == {"name", "alpha", "lam"}


def test_a_point_out_of_every_range_is_refused():
    with pytest.raises(ValidationError):
        settings_at(0, 1e9, "InfoMaxVAE")


def test_an_objective_of_another_family_has_no_point():
    assert coordinates(Objective()) is None
