"""Data sets that are fetched on first use, and read from where they lie.

torchvision knows their addresses and checksums, and is loaded only where it is needed.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from PIL import Image

from infovae_core import store
from infovae_core.catalogue import SETS, DataError
from infovae_core.files import pictures
from infovae_core.files.trees import Folder, Tree, Zip
from infovae_core.store import Arrays, Originals, Part, Progress, Shelf

if TYPE_CHECKING:
    from torchvision.datasets import VisionDataset

FACE = 148  # pixels of the square in the middle of an aligned picture, which is 178 × 218
REASON = 100  # characters of why a download failed
BLOCK = 512  # faces decoded between two looks at the progress
SMILING = "Smiling"  # the attribute by which faces are told apart
LISTS = ("list_eval_partition.txt", "list_attr_celeba.txt")
CIFAR = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}


def mnist(name: str, kind: str, root: Path, progress: Progress) -> Arrays:
    """MNIST and what comes in its format, in `root`/`kind`/raw."""
    remedy = (
        "put its four files (train-images-idx3-ubyte and so on, unpacked or .gz) there, set the "
        f"folder (data.root) to one that has {kind}/raw, or connect to the network"
    )
    with complaint(name, root / kind / "raw", remedy):
        train, test = fetched(name, kind, root, progress)
    train, test = (Part(part.data.numpy(), part.targets.numpy()) for part in (train, test))
    return Arrays(train, test, SETS[name].classes)


def cifar(name: str, root: Path, progress: Progress) -> Arrays:
    """CIFAR's Python version, in `root`/cifar-…; kept as arrays."""
    from torchvision import datasets

    kind = getattr(datasets, CIFAR[name])
    place = root / kind.base_folder
    files = [place / file for file, _ in (*kind.train_list, *kind.test_list)]

    def make(shelf: Shelf) -> dict[str, Any]:
        # Its files are pickles, which run what they please when opened. torchvision opens none
        # whose checksum is not the one of the published file, so it can only be that file.
        for part, images in zip(
            ("train", "test"), fetched(name, CIFAR[name], root, progress), strict=True
        ):
            shelf.put(f"{part}-x", np.ascontiguousarray(images.data.transpose(0, 3, 1, 2)))
            shelf.put(f"{part}-y", np.array(images.targets))
        return {"classes": images.classes}

    remedy = (
        f"unpack {kind.filename} (from {kind.url}) so that it lies there, set the folder "
        f"(data.root) to one that has {kind.base_folder}, or connect to the network"
    )
    with complaint(name, place, remedy):
        if not all(file.exists() for file in files):
            fetched(name, CIFAR[name], root, progress)
        return store.decoded(root, name, Originals(root, tuple(files)), make, progress)


def celeba(root: Path, progress: Progress) -> Arrays:
    """CelebA's aligned faces in `root`/celeba, unpacked or not; its validation part is left out."""
    place = root / "celeba"
    remedy = (
        f"put img_align_celeba.zip (packed or not), {' and '.join(LISTS)} from "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html there, or set the folder (data.root) to "
        "one that has celeba"
    )
    with complaint("celeba", place, remedy):
        if not celeba_files(place):
            fetch_celeba(root, progress)
        originals = Originals(root, celeba_files(place))
        make = partial(faces, place, progress=progress)
        return store.decoded(root, "celeba", originals, make, progress)


def celeba_files(place: Path) -> tuple[Path, ...]:
    """What is read of CelebA; empty where something is missing. The folder stands for its files."""
    images = [place / "img_align_celeba", place / "img_align_celeba.zip"]
    found = [path for path in images if path.exists()][:1] + [place / name for name in LISTS]
    return tuple(found) if len(found) == 3 and all(path.exists() for path in found) else ()


def faces(place: Path, shelf: Shelf, progress: Progress) -> dict[str, Any]:
    """Decode the faces to a shelf; the rest of the record. Every attribute is a factor."""
    part_of = {row[0]: row[1] for row in rows_of(place / LISTS[0])}
    [_], names, *rows = rows_of(place / LISTS[1])
    attributes = {row[0]: np.array(row[1:], np.int8) > 0 for row in rows}
    tree: Tree = (
        Folder(place / "img_align_celeba")
        if (place / "img_align_celeba").is_dir()
        else Zip(place / "img_align_celeba.zip", "img_align_celeba.zip")
    )
    where = {name.rpartition("/")[2]: name for name in tree.names}
    shape, done = SETS["celeba"].shape, 0
    wanted = {
        part: sorted(name for name, told in part_of.items() if told == number)
        for part, number in (("train", "0"), ("test", "2"))
    }
    total = sum(map(len, wanted.values()))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for part, files in wanted.items():
            x = shelf.empty(f"{part}-x", (len(files), *shape))
            factors = np.array([attributes[file] for file in files], np.uint8)
            for start in range(0, len(files), BLOCK):
                block = files[start : start + BLOCK]
                jobs = [pool.submit(face, tree.read(where[file]), file) for file in block]
                x[start : start + BLOCK] = [job.result() for job in jobs]
                done += len(block)
                progress(done, total, "Decoding faces")
            shelf.put(f"{part}-y", factors[:, names.index(SMILING)].astype(np.int64))
            shelf.put(f"{part}-factors", factors)
    return {"classes": SETS["celeba"].classes, "factors": [(name, 2) for name in names]}


def face(data: bytes, name: str) -> np.ndarray:
    """The middle of an aligned picture, scaled: u8 [3, 64, 64]."""
    side = SETS["celeba"].shape[-1]
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            wide, high = image.size
            left, top = (wide - FACE) // 2, (high - FACE) // 2
            middle = image.convert("RGB").crop((left, top, left + FACE, top + FACE))
            return pictures.fitted(middle, side)
    except Exception as error:
        raise pictures.broken(name, error) from error


def rows_of(path: Path) -> list[list[str]]:
    """The words of each line."""
    with path.open(encoding="utf-8") as file:
        lines = csv.reader(file, delimiter=" ", skipinitialspace=True)
        return [words for line in lines if (words := [word for word in line if word])]


def fetch_celeba(root: Path, progress: Progress) -> None:
    """Let torchvision fetch CelebA, whose Google Drive needs gdown."""
    from torchvision.datasets import CelebA

    progress(0, 0, f"Downloading CelebA ({SETS['celeba'].download})")
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".celeba.lock"):
        CelebA(root, download=True)


def fetched(
    name: str, kind: str, root: Path, progress: Progress
) -> tuple[VisionDataset, VisionDataset]:
    """Training and test part by torchvision's class `kind`, downloaded where they are not."""
    from torchvision import datasets

    def both(download: bool) -> tuple[VisionDataset, VisionDataset]:
        make: Callable[..., VisionDataset] = getattr(datasets, kind)
        return tuple(make(root, train=part, download=download) for part in (True, False))

    try:
        return both(download=False)  # also from a folder that may only be read
    except RuntimeError:
        progress(0, 0, f"Downloading {SETS[name].title} ({SETS[name].download})")
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):  # two runs must not write the same files
            return both(download=True)


@contextmanager
def complaint(name: str, place: Path, remedy: str) -> Iterator[None]:
    """Say what to do where a set is neither there nor to be had."""
    try:
        yield
    except DataError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = said[-1] if said else type(error).__name__  # the last mirror's answer
        raise DataError(
            f"{SETS[name].title} must lie whole in {place.resolve()}: {remedy} (downloading it "
            f"failed: {shorten(reason, REASON, placeholder=' …')})"
        ) from error
