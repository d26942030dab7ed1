"""log p(x) of a decoder, by importance sampling and by annealed importance sampling; nats.

Both average weights whose expectation is p(x), so that by Jensen's inequality their logarithms are
lower bounds in expectation, which close in on log p(x) as draws are added. Sums are kept in double
precision; networks run in their own.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from infovae_core.distributions import DiagonalNormal
from infovae_core.model import VAE

PASSES = 1000  # codes that go through the decoder at once

LEAPFROGS = 10
ACCEPTANCE = 0.65
PILOTS = 4  # chains per image that adapt the step size of the others
ADAPTATION = 0.2  # of the step size's logarithm, per temperature and unit of acceptance


class Importance(NamedTuple):
    """Importance sampling, per image."""

    log_px: Float[Tensor, " n"]
    effective: Float[Tensor, " n"]  # draws that as many equal weights would count as; at least 1


class Annealing(NamedTuple):
    """Annealed importance sampling."""

    log_weights: Float[Tensor, "n chains"]
    acceptance: float  # share of proposals that were accepted

    @property
    def log_px(self) -> Float[Tensor, " n"]:
        """log of the mean weight of an image's chains."""
        return self.log_weights.logsumexp(1) - math.log(self.log_weights.shape[1])

    @property
    def effective(self) -> Float[Tensor, " n"]:
        """Chains that as many equal weights would count as; at least 1."""
        return (2 * self.log_weights.logsumexp(1) - (2 * self.log_weights).logsumexp(1)).exp()


def nothing(done: float) -> None:
    """Report to nobody."""


