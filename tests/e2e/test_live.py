"""The live view in a real browser, beside runs that the tests write themselves."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard import api, assets
from tests import fakes
from tests.e2e.conftest import PATIENCE, View


@pytest.fixture
def run(root):
    """A run that trains, with a few rows and a snapshot."""
    run = fakes.start(root)
    advance(run, 1, 20)
    yield run
    shutil.rmtree(run.path, ignore_errors=True)


def advance(run, first, last, dimensions=2):
    """Log the steps from first to last, and a snapshot of the last."""
    for step in range(first, last + 1):
        run.log(fakes.row(step))
        if step % 10 == 0:
            run.log(fakes.row(step, "test"))
    run.save_snapshot(last, fakes.snapshot(dimensions, seed=last))
    fakes.progress(run, last)


def test_an_empty_view_says_what_to_do(view):
    view.open()
    expect(view.root).to_contain_text("Press Train: an encoder learns")
    drawings = view.root.get_by_role("img")
    expect(drawings).to_have_count(4)
    expect(view.root.locator(".state")).to_have_text("Ready")
    assert view.data("polls") is None
    for panel in ("curves", "plane", "pairs", "samples"):
        expect(view.panel(panel).locator(".hint")).to_be_visible()
    expect(view.panel("pairs").locator("h3")).to_contain_text("Unseen digits")
    view.page.get_by_role("combobox", name="Data set").click()
    view.page.keyboard.type("Two points")
    view.page.keyboard.press("Enter")
    expect(view.panel("pairs").locator("h3")).to_contain_text("Unseen points", timeout=PATIENCE)
    expect(view.page.locator(".stSidebar")).to_contain_text("Gaussian (fixed σ) instead of")


def test_without_a_run_it_begins_anew_for_other_items_only(view):
    opened = view.open().page.evaluate(
        """async (address) => {
          const { View } = await import(address);
          const root = document.body.appendChild(document.createElement("div"));
          const live = new View(root), opened = [];
          live.feed.follow = (api, run) => opened.push(live.items?.noun ?? "nothing");
          const data = { run: null, kind: null, palette: [], api: "/api/runs" };
          for (const noun of [null, null, "digits", "digits", null, null])
            live.update({ ...data, noun }, () => {});
          live.close();
          root.remove();
          return opened;
        }""",
        api.module("live").replace(assets.ENTRY, "view.js"),
    )
    assert opened == ["nothing", "digits", "nothing"]


def test_points_move_and_no_element_is_replaced(view, run):
    view.open(run).until(rows=22, snapshot=20)
    view.page.evaluate(
        "window.kept = [...document.querySelectorAll('*')].flatMap(e => e.shadowRoot ? "
        "[...e.shadowRoot.querySelectorAll('.lab, .lab *')] : [])"
    )
    panels = ["curves", "plane", "pairs", "samples"]
    before = [view.picture(panel) for panel in panels]
    advance(run, 21, 40)
    view.until(rows=44, snapshot=40)
    after = [view.picture(panel) for panel in panels]
    assert all(a != b for a, b in zip(before, after, strict=True))
    expect(view.panel("plane")).to_contain_text("step 40")
    assert view.page.evaluate("kept.length > 50 && kept.every(element => element.isConnected)")
    assert view.page.evaluate("kept[0].querySelectorAll('*').length == kept.length - 1")


def test_nothing_is_drawn_while_nothing_changes(view, run):
    view.open(run).until(rows=22, snapshot=20)
    view.picture("plane")
    draws = [canvas.get_attribute("data-draws") for canvas in view.root.locator("canvas").all()]
    polls = int(view.data("polls"))
    view.page.wait_for_function(
        "([root, polls]) => root.dataset.polls > polls", arg=[view.root.element_handle(), polls + 1]
    )
    now = [canvas.get_attribute("data-draws") for canvas in view.root.locator("canvas").all()]
    assert now == draws


@pytest.mark.parametrize(("panel", "attribute"), [("plane", "data-view"), ("curves", "data-range")])
def test_a_zoom_survives_refresh_rerun_and_reload(view, run, panel, attribute):
    view.open(run).until(snapshot=20)
    canvas = view.canvas(panel)
    expect(canvas).to_have_attribute(attribute, "")
    view.turn_wheel(panel, x=0.3)
    expect(canvas).not_to_have_attribute(attribute, "")
    zoom = canvas.get_attribute(attribute)
    advance(run, 21, 30)
    view.until(snapshot=30)
    expect(canvas).to_have_attribute(attribute, zoom)
    fakes.progress(run, 30, "paused")  # of which the page hears, and runs again
    expect(view.page.get_by_role("button", name="Resume")).to_be_visible(timeout=PATIENCE)
    expect(canvas).to_have_attribute(attribute, zoom)
    view.page.reload()
    view.until(snapshot=30)
    expect(canvas).to_have_attribute(attribute, zoom)
    view.panel(panel).get_by_role("button", name="Show all").click()
    expect(canvas).to_have_attribute(attribute, "")


def test_what_is_hidden_stays_hidden(view, run):
    view.open(run).until(snapshot=20)
    expect(view.canvas("curves")).to_have_attribute("data-plots", "total,distortion,rate,mmd")
    view.entry("curves", "rate").click()
    view.entry("plane", "class:3").focus()
    view.page.keyboard.press("Enter")
    for refresh in (lambda: advance(run, 21, 30), view.page.reload):
        refresh()
        view.until(snapshot=30)
        expect(view.canvas("curves")).to_have_attribute("data-plots", "total,distortion,mmd")
        expect(view.entry("curves", "rate")).to_have_attribute("aria-pressed", "false")
        expect(view.entry("plane", "class:3")).to_have_attribute("aria-pressed", "false")
        expect(view.entry("plane", "class:4")).to_have_attribute("aria-pressed", "true")
    hidden = view.picture("plane")
    view.entry("plane", "class:3").click()
    assert view.picture("plane") != hidden


def test_a_log_scale_is_another_picture_and_is_remembered(view, run):
    view.open(run).until(snapshot=20)
    straight = view.picture("curves")
    log = view.panel("curves").get_by_role("button", name="log")
    log.click()
    expect(log).to_have_attribute("aria-pressed", "true")
    assert view.picture("curves") != straight
    view.page.reload()
    expect(log).to_have_attribute("aria-pressed", "true")


def test_the_pointer_and_the_keys_read_values(view, run):
    view.open(run).until(snapshot=20)
    box = view.canvas("plane").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    view.page.mouse.move(x, y)
    expect(view.panel("plane").locator(".tip")).to_have_text(
        re.compile(r"^\d  \(−?\d\.\d\d, −?\d\.\d\d\)")
    )
    view.page.mouse.move(5, 5)
    expect(view.panel("plane").locator(".tip")).to_be_hidden()
    view.canvas("curves").focus()
    for _ in range(2):
        view.page.keyboard.press("ArrowLeft")
    expect(view.root.locator(".announcer")).to_have_text(
        "Step 19: loss 0.0526, distortion D 0.105, rate R 0.158, MMD²(q(z), p(z)) 0.211"
    )


def test_a_drawing_has_a_text_that_follows_it(view, run):
    view.open(run).until(snapshot=20)
    expect(view.canvas("curves")).to_have_attribute(
        "aria-label",
        re.compile(r"up to step 20\. loss: train 0\.0500, test 0\.0500 nats per image"),
    )
    expect(view.canvas("plane")).to_have_attribute(
        "aria-label", re.compile(r"Codes of 300 images at step 20 on z₁ and z₂\..* 9 at ")
    )


def test_two_of_many_dimensions_can_be_chosen(view, root):
    run = fakes.start(root, dimensions=20)
    advance(run, 1, 10, dimensions=20)
    view.open(run).until(snapshot=10)
    principal = view.picture("plane")
    view.panel("plane").get_by_label("Axis across").select_option("4")
    expect(view.canvas("plane")).to_have_attribute(
        "aria-label", re.compile("on z₅ and z₂"), timeout=PATIENCE
    )
    assert view.picture("plane") != principal
    view.panel("plane").get_by_label("Axis up").select_option("4")  # then the other gives way
    expect(view.panel("plane").get_by_label("Axis across")).to_have_value("5")
    view.panel("plane").get_by_role("button", name="PCA").click()
    view.page.mouse.move(5, 5)
    assert view.picture("plane") == principal


def test_a_single_dimension_is_drawn(view, root):
    run = fakes.start(root, dimensions=1)
    advance(run, 1, 10, dimensions=1)
    view.open(run).until(snapshot=10)
    first = view.picture("plane")
    advance(run, 11, 20, dimensions=1)
    view.until(snapshot=20)
    assert view.picture("plane") != first


def test_questions_end_with_the_run(view, run):
    view.open(run).until(snapshot=20)
    fakes.progress(run, 100, "finished")
    expect(view.root.locator(".state")).to_have_text("Finished")
    expect(view.page.get_by_role("button", name="Pause")).to_be_disabled()
    polls = view.data("polls")
    view.page.wait_for_timeout(1500)
    assert view.data("polls") == polls


def test_preparing_data_is_shown_as_it_goes_on(view, run):
    view.open(run).until(snapshot=20)
    told = {"done": 12000, "of": 48000, "what": "Decoding faces"}
    fakes.progress(run, 0, preparing=told)
    strip, bar = view.root.locator(".strip"), view.root.locator('[role="progressbar"]')
    expect(strip.locator(".state")).to_have_text("Preparing")
    expect(strip).to_contain_text("Decoding faces: 12,000 of 48,000")
    expect(bar).to_have_attribute("aria-valuenow", "25")
    fakes.progress(run, 0, preparing={"done": 0, "of": 0, "what": "Downloading MNIST (12 MB)"})
    expect(strip).to_contain_text("Downloading MNIST (12 MB) …")
    fakes.progress(run, 30, preparing=None)
    expect(strip.locator(".state")).to_have_text("Running")
    expect(bar).to_have_attribute("aria-valuenow", "30")
    told = {"done": 7, "of": 28, "what": "Drawing rows of samples"}
    fakes.progress(run, 31, drawing=told)
    expect(strip).to_contain_text("Drawing rows of samples: 7 of 28")
    expect(strip.locator(".state")).to_have_text("Running")
    fakes.progress(run, 32, drawing=None)
    expect(strip).not_to_contain_text("Drawing")


def test_a_failed_run_says_why(view, run):
    view.open(run).until(snapshot=20)
    fakes.progress(run, 30, "failed", error="mmd became infinite; lower the learning rate")
    expect(view.root.locator(".strip")).to_contain_text("Failed")
    expect(view.root.locator(".strip")).to_contain_text("mmd became infinite; lower the learning")


def test_what_was_turned_and_what_blew_up_is_marked_on_the_curves(view, run):
    view.open(run).until(snapshot=20)
    before = view.picture("curves")
    about = fakes.about()
    about["quantities"]["mmd"] |= {"weight": 49}
    changes, weights = {"λ": [10.0, 200.8], "Kernel": ["rbf", "imq"]}, {"mmd": [9.0, 199.8]}
    run.event("turned", 10, changes=changes, weights=weights, about=about)
    run.event("warning", 15, quantity="rate", text="R <has> blown up")
    run.event("turned", 16, changes={"λ": "odd"}, weights=[None, 3])  # of some other version
    canvas = view.canvas("curves")
    expect(canvas).to_have_attribute(
        "data-marks", "turned@10,warning@15,turned@16", timeout=PATIENCE
    )
    assert view.picture("curves") != before
    expect(view.root.locator(".saying")).to_have_text("▲ R <has> blown up")

    tip, box = view.panel("curves").locator(".tip"), canvas.bounding_box()
    for x in range(0, int(box["width"] / 2), 4):
        view.page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)
        if tip.is_visible():
            break
    assert tip.inner_text().splitlines() == [
        "Turned after step 10: λ 10 → 200.8, Kernel rbf → imq",
        "coefficient of MMD²(q(z), p(z)): 9 → 199.8",
    ]
    view.page.mouse.move(box["x"] + box["width"], box["y"] - 5)
    expect(tip).to_be_hidden()
    view.page.reload()
    expect(canvas).to_have_attribute(
        "data-marks", "turned@10,warning@15,turned@16", timeout=PATIENCE
    )


def test_texts_of_crowded_marks_stand_below_each_other_and_the_rest_are_counted(view, run):
    """Texts of 60 px in a plot of 300 by 100; what is laid lies inside, nothing over another."""
    view.open(run)
    laid = view.page.evaluate(
        """async ([at]) => {
          const { layTexts } = await import(at);
          const box = { left: 30, right: 330, top: 0, bottom: 100 };
          const lay = (marks) => layTexts(box, marks.map((x, i) => [x, `turn ${i}`]), () => 60);
          return [[40], [40, 50, 60], [40, 50, 60, 70, 75, 320]].map(lay);
        }""",
        [f"{view.address}/api/static/any/live/marks.js"],
    )
    said = [[(text["text"], text["row"]) for text in texts] for texts in laid]
    assert said[0] == [("turn 0", 0)]
    assert said[1] == [("turn 0", 0), ("turn 1", 1), ("turn 2", 2)]
    assert said[2] == [*said[1], ("turn 5", 0), ("+ 2 more", 3)]
    for text in laid[2]:
        assert 30 <= text["left"] <= 270


def test_an_answer_that_cannot_be_drawn_is_reported_and_not_the_last(browser, server, run):
    view = View(browser.new_page(), server)  # a page of its own, for errors fail the other one
    odd = {"state": "running", "status": {}, "rows": None, "snapshot": None}
    odd |= {"first": 0, "next": 0, "next_event": 0}
    view.page.route("**/live?*", lambda route: route.fulfill(json=odd))
    with view.page.expect_event("pageerror", timeout=PATIENCE) as reported:
        view.open(run)
    assert "rows" in str(reported.value)
    view.page.unroute("**/live?*")
    view.until(rows=22, snapshot=20)
    view.page.close()


def test_a_code_that_says_nothing_is_said(view, run):
    view.open(run).until(snapshot=20)
    saying = view.root.locator(".saying")
    expect(saying).to_be_hidden()
    empty = fakes.row(40, "test")
    empty["values"]["rate"] = 0.001
    run.log(empty)
    fakes.progress(run, 40)
    expect(saying).to_contain_text("Collapsed: R ≈ 0", timeout=PATIENCE)
    full = fakes.row(50, "test")
    full["values"]["rate"] = 3.0
    run.log(full)
    fakes.progress(run, 50)
    expect(saying).to_be_hidden(timeout=PATIENCE)


def test_a_lost_server_is_waited_for(view, run):
    view.open(run).until(snapshot=20)
    expect(view.root.get_by_text("reconnecting")).to_be_hidden()
    view.page.route("**/api/runs/**", lambda route: route.abort())
    expect(view.root.get_by_text("reconnecting")).to_be_visible(timeout=PATIENCE)
    advance(run, 21, 40)
    view.page.unroute("**/api/runs/**")
    view.until(rows=44, snapshot=40)
    expect(view.root.get_by_text("reconnecting")).to_be_hidden()


def test_another_run_starts_from_nothing_but_keeps_what_was_chosen(view, run, root):
    view.open(run).until(snapshot=20)
    view.entry("curves", "mmd").click()
    view.turn_wheel("plane")
    other = fakes.start(root)
    advance(other, 1, 5)
    view.open(other).until(rows=5, snapshot=5)
    expect(view.canvas("plane")).to_have_attribute("data-view", "")
    view.open(run).until(rows=22)
    expect(view.canvas("curves")).to_have_attribute("data-plots", "total,distortion,rate")
    expect(view.canvas("plane")).not_to_have_attribute("data-view", "")


def test_the_theme_is_followed_without_replacing_anything(view, run):
    view.open(run).until(snapshot=20)
    canvas = view.canvas("pairs").element_handle()
    light = brightness(view, "pairs")
    view.page.emulate_media(color_scheme="dark")
    view.page.wait_for_function(
        "root => getComputedStyle(root).color.match(/\\d+/)[0] > 128",
        arg=view.root.element_handle(),
    )
    view.picture("pairs")
    assert brightness(view, "pairs") < light
    assert canvas.evaluate("canvas => canvas.isConnected")


def brightness(view, panel):
    """Mean grey of what a canvas has painted."""
    return view.canvas(panel).evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const painted = data.filter((_, i) => i % 4 == 1 && data[i + 2] == 255);
          return painted.reduce((sum, value) => sum + value, 0) / painted.length;
        }"""
    )


