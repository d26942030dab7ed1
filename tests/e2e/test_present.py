"""The presentation mode in a real browser: what is larger, what hidden, how one leaves it."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from tests import fakes
from tests.e2e.conftest import PATIENCE

PAGES = ("", "runs", "compare", "latent", "traverse", "information")


@pytest.fixture
def run(root):
    run = fakes.start(root, 2)
    run.save_snapshot(10, fakes.snapshot(2, seed=10))
    fakes.progress(run, 10)
    yield run
    shutil.rmtree(run.path, ignore_errors=True)


def presented(page, on=True):
    mode = page.locator("html[data-present]")
    expect(mode).to_have_count(int(on), timeout=PATIENCE)


def seen(element):
    """Pixels of the window to a pixel of an element's own, and to one of its canvas."""
    return element.evaluate("e => [e.currentCSSZoom, e.width / e.getBoundingClientRect().width]")


def test_the_page_stands_where_it_stays_before_the_button_has_come(page, server):
    held = []
    page.route(re.compile("/api/static/.*/present/"), lambda route: held.append(route))
    page.goto(f"{server}/")
    train = page.get_by_role("button", name="Train", exact=True)
    expect(train).to_be_visible(timeout=PATIENCE)
    before = train.bounding_box()["y"]
    expect(page.locator(".lab .panels")).to_be_visible(timeout=PATIENCE)
    for route in held:
        route.continue_()
    page.unroute_all()
    expect(page.get_by_role("button", name="Present")).to_be_visible(timeout=PATIENCE)
    assert train.bounding_box()["y"] == before


def test_the_plots_are_larger_sharp_and_fill_the_window_and_escape_leaves(view, run):
    page = view.open(run).page
    view.until(snapshot=10)
    button = page.get_by_role("button", name="Present")
    expect(button).to_be_visible(timeout=PATIENCE)
    button.click()
    presented(page)
    page.wait_for_url(re.compile("present=1"))
    assert f"run={run.id}" in page.url
    for hidden in (page.locator(".stSidebar"), page.get_by_role("button", name="Train")):
        expect(hidden).to_be_hidden()
    expect(view.panel("plane").locator(".help")).to_be_hidden()
    for title in view.root.locator("h3").all():
        assert title.evaluate("title => title.scrollWidth <= title.clientWidth")
    expect(view.root.locator(".scrubber")).to_be_in_viewport(ratio=1, timeout=PATIENCE)
    zoom, sharpness = seen(view.canvas("plane"))
    assert zoom > 1.5
    assert sharpness == pytest.approx(1, abs=0.02)
    box = view.root.bounding_box()
    assert box["width"] > 0.95 * 1280
    assert box["y"] + box["height"] > 0.95 * 800
    view.canvas("plane").focus()
    page.keyboard.press("Escape")  # a plot does not keep it for itself
    presented(page, False)
    expect(page.locator(".stSidebar")).to_be_visible()
    page.wait_for_url(lambda url: "present" not in url)
    assert seen(view.canvas("plane"))[0] == 1


def test_a_pointer_finds_the_same_place_when_it_is_larger(view, run):
    page = view.page
    page.goto(f"{view.address}/latent?run={run.id}&present=1")
    presented(page)
    root = page.locator(".lab.latent")
    canvas = root.locator(".plane canvas").first
    expect(root.locator(".about .at")).to_contain_text("0.00", timeout=PATIENCE)
    canvas.focus()

    at, box = root.locator(".about .at"), canvas.bounding_box()
    zoom = seen(canvas)[0]
    # The axes take more room at the left and below than at the right and above.
    middle = [box["width"] / 2 + zoom * (30 - 6) / 2, box["height"] / 2 + zoom * (6 - 18) / 2]
    for share in (0.5, 1.0):
        page.mouse.move(*(box[side] + share * px for side, px in zip("xy", middle, strict=True)))
        page.wait_for_timeout(200)
        x, y = (float(said.replace("−", "-")) for said in re.findall(r"= (\S+)", at.inner_text()))
        if share == 1.0:
            assert [x, y] == pytest.approx([0, 0], abs=0.03)
        else:
            assert x < -0.5
            assert y > 0.5


@pytest.mark.parametrize("path", PAGES)
def test_each_page_has_it_by_its_address_and_keeps_it_on_the_way_to_another(page, server, path):
    page.goto(f"{server}/{path}?present=1")
    presented(page)
    other = "Runs" if path != "runs" else "Train"
    link = page.get_by_test_id("stTopNavLink").filter(has_text=other)
    link.focus()  # the bar is there for who looks for it
    link.click()
    address = "/" if other == "Train" else "/runs"
    page.wait_for_url(re.compile(rf"{server}{address}\?(.*&)?present=1"))
    presented(page)


def test_the_key_is_not_taken_from_who_types(view, run):
    page = view.open(run).page
    field = page.get_by_role("textbox", name="Label")
    field.fill("")
    field.press("p")
    presented(page, False)
    view.canvas("plane").focus()
    page.keyboard.press("p")
    presented(page)
