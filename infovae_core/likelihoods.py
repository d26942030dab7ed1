"""Likelihoods p(x|z): a module that turns a decoder's output into a distribution over images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from infovae_core import distributions

if TYPE_CHECKING:
    from infovae_core.config import ModelConfig


class Likelihood(nn.Module):
    """Base class: `forward` maps a decoder's output [b, *output] to p(x|z), event shape *data.

    The distribution's mean is the image that a view shows.
    """

    of: ClassVar[Literal["binary", "levels", "density"]]  # a probability of what, or a density
    # From the output, or the first of the numbers that it has for each value, to the mean:
    link: ClassVar[str | None] = None  # one of `decoders.LINKS`, or none of them

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What the decoder gives for one image of that shape."""
        return shape

    def forward(self, output: Tensor) -> Distribution:
        raise NotImplementedError


def of_image(pixels: Distribution) -> Independent:
    """One distribution per image, of independent values."""
    return Independent(pixels, len(pixels.batch_shape) - 1)


class Bernoulli(Likelihood):
    """log p(x|z) = Σ_i x_i log π_i + (1 − x_i) log(1 − π_i), logit π the decoder's output; nats.

    A probability only for x in {0, 1}. On grey values it is the cross-entropy that the papers
    report: finite, comparable between runs, but not the log of a normalised density.
    """

    of = "binary"
    link = "sigmoid"

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from logits [b, *data]."""
        return distributions.Bernoulli(output)


class ContinuousBernoulli(Likelihood):
    """The cross-entropy, normalised to a density on [0, 1]; from logits [b, *data]; nats."""

    of = "density"
    link = "continuous_bernoulli"

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data."""
        return of_image(distributions.ContinuousBernoulli(output))


class Gaussian(Likelihood):
    """log p(x|z) = −Σ_i [(x_i − μ_i)²/2σ² + ½ log 2πσ²], μ the decoder's output; nats.

    A density: its value may be positive and grows without bound as σ goes to 0.
    """

    of = "density"
    link = "identity"

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from means [b, *data]."""
        return around(output, output.new_full((), self.sigma))


def around(mean: Tensor, sigma: Tensor) -> Independent:
    """Independent normals."""
    return of_image(Normal(mean, sigma.expand_as(mean), validate_args=False))


class SharedGaussian(Gaussian):
    """A Gaussian with one σ for all values, learned: σ = floor + softplus(ρ).

    Args:
        sigma: where σ starts, above the floor.
    """

    def __init__(self, sigma: float, floor: float) -> None:
        super().__init__(sigma)
        self.floor = floor
        self.rho = nn.Parameter(torch.tensor(softplus_inverse(sigma - floor)))

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from means [b, *data]."""
        return around(output, self.floor + F.softplus(self.rho))


class LearnedGaussian(Gaussian):
    """A Gaussian with a σ(z) for every value: σ = floor + softplus(ρ₀ + the decoder's output).

    Args:
        sigma: what σ is where that output is 0.
    """

    def __init__(self, sigma: float, floor: float) -> None:
        super().__init__(sigma)
        self.floor, self.start = floor, softplus_inverse(sigma - floor)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (2, *shape)

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from means and what σ is made of, [b, 2, *data]."""
        mean, rho = output.unbind(1)
        return around(mean, self.floor + F.softplus(self.start + rho))


def softplus_inverse(value: float) -> float:
    """ρ with log(1 + e^ρ) = value."""
    return value + math.log(-math.expm1(-value))


class DiscretisedLogistic(Likelihood):
    """Probabilities of 256 grey levels, from centres and log-scales [b, 2, *data]; nats."""

    of = "levels"

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (2, *shape)

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data."""
        centre, log_scale = output.unbind(1)
        return of_image(distributions.DiscretisedLogistic(centre, bounded(log_scale)))


class LogisticMixture(Likelihood):
    """A mixture of discretised logistics per pixel, with coupled channels in colour; nats.

    Of grey images [h, w] it takes 3 numbers per pixel and component, of colour images [3, h, w] 10.
    """

    of = "levels"

    def __init__(self, components: int) -> None:
        super().__init__()
        self.components = components

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return ((10 if len(shape) == 3 else 3) * self.components, *shape[-2:])

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape [h, w] or [3, h, w]."""
        parts = output.unflatten(1, (-1, self.components))  # [b, 3 or 10, k, h, w]
        channels = 1 if parts.shape[1] == 3 else 3
        sizes = [1, channels, channels, parts.shape[1] - 1 - 2 * channels]
        logits, centres, log_scales, slopes = parts.split(sizes, 1)
        # Components that start alike would stay alike: they are spread over the range.
        like = {"dtype": output.dtype, "device": output.device}
        spread = torch.linspace(-1, 1, self.components + 2, **like)[1:-1, None, None]
        return distributions.LogisticMixture(
            logits[:, 0], centres + spread, bounded(log_scales), slopes.tanh()
        )


def bounded(log_scale: Tensor) -> Tensor:
    """Log-scales within ± `distributions.WIDEST`, with a gradient everywhere."""
    return distributions.WIDEST * torch.tanh(log_scale / distributions.WIDEST)


LIKELIHOODS: dict[str, Callable[[ModelConfig], Likelihood]] = {
    "bernoulli": lambda config: Bernoulli(),
    "continuous_bernoulli": lambda config: ContinuousBernoulli(),
    "gaussian": lambda config: Gaussian(config.sigma),
    "gaussian_shared": lambda config: SharedGaussian(config.sigma, config.sigma_floor),
    "gaussian_learned": lambda config: LearnedGaussian(config.sigma, config.sigma_floor),
    "logistic": lambda config: DiscretisedLogistic(),
    "logistic_mixture": lambda config: LogisticMixture(config.components),
}
