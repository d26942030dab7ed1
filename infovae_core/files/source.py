"""What was found of a person's data, before it is decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from infovae_core.catalogue import DataError

SIDE = 512  # pixels that a side of an image may have at most
LEAST = 4  # and at least
CLASSES = 1000  # that items may be of at most


@dataclass(frozen=True)
class Source:
    """Items that can be decoded by their numbers."""

    shape: tuple[int, ...]  # of an image: [h, w], or [3, h, w] in colour
    labels: np.ndarray  # [n], 0 where there are no classes
    classes: tuple[str, ...]
    held_out: np.ndarray | None  # bool [n]; None where the files do not say
    span: tuple[float, float]  # of the values in the files
    decode: Callable[[Sequence[int]], np.ndarray]  # numbers of items → u8 [m, *shape]

    def __len__(self) -> int:
        return len(self.labels)


def check_sides(height: int, width: int, what: str) -> None:
    """Raises: DataError where images are too small or too large to be trained on."""
    if min(height, width) < LEAST or max(height, width) > SIDE:
        raise DataError(
            f"images must have {LEAST} to {SIDE} pixels on a side, got {width} × {height} in "
            f"{what}; set a size to scale them to"
        )
