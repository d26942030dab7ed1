"""Networks: layer by layer as published, and whole with every likelihood that fits."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from infovae_core.config import ModelConfig
from infovae_core.likelihoods import LIKELIHOODS
from infovae_core.networks import NETWORKS, build, mlp

LINEAR, CONVOLUTION = nn.Linear, nn.Conv2d | nn.ConvTranspose2d


def sizes(network):
    """Of each layer with weights: channels in and out, kernel, stride and padding."""
    found = []
    for layer in network.modules():
        if isinstance(layer, LINEAR):
            found.append((layer.in_features, layer.out_features))
        if isinstance(layer, CONVOLUTION):
            square = {layer.kernel_size, (layer.kernel_size[0],) * 2}
            assert len(square) == 1
            found.append(
                (
                    *(layer.in_channels, layer.out_channels, layer.kernel_size[0]),
                    *(layer.stride[0], layer.padding[0]),
                )
            )
    return found


def halving(*channels):
    return [(a, b, 4, 2, 1) for a, b in pairwise(channels)]


PUBLISHED = {
    ("cnn_infovae", (28, 28)): (
        [*halving(1, 64, 128), (6272, 1024), (1024, 10)],
        [(5, 1024), (1024, 6272), *halving(128, 64, 1)],
    ),
    ("cnn_infomax", (28, 28)): (
        [*halving(1, 28, 28, 56, 118), (118, 10, 1, 1, 0)],
        [
            (5, 118, 1, 1, 0),
            *halving(118, 118, 56),
            (56, 28, 4, 1, 0),
            *halving(28, 28, 1),
        ],
    ),
    ("cnn_cifar", (3, 32, 32)): (
        [*halving(3, 32, 32, 64, 64, 128), (128, 10, 1, 1, 0)],
        [(5, 128, 1, 1, 0), *halving(128, 128, 64, 64, 32, 3)],
    ),
    ("cnn_celeba", (3, 64, 64)): (
        [*halving(3, 32, 64, 128, 128, 256), (256, 10, 2, 1, 0)],
        [(5, 256, 1, 1, 0), *halving(256, 128, 128, 64, 32, 32, 3)],
    ),
}
ACTIVATIONS = {
    "cnn_infovae": ({0.1}, {None}),
    "cnn_infomax": ({None}, {None}),
    "cnn_cifar": ({None}, {None}),
    "cnn_celeba": ({0.2}, {0.2}),
}


@pytest.mark.parametrize(("name", "shape"), PUBLISHED)
def test_convolutional_networks_are_the_published_ones(name, shape):
    model = build(shape, ModelConfig(network=name, latent_dim=5))
    pair = model.encoder, model.decoder
    assert tuple(map(sizes, pair)) == PUBLISHED[name, shape]
    for network, slopes in zip(pair, ACTIVATIONS[name], strict=True):
        found = [m for m in network if isinstance(m, nn.ReLU | nn.LeakyReLU)]
        assert {getattr(m, "negative_slope", None) for m in found} == slopes
        assert len(found) == len(sizes(network)) - 1


def test_xavier_and_the_small_normal_are_where_they_belong():
    model = build((28, 28), ModelConfig(network="cnn_infovae"))
    for layer in (*model.encoder, *model.decoder):
        if isinstance(layer, LINEAR):
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))
            assert 0.95 * bound < layer.weight.abs().max() <= bound
            assert not layer.bias.any()
    model = build((3, 64, 64), ModelConfig(network="cnn_celeba"))
    for layer in model.encoder:
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)


SHAPES = {
    "mlp": [(8, 8), (3, 5, 4), (2,)],
    "cnn_infovae": [(8, 8), (3, 12, 16)],
    "cnn_infomax": [(28, 28), (32, 32), (3, 17, 30)],
    "cnn_cifar": [(3, 32, 32), (40, 33)],
    "cnn_celeba": [(3, 64, 64), (32, 40)],
    "pixelcnn": [(8, 8), (12, 8)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


@pytest.mark.parametrize(("network", "shape"), CASES)
def test_every_network_maps_images_to_codes_and_back(network, shape):
    """With every likelihood that can be had of such data."""
    for likelihood in ["bernoulli"] if network == "pixelcnn" else LIKELIHOODS:
        if likelihood == "logistic_mixture" and len(shape) == 1:
            continue
        config = ModelConfig(network=network, likelihood=likelihood, latent_dim=3, widths=(7, 5))
        model = build(shape, config)
        p = model(torch.rand(2, *shape).round())
        assert p.z.shape == (2, 3)
        assert model.decode(p.z).batch_shape + model.decode(p.z).event_shape == (2, *shape)
        assert torch.isfinite(p.log_px).all()
        p.log_px.sum().backward()
        dead = [name for name, w in model.named_parameters() if w.grad is None]
        assert not dead


def test_every_network_has_its_cases():
    assert set(SHAPES) == set(NETWORKS)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"widths": (7, 5)}, [(4, 7), (7, 5), (5, 6), (3, 5), (5, 7), (7, 4)]),
        ({"widths": (7,), "decoder_widths": (2, 9)}, [(4, 7), (7, 6), (3, 2), (2, 9), (9, 4)]),
        ({"widths": (7, 5), "decoder_depth": 1}, [(4, 7), (7, 5), (5, 6), (3, 4)]),
        (
            {"widths": (7, 5), "decoder_depth": 4},
            [(4, 7), (7, 5), (5, 6), (3, 7), (7, 7), (7, 7), (7, 4)],
        ),
    ],
)
def test_widths_are_the_layers_and_the_decoder_mirrors_unless_told(settings, expected):
    encoder, decoder = mlp((2, 2), (2, 2), ModelConfig(latent_dim=3, **settings))
    assert [*sizes(encoder), *sizes(decoder)] == expected


@pytest.mark.parametrize("depth", [2, 4, 10])
def test_a_deeper_decoder_leaves_the_encoder_as_it_is(depth):
    torch.manual_seed(1)
    one, _ = mlp((2, 2), (2, 2), ModelConfig(decoder_depth=depth))
    torch.manual_seed(1)
    other, _ = mlp((2, 2), (2, 2), ModelConfig(decoder_depth=3))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
