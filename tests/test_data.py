import struct

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST

from infovae_core.config import DataConfig
from infovae_core.data import DataError, load


@pytest.fixture
def mnist_root(tmp_path):
    """A small MNIST in the IDX format, as torchvision lays it out."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, n in (("train", 30), ("t10k", 12)):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        header = struct.pack(">HBBIII", 0, 8, 3, n, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">HBBI", 0, 8, 1, n)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return tmp_path


def test_digits_are_split_without_overlap_and_with_equal_shares(digits):
    assert (len(digits.train), len(digits.test), digits.shape) == (1500, 297, (8, 8))
    assert digits.train.x.min() == 0
    assert digits.train.x.max() == 1
    assert digits.train.x.unique().numel() == 17  # the sixteenths of the source
    every = torch.cat((digits.train.x, digits.test.x)).flatten(1)
    assert every.unique(dim=0).shape[0] == 1797
    for split in (digits.train, digits.test):
        shares = split.y.bincount() / len(split)
        assert shares.min() > 0.09
        assert shares.max() < 0.11


def test_mnist_is_read_from_the_folder_where_it_lies(mnist_root):
    data = load(DataConfig(name="mnist", root=mnist_root))
    raw = (mnist_root / "MNIST/raw/train-images-idx3-ubyte").read_bytes()[16:]
    images = np.frombuffer(raw, np.uint8).reshape(30, 28, 28)
    np.testing.assert_allclose(data.train.x.numpy(), images / np.float32(255), rtol=1e-6)
    assert data.test.y.tolist() == [*range(10), 0, 1]
    assert data.train.x.dtype == torch.float32


def test_absent_and_offline_names_the_folder_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"must lie whole in .*MNIST/raw: put its four") as error:
        load(DataConfig(name="mnist", root=tmp_path / "here"))
    assert str(tmp_path / "here") in str(error.value)
    assert "data.root" in str(error.value)


def test_truncated_files_are_a_data_error(mnist_root, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    path = mnist_root / "MNIST/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="must lie whole"):
        load(DataConfig(name="mnist", root=mnist_root))


def test_limit_keeps_the_first_training_images_and_the_whole_test_set(digits):
    data = load(DataConfig(limit=100))
    assert torch.equal(data.train.x, digits.train.x[:100])
    assert torch.equal(data.test.x, digits.test.x)


def test_threshold_makes_every_pixel_0_or_1(digits):
    data = load(DataConfig(binarize="threshold"))
    assert torch.equal(data.train.x, (digits.train.x > 0.5).float())


def test_dynamic_keeps_rates_for_training_and_draws_the_test_set_once(digits):
    one, two = (load(DataConfig(binarize="dynamic")) for _ in range(2))
    assert one.dynamic
    assert torch.equal(one.train.x, digits.train.x)
    assert torch.equal(one.test.x, two.test.x)
    assert set(one.test.x.unique().tolist()) == {0.0, 1.0}
    error = 4 * (digits.test.x * (1 - digits.test.x)).sum().sqrt() / digits.test.x.numel()
    assert abs(one.test.x.mean() - digits.test.x.mean()) < error
