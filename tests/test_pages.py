"""The pages, each run as a complete script: what they show, and what their buttons do."""

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import palette, state, words
from infovae_core import dispatch, runs, worker
from infovae_core.config import Knobs, RunConfig
from infovae_core.objectives import OBJECTIVES, BetaVAE, InfoVAE
from infovae_core.presets import PRESETS
from tests import fakes

ROOT = Path(__file__).parent.parent
TRAIN, RUNS, INFORMATION, TRAVERSE = (
    ROOT / f"pages/{name}.py" for name in ("train", "runs", "information", "traverse")
)
MAIN = ROOT / "dashboard/main.py"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A folder of runs of its own; whoever launches a run finds nobody who takes it."""
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    return tmp_path / "runs"


def opened(script, **address):
    page = AppTest.from_file(script, default_timeout=20)
    for fold in ("Objective details", "Data", "Network", "Training") if script == TRAIN else ():
        page.session_state[f"config.fold.{fold}"] = True
    for name, value in address.items():
        page.query_params[name] = value
    return drawn(page.run())


def drawn(page):
    assert not page.exception, page.exception[0].message
    return page


def made(root, condition="finished", config=None, **status):
    """A run in a given state."""
    run = runs.create(root, config or RunConfig())
    if condition == "queued":
        dispatch.enqueue(run)
        return run
    run.set_status(state="running" if condition == "interrupted" else condition, **status)
    if condition == "interrupted":
        record = run.status | {"heartbeat": time.time() - 1000}
        (run.path / "status.json").write_text(json.dumps(record))
    assert run.state == condition
    return run


def texts(page):
    """All that is written on the page, without what keeps it from being read as markup."""
    written = [
        e.value for kind in ("markdown", "caption", "warning", "error") for e in page.get(kind)
    ]
    return "\n".join(written).replace("\\", "").replace("\u2060", "")


def button(page, key):
    return page.button(key=key)


def keys(page):
    return {b.key for b in page.button}


def test_a_list_of_waiting_runs_reads_the_queue_as_often_as_one_of_none(root, monkeypatch):
    waiting = [made(root, "queued") for _ in range(6)]
    resumed = [made(root, "paused") for _ in range(3)]
    for run in resumed:
        dispatch.enqueue(run)
    ended = made(root, "finished")
    listed = os.listdir
    looked = []
    monkeypatch.setattr(os, "listdir", lambda path: looked.append(path) or listed(path))
    lines = {line.run: line.state for line in state.summaries(root)}
    assert lines == dict.fromkeys(waiting + resumed, "queued") | {ended: "finished"}
    assert len([path for path in looked if path.name == "queue"]) == 2  # before the runs and after


def test_a_run_that_is_queued_while_the_list_is_read_is_queued(root, monkeypatch):
    run, listed = made(root, "paused"), runs.list_runs
    monkeypatch.setattr(runs, "list_runs", lambda root: [dispatch.enqueue(run), *listed(root)][1:])
    assert [line.state for line in state.summaries(root)] == ["queued"]


def test_a_run_that_was_paused_and_waits_again_is_queued_until_it_begins(root):
    run = made(root, "paused")
    assert state.summary(run).state == "paused"
    dispatch.enqueue(run)
    assert [line.state for line in state.summaries(root)] == ["queued"]
    assert state.summary(run).state == "queued"
    run.ticket.unlink()
    assert [line.state for line in state.summaries(root)] == ["paused"]


# Train.


def test_train_is_the_one_thing_to_press_first():
    page = opened(TRAIN)
    assert [b.key for b in page.button if not b.disabled] == ["train"]
    assert button(page, "train").proto.type == "primary"


def test_train_starts_what_the_form_says_and_puts_it_into_the_address(root):
    page = opened(TRAIN)
    page.number_input(key="config.1.model.latent_dim").set_value(5)
    drawn(button(page, "train").click().run())
    [run] = runs.list_runs(root)
    assert RunConfig.model_validate(run.config) == RunConfig(model={"latent_dim": 5})
    assert run.state == "queued"
    assert page.query_params["run"] == run.id
    assert not button(page, "stop").disabled


def test_a_double_click_trains_once(root):
    page = opened(TRAIN)
    button(page, "train").click().run()
    drawn(button(page, "train").click().run())
    assert len(runs.list_runs(root)) == 1
    page.number_input(key="config.1.model.latent_dim").set_value(3)
    drawn(button(page, "train").click().run())
    assert len(runs.list_runs(root)) == 2


def test_train_is_refused_with_the_reason_while_a_setting_is_wrong(root):
    page = opened(TRAIN)
    page.number_input(key="config.1.objective.InfoVAE.lam").set_value(0.1)
    drawn(page.run())
    assert button(page, "train").disabled
    assert "λ must be at least 1" in button(page, "train").help.replace("\\", "")
    assert not runs.list_runs(root)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_formula_is_shown_with_letters_with_numbers_and_in_its_colour(name):
    page = opened(TRAIN)
    page.selectbox(key="config.1.objective.name").set_value(name)
    drawn(page.run())
    kind = OBJECTIVES[name]
    [shown] = [m.value for m in page.markdown if kind.source in m.value]
    assert palette.OBJECTIVES[name] in shown
    formulas = [line.replace("{(", "(").replace(")}", ")") for line in shown.split("\n")]
    assert any(kind.formula in line for line in formulas)
    assert any(kind().latex() in line for line in formulas)


def preset_of(page):
    return page.selectbox(key="preset")


def asked(page, root):
    """What pressing Train asks for."""
    drawn(button(page, "train").click().run())
    return RunConfig.model_validate(runs.find(root, page.query_params["run"]).config)


def test_a_preset_fills_the_form_and_leaves_the_rest(root):
    page = opened(TRAIN)
    assert preset_of(page).value is None
    page.number_input(key="config.1.training.seed").set_value(4).run()
    for name, preset in PRESETS.items():
        drawn(preset_of(page).set_value(name).run())
        config = asked(page, root)
        assert preset.holds(config)
        assert config.training.seed == 4
        assert preset_of(page).value == name
        help, note = preset_of(page).help, page.sidebar.caption[0].value
        assert preset.source in help.replace("\\", "").replace("\u2060", "")
        assert preset.note in note.replace("\\", "").replace("\u2060", "")


def test_a_preset_is_shown_for_as_long_as_the_settings_are_its(root):
    page = opened(TRAIN)
    page = drawn(preset_of(page).set_value("infomax-mnist-fc").run())
    page.text_input(key="config.1.label").set_value("mine")
    assert preset_of(drawn(page.run())).value == "infomax-mnist-fc"
    batch = page.number_input(key="config.1.training.batch_size")
    drawn(batch.set_value(64).run())
    assert preset_of(page).value is None
    drawn(preset_of(page).set_value("infomax-mnist-fc").run())
    assert page.number_input(key="config.1.training.batch_size").value == 100
    page.number_input(key="config.1.training.batch_size").set_value(0)
    assert preset_of(drawn(page.run())).value is None  # what is wrong is no preset
    drawn(preset_of(page).set_value(None).run())
    assert page.selectbox(key="config.1.objective.name").value == "InfoMaxVAE"


@pytest.mark.parametrize(
    ("condition", "enabled"),
    [
        ("queued", {"pause", "stop"}),
        ("running", {"pause", "stop"}),
        ("paused", {"resume"}),
        ("stopped", {"resume"}),
        ("interrupted", {"resume"}),
        ("failed", {"resume"}),
        ("finished", set()),
    ],
)
def test_the_buttons_are_those_that_make_sense(root, condition, enabled):
    page = opened(TRAIN, run=made(root, condition).id)
    assert {b.key for b in page.button if not b.disabled} == enabled | {"train"}
    assert ("resume" in keys(page)) == ("resume" in enabled)


@pytest.mark.parametrize("request_", ["pause", "stop"])
def test_a_request_is_left_for_the_worker_and_shown_as_under_way(root, request_):
    run = made(root, "running")
    page = opened(TRAIN, run=run.id)
    drawn(button(page, request_).click().run())
    assert run.requested(request_)
    assert button(page, request_).disabled
    assert button(page, request_).label in ("Pausing", "Stopping")


LAM, ALPHA = "config.2.objective.InfoVAE.lam", "config.2.objective.InfoVAE.alpha"
SEED, RATE = "config.2.training.seed", "config.2.training.learning_rate"


def with_lam(lam):
    return RunConfig(objective=InfoVAE(lam=lam))


@pytest.mark.parametrize("condition", ["queued", "running", "paused"])
def test_a_knob_is_turned_in_the_run_in_view(root, condition):
    run = made(root, condition, with_lam(20))
    page = opened(TRAIN, run=run.id)
    assert "turn" not in keys(page)
    page.number_input(key=LAM).set_value(50)
    drawn(page.run())
    assert button(page, "turn").label == "Turn λ 20 → 50"
    drawn(button(page, "turn").click().run())
    asked = Knobs.model_validate_json(run.take("knobs"))
    assert asked == with_lam(50).knobs

    run.set_status(knobs=asked.model_dump(mode="json"))  # as its worker would
    assert "turn" not in keys(drawn(page.run()))
    if condition != "queued":
        run.set_status(state=condition)
    assert "λ 50" in texts(drawn(page.run()))


@pytest.mark.parametrize(
    ("condition", "key", "value"),
    [("finished", LAM, 50), ("failed", LAM, 50)],
)
def test_what_cannot_be_turned_is_not_offered(root, condition, key, value):
    page = opened(TRAIN, run=made(root, condition, with_lam(20)).id)
    page.number_input(key=key).set_value(value)
    assert "turn" not in keys(drawn(page.run()))


def test_what_is_no_knob_is_said_where_it_cannot_be_turned(root):
    page = opened(TRAIN, run=made(root, "running", with_lam(20)).id)
    page.number_input(key=SEED).set_value(7)
    turn = button(drawn(page.run()), "turn")
    assert turn.disabled
    assert "more than its knobs" in turn.help


def test_why_no_knob_can_be_turned_while_the_form_is_wrong_is_said(root):
    page = opened(TRAIN, run=made(root, "running", with_lam(20)).id)
    page.number_input(key=SEED).set_value(-1)
    turn = button(drawn(page.run()), "turn")
    assert turn.disabled
    assert button(page, "train").help in turn.help
    page.number_input(key=SEED).set_value(0)
    assert "turn" not in keys(drawn(page.run()))


def test_live_knobs_stand_there_before_anything_is_trained_and_say_why_they_do_nothing(root):
    before = opened(TRAIN).toggle(key="live knobs")
    assert before.disabled
    assert before.help.startswith("Nothing is being trained here.")
    during = opened(TRAIN, run=made(root, "running", with_lam(20)).id).toggle(key="live knobs")
    assert not during.disabled
    assert before.help.endswith(during.help)


def test_live_knobs_follow_the_form_and_do_not_turn_back_what_others_turned(root):
    run = made(root, "running", with_lam(20))
    page = opened(TRAIN, run=run.id)
    page.toggle(key="live knobs").set_value(True)
    drawn(page.run())
    assert not run.requested("knobs")
    page.number_input(key=LAM).set_value(50)
    drawn(page.run())
    assert Knobs.model_validate_json(run.take("knobs")).objective.lam == 50
    run.settle("knobs")
    run.set_status(knobs=with_lam(70).knobs.model_dump(mode="json"))  # another viewer's
    drawn(page.run())
    assert not run.requested("knobs")
    assert button(page, "turn").label == "Turn λ 70 → 50"


def test_live_knobs_turn_only_what_moved_also_after_a_wrong_setting(root):
    run = made(root, "running", with_lam(20))
    page = opened(TRAIN, run=run.id)
    page.toggle(key="live knobs").set_value(True)
    drawn(page.run())
    run.set_status(knobs=with_lam(70).knobs.model_dump(mode="json"))  # another viewer's
    page.number_input(key=RATE).set_value(0.5)
    drawn(page.run())
    asked = Knobs.model_validate_json(run.take("knobs"))
    assert (asked.learning_rate, asked.objective.lam) == (0.5, 70)
    run.settle("knobs")
    run.set_status(knobs=asked.model_dump(mode="json"))

    page.number_input(key=LAM).set_value(0)
    page.number_input(key=ALPHA).set_value(-30)
    drawn(page.run())
    assert not run.requested("knobs")
    page.number_input(key=LAM).set_value(60)
    drawn(page.run())
    asked = Knobs.model_validate_json(run.take("knobs"))
    assert (asked.objective.alpha, asked.objective.lam) == (-30, 60)


def test_a_wish_that_waits_is_shown_and_can_be_taken_back(root):
    run = made(root, "paused", with_lam(20))
    page = opened(TRAIN, run=run.id)
    page.number_input(key=LAM).set_value(50)
    drawn(button(drawn(page.run()), "turn").click().run())
    assert "turn" not in keys(page)
    assert "λ 20 → 50" in texts(page)
    page.number_input(key=LAM).set_value(20)
    drawn(page.run())
    assert button(page, "turn").label == "Turn λ 50 → 20"
    drawn(button(page, "turn").click().run())
    assert Knobs.model_validate_json(run.asked("knobs")).objective.lam == 20
    assert "λ 20 → 50" not in texts(page)


def test_settings_are_copied_as_the_knobs_stand(root):
    run = made(root, "finished", with_lam(20))
    run.set_status(knobs=with_lam(70).knobs.model_dump(mode="json"))
    page = opened(TRAIN, run=run.id)
    assert page.number_input(key=LAM).value == 70


def test_stopping_a_run_that_waits_takes_it_from_the_queue(root):
    run = made(root, "queued")
    page = opened(TRAIN, run=run.id)
    drawn(button(page, "stop").click().run())
    assert run.state == "stopped"
    drawn(button(page, "resume").click().run())
    assert run.state == "queued"


def test_a_shared_address_shows_the_run_and_its_settings(root):
    config = RunConfig(label="two *knobs* :red[x]", objective=BetaVAE(beta=7), training={"seed": 3})
    page = opened(TRAIN, run=made(root, config=config).id)
    assert "two *knobs* :red[x]" in texts(page)
    assert "β-VAE β 7" in texts(page)
    assert page.number_input(key="config.2.objective.BetaVAE.beta").value == 7
    assert page.number_input(key="config.2.training.seed").value == 3
    assert "copy" not in keys(page)
    page.number_input(key="config.2.training.seed").set_value(4).run()
    drawn(button(page, "copy").click().run())
    assert page.number_input(key="config.3.training.seed").value == 3


def test_settings_stay_as_they_are_when_another_run_comes_into_view(root):
    page = opened(TRAIN)
    page.number_input(key="config.1.training.seed").set_value(4).run()
    page.query_params["run"] = made(root).id
    assert drawn(page.run()).number_input(key="config.1.training.seed").value == 4


@pytest.mark.parametrize("id", ["20200101-000000-dead", "../../etc", "a *b*", ""])
def test_an_unknown_run_is_said_with_the_way_out(root, id):
    page = opened(TRAIN, run=id)
    if id:
        assert id in texts(page)
        assert "There is no run" in page.warning[0].value
        assert "All runs" in texts(page)
    assert not button(page, "train").disabled


def test_a_run_whose_config_is_broken_can_be_looked_at(root):
    run = made(root)
    (run.path / "config.json").write_text("{")
    opened(TRAIN, run=run.id)


def test_what_went_wrong_with_a_button_is_said_once(root):
    root.parent.mkdir(exist_ok=True)
    root.write_text("not a folder")
    page = opened(TRAIN)
    drawn(button(page, "train").click().run())
    assert "the runs folder must be writable" in texts(page)
    assert "the runs folder must be writable" not in texts(page.run())


# Runs.


def test_the_list_says_what_to_do_while_it_is_empty():
    page = opened(RUNS)
    assert "No runs yet" in page.info[0].value
    assert "Train a model" in texts(page)


def test_a_line_says_what_a_run_is_and_how_far_it_got(root):
    config = RunConfig(label="a", objective=InfoVAE(alpha=0.5, lam=20), data={"name": "mnist"})
    run = made(root, "stopped", config, epoch=1.5, epochs=20, created=time.time() - 200, steps=100)
    for value in (3.0, 2.0):
        run.log({"step": 1, "epoch": 1, "seconds": 1, "split": "test", "values": {"total": value}})
    run.log({"step": 2, "epoch": 1, "seconds": 1, "split": "train", "values": {"total": 99.0}})
    values = {"total": 4.0, "distortion": 3.0, "rate": 1.0, "mmd": 0.5, "odd_name": 7.0}
    run.log({"step": 3, "epoch": 1, "seconds": 1, "split": "test", "values": values})
    said = texts(opened(RUNS))
    for part in ("stopped", "InfoVAE α 0.5, λ 20", "MNIST", "3 min ago", "1.5 of 20", "loss 4"):
        assert part in said
    run.event("started", 0, about=fakes.about())  # where the quantities have names
    assert "loss 4 · D 3 · R 1 · MMD² 0.5 · odd name 7" in texts(opened(RUNS))
    assert palette.OBJECTIVES["InfoVAE"] in said


@pytest.mark.parametrize("condition", runs.STATES)
def test_every_state_has_a_word_and_the_wishes_that_make_sense(root, condition):
    run = made(root, condition, error="mmd became nan; lower the learning rate")
    page = opened(RUNS)
    assert condition in texts(page)
    assert ("lower the learning rate" in texts(page)) == (condition == "failed")
    wishes = page.menu_button(key=f"menu.{run.id}").options
    assert ("Resume" in wishes) == (condition in runs.RESUMABLE)
    assert ("Stop" in wishes) == (condition in runs.ACTIVE)


def test_a_run_that_cannot_be_read_is_listed_with_the_reason(root):
    made(root)
    (root / "half").mkdir()
    (root / "half/config.json").write_text('{"data": ')
    for i, text in enumerate(['{"objective": 3, "data": []}', '{"objective": {"name": "New"}}']):
        (root / f"odd{i}").mkdir()
        (root / f"odd{i}/config.json").write_text(text)
    page = opened(RUNS)
    assert "unreadable" in texts(page)
    assert "config.json of run half must be a JSON object" in texts(page)
    assert "New" in texts(page)
    assert "4 of 4 runs" in texts(page)


def wish(page, run, what):
    return drawn(page.menu_button(key=f"menu.{run.id}").click(what).run())


def test_rename(root):
    run = made(root)
    page = wish(opened(RUNS), run, "Rename")
    page.text_input(key=f"label.{run.id}").set_value("<b>new</b> *name*")
    drawn(button(page, "save").click().run())
    assert run.label == "<b>new</b> *name*"
    assert "<b>new</b> *name*" in texts(page)
    assert "<b>" not in "".join(m.value for m in page.markdown)


def test_delete_asks_first(root):
    run, other = made(root), made(root)
    page = wish(opened(RUNS), run, "Delete")
    assert run.path.exists()
    assert "goes for good" in texts(page)
    drawn(button(page, "delete").click().run())
    assert runs.list_runs(root) == [other]


@pytest.mark.parametrize("condition", ["running", "queued"])
def test_a_run_that_is_not_at_rest_is_not_deleted(root, condition):
    run = made(root, condition)
    page = wish(opened(RUNS), run, "Delete")
    assert "stop it first" in texts(page)
    assert "delete" not in keys(page)
    assert run.path.exists()


def test_resume_and_stop(root):
    run = made(root, "paused")
    page = wish(opened(RUNS), run, "Resume")
    assert run.state == "queued"
    wish(page, run, "Stop")
    assert run.state in runs.RESUMABLE


def test_repeat_queues_a_run_that_turns_the_same_knobs_at_the_same_steps(root):
    run = made(root, "finished", with_lam(20))
    run.event("turned", 7, knobs=with_lam(50).knobs.model_dump(mode="json"))
    wish(opened(RUNS), run, "Repeat")
    [again] = [other for other in runs.list_runs(root) if other != run]
    assert again.state == "queued"
    config = RunConfig.model_validate(again.config)
    assert config.objective == with_lam(20).objective
    assert [(turn.step, turn.knobs) for turn in config.turns] == [(7, with_lam(50).knobs)]


def test_a_run_that_somebody_else_deleted_is_no_error(root):
    run, _ = made(root), made(root)
    page = opened(RUNS)
    run.delete()
    wish(page, run, "Rename")


def test_search_by_words_and_state(root):
    made(root, "finished", RunConfig(label="Lecture three", objective=BetaVAE()))
    made(root, "failed", RunConfig(label="lecture four"))
    made(root, "failed")
    page = opened(RUNS)
    for text, wanted, found in [
        ("", None, 3),
        ("LECTURE", None, 2),
        ("betavae three", None, 1),
        ("lecture", "failed", 1),
        ("nothing of the kind", None, 0),
    ]:
        page.text_input(key="runs.text").set_value(text)
        page.selectbox(key="runs.state").set_value(wanted)
        assert f"{found} of 3 runs" in texts(drawn(page.run()))


def test_many_runs_come_in_pages_and_are_read_once(root):
    for i in range(30):
        made(root, config=RunConfig(label=f"run number {i}"))
    page = opened(RUNS)
    newest = [f"run number {i}" for i in range(29, -1, -1)]
    listed = [name for name in newest if f"{name}\n" in texts(page)]
    assert listed == newest[:12]
    read = state.listing._stored.cache_info().misses
    page.get("pagination")[0].set_value(3)
    assert "run number 0" in texts(drawn(page.run()))
    assert state.listing._stored.cache_info().misses == read
    runs.list_runs(root)[0].set_status(state="failed")
    page.get("pagination")[0].set_value(1)
    assert "failed" in texts(drawn(page.run()))
    assert state.listing._stored.cache_info().misses == read + 1


def test_a_page_that_is_no_more_gives_way_to_the_first(root):
    made_runs = [made(root, config=RunConfig(label=f"number {i}")) for i in range(13)]
    page = opened(RUNS)
    page.get("pagination")[0].set_value(2)
    assert "number 0" in texts(drawn(page.run()))
    made_runs[0].delete()
    assert "number 12" in texts(drawn(page.run()))


# The frame.


def test_the_frame_shows_train_first(root):
    run = made(root, config=RunConfig(label="seen"))
    page = opened(MAIN, run=run.id)
    assert "seen" in texts(page)
    assert "train" in keys(page)


@pytest.mark.parametrize(
    "script", [MAIN, TRAIN, RUNS, INFORMATION, TRAVERSE], ids=lambda path: path.stem
)
def test_no_page_loads_what_takes_seconds(root, script):
    made(root)
    code = f"""
