"""Estimators on pairs whose mutual information is known, and the studies that run them."""

import math
from collections import defaultdict
from functools import cache
from itertools import islice

import pytest
import torch
from pydantic import ValidationError

from infovae_core import information
from infovae_core.estimators import mutual_information
from infovae_core.information import ESTIMATORS, PROCEDURES, train_critics, vary_points
from infovae_core.studies import STUDIES, BoundStudy, PointStudy, correlation_of, information_of
from tests.oracles import GaussianPair

QUICK = {"steps": 500, "width": 32, "batch_size": 32}


class FewPoints(PointStudy):
    """Up to a thousand points, which take no second."""

    POINTS = (10, 100, 1000)


@cache
def rows(study):
    """Values by kind and place, of all rows of a study."""
    found = defaultdict(dict)
    for report in PROCEDURES[study.study](study):
        for row in report.rows:
            found[row.kind][row.at] = row.values
    assert report.done == study.work
    assert report.rows
    return found


def beginning(study):
    """The first of what a study reports."""
    return list(islice(PROCEDURES[study.study](study), 45))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("dimension", [1, 2, 20])
def test_the_exact_value_is_the_pairs(dimension, rho):
    exact = GaussianPair(rho, dimension).information
    assert BoundStudy(dimension=dimension, rho=rho).exact == pytest.approx(exact)
    assert correlation_of(dimension, information_of(dimension, rho)) == pytest.approx(rho)


def test_images_and_codes_are_the_pair_and_the_posterior_is_that_of_the_codes():
    study = PointStudy(dimension=2, information=1.5)
    p = information.draw(40_000, study, torch.Generator().manual_seed(0))
    pair = GaussianPair(study.rho, 2)
    assert pair.information == pytest.approx(1.5)
    covariance = torch.cat((p.x, p.z), 1).T.cov()
    expected = torch.eye(4)
    expected[:2, 2:] = expected[2:, :2] = study.rho * torch.eye(2)
    torch.testing.assert_close(covariance, expected, atol=0.03, rtol=0)
    log_ratio = p.q.log_prob(p.z) - torch.distributions.Normal(0, 1).log_prob(p.z).sum(1)
    torch.testing.assert_close(log_ratio, pair.log_ratio(p.x, p.z))


@pytest.mark.parametrize(
    ("dimension", "rho", "share"),  # of the exact value that is to be reached in 500 steps
    [(1, 0.9, 0.85), (2, 0.8, 0.85), (20, 0.5, 0.3)],
)
def test_critics_find_the_information_and_are_not_above_it(dimension, rho, share):
    study = BoundStudy(dimension=dimension, rho=rho, **QUICK)
    late, spread = (rows(study)[f"late {kind}"][500] for kind in ("mean", "sd"))
    for name in ("kl", "mine", "nce"):
        error = 3 * spread[name] / math.sqrt(125)
        assert share * study.exact - error < late[name] < study.exact + 0.05 + error, name
    assert late["nce"] > 0.6 * study.exact  # soon there, also in many dimensions


def test_infonce_never_passes_log_b_where_the_others_do():
    study = BoundStudy(dimension=20, rho=0.99, **QUICK | {"batch_size": 16})
    values = [row["nce"] for row in rows(study)["mean"].values()]
    assert max(values) <= math.log(16)
    assert values[-1] > 0.99 * math.log(16)
    assert rows(study)["late mean"][500]["mine"] > 2 * math.log(16)


def test_a_small_batch_lets_donsker_varadhan_run_away_and_not_mine():
    study = BoundStudy(dimension=5, rho=0.8, **QUICK | {"batch_size": 16})
    late = rows(study)["late mean"][500]
    assert late["dv"] > 1.2 * study.exact
    assert late["mine"] < 1.2 * study.exact


def test_critics_begin_alike_and_see_the_same_pairs():
    study = BoundStudy(dimension=2, rho=0.8, **QUICK)
    first, second = (make((8, 8)) for make in (ESTIMATORS["kl"], ESTIMATORS["nce"]))
    weights = [information.make_critic(term, study).state_dict() for term in (first, second)]
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))


