"""The colours of classes and objectives, wherever they are drawn.

Objectives: Okabe and Ito 2008, "Color Universal Design". Classes: Petroff 2021 (arXiv 2107.02270),
ten colours that stay apart for every kind of colour vision.
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
