"""What is said of a data set before it is loaded is what is there once it is."""

import pytest
import torch

from infovae_core import catalogue, data
from infovae_core.catalogue import SETS
from infovae_core.config import DataConfig

HERE = [name for name, known in SETS.items() if not known.download and name != "files"]


@pytest.mark.parametrize("limit", [None, 50])
@pytest.mark.parametrize("name", HERE)
def test_a_set_is_what_the_catalogue_says(name, limit):
    config = DataConfig(name=name, limit=limit)
    known, found = catalogue.about(config), data.load(config)
    assert (found.shape, found.kind, found.classes) == (known.shape, known.kind, known.classes)
    assert (len(found.train), len(found.test)) == (known.train, known.test)
    assert found.factors == known.factors
    x = torch.cat((found.train.items(), found.test.items()))
    in_range = bool(((x >= 0) & (x <= 1)).all())
    assert in_range == (known.kind == "images")
    assert (known.values == "real") == (known.kind == "points")


@pytest.mark.parametrize("name", SETS)
def test_shapes_say_whether_there_are_colours(name):
    known = SETS[name]
    if name != "files":
        assert (known.values == "colour") == (len(known.shape) == 3)
        assert (len(known.shape) == 1) == (known.kind == "points")


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"name": "digits"}, "Digits"),
        ({"name": "files", "path": "photos/cats.zip"}, "cats.zip"),
        ({"name": "files", "path": None}, "Own files"),
        ({"name": "digits", "path": "left over"}, "Digits"),
        ({}, ""),
    ],
)
def test_stored_data_have_a_short_name(record, name):
    assert catalogue.called(record) == name
