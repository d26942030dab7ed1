"""Distributions that torch lacks, or has in a form that loses digits or time; nats.

Each is exact in single precision at its extremes, and so is its gradient.
"""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

LEVELS = 256  # of a byte
WIDEST = 7.0  # log-scales of a logistic stay within ± this: a thousandth, a thousand


class DiagonalNormal(Distribution):
    """N(mean, diag σ²), from log σ² as an encoder gives it: a rate needs no logarithm of σ.

    Twice as fast as torch's Independent(Normal), which is felt where networks are small.

    Args:
        mean, log_var: [*b, d]; batch shape *b, event shape [d].
    """

    arg_constraints: ClassVar = {}

    def __init__(self, mean: Float[Tensor, "*b d"], log_var: Float[Tensor, "*b d"]) -> None:
        self.loc, self.log_var = mean, log_var
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @classmethod
    def of(cls, mean: Float[Tensor, "*b d"], std: Float[Tensor, "*b d"]) -> "DiagonalNormal":
        """From standard deviations."""
        return cls(mean, 2 * std.log())

    @classmethod
    def standard(cls, like: Float[Tensor, "*b d"]) -> "DiagonalNormal":
        """The prior p(z) = N(0, I), in the shape, device and dtype of `like`."""
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    @property
    def mean(self) -> Float[Tensor, "*b d"]:
        return self.loc

    @property
    def stddev(self) -> Float[Tensor, "*b d"]:
        return (0.5 * self.log_var).exp()

    @property
    def variance(self) -> Float[Tensor, "*b d"]:
        return self.log_var.exp()

    def log_prob(self, value: Tensor) -> Tensor:
        # Not its square by 1/σ², which is 0 · ∞ in single precision from log σ² = −89 on.
        squares = ((value - self.mean) * (-0.5 * self.log_var).exp()).square()
        return -0.5 * (squares + self.log_var + math.log(2 * math.pi)).sum(-1)


class Bernoulli(Distribution):
    """log p(x) = Σ_i x_i log π_i + (1 − x_i) log(1 − π_i) of images of independent values.

    Args:
        logits: logit π, [b, *data]; event shape *data.
    """

    arg_constraints: ClassVar = {}
    support = constraints.unit_interval

    def __init__(self, logits: Float[Tensor, "b *data"]) -> None:
        self.logits = logits
        super().__init__(logits.shape[:1], logits.shape[1:], validate_args=False)

    def log_prob(self, value: Float[Tensor, "b *data"]) -> Float[Tensor, " b"]:
        lost = F.binary_cross_entropy_with_logits(self.logits, value, reduction="none")
        return -lost.flatten(1).sum(1)

    @property
    def mean(self) -> Float[Tensor, "b *data"]:
        return self.logits.sigmoid()

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        with torch.no_grad():
            return self.mean.expand(self._extended_shape(sample_shape)).bernoulli()


class ContinuousBernoulli(Distribution):
    """p(x) = λ^x (1 − λ)^(1−x) C(λ) on [0, 1], l = logit λ.

    In l it is an exponential family: log p(x) = l (x − ½) − log[sinh(h)/h], h = l/2, which has no
    hole at λ = ½. Source: Loaiza-Ganem and Cunningham 2019.
    """

    arg_constraints: ClassVar = {"logits": constraints.real}
    support = constraints.unit_interval

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.logits * (value - 0.5) - log_sinhc(0.5 * self.logits)

    @property
    def mean(self) -> Tensor:
        """½ + ½ (coth h − 1/h)."""
        return 0.5 + 0.5 * langevin(0.5 * self.logits)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """By the inverse of the distribution function, from the side where it is steep."""
        u = uniform(self._extended_shape(sample_shape), self.logits)
        steep = self.logits.abs().clamp(min=1e-3)
        x = 1 + (u + (1 - u) * (-steep).exp()).log() / steep  # of logit |l|
        return torch.where(self.logits < 0, 1 - x, x).clamp(0, 1)


