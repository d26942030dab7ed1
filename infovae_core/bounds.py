"""Variational lower bounds on mutual information, as pure functions of a critic's outputs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

GUARD = 20.0


def guarded_exp(t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """exp(t) up to t = GUARD, its tangent beyond, so that no batch overflows or loses its slope.

    On N images log u = log q(z|x)/q(z) is at most log N; the guard is out of an optimal critic's
    reach below N = e²⁰, half a billion.
    """
    excess = (t - GUARD).clamp_min(0)
    return torch.exp(t - excess) * (1 + excess)


def kl(joint: Float[Tensor, " b"], marginal: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """E[t(x, z)] − E[exp(t(x, z̃) − 1)] ≤ I(x; z), the f-dual of the KL divergence; nats.

    Tight at t = 1 + log u, u = q(x, z)/(p(x) q(z)). An optimal critic shifted by c loses
    e^c − 1 − c. The exponent is guarded: beyond t̃ − 1 = GUARD its exponential goes on as a
    straight line, where the value is no longer a bound. Its variance grows with e^I.

    Args:
        joint: t at pairs (x, z) drawn together.
        marginal: t at pairs (x, z̃) drawn apart.

    Source: Nguyen, Wainwright and Jordan 2010; Rezaabad and Vishwanath 2020, eq. 8.
    """
    return joint.mean() - guarded_exp(marginal - 1).mean()


BOUNDS: dict[str, Callable[[Float[Tensor, " b"], Float[Tensor, " n"]], Float[Tensor, ""]]] = {
    "kl": kl
}
