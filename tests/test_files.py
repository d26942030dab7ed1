"""A person's own images: what is read is what lies there, and what cannot be used says why."""

import gzip
import io
import re
import stat
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from infovae_core import catalogue, data, files, own
from infovae_core.catalogue import DataError
from infovae_core.config import DataConfig
from infovae_core.files import arrays, pictures, source, trees
from tests import formats
from tests.formats import idx, npy, png


def config(path, **more):
    return DataConfig(name="files", path=path, root=path.parent / "data", **more)


def images_of(dataset):
    """All images, in any order, as a set of bytes with their classes."""
    found = []
    for split in (dataset.train, dataset.test):
        for x, y in zip(split.items(), split.y.tolist(), strict=True):
            pixels = (x * 255).round().to(torch.uint8).numpy()
            found.append((pixels.tobytes(), dataset.classes[y] if dataset.classes else None))
    return sorted(found)


def expected(pixels):
    return sorted(
        (np.ascontiguousarray(array.transpose(2, 0, 1) if array.ndim == 3 else array).tobytes(), k)
        for array, k in pixels
    )


# What is accepted.


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inside", ["", "photos/mine/"])
def test_class_folders_are_classes(packed, inside, tmp_path):
    bytes_by_name, pixels = formats.pictures()
    named = {inside + name: value for name, value in bytes_by_name.items()}
    named |= {"__MACOSX/._1.png": b"junk", inside + "cat/.DS_Store": b"junk", "notes.txt": b"hi"}
    if packed:
        path = tmp_path / "pets.zip"
        formats.write_zip(path, named)
    else:
        path = tmp_path / "pets"
        formats.write_folder(path, named)
    found = data.load(config(path))
    assert found.classes == ("cat", "dog")
    assert images_of(found) == expected((a, n.split("/")[0]) for n, a in pixels.items())
    known = catalogue.about(config(path))
    assert (known.shape, known.values, known.counts) == ((3, 12, 12), "colour", (10, 10))
    assert (known.train, known.test) == (len(found.train), len(found.test))


def test_images_beside_each_other_have_no_classes(tmp_path):
    pixels = [formats.noise(9, 7, seed=i) for i in range(12)]
    formats.write_folder(tmp_path / "all", {f"{i}.png": png(a) for i, a in enumerate(pixels)})
    found = data.load(config(tmp_path / "all"))
    assert found.classes == ()
    assert images_of(found) == expected((a, None) for a in pixels)
    assert found.shape == (9, 7)


def test_train_and_test_folders_are_the_split(tmp_path):
    train, _ = formats.pictures(each=8)
    test, two = formats.pictures(each=3, seed=500)
    named = {f"train/{k}": v for k, v in train.items()} | {f"test/{k}": v for k, v in test.items()}
    formats.write_folder(tmp_path / "set", named | {"val/cat/1.png": train["cat/0.png"]})
    found = data.load(config(tmp_path / "set"))
    assert (len(found.train), len(found.test), found.classes) == (16, 6, ("cat", "dog"))
    wanted = {array.transpose(2, 0, 1).tobytes() for array in two.values()}
    assert {(x * 255).round().byte().numpy().tobytes() for x in found.test.items()} == wanted


SCALES = {
    "bytes": (lambda x: x, (0, 255)),
    "shares": (lambda x: x / np.float32(255), (0, 1)),
    "signed": (lambda x: x / 127.5 - 1, (-1, 1)),
    "floats to 255": (lambda x: x.astype(np.float16), (0, 255)),
    "16 bits": (lambda x: x.astype(np.uint16) * 257, (0, 65535)),
    "int64": (lambda x: x.astype(np.int64), (0, 255)),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "shape", [(20, 6, 5), (20, 6, 5, 1), (20, 1, 6, 5), (20, 3, 6, 5), (20, 6, 5, 3)]
)
def test_arrays_of_any_layout_and_scale_are_the_same_images(scale, shape, tmp_path):
    pixels = formats.noise(*shape)
    pixels.flat[:2] = 0, 255
    convert, span = SCALES[scale]
    np.savez_compressed(tmp_path / "x.npz", images=convert(pixels), labels=np.arange(20) % 4 + 3)
    found = data.load(config(tmp_path / "x.npz"))
    grey = pixels.reshape(20, 6, 5) if 1 in shape[1:] or len(shape) == 3 else None
    plain = grey if grey is not None else pixels if shape[-1] == 3 else pixels.transpose(0, 2, 3, 1)
    labels = (np.arange(20) % 4 + 3).astype(str)
    assert images_of(found) == expected(zip(plain, labels, strict=True))
    assert catalogue.about(config(tmp_path / "x.npz")).span == pytest.approx(span)


