"""Who may do what: viewers look, and nobody starts or deletes anything through their server.

That is said when the server is started, not by who asks: a dashboard for viewers is a server of its
own on the same folder of runs. Loads neither streamlit nor torch.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

VIEWER = "INFOVAE_VIEWER"  # in the environment: whether this server only shows
REASON = "This dashboard shows runs and changes none"
ELSEWHERE = "from the shell, or in a dashboard on the same folder that runs without --viewer"


def settle(argv: Sequence[str], script: str) -> None:
    """Take up what stands after `streamlit run app.py --`, where that is what `argv` is of.

    Raises: SystemExit for arguments that there are not.
    """
    if not argv or Path(argv[0]).name != Path(script).name:
        return  # another server has loaded the script, and has arguments of its own
    parser = argparse.ArgumentParser(
        prog=f"streamlit run {Path(script).name} --", allow_abbrev=False
    )
    parser.add_argument("--viewer", action="store_true", help="show runs, and change nothing")
    if parser.parse_args(argv[1:]).viewer:
        os.environ[VIEWER] = "1"


def viewer() -> bool:
    """Whether this server only shows; in doubt it does."""
    return os.environ.get(VIEWER, "") not in ("", "0")


def check() -> None:
    """Be asked before anything is changed. Raises: RunError where this server only shows."""
    if viewer():
        # Not above: the server would answer the later for it.
        from infovae_core.runs import RunError

        raise RunError(
            f"{REASON}; ask whoever started it, or start one without --viewer on your own machine"
        )
