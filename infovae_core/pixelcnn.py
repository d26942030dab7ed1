"""A gated PixelCNN, conditioned on a code: binary images, pixel by pixel in reading order.

Two stacks of masked convolutions, so that a pixel knows all that was drawn before it and has no
blind spot: the vertical one sees the rows above, the horizontal one the pixels to the left, and in
each layer what the vertical one found. Source: van den Oord et al. 2016, sections 2.2 to 2.4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli

from infovae_core.distributions import Sequential
from infovae_core.precision import passed

FIRST, LATER = 3, 2  # pixels that a layer reaches to each side: convolutions of 7 × 7 and of 5 × 5


class Layer(nn.Module):
    """One layer of both stacks: h ↦ tanh(a) σ(b), (a, b) = W * h + V z, the same at every pixel.

    Where the vertical stack stands in row r it has seen row r, and so it speaks to row r + 1 of the
    horizontal one.
    """

    def __init__(self, d: int, channels: int, first: bool) -> None:
        super().__init__()
        wide = 1 if first else channels
        self.first, self.reach = first, FIRST if first else LATER
        self.rows = self.reach + (not first)  # of the vertical kernel
        # The first horizontal layer stops short of the pixel itself, which it must not see.
        self.vertical = nn.Conv2d(wide, 2 * channels, (self.rows, 2 * self.reach + 1))
        self.horizontal = nn.Conv2d(wide, 2 * channels, (1, self.reach + (not first)))
        self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.condition = nn.Linear(d, 4 * channels)

    def forward(self, v: Tensor, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks over whole images, [b, c, h, w] each."""
        of_v, of_h = self.condition(z)[..., None, None].chunk(2, 1)
        a = self.vertical(F.pad(v, (self.reach, self.reach, self.rows - 1, 0)))
        above = F.pad(a, (0, 0, 1, -1))
        left = F.pad(h, (self.reach, -1 if self.first else 0))
        b = self.horizontal(left) + self.down(above) + of_h
        return gated(a + of_v), self._residual(h, self.out(gated(b)))

    def _residual(self, h: Tensor, out: Tensor) -> Tensor:
        return out if self.first else h + out


def gated(x: Tensor, dim: int = 1) -> Tensor:
    """tanh of one half of the channels, times σ of the other."""
    a, b = x.chunk(2, dim)
    return a.tanh() * b.sigmoid()


class PixelCNN(nn.Module):
    """A decoder that gives p(x|z) itself.

    Args:
        shape: height and width.
        layers: the receptive field reaches `FIRST` + `LATER` (layers − 1) rows up.
    """

    def __init__(self, shape: tuple[int, int], d: int, channels: int, layers: int) -> None:
        super().__init__()
        self.shape, self.channels = shape, channels
        self.layers = nn.ModuleList(Layer(d, channels, number == 0) for number in range(layers))
        wide = 2 * channels
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, wide, 1), nn.ReLU(), nn.Conv2d(wide, 1, 1)
        )

    def forward(self, z: Float[Tensor, "b d"]) -> Pixels:
        """p(x|z), event shape [h, w]."""
        return Pixels(self, z)

    def logits(self, x: Float[Tensor, "b h w"], z: Float[Tensor, "b d"]) -> Float[Tensor, "b h w"]:
        """logit p(x_i = 1 | x_1 … x_{i−1}, z) of every pixel i, in one pass."""
        v = h = x[:, None]
        for layer in self.layers:
            v, h = layer(v, h, z)
        return self.head(h)[:, 0]