@torch.no_grad()
def importance(
    model: VAE,
    x: Float[Tensor, "n *data"],
    samples: int,
    generator: torch.Generator | None = None,
    progress: Callable[[float], object] = nothing,
) -> Importance:
    """log (1/K) Σ_k p(x|z_k) p(z_k)/q(z_k|x), z_k ~ q(z|x).

    The three densities are of the same draws: log p(x|z_k) together with a closed-form KL
    would be neither an estimate nor a bound. K = 1 is an unbiased estimate of the ELBO.

    Args:
        samples: K. Memory is a few times `PASSES` images.
        progress: called with the share that is done.

    Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
    """
    sizes = [len(part) for part in torch.arange(samples).split(max(1, PASSES))]
    together = max(1, PASSES // samples)
    log_px, effective, done = [], [], 0
    for images in x.split(together):
        q = model.posterior(images)
        sums = [torch.full((len(images),), -math.inf, dtype=torch.float64, device=x.device)] * 2
        for k in sizes:
            noise = torch.randn(
                (k, *q.mean.shape), generator=generator, dtype=q.mean.dtype, device=x.device
            )
            z = q.mean + q.stddev * noise
            log_prior, log_q = DiagonalNormal.standard(z).log_prob(z), q.log_prob(z)
            logs = (log_likelihood(model, z, images) + log_prior - log_q).double()
            sums = [
                torch.logaddexp(total, (power * logs).logsumexp(0))
                for power, total in enumerate(sums, 1)
            ]
            done += k * len(images)
            progress(done / (samples * len(x)))
        log_px.append(sums[0] - math.log(samples))
        effective.append((2 * sums[0] - sums[1]).exp())
    return Importance(torch.cat(log_px), torch.cat(effective))


def log_likelihood(
    model: VAE, z: Float[Tensor, "k b d"], x: Float[Tensor, "b *data"]
) -> Float[Tensor, "k b"]:
    """log p(x|z) of every image at each of its k codes."""
    repeated = x.expand(len(z), *x.shape).flatten(0, 1)
    return model.decode(z.flatten(0, 1)).log_prob(repeated).unflatten(0, z.shape[:2])


def temperatures(steps: int, steepness: float = 4.0) -> list[float]:
    """From 0 to 1 in so many steps, along a sigmoid: slow where the bridge is most sensitive."""
    grid = torch.linspace(-steepness, steepness, steps + 1, dtype=torch.float64).sigmoid()
    return ((grid - grid[0]) / (grid[-1] - grid[0])).tolist()


def annealing(
    model: VAE,
    x: Float[Tensor, "n *data"],
    steps: int,
    chains: int = 16,
    generator: torch.Generator | None = None,
    progress: Callable[[float], object] = nothing,
) -> Annealing:
    """Annealed importance sampling along p(z) p(x|z)^t, t from 0 to 1, by Hamiltonian Monte Carlo.

    Each chain starts at the prior; each temperature multiplies its weight by p(x|z)^Δt and moves it
    by one trajectory of ten leapfrog steps. Step sizes must not depend on the chain they move,
    or the weights would be biased: `PILOTS` chains beside those that count adapt them, image by
    image, to an acceptance of 65 %.

    Args:
        steps: temperatures.
        chains: weights per image. Memory is a few times n (chains + `PILOTS`) images.

    Source: Neal 2001; Wu, Burda, Salakhutdinov and Grosse 2017, section 3 and appendix.
    """
    parts = x.split(max(1, PASSES // (chains + PILOTS)))
    runs = []
    for number, images in enumerate(parts):

        def report(done: float, number: int = number) -> None:
            progress((number + done) / len(parts))

        runs.append(anneal(model, images, steps, chains, generator, report))
    accepted = sum(len(part) * run.acceptance for part, run in zip(parts, runs, strict=True))
    return Annealing(torch.cat([run.log_weights for run in runs]), accepted / len(x))


class Chains(NamedTuple):
    """Where Markov chains are, for n images each."""

    z: Float[Tensor, "c n d"]
    log_px: Float[Tensor, "c n"]  # log p(x|z)
    slope: Float[Tensor, "c n d"]  # its gradient in z


def arrive(model: VAE, x: Float[Tensor, "n *data"], z: Float[Tensor, "c n d"]) -> Chains:
    """Chains at z."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        log_px = log_likelihood(model, z, x)
        [slope] = torch.autograd.grad(log_px.sum(), z)
    return Chains(z.detach(), log_px.detach(), slope)


def trajectory(
    model: VAE,
    x: Float[Tensor, "n *data"],
    start: Chains,
    momentum: Float[Tensor, "c n d"],
    size: Float[Tensor, "n 1"],
    t: float,
) -> tuple[Chains, Float[Tensor, "c n"]]:
    """Leapfrog steps under p(z) p(x|z)^t, and log of the probability ratio of end and start."""
    now, kick = start, momentum
    for _ in range(LEAPFROGS):
        kick = kick - 0.5 * size * (now.z - t * now.slope)
        now = arrive(model, x, now.z + size * kick)
        kick = kick - 0.5 * size * (now.z - t * now.slope)
    lost = start.z.square() - now.z.square() + momentum.square() - kick.square()
    return now, t * (now.log_px - start.log_px) + 0.5 * lost.sum(2)


def anneal(
    model: VAE,
    x: Float[Tensor, "n *data"],
    steps: int,
    chains: int,
    generator: torch.Generator | None,
    progress: Callable[[float], object],
) -> Annealing:
    """`annealing` of images that go through the decoder together."""
    like = next(model.parameters())
    shape = (chains + PILOTS, len(x), model.latent_dim)
    options = {"generator": generator, "dtype": like.dtype, "device": like.device}
    now = arrive(model, x, torch.randn(shape, **options))
    weights = torch.zeros(shape[:2], dtype=torch.float64, device=like.device)
    size = torch.full((len(x), 1), 0.1, dtype=like.dtype, device=like.device)
    accepted = torch.zeros((), device=like.device)
    for number, (before, t) in enumerate(pairwise(temperatures(steps)), 1):
        weights += (t - before) * now.log_px
        new, gain = trajectory(model, x, now, torch.randn(shape, **options), size, t)
        probability = gain.exp().nan_to_num(0.0).clamp(max=1.0)
        taken = torch.rand(shape[:2], **options) < probability
        now = Chains(
            torch.where(taken[..., None], new.z, now.z),
            torch.where(taken, new.log_px, now.log_px),
            torch.where(taken[..., None], new.slope, now.slope),
        )
        accepted += taken[:chains].float().mean()
        wanted = probability[chains:].mean(0)[:, None] - ACCEPTANCE
        size = size * (ADAPTATION * wanted).exp()
        progress(number / steps)
    return Annealing(weights[:chains].T, accepted.item() / steps)
