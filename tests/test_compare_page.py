"""The page Compare, run as a complete script over made-up runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import palette
from infovae_core import dispatch, runs, worker
from infovae_core.config import RunConfig
from infovae_core.metrics import METRICS
from infovae_core.objectives import OBJECTIVES, VAE, BetaVAE, InfoVAE
from tests import fakes

ROOT = Path(__file__).parent.parent
PAGE, RUNS, TRAIN = (ROOT / "pages" / f"{name}.py" for name in ("compare", "runs", "train"))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A folder of runs of its own; whoever launches a run finds nobody who takes it."""
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    return tmp_path / "runs"


@pytest.fixture
def made(root):
    """Two finished runs of one seed and data."""
    return [
        trained(root, VAE(), label="plain"),
        trained(root, BetaVAE(beta=2), label="beta *four*"),
    ]


def trained(root, objective, state="finished", **config):
    run = runs.create(root, RunConfig(objective=objective, **config))
    run.event("started", 0, about=fakes.about())
    for step in range(10, 101, 10):
        for split in ("train", "test"):
            run.log(fakes.row(step, split))
    run.save_snapshot(100, fakes.snapshot())
    fakes.progress(run, 100 if state == "finished" else 50, state)
    return run


def opened(*chosen, script=PAGE):
    page = AppTest.from_file(script, default_timeout=30)
    if script == TRAIN:
        page.session_state["config.fold.Training"] = True
    if chosen:
        page.query_params["runs"] = ",".join(run.id for run in chosen)
    return drawn(page.run())


def drawn(page):
    assert not page.exception, page.exception[0].message
    return page


def texts(page):
    written = [
        e.value for kind in ("markdown", "caption", "warning", "info") for e in page.get(kind)
    ]
    return "\n".join(written).replace("\\", "").replace("\u2060", "")


def figure(page, name):
    """The traces of a figure."""
    [chart] = [c for c in page.get("plotly_chart") if c.proto.id.endswith(f"-{name}")]
    return json.loads(chart.proto.spec)["data"]


def names_in(traces):
    return {trace["name"] for trace in traces if "name" in trace}


def test_an_empty_page_says_what_to_do(root):
    page = opened()
    assert "Choose runs above, or train several objectives" in page.info[0].value
    assert not page.button(key="train").disabled
    assert not page.get("plotly_chart")


def test_the_address_says_which_runs_and_the_choice_goes_into_it(made, root):
    third = trained(root, InfoVAE())
    page = opened(*made)
    assert page.multiselect(key="compare.runs").value == [run.id for run in made]
    page.multiselect(key="compare.runs").set_value([third.id, made[0].id])
    drawn(page.run())
    assert page.query_params["runs"] == f"{third.id},{made[0].id}"
    assert len(page.dataframe[0].value) == 2
    page.query_params["runs"] = made[1].id
    assert len(drawn(page.run()).dataframe[0].value) == 1


@pytest.mark.parametrize("id", ["20200101-000000-dead", "../../etc", "a *b*"])
def test_a_run_that_is_not_here_is_said_and_the_others_are_shown(made, id):
    page = AppTest.from_file(PAGE, default_timeout=30)
    page.query_params["runs"] = f"{made[0].id},{id},{made[0].id}"
    drawn(page.run())
    assert id in texts(page)
    assert len(page.dataframe[0].value) == 1
    assert page.query_params["runs"] == made[0].id


def test_an_address_of_too_many_runs_shows_as_many_as_there_are_markers(root):
    many = [trained(root, VAE()) for _ in range(len(palette.MARKERS) + 2)]
    page = opened(*many)
    assert len(page.dataframe[0].value) == len(palette.MARKERS)
    assert not page.warning


def test_a_run_deleted_meanwhile_is_left_out(made):
    page = opened(*made)
    made[0].delete()
    drawn(page.run())
    assert made[0].id in texts(page)
    assert page.multiselect(key="compare.runs").value == [made[1].id]


def test_the_table_has_a_row_for_each_run_with_its_marker(made):
    frame = opened(*made).dataframe[0].value
    looks = palette.looks(["VAE", "BetaVAE"])
    assert frame["Run"].tolist() == ["plain", "beta *four*"]
    assert frame[" "].tolist() == [look.glyph for look in looks]
    assert frame["rate R, last logged (nats)"].tolist() == [0.03, 0.03]


def test_measured_values_are_in_the_table_as_numbers_and_as_text(made):
    for run, value in zip(made, (2.0, 10.0), strict=True):
        run.save_evaluation({"marginal_kl": {"value": value, "error": 0.25, "step": 100}})
    table = opened(*made).dataframe[0]
    assert table.value["Marginal KL (nats)"].tolist() == [2.0, 10.0]  # sorted as numbers
    styler = table.proto.arrow_data.styler
    assert "★ 2.00 ± 0.25".encode() in styler.display_values
    assert "★ 10.00".encode() not in styler.display_values
    assert palette.OBJECTIVES["VAE"] in styler.styles


