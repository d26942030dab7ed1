"""Classifiers that judge codes and samples: what can be read off them, and what they show.

Each takes codes or images with classes and gives the classes that it predicts for others. Codes are
centred and scaled by one number for all units (`Scale`): a scale for each would blow up the units
that say nothing.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

NEIGHBOURS = 5
GAMMAS = tuple(4.0**power for power in range(-3, 4))  # times 1/(d · variance), as scikit-learn's
SOFTNESS = 10.0  # C of the support vector machine
BLOCK = 2000


class Labelled(NamedTuple):
    """Codes, or images, with their classes."""

    x: Float[Tensor, "n *data"]
    y: Int[Tensor, " n"]

    def at(self, rows: Tensor | slice) -> "Labelled":
        """Some of them."""
        return Labelled(self.x[rows], self.y[rows])


class Scale(NamedTuple):
    """Centre, and one width for all units."""

    centre: Float[Tensor, " d"]
    width: Float[Tensor, ""]

    @classmethod
    def of(cls, z: Float[Tensor, "n d"]) -> "Scale":
        """That gives z the mean 0 and its units the variance 1 on average."""
        width = z.var(0, correction=0).mean().sqrt()
        return cls(z.mean(0), torch.where(width > 0, width, torch.ones_like(width)))

    def __call__(self, z: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        return (z - self.centre) / self.width


def logistic(known: Labelled, z: Float[Tensor, "m d"]) -> Int[Tensor, " m"]:
    """Classes of z by multinomial logistic regression, L2-penalised with weight 1."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000).fit(*arrays(known))
    return torch.from_numpy(model.predict(z.cpu().numpy()))


def nearest(
    known: Labelled, z: Float[Tensor, "m d"], neighbours: int = NEIGHBOURS
) -> Int[Tensor, " m"]:
    """The class that most of the nearest known codes have; of several, the one with the nearest."""
    classes = int(known.y.max()) + 1
    found = []
    for part in z.split(max(1, BLOCK**2 // len(known.x))):
        distance, index = torch.cdist(part, known.x).topk(
            min(neighbours, len(known.x)), largest=False
        )
        votes = F.one_hot(known.y[index], classes).to(distance.dtype)
        nearness = 1 / (1 + distance)
        found.append((votes + 1e-3 * votes * nearness[..., None]).sum(1).argmax(1))
    return torch.cat(found).cpu()


def network(
    known: Labelled,
    widths: tuple[int, ...],
    generator: torch.Generator,
    seed: int,
    epochs: int = 20,
    batch: int = 128,
    learning_rate: float = 1e-3,
    progress: Callable[[float], object] = lambda done: None,
) -> nn.Module:
    """A trained ReLU network from x to the logits of its class, by Adam on cross-entropy.

    Args:
        seed: of its first weights.
    """
    sizes = (math.prod(known.x.shape[1:]), *widths, int(known.y.max()) + 1)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(nn.Flatten(), *layers[:-1]).to(known.x.device, known.x.dtype)
    optimizer = Adam(model.parameters(), learning_rate, fused=True)
    steps = max(1, len(known.x) // batch)
    for epoch in range(epochs):
        order = torch.randperm(len(known.x), generator=generator, device=known.x.device)
        for number, rows in enumerate(order[: steps * batch].tensor_split(steps)):
            optimizer.zero_grad()
            F.cross_entropy(model(known.x[rows]), known.y[rows]).backward()
            optimizer.step()
            if number % 50 == 0:
                progress((epoch + number / steps) / epochs)
    return model


@torch.no_grad()
def classify(model: nn.Module, x: Float[Tensor, "n *data"]) -> Int[Tensor, " n"]:
    """The most likely class of each."""
    return torch.cat([model(part).argmax(1) for part in x.split(BLOCK)]).cpu()


class Repeat(NamedTuple):
    """One choice of labels."""

    error: float  # share of the test codes that it gets wrong
    gamma: float  # in units of 1/(d · variance)


def svc_error(
    known: Labelled, test: Labelled, labels: int, validation: int, random: np.random.Generator
) -> Repeat:
    """Error of an RBF support vector machine from so many labels, an equal share of each class.

    γ is the one of `GAMMAS` with the smallest error on other known codes, so many of them; the test
    codes have no say in it.

    Raises: ValueError where there are too few known codes.
    """
    from sklearn.svm import SVC

    x, y = arrays(known)
    chosen = balanced(y, labels, random)
    rest = random.permutation(np.setdiff1d(np.arange(len(y)), chosen))[:validation]
    if len(rest) < validation:
        raise ValueError(
            f"{labels} labels and {validation} more for validation must be had, got {len(y)}; "
            "train on more images"
        )
    unit = x.shape[1] * x[chosen].var()

    def machine(gamma: float) -> SVC:
        return SVC(C=SOFTNESS, gamma=gamma / (unit or 1.0)).fit(x[chosen], y[chosen])

    best = max(GAMMAS, key=lambda gamma: machine(gamma).score(x[rest], y[rest]))
    return Repeat(1 - machine(best).score(*arrays(test)), best)


def balanced(y: Int[np.ndarray, " n"], count: int, random: np.random.Generator) -> np.ndarray:
    """Indices of `count` rows in which the classes take turns, drawn without replacement."""
    order = random.permutation(len(y))
    ranks = np.empty(len(y), dtype=int)
    for label in np.unique(y):
        mine = order[y[order] == label]
        ranks[mine] = np.arange(len(mine))
    return order[np.argsort(ranks[order], kind="stable")][:count]


def arrays(labelled: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """As scikit-learn takes them."""
    return labelled.x.cpu().numpy(), labelled.y.cpu().numpy()
