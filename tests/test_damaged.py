"""Uploads as a bad disk, another program or somebody hostile leaves them: read, or refused.

`INFOVAE_TRIES=2000 python -m pytest tests/test_damaged.py` damages each file so many times.
"""

import gzip
import io
import os
import random
import re
import struct
import tracemalloc
import zlib
from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest
from PIL import Image

from infovae_core import own
from infovae_core.catalogue import DataError
from infovae_core.files import arrays, pictures
from tests import formats
from tests.formats import idx, npy
from tests.mutations import broken

TRIES = int(os.environ.get("INFOVAE_TRIES", "6"))
X = formats.noise(20, 6, 5)
Y = np.arange(20) % 2
SIZES = (None, 4, 512)


def saved(pixels, kind, **more):
    """An image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **more)
    return file.getvalue()


def zipped(files):
    file = io.BytesIO()
    formats.write_zip(file, files)
    return file.getvalue()


EXIF = Image.Exif()
EXIF[pictures.ORIENTATION] = 6
COLOUR, FLOAT, WIDE = formats.noise(6, 5, 3), X[0] / np.float32(255), X[0].astype(np.uint16) * 257
PICTURES = {  # of each format in its kinds
    "grey.png": saved(X[0], "PNG"),
    "wide.png": saved(WIDE, "PNG"),
    "clear.png": saved(formats.noise(6, 5, 4), "PNG"),
    "turned.jpg": saved(COLOUR, "JPEG", exif=EXIF),
    "x.bmp": saved(COLOUR, "BMP"),
    "x.gif": saved(X[0], "GIF", transparency=0),
    "x.webp": saved(COLOUR, "WEBP"),
    "packed.tif": saved(X[0], "TIFF", compression="tiff_lzw"),
    "float.tif": saved(FLOAT, "TIFF", compression="tiff_deflate"),
    "wide.tif": saved(WIDE, "TIFF"),
    "x.pgm": saved(X[0], "PPM"),
}
ARRAYS = {
    "x.npy": npy(X),
    "turned.npy": npy(np.asfortranarray(X / 255)),
    "x.idx": idx(X),
}
TABLES = {  # files of named arrays
    "x.npz": {"x.npy": npy(X), "y.npy": npy(Y)},
    "named.npz": {"images.npy": npy(X / 255.0), "labels.npy": npy(np.array(["a", "bé"])[Y])},
    "idx.zip": {"train-images.idx": idx(X), "train-labels.idx": idx(Y.astype(np.uint8))},
    "pets.zip": formats.pictures(each=6, shape=(6, 5, 3))[0],
}
NAMES = ("../x.png", "x\ny.png", "x.png/", "train/x.png", "test/x.npy", "é😀.png", "y.npy", "con:")
DTYPES = (
    "<f8",
    ">f4",
    "<f2",
    "<f16",
    "|b1",
    "<i8",
    "<u8",
    ">i2",
    "<c16",
    "|O",
    "<U3",
    "|S2",
    "<M8[D]",
)
SHAPES = ((20, 6, 5), (20,), (20, 1), (), (0, 6, 5), (2**62, 4, 4), (10**30, 6, 5), (-20, 6, 5))


def array_of(chance):
    """An array with a header of its own, and often as many bytes as that says."""
    dtype, shape = chance.choice(DTYPES), chance.choice((*SHAPES[:4] * 2, *SHAPES))
    said = {"descr": dtype, "fortran_order": chance.random() < 0.3, "shape": shape}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, said)
    size = int(np.prod(shape, dtype=float)) * np.dtype(dtype).itemsize
    return file.getvalue() + chance.randbytes(max(0, min(size, 20_000)))


def sealed(png):
    """A PNG whose chunks have the checksums that their content asks for."""
    out, at = png[:8], 8
    while len(head := png[at : at + 8]) == 8:
        size = min(struct.unpack(">I", head[:4])[0], len(png))
        body = head[4:] + png[at + 8 : at + 8 + size]
        out += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        at += size + 12
    return out


def damaged(name, content, seed):
    """A file with something wrong that no checksum around it gives away."""
    chance = random.Random(seed)
    if name.endswith(".npy") and chance.random() < 0.5:
        return array_of(chance)
    content = broken(content, seed)
    return sealed(content) if name.endswith(".png") and chance.random() < 0.8 else content


def inside(files, seed):
    """Files of which one is damaged, called otherwise, there twice or missing."""
    chance = random.Random(seed)
    name = chance.choice(sorted(files))
    content = files[name]
    match chance.randrange(6):
        case 0:
            return {k: v for k, v in files.items() if k != name} | {chance.choice(NAMES): content}
        case 1:
            return files | {chance.choice(NAMES): content}
        case 2:
            return {k: v for k, v in files.items() if k != name}
        case _:
            return files | {name: damaged(name, content, seed)}


def beside(name, content):
    """A picture among sound ones."""
    return zipped({f"{i}.png": saved(x, "PNG") for i, x in enumerate(X[:12])} | {name: content})


def pictured(name, seed):
    return f"{name}.zip", beside(name, damaged(name, PICTURES[name], seed))


def alone(name, seed):
    return name, damaged(name, ARRAYS[name], seed)


def squeezed(name, seed):
    return f"{name}.gz", gzip.compress(damaged(name, ARRAYS[name], seed))


def within(name, seed):
    return name, zipped(inside(TABLES[name], seed))


def without(name, seed):
    return name, broken(zipped(TABLES[name]), seed)


WAYS = {
    pictured: PICTURES,
    alone: ARRAYS,
    squeezed: ["x.idx"],
    within: TABLES,
    without: TABLES,
}


def everything(root):
    lock = re.compile(r"\.own-[0-9a-f]{2}\.lock")
    return {path for path in root.rglob("*") if not lock.fullmatch(path.name)}


@contextmanager
def held_at_most(bytes_, said):
    """What Python and NumPy hold meanwhile, also where nothing is written to it, must be less."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    yield
    assert tracemalloc.get_traced_memory()[1] - before < bytes_, said


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_uploaded_is_read_or_refused(way, tmp_path, monkeypatch, traced):
    monkeypatch.setattr(pictures, "PIXELS", 100_000)
    monkeypatch.setattr(arrays, "HELD", 2**20)
    monkeypatch.setattr(own, "DECODED", 2**24)
    own.upload(tmp_path, "sound.npy", npy(X), None, False)
    before, read = everything(tmp_path), []
    for what, seed in product(WAYS[way], range(TRIES)):
        name, content = way(what, seed)
        with held_at_most(2 * own.DECODED, (what, seed)):
            try:
                chosen = own.upload(tmp_path, name, content, SIZES[seed % 3], seed % 2 == 0)
            except DataError as error:
                chosen, said = None, str(error)
        read.append(chosen is not None)
        if chosen is None:
            assert re.search(r"must .*, got .*; ", said, re.DOTALL), (what, seed)
            assert everything(tmp_path) == before, (what, seed)
            continue
        kept = own.load(chosen)
        assert {kept.train.x.dtype, kept.test.x.dtype} == {np.dtype(np.uint8)}, (what, seed)
        assert max(*kept.train.y, *kept.test.y) < max(1, len(kept.classes)), (what, seed)
        before = everything(tmp_path)
    assert set(read) == {True, False}  # damage that spoils all, or nothing, tries little
