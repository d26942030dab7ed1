"""Runs side by side in a real browser: what is marked in one latent plane is marked in all."""

import numpy as np
import pytest
from playwright.sync_api import expect

from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.metrics import METRICS
from infovae_core.objectives import VAE, BetaVAE
from tests import fakes
from tests.e2e.conftest import PATIENCE

LEFT, RIGHT, TOP, BOTTOM = 30, 6, 6, 18  # px of a plane that its axes take, as in frame.js


def codes(seed):
    """A snapshot with its images in an order of its own, and no code near an axis."""
    arrays = fakes.snapshot(seed=seed, count=120)
    arrays["mean"] += 0.1 * np.sign(arrays["mean"])
    order = np.random.default_rng(seed).permutation(120)
    return arrays | {
        name: arrays[name][order] for name in ("mean", "std", "label", "split", "index")
    }


@pytest.fixture
def compared(root):
    """Two finished runs with their newest codes."""
    made = []
    for seed, objective in enumerate((VAE(), BetaVAE(beta=2))):
        run = runs.create(root, RunConfig(objective=objective))
        run.event("started", 0, about=fakes.about())
        for step in (10, 20):
            run.log(fakes.row(step, "test"))
        arrays = codes(seed)
        run.save_snapshot(20, arrays)
        fakes.progress(run, 20, "finished")
        made.append((run, arrays))
    yield made
    for run, _ in made:
        run.delete()


@pytest.fixture
def planes(page, server, compared):
    """The planes of both, with their codes drawn."""
    address = f"{server}/compare?runs={','.join(run.id for run, _ in compared)}"
    page.goto(address)
    return seen(page)


def seen(page):
    expect(page.locator(".planes figure[data-snapshot='20']")).to_have_count(
        2, timeout=3 * PATIENCE
    )
    return page.locator(".planes")


def drag_over_the_quarter_above_right(planes, i):
    """Box from the origin to the corner of a plane; how far it reaches across and up."""
    planes.get_by_role("button", name="Box").click()
    canvas = planes.locator("figure").nth(i).locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box, reach = canvas.bounding_box(), float(canvas.get_attribute("data-reach"))
    left, right = box["x"] + LEFT, box["x"] + box["width"] - RIGHT
    top, bottom = box["y"] + TOP, box["y"] + box["height"] - BOTTOM
    mouse = planes.page.mouse
    mouse.move((left + right) / 2, (top + bottom) / 2)
    mouse.down()
    mouse.move(right - 1, top + 1, steps=3)
    mouse.up()
    return reach * (right - left) / (bottom - top), reach


def inside(arrays, across, up):
    """The images whose codes lie in that quarter."""
    x, y = arrays["mean"].T
    chosen = (x > 0) & (y > 0) & (x < across) & (y < up)
    return {
        f"{s}:{i}" for s, i in zip(arrays["split"][chosen], arrays["index"][chosen], strict=True)
    }


def selection(planes):
    return set(planes.get_attribute("data-selection").split(","))


def of_class(arrays, label):
    """The images of a class."""
    mine = arrays["label"] == label
    return {f"{s}:{i}" for s, i in zip(arrays["split"][mine], arrays["index"][mine], strict=True)}


def test_what_is_selected_in_one_plane_is_marked_in_the_other(planes, compared):
    held = {f"1:{index}" for index in compared[0][1]["shown"]}
    for i, (_, arrays) in enumerate(compared):
        expected = inside(arrays, *drag_over_the_quarter_above_right(planes, i))
        expect(planes).to_have_attribute("data-selected", str(len(expected)))
        assert set(planes.get_attribute("data-selection").split(",")) == expected
        for canvas in planes.locator("figure canvas:first-child").all():
            expect(canvas).to_have_attribute("data-marked", str(len(expected)))
        assert set(planes.get_attribute("data-shown").split(",")) == expected & held
        expect(planes.get_by_role("status")).to_contain_text(f"{len(expected)} images: ")
    planes.get_by_role("button", name="Select none").click()
    expect(planes).to_have_attribute("data-selected", "0")
    planes.get_by_role("button", name="7", exact=True).press("Enter")
    expect(planes).to_have_attribute("data-selected", "12")
    expect(planes.get_by_role("status")).to_contain_text("12 images: 7 ×12.")


def test_that_a_selection_says_nothing_of_other_images_is_said(planes, page, root, compared):
    other = runs.create(root, RunConfig.model_validate({"data": {"name": "mnist"}}))
    other.event("started", 0, about=fakes.about())
    other.save_snapshot(20, codes(2))
    fakes.progress(other, 20, "finished")
    said, warning = planes.get_by_role("status"), "Other runs are of other data than Digits."
    planes.get_by_role("button", name="7", exact=True).press("Enter")
    expect(said).to_contain_text("12 images: 7 ×12.")
    expect(said).not_to_contain_text(warning)
    ids = ",".join([*(run.id for run, _ in compared), other.id])
    page.goto(f"{page.url.split('?')[0]}?runs={ids}")
    expect(page.locator(".planes figure[data-snapshot='20']")).to_have_count(
        3, timeout=3 * PATIENCE
    )
    planes.get_by_role("button", name="7", exact=True).press("Enter")
    expect(said).to_contain_text(warning)
    other.delete()


def test_what_another_viewer_has_evaluated_is_followed(planes, page, compared):
    run = compared[0][0]
    run.begin_evaluation(names=["elbo"], seed=0)
    run.set_evaluating(name="elbo", share=0.5)
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text(METRICS["elbo"].title, timeout=PATIENCE)
    run.end_evaluation("the model must fit; lower batch_size")
    expect(page.get_by_text("the model must fit; lower batch_size")).to_be_visible(timeout=PATIENCE)


def test_one_slider_moves_all_planes_through_time(planes, compared):
    for (run, arrays), earlier in zip(compared, ((5,), (5, 12)), strict=True):
        for step in earlier:
            run.save_snapshot(step, arrays | {"mean": arrays["mean"] / step})
    planes.page.reload()
    slider, figures = planes.get_by_role("slider", name="Step"), planes.locator("figure")
    expect(planes.locator(".scrubber")).to_have_attribute("data-steps", "3", timeout=PATIENCE)
    for key, steps in (("Home", (5, 5)), ("ArrowRight", (5, 12)), ("End", (20, 20))):
        slider.press(key)
        for i, step in enumerate(steps):
            expect(figures.nth(i)).to_have_attribute("data-snapshot", str(step))


def test_the_address_shows_the_same_elsewhere_and_back_undoes_a_choice(planes, page, compared):
    planes.locator('.legend [data-name="class:3"]').click()
    page.wait_for_url("**select=*")
    planes.locator('.legend [data-name="class:5"]').click()
    other = page.context.new_page()
    page.wait_for_timeout(600)  # the address follows a moment later
    other.goto(page.url)
    there = other.locator(".planes")
    expect(there).to_have_attribute("data-selected", "12", timeout=3 * PATIENCE)
    assert selection(there) == selection(planes)
    for step, label in ((page.go_back, 3), (page.go_forward, 5)):
        step()
        expect(planes.get_by_role("status")).to_contain_text(f"12 images: {label} ×12.")
        assert selection(planes) == of_class(compared[0][1], label)
    names = seen(other).locator("figure .name").all_inner_texts()
    assert names == ["VAE", "β-VAE β 2"]
    for figure in ("curves", "rate-distortion"):
        expect(other.locator(f".st-key-{figure} .js-plotly-plot")).to_be_visible(
            timeout=3 * PATIENCE
        )
    other.close()
