"""Walks through latent space in a real browser, beside what the model says of the same codes."""

import io
import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect

from infovae_core import decoders, decoding, runs, snapshots, training
from infovae_core.config import RunConfig
from tests.e2e.conftest import PATIENCE

STEPS = (1, 20, 60)


def trained(root, digits, d, seed=0):
    """A run whose snapshots and decoders are those of a model in training."""
    torch.set_default_dtype(torch.float32)
    config = RunConfig(
        label=f"seed {seed}",
        model={"latent_dim": d, "widths": [32]},
        training={"epochs": 6, "seed": seed},
    )
    run, state = runs.create(root, config), training.init(config, digits)
    run.event("started", 0, about=training.about(config, digits, state))
    for report in training.train(config, digits, state):
        if report.state.step in STEPS:
            arrays = snapshots.take(state, digits)
            run.save_decoder(state.step, decoding.take(state.model, digits.shape, arrays))
            run.save_snapshot(state.step, arrays)
    run.set_status(state="finished", step=66, steps=66, epoch=6, epochs=6)
    return run


@pytest.fixture(scope="module")
def pair(root, digits):
    """Runs of three dimensions that differ in their seed."""
    made = [trained(root, digits, 3, seed) for seed in (0, 1)]
    yield made
    for run in made:
        shutil.rmtree(run.path, ignore_errors=True)


@pytest.fixture
def show(page, server):
    """A function that opens the page on runs, with the rest of the address as told."""

    def open_page(*shown, **said):
        query = "".join(f"&{name}={value}" for name, value in said.items())
        page.goto(f"{server}/traverse?runs={','.join(run.id for run in shown)}{query}")
        view = page.locator(".traverse")
        expect(view).to_have_attribute("data-mode", said.get("view", "manifold"), timeout=PATIENCE)
        return view

    return open_page


def sheet(view):
    return view.locator(".stage canvas").first


def z_of(view):
    return np.array([float(value) for value in view.get_attribute("data-z").split(",")])


def inks(canvas):
    """What a canvas shows, as shares of the way from paper to ink, flat."""
    levels = canvas.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        ".filter((_, i) => i % 4 == 0)"
    )
    return np.array(levels, float)


def settled(view, act):
    """Act on a view that has drawn, and wait until all of it is drawn again."""
    expect(view).to_have_attribute("data-drawn", re.compile("."), timeout=PATIENCE)
    before = int(view.get_attribute("data-drawn"))
    act()
    view.page.wait_for_function(
        "([view, before]) => Number(view.dataset.drawn) > before",
        arg=[view.element_handle(), before],
    )
    view.page.wait_for_timeout(200)


def test_the_image_beside_the_sliders_is_the_decoders(show, pair):
    view = show(pair[0], view="dimensions")
    arrays = pair[0].decoder(60)
    slider = view.get_by_role("slider", name="z2")
    for key in ("Home", "ArrowRight", "End"):
        settled(view, lambda key=key: slider.press(key))
        z = z_of(view)
        assert key != "Home" or z[1] == -4
        expected = decoders.decode(arrays, z[None]).ravel()
        drawn = inks(view.locator(".decoded canvas"))
        assert abs(np.corrcoef(drawn, expected)[0, 1]) > 0.999
    view.get_by_role("button", name="The origin, z = 0").click()
    expect(view).to_have_attribute("data-z", "0.00,0.00,0.00")


def test_rows_are_sorted_by_the_rate_of_their_dimension(show, pair):
    view = show(pair[0], view="dimensions")
    expect(sheet(view)).to_have_attribute("data-cells", str(3 * 13))
    arrays = pair[0].snapshot(60)
    mean, std = arrays["mean"], arrays["std"]
    rate = (0.5 * (std**2 + mean**2 - 1) - np.log(std)).mean(0)
    order = [int(s.get_attribute("data-dimension")) for s in view.locator(".sliders input").all()]
    assert order == np.argsort(-rate).tolist()
    said = [float(text) for text in view.locator(".sliders em").all_inner_texts()]
    np.testing.assert_allclose(said, np.sort(rate)[::-1], rtol=0.05)


def test_an_image_and_the_time_choose_the_code(show, pair):
    view = show(pair[0])
    expect(sheet(view)).to_have_attribute("data-cells", str(15 * 15))
    slider = view.get_by_role("slider", name="Step")
    pictures = []
    for key, step in (("Home", 1), ("ArrowRight", 20), ("End", 60)):
        slider.press(key)
        expect(view).to_have_attribute("data-step", str(step))
        view.get_by_role("button", name="Held-out image").nth(4).click()
        expect(view).to_have_attribute("data-image", "4")
        view.page.wait_for_timeout(200)
        arrays = pair[0].snapshot(step)
        at = (arrays["split"] == 1) & (arrays["index"] == arrays["shown"][4])
        np.testing.assert_allclose(z_of(view), arrays["mean"][at][0], atol=0.006)
        pictures.append(sheet(view).evaluate("canvas => canvas.toDataURL()"))
    assert len(set(pictures)) == 3
    view.get_by_role("button", name="Play").click()
    expect(view.locator(".scrubber")).to_have_attribute("data-playing", "false", timeout=PATIENCE)
    expect(view).to_have_attribute("data-step", "60")


def test_several_runs_show_the_same_image(show, pair):
    view = show(*pair, view="between", image=3, to=8)
    expect(sheet(view)).to_have_attribute("data-rows", "4")
    expect(sheet(view)).to_have_attribute("data-cells", str(4 * 13))
    before = sheet(view).evaluate("canvas => canvas.toDataURL()")
    view.get_by_role("button", name="To", exact=True).click()
    settled(view, lambda: view.get_by_role("button", name="Held-out image").nth(1).click())
    assert sheet(view).evaluate("canvas => canvas.toDataURL()") != before
    view.get_by_role("button", name="Dimensions").click()
    expect(sheet(view)).to_have_attribute("data-rows", "6")


