"""Files of a run that a kill leaves true: logs of JSON lines, and files replaced whole."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # what a disk without room says
LOCKED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})  # and what may not be written

Take = Callable[[dict[str, Any]], dict[str, Any] | None]


class Tail:
    """Follows a log of JSON lines; each `read` gives the lines that are new and complete.

    A line that is no JSON object is passed over, and one of which `take` makes nothing. A file that
    was replaced is read from its start.
    """

    def __init__(self, path: Path, take: Take = lambda record: record) -> None:
        self.path, self.take = path, take
        self._offset = 0
        self._inode = 0

    def read(self) -> list[dict[str, Any]]:
        """Records of the lines completed since the last call."""
        try:
            stat = self.path.stat()
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._inode, self._offset = stat.st_ino, 0
            if stat.st_size == self._offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:  # there is none, or a folder of that name
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return records(whole, self.take)


def finite(value: Any) -> Any:
    """The value, but None for a number that JSON does not know."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a line to a log.

    Raises: OSError where the disk has no room for all of it.
    """
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    with path.open("ab", buffering=0) as file:  # one write a line, at once
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write `path` so that a reader sees the old file or the new one, never half of either."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            write(file)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def overwrite(path: Path, data: bytes) -> None:
    """Write over a small file where it lies, for which a full disk has room too.

    A reader may meet with half of it. What was longer is filled up with spaces.
    """
    with path.open("r+b", buffering=0) as file:
        file.write(data.ljust(os.fstat(file.fileno()).st_size))


def hindrance(
    error: OSError,
    where: Path | str | None = None,
    room: str = "free some",
    other: str = "change its rights, or choose another folder",
) -> str | None:
    """Why something could not be written and what to do; None where neither room nor rights lack.

    Args:
        where: it was to be, unless the error says so.
        room, other: what to do without room, and without rights.
    """
    where = error.filename2 or error.filename or where
    got = f"{error.strerror} at {where}" if where else error.strerror
    if error.errno in FULL:
        return f"the disk must have room for what is written, got {got}; {room}"
    if error.errno in LOCKED:
        return f"the folder must be writable, got {got}; {other}"
    return None


def last_of(log: Path, reach: int | None, take: Take) -> list[dict[str, Any]]:
    """Records of the last `reach` bytes of a log, or of all of it."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - reach) if reach else 0)
            data = file.read()
    except OSError:
        return []
    return records(data[: data.rfind(b"\n") + 1], take)


def records(lines: bytes, take: Take) -> list[dict[str, Any]]:
    """What `take` makes of the JSON objects among lines; whatever else is there is passed over."""
    found = []
    for line in lines.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and (taken := take(record)) is not None:
            found.append(taken)
    return found
