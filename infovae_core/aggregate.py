"""The aggregated posterior q(z) = (1/N) Σ_i q(z|x_i) of N images, beside the prior N(0, I).

Posteriors are diagonal normals of known mean and standard deviation, so that q(z) is integrated and
not estimated: densities are averages over the cells of a grid, exact however narrow a posterior is.
Pure functions of numpy arrays; a viewer needs no torch for them.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.special import gammainc, gammaincinv, gammaln, ndtr

PAIRS = 300  # posteriors that enter MMD², all pairs of them
DRAWS = 500_000  # numbers drawn for the distances from the origin
AT_ONCE = 1_000_000  # numbers of a density computed together: more would leave the cache


def cdf(
    mean: Float[np.ndarray, "n d"], std: Float[np.ndarray, "n d"], edges: Float[np.ndarray, "d m"]
) -> Float[np.ndarray, "d m"]:
    """Q(z_j ≤ edge) of each unit j: (1/N) Σ_i Φ((edge − μ_ij)/σ_ij)."""
    below = np.zeros(edges.shape)
    edges = edges.astype(np.float32)
    step = max(1, AT_ONCE // edges.size)
    for start in range(0, len(mean), step):
        m, s = (x[start : start + step, :, None].astype(np.float32) for x in (mean, std))
        below += ndtr((edges - m) / s).sum(0, dtype=np.float64)
    return below / len(mean)


def normal_cdf(z: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*k"]:
    """Φ(z), of N(0, 1)."""
    return ndtr(z)


def per_cell(
    below: Float[np.ndarray, "*k m"], edges: Float[np.ndarray, "*k m"]
) -> Float[np.ndarray, "*k m-1"]:
    """The mean density in each cell, from the distribution function at the edges."""
    return np.diff(below, axis=-1) / np.diff(edges, axis=-1)


def quantiles(
    below: Float[np.ndarray, "d m"],
    edges: Float[np.ndarray, "d m"],
    shares: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "d k"]:
    """z with Q(z_j ≤ z) = share, read off the distribution function at the edges."""
    return np.stack([np.interp(shares, q, z) for q, z in zip(below, edges, strict=True)])


def marginal_kl(
    below: Float[np.ndarray, "d m"], edges: Float[np.ndarray, "d m"]
) -> Float[np.ndarray, " d"]:
    """KL(q(z_j) ‖ N(0, 1)) in nats, both as masses of the cells and of what lies beyond them.

    Never above the true divergence, which it reaches as the cells become small.
    """
    q = np.diff(np.pad(below, ((0, 0), (1, 1)), constant_values=(0, 1)), axis=1).clip(0)
    ends = np.pad(edges, ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))
    # Of the two tails the one that holds the cell: the other is 1 but for what rounding takes.
    side = np.where(ends[:, :-1] >= 0, -1, 1)
    p = side * (ndtr(side * ends[:, 1:]) - ndtr(side * ends[:, :-1]))
    p = np.clip(p, np.finfo(float).tiny, None)
    return (q * np.log(np.where(q > 0, q, 1) / p)).sum(1)


def on_axes(
    mean: Float[np.ndarray, "n 2"], std: Float[np.ndarray, "n 2"], edges: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "m-1 m-1"]:
    """The mean density of q on two units in each cell; [i, j] is the i-th across, the j-th up."""
    edges = edges.astype(np.float32)
    scaled = (edges - mean[..., None].astype(np.float32)) / std[..., None].astype(np.float32)
    across, up = np.diff(ndtr(scaled), axis=2).transpose(1, 2, 0)
    return across @ up.T / (len(mean) * (edges[1] - edges[0]) ** 2)


def on_plane(
    mean: Float[np.ndarray, "n 2"],
    spread: Float[np.ndarray, "n 2 2"],
    edges: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "m-1 m-1"]:
    """The same for posteriors that lie obliquely to the axes, with covariances `spread`.

    The density of each is that at a cell's middle, once the posterior is blurred by the cell:
    N(μ, S + h²/12 I), h the cell's side.
    """
    size, count = float(edges[1] - edges[0]), len(edges) - 1
    middles = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    a, b, c = spread[:, 0, 0] + size**2 / 12, spread[:, 0, 1], spread[:, 1, 1] + size**2 / 12
    det = a * c - b * b
    aa, bb, cc = ((-0.5 * x / det).astype(np.float32)[:, None, None] for x in (c, -b, a))
    top = (1 / (2 * math.pi * np.sqrt(det))).astype(np.float32)
    total = np.zeros((count, count))
    step = max(1, AT_ONCE // count**2)
    for rows in (slice(i, i + step) for i in range(0, len(mean), step)):
        dx, dy = (middles - mean[rows, axis, None].astype(np.float32) for axis in (0, 1))
        power = 2 * bb[rows] * dx[:, :, None] * dy[:, None, :]
        power += aa[rows] * (dx * dx)[:, :, None]
        power += cc[rows] * (dy * dy)[:, None, :]
        total += np.einsum("n,nij->ij", top[rows], np.exp(power, out=power))
    return total / len(mean)


def covariance(
    mean: Float[np.ndarray, "n d"], std: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "d d"]:
    """Cov[q(z)] = Cov_i(μ_i) + diag mean_i σ_i², the law of total covariance."""
    mean, std = mean.astype(np.float64), std.astype(np.float64)
    return np.atleast_2d(np.cov(mean, rowvar=False, bias=True)) + np.diag((std**2).mean(0))


def rates(mean: Float[np.ndarray, "n d"], std: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """mean_i KL(q(z_j|x_i) ‖ p(z_j)) of each unit, nats; they add up to the rate R."""
    mean, std = mean.astype(np.float64), std.astype(np.float64)
    return (0.5 * (std**2 + mean**2 - 1) - np.log(std)).mean(0)


def distances(
    mean: Float[np.ndarray, "n d"], std: Float[np.ndarray, "n d"], seed: int = 0
) -> Float[np.ndarray, "n k"]:
    """‖z‖ of draws z ~ q(z|x_i), the same noise each time; as many as `DRAWS` allows."""
    n, d = mean.shape
    count = int(np.clip(DRAWS // (n * d), 1, 40))
    random = np.random.default_rng(seed)
    found = np.empty((n, count))
    for k in range(count):
        z = mean + std * random.standard_normal((n, d), np.float32)
        found[:, k] = np.sqrt(np.square(z).sum(1, dtype=np.float64))
    return found


def chi_density(r: Float[np.ndarray, " m"], d: int) -> Float[np.ndarray, " m"]:
    """The density of ‖z‖ for z ~ N(0, I) in d dimensions: 2^(1−d/2) r^(d−1) e^(−r²/2) / Γ(d/2)."""
    with np.errstate(divide="ignore"):
        power = (d - 1) * np.log(r) if d > 1 else np.zeros_like(r)
    return np.exp((1 - d / 2) * math.log(2) + power - r**2 / 2 - gammaln(d / 2))


def chi_cdf(r: Float[np.ndarray, " m"], d: int) -> Float[np.ndarray, " m"]:
    """P(‖z‖ ≤ r) for z ~ N(0, I) in d dimensions."""
    return gammainc(d / 2, np.square(r) / 2)


def chi_quantile(share: float, d: int) -> float:
    """The distance from the origin within which that share of N(0, I) lies."""
    return float(np.sqrt(2 * gammaincinv(d / 2, share)))


def mmd2(mean: Float[np.ndarray, "n d"], std: Float[np.ndarray, "n d"]) -> float:
    """MMD²(q(z), N(0, I)) by the kernel exp(−r²/d²), with the draws of z integrated out.

    Over pairs of different images, as the U-statistic is: unbiased for the distribution that the
    images come from. Two normals have E k(z, z′) = Π_j (1 + 2v_j/d²)^−½ exp(−m_j²/(d² + 2v_j)), m
    the difference of their means and v the sum of their variances.
    """
    step = -(-len(mean) // PAIRS)
    m, v = mean[::step].astype(np.float64), np.square(std[::step].astype(np.float64))
    n, d = m.shape
    wide = float(d * d)

    def expected(difference: np.ndarray, variance: np.ndarray) -> np.ndarray:
        spread = wide + 2 * variance
        return np.exp(-(difference**2 / spread + 0.5 * np.log(spread / wide)).sum(-1))

    crossed = expected(m, v + 1).mean()
    prior = expected(np.zeros(d), np.full(d, 2.0))
    if n < 2:
        return math.nan
    pairs = sum(
        expected(m[i] - m[i + 1 :], v[i] + v[i + 1 :]).sum() for i in range(n - 1)
    )  # row by row, for n² d numbers are many
    return float(2 * pairs / (n * (n - 1)) + prior - 2 * crossed)
