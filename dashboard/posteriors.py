"""The posteriors of a snapshot beside the prior, packed for the page Latent space.

It loads scipy, for which who only watches a run need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dashboard.packing import (
    PIXEL_STEP,
    BadQuery,
    drawn,
    join,
    project,
    quantise,
    said_of_points,
    shorten,
)
from infovae_core import aggregate

NUMBERS = 100_000  # means of single units sent at most, and as many standard deviations
NEEDED = ("mean", "std", "label", "split")
SPLITS = {"train": 0, "test": 1}
CELLS = 81  # of a density, each way on a plane
BARS = 96  # of a unit's density
RINGS = 60  # of the distances from the origin
TAIL = 2.75  # σ of N(0, 1) to which quantiles are compared
QUANTILES = 45
SHOWN = 64  # units of which the covariance is shown
LADDER = (1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15)
WIDTHS = 254  # levels of a standard deviation, on a logarithmic scale
ACTIVE = 0.01  # Burda et al. 2016
SEED = 0

Arrays = dict[str, np.ndarray]
Measured = tuple[dict[str, Any], Arrays]


def pack(
    step: int,
    arrays: Mapping[str, np.ndarray],
    plane: str,
    split: str,
    measured: Measured | None = None,
) -> bytes:
    """A split's codes, q(z) and the prior on a plane, by unit and by distance; as a snapshot is.

    Every number and density is of all the split's codes, also where not all of them are sent.

    Header: axes, reach of the density's grid, count of the split's codes, order of the units by
    their rate, and by unit kl (nats) and gap, KL(q(z_j) ‖ N(0, 1)), and width of its density;
    numbers of the whole. Arrays, n the codes sent, as many as `NUMBERS` allows, d the units:
    points, draws u16 [n, 2] on the plane, mean and one draw each; spread f32 [n, 3], variances and
    covariance there; mean u16 [n, d], std u8 [n, d] in levels; label, index; density f32 [c, c];
    marginals f32 [d, b]; quantiles f32 [d, k]; rings, chi f32 [r]; norm f32 [n] of the draws;
    covariance f32 [u, u] of the first units in that order; basis f32 [d, 2] of the plane.

    Args:
        measured: what `measure` finds in this split of these arrays, where it is known.
    """
    mean, std, label, index = codes(arrays, split)
    d = mean.shape[1]
    said, numbers = measure(arrays, split) if measured is None else measured
    axes, _ = project(mean[:1], arrays.get("plane"), plane)
    basis = arrays["plane"] if axes == "pca" else np.eye(d, dtype=np.float32)[:, axes]
    noise = np.random.default_rng(SEED).standard_normal(mean.shape, np.float32)
    drawn = mean + std * noise
    sent = np.linspace(0, len(mean) - 1, min(len(mean), max(1, NUMBERS // d))).astype(int)
    place, on_plane = landscape(mean, std, drawn, basis, axes, sent)
    levels, low, scale = quantise(mean[sent])
    widths, bottom, ratio = logarithmic(std[sent])
    header = {"step": step, "split": split, "axes": axes, "count": len(mean), "active": ACTIVE}
    header |= said | place
    header |= {"mean": [low, scale], "std": [bottom, ratio]}
    parts = {
        **on_plane,
        "mean": levels,
        "std": widths,
        "label": label[sent].astype("<i2"),
        "index": index[sent].astype("<i4"),
        "norm": np.sqrt(np.square(drawn[sent]).sum(1)).astype("<f4"),
        "basis": basis.astype("<f4"),
        **numbers,
    }
    return join(header, parts)


def measure(arrays: Mapping[str, np.ndarray], split: str) -> Measured:
    """What a split's codes come to whatever the plane, as `pack` has it in header and arrays.

    Raises: BadQuery where the snapshot does not have them.
    """
    mean, std, *_ = codes(arrays, split)
    kl = aggregate.rates(mean, std)
    order = np.argsort(-kl, kind="stable")
    covariance = aggregate.covariance(mean, std)
    told, numbers = whole(mean, std, kl, covariance)
    units, by_unit = marginals(mean, std)
    units |= {"order": order.tolist(), "kl": [shorten(float(nats)) for nats in kl]}
    first = np.ix_(order[:SHOWN], order[:SHOWN])
    return told | units, {**numbers, **by_unit, "covariance": covariance[first].astype("<f4")}


def codes(arrays: Mapping[str, np.ndarray], split: str) -> tuple[np.ndarray, ...]:
    """Means, standard deviations, labels and indices of a split's codes, where they are finite.

    Raises: BadQuery where the snapshot does not have them.
    """
    if split not in SPLITS:
        raise BadQuery(f"split must be one of {', '.join(SPLITS)}, got {split[:20]!r}; choose one")
    if missing := [name for name in NEEDED if name not in arrays]:
        raise BadQuery(
            "a snapshot must hold the posteriors of its codes, got one of an older version without "
            f"{', '.join(missing)}; repeat the run"
        )
    mean, std, label = arrays["mean"], arrays["std"], arrays["label"]
    chosen = arrays["split"] == SPLITS[split]
    within = np.cumsum(chosen) - 1  # older snapshots hold the first of each split
    index = arrays.get("index", within)
    chosen &= np.isfinite(mean).all(1) & np.isfinite(std).all(1) & (std > 0).all(1)
    if not chosen.any():
        raise BadQuery(f"a snapshot must hold finite {split} codes, got none; choose another step")
    return mean[chosen], std[chosen], label[chosen], index[chosen]


def whole(
    mean: np.ndarray, std: np.ndarray, kl: np.ndarray, covariance: np.ndarray
) -> tuple[dict[str, Any], Arrays]:
    """What all codes of a split come to, and their distances from the origin beside χ's."""
    d = mean.shape[1]
    found = aggregate.distances(mean, std, SEED)
    typical = [aggregate.chi_quantile(share, d) for share in (0.05, 0.5, 0.95)]
    high = round_up(max(1.02 * aggregate.chi_quantile(0.9995, d), np.quantile(found, 0.995)))
    edges = np.linspace(0, high, RINGS + 1)
    rings = np.histogram(found, edges)[0] / found.size / (edges[1] - edges[0])
    chi = aggregate.per_cell(aggregate.chi_cdf(edges, d), edges)
    sign, log_det = np.linalg.slogdet(covariance)
    quartiles = np.quantile(found, (0.05, 0.5, 0.95)).tolist()
    variances = mean.astype(np.float64).var(0)
    said = {
        "rate": float(kl.sum()),
        "log_det": float(log_det) if sign > 0 else None,
        "mmd2": aggregate.mmd2(mean, std),
        "active_units": int((variances >= ACTIVE).sum()),
        "farthest": high,
    }
    told = {name: shorten(value) for name, value in said.items()}
    told |= {"distances": [shorten(x) for x in quartiles], "typical": [shorten(x) for x in typical]}
    return told, {"rings": rings.astype("<f4"), "chi": chi.astype("<f4")}


