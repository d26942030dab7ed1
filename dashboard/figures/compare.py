"""Figures of the page Compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.comparison import Cloud, Curve, Path
from dashboard.palette import CLASSES, NEUTRAL

MARKS = 9  # markers along a curve, enough to follow it by
HEIGHT = 420  # px
TALL, TYPE = 620, 20  # px of a figure and of its type in a lecture hall
SUMS = 8  # lines of a constant sum, about
START = 0.04  # share of the time whose values may lie outside of the picture
SETTLED = 0.1  # share of a path that may do so
ROOM = 0.08  # of the range, left free at each side
SAVED = "Arial, sans-serif"  # a saved picture has no other font, and would cut off wider names
LINE = 17  # px from one name to the next
AWAY = 28  # px from the end of a path to its name
DASH = {"train": "solid", "test": "dash", "codes": "dash"}  # dashed is held out


def over_time(
    curves: Sequence[Curve], *, label: str, unit: str, clock: str, logarithmic: bool = False
) -> go.Figure:
    """One quantity of several runs. Train is solid, test dashed; a run's colour and marker stay."""
    figure = _figure(clock, _axis(label, unit))
    several = len({curve.split for curve in curves}) > 1
    for name, group in groupby(curves, key=lambda curve: curve.name):
        for first, curve in zip((True, *[False] * len(curves)), group, strict=False):
            figure.add_trace(
                go.Scatter(
                    x=curve.x,
                    y=curve.y,
                    name=_entry(curve),
                    legendgroup=name,
                    showlegend=first,
                    mode="lines+markers",
                    line={"color": curve.look.colour, "dash": DASH[curve.split], "width": 2},
                    marker=_marker(curve.look, 7) | {"maxdisplayed": MARKS},
                    hovertemplate=f"%{{y:.3~g}}<extra>{_entry(curve)}, {curve.split}</extra>",
                )
            )
    figure.update_layout(hovermode="x unified" if len(curves) <= 8 else "closest")
    if logarithmic:
        figure.update_yaxes(type="log")
    elif curves:
        begun = START * max(curve.x.max() for curve in curves)
        figure.update_yaxes(range=_range(curve.y[curve.x >= begun] for curve in curves))
    if several:
        figure.update_layout(legend_title_text="solid: train, dashed: test")
    return figure


def rate_distortion(paths: Sequence[Path]) -> go.Figure:
    """Where training has led each run; on a dotted line the ELBO, −(D + R), is the same."""
    return _plane(
        paths,
        across="rate R (nats)",
        up="distortion D (nats)",
        level="D + R = ",
        said=("R", "D", "−ELBO"),
    )


def information(paths: Sequence[Path]) -> go.Figure:
    """What the rate is spent on; on a dotted line the rate, I + KLz, is the same."""
    return _plane(
        paths,
        across="marginal KL, KL(q(z) ‖ p(z)) (nats)",
        up="mutual information I(x; z) (nats)",
        level="R = ",
        said=("KLz", "I", "R"),
    )