def test_fortran_order_and_a_lone_npy_are_read(tmp_path):
    pixels = formats.noise(20, 6, 5)
    np.save(tmp_path / "whatever.npy", np.asfortranarray(pixels))
    assert images_of(data.load(config(tmp_path / "whatever.npy"))) == expected(
        (a, None) for a in pixels
    )


def test_masks_are_binary(tmp_path):
    np.save(tmp_path / "masks.npy", formats.noise(20, 6, 5) > 127)
    assert catalogue.about(config(tmp_path / "masks.npy")).values == "binary"
    assert set(data.load(config(tmp_path / "masks.npy")).train.items().unique().tolist()) == {0, 1}


def test_parts_of_an_npz_are_the_split_and_labels_may_be_names(tmp_path):
    x, y = formats.noise(20, 6, 5), np.array(["b", "a"] * 10)
    parts = {"x_train": x[:15], "y_train": y[:15], "x_test": x[15:], "y_test": y[15:]}
    np.savez(tmp_path / "set.npz", **parts, val_images=x, extra=np.array([{}], object))
    found = data.load(config(tmp_path / "set.npz"))
    assert (len(found.train), len(found.test), found.classes) == (15, 5, ("a", "b"))
    assert images_of(found) == expected(zip(x, y, strict=True))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_as_mnist_has_them(packed, tmp_path):
    found = formats.write_mnist(tmp_path)
    folder = tmp_path / "MNIST" / "raw"
    if packed:
        for path in list(folder.iterdir()):
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    mine = data.load(config(folder))
    assert len(mine.test) == len(found["test"][0])
    both = [zip(*part, strict=True) for part in found.values()]
    assert images_of(mine) == expected((a, str(y)) for part in both for a, y in part)


def test_an_archive_may_hold_an_array(tmp_path):
    x = formats.noise(20, 6, 5)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=x)
    formats.write_zip(tmp_path / "one.zip", {"folder/set.npz": buffer.getvalue()})
    formats.write_zip(tmp_path / "two.zip", {"x.npy": npy(x), "y.npy": npy(np.zeros(20))})
    for name in ("one", "two"):
        assert len(catalogue.about(config(tmp_path / f"{name}.zip")).shape) == 2


