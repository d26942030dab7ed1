"""Family relations, formulas and refusals; each objective against closed forms and differences."""

import json
from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from infovae_core import training
from infovae_core.bounds import BOUNDS
from infovae_core.config import ModelConfig, RunConfig
from infovae_core.divergences import KERNELS, mmd2
from infovae_core.likelihoods import Gaussian
from infovae_core.model import VAE as Model
from infovae_core.networks import mlp
from infovae_core.objectives import (
    INFORMATION,
    OBJECTIVES,
    SYMBOLS,
    VAE,
    BetaVAE,
    Bound,
    Divergence,
    InfoMaxVAE,
    InfoVAE,
    Kernel,
)
from infovae_core.terms import DIVERGENCES, Rate
from tests.oracles import LinearEncoder, ProbabilisticPCA


def tiny(seed=0):
    torch.manual_seed(seed)
    config = ModelConfig(widths=(5,), activation="tanh", latent_dim=2)
    return Model(*mlp((4,), (4,), config), Gaussian(0.5), 2)


def value_and_gradient(objective):
    """Loss and its gradient of one model on one batch, with the noise fixed."""
    model = tiny()
    torch.manual_seed(1)
    p = model(torch.rand(8, 4), torch.randn(2, 8, 2))
    critics = {
        t.name: critic for _, t in objective.terms() if (critic := t.make_critic(4, 2)) is not None
    }
    total = objective.loss(p, critics).total
    total.backward()
    return total.detach(), [w.grad for w in model.parameters()]


def assert_same(one, other):
    (value, gradient), (value2, gradient2) = value_and_gradient(one), value_and_gradient(other)
    assert torch.equal(value, value2)
    assert all(map(torch.equal, gradient, gradient2))


def test_vae_is_infovae_at_0_1_and_beta_vae_at_1_bit_for_bit():
    assert_same(VAE(), InfoVAE(alpha=0, lam=1))
    assert_same(VAE(), BetaVAE(beta=1))


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_beta_vae_is_infovae_on_the_line_alpha_plus_lam_is_1_whatever_the_divergence(
    beta, divergence
):
    assert_same(BetaVAE(beta=beta), InfoVAE(alpha=1 - beta, lam=beta, divergence=divergence))


def test_mmd_vae_has_no_rate_in_its_gradient():
    p = tiny()(torch.rand(8, 4), torch.randn(2, 8, 2))
    loss = InfoVAE(alpha=1, lam=7).loss(p, {})
    expected = p.distortion.mean() + 7 * mmd2(p.z, p.prior)
    torch.testing.assert_close(loss.total, expected)
    assert loss.parts["rate"].item() > 0
    assert not loss.parts["rate"].requires_grad


@pytest.mark.parametrize(("beta", "alpha"), [(1, 0), (1, 10), (0.1, 2), (4, 1)])
def test_infomax_is_infovae_at_its_image_with_exact_information_and_marginal_kl(beta, alpha):
    oracle = LinearEncoder(
        torch.randn(2, 3), torch.randn(2), torch.diag(torch.rand(2) + 0.1), torch.eye(3)
    )
    rate, information, marginal = oracle.rate, oracle.information, oracle.marginal_kl
    assert rate == pytest.approx(information + marginal)

    def value(objective, other):
        first, second = objective.weights
        return first * rate + second * other

    image = InfoVAE(alpha=1 - beta + alpha, lam=beta)
    assert value(InfoMaxVAE(beta=beta, alpha=alpha), information) == pytest.approx(
        value(image, marginal)
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_total_is_the_weighted_sum_of_the_parts_that_are_shown(name):
    objective = OBJECTIVES[name]()
    p = tiny()(torch.rand(8, 4), torch.randn(2, 8, 2))
    critics = {t.name: t.make_critic(4, 2) for _, t in objective.terms()}
    total, parts = objective.loss(p, critics)
    weighted = sum(w * parts[t.name] for w, t in objective.terms())
    torch.testing.assert_close(total, parts["distortion"] + weighted)
    assert [w for w, _ in objective.terms()] == list(objective.weights)
    assert len(objective.symbols) == len(objective.weights)


# The others follow another function than they show: test_terms and test_bounds say which.
FOLLOWED = [
    VAE(),
    BetaVAE(),
    *(InfoVAE(kernel=kernel) for kernel in KERNELS),
    InfoVAE(divergence="kl"),
    *(InfoMaxVAE(bound=bound) for bound in BOUNDS if bound != "dv"),
]


@pytest.mark.parametrize("objective", FOLLOWED, ids=repr)
def test_gradient_agrees_with_finite_differences(objective):
    model, x, noise = tiny(), torch.rand(6, 4), torch.randn(2, 6, 2)
    critics = {t.name: t.make_critic(4, 2) for _, t in objective.terms()}
    names, weights = zip(*model.named_parameters(), strict=True)

    def total(*values):
        p = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (x, noise))
        return objective.loss(p, critics).total

    assert torch.autograd.gradcheck(total, weights)


