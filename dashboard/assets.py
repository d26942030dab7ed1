"""The components' own files, at addresses that change whenever one of them does."""

from __future__ import annotations

import gzip
import hashlib
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

STATIC = {
    name: Path(__file__).parent / name / "static"
    for name in ("live", "family", "latent", "planes", "present", "study", "traverse", "units")
}
ENTRY = "entry.js"  # made here, beside the others
IMPORT = re.compile(r'^(?:import|export) [^";]* from "(\.{1,2}/[^"]+)";$', re.M)
SHEET = re.compile(r'"((?:\.\./\w+/)?\w+\.css)"')
MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def assets() -> Iterable[Path]:
    """All of them."""
    files = (path for folder in STATIC.values() for path in folder.iterdir())
    return sorted(path for path in files if path.suffix in MEDIA)


def assets_version() -> str:
    """Changes whenever one of them does: they are one tree and may import each other."""
    return _version(int(time.monotonic()))


@lru_cache(maxsize=1)
def _version(second: int) -> str:
    """Looked at once a second: a page asks for dozens of files at once."""
    stamps = [(path.name, path.stat().st_mtime_ns) for path in assets()]
    return hashlib.blake2b(repr(stamps).encode(), digest_size=6).hexdigest()


def module(component: str) -> str:
    """The address of a component's entry."""
    return address(STATIC[component] / ENTRY)


def modules(component: str) -> list[str]:
    """The addresses of a component's entry and of all that it names."""
    paths = [STATIC[component] / ENTRY, *scripts(component)]
    return [address(path) for path in paths]


def sheets(component: str) -> list[str]:
    """The addresses of the style sheets that a component's modules fetch."""
    found = [
        served(path, name if name.startswith(".") else f"./{name}")
        for path in scripts(component)
        for name in SHEET.findall(path.read_text(encoding="utf-8"))
    ]
    return [address(path) for path in found]


def scripts(component: str) -> list[Path]:
    """All modules of a component."""
    main = STATIC[component] / "main.js"
    return [main, *needed(main)]


def address(path: Path) -> str:
    """Where a file is served."""
    return f"/api/static/{assets_version()}/{path.parent.parent.name}/{path.name}"


@lru_cache(maxsize=256)
def packed(version: str, component: str, name: str) -> bytes:
    """A file, gzipped; `version` only says how long to keep it.

    Raises: KeyError where there is none, which is not kept: anybody may ask for any name.
    """
    if name == ENTRY and component in STATIC:
        return gzip.compress(entry(component).encode(), 6)
    files = {path.name: path for path in STATIC[component].iterdir() if path.suffix in MEDIA}
    return gzip.compress(files[name].read_bytes(), 6)


def entry(component: str) -> str:
    """A script that names all modules of a component at once.

    A browser would learn of them one layer after another, a round trip for each.
    """
    here, main = STATIC[component], STATIC[component] / "main.js"
    names = [relative(path, here) for path in needed(main)]
    lines = [*(f'import "{name}";' for name in names), 'export { mount } from "./main.js";']
    return "\n".join(lines) + "\n"


def needed(module: Path) -> list[Path]:
    """What a module imports, and what that imports, and so on."""
    found, waiting = [], [module]
    while waiting:
        path = waiting.pop()
        for said in IMPORT.findall(path.read_text(encoding="utf-8")):
            other = served(path, said)
            if other not in found:
                found.append(other)
                waiting.append(other)
    return found


def served(path: Path, said: str) -> Path:
    """The file that a module at `path` means by `./name` or `../component/name`."""
    *above, name = said.split("/")
    return (path.parent if above == ["."] else STATIC[above[-1]]) / name


def relative(path: Path, folder: Path) -> str:
    """The reverse."""
    if path.parent == folder:
        return f"./{path.name}"
    return f"../{path.parent.parent.name}/{path.name}"
