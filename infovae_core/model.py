"""The VAE itself: q(z|x), p(x|z), and everything that one batch produces (`Pass`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from infovae_core.distributions import DiagonalNormal
from infovae_core.likelihoods import Likelihood
from infovae_core.precision import passed


@dataclass(frozen=True)
class Pass:
    """One batch through the model: all that an objective may look at. Nats, per image."""

    x: Float[Tensor, "b *data"]
    q: DiagonalNormal  # q(z|x)
    z: Float[Tensor, "b d"]  # one reparameterised draw per image
    log_px: Float[Tensor, " b"]  # log p(x|z)
    prior: Float[Tensor, "b d"]  # a fresh draw from p(z), for terms that compare samples

    @property
    def distortion(self) -> Float[Tensor, " b"]:
        """−log p(x|z)."""
        return -self.log_px

    @property
    def rate(self) -> Float[Tensor, " b"]:
        """KL(q(z|x) ‖ p(z)) = ½ Σ_j [σ_j² − 1 + μ_j² − log σ_j²], in closed form."""
        mean, log_var = self.q.mean, self.q.log_var
        return 0.5 * (log_var.expm1() + mean.square() - log_var).sum(-1)

    def detach(self) -> "Pass":
        """The same pass for a critic: its z and log p(x|z) lead no gradient to the model."""
        return replace(self, z=self.z.detach(), log_px=self.log_px.detach())


class VAE(nn.Module):
    """A Gaussian encoder, a decoder and a likelihood.

    `encoder` maps [b, *data] to [b, 2d], the means and the log-variances of q(z|x); `decoder` maps
    [b, d] to what `likelihood` takes, or to p(x|z) itself where a value depends on those before it.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, latent_dim: int
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.latent_dim = latent_dim

    def posterior(self, x: Float[Tensor, "b *data"]) -> DiagonalNormal:
        """q(z|x), batch shape [b], event shape [d]."""
        return DiagonalNormal(*passed(self.encoder, x).chunk(2, dim=-1))

    def decode(self, z: Float[Tensor, "b d"]) -> Distribution:
        """p(x|z), batch shape [b], event shape *data."""
        output = passed(self.decoder, z)
        return output if isinstance(output, Distribution) else self.likelihood(output)

    def draw_noise(
        self, x: Float[Tensor, "b *data"], generator: torch.Generator | None = None, passes: int = 1
    ) -> Float[Tensor, "2 m d"]:
        """Standard normal noise for passes of x, m = passes · b, in its dtype and on its device."""
        return x.new_empty((2, passes * len(x), self.latent_dim)).normal_(generator=generator)

    def forward(
        self, x: Float[Tensor, "b *data"], noise: Float[Tensor, "2 b d"] | None = None
    ) -> Pass:
        """One pass. `noise` is standard normal, [0] for z and [1] for the prior's draw.

        Left out, it comes from torch's global generator; training passes its own, so that a pass
        is a function of its arguments alone.
        """
        if noise is None:
            noise = self.draw_noise(x)
        q = self.posterior(x)
        z = q.mean + q.stddev * noise[0]
        return Pass(x, q, z, self.decode(z).log_prob(x), noise[1])


class Encoded(nn.Module):
    """Mean and standard deviation of q(z|x) as tensors, for those who know no distributions."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, x: Float[Tensor, "b *data"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        q = self.model.posterior(x)
        return q.mean, q.stddev


class Decoded(nn.Module):
    """The mean of p(x|z), as a tensor."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b *data"]:
        return self.model.decode(z).mean


def dense(sizes: Sequence[int], activation: type[nn.Module] = nn.ReLU) -> list[nn.Module]:
    """Linear layers from sizes[0] to sizes[-1] with the activation between them."""
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), activation()]
    return layers[:-1]
