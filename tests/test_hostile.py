"""Run directories as a bad disk, another version or somebody hostile leaves them."""

import ast
import io
import pickle
import re
import shutil
import zipfile
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dashboard import comparison, evaluations, feed, information, scores, state, words
from infovae_core import checkpoints, data, dispatch, export, knobs, recorder, report, runs, worker
from infovae_core.config import RunConfig
from infovae_core.pulse import Pulse
from infovae_core.runs import Run, RunError
from tests.asking import get
from tests.mutations import broken, odd_json
from tests.test_pages import ROOT, opened

CONFIG = RunConfig(
    data={"limit": 64},
    model={"widths": (8,), "latent_dim": 3},
    training={"epochs": 3, "batch_size": 16, "device": "cpu"},
)
PAGES = sorted((ROOT / "pages").glob("*.py"))
LABEL = "<script>alert(1)</script> **b** $x^2$ :material/home: :red[x] [l](javascript:1) `c`"
MARKUP = re.compile(  # each where no backslash, or joiner after the colon, keeps it from being one
    r"(?<!\\)<script|(?<!\\)\*\*b|(?<!\\)\$x|:material/home|:red\[x|(?<!\\)\[l\]\(|(?<!\\)`c"
)


class TwoTimes:
    """A cadence that is due at the first step and at a late one."""

    def __init__(self, *_, **__):
        self.looks = 0

    @property
    def due(self):
        self.looks += 1
        return self.looks in (1, 12)

    turn = nullcontext


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A run that was trained, with all that others may have left in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "Cadence", TwoTimes)
        torch.set_default_dtype(torch.float32)
        run = runs.create(tmp_path_factory.mktemp("sound"), CONFIG)
        assert worker.work(run) == "finished", run.status["error"]
    measured = dict.fromkeys(("value", "error", "low", "high", "cap", "seconds", "time"), 1.0)
    more = {"n": 3, "step": 12, "settings": {"seed": 0}, "note": "x"}
    run.save_evaluation({"elbo": measured | more})
    run.begin_evaluation(names=["elbo"], seed=0)
    run.request("knobs", '{"learning_rate": 0.1}')
    run.request("evaluate", '{"names": ["elbo"], "seed": 0}')
    run.request("label", "a")
    return run


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    monkeypatch.setattr(feed, "FRESH", 0)
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)  # a page that is looked at begins one
    torch.set_default_dtype(torch.float32)
    return tmp_path


@pytest.fixture
def run(sound, root):
    """A copy of the run that may be spoiled."""
    shutil.copytree(sound.path, root / sound.id)
    return Run(root / sound.id)


def said(run):
    """All that a run says of itself."""
    names = ("label", "status", "state", "evaluation", "evaluating", "evaluation_error")
    return [getattr(run, name) for name in (*names, "kept_bytes")] + [run.rows(), run.events()]


def listed(run):
    """Its line in the list."""
    line = state.summary(run)
    return line.name, line.model, line.setting, line.age, state.about(run), state.last_test(run)


def compared(run):
    """All that the page Compare makes of it."""
    entries = comparison.entries([run])
    comparison.clouds(entries)
    comparison.surgery(entries)
    comparison.paths(entries, "rate", "distortion")
    scores.table(entries), scores.common(entries), evaluations.bars(entries)
    for quantity in comparison.quantities(entries):
        comparison.curves(entries, quantity, "epoch", comparison.SPLITS)


def resumed(run):
    """What a worker reads before it goes on."""
    recorder.Recorder(run, CONFIG, None, Pulse(run))
    checkpoints.load(CONFIG, data.load(CONFIG.data), run.path / "checkpoint")


def address(path):
    """A route of the API, which may refuse but not fail."""

    def asked(run):
        answer = get(f"/api/runs/{run.id}/{path.replace('LAST', '12')}")
        assert answer.status < 500, answer.body

    return asked


READERS = {
    "said": said,
    "listed": listed,
    "compared": compared,
    "resumed": resumed,
    "config": lambda run: run.config,
    "settings": state.settings,
    "replica": knobs.replica,
    "pending": knobs.pending,
    "snapshot": lambda run: run.snapshot(12),
    "decoder": lambda run: run.decoder(12),
    "pictures": lambda run: run.pictures,
    "units": information.unit_variances,
    "report": report.html,
    "safetensors": export.safetensors,
} | {
    path: address(path)
    for path in ("live", "snapshots", "snapshots/LAST", "codes/LAST", "posteriors/LAST", "pictures")
}
FILES = (
    *("config.json", "status.json", "metrics.jsonl", "events.jsonl", "evaluation.json"),
    *("evaluating.json", "requests/evaluate", "requests/knobs", "requests/label", "pictures.npz"),
    *("snapshots/00000012.npz", "decoders/00000012.npz"),
    *("checkpoint/00000012.safetensors", "checkpoint/00000012.state.pt"),
)
SEEDS = 3


