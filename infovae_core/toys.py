"""Points in few dimensions, drawn from densities that are known: numpy in, numpy out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from infovae_core.catalogue import SETS

Arrays = tuple[np.ndarray, np.ndarray]  # points f32 [n, k]; classes [n]


@dataclass(frozen=True)
class Mixture:
    """p(x) = (1/K) Σ_c N(x; m_c, σ² I) in the plane, the means m_c evenly on a circle."""

    components: int = 8
    radius: float = 1.0
    sigma: float = 0.1

    @cached_property
    def means(self) -> np.ndarray:
        """m_c, [K, 2]."""
        angle = 2 * np.pi * np.arange(self.components) / self.components
        return self.radius * np.stack((np.cos(angle), np.sin(angle)), 1)

    def sample(self, count: int, random: np.random.Generator) -> Arrays:
        """Points and their components, as many of each as of the others."""
        c = random.permutation(np.arange(count) % self.components)
        x = self.means[c] + self.sigma * random.standard_normal((count, 2))
        return x.astype(np.float32), c

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats, [n], of points [n, 2]."""
        squares = ((x[:, None] - self.means) ** 2).sum(-1) / self.sigma**2
        each = -0.5 * squares - math.log(2 * math.pi * self.sigma**2 * self.components)
        return np.logaddexp.reduce(each, axis=1)


@dataclass(frozen=True)
class LinearGaussian:
    """x = W z + σ ε, z ~ N(0, I) and ε ~ N(0, I): probabilistic PCA (Tipping & Bishop 1999).

    The columns of W are orthogonal, so that p(z|x) is diagonal and a VAE with a linear encoder can
    be exact: then q(z) = p(z), R = I(x; z), and the ELBO is log p(x).

    Args:
        scales: lengths of W's columns, falling.
        k: dimension of x.
    """

    scales: tuple[float, ...] = (1.0, 0.5)
    k: int = 6
    sigma: float = 0.1  # what `model.sigma` is unless told

    @cached_property
    def w(self) -> np.ndarray:
        """W, [k, d]: cosines of the discrete cosine transform, which are orthogonal."""
        place, wave = np.arange(self.k)[:, None] + 0.5, np.arange(1, len(self.scales) + 1)
        return np.cos(np.pi * place * wave / self.k) * math.sqrt(2 / self.k) * np.array(self.scales)

    @property
    def covariance(self) -> np.ndarray:
        """Of x: W Wᵀ + σ² I, [k, k]."""
        return self.w @ self.w.T + self.sigma**2 * np.eye(self.k)

    @property
    def precision(self) -> np.ndarray:
        """Of p(z|x), its diagonal: 1 + ‖w_j‖²/σ², [d]."""
        return 1 + np.square(self.scales) / self.sigma**2

    @property
    def encoder(self) -> np.ndarray:
        """A of E[z|x] = A x: Wᵀ/σ² over the precision, [d, k]."""
        return self.w.T / self.sigma**2 / self.precision[:, None]

    @property
    def information(self) -> float:
        """I(x; z) = ½ log det(I + WᵀW/σ²), which is the rate too where q(z|x) = p(z|x); nats."""
        return 0.5 * float(np.log(self.precision).sum())

    @property
    def entropy(self) -> float:
        """−E log p(x) = ½ (k log 2πe + log det(W Wᵀ + σ² I)); no ELBO is above its negative."""
        log_det = float(np.linalg.slogdet(self.covariance)[1])
        return 0.5 * (self.k * math.log(2 * math.pi * math.e) + log_det)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats, [n], of points [n, k]."""
        squares = np.einsum("ni,ni->n", x, np.linalg.solve(self.covariance, x.T).T)
        return -0.5 * squares - self.entropy + 0.5 * self.k

    def sample(self, count: int, random: np.random.Generator) -> Arrays:
        """Points, and in which quadrant the first two of their codes lie."""
        z = random.standard_normal((count, len(self.scales)))
        x = z @ self.w.T + self.sigma * random.standard_normal((count, self.k))
        return x.astype(np.float32), 2 * (z[:, 0] > 0) + (z[:, 1] > 0)

    def optimum(self, covariance: np.ndarray, d: int) -> tuple[np.ndarray, float]:
        """The W and σ that maximise the likelihood of points of a covariance [k, k].

        σ² is the mean of the k − d smallest eigenvalues, W = U (L − σ² I)^½ of the d largest.
        """
        values, vectors = np.linalg.eigh(covariance)
        noise = values[:-d].mean()
        w = vectors[:, ::-1][:, :d] * np.sqrt(np.maximum(values[::-1][:d] - noise, 0))
        return w, math.sqrt(noise)


MIXTURE, LINEAR = Mixture(), LinearGaussian()


def two_points(count: int, random: np.random.Generator) -> Arrays:
    """−1 and +1 by turns."""
    c = np.arange(count) % 2
    return (2 * c[:, None] - 1).astype(np.float32), c


TOYS = {"mixture": MIXTURE.sample, "two_points": two_points, "linear_gaussian": LINEAR.sample}


def make(name: str) -> tuple[Arrays, Arrays]:
    """Training and held-out points of a set, the same each time."""
    random, known = np.random.default_rng(0), SETS[name]
    return TOYS[name](known.train, random), TOYS[name](known.test, random)
