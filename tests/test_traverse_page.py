"""The page Traverse, run as a complete script: which runs it shows, and what the address says."""

import json
from statistics import NormalDist

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import traverse
from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.objectives import VAE, BetaVAE
from tests import fakes
from tests.test_pages import ROOT, drawn, opened, texts

TRAVERSE = ROOT / "pages/traverse.py"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def made(root, objective):
    run = runs.create(root, RunConfig(objective=objective, label=f"the {objective.name}"))
    run.event("started", 0, about=fakes.about())
    run.set_status(state="finished")
    return run


def view(page):
    """What the page gives to its component."""
    [component] = page.get("bidi_component")
    return json.loads(component.proto.json)


def test_without_runs_it_says_what_to_do():
    page = opened(TRAVERSE)
    assert "No runs yet" in page.info[0].value
    assert "Train a model" in texts(page)


def test_it_opens_on_the_run_left_behind_else_on_the_newest(root):
    first, second = made(root, VAE()), made(root, BetaVAE())
    assert [run["id"] for run in view(opened(TRAVERSE))["runs"]] == [second.id]
    page = AppTest.from_file(TRAVERSE, default_timeout=20)
    page.session_state["left"] = first.id
    assert [run["id"] for run in view(drawn(page.run()))["runs"]] == [first.id]


def test_the_address_says_runs(root):
    first, second = made(root, VAE()), made(root, BetaVAE())
    page = opened(TRAVERSE, runs=f"{second.id},{first.id},gone")
    shown = view(page)
    assert [run["id"] for run in shown["runs"]] == [second.id, first.id]
    assert [run["name"] for run in shown["runs"]] == ["the BetaVAE", "the VAE"]
    assert shown["runs"][0]["classes"] == [str(digit) for digit in range(10)]
    assert "gone" in page.warning[0].value


def test_a_run_of_another_version_is_not_offered(root):
    made(root, VAE())
    broken = runs.create(root, RunConfig())
    (broken.path / "config.json").write_text("{")
    [choice] = opened(TRAVERSE).multiselect
    assert len(choice.options) == 1


@pytest.mark.parametrize("count", traverse.GRIDS)
def test_places_of_the_manifold_share_the_prior_evenly(count):
    places = traverse.quantiles(count)
    mass = np.diff([NormalDist().cdf(z) for z in places])
    np.testing.assert_allclose(mass, 1 / count, rtol=1e-9)
    np.testing.assert_allclose(places, -np.array(places[::-1]), atol=1e-12)
    assert NormalDist().cdf(places[0]) == pytest.approx(0.5 / count)
