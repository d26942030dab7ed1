"""What an encoder's codes carry, estimated from N images; pure functions, nats per image.

All pairs of N codes and N posteriors enter, in double precision, a few megabytes of them at a time:
blocks that stay in the processor's cache are several times faster than larger ones. Time grows with
N² and, for `surgery`, with d; memory with N. `python -m benchmarks.estimators` measures both.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infovae_core.distributions import DiagonalNormal
from infovae_core.divergences import KERNELS, squared_distances, stein_kernel

CELLS = 1 << 19  # pairs at a time, 4 MiB in double precision
TILE = 180  # rows and columns of one sample: so few pairs that torch wakes no thread for them


class Surgery(NamedTuple):
    """Terms whose means over N images are the parts of the rate: R = I + TC + dimension-wise KL.

    The sum holds image by image, to rounding.
    """

    rate: Float[Tensor, " n"]  # KL(q(z|x_i) ‖ p(z)), closed form
    information: Float[Tensor, " n"]  # log q(z_i|x_i)/q(z_i); at most log N
    total_correlation: Float[Tensor, " n"]  # log q(z_i)/Π_j q(z_ij)
    dimensionwise_kl: Float[Tensor, " n"]  # Σ_j KL(q(z_ij|x_i) ‖ p(z_j)) − log q(z_ij|x_i)/q(z_ij)
    missing: Float[Tensor, " n"]  # what information gains with q(z_i) from the other N − 1 images
    units_missing: Float[Tensor, " n"]  # the same of each unit by itself, summed

    @property
    def upper(self) -> Float[Tensor, " n"]:
        """Information with q(z_i) from the other N − 1 images."""
        return self.information + self.missing

    @property
    def marginal_kl(self) -> Float[Tensor, " n"]:
        """R − I: its mean is KL(q(z) ‖ p(z))."""
        return self.rate - self.information


def surgery(q: DiagonalNormal, z: Float[Tensor, "n d"], block: int | None = None) -> Surgery:
    """Take the rate of N images apart: what codes say of images, and how they miss the prior.

    The mean of `information` is a lower bound on I_q(x; z) of the distribution that the images come
    from, that of `upper` an upper bound, both in expectation; the truth lies between them whether
    log N binds or not. The closed-form rate is an upper bound as well. So it is with the
    information in each unit: `dimensionwise_kl` is too large by `units_missing` at most.

    Args:
        q: the posteriors of N images, diagonal normal, batch shape [N], event shape [d].
        z: one draw from each.
        block: rows of z at a time; memory is block · N numbers.

    Source: Hoffman and Johnson 2016 (I and KL); Chen et al. 2018 (TC); Poole et al. 2019, eq. 13
    (the leave-one-out bound).
    """
    mean, variance, z = q.mean.double(), q.variance.double(), z.double()
    own = -0.5 * ((z - mean).square() / variance + (2 * math.pi * variance).log())
    log_joint, missing = log_mixture(mean, variance, z, own.sum(1), block)
    log_marginals, units_missing = torch.zeros_like(log_joint), torch.zeros_like(log_joint)
    for j in range(z.shape[1]):
        unit = slice(j, j + 1)
        log_marginal, gain = log_mixture(mean[:, unit], variance[:, unit], z[:, unit], own[:, j])
        log_marginals += log_marginal
        units_missing += gain
    own = own.sum(1)
    rate = closed_rate(mean, variance)
    return Surgery(
        rate=rate,
        information=own - log_joint,
        total_correlation=log_joint - log_marginals,
        dimensionwise_kl=rate - own + log_marginals,
        missing=missing,
        units_missing=units_missing,
    )


def log_mixture(
    mean: Float[Tensor, "n d"],
    variance: Float[Tensor, "n d"],
    z: Float[Tensor, "n d"],
    own: Float[Tensor, " n"],
    block: int | None = None,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """log (1/N) Σ_j q(z_i|x_j), and by how much it is less with the mean over j ≠ i.

    Args:
        own: log q(z_i|x_i).
    """
    n, others = len(z), log_sums(mean, variance, z, block, own=False)
    log_density = torch.logaddexp(others, own) - math.log(n)
    return log_density, log_density - others + math.log(max(n - 1, 1))


def log_sums(
    mean: Float[Tensor, "n d"],
    variance: Float[Tensor, "n d"],
    z: Float[Tensor, "m d"],
    block: int | None = None,
    own: bool = True,
) -> Float[Tensor, " m"]:
    """log Σ_j N(z_i; mean_j, diag variance_j); without j = i where `own` is False."""
    scale = 0.5 / variance
    constant = -(mean.square() * scale).sum(1) - 0.5 * (2 * math.pi * variance).log().sum(1)
    weights = torch.cat((2 * mean * scale, -scale, constant[:, None]), 1).T
    powers = torch.cat((z, z.square(), torch.ones_like(z[:, :1])), 1)
    sums = torch.empty_like(z[:, 0])
    for rows in blocks(len(z), len(mean), block):
        densities = powers[rows] @ weights
        if not own:
            densities.diagonal(rows.start).fill_(-math.inf)
        top = densities.amax(1, keepdim=True).clamp_min(torch.finfo(densities.dtype).min)
        sums[rows] = densities.sub_(top).exp_().sum(1).log_() + top[:, 0]
    return sums


def blocks(rows: int, columns: int, block: int | None = None) -> Iterator[slice]:
    """All rows, so many at a time that they stay in the processor's cache.

    What is computed of each goes into a tensor made before: a small one made with each would keep
    the allocator from using the block's memory again.
    """
    block = block or max(1, CELLS // columns)
    for start in range(0, rows, block):
        yield slice(start, min(start + block, rows))


def log_aggregated(
    q: DiagonalNormal, z: Float[Tensor, "m d"], block: int | None = None
) -> Float[Tensor, " m"]:
    """log q(z) = log (1/N) Σ_j q(z|x_j), the aggregated posterior's log-density at each row of z.

    Args:
        q: the posteriors of N images, as in `surgery`.
    """
    mean, variance = q.mean.double(), q.variance.double()
    return log_sums(mean, variance, z.double(), block) - math.log(len(mean))


def closed_rate(mean: Float[Tensor, "n d"], variance: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """KL(N(mean, diag variance) ‖ N(0, I)) = ½ Σ_j (v_j + m_j² − 1 − log v_j)."""
    return 0.5 * (variance + mean.square() - 1 - variance.log()).sum(1)


def mutual_information(
    q: DiagonalNormal, z: Float[Tensor, "n d"], block: int | None = None
) -> Float[Tensor, ""]:
    """I_q(x; z) of the empirical distribution, mean_i log q(z_i|x_i) − log q(z_i); at most log N.

    Args:
        q: the posteriors of N images.
        z: one draw from each.

    Source: Hoffman and Johnson 2016, section 2.
    """
    return (q.log_prob(z).double() - log_aggregated(q, z, block)).mean()


def marginal_kl(
    q: DiagonalNormal, z: Float[Tensor, "n d"], block: int | None = None
) -> Float[Tensor, ""]:
    """KL(q(z) ‖ p(z)) = R − I, R in closed form and I of the same N images.

    Too large by what log N caps I.
    """
    rate = closed_rate(q.mean.double(), q.variance.double()).mean()
    return rate - mutual_information(q, z, block)


def active_units(means: Float[Tensor, "n d"], threshold: float = 0.01) -> Int[Tensor, ""]:
    """#{j : Var_x E[z_j|x] ≥ threshold}, from the encoder's means themselves, not from draws.

    Source: Burda, Grosse and Salakhutdinov 2016, section 5.2 (threshold .01).
    """
    return (means.var(0, correction=0) >= threshold).sum()


def variance_error(x: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Standard error of the variance of each column, from its fourth moment."""
    squares = (x - x.mean(0)).square()
    return squares.std(0, correction=0) / math.sqrt(len(x))


