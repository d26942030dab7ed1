"""Divergences from samples, as pure functions: kernels, MMD and its witness, Stein's."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

IMQ_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BLOCK = 64


def rbf(d2: Float[Tensor, "m n"], d: int) -> Float[Tensor, "m n"]:
    """exp(−r²/d²), from squared distances r²; the kernel of the InfoVAE authors' code."""
    return torch.exp(d2 / -(d**2))


def rbf_wide(d2: Float[Tensor, "m n"], d: int) -> Float[Tensor, "m n"]:
    """exp(−r²/2d), from squared distances r²: the bandwidth grows as distances under N(0, I) do.

    Equal to `rbf` at d = 2, wider below and narrower above.
    """
    return torch.exp(d2 / -(2 * d))


def imq(d2: Float[Tensor, "m n"], d: int) -> Float[Tensor, "m n"]:
    """Mean over s of C/(C + r²), C = 2ds, from squared distances r².

    Tolstikhin et al. 2018 (arXiv 1711.01558) *sum* over the same seven scales; the mean keeps
    k(x, x) = 1 like the other kernels. To repeat a weight from there, multiply it by seven.
    """
    total = torch.zeros_like(d2)
    for width in (2 * d * s for s in IMQ_SCALES):
        total = torch.add(total, (d2 + width).reciprocal_(), alpha=width / len(IMQ_SCALES))
    return total  # in two thirds fewer passes over the pairs than a sum of C/(C + r²) takes


def squared_distances(a: Float[Tensor, "m d"], b: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
    """‖a_i − b_j‖², by one matrix product."""
    d2 = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return d2.clamp_min(0)  # rounding can push near-equal points below


def mmd2(
    a: Float[Tensor, "m d"],
    b: Float[Tensor, "n d"],
    kernel: str = "rbf",
    unbiased: bool = True,
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy, E k(a, a′) + E k(b, b′) − 2 E k(a, b).

    A number without unit, scaled by its kernel: at most 2, as every kernel here has k(x, x) = 1.
    The U-statistic (unbiased) leaves out the diagonals and so may be negative near 0; the
    V-statistic keeps them and is too large by (1 − E k(a, a′))/m + (1 − E k(b, b′))/n.

    Args:
        a, b: samples of the two distributions; the U-statistic needs two rows of each.
        kernel: a name in KERNELS.

    Source: Gretton et al. 2012, eq. 3 (U) and 5 (V).
    """
    m, n = len(a), len(b)
    both = torch.cat((a, b))
    k = KERNELS[kernel](squared_distances(both, both), a.shape[1])
    aa, bb, ab = k[:m, :m], k[m:, m:], k[:m, m:]
    if unbiased:
        within_a = (aa.sum() - aa.diagonal().sum()) / (m * (m - 1))
        within_b = (bb.sum() - bb.diagonal().sum()) / (n * (n - 1))
    else:
        within_a, within_b = aa.mean(), bb.mean()
    return within_a + within_b - 2 * ab.mean()


def witness(
    z: Float[Tensor, "k d"],
    a: Float[Tensor, "m d"],
    b: Float[Tensor, "n d"],
    kernel: str = "rbf",
    block: int = BLOCK,
) -> Float[Tensor, " k"]:
    """f(z) = E k(a, z) − E k(b, z), the function in which MMD² sees a and b differ; no unit.

    Positive where a has more mass than b, as far as the kernel can tell places apart. The mean of f
    over a minus that over b is MMD², by the V-statistic; its slope is the way in which the loss
    pushes a.

    Args:
        z: where to evaluate it.
        a, b: samples of the two distributions.
        kernel: a name in KERNELS.
        block: rows of z at a time, so that all stays in a processor's cache.

    Source: Gretton et al. 2012, section 2.3, with the sign of q − p where a ~ q and b ~ p.
    """

    def of(part: Tensor) -> Tensor:
        k = KERNELS[kernel](squared_distances(part, torch.cat((a, b))), z.shape[1])
        return k[:, : len(a)].mean(1) - k[:, len(a) :].mean(1)

    return torch.cat([of(part) for part in z.split(block)])


def stein_kernel(
    a: Float[Tensor, "m d"], b: Float[Tensor, "n d"], bandwidth: float
) -> Float[Tensor, "m n"]:
    """k(z, z′) [s·s′ + s·∇_{z′} + s′·∇_z + tr ∇_z∇_{z′}] for every pair of rows z of a, z′ of b.

    With s = −z, the score of N(0, I), and k = exp(−‖z − z′‖²/2h²) that is
    k [z·z′ − r²/h² + d/h² − r²/h⁴]. Its mean over any z′ ~ N(0, I) is 0.
    """
    r2, h2 = squared_distances(a, b), bandwidth**2
    return torch.exp(r2 / (-2 * h2)) * (a @ b.T + a.shape[1] / h2 - r2 * (1 / h2 + 1 / h2**2))


def ksd2(z: Float[Tensor, "n d"], bandwidth: float, unbiased: bool = True) -> Float[Tensor, ""]:
    """Squared kernelised Stein discrepancy of the sample z from N(0, I); no unit.

    The mean of `stein_kernel` over pairs. The U-statistic (unbiased) leaves out z with itself and
    so may be negative near 0.

    Args:
        bandwidth: h, in the units of z.

    Source: Liu, Lee and Jordan 2016, eq. 9.
    """
    n = len(z)
    u = stein_kernel(z, z, bandwidth)
    if unbiased:
        return (u.sum() - u.diagonal().sum()) / (n * (n - 1))
    return u.mean()


def svgd_direction(
    z: Float[Tensor, "n d"], bandwidth: float, at: Float[Tensor, "m d"] | None = None
) -> Float[Tensor, "m d"]:
    """φ(y) = mean_j k(z_j, y)(−z_j) + ∇_{z_j} k(z_j, y): where N(0, I) pulls a point at y.

    The steepest descent of KL(q(z) ‖ p(z)) within the kernel's function space, k as in `ksd2`: the
    first part draws the points to the mode, the second keeps them apart.

    Args:
        bandwidth: h, in the units of z.
        at: the places y; left out, the points z themselves.

    Source: Liu and Wang 2016, eq. 8.
    """
    y, h2 = z if at is None else at, bandwidth**2
    k = torch.exp(squared_distances(y, z) / (-2 * h2))
    repulsion = (k.sum(1, keepdim=True) * y - k @ z) / h2
    return (repulsion - k @ z) / len(z)


KERNELS: dict[str, Callable[[Float[Tensor, "m n"], int], Float[Tensor, "m n"]]] = {
    "rbf": rbf,
    "rbf_wide": rbf_wide,
    "imq": imq,
}
