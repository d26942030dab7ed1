"""Data sets: one tensor of images or points per split, resident on the device."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from infovae_core import downloads, own, sprites, toys
from infovae_core.catalogue import SETS, DataError
from infovae_core.config import DataConfig
from infovae_core.randomness import seed_of
from infovae_core.store import Arrays, Part, Progress, quiet

__all__ = ["DATASETS", "DataError", "Dataset", "Split", "load", "spread"]

AS_FLOATS = 2**28  # bytes up to which a split of images is kept as floats: those need no scaling


@dataclass(frozen=True)
class Split:
    """Items and their classes. Large sets of images stay bytes, of which 255 stands for 1."""

    x: Shaped[Tensor, "n *data"]
    y: Int[Tensor, " n"]
    factors: UInt8[Tensor, "n k"] | None = None  # what made each image, where that is known

    def __len__(self) -> int:
        return len(self.x)

    def items(self, rows: Int[Tensor, " b"] | slice = slice(None)) -> Float[Tensor, "b *data"]:
        """Some of the items, images in [0, 1]."""
        x = self.x[rows] if isinstance(rows, slice) else self.x.index_select(0, rows)
        return x if x.is_floating_point() else x.to(torch.float32).div_(255)

    @property
    def dtype(self) -> torch.dtype:
        """Of the items that are given."""
        return self.x.dtype if self.x.is_floating_point() else torch.float32


def spread(count: int, most: int) -> Int[Tensor, " k"]:
    """At most so many indices, evenly over all: neighbours may be alike, as in MNIST."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


@dataclass(frozen=True)
class Dataset:
    """Training and held-out items of one shape."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    dynamic: bool = False  # training images are Bernoulli rates, to be drawn whenever used
    kind: Literal["images", "points"] = "images"
    factors: tuple[tuple[str, int], ...] = ()  # names and numbers of values of `Split.factors`

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one item: [h, w], or [c, h, w] in colour, or [k] for points."""
        return tuple(self.train.x.shape[1:])


def load(
    config: DataConfig, device: torch.device | str = "cpu", progress: Progress = quiet
) -> Dataset:
    """The data set that `config` asks for, on `device`.

    Raises: DataError, naming what is missing and the remedy; whatever `progress` raises.
    """
    known, arrays = SETS[config.name], DATASETS[config.name](config, progress)
    train, test = (
        binarized(_split(part, torch.device(device)), config.binarize, held_out)
        for part, held_out in ((_first(arrays.train, config.limit), False), (arrays.test, True))
    )
    dynamic = config.binarize == "dynamic"
    return Dataset(config.name, train, test, arrays.classes, dynamic, known.kind, arrays.factors)


def binarized(split: Split, how: str, held_out: bool) -> Split:
    """Images of 0 and 1. Those to be drawn anew whenever used stay rates, unless held out."""
    white = 1 if split.x.is_floating_point() else 255
    if how == "threshold":
        return replace(split, x=(split.x > white / 2).to(split.x.dtype) * white)
    if how == "dynamic" and held_out:  # drawn once, so that values compare
        fixed = torch.Generator().manual_seed(seed_of(0, "binarise"))
        drawn = torch.bernoulli(split.items().cpu(), generator=fixed)  # the same on every device
        return replace(split, x=drawn.to(split.x.device))
    return split


def _first(part: Part, count: int | None) -> Part:
    factors = None if part.factors is None else part.factors[:count]
    return Part(part.x[:count], part.y[:count], factors)


def _split(part: Part, device: torch.device) -> Split:
    # An array of the program's own may be read-only, which torch warns of.
    own = part.x if isinstance(part.x, np.memmap) else np.array(part.x)
    x = torch.from_numpy(own).to(device)
    if not x.is_floating_point() and 4 * x.nbytes <= AS_FLOATS:
        x = x.to(torch.float32).div_(255)
    y = torch.from_numpy(np.array(part.y)).to(device, torch.int64)
    return Split(x, y, None if part.factors is None else torch.from_numpy(np.array(part.factors)))


def digits(config: DataConfig, progress: Progress) -> Arrays:
    """scikit-learn's 1,797 digits, 8 × 8: 1,500 for training, 297 held out, equal class shares."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8).astype(np.float32)
    x, x_test, y, y_test = train_test_split(
        images, labels, test_size=SETS["digits"].test, stratify=labels, random_state=0
    )
    return Arrays(Part(x, y), Part(x_test, y_test), SETS["digits"].classes)


def points(config: DataConfig, progress: Progress) -> Arrays:
    """Points drawn from a known density."""
    train, test = toys.make(config.name)
    return Arrays(Part(*train), Part(*test), SETS[config.name].classes)


def shapes(config: DataConfig, progress: Progress) -> Arrays:
    """Sprites, in their classes by shape; drawn faster than they would be read."""
    x, factors = sprites.make()
    known = SETS["sprites"]
    train, test = (
        Part(x[rows], factors[rows, 0].astype(np.int64), factors[rows])
        for rows in (slice(known.train), slice(known.train, None))
    )
    return Arrays(train, test, known.classes, known.factors)


DATASETS: dict[str, Callable[[DataConfig, Progress], Arrays]] = {
    "digits": digits,
    "mnist": lambda config, progress: downloads.mnist("mnist", "MNIST", config.root, progress),
    "fashion": lambda config, progress: downloads.mnist(
        "fashion", "FashionMNIST", config.root, progress
    ),
    "cifar10": lambda config, progress: downloads.cifar("cifar10", config.root, progress),
    "cifar100": lambda config, progress: downloads.cifar("cifar100", config.root, progress),
    "celeba": lambda config, progress: downloads.celeba(config.root, progress),
    "sprites": shapes,
    "mixture": points,
    "two_points": points,
    "linear_gaussian": points,
    "files": own.load,
}
