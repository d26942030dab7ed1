"""Data sets: one tensor of images in [0, 1] per split, resident on the device."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, Int
from torch import Tensor

from infovae_core.catalogue import DataError
from infovae_core.config import DataConfig
from infovae_core.randomness import seed_of


@dataclass(frozen=True)
class Split:
    """Images and their classes."""

    x: Float[Tensor, "n *data"]
    y: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.x)


def spread(count: int, most: int) -> Int[Tensor, " k"]:
    """At most so many indices, evenly over all: neighbours may be alike, as in MNIST."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


@dataclass(frozen=True)
class Dataset:
    """Training and held-out images of one shape."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    dynamic: bool = False  # training images are Bernoulli rates, to be drawn whenever used

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: [h, w], or [c, h, w] in colour."""
        return tuple(self.train.x.shape[1:])


Arrays = tuple[np.ndarray, np.ndarray]  # images as float32 in [0, 1] or uint8; classes
DIGITS = tuple(str(i) for i in range(10))


def digits(root: Path) -> tuple[Arrays, Arrays, tuple[str, ...]]:
    """scikit-learn's 1,797 digits, 8 × 8: 1,500 for training, 297 held out, equal class shares."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8).astype(np.float32)
    x, x_test, y, y_test = train_test_split(
        images, labels, test_size=297, stratify=labels, random_state=0
    )
    return (x, y), (x_test, y_test), DIGITS


def mnist(root: Path) -> tuple[Arrays, Arrays, tuple[str, ...]]:
    """MNIST, 28 × 28: 60,000 for training, 10,000 held out. Read from `root`, else downloaded.

    Raises: DataError when the files are neither there nor to be had.
    """
    try:
        train, test = _mnist_pair(root)
    except (OSError, RuntimeError, ValueError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = said[-1] if said else type(error).__name__  # the last mirror's answer
        raise DataError(
            f"MNIST must lie whole in {(root / 'MNIST' / 'raw').resolve()} or be downloaded there, "
            f"got neither ({reason}); put its four files (train-images-idx3-ubyte and so on, "
            "unpacked or .gz) there, set the folder (data.root) to one that has MNIST/raw, or "
            "connect to the network"
        ) from error
    pairs = ((part.data.numpy(), part.targets.numpy()) for part in (train, test))
    return *pairs, DIGITS


def _mnist_pair(root: Path) -> tuple:
    from torchvision.datasets import MNIST

    def both(download: bool) -> tuple:
        return tuple(MNIST(root, train=part, download=download) for part in (True, False))

    try:
        return both(download=False)  # also from a folder that may only be read
    except RuntimeError:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".mnist.lock"):  # two runs must not write the same files
            return both(download=True)


def load(config: DataConfig, device: torch.device | str = "cpu") -> Dataset:
    """The data set that `config` asks for, on `device`.

    Raises: DataError, naming what is missing and the remedy.
    """
    train, test, classes = DATASETS[config.name](config.root)
    if config.limit is not None:
        train = tuple(part[: config.limit] for part in train)
    train, test = (_split(*part, torch.device(device)) for part in (train, test))
    if config.binarize == "threshold":
        train, test = (replace(part, x=(part.x > 0.5).to(part.x.dtype)) for part in (train, test))
    if config.binarize == "dynamic":  # held-out images are drawn once, so that values compare
        fixed = torch.Generator().manual_seed(seed_of(0, "binarise"))
        drawn = torch.bernoulli(test.x.cpu(), generator=fixed)  # the same on every device
        test = replace(test, x=drawn.to(test.x.device))
    return Dataset(config.name, train, test, classes, dynamic=config.binarize == "dynamic")


def _split(x: np.ndarray, y: np.ndarray, device: torch.device) -> Split:
    images = torch.from_numpy(np.array(x)).to(device)
    if not images.is_floating_point():
        images = images.to(torch.float32).div_(255)
    return Split(images, torch.from_numpy(np.array(y)).to(device, torch.int64))


DATASETS: dict[str, Callable[[Path], tuple[Arrays, Arrays, tuple[str, ...]]]] = {
    "digits": digits,
    "mnist": mnist,
}
