"""Models and distributions whose every quantity is known in closed form (nats)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from infovae_core.distributions import DiagonalNormal
from infovae_core.divergences import IMQ_SCALES
from infovae_core.likelihoods import Gaussian
from infovae_core.model import VAE


class ProbabilisticPCA:
    """x = W z + σ ε, W with orthogonal columns, and the exact encoder: q(z|x) = p(z|x).

    Then q(z) = p(z), the marginal KL is 0, I = R = ½ log det(I + WᵀW/σ²) and the ELBO is log p(x)
    at every z (Tipping and Bishop 1999).
    """

    def __init__(self, scales: tuple[float, ...] = (2.0, 1.0, 0.3), n: int = 6, sigma: float = 0.5):
        d = len(scales)
        basis = torch.linalg.qr(torch.randn(n, d))[0]
        self.w, self.sigma = basis * torch.tensor(scales), sigma
        precision = 1 + torch.tensor(scales).square() / sigma**2
        encoder, decoder = nn.Linear(n, 2 * d), nn.Linear(d, n)
        with torch.no_grad():
            encoder.weight[:d] = (self.w / sigma**2 / precision).T
            encoder.weight[d:] = 0
            encoder.bias[:d] = 0
            encoder.bias[d:] = -precision.log()
            decoder.weight.copy_(self.w)
            decoder.bias.zero_()
        self.model = VAE(encoder, decoder, Gaussian(sigma), d)
        self.information = 0.5 * precision.log().sum().item()

    def worsen(self, shift: float = 0.3, wider: float = 1.5) -> None:
        """Move every posterior and make it wider: the ELBO falls below log p(x)."""
        d = self.model.latent_dim
        with torch.no_grad():
            self.model.encoder.bias[:d] += shift
            self.model.encoder.bias[d:] += 2 * math.log(wider)

    @property
    def covariance(self) -> Tensor:
        """Of the images."""
        return self.w @ self.w.T + self.sigma**2 * torch.eye(len(self.w))

    @property
    def encoder(self) -> "LinearEncoder":
        """The encoder as it is now; its weights for the log-variance are 0."""
        d, layer = self.model.latent_dim, self.model.encoder
        a, b, log_var = layer.weight[:d], layer.bias[:d], layer.bias[d:]
        return LinearEncoder(a.detach(), b.detach(), log_var.exp().diag().detach(), self.covariance)

    def elbo(self) -> float:
        """E over images of the ELBO by the encoder as it is now."""
        q, n = self.encoder, len(self.w)
        rest = torch.eye(n) - self.w @ q.a
        missed = (rest @ self.covariance @ rest.T + self.w @ q.c @ self.w.T).trace()
        missed = missed + (self.w @ q.b).square().sum()
        log_px = -0.5 * (n * math.log(2 * math.pi * self.sigma**2) + missed / self.sigma**2)
        return log_px.item() - q.rate

    def mean_log_evidence(self) -> float:
        """E log p(x)."""
        n = len(self.w)
        return -0.5 * (n * (1 + math.log(2 * math.pi)) + self.covariance.logdet()).item()

    def sample(self, count: int) -> Tensor:
        """Images [count, n] from the model."""
        z = torch.randn(count, self.w.shape[1])
        return z @ self.w.T + self.sigma * torch.randn(count, len(self.w))

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x), [b]."""
        return MultivariateNormal(torch.zeros(len(self.w)), self.covariance).log_prob(x)