def test_columns_can_be_left_out(made):
    page = opened(*made)
    page.pills(key="compare.left out").set_value(["logged_rate"])
    heads = drawn(page.run()).dataframe[0].value.columns
    assert "rate R, last logged (nats)" not in heads
    assert "distortion D, last logged (nats)" in heads


def test_every_logged_quantity_is_drawn_over_every_clock(made):
    page = opened(*made)
    for name in fakes.QUANTITIES:
        page.selectbox(key="quantity").set_value(name)
        drawn(page.run())
        assert names_in(figure(page, "curves")) == {"plain", "beta *four*"}
    for clock in ("step", "epoch", "seconds"):
        page.segmented_control(key="clock").set_value(clock)
        drawn(page.run())
    page.segmented_control(key="splits").set_value(["test"])
    assert len(figure(drawn(page.run()), "curves")) == 2
    page.segmented_control(key="splits").set_value([])
    assert figure(drawn(page.run()), "curves") == []


def test_the_paths_end_where_the_runs_are(made):
    traces = figure(opened(*made), "rate-distortion")
    assert names_in(traces) == {"plain", "beta *four*"}


def test_information_is_drawn_once_it_is_known(made):
    assert "Nothing known of" in texts(opened(*made))
    record = {"value": 1.0, "step": 100}
    made[0].save_evaluation({"marginal_kl": record, "mutual_information": record})
    page = opened(*made)
    assert names_in(figure(page, "information")) == {"plain"}


def test_runs_that_do_not_compare_are_said(made, root):
    assert not opened(*made).warning
    gaussian = trained(root, VAE(), model={"likelihood": "gaussian"})
    assert "differ in likelihood" in opened(made[0], gaussian).warning[0].value


def test_every_table_and_figure_can_be_saved(made):
    buttons = {button.key for button in opened(*made).get("download_button")}
    files = {"comparison.csv", "comparison.tex", "comparison.md"}
    files |= {"codes.html", "curves.html", "rate-distortion.html"}
    files |= {"curves.csv", "rate-distortion.csv"}
    assert buttons == {f"save.{name}" for name in files}


def test_runs_that_wait_or_train_say_how_far_they_are(made, root):
    page = opened(made[0], trained(root, VAE(), "running", label="under way"))
    [bar] = page.get("progress")
    assert bar.value == 50
    assert "under way · epoch 5 of 10" in bar.proto.text.replace("\u2060", "")


# Evaluating.


@pytest.fixture
def evaluable(made, monkeypatch):
    """The two runs, with a checkpoint each, and nobody who evaluates them."""
    monkeypatch.setattr(dispatch, "ensure", lambda root: None)
    for run in made:
        (run.path / "checkpoint" / "weights.safetensors").touch()
    return made


def test_runs_are_evaluated_by_the_metrics_chosen(evaluable):
    page = opened(*evaluable)
    for cost in ("cheap", "medium", "dear"):
        names = [name for name, metric in METRICS.items() if metric.cost == cost]
        pills = page.pills(key=f"evaluations.wanted.{cost}")
        assert pills.value == (names if cost == "cheap" else [])
        pills.set_value(names[:1])
        assert METRICS[names[0]].title in pills.options
    drawn(page.run())
    assert page.button(key="evaluate").label == "Evaluate 2 runs"
    drawn(page.button(key="evaluate").click().run())
    for run in evaluable:
        assert run.evaluating["state"] == "waiting"
        assert [METRICS[n].cost for n in run.evaluating["names"]] == ["cheap", "dear", "medium"]
    bars = opened(*evaluable).get("progress")  # after a reload
    assert len(bars) == 2
    first, second = (bar.proto.text.replace("\\", "") for bar in bars)
    assert "to be evaluated, waits for a worker" in first
    assert "to be evaluated, waits for 1 before it" in second


def test_what_waits_names_the_run_that_it_waits_for(evaluable, root):
    trained(root, VAE(), "running", label="long one")
    queued = trained(root, VAE(), "stopped", label="next")
    dispatch.enqueue(queued)
    drawn(opened(*evaluable).button(key="evaluate").click().run())
    bars = opened(*evaluable, queued).get("progress")
    said = [bar.proto.text.replace("\\", "").rstrip("]") for bar in bars]
    assert said[0].endswith("to be evaluated, waits for long one and 1 more")
    assert said[1].endswith("to be evaluated, waits for long one and 2 more")
    assert said[2].endswith("waits for long one")


def test_an_evaluation_says_how_far_it_is_and_can_be_cancelled(evaluable):
    run = evaluable[0]
    run.begin_evaluation(names=["elbo", "mine"], seed=0)
    run.set_evaluating(name="mine", share=0.25)
    page = opened(*evaluable)
    [bar] = page.get("progress")
    assert bar.value == 25
    assert METRICS["mine"].title in bar.proto.text
    drawn(page.button(key="cancel").click().run())
    assert run.requested("cancel")
    ending = page.button(key="cancel")
    assert ending.disabled
    assert ending.label == "Cancelling"


