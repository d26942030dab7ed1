"""Which network and which likelihood fit which data, and why another does not. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from infovae_core import catalogue
from infovae_core.catalogue import About, DataError
from infovae_core.config import DataConfig, ModelConfig, RunConfig

LARGEST = 48  # pixels on a side up to which a layer of 1024 on all of them stays reasonable
VALUES = 2**15  # of an item up to which layers of 256 on all of them do: 17 million weights


class Misfit(ValueError):
    """A model that cannot be had of the data; the message names the remedy."""


class Items(NamedTuple):
    """What a model must know of the data."""

    shape: tuple[int, ...]
    binary: bool = False  # every value is 0 or 1
    real: bool = False  # values may lie outside of [0, 1]

    @classmethod
    def of(cls, about: About, binarize: str = "none") -> Items:
        """Of a data set as the catalogue knows it."""
        binary = about.values == "binary" or binarize != "none"
        return cls(about.shape, binary, about.kind == "points")

    def __str__(self) -> str:
        if self.real:
            return f"points of {self.shape[0]} number{'s' * (self.shape[0] > 1)}"
        size = " × ".join(map(str, self.shape[-2:]))
        colour = " in colour" if len(self.shape) == 3 else ""
        return f"{'binary ' * self.binary}images of {size}{colour}"


def why_not_network(name: str, items: Items) -> str | None:
    """What keeps a network from the data, in a clause; None where nothing does."""
    if name == "mlp":
        if (values := math.prod(items.shape)) > VALUES:
            return (
                f"needs at most {VALUES:,} numbers an item, got {values:,}: its outer layers have "
                "weights for each and every unit; scale the images down"
            )
        return None
    if items.real or len(items.shape) < 2:
        return "needs images"
    least, sides = LEAST[name], items.shape[-2:]
    if min(sides) < least:
        return f"needs images of at least {least} × {least} pixels"
    if name in ("cnn_infovae", "pixelcnn"):
        if any(side % 4 for side in sides):
            return "needs sides that are multiples of 4, for it halves them twice"
        if max(sides) > LARGEST:
            return f"needs images of up to {LARGEST} × {LARGEST} pixels"
    if name == "pixelcnn":
        if len(items.shape) > 2:
            return "draws images of one channel"
        if not items.binary:
            return "draws binary images: set Binarise to threshold or dynamic"
    return None


LEAST = {"cnn_infovae": 8, "cnn_infomax": 16, "cnn_cifar": 32, "cnn_celeba": 32, "pixelcnn": 8}


def why_not_likelihood(name: str, items: Items, network: str = "mlp") -> str | None:
    """What keeps a likelihood from the data or from the network; None where nothing does."""
    if network == "pixelcnn" and name != "bernoulli":
        return "the PixelCNN draws each pixel from a Bernoulli"
    if name.startswith("gaussian"):
        return None
    if items.real:
        return "needs values from 0 to 1"
    if name == "bernoulli":
        return None
    if items.binary:
        return f"needs grey {'levels' if name.startswith('log') else 'values'}, got 0 and 1 only"
    channels = math.prod(items.shape[:-2])
    if name == "logistic_mixture" and (len(items.shape) < 2 or channels not in (1, 3)):
        return "needs images in grey or of three colours"
    return None


def check(model: ModelConfig, items: Items) -> None:
    """Raises: Misfit where network or likelihood do not fit the data, with those that do."""
    for what, name, why_not in rules(model.network, items):
        chosen = getattr(model, name)
        reason = why_not(chosen)
        if reason is not None:
            fitting = [option for option in options(name) if why_not(option) is None]
            raise Misfit(
                f"the {what} must fit the data, got {chosen} for {items}: {reason}; set "
                f"model.{name} to {' or '.join(fitting)}"
            )


def check_config(config: RunConfig) -> None:
    """The same before anything is loaded. Files that cannot be used are left for who loads them."""
    try:
        items = Items.of(catalogue.about(config.data), config.data.binarize)
    except (DataError, OSError):
        return
    check(config.model, items)


def rules(network: str, items: Items) -> Iterator[tuple[str, str, Callable[[str], str | None]]]:
    """What is chosen, the field of `ModelConfig` that says it, and why not an option."""
    yield "network", "network", lambda option: why_not_network(option, items)
    yield "likelihood", "likelihood", lambda option: why_not_likelihood(option, items, network)


def options(name: str) -> tuple[str, ...]:
    """The options of a field of `ModelConfig`."""
    return ModelConfig.model_fields[name].annotation.__args__


def refusals(
    path: str,
    values: Mapping[str, Any],
    about: Callable[[DataConfig], About] = catalogue.about,
) -> dict[str, str]:
    """The options of a field that do not fit what other fields say, each with the reason.

    Args:
        path: of the field in a `RunConfig`, with dots.
        values: what all fields say, by their paths.
        about: gives what is known of the data. Raises: DataError.
    """
    section, _, field = path.rpartition(".")
    if section != "model" or field not in ("network", "likelihood"):
        return {}
    said = {
        name: value
        for path, value in values.items()
        for name in [path.removeprefix("data.")]
        if name != path
    }
    try:
        data = DataConfig.model_validate(said)
        items = Items.of(about(data), data.binarize)
    except (ValueError, OSError, DataError):
        return {}  # the data's own fields say what is wrong
    [why_not] = [rule for _, name, rule in rules(values["model.network"], items) if name == field]
    reasons = {option: why_not(option) for option in options(field)}
    return {option: reason for option, reason in reasons.items() if reason is not None}