def test_size_takes_the_middle_square_and_grey_is_luma(tmp_path):
    pixels = np.zeros((12, 8, 16, 3), np.uint8)
    pixels[:, :, 4:12] = (200, 100, 50)  # the middle square
    pixels[:, :, :4] = 255
    named = {f"{i}.png": png(a) for i, a in enumerate(pixels)}
    named |= {
        f"large{i}.png": png(np.kron(a, np.ones((2, 2, 1), np.uint8))) for i, a in enumerate(pixels)
    }
    formats.write_folder(tmp_path / "wide", named)
    small = data.load(config(tmp_path / "wide", size=4)).train.items()
    assert small.shape[1:] == (3, 4, 4)
    colour = torch.tensor([200, 100, 50])[:, None, None] / 255
    assert (small - colour).abs().max() < 1e-6
    grey = data.load(config(tmp_path / "wide", size=4, grey=True)).train.items()
    luma = (0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255
    assert (grey - luma).abs().max() < 1 / 255
    np.save(tmp_path / "wide.npy", pixels)
    same = data.load(config(tmp_path / "wide.npy", size=4)).train.items()
    assert torch.equal(same[0], small[0])


def saved(image, kind, **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def test_odd_images_are_read_as_one_sees_them(tmp_path):
    white = Image.new("RGBA", (8, 8), (9, 9, 9, 0))  # nothing but what is behind it
    assert (pictures.decoded(saved(white, "PNG"), "a", None, True) == 255).all()
    deep = Image.fromarray(np.full((8, 8), 257 * 77, np.uint16))
    assert pictures.read_header(saved(deep, "PNG"), "a").grey
    assert (pictures.decoded(saved(deep, "PNG"), "a", None, True) == 77).all()
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    assert pictures.decoded(saved(palette, "GIF"), "a", None, False)[:, 0, 0].tolist() == [
        10,
        200,
        30,
    ]
    turned = Image.fromarray(formats.noise(8, 12, 3))
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 6
    held = saved(turned, "JPEG", exif=exif)
    assert pictures.read_header(held, "a")[:2] == (8, 12)
    assert pictures.decoded(held, "a", None, False).shape == (3, 12, 8)


WIDE = {
    "float": np.linspace(0, 1, 64, dtype=np.float32),
    "float to 255": np.linspace(0, 255, 64, dtype=np.float32),
    "signed float": np.linspace(-1, 1, 64, dtype=np.float32),
    "int32": np.linspace(0, 65535, 64).round().astype(np.int32),
    "12 bits": np.linspace(0, 4095, 64).round().astype(np.uint16),
}


@pytest.mark.parametrize("kind", WIDE)
def test_images_of_more_than_a_byte_are_scaled_as_arrays_are(kind, tmp_path):
    values = WIDE[kind].reshape(8, 8)
    images = [saved(Image.fromarray(np.roll(values, i)), "TIFF") for i in range(12)]
    formats.write_folder(tmp_path / "deep", {f"{i}.tif": x for i, x in enumerate(images)})
    np.save(tmp_path / "x.npy", np.stack([np.roll(values, i) for i in range(12)]))
    found, same = (data.load(config(tmp_path / name)) for name in ("deep", "x.npy"))
    assert images_of(found) == images_of(same)
    known = catalogue.about(config(tmp_path / "deep"))
    assert known.span == pytest.approx((values.min(), values.max()))
    assert known.ends == known.span
    ramp = np.linspace(0, 255, 64).round()  # all of what bytes can show
    assert np.abs(np.sort(found.train.items()[0].flatten().numpy()) * 255 - ramp).max() <= 1


@pytest.mark.parametrize(
    ("value", "match"),
    [(np.nan, "finite values, got NaN or ∞ in bad.tif"), (70_000, r"must lie in .* to 7e\+04 in")],
)
def test_images_of_other_values_are_refused(value, match, tmp_path):
    values = WIDE["float"].reshape(8, 8).copy()
    named = {f"{i}.tif": saved(Image.fromarray(values), "TIFF") for i in range(12)}
    values[3, 3] = value
    named["bad.tif"] = saved(Image.fromarray(values), "TIFF")
    formats.write_folder(tmp_path / "deep", named)
    refused(tmp_path / "deep", match)


@pytest.mark.parametrize(
    ("span", "ends"),
    [
        *(((0, 1), (0, 1)), ((0, 0.6), (0, 1)), ((0, 0.4), (0, 0.4)), ((0, 0), (0, 1))),
        *(((-1, 1), (-1, 1)), ((-0.1, 0.2), (-1, 1))),
        *(((0, 16), (0, 16)), ((3, 16), (0, 16)), ((0, 255), (0, 255)), ((0, 200), (0, 255))),
        *(((0, 4095), (0, 4095)), ((0, 40_000), (0, 65535)), ((5, 65535), (0, 65535))),
    ],
)
def test_white_is_the_usual_value_or_the_largest_where_that_stays_far_below(span, ends):
    assert source.ends_of(*span, "x") == ends


def test_digits_as_scikit_learn_has_them_are_not_dark(tmp_path):
    images = formats.noise(50, 8, 8) % 17.0
    np.savez(tmp_path / "digits.npz", x=images)
    found = data.load(config(tmp_path / "digits.npz"))
    x = torch.cat((found.train.items(), found.test.items()))
    assert x.max() == 1
    assert x.mean() == pytest.approx(images.mean() / 16, abs=1e-3)
    known = catalogue.about(config(tmp_path / "digits.npz"))
    assert known.span == known.ends == (0, 16)


@pytest.mark.parametrize("seed", range(5))
def test_the_split_is_fair_and_always_the_same(seed):
    random = np.random.default_rng(seed)
    labels = np.sort(random.choice(6, size=300, p=[0.4, 0.3, 0.2, 0.07, 0.02, 0.01]))
    labels[:2] = 7, 8  # classes of one
    held_out = own.chosen(labels)
    assert (held_out == own.chosen(labels)).all()
    assert held_out.sum() == round(catalogue.HELD_OUT * 300)
    for label in np.unique(labels):
        mine = labels == label
        assert not held_out[mine].all()
        assert abs(held_out[mine].sum() - catalogue.HELD_OUT * mine.sum()) <= 1.5


def test_the_first_so_many_of_sorted_files_are_a_fair_sample(tmp_path):
    np.savez(tmp_path / "x.npz", x=formats.noise(600, 4, 4), y=np.sort(np.arange(600) % 3))
    some = data.load(config(tmp_path / "x.npz", limit=150))
    assert (torch.bincount(some.train.y) - 50).abs().max() < 20
    whole = data.load(config(tmp_path / "x.npz"))
    assert torch.equal(some.train.x, whole.train.x[:150])
    assert torch.equal(some.test.x, whole.test.x)


def test_a_second_look_decodes_nothing_and_a_changed_file_is_read_anew(tmp_path, monkeypatch):
    calls = []
    find = files.find
    monkeypatch.setattr(files, "find", lambda *args: calls.append(args) or find(*args))
    path = tmp_path / "x.npy"
    np.save(path, formats.noise(20, 6, 5))
    for _ in range(2):
        catalogue.about(config(path))
        data.load(config(path))
    assert len(calls) == 1
    catalogue.about(config(path, size=4))
    assert len(calls) == 2
    np.save(path, formats.noise(30, 6, 5))
    assert catalogue.about(config(path)).train == 25
    assert len(calls) == 3


# What is refused: the rule, what was got, the remedy.


def refused(path, match, **more):
    with pytest.raises(DataError, match=match) as error:
        catalogue.about(config(path, **more))
    said = str(error.value)
    assert re.search(r"must .*, got .*; ", said, re.DOTALL), said
    assert "\n" not in said
    cache = path.parent / "data" / "cache"
    assert not cache.exists() or not list(cache.glob("[!.]*"))
    assert not list(cache.glob("*.partial"))


X = formats.noise(20, 6, 5)
LABELS = np.arange(20) % 2


def not_finite(value):
    x = X / np.float32(255)
    x[7, 1, 1] = value
    return x


def unicode(code):
    return np.full(20, code, np.uint32).view("U1")


BAD_ARRAYS = {
    "rank 2": ({"x": X.reshape(20, -1)}, "rank 3 .* or 4 .* got 20 × 30 in x"),
    "rank 5": ({"x": X[..., None, None]}, "rank 3"),
    "two channels": ({"x": np.stack([X, X], -1)}, "1 channel or 3"),
    "complex": ({"x": X + 1j}, "must be numbers, got complex128"),
    "objects": ({"x": np.array([{}] * 20)}, "pickled Python objects in x"),
    "object labels": ({"x": X, "y": np.array([None] * 20)}, "pickled Python objects in y"),
    "NaN": ({"x": not_finite(np.nan)}, "finite values, got NaN or ∞ in image 7 of x"),
    "infinity": ({"x": not_finite(np.inf)}, "finite values"),
    "range": ({"x": X - 70.0}, r"must lie in \[0, 1\], .* got -70 to 185"),
    "too few labels": ({"x": X, "y": LABELS[1:]}, "one for each of the 20 images, got 19 in y"),
    "matrix of labels": ({"x": X, "y": np.eye(20)}, "one for each of the 20 images, got 20 × 20"),
    "half labels": ({"x": X, "y": LABELS + 0.5}, "whole numbers, got 0.5 in y"),
    "huge labels": ({"x": X, "y": LABELS * 1e300}, r"whole numbers, got 1e\+300 in y"),
    "infinite halves": ({"x": X, "y": np.full(20, np.inf, "f2")}, "whole numbers, got inf in y"),
    "NaN labels": ({"x": X, "y": np.full(20, np.nan)}, "whole numbers, got nan in y"),
    "labels of no characters": ({"x": X, "y": unicode(0x110000)}, "must be text, got characters"),
    "halves of characters": ({"x": X, "y": unicode(0xD800)}, "must be text, got characters"),
    "complex labels": ({"x": X, "y": LABELS * 1j}, "numbers or names"),
    "labels of one part": ({"x_train": X, "x_test": X, "y_train": LABELS}, "for all images or"),
    "unknown names": ({"left": X, "right": X}, "must be called x and y"),
    "two arrays of images": ({"x": X, "images": X}, "must be called x and y"),
    "held-out ones only": ({"x_test": X, "y_test": LABELS}, "must be called x and y"),
    "two shapes": ({"x_train": X, "x_test": X[:, :4]}, "one shape, got 6 × 5 and 4 × 5"),
    "too few": ({"x": X[:9]}, "at least 10 images"),
    "all classes of one": ({"x": X, "y": np.arange(20)}, "two of them held out"),
    "no items": ({"x": X[:0]}, "whole and not empty"),
    "tiny": ({"x": X[:, :3, :3]}, "4 to 512 pixels on a side, got 3 × 3 in x"),
    "large": ({"x": np.zeros((10, 4, 600), np.uint8)}, "4 to 512 pixels on a side, got 600 × 4"),
}


@pytest.mark.parametrize("dtype", ["?", "u8", "f2", "f4", "f8", "U1"])
def test_labels_of_any_type_are_classes(dtype, tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=(LABELS % 2).astype(dtype))
    found = data.load(config(tmp_path / "x.npz"))
    assert found.classes == (("False", "True") if dtype == "?" else ("0", "1"))
    assert torch.cat([found.train.y, found.test.y]).bincount().tolist() == [10, 10]


@pytest.mark.parametrize("fault", BAD_ARRAYS)
def test_bad_arrays_say_what_is_wrong(fault, tmp_path):
    named, match = BAD_ARRAYS[fault]
    np.savez(tmp_path / "x.npz", **named)
    refused(tmp_path / "x.npz", match)


def test_too_many_classes_are_no_classes(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((2400, 4, 4), np.uint8), y=np.arange(2400) // 2)
    refused(tmp_path / "x.npz", "at most 1,000 classes, got 1,200")


def header(shape, dtype="|u1"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


BAD_FILES = {
    "x.npy": {
        "arrays within": (header((20,), "(6,5)u1") + X.tobytes(), "one number at each place"),
        "not NumPy's": (b"hello, this is text", "as numpy.save writes it"),
        "empty": (b"", "as numpy.save writes it"),
        "cut off": (npy(X)[:-1], "whole and not empty: 600 bytes for 20 × 6 × 5 values, got 599"),
        "too long": (npy(X) + b"1", "got 601"),
        "lies about its size": (header((10**9, 10**9, 10**9)), "whole and not empty"),
        "less than no rows": (header((-20, -6, 5)) + X.tobytes(), "whole and not empty"),
        "code for a header": (header("__import__('os').abort()"), "as numpy.save writes it"),
    },
    "x.npz": {"no zip": (b"PK\3\4 not a zip", "whole zip archive")},
    "x.zip": {
        "no zip": (b"hello", "whole zip archive"),
        "empty": (b"", "whole zip archive"),
    },
    "x.idx": {
        "wrong start": (b"\1\2\3\4" + bytes(99), "begin as IDX files do .* got 01 02 03 04"),
        "empty": (b"", "begin as IDX files do"),
        "cut off": (idx(X)[:-5], "whole and not empty"),
        "header cut off": (idx(X)[:9], "must be a whole file"),
    },
    "x-idx3-ubyte.gz": {
        "no gzip": (b"hello", "whole gzip file"),
        "cut off": (gzip.compress(idx(X))[:-20], "whole gzip file"),
    },
    "x.pkl": {"a pickle": (b"\x80\4N.", "your own data must be images")},
    "x.png": {
        "no image": (b"hello", r"whole files .* got x.png"),
        "one image": (png(X[0]), "at least 10 images"),
    },
}


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, faults in BAD_FILES.items() for fault in faults]
)
def test_bad_files_say_what_is_wrong(name, fault, tmp_path):
    content, match = BAD_FILES[name][fault]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, match)


@pytest.mark.parametrize("keep", [20, 60, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_images_that_are_cut_off_are_named(kind, keep, tmp_path):
    named, _ = formats.pictures(each=6, shape=(32, 32, 3))
    whole = saved(Image.fromarray(formats.noise(32, 32, 3)), kind)
    cut = whole[: int(keep * len(whole)) if isinstance(keep, float) else keep]
    formats.write_folder(tmp_path / "pets", named | {f"cat/bad.{kind.lower()}": cut})
    refused(tmp_path / "pets", rf"whole files .* got cat/bad.{kind.lower()}")


def test_images_of_two_sizes_need_a_size(tmp_path):
    named, _ = formats.pictures(each=6)
    named["dog/wide.png"] = png(formats.noise(12, 20, 3))
    formats.write_folder(tmp_path / "pets", named)
    refused(
        tmp_path / "pets", "one size, got 12 × 12 in .* and 20 × 12 in dog/wide.png; set a size"
    )
    assert catalogue.about(config(tmp_path / "pets", size=8)).shape == (3, 8, 8)


def test_images_with_and_without_a_class_do_not_mix(tmp_path):
    named, _ = formats.pictures(each=6)
    formats.write_folder(tmp_path / "pets", named | {"loose.png": named["cat/0.png"]})
    refused(tmp_path / "pets", "all lie in class folders or all beside each other, got 1 beside 2")


def test_an_image_past_the_pixel_limit_is_not_decoded(tmp_path, monkeypatch):
    named, _ = formats.pictures(each=6)
    monkeypatch.setattr(pictures, "PIXELS", 12 * 12 - 1)
    monkeypatch.setattr(pictures, "decoded", lambda *_: pytest.fail("decoded"))
    formats.write_folder(tmp_path / "pets", named)
    refused(tmp_path / "pets", "at most 143 pixels, got 144 in cat/0.png", size=8)


@pytest.mark.parametrize("side", [12_000, 50_000])
def test_a_bomb_of_pixels_is_refused_by_its_header(side, tmp_path):
    bomb = bytearray(png(np.zeros((1, 1), np.uint8)))
    bomb[16:24] = struct.pack(">II", side, side)
    bomb[29:33] = struct.pack(">I", __import__("zlib").crc32(bomb[12:29]))
    formats.write_folder(tmp_path / "pets", {"bomb.png": bytes(bomb)})
    refused(tmp_path / "pets", "at most 50,000,000 pixels", size=8)


OUTSIDE = ("../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "..\\x.png", "c:x.png")


@pytest.mark.parametrize("name", OUTSIDE)
def test_entries_that_leave_their_folder_are_refused(name, tmp_path):
    named, _ = formats.pictures(each=6)
    formats.write_zip(tmp_path / "pets.zip", named | {name: named["cat/0.png"]})
    refused(tmp_path / "pets.zip", "must stay in its folder")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_packed_in_rare_ways_are_refused(packing, tmp_path):
    named, _ = formats.pictures(each=6)
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", packing) as archive:
        for name, content in named.items():
            archive.writestr(name, content)
    refused(tmp_path / "pets.zip", "must be stored or deflated")


def test_too_many_class_folders_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("infovae_core.files.pictures.CLASSES", 1)
    named, _ = formats.pictures(each=6)
    formats.write_folder(tmp_path / "pets", named)
    refused(tmp_path / "pets", "at most 1 classes, got 2")


def test_a_folder_called_by_a_digit_that_is_no_decimal_is_a_class(tmp_path):
    named, _ = formats.pictures(each=6)
    named = {name.replace("cat/", "1²/"): content for name, content in named.items()}
    formats.write_folder(tmp_path / "pets", named)
    assert data.load(config(tmp_path / "pets")).classes == ("1²", "dog")


def test_an_entry_without_a_name_is_passed_over(tmp_path):
    """The byte of its name is made one of the field that follows."""
    file = io.BytesIO()
    formats.write_zip(file, {"x": b"", **formats.pictures(each=6)[0]})
    content = bytearray(file.getvalue())
    for place in (26, content.index(b"PK\1\2") + 28):
        content[place : place + 4] = struct.pack("<HH", 0, 1)
    (tmp_path / "x.zip").write_bytes(content)
    assert "" in zipfile.ZipFile(tmp_path / "x.zip").NameToInfo
    assert catalogue.about(config(tmp_path / "x.zip")).counts == (6, 6)


def test_links_in_an_archive_are_refused(tmp_path):
    named, _ = formats.pictures(each=6)
    formats.write_zip(tmp_path / "pets.zip", named)
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "pets.zip", "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "pets.zip", "must be files, got cat/link.png, a link")


def test_an_archive_past_the_limit_of_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "ENTRIES", 11)
    named, _ = formats.pictures(each=6)
    formats.write_zip(tmp_path / "pets.zip", named)
    refused(tmp_path / "pets.zip", "at most 11 files, got 12")
    formats.write_folder(tmp_path / "pets", named)
    refused(tmp_path / "pets", "at most 11 files, got")


@pytest.mark.parametrize("honest", [True, False])
def test_bytes_are_counted_as_they_are_unpacked_whatever_the_header_says(
    honest, tmp_path, monkeypatch
):
    monkeypatch.setattr(trees, "BYTES", 10_000)
    formats.write_zip(tmp_path / "x.zip", {"x.npy": npy(np.zeros((20, 40, 40), np.uint8))})
    if not honest:
        packed = bytearray((tmp_path / "x.zip").read_bytes())
        place = packed.rindex(b"PK\1\2")  # the entry in the table at the end
        packed[place + 24 : place + 28] = struct.pack("<I", 100)
        (tmp_path / "x.zip").write_bytes(packed)
    refused(tmp_path / "x.zip", "at most 10,000 bytes" if honest else "whole|at most 10,000 bytes")


def test_an_entry_that_is_smaller_than_it_says_is_not_filled_up(tmp_path):
    formats.write_zip(tmp_path / "x.zip", {"x.npy": npy(X)})
    packed = bytearray((tmp_path / "x.zip").read_bytes())
    place = packed.rindex(b"PK\1\2")
    packed[place + 24 : place + 28] = struct.pack("<I", len(npy(X)) + 30)  # as if with another row
    (tmp_path / "x.zip").write_bytes(packed)
    assert trees.Zip(tmp_path / "x.zip", "x").read("x.npy") == npy(X)


def test_many_small_entries_are_counted_together(tmp_path, monkeypatch):
    named, _ = formats.pictures(each=6)
    total = sum(map(len, named.values()))
    formats.write_zip(tmp_path / "pets.zip", named)
    monkeypatch.setattr(trees, "BYTES", total - 1)
    refused(tmp_path / "pets.zip", f"at most {total - 1:,} bytes")
    monkeypatch.setattr(trees, "BYTES", total)
    assert catalogue.about(config(tmp_path / "pets.zip")).train == 10


def test_an_archive_within_an_archive_has_no_limit_of_its_own(tmp_path, monkeypatch):
    formats.write_zip(tmp_path / "set.npz", {"x.npy": npy(np.zeros((20, 40, 40), np.uint8))})
    packed = (tmp_path / "set.npz").read_bytes()
    formats.write_zip(tmp_path / "outer.zip", {"set.npz": packed})
    total = len(packed) + len(npy(np.zeros((20, 40, 40), np.uint8)))
    for module, limit in ((trees, "BYTES"), (arrays, "HELD")):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, total - 1)
            refused(tmp_path / "outer.zip", "set.npz must .* once unpacked|x.npy must .* unpacked")
    monkeypatch.setattr(trees, "BYTES", total)
    monkeypatch.setattr(arrays, "HELD", total)
    assert catalogue.about(config(tmp_path / "outer.zip")).shape == (40, 40)


def test_what_is_held_in_memory_at_once_is_bounded(tmp_path, monkeypatch):
    formats.write_folder(tmp_path / "parts", {"x_train.npy": npy(X), "x_test.npy": npy(X)})
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "HELD", 2 * X.nbytes - 1)
        refused(tmp_path / "parts", "x_train.npy must have at most .* got more; save arrays as")
    named, _ = formats.pictures(each=6)
    formats.write_folder(tmp_path / "pets", named)
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "BYTES", 100)
        refused(tmp_path / "pets", "cat/0.png must have at most 100 bytes")


