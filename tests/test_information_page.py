"""The page Information, run as a complete script: what it shows, and which studies it asks for."""

import json
import math
import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard import information, palette
from infovae_core import archive, dispatch, runs, worker
from infovae_core.config import RunConfig
from infovae_core.estimators import active_units
from infovae_core.information import ESTIMATORS
from infovae_core.objectives import VAE
from infovae_core.studies import BoundStudy, PointStudy
from tests import fakes
from tests.test_pages import ROOT, contrast, drawn, opened, texts

INFORMATION = ROOT / "pages/information.py"
POINTS, UNITS = "Number of points", "Active units"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A folder of runs of its own; whoever launches a study finds nobody who takes it."""
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    return tmp_path / "runs"


def studies(root):
    """State by settings, the latest first."""
    return {archive.read(run): run.state for run in runs.list_runs(archive.folder(root))}


def view(page):
    """What the page gives to its component."""
    [component] = page.get("bidi_component")
    data = json.loads(component.proto.json)
    return json.loads(data.get("study") or data["units"])


def set_slider(page, key, value):
    kinds = [w for w in (*page.slider, *page.select_slider) if w.key == key]
    kinds[0].set_value(value)
    return drawn(page.run())


def test_opening_the_page_asks_for_a_study_and_shows_the_exact_value(root):
    page = opened(INFORMATION)
    assert studies(root) == {BoundStudy(): "queued"}
    assert "mathbf{2.55}" in texts(page)
    shown = view(page)
    assert shown["run"] == BoundStudy().id
    assert shown["exact"] == BoundStudy().exact
    exact, cap = shown["references"]
    assert exact["points"] == [[0, shown["exact"]], [2000, shown["exact"]]]
    assert cap["points"][0][1] == pytest.approx(math.log(64))


def test_a_moved_slider_asks_for_another_study_and_the_former_makes_way(root):
    page = set_slider(opened(INFORMATION), "bounds.rho", 0.99)
    assert studies(root) == {BoundStudy(rho=0.99): "queued", BoundStudy(): "stopped"}
    set_slider(page, "bounds.batch_size", 16)
    new = BoundStudy(rho=0.99, batch_size=16)
    assert studies(root)[new] == "queued"
    assert list(studies(root).values()).count("queued") == 1
    assert view(page)["references"][1]["points"][0][1] == pytest.approx(math.log(16))


def test_viewers_with_equal_settings_share_a_study_and_one_who_is_left_asks_again(root):
    first, second = opened(INFORMATION), opened(INFORMATION)
    assert view(first)["run"] == view(second)["run"]
    set_slider(first, "bounds.dimension", 20)
    assert studies(root)[BoundStudy()] == "stopped"
    drawn(second.run())  # as its component has it do once it hears of that
    assert studies(root)[BoundStudy()] == "queued"
    assert studies(root)[BoundStudy(dimension=20)] == "queued"


def test_a_finished_study_is_shown_and_not_done_again(root):
    run = archive.obtain(root, BoundStudy())
    run.set_status(state="finished")
    assert view(opened(INFORMATION))["state"] == "finished"
    assert runs.tickets(run.root) == []


def test_a_failed_study_is_tried_again_by_who_comes_anew_and_not_at_every_look(root):
    page = opened(INFORMATION)
    run = archive.obtain(root, BoundStudy())
    run.ticket.unlink()
    run.set_status(state="failed", error="no space")
    assert view(drawn(page.run()))["state"] == "failed"
    assert view(opened(INFORMATION))["state"] == "queued"


def test_settings_come_from_the_address(root):
    opened(INFORMATION, **{"bounds.dimension": "20", "bounds.rho": "0.5"})
    assert [*studies(root)] == [BoundStudy(dimension=20, rho=0.5)]


@pytest.mark.parametrize("wrong", ["0", "many", "1e9"])
def test_an_address_that_says_nonsense_is_passed_over(root, wrong):
    opened(INFORMATION, **{"bounds.dimension": wrong})
    assert [*studies(root)] == [BoundStudy()]


def test_the_number_of_points_has_its_cap_and_its_formula(root):
    page = opened(INFORMATION, part=POINTS)
    assert studies(root) == {PointStudy(): "queued"}
    shown = view(page)
    assert shown["axis"]["log"]
    [exact, cap] = shown["references"]
    assert exact["points"][0] == [10, 5.0]
    assert cap["points"] == [[n, pytest.approx(math.log(n))] for n in (10, 10_000)]
    set_slider(page, "points.information", 10.0)
    assert studies(root)[PointStudy(information=10)] == "queued"


def test_what_cannot_be_stored_is_said(root):
    root.parent.mkdir(exist_ok=True)
    root.write_text("not a folder")
    page = opened(INFORMATION)
    assert "the runs folder must be writable" in texts(page)
    assert not page.get("bidi_component")


def test_every_slider_keeps_to_its_field(root):
    for part, model in ((None, BoundStudy), (POINTS, PointStudy)):
        page = opened(INFORMATION, **({"part": part} if part else {}))
        for widget in page.slider:
            name = widget.key.partition(".")[2]
            for end in (widget.min, widget.max):
                assert getattr(model(**{name: end}), name) == end
            assert widget.value == model.model_fields[name].default
            assert widget.label == model.model_fields[name].title


# Words and colours.


def test_every_estimator_has_words_and_a_colour_of_its_own():
    assert {*ESTIMATORS, "empirical"} == information.ESTIMATORS.keys() == palette.ESTIMATORS.keys()
    colours = [*palette.ESTIMATORS.values()]
    others = {*palette.OBJECTIVES.values(), *palette.CLASSES}
    assert len({*colours}) == len(colours)
    assert not others & {*colours}
    for colour in colours:
        assert contrast(colour, "#FDFCFA") >= 2.7
        assert contrast(colour, "#14171C") >= 2.7


def numbers(latex):
    return [float(number) for number in re.findall(r"[\d.]+", latex)]


def test_formulas_have_the_numbers_of_the_study():
    d, _two, _one, rho, _square, value = numbers(information.formula(BoundStudy()))
    assert -d / 2 * math.log(1 - rho**2) == pytest.approx(value, rel=5e-3)
    _one, two, exact, d, rho = numbers(information.formula(PointStudy()))
    assert math.sqrt(1 - math.exp(-two * exact / d)) == pytest.approx(rho, rel=5e-4)
    assert exact == PointStudy().exact


# Active units.


def trained(root, dimensions=4, collapsed=2):
    """A run with a snapshot in which the last units are collapsed."""
    run = runs.create(root, RunConfig(objective=VAE(), label="seen"))
    arrays = fakes.snapshot(dimensions, count=4000)
    arrays["mean"][:, -collapsed:] = 0
    arrays["std"][:, -collapsed:] = 1
    run.save_snapshot(10, arrays)
    run.set_status(state="finished")
    return run


def test_without_runs_it_says_what_to_do():
    page = opened(INFORMATION, part=UNITS)
    assert "No runs yet" in page.info[0].value
    assert "Train a model" in texts(page)


def test_a_run_without_snapshots_is_no_error(root):
    runs.create(root, RunConfig())
    assert "no snapshot yet" in opened(INFORMATION, part=UNITS).info[0].value


def test_variances_and_counts_are_those_of_the_held_out_means(root):
    run = trained(root)
    step, variances = information.unit_variances(run)
    arrays = run.snapshot(10)
    means = torch.from_numpy(arrays["mean"][arrays["split"] == 1]).double()
    assert step == 10
    assert variances == pytest.approx(means.var(0, correction=0).tolist())
    for threshold in (0.0, 1e-9, 0.01, 0.05, 1.003):
        expected = active_units(means, threshold).item()
        assert information.active(variances, threshold) == expected
    page = opened(INFORMATION, part=UNITS)
    assert view(page)["values"] == pytest.approx([*variances])
    assert view(page)["color"] == palette.OBJECTIVES["VAE"]
    assert "Active of 4 units: 2 at 0.01, 2 at 0.05." in texts(page)


def test_draws_in_place_of_means_make_collapsed_units_pass_for_active(root):
    run = trained(root, dimensions=42, collapsed=40)
    _, variances = information.unit_variances(run, information.DRAWS)
    dead = np.array(variances[2:])
    assert dead.mean() == pytest.approx(1 / 20, rel=0.03)
    assert information.active(variances, 0.01) == 42
    assert 5 < information.active(variances, 0.05) - 2 < 35  # of 40; in truth none
    page = opened(INFORMATION, part=UNITS)
    [choice] = [w for w in page.get("button_group") if w.key == "units.drawn"]
    choice.set_value([True])
    assert "42 at 0.01" in texts(drawn(page.run()))


def test_the_run_left_behind_is_the_one_looked_at(root):
    first, _ = trained(root), trained(root)
    page = AppTest.from_file(INFORMATION, default_timeout=20)
    page.query_params["part"], page.session_state["left"] = UNITS, first.id
    assert drawn(page.run()).selectbox(key="units.run").value == first.id


def test_the_address_says_whose_units(root):
    first, _ = trained(root), trained(root)
    page = opened(INFORMATION, part=UNITS, run=first.id)
    assert page.selectbox(key="units.run").value == first.id
    page = opened(INFORMATION, part=UNITS, run="gone")
    assert "no run “gone” here" in page.warning[0].value
