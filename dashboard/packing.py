"""Snapshots as a browser wants them: small, and in one piece that typed arrays can lie upon."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from infovae_core import decoders

POINT_LEVELS = 65534  # of a coordinate, between the smallest and the largest of a snapshot
NO_POINT = 65535  # stands for a coordinate that is not finite
PIXEL_STEP = 17  # 16 grey levels: as much as the eye makes out, at a third of the bytes
GRID = 161  # places at which a one-dimensional q(z) is evaluated
SIDE = 127  # levels of a signed value on each side of zero, which is level 127
NO_VALUE = 255  # stands for one that is not finite
PRIOR = 3.5  # σ within which the prior counts as being there
BESIDE = 2  # places of a grid that a code is beside, each way
MOST_CODES = 40  # with all their coordinates
BINS = 48  # of the histograms of a critic's scores


class BadQuery(ValueError):
    """A question that has no answer; the message names the remedy."""


def pack(step: int, arrays: Mapping[str, np.ndarray], plane: str, originals: bool) -> bytes:
    """A snapshot as one piece of bytes, for typed arrays to lie upon.

    A little-endian u32 is the length of the JSON header that follows; the header gives each
    array's type, shape and offset. A code is `low + scale · level`, an image 16 levels of grey, an
    item of a set of points itself; the header's `span` says how far from 0 those reach.
    """
    mean = arrays["mean"]
    axes, points = project(mean, arrays.get("plane"), plane)
    levels, low, scale = quantise(points)
    parts = {
        "points": levels,
        "label": arrays["label"].astype("<i2"),
        "split": arrays["split"].astype("u1"),
        "reconstructions": drawn(arrays["reconstructions"]),
        "samples": drawn(arrays["samples"]),
    }
    if originals:
        parts["originals"] = drawn(arrays["originals"])
        for name in ("index", "shown"):  # which images these are; older snapshots do not say all
            if name in arrays:
                parts[name] = arrays[name].astype("<i4")
    header = {"step": step, "axes": axes, "low": low, "scale": scale, "grey": PIXEL_STEP}
    header |= said_of_points(arrays)
    if axes == "pca":  # where a place on it lies in latent space
        parts["plane"] = arrays["plane"].astype("<f4")
    if mean.shape[1] == 1:
        header["width"], parts["density"] = density(mean[:, 0], arrays["std"][:, 0])
    if "sees" in arrays:
        header["sees"], seen = overlay(arrays, plane)
        parts |= seen
    return join(header, parts)


def pack_decoder(step: int, arrays: Mapping[str, np.ndarray]) -> bytes:
    """A decoder (`infovae_core.decoders`) as one piece of bytes, laid out as a snapshot is.

    Those that run anywhere travel as their weights, half precision as the u16 of its bits; others
    as their atlas.
    """
    header = decoders.about(arrays) | {"step": step}
    if header["layers"] is None:
        parts = {name: arrays[name] for name in ("atlas", "plane") if name in arrays}
    else:
        parts = {
            name: array.view("<u2") if array.dtype == np.float16 else array.astype("<f4")
            for name, array in decoders.weights(arrays).items()
        }
    return join(header, parts)


def pack_codes(step: int, arrays: Mapping[str, np.ndarray]) -> bytes:
    """All coordinates of the codes of the images that a snapshot holds, laid out as it is.

    mean and std f32 [k, d] of the k images `shown` (i32) of the held-out ones, their label,
    originals and reconstructions; the header says the rate of each dimension, nats, `kl` [d].
    """
    mean, std = arrays["mean"].astype(np.float64), arrays["std"].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = np.mean(0.5 * (std**2 + mean**2 - 1) - np.log(std), axis=0)
    shown = arrays.get("shown", np.zeros(0, np.int32))  # an older snapshot does not say
    place = {int(i): at for at, i in enumerate(arrays["index"]) if arrays["split"][at] == 1}
    at = [place[i] for i in shown.tolist() if i in place]
    known = [k for k, i in enumerate(shown.tolist()) if i in place][:MOST_CODES]
    at = at[:MOST_CODES]
    parts = {
        "mean": arrays["mean"][at].astype("<f4"),
        "std": arrays["std"][at].astype("<f4"),
        "label": arrays["label"][at].astype("<i2"),
        "shown": shown[known].astype("<i4"),
        "originals": arrays["originals"][known],
        "reconstructions": arrays["reconstructions"][known],
    }
    said = {"step": step, "kl": [shorten(float(nats)) for nats in kl]}
    return join(said | said_of_points(arrays), parts)


def project(
    mean: np.ndarray, principal: np.ndarray | None, plane: str
) -> tuple[list[int] | str, np.ndarray]:
    """The drawn axes and the codes [n, d] on them, [n, 1 or 2].

    The principal plane goes through the origin, so that N(0, I) stays N(0, I) on it.
    """
    d = mean.shape[1]
    if plane == "pca":
        if principal is not None:
            return "pca", mean @ principal
        plane = "0,1" if d > 1 else "0"
    axes = [int(axis) for axis in plane.split(",")]
    drawn = min(d, 2)
    if not len(axes) == len(set(axes)) == drawn or max(axes) >= d:
        raise BadQuery(
            f"plane must be pca or {drawn} different axes below {d}, got {plane}; choose others"
        )
    return axes, mean[:, axes]


def quantise(points: np.ndarray) -> tuple[np.ndarray, list[float], list[float]]:
    """Levels u16, low and scale of each column, with points = low + scale · levels to scale / 2."""
    finite = np.isfinite(points)
    low = np.min(points, axis=0, where=finite, initial=np.inf)
    high = np.max(points, axis=0, where=finite, initial=-np.inf)
    low, high = np.where(low > high, 0, low), np.where(low > high, 1, high)
    scale = np.maximum(high - low, 1e-6).astype(np.float64) / POINT_LEVELS
    levels = np.rint((np.where(finite, points, low) - low) / scale)
    return np.where(finite, levels, NO_POINT).astype("<u2"), low.tolist(), scale.tolist()


def grey(images: np.ndarray) -> np.ndarray:
    """Images of bytes in 16 levels, `PIXEL_STEP` apart."""
    return ((images.astype(np.uint16) + PIXEL_STEP // 2) // PIXEL_STEP).astype("u1")


def drawn(items: np.ndarray) -> np.ndarray:
    """Images in 16 levels of grey, points f32 [n, k]."""
    return grey(items) if items.dtype == np.uint8 else items.astype("<f4")


def said_of_points(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The `span` of a view of points, the same for all of a run's snapshots; none of images."""
    originals = arrays.get("originals")
    if originals is None or originals.dtype == np.uint8:
        return {}
    return {"span": decoders.span(originals)}


