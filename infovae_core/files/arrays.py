"""Arrays of images and labels: NumPy's .npy format, also within .npz, and IDX as MNIST comes in."""

from __future__ import annotations

import gzip
import io
import math
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from infovae_core.catalogue import DataError
from infovae_core.files.pictures import fitted, levels
from infovae_core.files.source import CLASSES, Source, check_sides, ends_of, finite

Named = Mapping[str, np.ndarray]

IDX = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IMAGES = {"x", "image", "images", "img", "imgs", "data", "pixels"}
LABELS = {"y", "label", "labels", "target", "targets", "class", "classes"}
TEST, TRAIN, ASIDE = {"test", "t10k"}, {"train", "training"}, {"val", "valid", "validation"}
FILLERS = re.compile(r"idx\d?|ubyte|arr|\d+|gz|npy")
HEADER = 2**16  # bytes within which that of an array ends
HELD = 2**30  # bytes of all arrays together, which are in memory at once
NAMES = (
    "x and y, or x_train, y_train, x_test and y_test (images and labels, data and targets do too)"
)


def is_idx(name: str) -> bool:
    """Whether a file is called as IDX files are: train-images-idx3-ubyte.gz, x.idx."""
    return bool(re.search(r"[-._]idx\d?([-._]|$)", PurePosixPath(name).name.lower()))


def role(name: str) -> tuple[str | None, str]:
    """What an array is for, images or labels or unknown (None), and of which part: train or test.

    The part is empty where the name does not say.
    """
    stem = PurePosixPath(name).name.lower()
    words = {word for word in re.split(r"[^a-z0-9]+", stem) if not FILLERS.fullmatch(word)}
    part = (
        "test" if words & TEST else "train" if words & TRAIN else "aside" if words & ASIDE else ""
    )
    kind = words - TEST - TRAIN - ASIDE
    if kind and kind <= IMAGES:
        return "images", part
    return "labels" if kind and kind <= LABELS else None, part


def wanted(names: list[str]) -> list[str]:
    """The arrays to be read: those with a role, or the only one there is."""
    if len(names) == 1:
        return names
    chosen = [name for name in names if role(name)[0] and role(name)[1] != "aside"]
    roles = [role(name) for name in chosen]
    parts = {part for kind, part in roles if kind == "images"}
    if len(set(roles)) < len(roles) or parts not in ({""}, {"train"}, {"train", "test"}):
        raise DataError(f"arrays must be called {NAMES}, got {', '.join(names[:8])}; rename them")
    return chosen


def read_npy(data: bytes | bytearray, name: str) -> np.ndarray:
    """An array in NumPy's format, as it is. No pickle is opened."""
    try:
        file = io.BytesIO(data[:HEADER])
        version = np.lib.format.read_magic(file)
        headers = np.lib.format
        read = {(1, 0): headers.read_array_header_1_0, (2, 0): headers.read_array_header_2_0}
        shape, fortran, dtype = read[version](file)
    except Exception as error:  # numpy has one for each way in which a header is broken
        raise DataError(
            f"{name} must be an array as numpy.save writes it, got a file that is none ({error}); "
            "save it again"
        ) from error
    if dtype.subdtype is not None or dtype.names is not None:
        raise DataError(
            f"arrays must hold one number at each place, got {dtype} in {name}; save it with "
            "one dtype, such as uint8"
        )
    if dtype.hasobject:
        raise DataError(
            f"arrays must hold numbers, got pickled Python objects in {name}, which could run any "
            "program when opened; save it with one dtype, such as uint8"
        )
    return shaped(data, file.tell(), dtype, shape, name, order="F" if fortran else "C")


def read_idx(data: bytes | bytearray, name: str) -> np.ndarray:
    """An array in the IDX format."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX or not 1 <= data[3] <= 4:
        raise DataError(
            f"{name} must begin as IDX files do (two zero bytes, type, rank), got "
            f"{data[:4].hex(' ') or 'nothing'}; check that it is one"
        )
    rank, start = data[3], 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(f"{name} must be a whole file, got {len(data)} bytes; fetch it again")
    shape = struct.unpack(f">{rank}I", data[4:start])
    return shaped(data, start, np.dtype(IDX[data[2]]), shape, name)


def unpacked(data: bytes | bytearray, name: str, most: int) -> bytes:
    """What gzip packed, if it is at most so many bytes."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(most + 1)
    except Exception as error:
        raise DataError(
            f"{name} must be a whole gzip file, got one that cannot be unpacked ({error}); fetch "
            "it again"
        ) from error
    if len(found) > most:
        raise DataError(
            f"{name} must have at most {most:,} bytes once unpacked, got more; leave some out"
        )
    return found


def shaped(
    data: bytes | bytearray,
    start: int,
    dtype: np.dtype,
    shape: tuple[int, ...],
    name: str,
    order: str = "C",
) -> np.ndarray:
    """Bytes from `start` on as an array, exactly as many as its shape needs; not copied."""
    needed = math.prod(shape) * dtype.itemsize  # Python's integers: no header overflows them
    if len(data) - start != needed or not needed or min(shape, default=1) < 1:
        values = " × ".join(map(str, shape))
        raise DataError(
            f"{name} must be whole and not empty: {needed:,} bytes for {values} values, got "
            f"{len(data) - start:,}; save or fetch it again"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)


