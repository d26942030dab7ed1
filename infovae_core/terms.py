"""Terms of an objective: scalars of one pass, whose value is plotted and gradient is followed.

A term that needs a critic says how to build it and what it should descend; the loop owns the
optimiser. Beside its value a term carries the words that a plot needs.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infovae_core.bounds import BOUNDS
from infovae_core.divergences import mmd2
from infovae_core.model import Pass, dense

NATS = "nats per image"


class Term:
    """Base class; only `__call__` is compulsory."""

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str] = NATS

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        """The term's value on a pass, differentiable in the model."""
        raise NotImplementedError

    def make_critic(self, x_dim: int, z_dim: int) -> nn.Module | None:
        """A new critic for images of x_dim values and codes of z_dim, or None."""
        return None

    def critic_loss(self, p: Pass, critic: nn.Module) -> Float[Tensor, ""]:
        """What the critic descends, on a pass that carries no gradient."""
        raise NotImplementedError


class Rate(Term):
    """R = E_x KL(q(z|x) ‖ p(z)); nats per image."""

    name = "rate"
    label = "rate R"

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        return p.rate.mean()


class MMD(Term):
    """MMD²(q(z), p(z)) of the batch's codes and as many prior draws, unbiased; no unit."""

    name = "mmd"
    label = "MMD²(q(z), p(z))"
    unit = "squared kernel distance"

    def __init__(self, kernel: str = "rbf") -> None:
        self.kernel = kernel

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        return mmd2(p.z, p.prior, self.kernel)


class MutualInformation(Term):
    """Î(x; z), a lower bound on I_q(x; z) that a critic t(x, z) tightens; nats per image.

    Pairs from p(x) q(z) are made within the batch: each image with its neighbour's code. Batches
    are shuffled, and unlike a random permutation the shift never pairs an image with its own code.

    Source: Rezaabad and Vishwanath 2020, Algorithm 1.
    """

    name = "mutual_information"
    label = "bound on I(x; z)"

    def __init__(self, bound: str = "kl", widths: tuple[int, ...] = (256, 128)) -> None:
        self.bound, self.widths = bound, widths

    def make_critic(self, x_dim: int, z_dim: int) -> nn.Module:
        """t(x, z) on the concatenation of image and code, [b, x_dim + z_dim] → [b, 1]."""
        return nn.Sequential(*dense([x_dim + z_dim, *self.widths, 1]))

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        if critic is None:
            raise ValueError(
                "the mutual-information term needs its critic; build it by make_critic"
            )
        x = p.x.flatten(1)
        joint = critic(torch.cat((x, p.z), 1)).squeeze(1)
        marginal = critic(torch.cat((x, p.z.roll(1, 0)), 1)).squeeze(1)
        return BOUNDS[self.bound](joint, marginal)

    def critic_loss(self, p: Pass, critic: nn.Module) -> Float[Tensor, ""]:
        """−Î: the critic ascends the bound."""
        return -self(p, critic)


DIVERGENCES: dict[str, type[Term]] = {"mmd": MMD}
