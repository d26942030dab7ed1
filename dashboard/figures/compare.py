"""Figures of the page Compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.comparison import Curve, Path
from dashboard.palette import NEUTRAL

MARKS = 9  # markers along a curve, enough to follow it by
HEIGHT = 420  # px
SUMS = 8  # lines of a constant sum, about
SETTLED = 0.1  # share of a path that may lie outside of the picture: how it began
ROOM = 0.08  # of the range, left free at each side
DASH = {"train": "solid", "test": "dash"}


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
    figure.update_yaxes(type="log" if logarithmic else "linear")
    if several:
        figure.update_layout(legend_title_text="solid: train, dashed: test")
    return figure


def rate_distortion(paths: Sequence[Path]) -> go.Figure:
    """Where training has led each run; on a dotted line the ELBO, −(D + R), is the same."""
    return _plane(
        paths,
        across="rate R (nats per image)",
        up="distortion D (nats per image)",
        level="D + R = ",
        said=("R", "D", "−ELBO"),
    )


def information(paths: Sequence[Path]) -> go.Figure:
    """What the rate is spent on; on a dotted line the rate, I + KLz, is the same."""
    return _plane(
        paths,
        across="marginal KL, KL(q(z) ‖ p(z)) (nats per image)",
        up="mutual information I(x; z) (nats per image)",
        level="R = ",
        said=("KLz", "I", "R"),
    )


def camera(name: str, format: str) -> dict[str, Any]:
    """Settings with which plotly's camera saves the figure as `format`, "svg" or "png"."""
    picture = {"format": format, "filename": name, "scale": 1 if format == "svg" else 3}
    return {"toImageButtonOptions": picture, "displaylogo": False}


def html(figure: go.Figure, title: str) -> str:
    """A page of its own, which opens without a network."""
    page = go.Figure(figure).update_layout(title=title, margin={"t": 60})
    return page.to_html(include_plotlyjs=True, config=camera(title, "svg"))


def _plane(
    paths: Sequence[Path], *, across: str, up: str, level: str, said: tuple[str, str, str]
) -> go.Figure:
    """Paths over a plane with lines on which x + y is constant; each ends in a named marker."""
    figure = _figure(across, up)
    if not paths:
        return figure
    xs, ys = (_range(axis) for axis in zip(*((p.x, p.y) for p in paths), strict=True))
    for trace in _sums(xs, ys, level):
        figure.add_trace(trace)
    x, y, total = said
    for path in paths:
        hover = (
            f"epoch %{{customdata[0]:.4~g}}<br>{x} %{{x:.3~g}}, {y} %{{y:.3~g}}<br>"
            f"{total} %{{customdata[1]:.3~g}}<extra>{_entry(path)}</extra>"
        )
        told = np.stack([path.epoch, path.x + path.y], axis=1)
        common = {"name": _entry(path), "legendgroup": path.name, "hovertemplate": hover}
        colour = path.look.colour
        figure.add_trace(
            go.Scatter(
                x=path.x,
                y=path.y,
                customdata=told,
                mode="lines+markers",
                line={"color": colour, "width": 1.5},
                marker={"size": 3, "color": colour},
                opacity=0.7,
                showlegend=False,
                **common,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=path.x[-1:],
                y=path.y[-1:],
                customdata=told[-1:],
                mode="markers+text",
                marker=_marker(path.look, 13),
                text=[path.name],
                textposition="top center",
                **common,
            )
        )
    figure.update_xaxes(range=xs)
    figure.update_yaxes(range=ys)
    return figure


def _sums(xs: Sequence[float], ys: Sequence[float], level: str) -> Iterable[go.Scatter]:
    """Lines x + y = c for round c across the ranges, each with its level where it begins."""
    low, high = xs[0] + ys[0], xs[1] + ys[1]
    step = _round((high - low) / SUMS)
    for c in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        x = np.array([max(xs[0], c - ys[1]), min(xs[1], c - ys[0])])
        yield go.Scatter(
            x=x,
            y=c - x,
            mode="lines+text",
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            text=[f"{level}{c:.4g}", ""],
            textposition="bottom right",
            textfont={"size": 10, "color": NEUTRAL},
            hoverinfo="skip",
            showlegend=False,
        )


def _range(axes: Iterable[np.ndarray]) -> list[float]:
    """Low and high, so that all paths are in view but for how they began."""
    settled = np.concatenate([axis[int(SETTLED * len(axis)) :] for axis in axes])
    settled = settled[np.isfinite(settled)]
    low, high = (settled.min(), settled.max()) if len(settled) else (0.0, 1.0)
    room = ROOM * (high - low) or 0.5
    return [float(low - room), float(high + room)]


def _round(value: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten that is not smaller."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value))


def _figure(across: str, up: str) -> go.Figure:
    # A template of plotly's own: its look where the figure is saved, and Streamlit's in the page.
    figure = go.Figure(layout={"template": "plotly_white", "height": HEIGHT})
    figure.update_layout(margin={"t": 20, "r": 10}, legend={"tracegroupgap": 0})
    figure.update_xaxes(title_text=across)
    figure.update_yaxes(title_text=up)
    return figure


def _axis(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label


def _entry(item: Curve | Path) -> str:
    return item.name.replace("<", "&lt;")  # plotly reads some tags


def _marker(look: Any, size: int) -> dict[str, Any]:
    return {"symbol": look.marker, "size": size, "color": look.colour, "line": {"width": 1.5}}