def test_images_past_the_limit_of_bytes_are_not_decoded(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(own, "DECODED", 20 * 64 * 64 - 1)
    monkeypatch.setattr(arrays.Images, "decoded", lambda *_: pytest.fail("decoded"))
    refused(tmp_path / "x.npy", "81,919 bytes once decoded, got 81,920: 20 of 64 × 64", size=64)


def test_a_table_of_too_many_files_is_refused_before_it_is_read(tmp_path, monkeypatch):
    named, _ = formats.pictures(each=6)
    formats.write_zip(tmp_path / "pets.zip", named)
    packed = bytearray((tmp_path / "pets.zip").read_bytes())
    packed[-14:-10] = struct.pack("<HH", 1, 1)  # as if it had one entry
    (tmp_path / "liar.zip").write_bytes(packed)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("an entry was read"))
    for name in ("pets.zip", "liar.zip"):
        with monkeypatch.context() as patch:
            patch.setattr(trees, "ENTRIES", 11)
            refused(tmp_path / name, "at most 11 files, got 12")
        with monkeypatch.context() as patch:
            patch.setattr(trees, "TABLE", 100)
            refused(tmp_path / name, "files, got a table of [0-9]+ bytes")


def test_a_gzip_past_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "HELD", 10_000)
    big = gzip.compress(idx(np.zeros((20, 40, 40), np.uint8)))
    (tmp_path / "x-idx3-ubyte.gz").write_bytes(big)
    refused(tmp_path / "x-idx3-ubyte.gz", "at most 10,000 bytes once unpacked")


