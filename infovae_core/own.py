"""A person's own images as a data set: split, decoded once, and kept beside the others.

Uploads lie whole in `<root>/own/<name>-<content>/`; a config names them by their path. Loads no
torch.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from infovae_core import files, store
from infovae_core.catalogue import HELD_OUT, SETS, About, DataError
from infovae_core.config import DataConfig
from infovae_core.files import Source, trees
from infovae_core.files.source import DECODED
from infovae_core.store import Arrays, Originals, Progress, Shelf, quiet

FOLDER = "own"  # in the folder of the data
LEAST = 10  # images
NAME = 60  # characters that are kept of a name, the last: no more than 255 bytes
BLOCK = 256  # images decoded between two looks at the progress


def load(config: DataConfig, progress: Progress = quiet) -> Arrays:
    """The images that `config.path` leads to, decoded now if they were not before.

    Raises: DataError.
    """
    path, how = config.path, {"size": config.size, "grey": config.grey}

    def make(shelf: Shelf) -> dict[str, Any]:
        return write(files.find(path, config.size, config.grey, progress), shelf, progress)

    try:
        originals = Originals(path if path.is_dir() else path.parent, files.files_of(path))
        name = f"own-{slug(path.stem)}"
        return store.decoded(config.root, name, originals, make, progress, **how)
    except OSError as error:
        trees.open_tree(path)  # which says what is wrong where nothing is there
        raise DataError(
            f"{path} must be readable, got {error.strerror or error}; check its rights, and those "
            f"of the folder {config.root}"
        ) from error


def about(config: DataConfig, kept: Arrays) -> About:
    """What is known of the images that were loaded."""
    facts = kept.facts
    return replace(
        SETS["files"],
        title=config.path.name,
        shape=kept.train.x.shape[1:],
        train=len(kept.train.y),
        test=len(kept.test.y),
        values=facts["values"],
        classes=kept.classes,
        counts=tuple(facts["counts"]),
        span=tuple(facts["span"]),
        ends=tuple(facts["ends"]),
    )


def write(source: Source, shelf: Shelf, progress: Progress) -> dict[str, Any]:
    """Decode a source to a shelf; the rest of its record."""
    held_out = source.held_out
    if held_out is None:
        held_out = chosen(source.labels)
    # In an order without meaning: the first so many are a fair sample.
    order = np.random.default_rng(0).permutation(len(source))
    parts = {"train": order[~held_out[order]], "test": order[held_out[order]]}
    if min(map(len, parts.values())) < 2 or len(source) < LEAST:
        raise DataError(
            f"there must be at least {LEAST} images, two of them held out and two not, got "
            f"{len(parts['train'])} and {len(parts['test'])} held out; add some"
        )
    if (needed := len(source) * math.prod(source.shape)) > DECODED:
        raise DataError(
            f"images must take at most {DECODED:,} bytes once decoded, got {needed:,}: "
            f"{len(source):,} of {' × '.join(map(str, source.shape))}; set a smaller size, or "
            "leave some out"
        )
    done, levels = 0, set()
    for part, rows in parts.items():
        x = shelf.empty(f"{part}-x", (len(rows), *source.shape))
        for start in range(0, len(rows), BLOCK):
            block = source.decode(rows[start : start + BLOCK].tolist())
            x[start : start + BLOCK] = block
            if len(levels) < 3:
                levels |= set(np.unique(block).tolist())
            done += len(block)
            progress(done, len(source), "Decoding images")
        shelf.put(f"{part}-y", source.labels[rows])
    kind = "colour" if len(source.shape) == 3 else "binary" if levels <= {0, 255} else "grey"
    counts = np.bincount(source.labels, minlength=len(source.classes)).tolist()
    return {
        "classes": source.classes,
        "values": kind,
        "counts": counts if source.classes else [],
        "span": source.span,
        "ends": source.ends,
    }


def chosen(labels: np.ndarray) -> np.ndarray:
    """Which items are held out, bool [n]: equal shares of the classes, the same each time.

    One item of every class is always trained on, and two items at least are held out.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, first = np.unique(labels[order], return_index=True)
    rest = np.delete(order, first)
    held_out = np.zeros(len(labels), bool)
    if len(rest) > 1:
        count = max(2, round(HELD_OUT * len(labels)))
        places = np.linspace(0, len(rest) - 1, min(count, len(rest)))
        held_out[rest[places.round().astype(int)]] = True
    return held_out


# Uploads.


def uploads(root: Path) -> list[Path]:
    """Files that were uploaded, the newest first."""
    found = [path for path in (root / FOLDER).glob("[!.]*/*") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def upload(
    root: Path, name: str, data: bytes, size: int | None, grey: bool, progress: Progress = quiet
) -> DataConfig:
    """Keep an uploaded file once it is known to be sound; the config that trains on it.

    Raises: DataError; then everything is as it was.
    """
    name = re.sub(r"[\x00-\x1f]", "", name.replace("\\", "/").rpartition("/")[2])
    name = name.encode(errors="replace").decode().lstrip(".")[-NAME:] or "upload"
    # By the name, too: the same bytes under another name are another file, which runs may name.
    digest = hashlib.blake2b(name.encode() + b"\0" + data, digest_size=8).hexdigest()
    place = root / FOLDER / f"{slug(Path(name).stem)}-{digest}"
    config = DataConfig(name="files", path=place / name, size=size, grey=grey, root=root)
    if config.path.is_file():
        load(config, progress)
        return config
    trial = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    try:
        trial.mkdir(parents=True)
        (trial / name).write_bytes(data)
        # The name and the time of a file are part of its key: what is decoded here is found again.
        load(config.model_copy(update={"path": trial / name}), progress)
        os.replace(trial, place)
    except OSError as error:
        raise DataError(
            f"the folder {root} must have room for what is uploaded, and let it be written, got "
            f"{error.strerror or error}; free some, or choose another folder (data.root)"
        ) from error
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return config


def slug(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "data"