class Pixels(Sequential):
    """p(x|z) of a PixelCNN: all of log p(x|z) in one pass, and images one pixel after another."""

    def __init__(self, decoder: PixelCNN, z: Float[Tensor, "b d"]) -> None:
        self.decoder, self.z = decoder, z
        super().__init__(z.shape[:1], torch.Size(decoder.shape), validate_args=False)

    def log_prob(self, value: Float[Tensor, "b h w"]) -> Float[Tensor, " b"]:
        logits = passed(self.decoder.logits, value, self.z)
        return Bernoulli(logits=logits, validate_args=False).log_prob(value).sum((1, 2))

    @torch.no_grad()
    def draw(
        self,
        noise: Float[Tensor, "b h w"],
        progress: Callable[[float], object] = lambda done: None,
    ) -> Float[Tensor, "b h w"]:
        noise, rows = noise.to(self.z), []
        drawing = Drawing(self.decoder, self.z)
        for number, row in enumerate(noise.unbind(1), 1):
            rows.append(drawing.row(row))
            progress(number / noise.shape[1])
        return torch.stack(rows, 1)


class Drawing:
    """Images in the making: every feature of every layer is computed once and kept.

    A pixel changes only what lies right of it and below. So the vertical stack advances by whole
    rows, and the horizontal one by single pixels, which are small matrix products.
    """

    def __init__(self, decoder: PixelCNN, z: Float[Tensor, "b d"]) -> None:
        self.decoder, self.layers = decoder, list(decoder.layers)
        self.width, batch = decoder.shape[1], len(z)
        self.told = [layer.condition(z).chunk(2, 1) for layer in self.layers]
        # By layer: the last rows of what its vertical convolution takes, with the border around,
        # and what it made of them.
        self.above = [
            z.new_zeros(batch, self._wide(layer), layer.rows, self.width + 2 * layer.reach)
            for layer in self.layers
        ]
        self.heard = [z.new_zeros(batch, 2 * decoder.channels, 1, self.width) for _ in self.layers]

    def _wide(self, layer: Layer) -> int:
        return 1 if layer.first else self.decoder.channels

    def row(self, noise: Float[Tensor, "b w"]) -> Float[Tensor, "b w"]:
        """The next row."""
        biases = [
            layer.down(a)[:, :, 0].movedim(2, 0) + h + layer.horizontal.bias
            for layer, a, (_, h) in zip(self.layers, self.heard, self.told, strict=True)
        ]  # [w, b, 2c]: all that the pixels of this row do not change
        left = [
            noise.new_zeros(len(noise), self._wide(layer), layer.reach + self.width)
            for layer in self.layers
        ]
        for column in range(self.width):
            pixel = self._pixel(column, left, [bias[column] for bias in biases], noise[:, column])
            left[0][:, 0, FIRST + column] = pixel
        drawn = left[0][:, 0, FIRST:]
        self._advance(drawn)
        return drawn

    def _pixel(
        self, column: int, left: list[Tensor], biases: list[Tensor], noise: Float[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        """The next pixel of a row; what each layer makes of it is put into `left`."""
        for number, (layer, kept, bias) in enumerate(
            zip(self.layers, left, biases, strict=True), 1
        ):
            seen = kept[:, :, column : column + layer.horizontal.kernel_size[1]].flatten(1)
            gates = gated(F.linear(seen, layer.horizontal.weight.flatten(1)) + bias)
            h = F.linear(gates, layer.out.weight.flatten(1), layer.out.bias)
            if not layer.first:
                h = h + kept[:, :, LATER + column]
            if number < len(left):
                left[number][:, :, LATER + column] = h
        logits = self.decoder.head(h[..., None, None]).flatten()
        return (noise < logits.sigmoid()).to(noise)

    def _advance(self, drawn: Float[Tensor, "b w"]) -> None:
        """Let the vertical stack see a finished row."""
        row = drawn[:, None, None]
        for number, (layer, kept) in enumerate(zip(self.layers, self.above, strict=True)):
            row = F.pad(row, (layer.reach, layer.reach))
            self.above[number] = torch.cat((kept, row), 2)[:, :, 1:]
            self.heard[number] = layer.vertical(self.above[number])
            row = gated(self.heard[number] + self.told[number][0][..., None, None])
