"""Image files: one by one, or in a folder for each class."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from infovae_core.catalogue import DataError
from infovae_core.files.source import CLASSES, Source, check_sides, ends_of, finite
from infovae_core.files.trees import Tree
from infovae_core.store import Progress

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"),
}
PIXELS = 50_000_000  # of one image, before it is decoded, and of all that are decoded at once
BYTES = 128 * 2**20  # of one file
WORKERS = 8
GREY = {"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I", "F"}
WIDE = ("I", "F")  # modes of more than a byte a pixel begin so
SPLITS = {"train": False, "training": False, "test": True, "testing": True}
ASIDE = {"val", "valid", "validation"}  # neither trained on nor reported
EVERY = 200  # images between two reports of progress
ORIENTATION = 0x0112  # how a camera was held; from 5 on, on its side


class Header(NamedTuple):
    """What an image file says of itself."""

    width: int
    height: int
    grey: bool
    span: tuple[float, float] | None  # of its values, where they have more than a byte


def is_picture(name: str) -> bool:
    """Whether a file is called as images are."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def find(tree: Tree, names: list[str], size: int | None, grey: bool, progress: Progress) -> Source:
    """Images of a tree, in class folders or all together, below train/ and test/ or not."""
    names, folders, held_out = sort_out(names)
    labels, classes = labels_of(folders, tree.title)
    headers = []
    for done, name in enumerate(names):
        if done % EVERY == 0:
            progress(done, len(names), "Looking at images")
        headers.append(read_header(tree.read(name, BYTES), name))
    grey = grey or all(header.grey for header in headers)
    sizes = {
        (header.height, header.width): name for header, name in zip(headers, names, strict=True)
    }
    if size is None and len(sizes) > 1:
        (one, first), (two, second) = list(sizes.items())[:2]
        raise DataError(
            f"images must be of one size, got {one[1]} × {one[0]} in {first} and {two[1]} × "
            f"{two[0]} in {second}; set a size to scale them to"
        )
    height, width = (size, size) if size else next(iter(sizes))
    check_sides(height, width, names[0])
    span, ends = span_of(headers, tree.title)
    largest = max(header.height * header.width for header in headers)
    workers = min(WORKERS, os.cpu_count() or 1, max(1, PIXELS // largest))
    reading = threading.Lock()  # a tree is read by one at a time

    def one(row: int) -> np.ndarray:
        with reading:
            data = tree.read(names[row], BYTES)
        return decoded(data, names[row], size, grey, ends)

    def decode(rows: Sequence[int]) -> np.ndarray:
        with ThreadPoolExecutor(workers) as pool:
            return np.stack(list(pool.map(one, rows)))

    return Source(
        shape=(height, width) if grey else (3, height, width),
        labels=labels,
        classes=classes,
        held_out=held_out,
        span=span,
        ends=ends,
        decode=decode,
    )


def sort_out(names: list[str]) -> tuple[list[str], list[str], np.ndarray | None]:
    """Names, the class folder of each (empty without one), and which are held out if that is said.

    Folders around everything are passed over, so that a zip may hold one folder that holds all.
    """
    parts = [PurePosixPath(name).parts for name in names]
    while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    tops = {part[0].lower() if len(part) > 1 else "" for part in parts}
    held_out = None
    if tops <= SPLITS.keys() | ASIDE and {SPLITS.get(top) for top in tops} >= {True, False}:
        kept = [i for i, part in enumerate(parts) if part[0].lower() in SPLITS]
        names = [names[i] for i in kept]
        held_out = np.array([SPLITS[parts[i][0].lower()] for i in kept])
        parts = [parts[i][1:] for i in kept]
    return names, [part[0] if len(part) > 1 else "" for part in parts], held_out


def labels_of(folders: list[str], title: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each image from its folder; the classes in the order of their names."""
    classes = sorted(set(folders), key=natural)
    if classes == [""]:
        return np.zeros(len(folders), np.int64), ()
    if "" in classes:
        raise DataError(
            f"images must all lie in class folders or all beside each other, got "
            f"{folders.count(''):,} beside {len(classes) - 1} folders in {title}; move them"
        )
    if len(classes) > CLASSES:
        raise DataError(
            f"folders must name at most {CLASSES:,} classes, got {len(classes):,} in {title}; put "
            "the images into one folder if theirs are no classes"
        )
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[folder] for folder in folders]), tuple(classes)


def span_of(
    headers: Sequence[Header], title: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The values in the files, and those that become black and white; of bytes 0 … 255.

    Where some images have more than a byte a pixel, it is theirs: all of them share one scale.
    """
    spans = [header.span for header in headers if header.span is not None]
    if not spans:
        return (0, 255), (0, 255)
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    return (low, high), ends_of(low, high, title)


def natural(name: str) -> tuple[object, ...]:
    """An order in which class 10 comes after class 9."""
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in re.split(r"(\d+)", name))


def read_header(data: bytes, name: str) -> Header:
    """Raises: DataError for what is no image, or one with more than `PIXELS` pixels."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            if width * height > PIXELS:
                raise too_large(name, f"{width * height:,}")
            grey, span = image.mode in GREY, None
            if image.mode.startswith(WIDE):
                span = span_found(np.asarray(image), name)
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(name, "far more") from error
    except Exception as error:  # Pillow has one for each way in which a file is broken
        raise broken(name, error) from error
    return Header(*((height, width) if turned else (width, height)), grey, span)


def span_found(pixels: np.ndarray, name: str) -> tuple[float, float]:
    """The smallest and the largest value of an image. Raises: DataError for NaN and ∞."""
    if not finite(pixels).all():
        raise DataError(
            f"images must have finite values, got NaN or ∞ in {name}; leave it out or fill it in"
        )
    return float(pixels.min()), float(pixels.max())


def too_large(name: str, got: str) -> DataError:
    """An image that would fill the memory."""
    return DataError(f"an image must have at most {PIXELS:,} pixels, got {got} in {name}; scale it")


def broken(name: str, error: Exception) -> DataError:
    """An image that cannot be decoded."""
    return DataError(
        f"images must be whole files ({', '.join(FORMATS)}), got {name} that cannot be decoded "
        f"({str(error) or type(error).__name__}); replace it or leave it out"
    )


def decoded(
    data: bytes,
    name: str,
    size: int | None,
    grey: bool,
    ends: tuple[float, float] = (0, 65535),
) -> np.ndarray:
    """An image u8 [h, w], or [3, h, w] in colour; what is transparent becomes white.

    Args:
        ends: black and white of values that have more than a byte.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith(WIDE):  # of which Pillow would keep the lower eight bits
                image = Image.fromarray(levels(np.asarray(image), ends))
            elif image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return fitted(image.convert("L" if grey else "RGB"), size)
    except Exception as error:
        raise broken(name, error) from error


def levels(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Values as bytes, of which 0 is black and 255 white."""
    black, white = ends
    if values.dtype == np.uint8 and white == 255:
        return values
    return (255 * (values.astype(np.float64) - black) / (white - black)).round().astype(np.uint8)


def fitted(image: Image.Image, size: int | None) -> np.ndarray:
    """The middle square of an image in so many pixels, or the whole as it is; colours first."""
    if size is not None and image.size != (size, size):
        side, (wide, high) = min(image.size), image.size
        left, top = (wide - side) // 2, (high - side) // 2
        middle = image.crop((left, top, left + side, top + side))  # so that no edge shines in
        image = middle.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.array(image)
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
