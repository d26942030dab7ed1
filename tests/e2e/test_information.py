"""The page Information in a real browser: studies that run, a threshold that moves."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from infovae_core import archive
from infovae_core.studies import BoundStudy
from tests import fakes
from tests.e2e.conftest import PATIENCE
from tests.processes import end_workers

QUICK = {"batch_size": 16, "width": 16, "steps": 500}


@pytest.fixture
def studies(view, root):
    """The page with quick settings; the workers of studies end with the test."""
    said = "&".join(f"bounds.{name}={value}" for name, value in QUICK.items())
    view.page.goto(f"{view.address}/information?{said}")
    yield view
    end_workers(archive.folder(root))
    shutil.rmtree(archive.folder(root), ignore_errors=True)


def shows(view, study):
    """Wait until a study is in view and has come to its end."""
    expect(view.root).to_have_attribute("data-run", study.id, timeout=PATIENCE)
    expect(view.root).to_have_attribute("data-exact", f"{study.exact:.4f}")
    expect(view.root).to_have_attribute("data-state", "finished", timeout=6 * PATIENCE)
    expect(view.root).to_have_attribute("data-rows", str(4 * 50))


def cell(view, name, column):
    return view.root.locator(f'tr[data-name="{name}"] td').nth(column)


def test_a_moved_slider_moves_the_exact_line_and_the_curves(studies):
    view, study = studies, BoundStudy(**QUICK)
    shows(view, study)
    expect(cell(view, "exact", 0)).to_have_text(f"{study.exact:.2f}")
    picture, estimate = view.picture("stage"), cell(view, "nce", 0).inner_text()
    assert 0 < float(estimate) < study.exact

    slider = view.page.get_by_role("slider", name="Correlation ρ")
    slider.focus()
    for _ in range(10):
        view.page.keyboard.press("ArrowRight")
    moved = BoundStudy(rho=0.9, **QUICK)
    expect(cell(view, "exact", 0)).to_have_text(f"{moved.exact:.2f}", timeout=PATIENCE)
    shows(view, moved)
    assert view.picture("stage") != picture
    assert cell(view, "nce", 0).inner_text() != estimate

    view.page.reload()
    shows(view, moved)
    view.canvas("stage").focus()
    for _ in range(2):
        view.page.keyboard.press("ArrowLeft")
    announced = view.root.locator(".announcer")
    expect(announced).to_have_text(re.compile(r"At step 490: f-dual of KL .* ± .*; exact 4\.15"))
    expect(view.root.locator(".where")).to_have_text("at step 490")
    drawn = view.picture("stage")
    view.root.get_by_role("button", name="MINE").press("Enter")
    assert view.picture("stage") != drawn


def test_a_study_that_was_stopped_is_asked_for_again_by_who_looks_at_it(studies, root):
    shows(studies, BoundStudy(**QUICK))
    study = archive.obtain(root, BoundStudy(**QUICK))
    study.set_status(state="stopped")
    studies.page.reload()
    shows(studies, BoundStudy(**QUICK))
    assert [event["event"] for event in study.events()][-2:] == ["resumed", "finished"]


def test_the_count_of_active_units_follows_the_threshold(view, root):
    run = fakes.start(root, dimensions=20)
    arrays = fakes.snapshot(20)
    arrays["mean"][:, 10:] *= 1e-2  # variances of about 10⁻⁴
    run.save_snapshot(10, arrays)
    fakes.progress(run, 10, "finished")
    view.page.goto(f"{view.address}/information?part=Active+units")
    expect(view.root.locator(".verdict")).to_have_text("10 of 20 active at 0.01", timeout=PATIENCE)
    picture = view.picture("stage")
    threshold = view.page.get_by_role("slider", name="Threshold")
    threshold.press("Home")
    expect(view.root.locator(".verdict")).to_have_text("20 of 20 active at 0.000001")
    assert view.picture("stage") != picture
    threshold.press("End")
    expect(view.root).to_have_attribute("data-active", "0")
    expect(view.page).to_have_url(re.compile(f"run={run.id}&threshold=10$"))
    view.page.goto(f"{view.page.url}0".replace("=100", "=0.001"))
    expect(view.root.locator(".verdict")).to_have_text("10 of 20 active at 0.001", timeout=PATIENCE)
    shutil.rmtree(run.path)
