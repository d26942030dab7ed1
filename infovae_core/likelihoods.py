"""Likelihoods p(x|z): a module that turns a decoder's output into a distribution over images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, Independent, Normal

if TYPE_CHECKING:
    from infovae_core.config import ModelConfig


class Likelihood(nn.Module):
    """Base class: `forward` maps a decoder's output [b, *data] to p(x|z), event shape *data.

    The distribution's mean is the image that a view shows.
    """

    binary: ClassVar[bool] = False  # a probability of images whose pixels are 0 or 1 only
    link: ClassVar[str | None] = None  # from the output to the mean, where `decoders.LINKS` has it

    def forward(self, output: Tensor) -> Distribution:
        raise NotImplementedError


class Bernoulli(Likelihood):
    """log p(x|z) = Σ_i x_i log π_i + (1 − x_i) log(1 − π_i), logit π the decoder's output; nats.

    A probability only for x in {0, 1}. On grey values it is the cross-entropy that the papers
    report: finite, comparable between runs, but not the log of a normalised density.
    """

    binary = True
    link = "sigmoid"

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from logits [b, *data]."""
        return Independent(TorchBernoulli(logits=output, validate_args=False), output.ndim - 1)


class Gaussian(Likelihood):
    """log p(x|z) = −Σ_i [(x_i − μ_i)²/2σ² + ½ log 2πσ²], μ the decoder's output; nats.

    A density: its value may be positive and grows without bound as σ goes to 0.
    """

    link = "identity"

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, output: Tensor) -> Distribution:
        """p(x|z) with event shape *data, from means [b, *data]."""
        normal = Normal(
            output, output.new_full((), self.sigma).expand_as(output), validate_args=False
        )
        return Independent(normal, output.ndim - 1)


LIKELIHOODS: dict[str, Callable[[ModelConfig], Likelihood]] = {
    "bernoulli": lambda config: Bernoulli(),
    "gaussian": lambda config: Gaussian(config.sigma),
}
