"""What the views draw of a run: arrays at its steps, as many as there is room for."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from infovae_core.runs.directory import Directory, RunError
from infovae_core.runs.files import replace

Arrays = dict[str, np.ndarray]
LARGEST = 2_000_000_000  # bytes of arrays that are read at once


CODES = ("mean", "label", "split")  # that every snapshot has
SHAPES = {  # kinds of numbers and first axes: n codes of d numbers, k images shown
    "mean": ("f", "nd"),
    "std": ("f", "nd"),
    "label": ("iu", "n"),
    "split": ("iu", "n"),
    "index": ("iu", "n"),
    "shown": ("iu", "k"),
    "originals": ("uf", "k"),
    "reconstructions": ("uf", "k"),
    "samples": ("uf", "m"),
    "center": ("f", "d"),
    "plane": ("f", "d2"),
}


class Drawn(Directory):
    """A run as it is drawn: snapshots, decoders and pictures."""

    def snapshot_steps(self) -> list[int]:
        """Steps of which there is a snapshot, in order."""
        return sorted(self._sizes("snapshots"))

    def snapshot(self, step: int) -> Arrays:
        """The arrays of one snapshot.

        Raises: RunError where there is none of that step, or none any more, or none of a snapshot's
        shape.
        """
        arrays = self._arrays("snapshots", step)
        if wrong := _misshapen(arrays):
            raise RunError(
                f"the snapshot of step {step} in run {self.id} must hold codes and what belongs to "
                f"them, got {wrong}; remove the file, or the run"
            )
        return arrays

    def decoder_steps(self) -> list[int]:
        """Steps of which the decoder is kept, in order."""
        return sorted(self._sizes("decoders"))

    def decoder(self, step: int) -> Arrays:
        """The arrays of the decoder at one step; see `decoders`.

        Raises: RunError where there is none of that step, or none any more.
        """
        return self._arrays("decoders", step)

    @property
    def pictures(self) -> Arrays | None:
        """Small pictures of images with split and index of each; None where none are kept.

        Raises: RunError where they cannot be read.
        """
        try:
            return self._loaded(self.path / "pictures.npz")
        except FileNotFoundError:
            return None

    @property
    def kept_bytes(self) -> int:
        """What snapshots, decoders and pictures take on the disk."""
        sizes = [size for kind in ("snapshots", "decoders") for size in self._sizes(kind).values()]
        with suppress(FileNotFoundError):
            sizes.append((self.path / "pictures.npz").stat().st_size)
        return sum(sizes)

    def _sizes(self, kind: str) -> dict[int, int]:
        """Bytes of the files of "snapshots" or "decoders", by step."""
        folder, sizes = self.path / kind, {}
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if re.fullmatch(r"[0-9]{8,16}\.npz", entry.name):
                with suppress(FileNotFoundError):  # thinned out just now
                    sizes[int(entry.name[:-4])] = entry.stat().st_size
        return sizes

    def _arrays(self, kind: str, step: int) -> Arrays:
        try:
            return self._loaded(self._file(kind, step))
        except FileNotFoundError as error:
            name = kind.removesuffix("s")
            raise RunError(
                f"a {name} must be of a recorded step, got {step} in run {self.id}; "
                f"choose one of {name}_steps()"
            ) from error

    def _loaded(self, path: Path) -> Arrays:
        """The arrays of a file. Raises: FileNotFoundError; RunError where it cannot be read."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if sum(entry.file_size for entry in arrays.zip.infolist()) > LARGEST:
                    raise ValueError(f"more than {LARGEST:,} bytes")
                return dict(arrays)
        except FileNotFoundError:
            raise
        except Exception as error:  # numpy has one for each way in which a file is broken
            raise RunError(
                f"{path.relative_to(self.path)} of run {self.id} must hold whole arrays, got "
                f"{type(error).__name__}: {error}; remove the file, or the run"
            ) from error

    def _file(self, kind: str, step: int) -> Path:
        return self.path / kind / f"{step:08d}.npz"

    # What its worker does.

    def save_snapshot(self, step: int, arrays: Arrays) -> None:
        """Write a snapshot."""
        replace(self._file("snapshots", step), lambda file: np.savez(file, **arrays))

    def save_decoder(self, step: int, arrays: Arrays) -> None:
        """Write a decoder."""
        (self.path / "decoders").mkdir(exist_ok=True)
        replace(self._file("decoders", step), lambda file: np.savez(file, **arrays))

    def save_pictures(self, arrays: Arrays) -> None:
        """Write the pictures of a run's images."""
        replace(self.path / "pictures.npz", lambda file: np.savez(file, **arrays))

    def thin_snapshots(self, keep: int, room: int) -> None:
        """Remove snapshots until there are `keep` at most, which take `room` bytes at most.

        First and last stay in any case, the rest spread evenly.
        """
        sizes = self._sizes("snapshots")
        self._remove("snapshots", sizes.keys() - thinned(sizes, keep, room))

    def thin_decoders(self, room: int) -> None:
        """Remove decoders until they take `room` bytes at most, and those without a snapshot.

        First and last stay in any case, the rest spread evenly.
        """
        sizes = self._sizes("decoders")
        drawn = {*self.snapshot_steps(), max(sizes, default=0)}
        left = {step: size for step, size in sizes.items() if step in drawn}
        self._remove("decoders", sizes.keys() - thinned(left, len(left), room))

    def _remove(self, kind: str, steps: set[int]) -> None:
        for step in steps:
            self._file(kind, step).unlink(missing_ok=True)


def _misshapen(arrays: Arrays) -> str:
    """What keeps arrays from being drawn as a snapshot, or ""."""
    found: dict[str, int] = {}
    for name, (kinds, axes) in SHAPES.items():
        array = arrays.get(name)
        if array is None:
            if name in CODES:
                return f"no {name}"
            continue
        lengths = array.shape[: len(axes)]
        wanted = tuple(found.setdefault(axis, n) for axis, n in zip(axes, lengths, strict=False))
        if array.dtype.kind not in kinds or len(lengths) < len(axes) or lengths != wanted:
            return f"{name} of {array.dtype} {list(array.shape)}"
        if name in (*CODES, "std") and array.ndim != len(axes):
            return f"{name} of {array.ndim} axes"
    return ""


def thinned(sizes: dict[int, int], keep: int, room: int) -> set[int]:
    """The steps that stay of those with these sizes: `keep` at most, and `room` bytes in all.

    Whichever is most crowded goes first; the first and the last step never do.
    """
    steps, taken = sorted(sizes), sum(sizes.values())
    while len(steps) > 2 and (len(steps) > keep or taken > room):
        taken -= sizes[steps.pop(most_crowded(steps))]
    return set(steps)


def most_crowded(steps: list[int]) -> int:
    """The place in a rising list, but for its ends, whose neighbours are nearest to each other."""
    return min(range(1, len(steps) - 1), key=lambda i: steps[i + 1] - steps[i - 1])
