"""What the first page and its routes need, for a server that answers before it has loaded them.

A browser takes a second to load Streamlit's scripts, in which the server has little to do.
"""

from __future__ import annotations

from importlib import import_module

NEEDED = (
    "dashboard.api",
    "dashboard.exports",
    "dashboard.family",
    "dashboard.forms",
    "dashboard.live",
    "dashboard.palette",
    "dashboard.present",
    "dashboard.presets",
    "dashboard.state",
    "dashboard.uploads",
    "dashboard.words",
    "infovae_core.catalogue",
    "infovae_core.fits",
    "infovae_core.worker",
)


def load() -> None:
    """Import all of it; nothing where that has been done."""
    for name in NEEDED:
        import_module(name)
