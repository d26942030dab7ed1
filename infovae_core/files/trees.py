"""Folders, single files and zips as one thing: names, and the bytes under each."""

from __future__ import annotations

import io
import os
import re
import stat
import weakref
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from infovae_core.catalogue import DataError

ENTRIES = 300_000  # files
BYTES = 8 * 2**30  # read from one tree and the archives in it, unpacked
TABLE = 64 * 2**20  # bytes of a zip's table of entries
PIECE = 2**20  # bytes unpacked at once
ENTRY = b"PK\1\2"  # begins each of its lines
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
NOISE = re.compile(r"(^|/)(\.|__MACOSX/|Thumbs\.db$|desktop\.ini$)")  # what systems leave behind


class Budget:
    """How much may still be read; what is read twice counts once."""

    def __init__(self) -> None:
        self._left, self._spent = BYTES, dict[tuple[str, str], int]()

    def left(self, *entry: str) -> int:
        """Bytes that an entry may have, by its tree's title and its name."""
        return self._left + self._spent.get(entry, 0)

    def spend(self, title: str, name: str, count: int) -> None:
        """Count what was read of an entry."""
        self._left = self.left(title, name) - count
        self._spent[title, name] = count


class Tree(ABC):
    """Files by name, with / between folders; sorted, without what systems leave behind.

    Args:
        within: the tree that it was read from; what is read from either counts for both.
    """

    def __init__(self, names: list[str], title: str, within: Tree | None = None) -> None:
        if len(names) > ENTRIES:
            raise too_many(title, f"{len(names):,}")
        self.names = tuple(sorted(name for name in names if not NOISE.search(name)))
        self.title = title
        self._budget = Budget() if within is None else within._budget

    def read(self, name: str, most: int = BYTES) -> bytes | bytearray:
        """What lies under a name, which is then in memory.

        Raises: DataError where it cannot be read, has more than `most` bytes, or where more than
            `BYTES` have been read.
        """
        left, size = self._budget.left(self.title, name), self._size(name)
        if size > left:
            raise DataError(
                f"{self.title} must hold at most {BYTES:,} bytes once unpacked, got more at "
                f"{name}; leave some out, or scale the images down"
            )
        if size > most:
            raise DataError(
                f"{name} must have at most {most:,} bytes once unpacked, got more; save arrays as "
                "uint8 and images smaller, or leave some out"
            )
        data = self._read(name, size)
        self._budget.spend(self.title, name, len(data))
        return data

    @abstractmethod
    def _size(self, name: str) -> int: ...

    @abstractmethod
    def _read(self, name: str, most: int) -> bytes | bytearray: ...


class Folder(Tree):
    """Files below a folder, or a single one in it."""

    def __init__(self, path: Path, names: list[str] | None = None) -> None:
        self.path = path
        super().__init__(listed(path) if names is None else names, path.name)

    def _size(self, name: str) -> int:
        with readable(name):
            return (self.path / name).stat().st_size

    def _read(self, name: str, most: int) -> bytes:
        with readable(name), (self.path / name).open("rb") as file:
            return file.read(most)


class Zip(Tree):
    """Entries of a zip, which is never unpacked to the disk."""

    def __init__(
        self, file: Path | bytes | bytearray, title: str, within: Tree | None = None
    ) -> None:
        try:
            raw = io.FileIO(file) if isinstance(file, Path) else io.BytesIO(file)
            packed = Packed(raw, title)
            weakref.finalize(self, packed.close)
            self._zip = zipfile.ZipFile(packed)
            packed.opened = True
        except DataError:
            raise
        except Exception as error:  # zipfile has one for each way in which a file is broken
            raise DataError(
                f"{title} must be a whole zip archive, got a file that is none ({error}); pack it "
                "again"
            ) from error
        # Not is_dir, which fails where there is no name.
        entries = [e for e in self._zip.infolist() if not e.filename.endswith("/")]
        for entry in entries:
            check(entry, title)
        self._entries = {entry.filename.replace("\\", "/"): entry for entry in entries}
        super().__init__(list(self._entries), title, within)

    def _size(self, name: str) -> int:
        return self._entries[name].file_size  # zipfile unpacks no more, whatever there is

    def _read(self, name: str, most: int) -> bytearray:
        try:
            with self._zip.open(self._entries[name]) as file:
                data, done = bytearray(most), 0  # read at once it would be in memory twice
                while piece := file.read(PIECE):
                    data[done : done + len(piece)] = piece
                    done += len(piece)
                del data[done:]
                return data
        except Exception as error:
            raise DataError(
                f"the entries of {self.title} must be whole, got {name} that cannot be unpacked "
                f"({error}); pack it again, without a password"
            ) from error


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Says which file it is that cannot be read."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{name} must be a file that can be read, got {error.strerror}; check it"
        ) from error


class Packed(io.BufferedReader):
    """A zip as zipfile opens it: it reads the table in one piece, and makes an object of each line.

    That is 600 bytes of one that may have 46, whatever the archive says of how many there are; so
    lines are counted before, and in what zipfile itself takes for the table.
    """

    def __init__(self, raw: io.RawIOBase, title: str) -> None:
        super().__init__(raw)
        self.title, self.opened = title, False

    def read(self, size: int | None = -1) -> bytes:
        if not self.opened and size is not None and size > TABLE:
            raise too_many(self.title, f"a table of {size:,} bytes")
        data = super().read(size)
        if not self.opened and (count := data.count(ENTRY)) > ENTRIES:
            raise too_many(self.title, f"{count:,}")
        return data


def too_many(title: str, got: str) -> DataError:
    """More files than are looked at."""
    return DataError(f"{title} must hold at most {ENTRIES:,} files, got {got}; leave some out")


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