def log_det_cov(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """log det Cov[z] of draws from q(z) and its standard error; 0 for the prior.

    A covariance from n draws is too small: of normal codes by about d(d + 1)/2n in its logarithm,
    which is added. The error is that of the influence function, (z − m)ᵀ Cov⁻¹ (z − m) − d.

    Args:
        z: draws, more of them than dimensions; else the value is −∞.
    """
    z = z.double()
    n, d = z.shape
    centred = z - z.mean(0)
    factor, failed = torch.linalg.cholesky_ex(centred.T @ centred / max(n - 1, 1))
    if n <= d or failed:
        return z.new_tensor(-math.inf), z.new_tensor(math.nan)
    value = 2 * factor.diagonal().log().sum() + d * (d + 1) / (2 * n)
    lengths = torch.linalg.solve_triangular(factor, centred.T, upper=False).square().sum(0)
    return value, lengths.std() / math.sqrt(n)


def u_statistics(
    tile: Callable[[slice, slice], Iterable[Float[Tensor, "a b"]]],
    n: int,
    block: int,
    progress: Callable[[float], object] = lambda done: None,
) -> list[tuple[float, float]]:
    """Mean of each of several symmetric h(w_i, w_j) over i ≠ j, and its standard error.

    Var = (4(n − 2) ζ₁ + 2 ζ₂)/n(n − 1), ζ₁ the variance of E[h|w_i] and ζ₂ that of h, so that the
    error is right also where the two distributions agree and ζ₁ is 0. One pass over half of the
    pairs gives the mean, the rows' means and the squares together.

    Args:
        tile: each h(w_i, w_j) for a slice of i and one of j, in a tensor that may be written to.
        block: rows and columns of a tile.
        progress: called with the share that is done.

    Source: Serfling 1980, section 5.2; Gretton et al. 2012, section 3.
    """
    sums: defaultdict[int, Tensor] = defaultdict(lambda: torch.zeros(n, dtype=torch.float64))
    squares: defaultdict[int, float] = defaultdict(float)
    parts = list(blocks(n, n, block))
    for number, rows in enumerate(parts):
        for columns in parts[number:]:
            for k, h in enumerate(tile(rows, columns)):
                if rows == columns:
                    h.diagonal().zero_()
                else:
                    sums[k][columns] += h.sum(0, dtype=torch.float64).cpu()
                sums[k][rows] += h.sum(1, dtype=torch.float64).cpu()
                times = 1 if rows == columns else 2
                squares[k] += times * h.square_().sum(dtype=torch.float64).item()
        progress(1 - (1 - (number + 1) / len(parts)) ** 2)
    return [mean_of_pairs(sums[k], squares[k]) for k in sums]


def mean_of_pairs(sums: Float[Tensor, " n"], squares: float) -> tuple[float, float]:
    """A U-statistic and its standard error from sums of h over j and of h² over all i ≠ j."""
    n = len(sums)
    means = sums / (n - 1)
    value = means.mean().item()
    whole = max(0.0, squares / (n * (n - 1)) - value**2)
    single = max(0.0, (means.var().item() * (n - 1) - whole) / (n - 2))
    return value, math.sqrt((4 * (n - 2) * single + 2 * whole) / (n * (n - 1)))


def mmd2_errors(
    z: Float[Tensor, "n d"],
    prior: Float[Tensor, "n d"],
    block: int | None = None,
    progress: Callable[[float], object] = lambda done: None,
) -> dict[str, tuple[float, float]]:
    """MMD² of codes and as many prior draws with its standard error, for every kernel by name.

    The one-sample U-statistic, h = k(z, z′) + k(p, p′) − k(z, p′) − k(z′, p): unlike
    `divergences.mmd2` it leaves out k(z_i, p_i), and its error is known. The kernels share their
    distances.

    Source: Gretton et al. 2012, eq. 4.
    """
    d = z.shape[1]

    def tile(rows: slice, columns: slice) -> Iterator[Tensor]:
        left, right = (torch.cat((z[part], prior[part])) for part in (rows, columns))
        distances = squared_distances(left, right)
        a, b = len(left) // 2, len(right) // 2
        for kernel in KERNELS.values():
            k = kernel(distances, d)
            yield (k[:a, :b] + k[a:, b:]).sub_(k[:a, b:]).sub_(k[a:, :b])

    found = u_statistics(tile, len(z), block or TILE // 2, progress)
    return dict(zip(KERNELS, found, strict=True))


def ksd2_error(
    z: Float[Tensor, "n d"], bandwidth: float, block: int | None = None
) -> tuple[float, float]:
    """KSD² of the codes from N(0, I), as `divergences.ksd2`, and its standard error."""

    def tile(rows: slice, columns: slice) -> Iterator[Tensor]:
        yield stein_kernel(z[rows], z[columns], bandwidth)

    [found] = u_statistics(tile, len(z), block or TILE)
    return found