def test_dv_and_mine_are_one_value_and_two_gradients():
    study = BoundStudy(dimension=2, rho=0.8, **QUICK)
    p = information.draw(16, study, torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for name in ("dv", "mine"):
        term = ESTIMATORS[name]((8, 8))
        critic = information.make_critic(term, study)
        critic.log_denominator.fill_(3.0)  # what earlier batches had
        loss = term.critic_loss(p, critic)
        losses.append(loss.detach())
        gradients += torch.autograd.grad(loss, critic.layers[0].weight)
    torch.testing.assert_close(*losses)
    assert not torch.allclose(*gradients)


def test_late_rows_are_of_all_steps_of_the_last_quarter():
    kinds = rows(BoundStudy(dimension=2, rho=0.8, **QUICK))
    steps, each = range(310, 401, 10), 10
    means, sds = (torch.tensor([kinds[k][at]["nce"] for at in steps]) for k in ("mean", "sd"))
    squares = (each - 1) * sds.square().sum() + each * (means - means.mean()).square().sum()
    late, spread = (kinds[f"late {kind}"][400]["nce"] for kind in ("mean", "sd"))
    assert late == pytest.approx(means.mean().item())
    assert spread == pytest.approx(math.sqrt(squares / (len(steps) * each - 1)))


@pytest.mark.parametrize("name", STUDIES)
def test_equal_settings_give_equal_rows_and_others_do_not(name):
    study = STUDIES[name]()
    assert beginning(study) == beginning(study)
    assert beginning(study) != beginning(study.model_copy(update={"seed": 1}))


@pytest.mark.parametrize(("dimension", "exact"), [(1, 1.0), (2, 3.0), (20, 3.0)])
def test_points_come_up_to_the_information_from_below(dimension, exact):
    study = FewPoints(dimension=dimension, information=exact)
    means, spreads = rows(study)["mean"], rows(study)["sd"]
    estimates = [means[n]["empirical"] for n in study.POINTS]
    for n, estimate, times in zip(study.POINTS, estimates, study.repeats, strict=True):
        error = 4 * spreads[n]["empirical"] / math.sqrt(times)
        assert estimate < min(exact, math.log(n)) + error
    assert estimates == sorted(estimates)
    assert estimates[-1] == pytest.approx(exact, abs=0.2)


def test_points_too_few_for_the_information_come_to_log_n():
    study = FewPoints(dimension=2, information=12)
    for n, values in rows(study)["mean"].items():
        assert 0.95 * math.log(n) < values["empirical"] <= math.log(n) + 1e-9


def test_the_mean_and_spread_are_those_of_the_repeats():
    study = FewPoints()
    generator = torch.Generator().manual_seed(information.seed_of(study.seed, "points"))
    draws = (information.draw(10, study, generator) for _ in range(study.repeats[0]))
    values = torch.stack([mutual_information(p.q, p.z) for p in draws])
    [mean, sd] = next(report.rows for report in vary_points(study) if report.rows)
    assert mean.values["empirical"] == pytest.approx(values.mean().item())
    assert sd.values["empirical"] == pytest.approx(values.std().item())


def test_a_study_names_itself_after_its_settings():
    one, same = BoundStudy(rho=0.5), BoundStudy(rho=0.5, steps=2000)
    assert one.id == same.id
    others = {BoundStudy(rho=0.51).id, BoundStudy(rho=0.5, seed=1).id, PointStudy().id}
    assert len(others | {one.id}) == 4


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_goes_through_json_and_refuses_what_it_does_not_know(name):
    study = STUDIES[name](seed=3)
    assert STUDIES[name].model_validate_json(study.model_dump_json()) == study
    for wrong in ({"dimension": 0}, {"seed": -1}, {"bound": "kl"}):
        with pytest.raises(ValidationError):
            STUDIES[name].model_validate(wrong)


def test_a_training_beside_it_is_not_disturbed():
    before = torch.get_rng_state()
    next(train_critics(BoundStudy(**QUICK)))
    next(vary_points(PointStudy()))
    assert torch.equal(torch.get_rng_state(), before)
