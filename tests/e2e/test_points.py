"""Data that are points in a real browser: scatter plots where other data have images."""

import re
import shutil

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from infovae_core import decoders, decoding, runs, snapshots, training
from infovae_core.config import RunConfig
from infovae_core.data import load
from tests.e2e.conftest import PATIENCE


@pytest.fixture(scope="module")
def run(root):
    """A run on points in the plane, at its first step."""
    yield from begun(root, "mixture", 2)


@pytest.fixture(scope="module")
def line(root):
    """A run on points on a line, with codes of one dimension."""
    yield from begun(root, "two_points", 1)


def begun(root, name, d):
    torch.set_default_dtype(torch.float32)
    model = {"likelihood": "gaussian", "latent_dim": d, "widths": [16]}
    config = RunConfig.model_validate({"data": {"name": name}, "model": model})
    data = load(config.data)
    run, state = runs.create(root, config), training.init(config, data)
    run.event("started", 0, about=training.about(config, data, state))
    arrays = snapshots.take(state, data)
    run.save_decoder(0, decoding.take(state.model, data.shape, arrays))
    run.save_snapshot(0, arrays)
    run.save_pictures(snapshots.pictures(data))
    run.set_status(state="finished", step=1, steps=1, epoch=1, epochs=1)
    yield run
    shutil.rmtree(run.path, ignore_errors=True)


def test_the_live_view_draws_points_and_calls_them_so(view, run):
    view.open(run).until(snapshot=0)
    marked = str(snapshots.MARKED)
    for panel in ("pairs", "samples"):
        expect(view.canvas(panel)).to_have_attribute("data-points", f"{marked},{marked}")
    titles = [view.panel(panel).locator("h3") for panel in ("plane", "pairs", "samples")]
    said = ["Where the encoder puts the points", "Unseen points, and what comes back"]
    for title, text in zip(titles, [*said, "New points, drawn from the prior"], strict=True):
        expect(title).to_have_text(text)


def test_a_place_decodes_to_the_point_that_the_model_makes_of_it(page, server, run):
    page.goto(f"{server}/latent?run={run.id}")
    root = page.locator(".lab")
    expect(root).to_have_attribute("data-decoder", "0", timeout=PATIENCE)
    x = decoders.decode(run.decoder(0), np.zeros((1, 2)))[0]
    said = [f"x{name} = {value:.2f}".replace("-", "−") for name, value in zip("₁₂", x, strict=True)]
    expect(root.locator(".decoded .at")).to_contain_text("\n".join(said))
    expect(root.locator(".chosen h3")).to_have_text("Some points")
    key = root.locator(".pick").first.get_attribute("data-key")
    split, number = map(int, key.split(":"))
    kept = run.pictures
    place = np.flatnonzero((kept["split"] == split) & (kept["index"] == number))[0]
    title = root.locator(".pick").first.get_attribute("title").replace("−", "-")
    told = [float(value) for value in title.split(": ")[1].split(", ")]
    np.testing.assert_allclose(told, kept["pictures"][place], rtol=5e-3)


def test_a_code_of_one_number_is_said_and_what_the_decoder_makes_of_it(page, server, line):
    page.goto(f"{server}/latent?run={line.id}")
    expect(page.locator(".lab")).to_have_attribute("data-decoder", "0", timeout=PATIENCE)
    [x] = decoders.decode(line.decoder(0), np.zeros((1, 1)))[0]
    said = f"z₁ = 0.00\nx = {x:.2f}".replace("-", "−")
    expect(page.locator(".decoded .at")).to_have_text(said)


def test_a_manifold_is_a_net_and_dimensions_are_rows_of_tiles(page, server, run):
    page.goto(f"{server}/traverse?runs={run.id}")
    root, canvas = page.locator(".lab"), page.locator(".lab .table canvas").first
    expect(root).to_have_attribute("data-drawn", re.compile("."), timeout=PATIENCE)
    expect(canvas).to_have_attribute("data-nets", "1")
    root.get_by_role("button", name="Dimensions").click()
    expect(canvas).to_have_attribute("data-cells", "26")
    expect(root.get_by_role("button", name="Between two points")).to_be_visible()