def test_why_an_evaluation_failed_is_said(evaluable):
    evaluable[0].begin_evaluation(names=["elbo"], seed=0)
    evaluable[0].end_evaluation("the model must fit; lower batch_size")
    assert "plain: the model must fit; lower batch_size" in texts(opened(*evaluable))


def test_a_run_that_trains_is_not_evaluated(root):
    page = opened(trained(root, VAE(), "running"))
    assert page.button(key="evaluate").disabled
    assert page.button(key="evaluate").label == "Evaluate"


def test_a_run_without_a_checkpoint_says_so(made):
    page = opened(*made)
    drawn(page.button(key="evaluate").click().run())
    assert "must have been trained to be evaluated" in page.error[0].value


def test_what_an_estimate_leaves_out_is_said(made):
    record = {"value": None, "note": "No sample shows 5: the divergence is infinite.", "step": 100}
    made[0].save_evaluation({"class_kl": record})
    assert "(plain): No sample shows 5" in texts(opened(*made))


# Training.


def test_training_creates_runs_that_differ_in_their_objective_alone(root):
    page = opened(script=TRAIN)
    page.number_input(key="config.1.training.seed").set_value(7)
    page.number_input(key="config.1.model.latent_dim").set_value(5)
    drawn(page.run())
    compare = AppTest.from_file(PAGE, default_timeout=30)
    for key in page.session_state:
        if str(key).startswith("config"):
            compare.session_state[key] = page.session_state[key]
    drawn(compare.run())
    compare.number_input(key="contenders.repeats").set_value(2)
    compare.text_input(key="contenders.prefix").set_value("lecture")
    drawn(compare.run())
    assert compare.button(key="train").label == "Train 8 runs"
    drawn(compare.button(key="train").click().run())
    created = [RunConfig.model_validate(run.config) for run in reversed(runs.list_runs(root))]
    assert [c.objective.name for c in created] == 2 * list(OBJECTIVES)
    assert [c.training.seed for c in created] == [7] * 4 + [8] * 4
    for config in created:
        assert config.model.latent_dim == 5
        assert config.data == created[0].data
        assert config.training.batch_size == created[0].training.batch_size
        assert config.label.startswith("lecture · ")
    assert all(run.state == "queued" for run in runs.list_runs(root))
    assert compare.query_params["runs"].split(",") == [r.id for r in reversed(runs.list_runs(root))]
    assert len(compare.get("progress")) == 8
    assert "train" not in {button.key for button in compare.button}  # the form makes room


def test_settings_can_be_those_of_a_chosen_run(root):
    run = trained(root, BetaVAE(), data={"limit": 300}, training={"seed": 11, "batch_size": 64})
    page = opened(run)
    page.session_state["compare.form"] = True
    drawn(page.run())
    page.selectbox(key="contenders.base").set_value(run.id)
    drawn(page.run())
    assert "seed 11" in texts(page)
    drawn(page.button(key="train").click().run())
    for new in runs.list_runs(root)[:4]:
        for section in ("data", "model", "training"):
            assert new.config[section] == run.config[section]


def test_objectives_are_added_removed_and_set(root):
    page = opened()
    for key in ("contender.1", "contender.3"):
        drawn(page.button(key=f"remove.{key}").click().run())
    drawn(page.button(key="add").click().run())
    page.selectbox(key="contender.5.1.objective.name").set_value("BetaVAE")
    drawn(page.run())
    page.number_input(key="contender.5.1.objective.BetaVAE.beta").set_value(0.5)
    drawn(page.run())
    drawn(page.button(key="train").click().run())
    objectives = [
        RunConfig.model_validate(run.config).objective for run in reversed(runs.list_runs(root))
    ]
    assert objectives == [BetaVAE(), OBJECTIVES["InfoMaxVAE"](), BetaVAE(beta=0.5)]


def test_a_wrong_setting_trains_nothing(root):
    page = opened()
    for name, value in (("alpha", 0.0), ("lam", 0.5)):
        page.number_input(key=f"contender.3.1.objective.InfoVAE.{name}").set_value(value)
    drawn(page.run())
    assert page.button(key="train").disabled
    assert "λ must be at least 1" in texts(page)


def test_a_double_click_trains_once(root):
    page = opened()
    page.button(key="train").click().run()
    page.session_state["compare.form"] = True
    drawn(page.run())
    drawn(page.button(key="train").click().run())
    assert len(runs.list_runs(root)) == len(OBJECTIVES)


# The way there.


def test_runs_ticked_in_the_list_are_compared(made):
    page = opened(script=RUNS)
    assert "Tick runs to compare them" in texts(page)
    for run in made:
        page.checkbox(key=f"ticked.{run.id}").check()
    assert "Compare 2 runs" in texts(drawn(page.run()))


def test_the_page_loads_no_torch(made):
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
page = AppTest.from_file({str(PAGE)!r}, default_timeout=30)
page.query_params["runs"] = {",".join(run.id for run in made)!r}
page.run()
assert not page.exception, page.exception
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    loaded = set(out.stdout.split())
    assert {"plotly", "pandas"} <= loaded
    assert not {"torch", "torchvision", "sklearn"} & loaded
