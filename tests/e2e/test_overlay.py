"""What the divergence sees, over the latent plane in a real browser, of runs that tests make up."""

import re
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from tests import fakes
from tests.e2e.conftest import PATIENCE


@pytest.fixture
def start(root):
    """Start a run with a snapshot at step 10, of what a term sees or of nothing more."""
    begun = []

    def start(kind=None, dimensions=2, **said):
        run = fakes.start(root, dimensions)
        if said:  # of the term, otherwise than in fakes
            about = fakes.about(dimensions)
            mmd = about["quantities"]["mmd"] | said
            about["quantities"] = about["quantities"] | {"mmd": mmd}
            run.event("turned", 0, about=about)
        begun.append(run)
        snap(run, kind, 10, dimensions)
        return run

    yield start
    for run in begun:
        shutil.rmtree(run.path, ignore_errors=True)


def snap(run, kind, step, dimensions=2):
    arrays = fakes.snapshot(dimensions, seed=step)
    run.save_snapshot(step, arrays if kind is None else fakes.sight(kind, arrays, seed=step))
    fakes.progress(run, step)


def test_a_map_is_shown_when_asked_for_and_stays(view, start):
    run = start("field")
    view.open(run).until(snapshot=10)
    button, key = view.panel("plane").locator(".sees"), view.panel("plane").locator(".key")
    expect(button).to_have_text("what MMD² sees")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(key).to_be_hidden()
    plain = view.picture("plane")
    button.click()
    expect(view.canvas("plane")).to_have_attribute("data-sees", "mmd")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(key).to_be_visible()
    expect(key).to_contain_text("too many codes")
    expect(view.canvas("plane")).to_have_attribute(
        "aria-label", re.compile("What MMD² sees: from −.* most at .* least at "), timeout=PATIENCE
    )
    view.page.mouse.move(5, 5)
    before = view.picture("plane")
    assert before != plain
    snap(run, "field", 20)
    view.until(snapshot=20)
    assert view.picture("plane") != before
    view.page.reload()
    view.until(snapshot=20)
    expect(view.canvas("plane")).to_have_attribute("data-sees", "mmd")
    button.click()
    expect(view.canvas("plane")).to_have_attribute("data-sees", "")
    expect(key).to_be_hidden()


def test_the_help_has_the_terms_own_formula(view, start):
    view.open(start("field")).until(snapshot=10)
    help = view.panel("plane").locator("#plane-help")
    view.panel("plane").get_by_role("button", name="Help").click()
    expect(help).to_contain_text("What MMD² sees: the witness f(z). Red: too many codes")


def test_the_text_says_where_most_and_fewest_codes_are_too_many(view, start):
    run = start("field")
    arrays = fakes.sight("field", fakes.snapshot(2, seed=10))
    across, up = r"(0\.94|1\.25|1\.56)", r"(0\.31|0\.6[23]|0\.94)"  # neighbours of the grid
    axis = np.linspace(-5, 5, 33, dtype=np.float32)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    peak = [np.exp(-((x - sign * 1.25) ** 2) - (y - 0.625) ** 2) for sign in (1, -1)]
    run.save_snapshot(20, arrays | {"field": (peak[0] - peak[1]).astype(np.float32)})
    fakes.progress(run, 20)
    view.open(run).until(snapshot=20)
    view.panel("plane").locator(".sees").click()
    expect(view.canvas("plane")).to_have_attribute(
        "aria-label",
        # to a place of the grid, for what travels is cut where the map's colours end
        re.compile(rf"most at {across}, {up}, least at −{across}, {up}\."),
        timeout=PATIENCE,
    )


@pytest.mark.parametrize(
    ("kind", "dimensions", "said"),
    [
        ("field", 1, "too many codes"),
        ("field", 20, "too many codes"),
        ("flow", 20, "|φ| ="),
    ],
)
def test_strips_coloured_points_and_arrows_change_the_picture(view, start, kind, dimensions, said):
    view.open(start(kind, dimensions)).until(snapshot=10)
    plain = view.picture("plane")
    view.panel("plane").get_by_role("button", name="What MMD² sees").click()
    expect(view.panel("plane").locator(".key")).to_contain_text(said)
    expect(view.canvas("plane")).to_have_attribute("data-sees", "mmd")
    view.page.mouse.move(5, 5)
    assert view.picture("plane") != plain


@pytest.mark.parametrize("side", [-1, 1])
def test_the_key_stands_where_it_covers_fewest_codes(view, start, side):
    """All codes lie in a corner: that in which the key stands at first, or the opposite one."""
    run, arrays = start(), fakes.snapshot(2)
    places = np.random.default_rng(0).uniform(0.2, 3, arrays["mean"].shape)
    arrays["mean"] = (places * [1.4 * side, -side]).astype(np.float32)
    run.save_snapshot(20, fakes.sight("field", arrays))
    fakes.progress(run, 20)
    view.open(run).until(snapshot=20)
    key = view.panel("plane").locator(".key")
    view.panel("plane").locator(".sees").click()
    expect(key).to_be_visible()
    view.picture("plane")
    covered = [int(count) for count in key.get_attribute("data-covered").split(",")]
    corner = int(key.get_attribute("data-corner"))
    assert covered[0 if side < 0 else 3] > 0
    assert covered[corner] == 0
    inner, outer = key.bounding_box(), view.canvas("plane").bounding_box()
    for low, size in (("x", "width"), ("y", "height")):
        assert outer[low] <= inner[low]
        assert inner[low] + inner[size] <= outer[low] + outer[size]


def test_scores_are_two_histograms_beside_the_bound(view, start):
    view.open(start("scores")).until(snapshot=10)
    view.panel("plane").get_by_role("button", name="What MMD² sees").click()
    key = view.panel("plane").locator(".key")
    expect(key.locator(".bound")).to_have_text(re.compile(r"= 1\.50 squared kernel distance$"))
    together, apart = (key.locator(f"path.{name}") for name in ("together", "apart"))
    assert together.bounding_box()["width"] > 50
    assert together.get_attribute("d") != apart.get_attribute("d")


def test_a_bound_without_a_unit_is_a_number_alone(view, start):
    run = start("scores", label="Î(x; z), χ²", unit="no unit")
    view.open(run).until(snapshot=10)
    view.panel("plane").locator(".sees").click()
    bound = view.panel("plane").locator(".key .bound")
    expect(bound).to_have_text("Î(x; z), χ² = 1.50")
    expect(view.canvas("plane")).to_have_attribute(
        "aria-label", re.compile(r"Î\(x; z\), χ² = 1\.50\."), timeout=PATIENCE
    )


def test_a_run_that_sees_nothing_has_no_button(view, start):
    view.open(start()).until(snapshot=10)
    expect(view.panel("plane").locator(".sees")).to_be_hidden()
    seeing = start("flow")
    view.open(seeing).until(snapshot=10)
    view.panel("plane").locator(".sees").click()
    snap(seeing, None, 20)
    view.until(snapshot=20)
    expect(view.panel("plane").locator(".sees")).to_be_hidden()
    expect(view.panel("plane").locator(".key")).to_be_hidden()
    expect(view.canvas("plane")).to_have_attribute("data-sees", "")