def test_the_address_shows_the_same_elsewhere(show, pair, page):
    view = show(*pair, view="dimensions")
    view.get_by_role("slider", name="Step").press("Home")
    settled(view, lambda: view.get_by_role("slider", name="z1").press("End"))
    page.wait_for_url("**z=4*", timeout=PATIENCE)
    other = page.context.new_page()
    other.goto(page.url)
    again = other.locator(".traverse")
    for name in ("mode", "step", "z"):
        expected = view.get_attribute(f"data-{name}")
        expect(again).to_have_attribute(f"data-{name}", expected, timeout=PATIENCE)
    other.close()


def test_what_the_address_says_wrongly_is_as_usual_and_back_returns(show, pair, page):
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    wrong = {"image": "abc", "to": "-1", "axes": "0,-1", "z": "1,x", "step": "last"}
    view = show(pair[0], **wrong)
    expect(view).to_have_attribute("data-image", "0", timeout=PATIENCE)
    view.get_by_role("button", name="Dimensions").click()
    expect(view).to_have_attribute("data-mode", "dimensions")
    page.wait_for_url("**view=dimensions*")
    assert not any(f"{name}=" in page.url for name in wrong)
    page.go_back()
    expect(view).to_have_attribute("data-mode", "manifold")


def test_back_from_other_runs_leads_to_the_image_at_once(show, pair, page):
    first, second = pair
    view = show(first, image=2)
    expect(view).to_have_attribute("data-image", "2", timeout=PATIENCE)
    entries = page.evaluate("history.length")
    page.get_by_role("combobox", name="Runs").click()
    page.get_by_role("option", name=second.label).click()
    page.wait_for_url(f"**runs={first.id},{second.id}&image=2", timeout=PATIENCE)
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    page.wait_for_url(f"**runs={first.id}&image=2", timeout=PATIENCE)
    expect(view).to_have_attribute("data-image", "2")


def test_the_keys_walk_over_the_images_and_choose_one(show, pair):
    view = show(pair[0], view="dimensions")
    sheet(view).focus()
    for key in ("ArrowDown", "ArrowRight"):
        sheet(view).press(key)
    tip = view.locator(".stage .tip")
    expect(tip).to_contain_text("−2.50")
    settled(view, lambda: sheet(view).press("Enter"))
    assert -2.5 in z_of(view)


def test_what_is_shown_can_be_saved(show, pair, page):
    view = show(pair[0], view="dimensions")

    def save(label):
        view.get_by_role("button", name="Save the images").click()
        with page.expect_download(timeout=3 * PATIENCE) as got:
            view.get_by_role("button", name=label, exact=True).click()
        with open(got.value.path(), "rb") as file:
            return file.read()

    lines = [line.split(",") for line in save("CSV").decode().splitlines()]
    assert lines[0][-3:] == ["z1", "z2", "z3"]
    assert len(lines) == 1 + 3 * 13
    drawing = save("SVG").decode()
    assert drawing.count("<image") == 3 * 13
    assert "nats" in drawing
    with Image.open(io.BytesIO(save("GIF over training"))) as film:
        assert film.n_frames == len(STEPS)
    expect(view).to_have_attribute("data-step", "60")


PATHS = """async () => {
  const paths = await import("/api/static/any/traverse/paths.js");
  const { spherical, straight, manifold, ranked } = paths;
  const draw = () => Float32Array.from({ length: 6 }, () => 2 * Math.random() - 1);
  const unit = (z) => z.map((value) => value / Math.hypot(...z));
  const [a, b] = [draw(), draw()].map(unit);
  const t = [0, 0.25, 0.5, 0.75, 1];
  const list = (way) => t.map((share) => Array.from(way(a, b, share)));
  return {
    a: Array.from(a), b: Array.from(b), arc: list(spherical), line: list(straight),
    same: Array.from(spherical(a, a, 0.3)),
    opposite: Array.from(spherical(a, a.map((v) => -v), 0.5)),
    zero: Array.from(spherical(a, new Float32Array(6), 0.5)),
    grid: manifold(a, [4, 1], [-1, 0, 1]).map((row) => row.map((z) => Array.from(z))),
    order: ranked([0.1, 3, null, 3, 2]),
  };
}"""


def test_the_ways_keep_their_laws(page, server):
    page.goto(f"{server}/_stcore/health")
    said = page.evaluate(PATHS)
    a, b = np.array(said["a"]), np.array(said["b"])
    arc = np.array(said["arc"])
    np.testing.assert_allclose(arc[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), 1, atol=1e-6)
    angles = [np.arccos(np.clip(x @ y, -1, 1)) for x, y in pairwise(arc)]
    np.testing.assert_allclose(angles, np.arccos(a @ b) / 4, atol=1e-3)
    np.testing.assert_allclose(
        np.diff(said["line"], axis=0), np.tile((b - a) / 4, (4, 1)), atol=1e-6
    )
    np.testing.assert_allclose(said["same"], a, atol=1e-6)
    np.testing.assert_allclose(said["opposite"], 0, atol=1e-6)
    np.testing.assert_allclose(said["zero"], a / 2, atol=1e-6)
    grid = np.array(said["grid"])
    assert grid[:, :, 4].tolist() == [[-1, 0, 1]] * 3
    assert grid[:, 0, 1].tolist() == [1, 0, -1]  # the largest at the top
    assert (grid[..., [0, 2, 3, 5]] == a[[0, 2, 3, 5]].astype(np.float32)).all()
    assert said["order"] == [1, 3, 4, 0, 2]