def test_entries_that_cannot_be_unpacked_are_named(tmp_path):
    named, _ = formats.pictures(each=6)
    formats.write_zip(tmp_path / "pets.zip", named)
    packed = bytearray((tmp_path / "pets.zip").read_bytes())
    packed[200:220] = bytes(20)
    (tmp_path / "pets.zip").write_bytes(packed)
    refused(tmp_path / "pets.zip", "entries of pets.zip must be whole|whole zip")
    formats.write_zip(tmp_path / "locked.zip", named)
    packed = bytearray((tmp_path / "locked.zip").read_bytes())
    packed[6] |= 1
    packed[packed.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(packed)
    refused(tmp_path / "locked.zip", "without a password")


@pytest.mark.parametrize("name", ["nowhere", "empty", "mixed", "two", "nested.zip"])
def test_paths_that_lead_to_nothing_useful_say_what_is_accepted(name, tmp_path):
    (tmp_path / "empty").mkdir()
    image = png(X[0])
    formats.write_folder(tmp_path / "mixed", {"a.png": image, "b.npy": npy(X)})
    formats.write_folder(tmp_path / "two", {"a.npz": b"", "b.npz": b""})
    formats.write_zip(tmp_path / "nested.zip", {"inner.zip": b"PK"})
    match = {
        "nowhere": "a folder or a file, got .*nowhere",
        "empty": f"{re.escape(files.ACCEPTED)}, got nothing in empty",
        "mixed": "of one kind, and one .npz, got 1 images and 1 .npy arrays",
        "two": "of one kind, and one .npz, got 2 .npz files",
        "nested.zip": "got inner.zip in nested.zip",
    }
    refused(tmp_path / name, match[name])


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("x", "images", ""),
        ("X_train.npy", "images", "train"),
        ("train-images-idx3-ubyte.gz", "images", "train"),
        ("t10k-labels-idx1-ubyte", "labels", "test"),
        ("val_labels.npy", "labels", "aside"),
        ("imgs.npy", "images", ""),
        ("latents_values.npy", None, ""),
        ("y", "labels", ""),
    ],
)
def test_names_of_arrays_say_what_they_are(name, kind, part):
    assert arrays.role(name) == (kind, part)


