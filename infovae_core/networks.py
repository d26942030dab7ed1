"""Networks: from an image's shape, and what a likelihood asks for, to an encoder and a decoder."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from infovae_core.config import ModelConfig
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.model import VAE, dense
from infovae_core.pixelcnn import PixelCNN

DENSE = 1024  # units between the convolutions and the code of InfoVAE's CNN
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}

Shape = tuple[int, ...]
Pair = tuple[nn.Module, nn.Module]


def build(shape: Shape, config: ModelConfig) -> VAE:
    """The model that `config` asks for, of data of that shape."""
    likelihood = LIKELIHOODS[config.likelihood](config)
    wanted = likelihood.output_shape(shape)
    pair = NETWORKS[config.network](shape, wanted, config)
    if config.network != "pixelcnn":  # on a CPU convolutions are up to a third faster with colour
        for network in pair:  # last, masked ones are slower
            network.to(memory_format=torch.channels_last)
    return VAE(*pair, likelihood, config.latent_dim)


def mlp(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """Fully connected encoder [b, *shape] → [b, 2d] and decoder [b, d] → [b, *output]."""
    d, activation = config.latent_dim, ACTIVATIONS[config.activation]
    back = config.decoder_widths or config.widths[::-1]
    if config.decoder_depth is not None:
        back = (config.widths[0],) * (config.decoder_depth - 1)
    encoder = dense([math.prod(shape), *config.widths, 2 * d], activation)
    decoder = dense([d, *back, math.prod(output)], activation)
    return nn.Sequential(nn.Flatten(), *encoder), nn.Sequential(*decoder, Reshape(output))


def cnn_infovae(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """Two convolutions that halve the image and a layer of 1024, mirrored (Zhao et al., code).

    LeakyReLU 0.1 in the encoder, ReLU in the decoder, Xavier's initial weights.
    """
    small = (128, shape[-2] // 4, shape[-1] // 4)
    decoder = nn.Sequential(
        nn.Linear(config.latent_dim, DENSE),
        nn.ReLU(),
        nn.Linear(DENSE, math.prod(small)),
        nn.ReLU(),
        Reshape(small),
        nn.ConvTranspose2d(128, 64, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, channels(output), 4, 2, 1),
        Reshape(output),
    )
    initialise(decoder, nn.init.xavier_uniform_)
    return halving(shape, config.latent_dim), decoder


def halving(shape: Shape, d: int) -> nn.Module:
    """The encoder of InfoVAE's CNN."""
    c, leaky = channels(shape), partial(nn.LeakyReLU, 0.1)
    encoder = nn.Sequential(
        Reshape((c, *shape[-2:])),
        nn.Conv2d(c, 64, 4, 2, 1),
        leaky(),
        nn.Conv2d(64, 128, 4, 2, 1),
        leaky(),
        nn.Flatten(),
        nn.Linear(128 * (shape[-2] // 4) * (shape[-1] // 4), DENSE),
        leaky(),
        nn.Linear(DENSE, 2 * d),
    )
    initialise(encoder, nn.init.xavier_uniform_)
    return encoder


def cnn_infomax(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """For MNIST, with ReLU (Rezaabad & Vishwanath, code)."""
    sizes = (28, 28, 56, 118), (118, 118, 56, 28, 28)
    return strided(shape, output, config.latent_dim, *sizes, nn.ReLU)


def cnn_cifar(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """For CIFAR, with ReLU (Rezaabad & Vishwanath, code)."""
    sizes = (32, 32, 64, 64, 128), (128, 128, 64, 64, 32)
    return strided(shape, output, config.latent_dim, *sizes, nn.ReLU)


def cnn_celeba(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """For CelebA of 64 × 64, with LeakyReLU 0.2 and weights from N(0, 0.02²) (the same code)."""
    sizes = (32, 64, 128, 128, 256), (256, 128, 128, 64, 32, 32)
    pair = strided(shape, output, config.latent_dim, *sizes, partial(nn.LeakyReLU, 0.2))
    for network in pair:
        initialise(network, partial(nn.init.normal_, std=0.02), nn.Conv2d)
    return pair


def pixelcnn(shape: Shape, output: Shape, config: ModelConfig) -> Pair:
    """The encoder of `cnn_infovae`, and a gated PixelCNN for its decoder."""
    d = config.latent_dim
    return halving(shape, d), PixelCNN(shape, d, config.pixel_channels, config.pixel_layers)


def strided(
    shape: Shape,
    output: Shape,
    d: int,
    down: Sequence[int],
    up: Sequence[int],
    activation: Callable[[], nn.Module],
) -> Pair:
    """Convolutions of 4 × 4 pixels that halve the image, to 1 × 1 and 2d channels; and back.

    Args:
        down: channels after each halving. A last convolution covers what is left of the image.
        up: channels of the decoder's first layer, and after each doubling but the last.
    """
    c, sides = channels(shape), shape[-2:]
    left = tuple(side // 2 ** len(down) for side in sides)
    encoder: list[nn.Module] = [Reshape((c, *sides))]
    for wide, narrow in pairwise((c, *down)):
        encoder += [nn.Conv2d(wide, narrow, 4, 2, 1), activation()]
    encoder += [nn.Conv2d(down[-1], 2 * d, left), nn.Flatten()]

    steps = [tuple(-(-side // 2**k) for side in sides) for k in range(len(up), -1, -1)]
    decoder = [Reshape((d, 1, 1)), nn.ConvTranspose2d(d, up[0], steps[0])]
    for (small, large), (wide, narrow) in zip(
        pairwise(steps), pairwise((*up, channels(output))), strict=True
    ):
        decoder += [activation(), enlarging(wide, narrow, small, large)]
    return nn.Sequential(*encoder), nn.Sequential(*decoder, Reshape(output))


def enlarging(wide: int, narrow: int, small: Shape, large: Shape) -> nn.ConvTranspose2d:
    """A transposed convolution from one size to another, which is about twice as large."""
    ways = {0: (4, 2, 1), 1: (3, 2, 1)}  # kernel, stride and padding by what doubling overshoots
    kernel, stride, padding = zip(
        *(
            (4, 1, 0) if (a, b) == (4, 7) else ways[2 * a - b]
            for a, b in zip(small, large, strict=True)
        ),
        strict=True,
    )
    return nn.ConvTranspose2d(wide, narrow, kernel, stride, padding)


def channels(shape: Shape) -> int:
    """All but height and width in one."""
    return math.prod(shape[:-2])


def initialise(
    network: nn.Module, start: Callable[[Tensor], object], *only: type[nn.Module]
) -> None:
    """Initial weights by `start`, and biases of 0."""
    for layer in network.modules():
        if isinstance(layer, only or (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            start(layer.weight)
            nn.init.zeros_(layer.bias)


class Reshape(nn.Module):
    """[b, …] → [b, *shape]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)  # len(x) would fix it in ONNX


Builder = Callable[[Shape, Shape, ModelConfig], Pair]

NETWORKS: dict[str, Builder] = {
    "mlp": mlp,
    "cnn_infovae": cnn_infovae,
    "cnn_infomax": cnn_infomax,
    "cnn_cifar": cnn_cifar,
    "cnn_celeba": cnn_celeba,
    "pixelcnn": pixelcnn,
}