def log_sinhc(h: Tensor) -> Tensor:
    """log[sinh(h)/h], without loss near 0."""
    small = h.abs() < 0.1
    near, far = torch.where(small, h, 0.0).square(), torch.where(small, 1.0, h.abs())
    series = near * (1 / 6 - near * (1 / 180 - near * (1 / 2835 - near / 37800)))
    return torch.where(small, series, far + torch.log1p(-(-2 * far).exp()) - (2 * far).log())


def langevin(h: Tensor) -> Tensor:
    """coth h − 1/h, without loss near 0."""
    small = h.abs() < 0.1
    near, far = torch.where(small, h, 0.0), torch.where(small, 1.0, h)
    square = near.square()
    series = near * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
    return torch.where(small, series, 1 / far.tanh() - 1 / far)


class DiscretisedLogistic(Distribution):
    """P(x) of the 256 levels k/255: a logistic's mass between x ± 1/510, the edge bins to ±∞.

    Values are taken at the nearest level. The scales are those of x ↦ 2x − 1, as in the source:
    Salimans, Karpathy, Chen and Kingma 2017, equation 2.

    Args:
        centre: of the logistic, −1 for black and 1 for white.
        log_scale: its scale's logarithm.
    """

    arg_constraints: ClassVar = {"centre": constraints.real, "log_scale": constraints.real}
    support = constraints.unit_interval

    def __init__(self, centre: Tensor, log_scale: Tensor) -> None:
        self.centre, self.log_scale = centre, log_scale
        super().__init__(centre.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return log_mass(to_levels(value), self.centre, self.log_scale)

    @property
    def mean(self) -> Tensor:
        return 0.5 + 0.5 * clipped_mean(self.centre, self.log_scale)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        u = uniform(self._extended_shape(sample_shape), self.centre)
        return 0.5 + 0.5 * level_of(u, self.centre, self.log_scale)


class LogisticMixture(Distribution):
    """A mixture of discretised logistics for each pixel, whose channels are coupled.

    Within a component the centre of green moves with the red of the pixel, that of blue with red
    and green: p(r, g, b) = Σ_k π_k P(r) P(g | r) P(b | r, g). Source: Salimans et al. 2017,
    equation 3.

    Args:
        logits: of the components, [b, k, h, w].
        centres, log_scales: [b, c, k, h, w], c = 1 or 3.
        slopes: green by red, blue by red, blue by green, [b, 3, k, h, w]; none where c = 1.
    """

    arg_constraints: ClassVar = {}
    support = constraints.unit_interval

    def __init__(
        self,
        logits: Float[Tensor, "b k h w"],
        centres: Float[Tensor, "b c k h w"],
        log_scales: Float[Tensor, "b c k h w"],
        slopes: Float[Tensor, "b s k h w"],
    ) -> None:
        self.logits, self.centres = logits, centres
        self.log_scales, self.slopes = log_scales, slopes
        colour = (centres.shape[1],) if centres.shape[1] > 1 else ()
        size = logits.shape[-2:]
        super().__init__(logits.shape[:1], torch.Size((*colour, *size)), validate_args=False)

    def given(self, channel: int, before: list[Tensor]) -> Tensor:
        """Centres of a channel, given the values of those before it in [−1, 1]."""
        first = channel * (channel - 1) // 2  # of the slopes of this channel
        moved = (self.slopes[:, first + i] * value for i, value in enumerate(before))
        return self.centres[:, channel] + sum(moved)

    def log_prob(self, value: Float[Tensor, "b *data"]) -> Float[Tensor, " b"]:
        x = to_levels(value).reshape(len(value), -1, 1, *value.shape[-2:])  # [b, c, 1, h, w]
        logs = self.logits.log_softmax(1)
        for channel in range(x.shape[1]):
            centre = self.given(channel, [x[:, i] for i in range(channel)])
            logs = logs + log_mass(x[:, channel], centre, self.log_scales[:, channel])
        return logs.logsumexp(1).sum((1, 2))

    @property
    def mean(self) -> Float[Tensor, "b *data"]:
        """Of each channel at the means of those before it, averaged over the components."""
        means: list[Tensor] = []
        for channel in range(self.centres.shape[1]):
            centre = self.given(channel, means)
            means.append(clipped_mean(centre, self.log_scales[:, channel]))
        together = (torch.stack(means, 1) * self.logits.softmax(1)[:, None]).sum(2)
        return (0.5 + 0.5 * together).reshape(self.batch_shape + self.event_shape)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """One image for each; the components are drawn pixel by pixel."""
        if sample_shape:
            return torch.stack([self.sample() for _ in range(math.prod(sample_shape))]).reshape(
                self._extended_shape(sample_shape)
            )
        gumbel = -torch.empty_like(self.logits).exponential_().log()
        chosen = (self.logits + gumbel).argmax(1, keepdim=True)
        values: list[Tensor] = []
        for channel in range(self.centres.shape[1]):
            centre = self.given(channel, values).gather(1, chosen)
            u = uniform(centre.shape, centre)
            values.append(level_of(u, centre, self.log_scales[:, channel].gather(1, chosen)))
        return (0.5 + 0.5 * torch.cat(values, 1)).reshape(self.batch_shape + self.event_shape)


class Sequential(Distribution):
    """Images drawn value by value: p(x|z) = Π_i p(x_i | x_1 … x_{i−1}, z).

    Its mean cannot be had. `draw` makes images from uniform noise of their shape, so that codes may
    share it: what then differs between two images comes from z.
    """

    arg_constraints: ClassVar = {}

    def draw(
        self,
        noise: Float[Tensor, "b *data"],
        progress: Callable[[float], object] = lambda done: None,
    ) -> Float[Tensor, "b *data"]:
        """One image each. `progress` is called with the share that is done."""
        raise NotImplementedError

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:
        """Images from fresh noise of torch's global generator."""
        shape = self._extended_shape(sample_shape)
        drawn = [
            self.draw(torch.rand(self._extended_shape())) for _ in range(math.prod(sample_shape))
        ]
        return torch.stack(drawn).reshape(shape)


def picture(
    p: Distribution,
    generator: torch.Generator | None = None,
    progress: Callable[[float], object] = lambda done: None,
) -> Float[Tensor, "b *data"]:
    """What a view shows of p(x|z): its mean or, where that cannot be had, one draw each.

    The noise of such draws is `generator`'s; without one it is the same for all images and at every
    call, so that whatever differs comes from z. `progress` hears of the share of them that is done.
    """
    if not isinstance(p, Sequential):
        return p.mean
    if generator is not None:
        return p.draw(
            torch.rand(p.batch_shape + p.event_shape, generator=generator, device=generator.device),
            progress,
        )
    noise = torch.rand(p.event_shape, generator=torch.Generator().manual_seed(0))
    return p.draw(noise.expand(p.batch_shape + p.event_shape), progress)


def uniform(shape: torch.Size, like: Tensor) -> Tensor:
    """Uniform numbers in the dtype and on the device of `like`."""
    return torch.rand(shape, dtype=like.dtype, device=like.device)


def to_levels(value: Tensor) -> Tensor:
    """The nearest of the 256 levels, from −1 to 1."""
    top = LEVELS - 1
    return (value * top).round().clamp(0, top) * (2 / top) - 1


def log_mass(x: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    """log of the mass at the level x in [−1, 1].

    σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b − a)), whose logarithm loses no digits in either tail.
    """
    half, steep = 1 / (LEVELS - 1), (-log_scale).exp()
    above = F.logsigmoid((x - centre + half) * steep)
    below = F.logsigmoid((centre - x + half) * steep)
    inside = above + below + (-torch.expm1(-2 * half * steep)).log()
    return torch.where(x > 1 - half, below, torch.where(x < half - 1, above, inside))


def clipped_mean(centre: Tensor, log_scale: Tensor) -> Tensor:
    """Mean of a logistic that is cut off at −1 and 1: within half a level of its levels' mean."""
    scale = log_scale.exp()
    ends = F.softplus((centre + 1) / scale) - F.softplus((centre - 1) / scale)
    return scale * ends - 1


def level_of(u: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    """The level in [−1, 1] of which a uniform number u is the share below."""
    drawn = centre + log_scale.exp() * torch.logit(u, eps=1e-7)
    return to_levels(0.5 + 0.5 * drawn)
