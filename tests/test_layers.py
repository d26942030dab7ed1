"""Who may import whom, proved in processes that have imported nothing of ours."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = (
    *sorted({path.stem for path in (ROOT / "infovae_core").glob("*.py")} - {"__init__"}),
    *("files", "measures", "runs"),
)
ORDER = [  # each imports only from those before it
    ("aggregate", "choices", "decoders", "pace", "precision", "products"),
    ("divergences", "distributions", "bounds", "randomness", "runs", "sights", "tape"),
    ("catalogue", "likelihoods", "pixelcnn"),
    ("store",),
    ("model", "metrics", "intervals", "probes", "capture", "files", "sprites", "toys"),
    ("estimators", "evidence", "results", "terms"),
    ("critics", "objectives"),
    ("config", "downloads", "errors", "family"),
    ("own", "pulse", "stepper"),
    ("data", "evaluation", "fits", "knobs", "networks", "presets", "studies"),
    ("measures", "recorder", "training"),
    ("checkpoints", "snapshots", "information"),
    ("blame", "decoding"),
]
LIGHT = (  # what the web server and the shell need first
    *("runs", "catalogue", "config", "objectives", "metrics", "family", "presets", "knobs"),
    *("fits", "store", "files", "own", "downloads", "sprites", "toys"),
    *("studies", "archive", "evaluation", "results", "decoders", "aggregate"),
    *("choices", "colours", "drawings", "recipes", "report", "export"),
    *("dispatch", "options", "startup", "worker", "__main__"),
)
HEAVY = "torch torch.distributions torch.optim torch.nn.functional jaxtyping sklearn"
# Loads what is heavy once, then imports each module in a process of its own.
FORKING = """
import importlib, json, os, sys
heavy, *modules = sys.argv[1:]
for name in heavy.split():
    importlib.import_module(name)
for name in modules:
    if os.fork() == 0:
        importlib.import_module(f"infovae_core.{name}")
        print(json.dumps([name, list(sys.modules)]), flush=True)
        os._exit(0)
    os.wait()
"""


@functools.cache
def loaded(modules, heavy=""):
    """The names of all that importing each of `modules` loads; `heavy` is loaded anyway."""
    command = [sys.executable, "-c", FORKING, heavy, *modules]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = {name: set(names) for name, names in map(json.loads, out.stdout.splitlines())}
    assert len(found) == len(modules), out.stderr
    return found


def ours(names):
    return {name.split(".")[1] for name in names if name.startswith("infovae_core.")}


def test_the_core_loads_no_streamlit_and_no_plotly():
    for name, names in loaded(CORE, HEAVY).items():
        assert not {"streamlit", "plotly"} & names, name


@pytest.mark.parametrize("name", LIGHT)
def test_what_the_web_server_and_the_shell_need_first_loads_no_torch(name):
    assert not {"torch", "sklearn"} & loaded(LIGHT)[name]


def test_runs_needs_the_standard_library_and_numpy_only():
    names = loaded(LIGHT)["runs"]
    assert ours(names) == {"runs"}
    outside = {m.split(".")[0] for m in names} - set(sys.stdlib_module_names) - {"infovae_core"}
    assert {m for m in outside if not m.startswith("_")} <= {"numpy", "cython_runtime"}


@pytest.mark.parametrize("rank", range(len(ORDER)))
def test_imports_go_one_way(rank):
    allowed = {name for group in ORDER[: rank + 1] for name in group}
    for name in ORDER[rank]:
        assert ours(loaded(CORE, HEAVY)[name]) <= allowed - (set(ORDER[rank]) - {name})
