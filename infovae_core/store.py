"""Decoded data sets kept on the disk: read once, afterwards mapped into memory at once.

A kept set is a folder `<root>/cache/<name>-<key>` of .npy files and a record. The key is made of
the names and bytes of the files that were read, and of how they were to be read: whoever changes a
file gets a new one. It appears whole or not at all, by one renaming.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from infovae_core.catalogue import DataError
from infovae_core.runs.files import FULL, hindrance, replace

FORMAT = 2  # of what is kept; another one is read anew
RECORD = "record.json"
KEEP = 4  # sets of one name; those made before them are removed
READ = ".read.json"  # in the cache: what files contain, by what the file system says of them
REMEMBERED = 256  # of those
EVERY = 200  # files between two reports of progress

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

    def empty(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype | type = np.uint8
    ) -> np.ndarray:
        """An array on the disk, to be filled: it need not fit into memory.

        Raises: OSError where the disk has no room for it.
        """
        path = self.folder / f"{name}.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        # The file has holes, and where a disk is full a process that fills them is killed: SIGBUS.
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    def put(self, name: str, array: np.ndarray) -> None:
        """An array as it is."""
        self.empty(name, array.shape, array.dtype)[:] = array


def obtain(root: Path, name: str, key: str, make: Callable[[Shelf], dict[str, Any]]) -> Arrays:
    """The set kept under `name` and `key`, made first where it is not there, or not whole.

    `make` writes train-x, train-y, test-x and test-y, perhaps train-factors and test-factors, to
    the shelf, and gives the other fields of `Arrays`. Where `root` cannot be written the set is
    made for this process alone.

    Raises: DataError where there is no room for it, or whatever `make` raises.
    """
    cache = root / "cache"
    here, made = cache / f"{name}-{key}", cache / f".{name}-{key}.partial"
    if (found := _open(here)) is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # One of few: a lock's file stays, and there are as many keys as files that were refused.
        # Of its kind, for what a name begins with, own or celeba: no upload waits for all faces.
        lock = FileLock(cache / f".{name.partition('-')[0]}-{key[:2]}.lock").acquire()
    except OSError:  # what is mapped outlives its file
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return _make(Path(folder), make, folder)
    with lock:
        if (found := _open(here)) is not None:  # somebody else has made it meanwhile
            return found
        shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
        try:
            made.mkdir()
            _make(made, make, root)
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


def _make(folder: Path, make: Callable[[Shelf], dict[str, Any]], root: Path | str) -> Arrays | None:
    try:
        record = make(Shelf(folder))
        sizes = {path.name: path.stat().st_size for path in folder.glob("*.npy")}
        (folder / RECORD).write_text(json.dumps(record | {"sizes": sizes}))
    except OSError as error:
        if error.errno not in FULL:
            raise
        remedy = "free some, set a smaller size, or choose another folder (data.root)"
        raise DataError(hindrance(error, root, room=remedy)) from error
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


# What is read: its content, without reading all of it at every start.


@dataclass(frozen=True)
class Originals:
    """The files below `base` that a set is decoded from. A folder stands for what lies in it."""

    base: Path
    paths: tuple[Path, ...]

    def stamp(self) -> str:
        """What the file system says of them: nothing can be written without changing it.

        Size and time of change may be set by whoever copies a file; the time at which its entry
        was changed (ctime) and its inode may not.

        Raises: FileNotFoundError where one is missing; DataError.
        """
        digest = blake2b(digest_size=16)
        for path in self.paths:
            about = path.stat()
            if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
                raise DataError(f"{path} must be a plain file, got another kind; take it away")
            times = about.st_mtime_ns, about.st_ctime_ns
            said = (self._name(path), about.st_size, *times, about.st_dev, about.st_ino)
            digest.update(repr(said).encode())
        return digest.hexdigest()

    def content(self, progress: Progress) -> str:
        """Names and bytes; of a folder the time at which files came or went."""
        digest = blake2b(digest_size=16)
        for done, path in enumerate(self.paths):
            if done % EVERY == 0:
                progress(done, len(self.paths), "Reading files")
            digest.update(repr(self._name(path)).encode())
            if path.is_dir():
                digest.update(str(path.stat().st_mtime_ns).encode())
                continue
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, blake2b).digest())
        return digest.hexdigest()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.base).as_posix()


def decoded(
    root: Path,
    name: str,
    originals: Originals,
    make: Callable[[Shelf], dict[str, Any]],
    progress: Progress = quiet,
    **how: Any,
) -> Arrays:
    """What `make` decodes from files, see `obtain`; at once where it did so from the same bytes.

    Args:
        how: they are decoded; another way is another set.

    Raises: DataError, also where they change meanwhile; OSError where they cannot be read.
    """
    stamp = originals.stamp()
    content = remembered(root / "cache", stamp) or originals.content(progress)
    said = json.dumps([FORMAT, content, how], sort_keys=True).encode()

    def unchanged(shelf: Shelf) -> dict[str, Any]:
        record = make(shelf)
        if originals.stamp() != stamp:
            raise DataError(
                f"files must stay as they are while they are read, got others in {originals.base}; "
                "try again once they are complete"
            )
        return record

    found = obtain(root, name, blake2b(said, digest_size=8).hexdigest(), unchanged)
    remember(root / "cache", stamp, content)
    return found


def remembered(cache: Path, stamp: str) -> str | None:
    """The content of what the file system said that of; None where it was not read before."""
    try:
        content = json.loads((cache / READ).read_bytes()).get(stamp)
    except (OSError, ValueError, AttributeError):
        return None
    return content if isinstance(content, str) else None


def remember(cache: Path, stamp: str, content: str) -> None:
    """Keep that, where it can be kept; whoever writes at the same time may undo it."""
    with suppress(OSError, ValueError, AttributeError):
        try:
            known = json.loads((cache / READ).read_bytes())
        except (OSError, ValueError):
            known = {}
        if known.get(stamp) == content:
            return
        known = dict([*known.items(), (stamp, content)][-REMEMBERED:])
        replace(cache / READ, lambda file: file.write(json.dumps(known).encode()))