def codes(clouds: Sequence[Cloud]) -> go.Figure:
    """Latent planes on the same axes, the prior at 1σ and 2σ beside them."""
    columns = min(len(clouds), 4)
    rows = -(-len(clouds) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[f"{c.look.glyph} {_entry(c)}" for c in clouds]
    )
    reach = 1.05 * max(2.2, *(float(np.nanmax(np.abs([c.x, c.y]))) for c in clouds))
    for i, cloud in enumerate(clouds):
        place = {"row": i // columns + 1, "col": i % columns + 1}
        for label in np.unique(cloud.label):
            known = 0 <= label < len(cloud.classes)
            name = cloud.classes[label] if known else "no class"
            mine = cloud.label == label
            figure.add_trace(
                go.Scatter(
                    x=cloud.x[mine],
                    y=cloud.y[mine],
                    name=name,
                    legendgroup=name,
                    showlegend=i == 0,
                    mode="markers",
                    marker={"size": 4, "color": CLASSES[label % len(CLASSES)], "opacity": 0.8},
                ),
                **place,
            )
        across, up = cloud.axes
        figure.update_xaxes(title_text=across, range=[-reach, reach], constrain="domain", **place)
        figure.update_yaxes(title_text=up, **place)
        if up != "class":
            _draw_prior(figure, place)
            round = {"scaleanchor": f"x{i + 1}" if i else "x", "constrain": "domain"}
            figure.update_yaxes(range=[-reach, reach], **round, **place)
    legend = {"orientation": "h", "y": -0.2 / rows, "itemsizing": "constant"}
    return figure.update_layout(template="plotly_white", height=160 + 300 * rows, legend=legend)


def _draw_prior(figure: go.Figure, place: dict[str, int]) -> None:
    for sigma in (1, 2):
        figure.add_shape(
            type="circle",
            x0=-sigma,
            x1=sigma,
            y0=-sigma,
            y1=sigma,
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
            **place,
        )


def camera(name: str, format: str) -> dict[str, Any]:
    """Settings with which plotly's camera saves the figure as `format`, "svg" or "png"."""
    picture = {"format": format, "filename": name, "scale": 1 if format == "svg" else 3}
    return {"toImageButtonOptions": picture, "displaylogo": False}


def without_camera() -> dict[str, Any]:
    """Settings for a dark page, whose colours the camera would take and paper does not suit."""
    return {"modeBarButtonsToRemove": ["toImage"], "displaylogo": False}


def enlarge(figure: go.Figure) -> None:
    """Type and lines that are read from the last row of a lecture hall."""
    figure.update_layout(
        height=TALL, font_size=TYPE, legend_font_size=TYPE, margin={"l": 90, "b": 80}
    )
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont_size=TYPE, title_font_size=TYPE)
    figure.update_annotations(font_size=TYPE)
    figure.update_traces(line_width=4, textfont_size=TYPE, selector={"type": "scatter"})


def html(figure: go.Figure, name: str, title: str, format: str = "svg") -> str:
    """A page of its own, which opens without a network; its camera saves as `format`."""
    page = go.Figure(figure).update_layout(title=title, margin={"t": 70})
    text = page.to_html(include_plotlyjs=True, config=camera(name, format))
    return text.replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def _plane(
    paths: Sequence[Path], *, across: str, up: str, level: str, said: tuple[str, str, str]
) -> go.Figure:
    """Paths over a plane with lines on which x + y is constant; each ends in a named marker."""
    figure = _figure(across, up).update_layout(showlegend=False)
    if not paths:
        return figure
    xs = _range(_settled(path, 0) for path in paths)
    ys = _range(_settled(path, 1) for path in paths)
    figure.add_traces(list(_sums(xs, ys, level)))
    for path in paths:
        figure.add_traces(_trail(path, said))
    ends = [(path.x[-1], path.y[-1]) for path in paths]
    for path, (x, y), (right, down) in zip(paths, ends, _aside(ends, xs, ys), strict=True):
        figure.add_annotation(
            x=x,
            y=y,
            ax=right,
            ay=down,
            text=_entry(path),
            xanchor="left" if right > 0 else "right",
            arrowwidth=1,
            arrowhead=0,
            arrowcolor=path.look.colour,
            standoff=6,
            font={"size": 12},
        )
    figure.update_xaxes(range=xs)
    figure.update_yaxes(range=ys)
    return figure