def marginals(mean: np.ndarray, std: np.ndarray) -> tuple[dict[str, Any], Arrays]:
    """Each unit's density and quantiles, those of q where N(0, 1) has -TAIL to TAIL."""
    reach = np.quantile(np.abs(mean) + 2 * std, 0.995, axis=0)
    width = np.array([round_up(max(3.6, float(x))) for x in reach])
    edges = width[:, None] * np.linspace(-1, 1, BARS + 1)
    below = aggregate.cdf(mean, std, edges)
    shares = aggregate.normal_cdf(np.linspace(-TAIL, TAIL, QUANTILES))
    gap = aggregate.marginal_kl(below, edges)
    told = {"width": width.tolist(), "gap": [shorten(float(nats)) for nats in gap], "tail": TAIL}
    return told, {
        "marginals": aggregate.per_cell(below, edges).astype("<f4"),
        "quantiles": aggregate.quantiles(below, edges, shares).astype("<f4"),
    }


def landscape(
    mean: np.ndarray,
    std: np.ndarray,
    drawn: np.ndarray,
    basis: np.ndarray,
    axes: list[int] | str,
    sent: np.ndarray,
) -> tuple[dict[str, Any], Arrays]:
    """The codes `sent` on a plane, and the density of q there, in cells from -reach to reach."""
    points, draws = mean @ basis, drawn @ basis
    spread = np.einsum("ji,nj,jk->nik", basis, np.square(std), basis)
    flat = points.shape[1]
    wide = np.sqrt(np.einsum("nii->ni", spread))
    reach = round_up(max(3.6, float(np.quantile((np.abs(points) + 2 * wide).max(1), 0.995))))
    edges = np.linspace(-reach, reach, CELLS + 1)
    if flat == 1:
        density = aggregate.per_cell(aggregate.cdf(points, wide, edges[None]), edges[None])[0]
    elif axes == "pca":
        density = aggregate.on_plane(points, spread, edges)
    else:
        density = aggregate.on_axes(points, wide, edges)
    corners = [part[sent] for part in (spread[:, 0, 0], spread[:, -1, -1], spread[:, 0, -1])]
    levels, low, scale = quantise(np.concatenate((points[sent], draws[sent])))
    return {"reach": reach, "low": low, "scale": scale}, {
        "points": levels[: len(sent)],
        "draws": levels[len(sent) :],
        "spread": np.stack(corners, 1).astype("<f4"),
        "density": density.astype("<f4"),
    }


def logarithmic(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Levels u8 of positive values, bottom and ratio, with value = bottom · ratio^level."""
    logs = np.log(values.astype(np.float64))
    low, high = float(logs.min()), float(logs.max())
    step = max(high - low, 1e-6) / WIDTHS
    return np.rint((logs - low) / step).astype("u1"), float(np.exp(low)), float(np.exp(step))


def round_up(value: float) -> float:
    """The next round number, as `frame.js` has them: what is drawn jumps as rarely as may be."""
    power = 10 ** np.floor(np.log10(value))
    return float(next(step * power for step in LADDER if step * power >= value * (1 - 1e-9)))


def pack_pictures(
    kept: Mapping[str, np.ndarray] | None, snapshot: Mapping[str, np.ndarray]
) -> bytes:
    """Pictures of a run's images, with split and index of each; as a snapshot is.

    Where the run kept none they are the held-out originals of a `snapshot`; the header's `whole`
    says which.
    """
    images = snapshot.get("originals", np.zeros((0, 1, 1), np.uint8))
    shown = snapshot.get("shown", np.zeros(0, np.int32))  # an older snapshot does not say
    few = {"pictures": images[: len(shown)], "split": np.ones(len(shown)), "index": shown}
    arrays = few if kept is None else kept
    parts = {
        "pictures": drawn(arrays["pictures"]),
        "split": arrays["split"].astype("u1"),
        "index": arrays["index"].astype("<i4"),
    }
    said = {"grey": PIXEL_STEP, "whole": kept is not None}
    return join(said | said_of_points(snapshot), parts)
