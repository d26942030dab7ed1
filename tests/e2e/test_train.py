"""From a button to a gradient step to a plotted point, with a real worker."""

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES, InfoVAE
from infovae_core.terms import DIVERGENCES
from tests.e2e.conftest import PATIENCE
from tests.processes import until


@pytest.fixture
def press(view):
    def press(name):
        button = view.page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_enabled(timeout=PATIENCE)
        button.click()

    return press


@pytest.fixture
def run(view, press, root):
    """The run that pressing Train on the untouched form starts."""
    view.open()
    press("Train")
    expect(view.root).not_to_have_attribute("data-run", "", timeout=PATIENCE)
    run = runs.find(root, view.data("run"))
    yield run
    run.request("stop")
    until(lambda: run.state not in runs.ACTIVE, "the end of the run")
    run.delete()


def arrives(view, state):
    expect(view.root).to_have_attribute("data-state", state, timeout=3 * PATIENCE)


def test_pressing_train_draws_points_that_move(view, run):
    assert f"run={run.id}" in view.page.url
    arrives(view, "running")
    expect(view.root).not_to_have_attribute("data-snapshot", "", timeout=PATIENCE)
    first, before = view.data("snapshot"), view.canvas("plane").evaluate("c => c.toDataURL()")
    expect(view.root).not_to_have_attribute("data-snapshot", first, timeout=PATIENCE)
    assert view.picture("plane") != before
    assert int(view.data("rows")) > 0
    rows = run.rows()
    assert rows[0]["step"] == 1
    assert rows[-1]["values"]["distortion"] < rows[0]["values"]["distortion"]


def test_a_reload_and_a_second_tab_show_the_same_run_and_either_may_pause_it(view, run, press):
    arrives(view, "running")
    view.page.reload()
    arrives(view, "running")
    assert view.data("run") == run.id
    second = view.page.context.new_page()
    second.goto(view.page.url)
    second.get_by_role("button", name="Pause", exact=True).click(timeout=PATIENCE)
    arrives(view, "paused")
    second.close()
    step = run.status["step"]
    press("Resume")
    arrives(view, "running")
    until(lambda: run.status["step"] > step, "a step after the pause")


def test_a_knob_is_turned_while_the_model_trains(view, run, press):
    arrives(view, "running")
    until(lambda: run.status["step"], "a step")
    field = view.page.get_by_label("λ", exact=True)
    before = float(field.input_value())
    after = before + 5
    field.fill(f"{after:g}")
    field.press("Enter")
    press(f"Turn λ {before:g} → {after:g}")
    mark = re.compile(r"^turned@\d+$")
    expect(view.canvas("curves")).to_have_attribute("data-marks", mark, timeout=PATIENCE)
    expect(view.page.get_by_text(f"λ {after:g} (turned)")).to_be_visible(timeout=PATIENCE)
    [turned] = [event for event in run.events() if event["event"] == "turned"]
    weight = RunConfig.model_validate(run.config).objective.weights[1]
    assert turned["changes"] == {"λ": [before, after]}
    assert turned["weights"] == {"mmd": [weight, weight + 5]}


def test_a_killed_worker_is_an_interrupted_run_that_resumes(view, run, press):
    arrives(view, "running")
    until(lambda: run.status["step"], "a step")
    os.kill(run.status["pid"], signal.SIGKILL)
    arrives(view, "interrupted")
    press("Resume")
    arrives(view, "running")
    press("Stop")
    arrives(view, "stopped")


def test_every_objective_trains_to_its_end_on_the_same_batches(view, root, press):
    divergences = [InfoVAE(divergence=name) for name in DIVERGENCES]
    others = [objective() for name, objective in OBJECTIVES.items() if name != "InfoVAE"]
    beginnings = set()
    for objective in divergences + others:
        asked = runs.create(root, RunConfig(objective=objective, training={"epochs": 3}))
        asked.set_status(created=0)  # else pressing Train on it would count as a double click
        view.open(asked)
        press("Train")
        expect(view.root).not_to_have_attribute("data-run", asked.id, timeout=PATIENCE)
        arrives(view, "finished")
        run = runs.find(root, view.data("run"))
        assert RunConfig.model_validate(run.config) == RunConfig.model_validate(asked.config)
        first, *_, last = (row["values"] for row in run.rows())
        assert set(last) == {"total", "distortion", *(term.name for _, term in objective.terms())}
        assert None not in last.values()
        beginnings.add((first["distortion"], first["rate"]))
        run.delete()
        asked.delete()
    assert len(beginnings) == 1  # the same images, weights and noise
