"""Terms of an objective: scalars of one pass, whose value is plotted and gradient is followed.

A term that needs a critic says how to build it and what it should descend; the loop owns the
optimiser. Beside its value a term carries the words that a plot needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infovae_core.bounds import CAPS, FREE, guarded_exp, log_mean_exp
from infovae_core.divergences import ksd2, mmd2, svgd_direction, witness
from infovae_core.model import Pass, dense
from infovae_core.precision import passed
from infovae_core.sights import Field, Flow, Sample, Scores, Sight

if TYPE_CHECKING:
    from infovae_core.objectives import InfoVAE

NATS = "nats per image"


class Term:
    """Base class; only `__call__` is compulsory."""

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str] = NATS
    sight: ClassVar[str | None] = None  # what `sees` gives, in words with its formula

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        """The term's value on a pass, differentiable in the model."""
        raise NotImplementedError

    def limits(self, images: int | float) -> tuple[float, float]:
        """Beyond which a value, over so many images, is no estimate of anything."""
        return -math.inf, math.inf

    def make_critic(self, x_dim: int, z_dim: int) -> nn.Module | None:
        """A new critic for images of x_dim values and codes of z_dim, or None."""
        return None

    def critic_loss(self, p: Pass, critic: nn.Module) -> Float[Tensor, ""]:
        """What the critic descends, on a pass that carries no gradient."""
        raise NotImplementedError

    def sees(self, sample: Sample, critic: nn.Module | None = None) -> Sight | None:
        """What the term makes of q(z) beside p(z), for a view to draw; None where it is nothing."""
        return None


class Rate(Term):
    """R = E_x KL(q(z|x) ‖ p(z)); nats per image."""

    name = "rate"
    label = "rate R"

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        return p.rate.mean()


class MMD(Term):
    """MMD²(q(z), p(z)) of the batch's codes and as many prior draws; no unit.

    Args:
        kernel: a name in divergences.KERNELS; a weight means nothing without it.
        unbiased: follow the U-statistic; else the V-statistic of the authors' code. Shown is the
            U-statistic in any case, for the other depends on the size of the batch.
    """

    name = "mmd"
    label = "MMD²(q(z), p(z))"
    unit = "squared kernel distance"
    sight = "the witness f(z) = E k(a, z) − E k(b, z), a from q(z) and b from p(z)"

    def __init__(self, kernel: str = "rbf", unbiased: bool = True) -> None:
        self.kernel, self.unbiased = kernel, unbiased

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        value = mmd2(p.z, p.prior, self.kernel)
        if self.unbiased:
            return value
        followed = mmd2(p.z, p.prior, self.kernel, unbiased=False)
        return value.detach() + followed - followed.detach()

    def sees(self, sample: Sample, critic: nn.Module | None = None) -> Field:
        """The witness: MMD² pushes the codes down its slope."""
        return Field(lambda z: witness(z, sample.z, sample.prior, self.kernel))


class Stein(Term):
    """Shows KSD²(q(z), p(z)), unbiased; follows the SVGD direction φ; no unit.

    φ is not the gradient of the discrepancy, so the two are joined by a stop-gradient: the codes
    move along λ φ, as the mean over the batch of −z·φ makes them. The authors take the sum: to
    repeat a weight of theirs, multiply it by their batch size. The bandwidth is h = √d.

    Source: Zhao, Song and Ermon 2017, section 3.2; Liu and Wang 2016.
    """

    name = "stein"
    label = "KSD²(q(z), p(z))"
    unit = "squared Stein discrepancy"
    sight = "the direction φ(z) = E [k(a, z)(−a) + ∇ₐ k(a, z)], a from q(z)"

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        z, bandwidth = p.z.detach(), math.sqrt(p.z.shape[1])
        surrogate = -(p.z * svgd_direction(z, bandwidth)).sum(1).mean()
        return ksd2(z, bandwidth) + surrogate - surrogate.detach()

    def sees(self, sample: Sample, critic: nn.Module | None = None) -> Flow:
        """φ, along which the codes are moved."""
        bandwidth = math.sqrt(sample.z.shape[1])
        return Flow(lambda z: svgd_direction(sample.z, bandwidth, z))


class Critic(nn.Sequential):
    """t(z), [b, d] → [b, 1]."""

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b 1"]:
        return passed(super().forward, z)


