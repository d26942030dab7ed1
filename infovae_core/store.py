"""Decoded data sets kept on the disk: read once, afterwards mapped into memory at once.

A kept set is a folder `<root>/cache/<name>-<key>` of .npy files and a record. The key is made of
the names, sizes and times of change of the files that were read, and of how they were to be read:
whoever changes a file gets a new one. It appears whole or not at all, by one renaming.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

FORMAT = 2  # of what is kept; another one is read anew
RECORD = "record.json"
KEEP = 4  # sets of one name; those made before them are removed

Progress = Callable[[int, int, str], object]  # so many done, of how many (0: unknown), of what


def quiet(done: int, of: int, what: str) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True)
class Part:
    """Training or held-out items: images u8 or points f32 [n, *data], classes [n]."""

    x: np.ndarray
    y: np.ndarray
    factors: np.ndarray | None = None  # [n, k]


@dataclass(frozen=True)
class Arrays:
    """A data set as it is kept."""

    train: Part
    test: Part
    classes: tuple[str, ...] = ()
    factors: tuple[tuple[str, int], ...] = ()  # names, numbers of values
    facts: dict[str, Any] = field(default_factory=dict)  # whatever else is to be known of it


class Shelf:
    """A folder that a set is being written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def empty(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An array u8 on the disk, to be filled: it need not fit into memory."""
        path = self.folder / f"{name}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)

    def put(self, name: str, array: np.ndarray) -> None:
        """An array as it is."""
        np.save(self.folder / f"{name}.npy", array, allow_pickle=False)


def obtain(root: Path, name: str, key: str, make: Callable[[Shelf], dict[str, Any]]) -> Arrays:
    """The set kept under `name` and `key`, made first where it is not there, or not whole.

    `make` writes train-x, train-y, test-x and test-y, perhaps train-factors and test-factors, to
    the shelf, and gives the other fields of `Arrays`. Where `root` cannot be written the set is
    made for this process alone.
    """
    cache = root / "cache"
    here, made = cache / f"{name}-{key}", cache / f".{name}-{key}.partial"
    if (found := _open(here)) is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / f".{name}-{key}.lock").acquire()
    except OSError:  # what is mapped outlives its file
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return _make(Path(folder), make)
    with lock:
        if (found := _open(here)) is not None:  # somebody else has made it meanwhile
            return found
        shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
        try:
            made.mkdir()
            _make(made, make)
            shutil.rmtree(here, ignore_errors=True)
            made.rename(here)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        thin(cache, name)
    if (found := _open(here)) is None:
        raise OSError(f"a data set that was just written must be readable, got {here}; try again")
    return found


def thin(cache: Path, name: str) -> None:
    """Remove the sets of a name that were made first, until `KEEP` are left."""
    keyed = re.compile(re.escape(name) + "-[0-9a-f]{16}")
    made = [path for path in cache.iterdir() if keyed.fullmatch(path.name)]
    for path in sorted(made, key=lambda path: path.stat().st_mtime_ns, reverse=True)[KEEP:]:
        shutil.rmtree(path, ignore_errors=True)


def _make(folder: Path, make: Callable[[Shelf], dict[str, Any]]) -> Arrays | None:
    record = make(Shelf(folder))
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.npy")}
    (folder / RECORD).write_text(json.dumps(record | {"sizes": sizes}))
    return _open(folder)


def _open(folder: Path) -> Arrays | None:
    """The set in a folder; None where there is none, or where a file is not what was written."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        sizes = record.pop("sizes")
        if any((folder / name).stat().st_size != size for name, size in sizes.items()):
            return None
        parts = {
            part: Part(
                **{
                    name: _map(folder / f"{part}-{name}.npy")
                    for name in ("x", "y", "factors")
                    if f"{part}-{name}.npy" in sizes
                }
            )
            for part in ("train", "test")
        }
        classes, factors = tuple(record.pop("classes", ())), record.pop("factors", ())
        return Arrays(**parts, classes=classes, factors=tuple(map(tuple, factors)), facts=record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _map(path: Path) -> np.ndarray:
    # "c" is "r" for the file: what is written stays in memory. torch warns of a read-only array.
    array = np.load(path, mmap_mode="c", allow_pickle=False)
    return array if array.ndim > 1 else np.array(array)


def key_of(base: Path, files: Iterable[Path], **how: Any) -> str:
    """A name for the content of files below `base`, from what the file system says of them.

    Args:
        how: they are read; another way has another name.

    Raises: FileNotFoundError where one is missing.
    """
    digest = hashlib.blake2b(json.dumps([FORMAT, how], sort_keys=True).encode(), digest_size=8)
    for file in files:
        about, name = file.stat(), file.relative_to(base).as_posix()
        digest.update(
            f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()
