"""A trained model with its data, what more than one measurement needs of it, and estimates."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infovae_core import evidence, intervals
from infovae_core.data import Dataset, spread
from infovae_core.distributions import DiagonalNormal
from infovae_core.metrics import Estimate
from infovae_core.model import VAE
from infovae_core.pixelcnn import PixelCNN
from infovae_core.probes import Labelled, Scale
from infovae_core.randomness import seed_of

Progress = Callable[[float], object]
Estimates = dict[str, Estimate]

TRAINED = 60_000  # training images that anything is measured on
CODES = 10_000  # held-out images of which all pairs are taken
ROUGH_SAMPLES = 16  # importance samples of every held-out image
MOST_STEPS = 255  # of grey, in a byte
BLOCK = 1000  # images that pass through a network at once

GREY = (
    "The Bernoulli likelihood is a probability of binary images. On grey values it is a "
    "cross-entropy: fit to compare runs with the same likelihood, not a normalised density."
)


class Codes(NamedTuple):
    """Posteriors of images, and one draw from each."""

    q: DiagonalNormal
    z: Float[Tensor, "n d"]


class Subject:
    """A model with its data, and what more than one function needs of them."""

    def __init__(self, model: VAE, data: Dataset, seed: int) -> None:
        self.model, self.data, self.seed = model, data, seed

    def stream(self, purpose: str) -> int:
        """A seed for one purpose."""
        return seed_of(self.seed, f"metric: {purpose}")

    def generator(self, purpose: str) -> torch.Generator:
        """Random numbers for one purpose, on the device of the data."""
        return torch.Generator(self.data.test.x.device).manual_seed(self.stream(purpose))

    @cached_property
    def train_rows(self) -> Int[Tensor, " n"]:
        """Which training images are looked at."""
        return spread(len(self.data.train), TRAINED).to(self.data.train.x.device)

    @cached_property
    def train_x(self) -> Float[Tensor, "n *data"]:
        """Training images; drawn once where they are rates."""
        x = self.data.train.items(self.train_rows)
        if not self.data.dynamic:
            return x
        return torch.bernoulli(x, generator=self.generator("binary training images"))

    @property
    def train_y(self) -> Int[Tensor, " n"]:
        """Their classes."""
        return self.data.train.y[self.train_rows]

    @cached_property
    def test_x(self) -> Float[Tensor, "n *data"]:
        """All held-out images."""
        return self.data.test.items()

    @cached_property
    def train(self) -> Codes:
        """Codes of training images."""
        return self._encode(self.train_x, "training codes")

    @cached_property
    def test(self) -> Codes:
        """Codes of held-out images."""
        return self._encode(self.test_x[spread(len(self.test_x), CODES)], "held-out codes")

    @torch.no_grad()
    def _encode(self, x: Float[Tensor, "n *data"], purpose: str) -> Codes:
        parts = [self.model.posterior(part) for part in x.split(BLOCK)]
        mean, std = (torch.cat([getattr(q, a) for q in parts]) for a in ("mean", "stddev"))
        noise = torch.empty_like(mean).normal_(generator=self.generator(purpose))
        return Codes(DiagonalNormal.of(mean, std), mean + std * noise)

    @cached_property
    def labelled(self) -> tuple[Labelled, Labelled]:
        """Means of training and of held-out posteriors with their classes, scaled alike."""
        scale = Scale.of(self.train.q.mean)
        rows = spread(len(self.data.test), CODES)
        test = Labelled(scale(self.test.q.mean), self.data.test.y[rows])
        return Labelled(scale(self.train.q.mean), self.train_y), test

    @cached_property
    def rough_log_px(self) -> Float[Tensor, " n"]:
        """log p(x) of every held-out image by few importance samples."""
        generator, draws = self.generator("rough importance"), self.fewer(ROUGH_SAMPLES, 16)
        return evidence.importance(self.model, self.test_x, draws, generator).log_px

    def fewer(self, usual: int, times: int) -> int:
        """How many draws to take: so many times fewer where each is a pass of a PixelCNN."""
        costly = isinstance(self.model.decoder, PixelCNN)
        return max(1, usual // times) if costly else usual

    @property
    def caveat(self) -> str:
        """What keeps log p(x|z) from being the log of a density."""
        binary = self.model.likelihood.of == "binary"
        return GREY if binary and not self.is_binary else ""

    @cached_property
    def is_binary(self) -> bool:
        """Whether every pixel is 0 or 1."""
        x = self.test_x
        return bool(((x == 0) | (x == 1)).all())

    @cached_property
    def grey_steps(self) -> int | None:
        """How many equal steps lead from 0 to 1 through all that pixels are; None for too many."""
        values = self.test_x[:BLOCK].unique()
        steps = round(1 / values.diff().min().item()) if len(values) > 1 else 0
        even = (values * steps - (values * steps).round()).abs().max() < 1e-3
        return steps if 0 < steps <= MOST_STEPS and even else None


def absent(note: str) -> Estimate:
    """A value that cannot be had."""
    return Estimate(None, note=note)


def of_mean(terms: Float[Tensor, " n"], **more: object) -> Estimate:
    """The mean of one term per image."""
    value, error = mean_error(terms)
    low, high = intervals.normal(value, error)
    found = {"value": value, "error": error, "low": low, "high": high, "n": len(terms)}
    return Estimate(**found | more)


def mean_error(terms: Float[Tensor, " n"]) -> tuple[float, float]:
    """Mean and its standard error."""
    terms = terms.double()
    error = terms.std(correction=min(1, len(terms) - 1)) / math.sqrt(len(terms))
    return terms.mean().item(), error.item()


def below(terms: Float[Tensor, " n"]) -> float:
    """Where the interval of the mean begins."""
    return intervals.normal(*mean_error(terms))[0]


def above(terms: Float[Tensor, " n"]) -> float:
    """Where it ends."""
    return intervals.normal(*mean_error(terms))[1]


def joined(notes: list[str]) -> str:
    """Notes one after another."""
    return " ".join(filter(None, notes))
