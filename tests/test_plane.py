"""The plane of the family as the page sends it, and what a click on it means."""

import itertools
import json

import pytest
from pydantic import ValidationError

from dashboard import family
from infovae_core.family import coordinates
from infovae_core.objectives import OBJECTIVES, VAE, InfoVAE
from infovae_core.presets import PRESETS


def made(record):
    return OBJECTIVES[record["name"]].model_validate(record)


def test_a_landmark_is_exactly_its_member():
    assert made(family.record_of({"landmark": "VAE"}, "InfoVAE")) == VAE()
    for name, preset in PRESETS.items():
        assert family.record_of({"landmark": name}, "VAE") == preset.settings["objective"]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_point_is_an_objective_at_that_point_or_above_it(name):
    for alpha, lam in itertools.product((-20, 0, 1, 7), (0, 1, 21, 500)):
        record = family.record_of({"alpha": alpha, "lam": lam}, name)
        assert coordinates(made(record)) == pytest.approx((alpha, max(lam, 1 - alpha)))


def test_each_point_has_one_landmark_which_names_all_that_lie_there():
    landmarks = json.loads(json.dumps(family._landmarks()))
    points = [tuple(landmark["point"]) for landmark in landmarks]
    assert len({*points}) == len(points)
    for title, record in family.LANDMARKS.values():
        [there] = [mark for mark in landmarks if tuple(mark["point"]) == coordinates(made(record))]
        assert title in there["title"].split("; ")
    labels = {landmark["label"]: tuple(landmark["point"]) for landmark in landmarks}
    assert labels.pop("") is not None
    assert labels == {"VAE": (0, 1), "AAE": (1, 1)}


@pytest.mark.parametrize("field", ["alpha", "lam"])
def test_the_axes_are_as_long_as_the_ranges(field):
    other = {"alpha": {"lam": 1000}, "lam": {"alpha": 1}}[field]
    for end, beyond in zip(family._limits(field), (-1, 1), strict=True):
        InfoVAE.model_validate(other | {field: end})
        with pytest.raises(ValidationError):
            InfoVAE.model_validate(other | {field: end + beyond})


def test_every_landmark_lies_on_the_plane():
    ends = [family._limits(field) for field in ("alpha", "lam")]
    for landmark in family._landmarks():
        for value, (low, high) in zip(landmark["point"], ends, strict=True):
            assert low <= value <= high
