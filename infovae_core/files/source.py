"""What was found of a person's data, before it is decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from infovae_core.catalogue import DataError

SIDE = 512  # pixels that a side of an image may have at most
LEAST = 4  # and at least
CLASSES = 1000  # that items may be of at most
PIECE = 2**22  # values that are looked at together
DECODED = 8 * 2**30  # bytes that all items may take
SPANS = ((0, 1), (-1, 1), (0, 255), (0, 65535))  # of values that are black and white at the ends


@dataclass(frozen=True)
class Source:
    """Items that can be decoded by their numbers."""

    shape: tuple[int, ...]  # of an image: [h, w], or [3, h, w] in colour
    labels: np.ndarray  # [n], 0 where there are no classes
    classes: tuple[str, ...]
    held_out: np.ndarray | None  # bool [n]; None where the files do not say
    span: tuple[float, float]  # of the values in the files
    ends: tuple[float, float]  # values that become black and white
    decode: Callable[[Sequence[int]], np.ndarray]  # numbers of items → u8 [m, *shape]

    def __len__(self) -> int:
        return len(self.labels)


def ends_of(low: float, high: float, what: str) -> tuple[float, float]:
    """The values that become black and white: the first of `SPANS` that holds them all.

    White is the largest value itself where that does not come halfway: 0 … 16 in bytes are no dark
    pictures, nor is what a camera of 12 bits gives in 16.

    Raises: DataError where none holds them.
    """
    for black, white in SPANS:
        if black <= low and high <= white:
            return black, high if black == 0 < high < white / 2 else white
    raise DataError(
        "values of images must lie in [0, 1], [−1, 1], 0 … 255 or 0 … 65535, got "
        f"{low:.4g} to {high:.4g} in {what}; rescale them"
    )


def finite(pixels: np.ndarray) -> np.ndarray:
    """Which images have only finite values, bool [n], without a copy of all."""
    step = max(1, PIECE // max(1, pixels[0].size))
    pieces = [pixels[i : i + step] for i in range(0, len(pixels), step)]
    return np.concatenate([np.isfinite(p).all(tuple(range(1, p.ndim))) for p in pieces])


def check_sides(height: int, width: int, what: str) -> None:
    """Raises: DataError where images are too small or too large to be trained on."""
    if min(height, width) < LEAST or max(height, width) > SIDE:
        raise DataError(
            f"images must have {LEAST} to {SIDE} pixels on a side, got {width} × {height} in "
            f"{what}; set a size to scale them to"
        )
