"""A run seen at earlier steps: slider, film, and the newest."""

import shutil

import pytest
from playwright.sync_api import expect

from tests import fakes
from tests.e2e.conftest import PATIENCE

STEPS = (5, 10, 20, 40)


@pytest.fixture
def run(root):
    """A run that trains, with snapshots of a few steps."""
    run = fakes.start(root)
    for step in range(1, 41):
        run.log(fakes.row(step))
        if step in STEPS:
            run.save_snapshot(step, fakes.snapshot(seed=step))
    fakes.progress(run, 40)
    yield run
    shutil.rmtree(run.path, ignore_errors=True)


@pytest.fixture
def time(view, run):
    """The scrubber of the live view, once it knows its steps."""
    view.open(run).until(snapshot=40)
    return until(view.root.locator(".scrubber"), steps=4, step=40, following="true")


def until(scrubber, **data):
    for name, value in data.items():
        expect(scrubber).to_have_attribute(f"data-{name}", str(value), timeout=PATIENCE)
    return scrubber


def test_the_keys_walk_through_the_snapshots(time, view, run):
    newest, pictures = view.picture("plane"), []
    slider = time.get_by_role("slider")
    slider.focus()
    for key, step in (("ArrowLeft", 20), ("Home", 5), ("ArrowRight", 10)):
        slider.press(key)
        until(time, step=step, following="false")
        view.until(snapshot=step)
        expect(view.panel("plane")).to_contain_text(f"step {step}")
        expect(view.canvas("curves")).to_have_attribute("data-now", str(step))
        pictures.append(view.picture("plane"))
    assert len({*pictures, newest}) == 4
    run.save_snapshot(50, fakes.snapshot(seed=50))
    fakes.progress(run, 50)
    until(time, steps=5, step=10)
    view.until(snapshot=10)  # who looks back is not torn away
    slider.press("End")
    until(time, following="true")
    view.until(snapshot=50)
    expect(view.canvas("curves")).to_have_attribute("data-now", "")
    run.save_snapshot(60, fakes.snapshot(seed=60))
    fakes.progress(run, 60)
    view.until(snapshot=60)


def test_the_film_runs_to_its_end_or_goes_round(time, view):
    time.get_by_role("combobox", name="Speed").select_option("8")
    view.page.evaluate(
        "root => { window.seen = []; new MutationObserver(() => seen.push(root.dataset.snapshot))"
        ".observe(root, { attributes: true, attributeFilter: ['data-snapshot'] }) }",
        view.root.element_handle(),
    )
    time.get_by_role("slider").press(" ")
    until(time, playing="false", step=40)
    assert view.page.evaluate("seen") == ["5", "10", "20", "40"]
    time.get_by_role("button", name="Loop").click()
    time.get_by_role("button", name="Play").click()
    view.page.wait_for_function("seen.length > 9")
    time.get_by_role("button", name="Pause").click()
    until(time, playing="false")
    assert view.page.evaluate("seen").count("5") > 1


def test_a_click_on_a_curve_shows_that_step(time, view):
    box = view.canvas("curves").bounding_box()
    view.page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    until(time, step=20)
    view.until(snapshot=20)
    time.get_by_role("button", name="Newest").click()
    view.until(snapshot=40)


def test_the_address_shows_the_same_step_elsewhere(time, view, page):
    slider = time.get_by_role("slider")
    slider.press("Home")
    view.until(snapshot=5)
    page.wait_for_url("**step=5*")
    slider.press("ArrowRight")
    page.wait_for_url("**step=10*")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator(".lab")).to_have_attribute("data-snapshot", "10", timeout=PATIENCE)
    other.close()
    page.go_back()
    view.until(snapshot=5)
