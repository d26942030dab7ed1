"""Data that are points, from the snapshot to what a browser and a report draw of it."""

import gzip
import re

import numpy as np
import pytest
import torch

from dashboard import packing
from dashboard.api import feed_of
from infovae_core import decoders, decoding, drawings, report, runs, snapshots, training
from infovae_core.__main__ import main
from infovae_core.config import RunConfig
from infovae_core.data import load
from tests.asking import unpack

HALF = 2e-2  # what rounding the weights to half precision may change a mean by


@pytest.fixture(autouse=True)
def _as_runs_are():
    torch.set_default_dtype(torch.float32)


def begun(name, d):
    """A state before its first step, and its data."""
    settings = {"likelihood": "gaussian_learned", "latent_dim": d, "widths": [16]}
    config = RunConfig.model_validate({"data": {"name": name}, "model": settings})
    data = load(config.data)
    return training.init(config, data), data


SETS = [("two_points", 1), ("mixture", 2), ("linear_gaussian", 3)]


@pytest.mark.parametrize(("name", "d"), SETS)
def test_a_snapshot_has_the_points_themselves(name, d):
    state, data = begun(name, d)
    arrays = snapshots.take(state, data)
    shown = data.test.x[arrays["shown"]]
    with torch.no_grad():
        decoded = state.model.decode(state.model.posterior(shown).mean).mean
    assert np.array_equal(arrays["originals"], shown)
    np.testing.assert_allclose(arrays["reconstructions"], decoded, rtol=1e-5, atol=1e-6)
    kept = snapshots.pictures(data)
    held_out = kept["split"] == 1
    assert np.array_equal(kept["pictures"][held_out], data.test.x[kept["index"][held_out]])


@pytest.mark.parametrize(("name", "d"), SETS)
def test_points_travel_as_they_are_and_lie_within_the_span(name, d):
    arrays = snapshots.take(*begun(name, d))
    header, parts = unpack(packing.pack(0, arrays, "pca", originals=True))
    for kind in ("originals", "reconstructions", "samples"):
        assert np.array_equal(parts[kind], arrays[kind])
    assert np.abs(parts["originals"]).max() < header["span"]
    codes, some = unpack(packing.pack_codes(0, arrays))
    assert codes["span"] == header["span"]
    assert np.array_equal(some["originals"], arrays["originals"][: packing.MOST_CODES])


@pytest.mark.parametrize(("name", "d"), SETS)
def test_decoders_of_points_decode_as_torch_does(name, d, monkeypatch):
    state, data = begun(name, d)
    arrays = snapshots.take(state, data)
    z = torch.randn(20, d)
    with torch.no_grad():
        expected = state.model.decode(z).mean
    kept = decoding.take(state.model, data.shape, arrays)
    assert decoders.about(kept)["span"] == decoders.span(arrays["originals"])
    np.testing.assert_allclose(decoders.decode(kept, z.numpy()), expected, atol=HALF)
    monkeypatch.setattr(decoding, "PORTABLE", 0)  # too large to be given away
    far = decoding.take(state.model, data.shape, arrays)
    reach = decoders.about(far)["reach"]
    corner = torch.full((1, min(d, 2)), -reach)
    if d > 2:
        corner = corner @ torch.from_numpy(arrays["plane"]).T
    with torch.no_grad():
        expected = state.model.decode(corner).mean[0]
    first = far["atlas"][(0,) * min(d, 2)]
    np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (3, 32, 24), (2,), (6,)])
def test_the_shape_of_an_item_comes_back(shape):
    said = [*shape[-2:], *shape[:-2]]
    assert decoders.model_shape(said) == shape


def test_a_run_on_points_is_kept_whole_and_has_a_report(tmp_path):
    settings = ("data.name=mixture", "training.epochs=1", "model.likelihood=gaussian")
    pairs = [part for text in settings for part in ("--" + text).split("=")]
    assert main(["train", "--runs", str(tmp_path), *pairs, "--model.widths", "16"]) == 0
    (run,) = (runs.Run(path.parent) for path in tmp_path.glob("*/config.json"))
    assert run.state == "finished"
    header, parts = unpack(gzip.decompress(feed_of(run.id, tmp_path).pictures()[1]))
    assert np.array_equal(parts["pictures"], run.pictures["pictures"])
    snapshot = run.snapshot(run.snapshot_steps()[-1])
    assert header["span"] == decoders.span(snapshot["originals"])
    about = next(event["about"] for event in run.events() if event.get("about"))
    assert about["noun"] == "points"
    assert about["quantities"]["distortion"]["unit"] == "nats per point"
    page = report.html(run)
    for text in ("Held-out points and their reconstructions", "Lines over quantiles"):
        assert text in page


def test_a_point_is_drawn_where_it_lies():
    corners = np.array([[-2, -2], [2, 2], [0, 0], [np.nan, 0]])
    drawn = drawings.points([(corners, "red")], 2.0, "corners", lines=[corners[:2]])
    places = [tuple(map(float, at)) for at in re.findall(r'cx="(.+?)" cy="(.+?)"', drawn)]
    end, middle = float(drawings.PLANE), drawings.PLANE / 2
    assert places == [(0, end), (end, 0), (middle, middle)]
    assert f'd="M0.0 {end}L{end} 0.0"' in drawn