class Adversarial(Term):
    """Base class of divergences through a critic t(z) ≈ log p(z)/q(z), the logit of "prior".

    Args:
        widths: hidden layers of the critic.
    """

    sight = "−t(z), where the critic's t(z) ≈ log p(z)/q(z)"

    def __init__(self, widths: tuple[int, ...] = (256, 128)) -> None:
        self.widths = widths

    def make_critic(self, x_dim: int, z_dim: int) -> nn.Module:
        """t(z), [b, d] → [b, 1]."""
        return Critic(*dense([z_dim, *self.widths, 1], nn.LeakyReLU))

    def critic_loss(self, p: Pass, critic: nn.Module) -> Float[Tensor, ""]:
        """Binary cross-entropy, the prior's draws 1 and the codes 0."""
        return F.softplus(-critic(p.prior)).mean() + F.softplus(critic(p.z)).mean()

    def sees(self, sample: Sample, critic: nn.Module | None = None) -> Field:
        """−t, the critic's log q(z)/p(z), with the sign of the witness of MMD²."""
        critic = required(critic, self)
        return Field(lambda z: -critic(z).squeeze(1))


class Jensen(Adversarial):
    """JSD(q(z), p(z)) ≥ log 2 − ½ BCE; the encoder follows the non-saturating −E log σ(t(z)); nats.

    Source: Goodfellow et al. 2014; Makhzani et al. 2015 (AAE).
    """

    name = "jensen"
    label = "JSD(q(z), p(z))"
    unit = "nats"

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        critic = required(critic, self)
        on_codes, on_prior = critic(p.z), critic(p.prior).detach()
        cross_entropy = F.softplus(-on_prior).mean() + F.softplus(on_codes.detach()).mean()
        surrogate = F.softplus(-on_codes).mean()
        return math.log(2) - 0.5 * cross_entropy + surrogate - surrogate.detach()


class MarginalKL(Adversarial):
    """KL(q(z) ‖ p(z)) ≈ E_q[−t(z)], by the critic's density ratio; nats.

    Neither an upper nor a lower bound: it is as good as the critic.

    Source: Mescheder, Nowozin and Geiger 2017; Sugiyama, Suzuki and Kanamori 2012.
    """

    name = "marginal_kl"
    label = "KL(q(z) ‖ p(z))"
    unit = "nats"

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        return -required(critic, self)(p.z).mean()