def find(named: Named, size: int | None, grey: bool) -> Source:
    """Images and labels among named arrays, in two parts where the names say so."""
    roles = {role(name): (name, array) for name, array in named.items()}
    if len(named) == 1:
        [(name, array)] = named.items()
        roles = {("images", ""): (name, array)}
    part = "" if ("images", "") in roles else "train"
    parts = [part] + [p for p in ["test"] if part and ("images", p) in roles]
    images = [Images(*roles["images", p]) for p in parts]
    if len(images) == 2 and images[0].array.shape[1:] != images[1].array.shape[1:]:
        one, two = (" × ".join(map(str, i.array.shape[1:])) for i in images)
        raise DataError(
            f"images to train on and held-out ones must have one shape, got {one} and {two}; "
            "save them alike"
        )
    given = [roles.get(("labels", p)) for p in parts]
    if any(given) and not all(given):
        raise DataError(
            f"labels must be there for all images or for none, got {', '.join(named)}; add them or "
            "leave them out"
        )
    labels, classes = np.zeros(sum(map(len, images)), np.int64), ()
    if all(given):
        labels, classes = labels_of(given, images)
    span = span_of(images)
    ends = ends_of(*span, images[0].name)
    height, width, channels = images[0].layout
    grey = grey or channels == 1
    check_sides(*((size, size) if size else (height, width)), images[0].name)
    first = len(images[0])

    def decode(rows: Sequence[int]) -> np.ndarray:
        return np.stack(
            [
                image.decoded(row, ends, size, grey)
                for image, row in ((images[r >= first], r - first * (r >= first)) for r in rows)
            ]
        )

    sides = (size, size) if size else (height, width)
    return Source(
        shape=sides if grey else (3, *sides),
        labels=labels,
        classes=classes,
        held_out=np.arange(len(labels)) >= first if len(images) == 2 else None,
        span=span,
        ends=ends,
        decode=decode,
    )


class Images:
    """An array of images that has been checked: rank, channels, values.

    Raises: DataError.
    """

    def __init__(self, name: str, array: np.ndarray) -> None:
        self.name, self.array = name, array
        shape = " × ".join(map(str, array.shape))
        if array.dtype.kind not in "buif":
            raise DataError(f"images must be numbers, got {array.dtype} in {name}; convert them")
        if array.ndim not in (3, 4):
            raise DataError(
                f"an array of images must have the rank 3 (n, height, width) or 4 (n, height, "
                f"width, channels), got {shape} in {name}; reshape it"
            )
        if array.ndim == 4 and not {array.shape[1], array.shape[3]} & {1, 3}:
            raise DataError(
                f"images must have 1 channel or 3, first or last, got {shape} in {name}; drop or "
                "merge the others"
            )
        if array.dtype.kind == "f" and not (sound := finite(array)).all():
            raise DataError(
                f"images must have finite values, got NaN or ∞ in image {sound.argmin()} of "
                f"{name}; leave it out or fill it in"
            )

    def __len__(self) -> int:
        return len(self.array)

    @property
    def last(self) -> bool:
        """Whether the channels come last."""
        return self.array.ndim == 4 and self.array.shape[3] in (1, 3)

    @property
    def layout(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        if self.array.ndim == 3:
            return (*self.array.shape[1:], 1)
        return self.array.shape[1:] if self.last else (*self.array.shape[2:], self.array.shape[1])

    def decoded(
        self, row: int, ends: tuple[float, float], size: int | None, grey: bool
    ) -> np.ndarray:
        """One image u8 [h, w], or [3, h, w] in colour."""
        pixels = levels(self.array[row], ends)
        if pixels.ndim == 3 and not self.last:
            pixels = pixels.transpose(1, 2, 0)
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return fitted(image.convert("L") if grey and pixels.ndim == 3 else image, size)


def span_of(images: Sequence[Images]) -> tuple[float, float]:
    """The smallest and the largest value."""
    arrays = [image.array for image in images]
    return float(min(a.min() for a in arrays)), float(max(a.max() for a in arrays))


def labels_of(
    given: Sequence[tuple[str, np.ndarray]], images: Sequence[Images]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes as numbers from 0, and what each is called: as the labels say, in their order."""
    flat = []
    for (name, array), image in zip(given, images, strict=True):
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or len(array) != len(image):
            raise DataError(
                f"labels must be one for each of the {len(image):,} images, got "
                f"{' × '.join(map(str, array.shape))} in {name}; make them as many"
            )
        if array.dtype.kind not in "buifU":
            raise DataError(
                f"labels must be numbers or names, got {array.dtype} in {name}; convert them"
            )
        if array.dtype.kind == "U" and not readable(array):
            raise DataError(
                f"labels that are names must be text, got characters in {name} that Unicode does "
                "not have; save them again, or number the classes"
            )
        if array.dtype.kind == "f":
            whole = np.abs(array) < np.float64(2**63)  # also for halves, which end at 65,504
            if not (whole.all() and (array == array.round()).all()):
                odd = array[~whole | (array != array.round())][0]
                raise DataError(
                    f"labels must be whole numbers, got {odd:.4g} in {name}; number the classes"
                )
            array = array.astype(np.int64)
        flat.append(array)
    found, labels = np.unique(np.concatenate(flat), return_inverse=True)
    if len(found) > CLASSES:
        raise DataError(
            f"labels must name at most {CLASSES:,} classes, got {len(found):,} in {given[0][0]}; "
            "leave them out if they are no classes"
        )
    return labels.astype(np.int64), tuple(map(str, found.tolist()))


def readable(names: np.ndarray) -> bool:
    """Whether an array of text has only characters that there are, and can be written out."""
    if not names.dtype.itemsize:
        return True
    codes = np.ascontiguousarray(names).view(names.dtype.byteorder.replace("|", "=") + "u4")
    return not ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any()
