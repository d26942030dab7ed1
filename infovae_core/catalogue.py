"""What can be trained on: every data set by name, with all that a form must know before loading it.

Importing this module needs the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from infovae_core.config import DataConfig
    from infovae_core.store import Arrays

# Of a person's own files:
HELD_OUT = 1 / 6  # where they do not say themselves what is held out
IMAGES, ENOUGH = 400_000, (5, 500)  # to be seen in all, in so few epochs and so many


class DataError(ValueError):
    """A data set that cannot be had; the message names the remedy."""


@dataclass(frozen=True)
class About:
    """A data set as it is known without its items.

    Images have the shape [h, w], or [c, h, w] in colour, and values in [0, 1]; points have the
    shape [k] and any real values.
    """

    title: str
    help: str  # what it shows, in a clause
    shape: tuple[int, ...]  # of one item
    train: int  # items to train on
    test: int  # items held out
    epochs: int  # enough for a readable latent plane; 0 where that depends on how many there are
    kind: Literal["images", "points"] = "images"
    values: Literal["grey", "colour", "binary", "real"] = "grey"
    noun: str = "images"  # what its items are called
    classes: tuple[str, ...] = ()  # none where nothing is known of the items
    counts: tuple[int, ...] = ()  # items of each class, training and held-out; where it is known
    factors: tuple[tuple[str, int], ...] = ()  # what made each image: name, number of values
    span: tuple[float, float] = (0.0, 1.0)  # values as they lie in the source
    ends: tuple[float, float] = (0.0, 1.0)  # and those of them that are black and white
    download: str = ""  # how much is fetched on first use, and whence
    source: str = ""


def about(config: DataConfig, load: Callable[[DataConfig], Arrays] | None = None) -> About:
    """The data set that `config` asks for, as many items as it asks for. Loads no torch.

    A person's own files are read whole where that has not been done before, by `own.load` or
    another `load`.

    Raises: DataError for files that cannot be used: the rule, what was got, the remedy.
    """
    known = SETS[config.name]
    if config.name == "files":
        from infovae_core import own

        known = own.about(config, (load or own.load)(config))
    train = min(known.train, config.limit or known.train)
    few, many = ENOUGH
    return replace(known, train=train, epochs=known.epochs or min(max(IMAGES // train, few), many))


def called(data: Mapping[str, object]) -> str:
    """A short name for the data of a stored config, which another version may have written."""
    name, path = str(data.get("name", "")), data.get("path")
    if name == "files" and path:
        return PurePath(str(path)).name
    return SETS[name].title if name in SETS else name


DIGITS = tuple(str(i) for i in range(10))
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
THINGS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
HUNDRED = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse "
    "mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
    "porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
    "tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
KRIZHEVSKY = "Krizhevsky 2009"

SETS: dict[str, About] = {
    "digits": About(
        title="Digits",
        help="1,797 handwritten digits of 8 × 8 pixels that scikit-learn carries",
        shape=(8, 8),
        train=1500,
        test=297,
        epochs=300,
        noun="digits",
        classes=DIGITS,
        source="Alpaydin & Kaynak 1998",
    ),
    "mnist": About(
        title="MNIST",
        help="70,000 handwritten digits of 28 × 28",
        shape=(28, 28),
        train=60_000,
        test=10_000,
        epochs=20,
        noun="digits",
        classes=DIGITS,
        download="12 MB",
        source="LeCun et al. 1998",
    ),
    "fashion": About(
        title="Fashion-MNIST",
        help="70,000 grey pictures of clothes of 28 × 28",
        shape=(28, 28),
        train=60_000,
        test=10_000,
        epochs=20,
        noun="clothes",
        classes=CLOTHES,
        download="31 MB",
        source="Xiao, Rasul & Vollgraf 2017",
    ),
    "cifar10": About(
        title="CIFAR-10",
        help="60,000 colour photographs of ten things, 32 × 32",
        shape=(3, 32, 32),
        train=50_000,
        test=10_000,
        epochs=20,
        noun="photographs",
        values="colour",
        classes=THINGS,
        download="170 MB",
        source=KRIZHEVSKY,
    ),
    "cifar100": About(
        title="CIFAR-100",
        help="60,000 colour photographs of a hundred things, 32 × 32",
        shape=(3, 32, 32),
        train=50_000,
        test=10_000,
        epochs=20,
        noun="photographs",
        values="colour",
        classes=tuple(HUNDRED.split()),
        download="169 MB",
        source=KRIZHEVSKY,
    ),
    "celeba": About(
        title="CelebA",
        help="182,732 faces: the aligned pictures' middle 148 × 148, scaled to 64 × 64",
        shape=(3, 64, 64),
        train=162_770,
        test=19_962,
        epochs=10,
        noun="faces",
        values="colour",
        classes=("not smiling", "smiling"),
        download="1.4 GB from Google Drive",
        source="Liu et al. 2015",
    ),
    "sprites": About(
        title="Sprites",
        help="34,560 drawn shapes of known scale, rotation and position, 32 × 32",
        shape=(32, 32),
        train=30_000,
        test=4_560,
        epochs=20,
        noun="sprites",
        classes=("triangle", "heart", "half disc"),
        factors=(("shape", 3), ("scale", 5), ("rotation", 16), ("x", 12), ("y", 12)),
        source="made here, after dSprites (Matthey et al. 2017)",
    ),
    "mixture": About(
        title="Mixture of Gaussians",
        help="points in the plane from eight Gaussians on a circle",
        shape=(2,),
        train=8000,
        test=2000,
        epochs=100,
        kind="points",
        noun="points",
        values="real",
        classes=tuple(f"{45 * i}°" for i in range(8)),
        source="made here",
    ),
    "two_points": About(
        title="Two points",
        help="the numbers −1 and +1 over and over: the smallest set on which an ELBO goes wrong",
        shape=(1,),
        train=1024,
        test=256,
        epochs=300,
        kind="points",
        noun="points",
        values="real",
        classes=("−1", "+1"),
        source="Zhao, Song & Ermon 2017",
    ),
    "linear_gaussian": About(
        title="Linear Gaussian",
        help="x = W z + σ ε in six dimensions, of which every quantity is known",
        shape=(6,),
        train=8000,
        test=2000,
        epochs=100,
        kind="points",
        noun="points",
        values="real",
        classes=("z₁ < 0, z₂ < 0", "z₁ < 0, z₂ > 0", "z₁ > 0, z₂ < 0", "z₁ > 0, z₂ > 0"),
        source="made here; Tipping & Bishop 1999",
    ),
    "files": About(
        title="Own files",
        help="your images: a folder, an .npz or .npy array, IDX files, or a zip of any of these",
        shape=(),
        train=0,
        test=0,
        epochs=0,
    ),
}
