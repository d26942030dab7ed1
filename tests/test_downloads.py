"""The papers' data sets, from small files in the formats in which the real ones come."""

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CelebA, FashionMNIST

from infovae_core import data, downloads
from infovae_core.catalogue import SETS
from infovae_core.config import DataConfig
from infovae_core.data import DataError, load
from tests import formats

NOWHERE = "http://127.0.0.1:9/"


def config(name, root, **more):
    return DataConfig(name=name, root=root, **more)


def agrees(split, images, labels):
    np.testing.assert_allclose(split.items().numpy(), images / np.float32(255), rtol=1e-6)
    assert split.y.tolist() == labels.tolist()


def test_fashion_is_read_from_the_folder_where_it_lies(tmp_path):
    found = formats.write_mnist(tmp_path, "FashionMNIST")
    images = load(config("fashion", tmp_path))
    agrees(images.train, *found["train"])
    agrees(images.test, *found["test"])
    assert images.classes == tuple(FashionMNIST.classes)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_with_colours_first(name, tmp_path, monkeypatch):
    found = formats.write_cifar(tmp_path, monkeypatch, name.upper())
    images = load(config(name, tmp_path))
    agrees(images.train, *found["train"])
    agrees(images.test, *found["test"])
    assert images.shape == SETS[name].shape
    assert len(images.classes) == len(SETS[name].classes)


def test_a_pickle_that_is_not_the_published_one_is_not_opened(tmp_path, monkeypatch):
    formats.write_cifar(tmp_path, monkeypatch)
    monkeypatch.setattr(CIFAR10, "url", NOWHERE)
    batch = tmp_path / CIFAR10.base_folder / "data_batch_2"
    batch.write_bytes(batch.read_bytes() + b"\0")
    monkeypatch.setattr("pickle.load", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(DataError, match="CIFAR-10 must lie whole"):
        load(config("cifar10", tmp_path))


@pytest.mark.parametrize("packed", [False, True])
def test_celeba_is_the_middle_of_each_face_with_its_attributes(packed, tmp_path):
    attributes = formats.write_celeba(tmp_path, packed=packed)
    faces = load(config("celeba", tmp_path))
    assert (len(faces.train), len(faces.test)) == (formats.TRAIN, formats.TEST)
    assert faces.shape == SETS["celeba"].shape
    assert faces.factors == tuple((name, 2) for name in formats.ATTRIBUTES)
    first = {"train": 0, "test": formats.TRAIN + 2}  # the two between are for validation
    for part, split in (("train", faces.train), ("test", faces.test)):
        assert split.factors.tolist() == attributes[part].tolist()
        assert split.y.tolist() == attributes[part][:, 1].tolist()  # smiling
        colours = [formats.face_colour(first[part] + i) for i in range(len(split))]
        wanted = torch.tensor(np.array(colours) / 255).float()[..., None, None]
        # One colour all over: nothing of the white around it, but for what JPEG leaves at an edge.
        assert (split.items() - wanted)[..., 2:-2, 2:-2].abs().max() < 0.03


def test_a_second_start_decodes_nothing(tmp_path, monkeypatch):
    formats.write_celeba(tmp_path)
    before = load(config("celeba", tmp_path))
    monkeypatch.setattr(downloads, "face", lambda *_: pytest.fail("decoded again"))
    after = load(config("celeba", tmp_path))
    assert torch.equal(before.train.x, after.train.x)
    assert torch.equal(before.test.factors, after.test.factors)


def test_decoding_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BLOCK", 10)
    formats.write_celeba(tmp_path)
    said = []
    load(config("celeba", tmp_path), progress=lambda *told: said.append(told))
    faces = [(done, of) for done, of, what in said if what == "Decoding faces"]
    assert faces == [(done, 42) for done in (10, 20, 30, 40, 42)]


@pytest.mark.parametrize("name", ["fashion", "cifar10", "celeba"])
def test_absent_and_offline_names_the_folder_and_the_remedy(name, tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "mirrors", [NOWHERE])
    monkeypatch.setattr(CIFAR10, "url", NOWHERE)
    monkeypatch.setattr(CelebA, "download", lambda self: None)  # Google Drive gave nothing
    said = []
    with pytest.raises(DataError, match=f"{SETS[name].title} must lie whole in") as error:
        load(config(name, tmp_path), progress=lambda *told: said.append(told))
    assert str(tmp_path) in str(error.value)
    assert "data.root" in str(error.value)
    assert said == [(0, 0, f"Downloading {SETS[name].title} ({SETS[name].download})")]


def test_a_face_that_is_cut_off_is_named(tmp_path):
    formats.write_celeba(tmp_path)
    face = tmp_path / "celeba" / "img_align_celeba" / "000007.jpg"
    face.write_bytes(face.read_bytes()[:700])
    with pytest.raises(DataError, match=r"whole files .* got 000007\.jpg"):
        load(config("celeba", tmp_path))
    assert not list((tmp_path / "cache").glob("celeba*"))


def test_bytes_give_the_same_images_as_floats(tmp_path, monkeypatch):
    formats.write_cifar(tmp_path, monkeypatch)
    for binarize in ("none", "threshold", "dynamic"):
        wanted = load(config("cifar10", tmp_path, binarize=binarize))
        with monkeypatch.context() as patch:
            patch.setattr(data, "AS_FLOATS", 0)
            small = load(config("cifar10", tmp_path, binarize=binarize))
        assert small.train.x.dtype == torch.uint8
        rows = torch.tensor([3, 0, 3])
        for one, two in ((wanted.train, small.train), (wanted.test, small.test)):
            assert torch.equal(one.items(), two.items())
            assert torch.equal(one.items(rows), two.items(rows))
            assert one.dtype == two.dtype
