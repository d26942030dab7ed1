"""Small data sets in the formats in which the real ones are published, written into a folder.

They stand for what a test cannot download; each function gives what a reader must find.
"""

import hashlib
import io
import pickle
import struct
import zipfile

import numpy as np
from PIL import Image

ATTRIBUTES = ("Bald", "Smiling", "Young")
TRAIN, TEST = 30, 12


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx(array):
    """An array u8 in the IDX format."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_mnist(root, kind="MNIST", train=TRAIN, test=TEST):
    """MNIST or FashionMNIST, as torchvision lays it out: images and labels by part."""
    raw = root / kind / "raw"
    raw.mkdir(parents=True)
    found = {}
    for part, name, n in (("train", "train", train), ("test", "t10k", test)):
        images, labels = noise(n, 28, 28, seed=n), np.arange(n, dtype=np.uint8) % 10
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
        found[part] = images, labels
    return found


def write_cifar(root, monkeypatch, name="CIFAR10", each=6):
    """CIFAR's pickled batches, with their checksums put where torchvision looks them up.

    Each batch has `each` images; images u8 [n, 3, 32, 32] and labels by part.
    """
    from torchvision import datasets

    kind = getattr(datasets, name)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    key, classes = ("labels", 10) if name == "CIFAR10" else ("fine_labels", 100)
    names = [f"class {i}" for i in range(classes)]
    found = {}

    def write(file, record):
        data = as_python_2(pickle.dumps(record, protocol=2))
        (folder / file).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    for part, listed in (("train", kind.train_list), ("test", kind.test_list)):
        images = noise(each * len(listed), 3, 32, 32, seed=len(listed))
        labels = np.arange(len(images)) % classes
        checked = []
        for i, (file, _) in enumerate(listed):
            rows = slice(i * each, (i + 1) * each)
            record = {"data": images[rows].reshape(each, -1), key: labels[rows].tolist()}
            checked.append([file, write(file, record)])
        monkeypatch.setattr(kind, f"{part}_list", checked)
        found[part] = images, labels
    told = kind.meta | {"md5": write(kind.meta["filename"], {kind.meta["key"]: names})}
    monkeypatch.setattr(kind, "meta", told)
    return found


def as_python_2(pickled):
    """The published files say numbers where Python 3 says False and True."""
    return pickled.replace(b"\x89\x88\x87", b"K\x00K\x01\x87")


def write_celeba(root, train=TRAIN, test=TEST, packed=False):
    """Aligned faces of 178 × 218 with their lists; attributes 0 or 1 [n, 3] by part.

    The face number i is of one colour in its middle 148 × 148, and white around it.
    """
    folder = root / "celeba"
    folder.mkdir(parents=True)
    count = train + test + 2
    parts = np.array([0] * train + [1, 1] + [2] * test)
    attributes = np.random.default_rng(0).integers(0, 2, (count, len(ATTRIBUTES)))
    files = {}
    for i in range(count):
        pixels = np.full((218, 178, 3), 255, np.uint8)
        pixels[35:183, 15:163] = face_colour(i)
        files[f"{i + 1:06}.jpg"] = jpeg(pixels)
    said = [f"{name} {part}" for name, part in zip(files, parts, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(said) + "\n")
    lines = [
        f"{name}  " + " ".join(f"{2 * value - 1: d}" for value in row)
        for name, row in zip(files, attributes, strict=True)
    ]
    (folder / "list_attr_celeba.txt").write_text(
        "\n".join([str(count), " ".join(ATTRIBUTES) + " ", *lines]) + "\n"
    )
    if packed:
        packed_files = {f"img_align_celeba/{name}": data for name, data in files.items()}
        write_zip(folder / "img_align_celeba.zip", packed_files)
    else:
        (folder / "img_align_celeba").mkdir()
        for name, data in files.items():
            (folder / "img_align_celeba" / name).write_bytes(data)
    return {"train": attributes[parts == 0], "test": attributes[parts == 2]}


def face_colour(i):
    return np.array([5 * i % 256, 128, 255 - 5 * i % 256])


def jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def png(pixels, **more):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **more)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write_zip(path, files):
    """A zip of named bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def write_folder(path, files):
    """The same as a folder."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def pictures(classes=("cat", "dog"), each=10, shape=(12, 12, 3), seed=0):
    """PNG files in class folders, and their pixels by name."""
    pixels = {
        f"{name}/{i}.png": noise(*shape, seed=seed + 1000 * c + i)
        for c, name in enumerate(classes)
        for i in range(each)
    }
    return {name: png(array) for name, array in pixels.items()}, pixels