def test_all_of_it_fits_a_laptops_screen_and_a_phone_stacks_it(view, run):
    view.open(run).until(snapshot=20)
    boxes = [view.panel(name).bounding_box() for name in ("curves", "plane", "pairs", "samples")]
    assert all(box["y"] + box["height"] <= 800 for box in boxes)
    assert len({round(box["width"]) for box in boxes}) == 1
    view.page.set_viewport_size({"width": 390, "height": 844})
    expect(view.page.get_by_test_id("stSidebar")).not_to_be_in_viewport()
    boxes = [view.panel(name).bounding_box() for name in ("curves", "plane", "pairs", "samples")]
    assert all(a["y"] + a["height"] <= b["y"] for a, b in pairwise(boxes))
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def save(view, panel, label):
    """The bytes of what a panel's menu saves."""
    view.panel(panel).get_by_role("button", name=f"Save the {panel}").click()
    with view.page.expect_download(timeout=PATIENCE) as got:
        view.panel(panel).get_by_role("button", name=label, exact=True).click()
    return Path(got.value.path()).read_bytes()


def test_every_panel_saves_its_numbers_and_a_drawing(view, run):
    view.open(run).until(snapshot=20, rows=22)
    lines = [line.split(",") for line in save(view, "curves", "CSV").decode().splitlines()]
    rows = [row for split in ("train", "test") for row in run.rows() if row["split"] == split]
    assert lines[0] == ["split", "step", *rows[0]["values"]]
    for line, row in zip(lines[1:], rows, strict=True):
        assert line[:2] == [row["split"], str(row["step"])]
        expected = pytest.approx([*row["values"].values()], rel=1e-5)  # as digits travel
        assert [float(value) for value in line[2:]] == expected
    arrays = run.snapshot(20)
    codes = [line.split(",") for line in save(view, "plane", "CSV").decode().splitlines()][1:]
    mean = np.array([line[3:] for line in codes], float)
    np.testing.assert_allclose(mean, arrays["mean"], atol=1e-3)
    assert [int(line[1]) for line in codes] == arrays["index"].tolist()
    drawing = ElementTree.fromstring(save(view, "plane", "SVG"))
    dots = [e for e in drawing.iter() if e.tag.endswith("circle")]
    assert len(dots) == len(mean)
    for panel, images in (("pairs", 80), ("samples", 100)):
        shown = ElementTree.fromstring(save(view, panel, "SVG"))
        drawn = int(view.canvas(panel).get_attribute("data-images")) * (
            2 if panel == "pairs" else 1
        )
        assert len([e for e in shown.iter() if e.tag.endswith("image")]) == drawn <= images
        assert save(view, panel, "PNG").startswith(b"\x89PNG")