# Uploads.


def test_an_upload_is_kept_once_it_is_sound(tmp_path):
    np.savez(tmp_path / "My set!.npz", x=X, y=LABELS)
    content = (tmp_path / "My set!.npz").read_bytes()
    chosen = own.upload(tmp_path, "C:\\evil\\..\\My set!.npz", content, None, False)
    assert chosen.path.name == "My set!.npz"
    assert chosen.path.parent.parent == tmp_path / "own"
    assert catalogue.about(chosen).counts == (10, 10)
    again = own.upload(tmp_path, "My set!.npz", content, 5, False)
    assert again.path == chosen.path
    assert own.uploads(tmp_path) == [chosen.path]
    other = own.upload(tmp_path, "My set!.npy", npy(X), None, False)
    assert set(own.uploads(tmp_path)) == {chosen.path, other.path}


def test_the_same_bytes_under_another_name_leave_the_first_upload(tmp_path):
    first = own.upload(tmp_path, "set.npy", npy(X), None, False)
    second = own.upload(tmp_path, "set-.npy", npy(X), None, False)
    assert set(own.uploads(tmp_path)) == {first.path, second.path}
    assert len(data.load(first).train) == len(data.load(second).train)


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../..", ".", "", "a/..", "/etc/passwd", "..\\..\\x", "\0", "é" * 300, "x\ny"),
        *("😀" * 80, "\udcff", "x\x7f\x85\u2028y"),
    ],
)
def test_no_name_leads_an_upload_out_of_its_folder(name, tmp_path):
    with pytest.raises(DataError, match="your own data must be"):  # for it is no .npy
        own.upload(tmp_path / "data", name, npy(X), None, False)
    chosen = own.upload(tmp_path / "data", f"{name}x.npy", npy(X), None, False)
    assert chosen.path.parent.parent == tmp_path / "data" / "own"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_bad_upload_leaves_everything_as_it_was(tmp_path):
    good = own.upload(tmp_path, "x.npy", npy(X), None, False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="finite values"):
        own.upload(tmp_path, "bad.npy", npy(not_finite(np.nan)), None, False)
    assert [path for path in sorted(tmp_path.rglob("*")) if path.suffix != ".lock"] == [
        path for path in before if path.suffix != ".lock"
    ]
    assert data.load(good).train.x.shape[1:] == (6, 5)


def test_what_was_decoded_for_an_upload_is_found_again(tmp_path, monkeypatch):
    chosen = own.upload(tmp_path, "x.npy", npy(X), None, False)
    monkeypatch.setattr(files, "find", lambda *_: pytest.fail("decoded again"))
    assert len(data.load(chosen).train) == 17
