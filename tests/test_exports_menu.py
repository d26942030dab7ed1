"""What the page of a run offers to take away."""

import io
import subprocess
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import exports
from dashboard.limits import Cache
from infovae_core import dispatch, knobs, recipes, runs, worker
from infovae_core.config import RunConfig
from infovae_core.runs import RunError
from tests.test_pages import TRAIN, drawn, texts


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    run = runs.create(tmp_path, RunConfig(label="it's", training={"seed": 3}))
    run.event("turned", 5, knobs={"learning_rate": 1e-4})
    run.set_status(state="finished")
    return run


def opened(run):
    page = AppTest.from_file(TRAIN, default_timeout=20)
    page.query_params["run"] = run.id
    return drawn(page.run())


def labels(page):
    return [button.proto.label for button in page.get("download_button")]


def test_the_copied_texts_repeat_the_run_with_its_turns(run):
    page = opened(run)
    config = knobs.replica(run)
    assert [turn.step for turn in config.turns] == [5]
    said = [code.value.strip() for code in page.code]
    assert said == [recipes.command(config), recipes.python(config).strip()]
    assert labels(page) == ["Report (HTML)"]
    assert "once the run has a checkpoint" in texts(page)


def test_the_model_is_offered_once_there_is_one(run):
    (run.path / "checkpoint" / "00000007.safetensors").write_bytes(b"")
    page = opened(run)
    assert labels(page) == ["Report (HTML)", "Model (safetensors)"]
    assert [b.label for b in page.button if b.key == "export.onnx"] == ["Make ONNX"]


def test_why_onnx_failed_is_said(run):
    with pytest.raises(RunError, match="train it first"):
        exports.onnx(run, 7)


def test_what_was_checked_comes_with_the_model_which_is_made_once(run, monkeypatch):
    monkeypatch.setattr(exports, "MADE", Cache(1000, size=lambda made: len(made[0])))
    (run.path / "checkpoint" / "00000007.safetensors").write_bytes(b"")

    def made(command, **more):
        Path(command[-1], "a-decoder.onnx").write_bytes(b"graph")
        said = "a warning of torch\nchecked: a-decoder.onnx, loaded again\nleft out: nothing\n"
        return subprocess.CompletedProcess(command, 0, "", said)

    monkeypatch.setattr(exports.subprocess, "run", made)
    zipped, told = exports.onnx(run, 7)
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.read("a-decoder.onnx") == b"graph"
    assert told == ["checked: a-decoder.onnx, loaded again", "left out: nothing"]
    monkeypatch.setattr(exports.subprocess, "run", None)
    assert exports.onnx(run, 7) == (zipped, told)  # whoever asks next
    page = opened(run)
    assert "Model (ONNX, zipped)" in labels(page)
    assert "checked: a-decoder.onnx" in texts(page)
    monkeypatch.setattr(exports, "MADE", Cache(0))
    assert "Model (ONNX, zipped)" not in labels(opened(run))


def test_one_model_at_a_time_is_made_and_who_comes_then_is_told(run):
    with exports.MAKING.inside(), pytest.raises(RunError, match="try again in a moment"):
        exports.onnx(run, 7)


def test_a_model_that_takes_too_long_is_said_with_what_to_do(run, monkeypatch):
    monkeypatch.setattr(exports, "PATIENCE", 0.01)
    with pytest.raises(RunError, match=r"within 0.01 s.* from the shell"):
        exports.onnx(run, 7)
    with exports.MAKING.inside():  # it is free again
        pass
