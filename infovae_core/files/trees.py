"""Folders, single files and zips as one thing: names, and the bytes under each."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from infovae_core.catalogue import DataError

ENTRIES = 300_000  # files
BYTES = 8 * 2**30  # read from one tree, unpacked
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
NOISE = re.compile(r"(^|/)(\.|__MACOSX/|Thumbs\.db$|desktop\.ini$)")  # what systems leave behind


class Tree(ABC):
    """Files by name, with / between folders; sorted, without what systems leave behind."""

    def __init__(self, names: list[str], title: str) -> None:
        if len(names) > ENTRIES:
            raise DataError(
                f"{title} must hold at most {ENTRIES:,} files, got {len(names):,}; leave some out"
            )
        self.names = tuple(sorted(name for name in names if not NOISE.search(name)))
        self.title = title
        self._spent: dict[str, int] = {}
        self._left = BYTES

    def read(self, name: str) -> bytes:
        """What lies under a name.

        Raises: DataError where it cannot be read, or where more than `BYTES` have been read.
        """
        left = self._left + self._spent.get(name, 0)
        data = self._read(name, left + 1)
        if len(data) > left:
            raise DataError(
                f"{self.title} must hold at most {BYTES:,} bytes once unpacked, got more at "
                f"{name}; leave some out, or scale the images down"
            )
        self._spent[name] = len(data)
        self._left = left - len(data)
        return data

    @abstractmethod
    def _read(self, name: str, most: int) -> bytes: ...


class Folder(Tree):
    """Files below a folder, or a single one in it."""

    def __init__(self, path: Path, names: list[str] | None = None) -> None:
        self.path = path
        super().__init__(listed(path) if names is None else names, path.name)

    def _read(self, name: str, most: int) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(most)
        except OSError as error:
            raise DataError(
                f"{name} must be a file that can be read, got {error.strerror}; check it"
            ) from error


class Zip(Tree):
    """Entries of a zip, which is never unpacked to the disk."""

    def __init__(self, file: Path | bytes, title: str) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file)
        except Exception as error:  # zipfile has one for each way in which a file is broken
            raise DataError(
                f"{title} must be a whole zip archive, got a file that is none ({error}); pack it "
                "again"
            ) from error
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        for entry in entries:
            check(entry, title)
        self._entries = {entry.filename.replace("\\", "/"): entry for entry in entries}
        super().__init__(list(self._entries), title)

    def _read(self, name: str, most: int) -> bytes:
        try:
            with self._zip.open(self._entries[name]) as file:
                return file.read(most)
        except Exception as error:
            raise DataError(
                f"the entries of {self.title} must be whole, got {name} that cannot be unpacked "
                f"({error}); pack it again, without a password"
            ) from error


def check(entry: zipfile.ZipInfo, title: str) -> None:
    """Raises: DataError for an entry that would lie outside of its folder, or is no plain file."""
    name = entry.filename.replace("\\", "/")
    if (
        ".." in PurePosixPath(name).parts
        or name.startswith("/")
        or re.match("[A-Za-z]:", name)
        or entry.orig_filename != entry.filename  # cut off at a zero byte
    ):
        raise DataError(
            f"the entries of {title} must stay in its folder, got {entry.orig_filename!r}; pack it "
            "again with relative names"
        )
    if entry.compress_type not in PACKED:  # the others do not keep to how much is asked for
        raise DataError(
            f"the entries of {title} must be stored or deflated, got {name} packed otherwise; "
            "pack it again with zip's usual settings"
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError(
            f"the entries of {title} must be files, got {name}, a link to somewhere else; pack "
            "what it leads to"
        )


def listed(folder: Path) -> list[str]:
    """Files below a folder, by their names from there."""
    names: list[str] = []
    for here, _, files in os.walk(folder):
        there = Path(here).relative_to(folder)
        names += [(there / file).as_posix() for file in files]
        if len(names) > ENTRIES:
            break
    return names


def open_tree(path: Path) -> Tree:
    """The tree at a path.

    Raises: DataError where there is none.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise DataError(
            f"the path of your own data must lead to a folder or a file, got {path}, where there "
            "is neither; correct data.path"
        )
    if path.suffix.lower() == ".zip":
        return Zip(path, path.name)
    return Folder(path.parent, [path.name])


def files_of(path: Path) -> list[Path]:
    """The files on the disk that `open_tree` reads, sorted."""
    return [path / name for name in sorted(listed(path))] if path.is_dir() else [path]
