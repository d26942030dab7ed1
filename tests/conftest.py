"""What every test shares: shapes checked as the code runs, one thread, double precision."""

from jaxtyping import install_import_hook

TYPED = (
    "blame",
    "bounds",
    "checkpoints",
    "critics",
    "data",
    "decoders",
    "decoding",
    "distributions",
    "divergences",
    "estimators",
    "evidence",
    "information",
    "likelihoods",
    "measures",
    "model",
    "networks",
    "pixelcnn",
    "probes",
    "sights",
    "snapshots",
    "stepper",
    "terms",
    "training",
)
install_import_hook([f"infovae_core.{name}" for name in TYPED], "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True)
def _reproducible():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def digits():
    from infovae_core.config import DataConfig
    from infovae_core.data import load

    return load(DataConfig())


def pytest_sessionfinish(session):
    """A skipped test is one that says nothing: it counts as failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
