"""Snapshots as a browser wants them: small, and in one piece that typed arrays can lie upon."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

POINT_LEVELS = 65534  # of a coordinate, between the smallest and the largest of a snapshot
NO_POINT = 65535  # stands for a coordinate that is not finite
PIXEL_STEP = 17  # 16 grey levels: as much as the eye makes out, at a third of the bytes
GRID = 161  # places at which a one-dimensional q(z) is evaluated


class BadQuery(ValueError):
    """A question that has no answer; the message names the remedy."""


def pack(step: int, arrays: Mapping[str, np.ndarray], plane: str, originals: bool) -> bytes:
    """A snapshot as one piece of bytes, for typed arrays to lie upon.

    A little-endian u32 is the length of the JSON header that follows; the header gives each
    array's type, shape and offset. A point is `low + scale · level`, an image 16 levels of grey.
    """
    mean = arrays["mean"]
    axes, points = project(mean, arrays.get("plane"), plane)
    levels, low, scale = quantise(points)
    parts = {
        "points": levels,
        "label": arrays["label"].astype("<i2"),
        "split": arrays["split"].astype("u1"),
        "reconstructions": grey(arrays["reconstructions"]),
        "samples": grey(arrays["samples"]),
    }
    if originals:
        parts["originals"] = grey(arrays["originals"])
        for name in ("index", "shown"):  # which images these are; older snapshots do not say all
            if name in arrays:
                parts[name] = arrays[name].astype("<i4")
    header = {"step": step, "axes": axes, "low": low, "scale": scale, "grey": PIXEL_STEP}
    if mean.shape[1] == 1:
        header["width"], parts["density"] = density(mean[:, 0], arrays["std"][:, 0])
    return join(header, parts)


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


def density(mean: np.ndarray, std: np.ndarray) -> tuple[float, np.ndarray]:
    """A width, and q(z) = mean over the codes of N(z; μ, σ²) from -width to width, f32 [GRID]."""
    width = max(4.0, float((np.abs(mean) + 3 * std).max()))
    z = np.linspace(-width, width, GRID)[:, None]
    scale = np.maximum(std, 2 * width / GRID)  # a narrower kernel would fall between two places
    kernels = np.exp(-0.5 * ((z - mean) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    return width, kernels.mean(1).astype("<f4")


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
