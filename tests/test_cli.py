import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from infovae_core import choices, dispatch, options, runs
from infovae_core.__main__ import Bar, Lines, main
from infovae_core.config import RunConfig, TrainingConfig
from infovae_core.objectives import OBJECTIVES, InfoMaxVAE
from infovae_core.presets import PRESETS
from infovae_core.training import Plan, Report, Row
from tests.processes import end_workers, until

ROOT = Path(__file__).parent.parent
SMALL = {
    "label": "from the shell",
    "data": {"limit": 640},
    "model": {"widths": [16]},
    "objective": {"name": "VAE"},
    "training": {"epochs": 40, "batch_size": 32},
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.delenv("INFOVAE_RUNS", raising=False)
    monkeypatch.setenv("INFOVAE_SLOTS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


def config_of(*words):
    return options.parse(["train", *words]).values


# Options


def test_without_options_a_run_is_the_default_one():
    command = options.parse(["train"])
    assert command.values == RunConfig()
    assert command.runs == Path("runs")


def test_options_change_single_values_of_a_file():
    Path("c.json").write_text(json.dumps(SMALL | {"objective": {"name": "InfoVAE", "lam": 50}}))
    words = (
        "--config c.json --objective.alpha 1 --training.seed=3 --model.widths 8 4 --data.limit None"
    )
    expected = RunConfig.model_validate(
        {
            "label": "from the shell",
            "model": {"widths": [8, 4]},
            "objective": {"name": "InfoVAE", "lam": 50, "alpha": 1},
            "training": {"epochs": 40, "batch_size": 32, "seed": 3},
        }
    )
    assert config_of(*words.split()) == expected


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("form", ["--objective.name {}", "--objective.name={}"])
def test_an_objective_is_chosen_by_name(name, form):
    assert config_of(*form.format(name).split()).objective == OBJECTIVES[name]()


def test_another_objective_than_the_files_starts_from_its_defaults():
    Path("c.json").write_text(json.dumps({"objective": {"name": "InfoVAE", "alpha": 0.5}}))
    words = ["--config", "c.json", "--objective.name"]
    assert config_of(*words, "BetaVAE", "--objective.beta", "2").objective.beta == 2
    assert config_of(*words, "InfoVAE").objective.alpha == 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_starting_point(name):
    preset = PRESETS[name]
    assert config_of("--preset", name) == preset.over(RunConfig())
    seeded = RunConfig.model_validate({"training": {"seed": 3}})
    assert config_of(f"--preset={name}", "--training.seed", "3") == preset.over(seeded)


def test_a_preset_changes_a_file_and_an_objective_changes_a_preset():
    Path("c.json").write_text(json.dumps(SMALL | {"objective": {"name": "BetaVAE", "beta": 2}}))
    words = ["--config", "c.json", "--preset", "infomax-mnist-fc"]
    file = options.read(Path("c.json"))
    assert config_of(*words) == PRESETS["infomax-mnist-fc"].over(file)
    assert config_of(*words).label == "from the shell"
    assert config_of(*words, "--objective.alpha", "3").objective.alpha == 3
    another = config_of(*words, "--objective.name", "VAE")
    assert another.objective == OBJECTIVES["VAE"]()
    assert another.training.batch_size == 100


def test_what_a_preset_leaves_out_is_said(capsys):
    Path("file").touch()
    assert main(["train", "--preset", "aae", "--runs", "file"]) == 2  # nowhere to put the run
    assert PRESETS["aae"].note in capsys.readouterr().err


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_runs_own_config_repeats_it(name, tmp_path):
    run = runs.create(tmp_path / "runs", RunConfig(label="á β", objective=OBJECTIVES[name]()))
    assert config_of("--config", str(run.path / "config.json")).model_dump() == run_config(run)


def test_what_only_a_file_can_say_is_kept():
    turns = [{"step": 3, "knobs": {"learning_rate": 0.1}}]
    Path("c.json").write_text(json.dumps({"turns": turns}))
    config = config_of("--config", "c.json", "--training.epochs", "5")
    assert (config.turns[0].step, config.turns[0].knobs.learning_rate) == (3, 0.1)
    assert config.training.epochs == 5


def run_config(run):
    return RunConfig.model_validate(run.config).model_dump()


def test_what_an_option_stands_for_is_said_where_its_name_does_not():
    bound, precision = (
        choices.spelled(section.model_fields[name])
        for section, name in ((InfoMaxVAE, "bound"), (TrainingConfig, "precision"))
    )
    assert "dv for Donsker–Varadhan, pearson for Pearson χ²," in bound
    assert precision == ""  # TF32 is written tf32


@pytest.mark.parametrize("name", OBJECTIVES)
def test_help_shows_every_field_with_its_text(name, capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--objective.name", name, "--help"])
    assert end.value.code in (0, None)
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    config = RunConfig(objective=OBJECTIVES[name]())
    for field in options.dotted(config.model_dump(exclude={"turns"})):
        assert re.search(rf"--{re.escape(field.replace('_', '-'))}[ ,]", shown), field
    for part in (config, config.data, config.model, config.objective, config.training):
        for about in options.drawn_fields(type(part)).values():
            assert " ".join((about.description or "").split()) in shown
    assert all(f"{name} ({preset.title})" in shown for name, preset in PRESETS.items())


@pytest.mark.parametrize(
    ("words", "names", "remedy"),
    [
        ("train --training.epochs 0", "training.epochs", "greater than or equal to 1, got 0"),
        ("train --model.network pixelcnn", "network must fit the data", "set model.network to mlp"),
        ("train --training.epochs many", "--training.epochs", "--help"),
        ("train --training.epochs", "--training.epochs", "--help"),
        ("train --training.epocs 3", "--training.epocs", "did you mean --training.epochs?"),
        ("train --objective.lm 3", "--objective.lm", "did you mean --objective.lam?"),
        ("train --objective.alpha 0 --objective.lam 0", "objective", "raise lam to at least 1"),
        ("train --objective.beta 4", "--objective.beta", "add --objective.name BetaVAE"),
        ("train --objective.name GAN", "--objective.name", "'VAE', 'BetaVAE', 'InfoVAE'"),
        ("train --data.name cats", "--data.name", "('digits', 'mnist', 'fashion', "),
        ("train --training.device gpu", "training.device", "cuda"),
        ("train --zzz 1", "--zzz", "--help"),
        ("train mnist", "mnist", "--"),
        ("train --config", "--config", "--help"),
        ("train --preset", "--preset", "--help"),
        ("train --preset infomax-mnst-fc", "aae, mmd-vae, ", "did you mean infomax-mnist-fc?"),
        ("train --preset 7", "--preset", "choose one of them"),
        ("train --config none.json", "none.json", "check the path"),
        ("train --config half.json", "half.json", "Invalid JSON"),
        ("train --config typo.json", "training.epoch:", "correct its name"),
        ("train --runs half.json/x", "half.json/x", "--runs"),
        ("resume", "RUN_DIR", "--help"),
        ("resume runs/none", "none", "choose one from the list"),
        ("resume runs/../../etc", "etc", "choose one from the list"),
        ("resume done/finished", "finished", "start a new one"),
        ("repeat runs/none", "none", "choose one from the list"),
        ("repeat done/foreign", "data.name", "Input should be"),
        ("evaluate", "RUN_DIR", "--help"),
        ("evaluate runs/none", "none", "choose one from the list"),
        ("evaluate done/finished", "without a checkpoint", "train it first"),
        ("evaluate done/finished --metrics elbow", "elbow", "choose from these"),
        ("evaluate done/finished --seed x", "--seed", "--help"),
        ("evaluate done/finished --metric elbo", "--metric", "did you mean --metrics?"),
        ("list --rnus x", "--rnus", "did you mean --runs?"),
        ("learn", "train, resume, repeat, evaluate, export, list", "--help"),
        ("", "train, resume, repeat, evaluate, export, list", "--help"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, names, remedy, tmp_path, capsys):
    Path("half.json").write_text('{"data": ')
    Path("typo.json").write_text('{"training": {"epoch": 3}}')
    finished = runs.create(tmp_path / "done", {})
    finished.set_status(state="finished")
    finished.path.rename(tmp_path / "done" / "finished")
    foreign = runs.create(tmp_path / "done", {"data": {"name": "cats"}})
    foreign.path.rename(tmp_path / "done" / "foreign")
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("error: ")
    assert names in line
    assert remedy in line
    assert not Path("runs").exists()


# Listing


def test_the_list_has_a_line_for_every_run_also_for_a_broken_one(capsys):
    root = Path("elsewhere")
    assert main(["list", "--runs", str(root)]) == 0
    assert capsys.readouterr().out == ""

    good, broken = runs.create(root, RunConfig(label="mine")), runs.create(root, {})
    values = {"total": 123.456, "rate": float("nan")}
    good.log({"step": 10, "split": "test", "values": values})
    good.set_status(state="finished", epoch=3.0, epochs=3, created=0)
    (broken.path / "config.json").write_text("{")
    (broken.path / "status.json").unlink()
    assert main(["list", "--runs", str(root)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    [line] = [line for line in lines if good.id in line]
    for word in ("mine", "finished", "InfoVAE", "Digits", "3/3", "total 123.5, rate ?", " d"):
        assert word in line
    [line] = [line for line in lines if broken.id in line]
    assert line.split()[1:] == ["interrupted", "?", "?", "0/?", "?"]
    assert header.split()[:3] == ["id", "label", "state"]


def test_a_loss_that_rests_on_a_bound_that_has_blown_up_is_no_number(capsys):
    rows = (Row("train", {"total": math.nan, "rate": 2.0}), Row("test", {"total": 81.25}))
    Lines()(Report(SimpleNamespace(step=20), rows), Plan(100, 10, 10, 128))
    assert capsys.readouterr().err == "epoch 2/10: loss train unknown, test 81.25\n"


@pytest.mark.parametrize("kind", [Bar, Lines])
def test_preparing_is_told_in_a_terminal_and_in_a_log(kind, capsys):
    with closing(kind()) as watch:
        watch.prepare(0, 0, "Downloading MNIST (12 MB)")
        for done in range(0, 300, 100):
            watch.prepare(done, 300, "Decoding images")
            time.sleep(0.11)  # a bar is drawn so often
    said = capsys.readouterr().err
    if kind is Lines:
        assert said == "Downloading MNIST (12 MB)\nDecoding images\n"
    else:
        for words in ("Downloading MNIST (12 MB)", "Decoding images: ", "200/300"):
            assert words in said


def test_neither_help_nor_list_loads_torch():
    code = """if True:
        import sys
        from infovae_core.__main__ import Lines, main
        main(["list"])
        try:
            main(["--help"])
        except SystemExit as end:
            assert not end.code
        assert "torch" not in sys.modules
        """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("train", "resume", "repeat", "list"):
        assert f"python -m infovae_core {command}" in out.stdout


# Training


@pytest.fixture
def shell():
    """Starts commands as a shell would, and ends what is left of them."""
    started = []

    def start(*words, stderr=subprocess.PIPE):
        command = [sys.executable, "-m", "infovae_core", *words]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1)
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    end_workers(Path("runs"))


def test_a_run_waits_for_a_slot_stops_at_ctrl_c_and_is_resumed(shell):
    root = Path("runs")
    Path("c.json").write_text(json.dumps(SMALL))
    with dispatch.seat(root):  # for a worker, of which none is needed here
        blocker = runs.create(root, SMALL | {"training": {"device": "cpu"}})
        dispatch.enqueue(blocker)
        with dispatch.claim(root, lambda run: "cpu:0"):
            train = shell("train", "--config", "c.json", "--training.device", "cpu")
            said = iter(train.stderr.readline, "")
            assert any("waiting for a free slot" in line for line in said)
            [run] = [run for run in runs.list_runs(root) if run != blocker]
            assert run.state == "queued"

        until(lambda: (run.last("train") or {"step": 0})["step"] > 100, "the run to train")
        train.send_signal(signal.SIGINT)
        out, err = train.communicate()
        assert train.returncode == 130, err
        assert out.splitlines()[-1] == str(run.path)
        assert "Traceback" not in err
        assert run.state == "stopped"
        assert run.label == "from the shell"
        step = run.status["step"]
        assert [p.stem for p in (run.path / "checkpoint").glob("*.safetensors")] == [f"{step:08d}"]

        terminal, stderr = pty.openpty()
        termios.tcsetwinsize(stderr, (24, 100))
        resume = shell("resume", str(run.path), stderr=stderr)
        os.close(stderr)
        drawn = screen(terminal)
        assert resume.stdout.read().splitlines()[-1] == str(run.path.resolve())
        assert resume.wait() == 0
        assert run.state == "finished"
        assert [event["event"] for event in run.events()] == [
            *("started", "stopped"),
            *("resumed", "finished"),
        ]
        assert run.events()[2]["step"] == step
        for word in ("epoch 40/40", "images/s", "train ", "test ", "finished at epoch 40/40"):
            assert word in drawn


def screen(terminal):
    """Everything that is written to a terminal until its last writer closes it."""
    written = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            written += piece
    except OSError:  # how Linux says that nobody holds the other end
        pass
    os.close(terminal)
    return written.decode()


def test_several_threads_may_read_command_lines_at_once():
    """As the pages of a dashboard do, each for its session."""

    def read(seed):
        return options.parse(["train", "--training.seed", str(seed)]).values.training.seed

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(read, range(16))) == list(range(16))
    finally:
        sys.setswitchinterval(interval)