import sys, streamlit
given = set(sys.modules)  # streamlit itself loads some of plotly where it is installed
from streamlit.testing.v1 import AppTest
from infovae_core import dispatch
dispatch.spawn = lambda root: None  # no worker is left behind
page = AppTest.from_file({str(script)!r}, default_timeout=30).run()
assert not page.exception, page.exception
print(*{{name.partition(".")[0] for name in set(sys.modules) - given}})
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert not {"torch", "plotly", "pandas", "sklearn", "torchvision"} & set(out.stdout.split())


def test_pages_leave_numbers_and_drawing_to_others():
    for path in (ROOT / "pages").glob("*.py"):
        source = path.read_text()
        for name in ("torch", "plotly", "numpy", "pandas", "math"):
            assert f"import {name}" not in source
            assert f"from {name}" not in source


# Words and colours.


def test_every_objective_has_a_colour_of_its_own():
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert palette.OBJECTIVES.keys() == OBJECTIVES.keys()
    assert len({*palette.OBJECTIVES.values()}) == len(OBJECTIVES)
    assert {*palette.OBJECTIVES.values()} <= okabe_ito
    assert len({*palette.CLASSES}) == 10


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(c * w for c, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def faded(text, ground, share=0.6):
    """Streamlit's captions: so much of the text's colour on the ground's."""
    mixed = (
        round(share * int(text[i : i + 2], 16) + (1 - share) * int(ground[i : i + 2], 16))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{value:02x}" for value in mixed)


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_what_is_written_can_be_read(appearance):
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][appearance]
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5  # on the button to press first
    for section in (theme, theme | theme["sidebar"]):
        ground, text = section["backgroundColor"], section["textColor"]
        assert contrast(faded(text, ground), ground) >= 4.5
        assert contrast(text, section["secondaryBackgroundColor"]) >= 7
        for colour in ("redTextColor", "blueTextColor"):
            assert contrast(section[colour], ground) >= 4.5
        for colour in palette.OBJECTIVES.values():
            assert contrast(colour, ground) >= 2.7  # beside its name, never alone


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (-1.23456, "−1.23"),
        (999.6, "1e+03"),
        (12345.6, "12,346"),
        (3e-5, "3e−05"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "just now"),
        (59.9, "just now"),
        (60, "1 min ago"),
        (7300, "2 h ago"),
        (2e5, "2 d ago"),
    ],
)
def test_ages_are_in_their_largest_unit(seconds, text):
    assert words.ago(seconds) == text


