"""The components' own files, at addresses that change whenever one of them does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

STATIC = {
    name: Path(__file__).parent / name / "static"
    for name in ("live", "family", "latent", "planes", "present", "study", "traverse", "units")
}
MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def assets() -> Iterable[Path]:
    """All of them."""
    files = (path for folder in STATIC.values() for path in folder.iterdir())
    return sorted(path for path in files if path.suffix in MEDIA)


def assets_version() -> str:
    """Changes whenever one of them does: they are one tree and may import each other."""
    stamps = [(path.name, path.stat().st_mtime_ns) for path in assets()]
    return hashlib.blake2b(repr(stamps).encode(), digest_size=6).hexdigest()


def module(component: str) -> str:
    """The address of a component's entry."""
    return f"/api/static/{assets_version()}/{component}/main.js"
