"""A run's decoder as plain arrays: what decodes a code without torch, in numpy or a browser.

The arrays of a file are `about`, a JSON record, and
- `w.<name>`: the decoder's weights by their names, floats in half precision. Where `layers` of the
  record lists what is done with them in order, ["linear", name] or [activation], they are all that
  is needed;
- `atlas`: elsewhere also images decoded ahead, u8 [n, h, w(, c)] over the codes from -reach to
  reach, or [n, n, h, w(, c)], [i, j] the i-th place across and the j-th up, over the plane of the
  codes (z₁, z₂), for d > 2 over the principal `plane` f32 [d, 2] through the origin.

The record's `shape` is that of an image as the model has it, colour first; `link` leads from the
decoder's output to the mean of p(x|z), and `latent_dim` is d.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

WEIGHT = "w."  # before the name of a weight

Arrays = dict[str, np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # overflows nowhere


def _continuous_bernoulli(x: np.ndarray) -> np.ndarray:
    """Its mean at the logit x, 1/(1 − e⁻ˣ) − 1/x, by ½ + x/12 where both terms are large."""
    far = np.where(np.abs(x) < 0.05, 1, x)
    return np.where(np.abs(x) < 0.05, 0.5 + x / 12, -1 / np.expm1(np.clip(-far, -80, 80)) - 1 / far)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * _sigmoid(x),
    "tanh": np.tanh,
}

LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda x: x,
    "sigmoid": _sigmoid,
    "continuous_bernoulli": _continuous_bernoulli,
}


def about(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The record in a decoder's arrays."""
    return json.loads(str(arrays["about"]))


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
    return LINKS[said["link"]](x).reshape(-1, *said["shape"])
