"""Variational lower bounds on mutual information, as pure functions of a critic's outputs.

Each takes t at pairs (x, z) drawn together and at pairs (x, z̃) drawn apart, and is at most the
divergence of q(x, z) from p(x) q(z) that it is named after; u = q(x, z)/(p(x) q(z)) below. `kl`,
`dv` and `nce` bound the mutual information itself.

Exponentials are guarded: see `guarded_exp`.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Scores = Float[Tensor, "*n"]
Scalar = Float[Tensor, ""]

GUARD = 20.0


def guarded_exp(t: Scores) -> Scores:
    """exp(t) up to t = GUARD, its tangent beyond, so that no batch overflows or loses its slope.

    Beyond it a value is no longer a bound. Over all pairs of N images log u = log q(z|x)/q(z) is at
    most log N, so an optimal critic comes to the guard at N = e²⁰, half a billion.
    """
    excess = (t - GUARD).clamp_min(0)
    return torch.exp(t - excess) * (1 + excess)


def log_mean_exp(t: Scores) -> Scalar:
    """log of the mean of exp(t) over all elements."""
    return t.flatten().logsumexp(0) - math.log(t.numel())


def kl(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] − E[exp(t̃ − 1)] ≤ I(x; z), the f-dual of the KL divergence; nats.

    Tight at t = 1 + log u. An optimal critic shifted by c loses e^c − 1 − c, and the variance
    grows with e^I.

    Source: Nguyen, Wainwright and Jordan 2010; Rezaabad and Vishwanath 2020, eq. 8.
    """
    return joint.mean() - guarded_exp(marginal - 1).mean()


def dv(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] − log E[exp t̃] ≤ I(x; z), Donsker and Varadhan's; nats.

    Tight at t = log u + c for any c, and never below `kl` for the same t.

    Source: Donsker and Varadhan 1983; Belghazi et al. 2018 (MINE), eq. 5.
    """
    return joint.mean() - log_mean_exp(marginal)


def reverse_kl(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] + 1 + E[log(−t̃)] ≤ KL(p(x) q(z) ‖ q(x, z)), t < 0; tight at t = −1/u; nats.

    Source: Nowozin, Cseke and Tomioka 2016, table 1.
    """
    return joint.mean() + 1 + torch.log(-marginal).mean()


def pearson(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] − E[t̃²/4 + t̃] ≤ χ²(q(x, z) ‖ p(x) q(z)); tight at t = 2(u − 1); no unit.

    Source: Nowozin, Cseke and Tomioka 2016, table 1.
    """
    return joint.mean() - (marginal.square() / 4 + marginal).mean()


def hellinger(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] − E[t̃/(1 − t̃)] ≤ ∫(√q(x, z) − √(p(x) q(z)))², t < 1; tight at t = 1 − u^−½; no unit.

    Source: Nowozin, Cseke and Tomioka 2016, table 1.
    """
    return joint.mean() - (marginal / (1 - marginal)).mean()


def js(joint: Scores, marginal: Scores) -> Scalar:
    """E[t] + E[log(2 − e^t̃)] ≤ 2 JSD(q(x, z), p(x) q(z)), t < log 2; tight at log 2u/(1 + u); nats.

    Source: Nowozin, Cseke and Tomioka 2016, table 1.
    """
    return joint.mean() + torch.log(2 - marginal.exp()).mean()


def nce(joint: Float[Tensor, " b"], marginal: Float[Tensor, "b b"]) -> Scalar:
    """E[t_ii − log mean_j exp t_ij] ≤ min(I(x; z), log b), InfoNCE; nats.

    Tight, as b grows, at t = log u + c(x).

    Args:
        joint: t(x_i, z_i).
        marginal: t(x_i, z_j) for every pair of the batch, the diagonal included.

    Source: van den Oord, Li and Vinyals 2018, eq. 4; Poole et al. 2019, eq. 12.
    """
    return (joint - marginal.logsumexp(1)).mean() + math.log(len(joint))


BOUNDS: dict[str, Callable[[Scores, Scores], Scalar]] = {
    "kl": kl,
    "dv": dv,
    "reverse_kl": reverse_kl,
    "pearson": pearson,
    "hellinger": hellinger,
    "js": js,
    "nce": nce,
}


# The largest value that what they bound can have where x is one of n images.
CAPS: dict[str, Callable[[int | float], float]] = {
    "kl": math.log,
    "dv": math.log,
    "reverse_kl": lambda n: math.inf,
    "pearson": lambda n: n - 1.0,
    "hellinger": lambda n: 2.0,
    "js": lambda n: 2 * math.log(2),
    "nce": math.log,
}


def free_reverse_kl(joint: Scores, marginal: Scores) -> Scalar:
    """`reverse_kl` at t = −exp(−output)."""
    return 1 - guarded_exp(-joint).mean() - marginal.mean()


def free_hellinger(joint: Scores, marginal: Scores) -> Scalar:
    """`hellinger` at t = 1 − exp(−output/2)."""
    return 2 - guarded_exp(-joint / 2).mean() - guarded_exp(marginal / 2).mean()


def free_js(joint: Scores, marginal: Scores) -> Scalar:
    """`js` at t = log 2 − softplus(−output)."""
    return 2 * math.log(2) - F.softplus(-joint).mean() - F.softplus(marginal).mean()


# The bounds of a critic's free output. Where t has a limit, the output plays log u: every t within
# the domain is reached, and none is rounded onto the limit, where the bound is infinite.
FREE: dict[str, Callable[[Scores, Scores], Scalar]] = BOUNDS | {
    "reverse_kl": free_reverse_kl,
    "hellinger": free_hellinger,
    "js": free_js,
}