def density(mean: np.ndarray, std: np.ndarray) -> tuple[float, np.ndarray]:
    """A width, and q(z) = mean over the codes of N(z; μ, σ²) from -width to width, f32 [GRID]."""
    width = max(4.0, float((np.abs(mean) + 3 * std).max()))
    z = np.linspace(-width, width, GRID)[:, None]
    scale = np.maximum(std, 2 * width / GRID)  # a narrower kernel would fall between two places
    kernels = np.exp(-0.5 * ((z - mean) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    return width, kernels.mean(1).astype("<f4")


def overlay(
    arrays: Mapping[str, np.ndarray], plane: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a term sees (`infovae_core.sights`), said in the header and as arrays of bytes."""
    said: dict[str, Any] = {"term": str(arrays["sees"])}
    if "field" in arrays:
        field = arrays["field"]
        if "reach" in arrays:
            said["reach"] = float(arrays["reach"])
            there = occupied(arrays["mean"], said["reach"], len(field))
            axes, _ = project(arrays["mean"], None, plane)
            field = np.where(there, field, np.nan).transpose(axes)
        said["scale"], levels = signed(field, 0.99)
        return said, {"field": levels}
    if "flow" in arrays:
        _, flow = project(arrays["flow"], arrays.get("plane"), plane)
        said["scale"], levels = signed(flow, 1)
        return said, {"flow": levels, "pushed": arrays["pushed"].astype("<u2")}
    together, apart = arrays["together"], arrays["apart"]
    said["bound"] = shorten(float(arrays["bound"]))
    said["means"] = [shorten(float(scores.mean())) for scores in (together, apart)]
    said["ends"], shares = histograms(together, apart)
    return said, {"shares": shares}


def occupied(mean: np.ndarray, reach: float, places: int) -> np.ndarray:
    """Which places of a grid from -reach to reach have codes beside them, or the prior.

    Elsewhere a critic, who has seen neither, goes to extremes that say nothing.
    """
    d = mean.shape[1]
    axis = np.linspace(-reach, reach, places)
    between = axis[1] - axis[0]
    bins = np.linspace(-reach - between / 2, reach + between / 2, places + 1)
    codes = np.histogramdd(mean[np.isfinite(mean).all(1)], [bins] * d)[0] > 0
    around = sliding_window_view(np.pad(codes, BESIDE), [2 * BESIDE + 1] * d)
    prior = sum(np.meshgrid(*[axis**2] * d, indexing="ij")) <= PRIOR**2
    return prior | around.any(axis=tuple(range(d, 2 * d)))


def signed(values: np.ndarray, quantile: float) -> tuple[float, np.ndarray]:
    """A scale, and levels u1 with value = scale · (level - 127) / 127; beyond it they are cut off.

    The scale is the size that this share of the values does not pass.
    """
    finite = np.isfinite(values)
    sizes = np.abs(values[finite])
    scale = float(np.quantile(sizes, quantile)) if sizes.size else 0.0
    levels = np.rint(SIDE * np.clip(np.where(finite, values, 0) / (scale or 1), -1, 1)) + SIDE
    return scale, np.where(finite, levels, NO_VALUE).astype("u1")


def histograms(together: np.ndarray, apart: np.ndarray) -> tuple[list[float], np.ndarray]:
    """Ends of the bins, and the share of each sample in each bin, f32 [2, BINS].

    The outermost bins take what lies beyond the hundredth at each end of either sample.
    """
    samples = [s[np.isfinite(s)].astype(np.float64) for s in (together, apart)]
    ends = [q for sample in samples if sample.size for q in np.quantile(sample, (0.01, 0.99))]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = max(high - low, 1e-6) / (BINS - 2)  # a bin at each end for what lies beyond
    bins = np.linspace(low - room, high + room, BINS + 1)
    counts = [
        np.histogram(np.clip(s, bins[0], bins[-1]), bins)[0] / max(s.size, 1) for s in samples
    ]
    return [float(bins[0]), float(bins[-1])], np.stack(counts).astype("<f4")


def join(header: dict[str, Any], parts: Mapping[str, np.ndarray]) -> bytes:
    """Header and arrays in one, each array at a multiple of four bytes from the start."""
    offset, table = 0, {}
    for name, array in parts.items():
        table[name] = [array.dtype.str.lstrip("<|"), list(array.shape), offset]
        offset += -(-array.nbytes // 4) * 4
    text = compact(header | {"arrays": table}).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(a.tobytes().ljust(-(-a.nbytes // 4) * 4, b"\0") for a in parts.values())
    return struct.pack("<I", len(text)) + text + body


def compact(value: Any) -> str:
    """`value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def shorten(value: Any) -> Any:
    """A float to six significant digits, None where it is not finite; all else as it is."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
