"""The gated PixelCNN: a chain of conditional probabilities, whichever way it is computed."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from infovae_core import data, decoding, distributions, snapshots, training
from infovae_core.config import ModelConfig, RunConfig
from infovae_core.networks import build
from infovae_core.pixelcnn import FIRST, LATER, PixelCNN


def decoder(height=6, width=5, channels=4, layers=3, d=2):
    made = PixelCNN((height, width), d, channels, layers)
    for layer in made.layers:  # gates of more than a whisper, so that errors would show
        for conv in layer.children():
            nn.init.normal_(conv.weight, std=0.5)
    return made


def images(count, height=6, width=5):
    return torch.rand(count, height, width).round()


@pytest.mark.parametrize("layers", [1, 3])
def test_a_pixel_knows_all_that_was_drawn_before_it_and_nothing_else(layers):
    net, (h, w) = decoder(layers=layers), (6, 5)
    z = torch.randn(1, 2)
    slopes = torch.autograd.functional.jacobian(lambda x: net.logits(x, z), images(1))
    slopes = slopes[0, :, :, 0].reshape(h * w, h * w)  # ∂ logit_i / ∂ x_j
    assert not slopes.triu().any()
    for i, j in np.ndindex(h * w, h * w):
        (row, column), (r, c) = divmod(i, w), divmod(j, w)
        first = row - FIRST <= r < row and abs(c - column) <= FIRST
        first = first or (r == row and column - FIRST <= c < column)
        if (layers == 1 and first) or (layers == 3 and j < i and row - r <= FIRST + 2 * LATER):
            assert slopes[i, j] != 0, (i, j)
        if layers == 1 and not first:
            assert slopes[i, j] == 0, (i, j)


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_the_receptive_field_is_as_high_as_the_form_says(layers):
    height, width = 3 * 6 + 2 * 6, 3
    net = decoder(height, width, layers=layers)
    z = torch.randn(1, 2)
    x = images(1, height, width).requires_grad_()
    [slope] = torch.autograd.grad(net.logits(x, z)[0, -1, 1], x)
    seen = slope[0].abs().sum(1).nonzero().min().item()
    assert height - 1 - seen == FIRST + LATER * (layers - 1)
    if layers == 6:
        assert "the 13 rows above" in ModelConfig.model_fields["pixel_layers"].description


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 3), (3, 2)])
def test_probabilities_of_all_images_sum_to_one(height, width):
    every = torch.tensor(list(np.ndindex(*[2] * (height * width))), dtype=torch.float64)
    every = every.reshape(-1, height, width)
    net = decoder(height, width)
    for z in torch.randn(2, 2):
        p = net(z.expand(len(every), 2))
        assert p.log_prob(every).exp().sum().item() == pytest.approx(1)


def test_all_conditionals_in_one_pass_are_those_of_the_chain_rule():
    net, z = decoder(2, 2), torch.randn(1, 2)
    every = torch.tensor(list(np.ndindex(2, 2, 2, 2)), dtype=torch.float64).reshape(-1, 2, 2)
    joint = net(z.expand(16, 2)).log_prob(every).exp().reshape(2, 2, 2, 2)
    x = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    shares = net.logits(x, z).sigmoid().flatten()
    assert shares[0].item() == pytest.approx(joint[1].sum().item())
    assert shares[1].item() == pytest.approx((joint[1, 1].sum() / joint[1].sum()).item())
    assert shares[2].item() == pytest.approx((joint[1, 0, 1].sum() / joint[1, 0].sum()).item())
    assert shares[3].item() == pytest.approx((joint[1, 0, 1, 1] / joint[1, 0, 1].sum()).item())


def naive(net, z, noise):
    """Pixel by pixel, with a pass over the whole image for each."""
    x = torch.zeros_like(noise)
    for i, j in np.ndindex(*noise.shape[1:]):
        shares = net.logits(x, z).sigmoid()
        x[:, i, j] = (noise[:, i, j] < shares[:, i, j]).to(x)
    return x


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(6, 5), (1, 7), (9, 2)])
@torch.no_grad()
def test_drawing_with_what_was_kept_is_drawing_from_the_start(layers, height, width):
    net = decoder(height, width, layers=layers)
    z, noise = torch.randn(20, 2), torch.rand(20, height, width)
    drawn = net(z).draw(noise)
    assert torch.equal(drawn, naive(net, z, noise))
    assert 0.05 < drawn.mean() < 0.95


def test_draws_are_as_frequent_as_they_are_probable():
    net, z = decoder(2, 2), torch.randn(1, 2)
    every = torch.tensor(list(np.ndindex(2, 2, 2, 2)), dtype=torch.float64).reshape(-1, 2, 2)
    share = net(z.expand(16, 2)).log_prob(every).exp()
    drawn = net(z.expand(20_000, 2)).sample().flatten(1) @ torch.tensor([8.0, 4, 2, 1])
    counts = torch.bincount(drawn.long(), minlength=16)
    error = (share * (1 - share) / 20_000).sqrt()
    assert ((counts / 20_000 - share).abs() < 5 * error + 1e-9).all()


def test_drawing_says_how_far_it_is():
    said = []
    decoder()(torch.randn(1, 2)).draw(torch.rand(1, 6, 5), said.append)
    assert said == pytest.approx([i / 6 for i in range(1, 7)])


def test_a_snapshot_says_how_far_its_images_are():
    small = {"network": "pixelcnn", "pixel_channels": 2, "pixel_layers": 1}
    config = RunConfig.model_validate({"data": {"binarize": "threshold"}, "model": small})
    binary, said = data.load(config.data), []

    def told(*what):
        said.append(what)

    state = training.init(config, binary)
    snapshot = snapshots.take(state, binary, progress=told)
    decoding.take(state.model, binary.shape, snapshot, told)
    for images in ("reconstructions", "samples", "the plane's images"):
        rows = [(done, of) for done, of, what in said if what == f"Drawing rows of {images}"]
        assert rows == [(row, 8) for row in range(1, 9)], images


def test_what_a_view_shows_differs_by_the_code_alone():
    net, z = decoder(), torch.randn(1, 2)
    same = distributions.picture(net(z.expand(3, 2)))
    assert torch.equal(same, same[:1].expand(3, -1, -1))
    assert torch.equal(same, distributions.picture(net(z.expand(3, 2))))
    noisy = distributions.picture(net(z.expand(3, 2)), torch.Generator().manual_seed(1))
    assert not torch.equal(noisy[0], noisy[1])
    others = distributions.picture(net(3 * torch.randn(20, 2)))
    assert len(others.unique(dim=0)) > 1


def test_the_elbo_of_a_decoder_that_ignores_its_code_is_log_p_less_the_rate():
    model = build((8, 8), ModelConfig(network="pixelcnn", latent_dim=3, pixel_layers=2))
    for layer in model.decoder.layers:
        nn.init.zeros_(layer.condition.weight)
    x = torch.rand(4, 8, 8).round()
    first, second = model(x), model(x)
    assert not torch.equal(first.z, second.z)
    torch.testing.assert_close(first.log_px, second.log_px)
    assert first.log_px.mean().item() == pytest.approx(-64 * math.log(2), rel=0.2)