def test_text_that_people_typed_keeps_no_power_over_the_page():
    typed = "a*b* _c_ [d](e) <f> `g` $h$ # i :red[j] :material/home: ~~k~~\nl"
    shown = words.plain(typed)
    assert "\n" not in shown
    for i, letter in enumerate(shown):
        if letter in "*_[]()<>`$#~":
            assert shown[i - 1] == "\\"
        if letter == ":":
            assert shown[i + 1] == "\u2060"


@pytest.mark.parametrize("name", ["p(x|z), λ 0.8 - a_b", "![a](b) `c` <d> $e$ :red[f]"])
def test_a_label_is_read_aloud_as_it_stands_and_is_no_markup(name):
    said = words.label(name).replace("\u2060", "")
    assert "\\" not in said
    assert not set(said) & set("[]`<>$!")
    kept = [letter for letter in name if letter not in "[]`<>$! "]
    assert [letter for letter in said if letter != " "] == kept


def test_a_run_says_into_how_many_dimensions_it_encodes(root):
    config = RunConfig.model_validate({"label": "a.b", "model": {"latent_dim": 7}})
    run = made(root, config=config)
    for page in (opened(RUNS), opened(TRAIN, run=run.id)):
        assert "Digits, d = 7" in texts(page)
    [box] = opened(RUNS).checkbox
    assert box.label == "Compare a.b"


def test_helps_about_images_are_said_of_points():
    said = words.of_points("Images, an image's code, the image, imagery: held-out images.")
    assert said == "Images, a point's code, the point, imagery: held-out points."
