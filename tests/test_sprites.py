"""Sprites: the factors that are said are the ones that made the image."""

import numpy as np
import pytest
import torch

from infovae_core import data, sprites
from infovae_core.catalogue import SETS
from infovae_core.config import DataConfig

NAMES = list(sprites.FACTORS)


@pytest.fixture(scope="module")
def drawn():
    images, factors = sprites.images()
    return images / np.float32(255), factors.astype(int)


def centre(images):
    """Centres of mass, x to the right and y down."""
    mass = images.sum((1, 2))
    place = np.arange(sprites.SIDE)
    return (images.sum(1) @ place / mass, images.sum(2) @ place / mass)


def rows(factors, **fixed):
    return np.all([factors[:, NAMES.index(name)] == value for name, value in fixed.items()], axis=0)


def test_every_combination_is_there_once_and_makes_an_image_of_its_own(drawn):
    images, factors = drawn
    assert len(images) == np.prod(list(sprites.FACTORS.values()))
    assert len(np.unique(factors, axis=0)) == len(factors)
    assert len({image.tobytes() for image in images}) == len(images)


def test_x_and_y_move_the_sprite_by_a_pixel_and_change_nothing_else(drawn):
    images, factors = drawn
    still = rows(factors, shape=1, scale=2, rotation=3)
    x, y = centre(images[still])
    for place, name in ((x, "x"), (y, "y")):
        steps = factors[still][:, NAMES.index(name)]
        np.testing.assert_allclose(place - steps, (place - steps)[0], atol=1e-4)
    for kind in range(3):
        for scale in range(5):
            area = images[rows(factors, shape=kind, scale=scale, rotation=1)].sum((1, 2))
            np.testing.assert_allclose(area, area[0], rtol=1e-5)  # none is cut off at an edge


def test_scales_grow_evenly(drawn):
    images, factors = drawn
    wanted = np.linspace(sprites.SMALLEST, sprites.LARGEST, sprites.FACTORS["scale"])
    for kind in range(3):
        area = [images[rows(factors, shape=kind, scale=s)].sum((1, 2)).mean() for s in range(5)]
        size = np.sqrt(area)
        np.testing.assert_allclose(size / size[-1], wanted, rtol=0.01)


@pytest.mark.parametrize("shape", sprites.SHAPES)
def test_rotations_go_round_evenly_against_the_clock(shape):
    turns = sprites.FACTORS["rotation"]
    quarter = turns // 4
    for rotation in range(turns):
        image = sprites.stamp(shape, 4, rotation)
        turned = sprites.stamp(shape, 4, (rotation + quarter) % turns)
        np.testing.assert_allclose(np.rot90(image), turned, atol=0.02)
    angles = np.unwrap([tip(sprites.stamp(shape, 4, r)) for r in range(turns)])
    steps = np.diff(angles)
    np.testing.assert_allclose(steps, 2 * np.pi / turns, atol=0.12)


def tip(image):
    """The direction of the third moment, which no shape lacks."""
    place = np.arange(sprites.SIDE) + 0.5 - sprites.SIDE / 2
    z = place[None, :] - 1j * place[:, None]
    z = z - (image * z).sum() / image.sum()
    return np.angle((image * z * np.abs(z) ** 2).sum())


def test_shapes_are_told_apart_at_every_scale(drawn):
    stamps = {
        (kind, scale): sprites.stamp(kind, scale, 0)
        for kind in sprites.SHAPES
        for scale in range(5)
    }
    for (kind, scale), image in stamps.items():
        others = [other for (k, _), other in stamps.items() if k != kind]
        assert min(np.abs(image - other).sum() for other in others) > 0.1 * image.sum(), scale


def test_the_set_is_shuffled_and_carries_its_factors():
    one, two = (data.load(DataConfig(name="sprites", limit=500)) for _ in range(2))
    assert torch.equal(one.train.x, two.train.x)
    assert one.factors == SETS["sprites"].factors
    assert one.classes == tuple(sprites.SHAPES)
    assert torch.equal(one.train.y, one.train.factors[:, 0].long())
    for column, (_, count) in enumerate(one.factors):
        shares = torch.bincount(one.train.factors[:, column].long()) / 500
        assert len(shares) == count
        assert (shares - 1 / count).abs().max() < 4 * (1 / count / 500) ** 0.5
    stamp = one.train.items()[0].double().numpy()
    shape, scale, rotation, x, y = one.train.factors[0].tolist()
    image = sprites.stamp(list(sprites.SHAPES)[shape], scale, rotation)
    moved = np.roll(image, (y - 6, x - 6), (0, 1))
    np.testing.assert_allclose(stamp, moved, atol=1 / 255)
