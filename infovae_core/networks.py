"""Networks: from an image's shape and a latent dimension to an encoder and a decoder."""

import math
from collections.abc import Callable

from torch import nn

from infovae_core.config import ModelConfig
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.model import VAE, dense

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}


def build(shape: tuple[int, ...], config: ModelConfig) -> VAE:
    """The model that `config` asks for, of data of that shape."""
    pair = NETWORKS[config.network](shape, config)
    return VAE(*pair, LIKELIHOODS[config.likelihood](config), config.latent_dim)


def mlp(shape: tuple[int, ...], config: ModelConfig) -> tuple[nn.Module, nn.Module]:
    """Fully connected encoder [b, *shape] → [b, 2d] and decoder [b, d] → [b, *shape]."""
    n, d, activation = math.prod(shape), config.latent_dim, ACTIVATIONS[config.activation]
    back = config.decoder_widths or config.widths[::-1]
    encoder = nn.Sequential(nn.Flatten(), *dense([n, *config.widths, 2 * d], activation))
    decoder = nn.Sequential(*dense([d, *back, n], activation), nn.Unflatten(-1, shape))
    return encoder, decoder


Builder = Callable[[tuple[int, ...], ModelConfig], tuple[nn.Module, nn.Module]]

NETWORKS: dict[str, Builder] = {"mlp": mlp}