def read_all(run):
    """Have every reader read or refuse it; no other exception comes through."""
    for read in READERS.values():
        with suppress(RunError, ValidationError):
            read(run)


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_in_a_file_each_reader_reads_or_refuses_it(run, name):
    file = run.path / name
    whole = file.read_bytes()
    records = "json" in name or name.endswith(("evaluate", "knobs"))
    for way in (broken, odd_json) if records else (broken,):
        for seed in range(SEEDS):
            file.write_bytes(way(whole, seed))
            read_all(run)
    file.unlink()
    file.mkdir()  # in its place
    read_all(run)


# Code.


class Bomb:
    """What goes off when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def bomb(name, bombed):
    """A file of that name which does something once it is unpickled."""
    if name.endswith(".pt"):
        file = io.BytesIO()
        torch.save({"step": Bomb(bombed)}, file)
        return file.getvalue()
    if not name.endswith(".npz"):
        return pickle.dumps(Bomb(bombed))
    array = np.empty(1, object)
    array[0] = Bomb(bombed)
    file = io.BytesIO()
    np.savez(file, **dict.fromkeys(("mean", "std", "label", "split", "pictures"), array))
    return file.getvalue()


def test_a_bomb_goes_off_where_somebody_unpickles_it(tmp_path):
    pickle.loads(bomb("x", tmp_path / "bombed"))
    assert (tmp_path / "bombed").exists()


@pytest.mark.parametrize("name", FILES)
def test_nothing_in_a_run_is_unpickled(run, tmp_path, name):
    (run.path / name).write_bytes(bomb(name, tmp_path / "bombed"))
    read_all(run)
    assert not (tmp_path / "bombed").exists()


def test_no_file_is_loaded_as_code():
    """Every call of a loader that could unpickle says that it must not."""
    wanted = {("np", "load"): ("allow_pickle", False), ("torch", "load"): ("weights_only", True)}
    found = 0
    for path in (*ROOT.glob("infovae_core/**/*.py"), *ROOT.glob("dashboard/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else ()
            assert not {"pickle", "joblib", "dill", "shelve", "marshal"} & set(names), path
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if (owner, node.func.attr) in wanted:
                keyword, value = wanted[owner, node.func.attr]
                given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                assert given.get(keyword) is value, f"{path}:{node.lineno}"
                found += 1
    assert found


def test_arrays_that_would_fill_the_memory_are_refused(run, monkeypatch):
    monkeypatch.setattr("infovae_core.runs.drawn.LARGEST", 10_000)
    file = run.path / "snapshots" / "00000012.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mean.npy", bytes(10**6))
    with pytest.raises(RunError, match="more than 10,000 bytes"):
        run.snapshot(12)


# Pages.


SPOILED = {
    "config": ("config.json", b"{"),
    "list": ("config.json", b"[]"),
    "foreign": ("config.json", b'{"data": 3, "model": [], "objective": {"name": {}}}'),
    "older": ("config.json", b'{"label": "old", "objective": {"name": "GAN"}}'),
    "status": ("status.json", b'{"state": "finished", "step": "x", "epochs": []}'),
    "rows": ("metrics.jsonl", b'{"step": 1, "split": "test", "values": {"total": "x"}}\n'),
    "events": ("events.jsonl", b'{"event": "started", "step": 0, "about": {"classes": 3}}\n'),
    "snapshot": ("snapshots/00000012.npz", b"PK"),
    "evaluation": ("evaluation.json", b'{"elbo": {"value": "high"}}'),
}


@pytest.fixture
def folder(sound, root):
    """A folder with one sound run among spoiled ones; all are called what would be markup."""
    for name, (file, content) in SPOILED.items():
        shutil.copytree(sound.path, root / name)
        (root / name / file).write_bytes(content)
    shutil.copytree(sound.path, root / "sound")
    for run in runs.list_runs(root):
        run.rename(LABEL)
    return root


def texts(node):
    """All that a page hands to the browser as Markdown."""
    for child in getattr(node, "children", {}).values():
        yield from texts(child)
    proto = getattr(node, "proto", None)
    for field in ("body", "label", "help", "caption", "text"):
        value = getattr(proto, field, "")
        if isinstance(value, str):
            yield value


@pytest.mark.parametrize("script", PAGES, ids=lambda path: path.stem)
def test_the_sound_run_is_shown_among_spoiled_ones_and_no_name_is_markup(folder, script):
    every = ",".join(("sound", *SPOILED))
    for asked in ({"run": "sound", "runs": every}, {"run": "foreign"}, {"run": "snapshot"}):
        page = opened(script, **asked)
        shown = list(texts(page.main)) + list(texts(page.sidebar))
        assert not [text for text in shown if MARKUP.search(text)]
        if script.stem in ("runs", "train"):
            assert any(words.plain(words.short(LABEL, 27))[:20] in text for text in shown)


def test_every_run_has_its_line_and_the_unreadable_say_why(folder):
    lines = {line.run.id: line for line in state.summaries(folder)}
    assert lines.keys() == {"sound", *SPOILED}
    problems = {id: line.problem for id, line in lines.items() if line.problem}
    assert problems.keys() == {"config", "list"}
    assert all("must be a JSON object" in problem for problem in problems.values())