@dataclass(frozen=True)
class LinearEncoder:
    """z = A x + b + N(0, C) on x ~ N(0, S): rate, information and marginal KL in closed form."""

    a: Tensor
    b: Tensor
    c: Tensor
    s: Tensor

    @property
    def aggregated(self) -> Tensor:
        """Covariance of q(z)."""
        return self.a @ self.s @ self.a.T + self.c

    @property
    def rate(self) -> float:
        spread = (self.c + self.a @ self.s @ self.a.T).trace() + self.b @ self.b
        return 0.5 * (spread - len(self.b) - self.c.logdet()).item()

    @property
    def information(self) -> float:
        return 0.5 * (self.aggregated.logdet() - self.c.logdet()).item()

    @property
    def marginal_kl(self) -> float:
        spread = self.aggregated.trace() + self.b @ self.b
        return 0.5 * (spread - len(self.b) - self.aggregated.logdet()).item()

    @property
    def total_correlation(self) -> float:
        return 0.5 * (self.aggregated.diagonal().log().sum() - self.aggregated.logdet()).item()

    @property
    def dimensionwise_kl(self) -> float:
        variance = self.aggregated.diagonal()
        return 0.5 * (variance + self.b**2 - 1 - variance.log()).sum().item()

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z|x), for a diagonal C."""
        mean = x @ self.a.T + self.b
        return DiagonalNormal.of(mean, self.c.diagonal().sqrt().expand_as(mean))

    def sample(self, count: int) -> Tensor:
        """Images [count, n]."""
        return MultivariateNormal(torch.zeros(len(self.s)), self.s).sample((count,))


def draw(q: DiagonalNormal, shape: tuple[int, ...] = ()) -> Tensor:
    """Draws of a normal, `shape` of them for each of its batch."""
    return q.mean + q.stddev * torch.randn(*shape, *q.mean.shape)


def linear_encoder() -> LinearEncoder:
    """One whose every part of the rate differs from 0."""
    a, b = torch.tensor([[1.0, 0.3], [0.5, 0.8]]), torch.tensor([0.4, -0.2])
    return LinearEncoder(a, b, torch.diag(torch.tensor([0.3, 0.5])), torch.eye(2))


class GaussianPair:
    """(x, z), each N(0, I) in d dimensions, coordinatewise of correlation ρ: I = −d/2 log(1−ρ²)."""

    def __init__(self, rho: float, d: int = 1):
        self.rho, self.d = rho, d
        self.information = -d / 2 * math.log(1 - rho**2)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """x and z, [count, d] each."""
        x = torch.randn(count, self.d)
        return x, self.rho * x + math.sqrt(1 - self.rho**2) * torch.randn(count, self.d)

    def log_ratio(self, x: Tensor, z: Tensor) -> Tensor:
        """log q(x, z)/(p(x) q(z)), [count]."""
        left = 1 - self.rho**2
        quadratic = (self.rho**2 * (x**2 + z**2) - 2 * self.rho * x * z) / (2 * left)
        return (-quadratic - 0.5 * math.log(left)).sum(1)


def optimal_critic(pair: GaussianPair, shift: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """t = log u + shift, of all that x and z broadcast to."""

    def critic(x: Tensor, z: Tensor) -> Tensor:
        x, z = torch.broadcast_tensors(x, z)
        scores = pair.log_ratio(x.reshape(-1, pair.d), z.reshape(-1, pair.d))
        return scores.reshape(x.shape[:-1]) + shift

    return critic


def expected_rbf(mean: Tensor, variance: Tensor, h: float) -> Tensor:
    """E exp(−‖r‖²/h) for r ~ N(mean, diag variance)."""
    scale = 1 + 2 * variance / h
    return (scale**-0.5 * torch.exp(-(mean**2) / (h * scale))).prod()


def expected_kernel(kernel: str, mean: Tensor, variance: Tensor) -> Tensor:
    """E k(r) for r ~ N(mean, diag variance), k a kernel of divergences.KERNELS."""
    d = len(mean)
    if kernel == "rbf":
        return expected_rbf(mean, variance, d**2)
    if kernel == "rbf_wide":
        return expected_rbf(mean, variance, 2 * d)
    # C/(C + r²) = ∫ e^−u exp(−u r²/C) du: a mixture of the former, by Gauss–Laguerre quadrature.
    nodes, weights = np.polynomial.laguerre.laggauss(80)
    widths = (2 * d * s for s in IMQ_SCALES)
    return sum(
        w * expected_rbf(mean, variance, c / u)
        for c in widths
        for u, w in zip(nodes, weights, strict=True)
    ) / len(IMQ_SCALES)


def gaussian_mmd2(kernel: str, mean: Tensor, variance: Tensor) -> float:
    """MMD² of N(mean, diag variance) from N(0, I)."""
    zero, one = torch.zeros_like(mean), torch.ones_like(mean)
    return (
        expected_kernel(kernel, zero, 2 * variance)
        + expected_kernel(kernel, zero, 2 * one)
        - 2 * expected_kernel(kernel, mean, variance + 1)
    ).item()