def test_elbo_is_the_evidence_where_the_encoder_is_exact():
    oracle = ProbabilisticPCA()
    x = oracle.sample(50)
    p = oracle.model(x)
    log_ratio = (
        p.q.log_prob(p.z) + 0.5 * p.z.square().sum(1) + 1.5 * torch.tensor(2 * torch.pi).log()
    )
    torch.testing.assert_close(p.log_px - log_ratio, oracle.log_evidence(x))


def test_rate_is_the_information_where_q_of_z_is_the_prior():
    oracle = ProbabilisticPCA()
    p = oracle.model(oracle.sample(20_000))
    error = 4 * p.rate.std().item() / 20_000**0.5
    assert Rate()(p).item() == pytest.approx(oracle.information, abs=error)
    assert VAE().loss(p, {}).total.item() == pytest.approx(
        -oracle.log_evidence(p.x).mean().item(), abs=4 * p.log_px.std().item() / 20_000**0.5
    )


@pytest.mark.parametrize(("alpha", "lam"), [(0.3, 0.2), (0, 0), (-5, 5)])
def test_a_rewarded_divergence_is_refused_with_the_remedy(alpha, lam):
    remedy = rf"alpha \+ lam must be at least 1.*got {alpha:g} \+ {lam:g}; raise lam to at least"
    with pytest.raises(ValidationError, match=remedy):
        InfoVAE(alpha=alpha, lam=lam)


@pytest.mark.parametrize("beta", [0.1, 0.3, 1.1, 2.3, 4.7])
def test_the_line_of_the_beta_vae_is_not_refused_for_rounding(beta):
    assert InfoVAE(alpha=1 - beta, lam=beta).weights == pytest.approx((beta, 0), abs=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_round_trip_through_json_and_through_a_run_config(name):
    objective = OBJECTIVES[name]()
    assert OBJECTIVES[name].model_validate_json(objective.model_dump_json()) == objective
    assert json.loads(objective.model_dump_json())["name"] == name
    config = RunConfig(objective=objective)
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_names_in_configs_are_those_of_the_registries():
    assert get_args(Divergence) == tuple(DIVERGENCES) == tuple(SYMBOLS)
    assert get_args(Kernel) == tuple(KERNELS)
    assert get_args(Bound) == tuple(BOUNDS) == tuple(INFORMATION)


def test_formula_with_numbers():
    assert InfoVAE(alpha=0.5, lam=10).latex() == r"D + 0.5\,R + 9.5\,\mathrm{MMD}^2"
    assert InfoMaxVAE(beta=1, alpha=3).latex() == r"D + R - 3\,\hat I(x; z)"
    assert InfoMaxVAE(alpha=3, bound="pearson").latex() == r"D + R - 3\,\hat I_{\chi^2}(x; z)"
    assert InfoVAE(alpha=0, lam=1001).latex() == r"D + R + 1000\,\mathrm{MMD}^2"
    assert BetaVAE(beta=2e-7).latex() == r"D + 2 \cdot 10^{-7}\,R"
    assert InfoVAE(alpha=2, lam=1).latex() == r"D - R + 2\,\mathrm{MMD}^2"


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_objective_starts_from_the_same_model(name, seed, digits):
    def weights(objective):
        config = RunConfig(objective=objective, training={"seed": seed})
        return torch.cat([w.flatten() for w in training.init(config, digits).model.parameters()])

    assert torch.equal(weights(VAE()), weights(OBJECTIVES[name]()))
