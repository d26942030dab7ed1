"""Colours, each with one meaning everywhere.

Objectives: Okabe and Ito 2008, "Color Universal Design". Classes: Petroff 2021 (arXiv 2107.02270),
ten colours that stay apart for every kind of colour vision. Estimators: chosen to stay apart from
the objectives and, for every kind of colour vision (Machado et al. 2009), from each other.
"""

OBJECTIVES: dict[str, str] = {
    "VAE": "#0072B2",
    "BetaVAE": "#D55E00",
    "InfoVAE": "#009E73",
    "InfoMaxVAE": "#CC79A7",
}

CLASSES: tuple[str, ...] = (
    "#3F90DA",
    "#FFA90E",
    "#BD1F01",
    "#94A4A2",
    "#832DB6",
    "#A96B59",
    "#E76300",
    "#B9AC70",
    "#717581",
    "#92DADD",
)

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
