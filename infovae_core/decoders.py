"""A run's decoder as plain arrays: what decodes a code without torch, in numpy or a browser.

The arrays of a file are `about`, a JSON record, and
- `w.<name>`: the decoder's weights by their names, floats in half precision. Where `layers` of the
  record lists what is done with them in order, ["linear", name] or [activation], they are all that
  is needed;
- `atlas`: elsewhere also images decoded ahead, u8 [n, h, w(, c)] over the codes from -reach to
  reach, or [n, n, h, w(, c)], [i, j] the i-th place across and the j-th up, over the plane of the
  codes (z₁, z₂), for d > 2 over the principal `plane` f32 [d, 2] through the origin. Points, f32,
  have k values in place of h × w pixels.

The record's `shape` is that of an image as the model has it, colour first; `link` leads from the
decoder's output to the mean of p(x|z), and `latent_dim` is d. Of points it is [k], and `span` says
how far from 0 a view of them reaches.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

WEIGHT = "w."  # before the name of a weight

Arrays = dict[str, np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # overflows nowhere


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * _sigmoid(x),
    "tanh": np.tanh,
}


def _continuous_bernoulli(x: np.ndarray) -> np.ndarray:
    """1/(1 − e^(−x)) − 1/x, which is ½ at 0."""
    small = np.abs(x) < 0.3
    far = np.where(small, 1.0, x)
    with np.errstate(over="ignore"):
        return np.where(small, 0.5 + x / 12 - x**3 / 720, 1 / (1 - np.exp(-far)) - 1 / far)


LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda x: x,
    "sigmoid": _sigmoid,
    "continuous_bernoulli": _continuous_bernoulli,
}


def about(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The record in a decoder's arrays."""
    return json.loads(str(arrays["about"]))


def model_shape(image_shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that the model has it in, colour first, of an item whose colours are last."""
    *size, last = image_shape
    return (last, *size) if len(size) == 2 else (*size, last)


def span(points: np.ndarray) -> float:
    """How far from 0 a view of points like these reaches, along each axis."""
    return 1.15 * float(np.abs(points).max(initial=0.0)) or 1.0


def runs_anywhere(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays say all that is needed to decode any code."""
    return about(arrays)["layers"] is not None


def weights(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The decoder's weights by their names."""
    return {k.removeprefix(WEIGHT): v for k, v in arrays.items() if k.startswith(WEIGHT)}


def decode(
    arrays: Mapping[str, np.ndarray], z: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n *data"]:
    """The means of p(x|z) by a decoder that runs anywhere."""
    said = about(arrays)
    x = np.asarray(z, np.float32)
    for kind, *names in said["layers"]:
        if kind == "linear":
            weight, bias = (arrays[f"{WEIGHT}{names[0]}.{part}"] for part in ("weight", "bias"))
            x = x @ weight.astype(np.float32).T + bias.astype(np.float32)
        else:
            x = ACTIVATIONS[kind](x)
    means = x[:, : math.prod(said["shape"])]  # before what a likelihood may want beside them
    return LINKS[said["link"]](means).reshape(-1, *said["shape"])