class PairCritic(nn.Module):
    """t(x, z) on the concatenation of image and code.

    The first layer is linear in both, so it is applied to each apart and added: pairs of every
    image with every code, x [b, 1, n] and z [1, b, d], cost b of them and not b².

    Args:
        widths: hidden layers; the paper's are 1000, 400, 100.
    """

    def __init__(self, x_dim: int, z_dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.x_dim = x_dim
        self.layers = nn.Sequential(*dense([x_dim + z_dim, *widths, 1]))
        none_yet = torch.tensor(-math.inf)
        self.register_buffer("log_denominator", none_yet)  # log E exp t̃, for `dv`

    def forward(
        self, x: Float[Tensor, "*i x_dim"], z: Float[Tensor, "*j z_dim"]
    ) -> Float[Tensor, "*b"]:
        """t, in the shape to which the leading axes of x and z broadcast."""
        return passed(self._score, x, z)

    def _score(self, x: Tensor, z: Tensor) -> Tensor:
        first, rest = self.layers[0], self.layers[1:]
        on_x, on_z = first.weight.split((self.x_dim, first.in_features - self.x_dim), dim=1)
        return rest(F.linear(x, on_x, first.bias) + F.linear(z, on_z)).squeeze(-1)


class MutualInformation(Term):
    """Î(x; z), a lower bound on I_q(x; z) that a critic t(x, z) tightens.

    Pairs from p(x) q(z) are made within the batch: each image with its neighbour's code. Batches
    are shuffled, and unlike a random permutation the shift never pairs an image with its own code.
    Of N training images p(x) q(z) does so with probability 1/N: for very few of them, which a
    critic learns by heart, the value can pass log N. InfoNCE takes every pair.

    The gradient of Donsker–Varadhan's logarithm is biased by the batch's own denominator; as in
    MINE the moving average of it takes its place. The value stays the plain one, and the average
    moves with the critic's own steps only; it is kept as a logarithm, for nothing holds an output
    near 0.

    Args:
        bound: a name in bounds.BOUNDS; "kl", "dv" and "nce" are in nats and bound I itself.
        widths: hidden layers of the critic.
        moving: share of the newest batch in MINE's average; with 1 that is the batch alone, and
            "dv" follows its own, biased gradient.

    Source: Rezaabad and Vishwanath 2020, Algorithm 1; Belghazi et al. 2018 (MINE), section 3.2.
    """

    name = "mutual_information"
    FLOOR = -20.0  # no critic need be worse than one that says the same of every pair
    SEEN = 128  # images whose every pair a view shows of InfoNCE

    def __init__(
        self, bound: str = "kl", widths: tuple[int, ...] = (256, 128), moving: float = 0.01
    ) -> None:
        self.bound, self.widths, self.moving = bound, widths, moving

    @property
    def label(self) -> str:
        """The quantity that the bound is on, with a hat."""
        return BOUNDED[self.bound]

    @property
    def sight(self) -> str:
        """t, or, where that has a limit, the output that plays log u (see bounds.FREE)."""
        free = self.bound in ("reverse_kl", "hellinger", "js")
        what = "output, the log of a density ratio," if free else "t"
        return f"the critic's {what} at pairs (x, z), and at pairs with the code of another image"

    @property
    def unit(self) -> str:
        """nats, or none for the divergences that have none."""
        return "no unit" if self.bound in ("pearson", "hellinger") else NATS

    def limits(self, images: int | float) -> tuple[float, float]:
        """Far below 0, which every critic can have; twice what the bounded quantity can be."""
        return self.FLOOR, 2 * CAPS[self.bound](images)

    def make_critic(self, x_dim: int, z_dim: int) -> nn.Module:
        return PairCritic(x_dim, z_dim, self.widths)

    def __call__(self, p: Pass, critic: nn.Module | None = None) -> Float[Tensor, ""]:
        joint, marginal = self.scores(p.x, p.z, required(critic, self))
        value = FREE[self.bound](joint, marginal)
        if self.bound != "dv":
            return value
        surrogate = joint.mean() - self.ratio(marginal, critic).mean()
        return value.detach() + surrogate - surrogate.detach()

    def sees(self, sample: Sample, critic: nn.Module | None = None) -> Scores:
        """The critic's outputs at pairs drawn together and apart."""
        few = slice(self.SEEN if self.bound == "nce" else None)
        joint, marginal = self.scores(sample.x[few], sample.z[few], required(critic, self))
        bound = FREE[self.bound](joint, marginal)
        if marginal.ndim == 2:  # on whose diagonal lie the pairs drawn together
            marginal = marginal[~torch.eye(len(marginal), dtype=torch.bool, device=marginal.device)]
        return Scores(joint, marginal, bound)

    def scores(
        self, x: Float[Tensor, " b *data"], z: Float[Tensor, "b d"], critic: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """Outputs at pairs drawn together [b] and drawn apart, [b] or (InfoNCE) [b, b]."""
        x = x.flatten(1)
        if self.bound == "nce":
            every = critic(x[:, None], z[None])
            return every.diagonal(), every
        return critic(x, z), critic(x, z.roll(1, 0))

    def ratio(self, marginal: Tensor, critic: nn.Module) -> Tensor:
        """exp(t̃) over its moving average, guarded: its gradient is that of log E exp t̃."""
        seen, now = critic.log_denominator, log_mean_exp(marginal).detach()
        return guarded_exp(marginal - torch.where(seen.isfinite(), seen, now))

    def critic_loss(self, p: Pass, critic: nn.Module) -> Float[Tensor, ""]:
        """−Î: the critic ascends the bound."""
        if self.bound == "dv":
            with torch.no_grad():
                seen, now = critic.log_denominator, log_mean_exp(self.scores(p.x, p.z, critic)[1])
                shift = torch.maximum(seen, now)
                moved = torch.lerp((seen - shift).exp(), (now - shift).exp(), self.moving)
                seen.copy_(torch.where(seen.isfinite(), shift + moved.log(), now))
        return -self(p, critic)


BOUNDED = {  # what each of bounds.BOUNDS bounds: I, or the like by another divergence than KL
    "kl": "Î(x; z)",
    "dv": "Î(x; z)",
    "reverse_kl": "Î(x; z), reverse KL",
    "pearson": "Î(x; z), χ²",
    "hellinger": "Î(x; z), Hellinger",
    "js": "Î(x; z), 2 JSD",
    "nce": "Î(x; z)",
}


def required(critic: nn.Module | None, term: Term) -> nn.Module:
    """The critic that a term cannot do without."""
    if critic is None:
        raise ValueError(
            f"the term {term.name} needs its critic, got none; build it by make_critic"
        )
    return critic


DIVERGENCES: dict[str, Callable[[InfoVAE], Term]] = {
    "mmd": lambda objective: MMD(objective.kernel, objective.statistic == "u"),
    "stein": lambda objective: Stein(),
    "jensen": lambda objective: Jensen(objective.critic_widths),
    "kl": lambda objective: MarginalKL(objective.critic_widths),
}
