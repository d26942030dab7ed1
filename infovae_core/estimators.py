"""What an encoder's codes carry, estimated from N images; pure functions, nats per image.

All pairs of N codes and N posteriors enter, in blocks, in double precision: memory is block · N.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Independent

BLOCK = 1000


def log_aggregated(
    q: Independent, z: Float[Tensor, "m d"], block: int = BLOCK
) -> Float[Tensor, " m"]:
    """log q(z) = log (1/N) Σ_j q(z|x_j), the aggregated posterior's log-density at each row of z.

    Args:
        q: the posteriors of N images, diagonal normal, batch shape [N], event shape [d].
        block: rows of z at a time; memory is block · N numbers.
    """
    mean, variance = q.mean.double(), q.variance.double()
    scale = 0.5 / variance
    constant = -(mean.square() * scale).sum(1) - 0.5 * (2 * math.pi * variance).log().sum(1)
    linear = (2 * mean * scale).T

    def of(part: Tensor) -> Tensor:
        return (part @ linear - part.square() @ scale.T + constant).logsumexp(1)

    parts = [of(part) for part in z.double().split(block)]
    return torch.cat(parts) - math.log(len(mean))


def mutual_information(
    q: Independent, z: Float[Tensor, "n d"], block: int = BLOCK
) -> Float[Tensor, ""]:
    """I_q(x; z) of the empirical distribution, mean_i log q(z_i|x_i) − log q(z_i); at most log N.

    Args:
        q: the posteriors of N images.
        z: one draw from each.

    Source: Hoffman and Johnson 2016, section 2.
    """
    return (q.log_prob(z).double() - log_aggregated(q, z, block)).mean()


def marginal_kl(q: Independent, z: Float[Tensor, "n d"], block: int = BLOCK) -> Float[Tensor, ""]:
    """KL(q(z) ‖ p(z)) = R − I, R in closed form and I of the same N images.

    Too large by what log N caps I.
    """
    variance = q.variance.double()
    rate = 0.5 * (variance + q.mean.double().square() - 1 - variance.log()).sum(1).mean()
    return rate - mutual_information(q, z, block)


def active_units(means: Float[Tensor, "n d"], threshold: float = 0.01) -> Int[Tensor, ""]:
    """#{j : Var_x E[z_j|x] ≥ threshold}, from the encoder's means themselves, not from draws.

    Source: Burda, Grosse and Salakhutdinov 2016, section 5.2 (threshold .01).
    """
    return (means.var(0, correction=0) >= threshold).sum()