def _trail(path: Path, said: tuple[str, str, str]) -> list[go.Scatter]:
    """The way of a run over a plane, and its end."""
    x, y, total = said
    colour = path.look.colour
    told = np.stack([path.epoch, path.x + path.y], axis=1)
    hover = (
        f"epoch %{{customdata[0]:.4~g}}<br>{x} %{{x:.3~g}}, {y} %{{y:.3~g}}<br>"
        f"{total} %{{customdata[1]:.3~g}}<extra>{_entry(path)}</extra>"
    )
    common = {"name": _entry(path), "legendgroup": path.name, "hovertemplate": hover}
    return [
        go.Scatter(
            x=path.x,
            y=path.y,
            customdata=told,
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"size": 3, "color": colour},
            opacity=0.55,
            **common,
        ),
        go.Scatter(
            x=path.x[-1:],
            y=path.y[-1:],
            customdata=told[-1:],
            mode="markers",
            marker=_marker(path.look, 12),
            error_x=_bar(path, 0),
            error_y=_bar(path, 1),
            **common,
        ),
    ]


def _settled(path: Path, axis: int) -> np.ndarray:
    """What of a path is to be in view along an axis, the error of its end included."""
    values = (path.x, path.y)[axis]
    error = path.errors[axis] if path.errors else 0.0
    late = values[int(SETTLED * len(values)) :]
    return np.concatenate([late, values[-1:] - error, values[-1:] + error])


def _bar(path: Path, axis: int) -> dict[str, Any] | None:
    """The standard error where a path ends."""
    if path.errors is None:
        return None
    return {"type": "data", "array": [path.errors[axis]], "thickness": 1.5, "width": 3}


def _aside(
    ends: Sequence[tuple[float, float]], xs: Sequence[float], ys: Sequence[float]
) -> list[tuple[float, float]]:
    """Where each end is named, in pixels right and down of it, so that no name covers another.

    To the right in the left part of the picture, and the other way round; from above, each at least
    a line below the one before.
    """
    names: list[tuple[float, float]] = [(0.0, 0.0)] * len(ends)
    heights = [HEIGHT * (ys[1] - y) / (ys[1] - ys[0]) for _, y in ends]  # from the top, about
    lowest = 0.0
    for i in sorted(range(len(ends)), key=heights.__getitem__):
        lowest = max(heights[i] - LINE, lowest + LINE)
        left = ends[i][0] < xs[0] + 0.6 * (xs[1] - xs[0])
        names[i] = (AWAY if left else -AWAY, lowest - heights[i])
    return names


def _sums(xs: Sequence[float], ys: Sequence[float], level: str) -> Iterable[go.Scatter]:
    """Lines x + y = c for round c across the ranges, each with its level where it begins."""
    low, high = xs[0] + ys[0], xs[1] + ys[1]
    step = _round((high - low) / SUMS)
    for c in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step + 0.0:  # no −0
        x = np.array([max(xs[0], c - ys[1]), min(xs[1], c - ys[0])])
        yield go.Scatter(
            x=x,
            y=c - x,
            mode="lines+text",
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            text=[f"{level}{c:.4g}", ""],
            textposition="top right" if x[0] == xs[0] else "bottom left",
            textfont={"size": 10, "color": NEUTRAL},
            hoverinfo="skip",
            showlegend=False,
        )


def _range(axes: Iterable[np.ndarray]) -> list[float]:
    """Low and high, so that all values are in view."""
    values = np.concatenate(list(axes))
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    room = ROOM * (high - low) or 0.5
    return [float(low - room), float(high + room)]


def _round(value: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten that is not smaller."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value))


def _figure(across: str, up: str) -> go.Figure:
    # A template of plotly's own: its look where the figure is saved, and Streamlit's in the page.
    figure = go.Figure(layout={"template": "plotly_white", "height": HEIGHT})
    figure.update_layout(
        margin={"t": 36, "r": 10, "b": 40}, legend={"tracegroupgap": 0, "font": {"family": SAVED}}
    )
    figure.update_xaxes(title_text=across)
    figure.update_yaxes(title_text=up)
    return figure


def _axis(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _entry(item: Curve | Path | Cloud) -> str:
    return item.name.replace("<", "&lt;")  # plotly reads some tags


def _marker(look: Any, size: int) -> dict[str, Any]:
    edge = {"width": 1.5, "color": look.colour}
    return {"symbol": look.marker, "size": size, "color": look.colour, "line": edge}
