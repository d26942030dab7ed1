"""Colours, each with one meaning everywhere.

Of objectives and classes see `infovae_core.colours`. Estimators: chosen to stay apart from the
objectives and, for every kind of colour vision (Machado et al. 2009), from each other.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from infovae_core.colours import CLASSES, OBJECTIVES

ESTIMATORS: dict[str, str] = {  # of mutual information
    "kl": "#E00B60",
    "dv": "#A68A00",
    "mine": "#7050E8",
    "nce": "#0A9BBF",
    "empirical": "#9E5C2F",
}

ALL = {"objectives": OBJECTIVES, "classes": CLASSES}  # for the live view

NEUTRAL = "#888888"  # of an objective that this version does not know


def chip(objective: str | None) -> str:
    """A square in the objective's colour, as Markdown; its name is to stand beside it."""
    return f':color[■]{{foreground="{OBJECTIVES.get(objective, NEUTRAL)}"}}'


class Look(NamedTuple):
    """How a run is drawn beside others; the marker tells runs apart where colours do not."""

    colour: str
    marker: str  # as plotly calls it
    glyph: str  # the same as a letter


MARKERS: dict[str, str] = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "cross": "✚",
    "star": "★",
    "triangle-down": "▼",
    "x": "✖",
    "circle-open": "○",
    "square-open": "□",
    "diamond-open": "◇",
    "triangle-up-open": "△",
}
SHADES = (0.0, -0.25, 0.25, -0.4)  # of one colour; below 0 darker, above lighter


def looks(objectives: Iterable[str | None]) -> list[Look]:
    """One for each run compared: the objective's colour in shades, and a marker of its own."""
    seen: Counter[str] = Counter()
    given = []
    markers = tuple(MARKERS.items())
    for i, objective in enumerate(objectives):
        colour = OBJECTIVES.get(objective, NEUTRAL)
        marker, glyph = markers[i % len(markers)]
        given.append(Look(shade(colour, SHADES[seen[colour] % len(SHADES)]), marker, glyph))
        seen[colour] += 1
    return given


def shade(colour: str, share: float) -> str:
    """`colour` moved by that share towards white, or towards black where it is negative."""
    end = 255 if share > 0 else 0
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + abs(share) * (end - c)):02X}" for c in channels)
