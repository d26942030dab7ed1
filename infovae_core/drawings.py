"""Figures as text that a page holds: curves and codes as SVG, images as PNG."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

WIDTH, HEIGHT = 360, 190  # px of a plot
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 24, 22
PLANE = 420  # px of the latent plane
GAP = 2  # px between images
DASHES = {"train": "", "test": ' stroke-dasharray="5 4"'}


class Line(NamedTuple):
    """A quantity over the steps, of one split."""

    split: str
    steps: Sequence[float]
    values: Sequence[float | None]


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About so many round values within a range, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= 0.8 * rough)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def plot(title: str, lines: Iterable[Line], colour: str) -> str:
    """A plot of lines over one axis of steps, train solid and test dashed."""
    kept = [line for line in lines if any(value is not None for value in line.values)]
    values = [v for line in kept for v in line.values if v is not None]
    last = max((line.steps[-1] for line in kept), default=1)
    # The loss of an untrained model would press what follows into a line.
    late = [
        v
        for line in kept
        for step, v in zip(line.steps, line.values, strict=True)
        if v is not None and step >= 0.04 * last
    ]
    low, high = min(late or values, default=0.0), max(late or values, default=1.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - margin, high + margin
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    across, up = wide / max(last, 1), tall / (high - low)

    def at(step: float, value: float) -> tuple[float, float]:
        return LEFT + step * across, HEIGHT - BOTTOM - (value - low) * up

    parts = [f'<text x="0" y="14" class="title">{escape(title)}</text>']
    for value in ticks(low, high):
        y = at(0, value)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" class="right">{value:.4g}</text>')
    for step in ticks(0, last):
        x = at(step, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 7}" class="middle">{step:,.0f}</text>')
    parts.append(  # what lies outside is cut off
        f'<svg x="{LEFT}" y="{TOP}" width="{wide}" height="{tall}" '
        f'viewBox="{LEFT} {TOP} {wide} {tall}" class="part">'
    )
    for line in kept:
        path = "".join(
            " " if value is None else "{}{:.1f} {:.1f}".format(mark, *at(step, value))
            for mark, step, value in _marked(line)
        )
        dash = DASHES.get(line.split, "")
        parts.append(f'<path d="{path}" stroke="{colour}"{dash} class="line"/>')
    parts.append("</svg>")
    return svg(WIDTH, HEIGHT, parts, f"{title} over the steps")


def _marked(line: Line) -> Iterable[tuple[str, float, float | None]]:
    """Whether the pen is to be lifted, step and value."""
    mark = "M"
    for step, value in zip(line.steps, line.values, strict=True):
        yield mark, step, value
        mark = "M" if value is None else "L"


def codes(points: np.ndarray, labels: np.ndarray, colours: Sequence[str], names: str) -> str:
    """The latent plane: codes [n, 2] coloured by class, and the prior at 1σ and 2σ."""
    finite = np.isfinite(points).all(1)
    reach = 1.05 * max(2.4, _extent(points[finite]))
    scale = PLANE / 2 / reach
    parts = []
    for (x, y), label in zip(points[finite], labels[finite], strict=True):
        if max(abs(x), abs(y)) <= reach:
            place = f'cx="{(x + reach) * scale:.1f}" cy="{(reach - y) * scale:.1f}"'
            parts.append(f'<circle {place} r="2" fill="{colours[int(label) % len(colours)]}"/>')
    middle = PLANE / 2
    parts += [
        f'<circle cx="{middle}" cy="{middle}" r="{sigma * scale:.1f}" class="prior"/>'
        f'<text x="{middle}" y="{middle - sigma * scale - 3:.1f}" class="middle">{sigma}σ</text>'
        for sigma in (1, 2)
    ]
    parts.append(f'<text x="{PLANE - 4}" y="{PLANE - 6}" class="right">{escape(names)}</text>')
    return svg(PLANE, PLANE, parts, "Codes of images beside the prior")


def points(
    groups: Iterable[tuple[np.ndarray, str]],
    span: float,
    said: str,
    lines: Iterable[np.ndarray] = (),
) -> str:
    """Groups of points [n, k], each in its colour, and lines through points [m, k], out to `span`.

    Numbers, k = 1, are spread over the height; of more than two values the first two are drawn.
    """
    scale = PLANE / 2 / span

    def places(values: np.ndarray) -> np.ndarray:
        if values.shape[1] == 1:
            values = np.column_stack([values[:, 0], np.linspace(-0.9, 0.9, len(values)) * span])
        return np.stack(((values[:, 0] + span) * scale, (span - values[:, 1]) * scale), 1)

    parts = []
    for line in lines:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places(line) if np.isfinite([x, y]).all())
        if path:
            parts.append(f'<path d="M{path}" class="link"/>')
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>'
        for values, colour in groups
        for x, y in places(values)
        if np.isfinite([x, y]).all()
    ]
    return svg(PLANE, PLANE, parts, said)


def _extent(points: np.ndarray) -> float:
    """The distance from the origin within which nearly all coordinates lie."""
    return float(np.quantile(np.abs(points), 0.995)) if points.size else 0.0


def svg(width: int, height: int, parts: Iterable[str], said: str) -> str:
    """A drawing, with what screen readers say of it."""
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(said)}">'
    return f"{head}{''.join(parts)}</svg>"


def sheet(images: np.ndarray, columns: int, said: str, enlarged: float = 1.0) -> str:
    """Images u8 [n, h, w(, c)] as a table in one PNG; grey ones dark on light."""
    from PIL import Image

    count, height, width = images.shape[:3]
    rows = -(-count // columns)
    grey = images.ndim == 3
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    table = np.full(size if grey else (*size, images.shape[3]), 16 if grey else 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        table[top : top + height, left : left + width] = image
    file = io.BytesIO()
    Image.fromarray(255 - table if grey else table).save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    kind = "grey" if grey else "colour"
    wide = round(size[1] * enlarged)
    return (
        f'<img class="{kind}" width="{wide}" alt="{escape(said)}" '
        f'src="data:image/png;base64,{data}">'
    )
