"""Who may import whom, proved in fresh processes."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = [*sorted(path.stem for path in (ROOT / "infovae_core").glob("*.py")), "measures"]
ORDER = [  # each imports only from those before it
    ("divergences", "bounds", "likelihoods", "randomness", "runs", "sights", "catalogue"),
    ("model", "metrics", "intervals", "probes"),
    ("estimators", "evidence", "results", "terms"),
    ("critics", "objectives"),
    ("config", "errors", "family"),
    ("data", "evaluation", "knobs", "networks", "presets", "studies"),
    ("measures", "recorder", "training"),
    ("checkpoints", "snapshots", "information"),
]


@functools.cache
def loaded(module):
    """Names of the modules that importing `module` loads."""
    code = f"import {module}, sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def ours(modules):
    return {name.split(".")[1] for name in modules if name.startswith("infovae_core.")}


@pytest.mark.parametrize("name", [n for n in CORE if n not in ("__init__", "__main__")])
def test_the_core_loads_no_streamlit_and_no_plotly(name):
    assert not {"streamlit", "plotly"} & loaded(f"infovae_core.{name}")


@pytest.mark.parametrize(
    "name",
    [
        *("runs", "catalogue", "config", "objectives", "metrics", "family", "presets", "knobs"),
        *("studies", "archive", "evaluation", "results"),
        *("dispatch", "options", "worker", "__main__"),
    ],
)
def test_what_the_web_server_and_the_shell_need_first_loads_no_torch(name):
    assert not {"torch", "sklearn"} & loaded(f"infovae_core.{name}")


def test_runs_needs_the_standard_library_and_numpy_only():
    modules = loaded("infovae_core.runs")
    assert ours(modules) == {"runs"}
    outside = {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names) - {"infovae_core"}
    assert {m for m in outside if not m.startswith("_")} <= {"numpy", "cython_runtime"}


@pytest.mark.parametrize("rank", range(len(ORDER)))
def test_imports_go_one_way(rank):
    allowed = {name for group in ORDER[: rank + 1] for name in group}
    for name in ORDER[rank]:
        assert ours(loaded(f"infovae_core.{name}")) <= allowed - (set(ORDER[rank]) - {name})
