"""Sprites: one shape on a dark ground, and the five factors that made each image.

After dSprites (Matthey et al. 2017), but no shape has a symmetry of rotation, so that every
combination of factors makes another image; edges are anti-aliased.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from infovae_core.catalogue import SETS

FACTORS = dict(SETS["sprites"].factors)
SIDE, FINE = 32, 8  # pixels on a side; samples on a side of each
SMALLEST, LARGEST = 0.5, 1.0  # scales, as shares of RADIUS
RADIUS = 10.0  # pixels that the largest sprites reach from their centre at most

Place = np.ndarray  # coordinates, y up, in units of the sprite's radius


def triangle(x: Place, y: Place) -> np.ndarray:
    """Isosceles, its top up."""
    return (y > -0.6) & (y < 0.98 - 2.2 * np.abs(x))


def heart(x: Place, y: Place) -> np.ndarray:
    """(u² + v² − 1)³ < u² v³."""
    u, v = 1.25 * x, 1.25 * y + 0.25
    return (u**2 + v**2 - 1) ** 3 < u**2 * v**3


def half_disc(x: Place, y: Place) -> np.ndarray:
    """The upper half."""
    return (x**2 + (y + 0.35) ** 2 < 0.8) & (y > -0.35)


SHAPES: dict[str, Callable[[Place, Place], np.ndarray]] = {
    "triangle": triangle,
    "heart": heart,
    "half disc": half_disc,
}


def stamp(shape: str, scale: int, rotation: int) -> np.ndarray:
    """A sprite in the middle of an image: the covered share of each pixel, f64 [SIDE, SIDE].

    Scales grow evenly, rotations go round the circle against the clock.
    """
    share = SMALLEST + (LARGEST - SMALLEST) * scale / (FACTORS["scale"] - 1)
    angle = 2 * np.pi * rotation / FACTORS["rotation"]
    axis = ((np.arange(SIDE * FINE) + 0.5) / FINE - SIDE / 2) / (RADIUS * share)
    right, up = axis[None, :], -axis[:, None]
    x, y = right * np.cos(angle) + up * np.sin(angle), up * np.cos(angle) - right * np.sin(angle)
    return SHAPES[shape](x, y).reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))


def images() -> tuple[np.ndarray, np.ndarray]:
    """Every combination: images u8 [n, SIDE, SIDE] and factors u8 [n, 5] in the order of FACTORS.

    x counts pixels to the right, y pixels down, both from the leftmost and topmost place.
    """
    shapes, scales, rotations, columns, rows = FACTORS.values()
    factors = np.array(list(product(*map(range, FACTORS.values()))), np.uint8)
    drawn = np.empty((shapes, scales, rotations, columns, rows, SIDE, SIDE), np.uint8)
    for kind, scale, rotation in product(range(shapes), range(scales), range(rotations)):
        wide = np.pad(
            stamp(list(SHAPES)[kind], scale, rotation), ((rows, rows), (columns, columns))
        )
        pixels = np.round(255 * wide).astype(np.uint8)
        for x, y in product(range(columns), range(rows)):
            top, left = rows - (y - rows // 2), columns - (x - columns // 2)
            drawn[kind, scale, rotation, x, y] = pixels[top : top + SIDE, left : left + SIDE]
    return drawn.reshape(-1, SIDE, SIDE), factors


def make() -> tuple[np.ndarray, np.ndarray]:
    """All images with their factors, in an order without meaning that is always the same."""
    drawn, factors = images()
    order = np.random.default_rng(0).permutation(len(drawn))
    return drawn[order], factors[order]
