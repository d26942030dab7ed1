"""Runs side by side: what each has logged, as arrays, and what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dashboard import palette, state, words
from dashboard.packing import project
from infovae_core.metrics import METRICS
from infovae_core.runs import Run, RunError

BETWEEN = " · "  # parts of a label
CLOCKS = {"step": "step", "epoch": "epoch", "seconds": "seconds of training"}
SPLITS = ("train", "test")
SURGERY = ("marginal_kl", "mutual_information")  # the parts of the rate
CODES = "codes"  # rows of what held-out codes carry, by the names of metrics
NATS = "nats per image"
USUAL = {  # of a run that has not said so itself
    "total": ("loss", NATS),
    "distortion": ("distortion D", NATS),
    "rate": ("rate R", NATS),
}


@dataclass(frozen=True, eq=False)
class Entry:
    """One of the runs that are compared."""

    run: Run
    name: str  # unlike those of the others
    look: palette.Look
    summary: state.Summary
    rows: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The run as legends write it, its marker before its name."""
        return f"{self.look.glyph} {self.name}"

    def said(self) -> dict[str, Any]:
        """What a canvas that shows several runs is told of this one."""
        return {
            "id": self.run.id,
            "name": self.name,
            "glyph": self.look.glyph,
            "color": self.look.colour,
            "objective": self.subtitle,
            "data": self.summary.data,
            "active": self.summary.state == "running",
            "classes": tuple(self.about.get("classes", ())),
            "noun": self.about.get("noun", "images"),
            "kind": self.about.get("kind", "images"),
        }

    @property
    def settings(self) -> str:
        """The objective with its coefficients, as plain text."""
        return _objective(self.summary)

    @property
    def subtitle(self) -> str:
        """The objective, where the name does not say it."""
        return _said_besides(self.name, self.summary)


class Curve(NamedTuple):
    """A quantity of a run over time."""

    name: str
    look: palette.Look
    split: str
    x: np.ndarray
    y: np.ndarray


class Path(NamedTuple):
    """Where a run has been on a plane of two quantities, oldest first."""

    name: str
    look: palette.Look
    epoch: np.ndarray
    x: np.ndarray
    y: np.ndarray
    errors: tuple[float, float] | None = None  # standard errors of where it is now


def curve_rows(curves: Iterable[Curve], clock: str, label: str) -> list[list[str | float]]:
    """Curves as rows of numbers, below a head."""
    points = ([c.name, c.split, *map(float, p)] for c in curves for p in zip(c.x, c.y, strict=True))
    return [["run", "split", clock, label], *points]


def path_rows(paths: Iterable[Path], across: str, up: str) -> list[list[str | float]]:
    """Paths as rows of numbers, below a head."""
    points = (
        [path.name, *map(float, point)]
        for path in paths
        for point in zip(path.epoch, path.x, path.y, strict=True)
    )
    return [["run", "epoch", across, up], *points]


class Cloud(NamedTuple):
    """The codes of a run on a plane."""

    name: str
    look: palette.Look
    axes: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    label: np.ndarray  # of the classes
    classes: Sequence[str]


def entries(runs: Iterable[Run]) -> list[Entry]:
    """The runs in this order, each with a name, a colour and a marker of its own."""
    lines = [state.summary(run) for run in runs]
    looks = palette.looks(line.objective.get("name") for line in lines)
    return [
        Entry(line.run, name, look, line, state.rows(line.run), state.about(line.run))
        for line, name, look in zip(lines, _names(lines), looks, strict=True)
    ]


def _names(lines: Sequence[state.Summary]) -> list[str]:
    """Labels, or else objectives, no two alike.

    What all labels begin with is left out; a name that several runs would have gets the end of
    the id.
    """
    parts = [line.label.split(BETWEEN) for line in lines]
    begun = min(map(len, parts), default=1) - 1 if len(lines) > 1 else 0
    begun = next((i for i in range(begun) if len({part[i] for part in parts}) > 1), begun)
    names = [
        words.short(BETWEEN.join(part[begun:]) or _objective(line) or line.run.id, 40)
        for line, part in zip(lines, parts, strict=True)
    ]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name}{BETWEEN}{line.run.id[-4:]}"
        for name, line in zip(names, lines, strict=True)
    ]


def choices(lines: Iterable[state.Summary]) -> dict[str, str]:
    """What a list of choices calls each run, by its id: the same at all times, and no two alike."""
    texts = {
        line.run.id: BETWEEN.join(
            filter(
                None, (words.short(line.label, 60), _said_besides(line.label, line), line.setting)
            )
        )
        for line in lines
    }
    shared = Counter(texts.values())
    return {id: text if shared[text] == 1 else f"{text}{BETWEEN}{id}" for id, text in texts.items()}


def _said_besides(name: str, line: state.Summary) -> str:
    """The objective, unless the name says it already."""
    objective = _objective(line)
    return "" if objective in name else objective


def _objective(line: state.Summary) -> str:
    return "" if line.problem else " ".join(words.objective(line.objective)).strip()


# Over time.


def quantities(compared: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    """Label and unit, or units, of every quantity that some run has logged; those of codes last.

    What codes carry has "codes:" before its name, for a term of an objective may be called so too.
    """
    labels: dict[str, str] = {}
    units: dict[str, dict[str, None]] = {}  # by quantity: of images and of points, say
    codes: dict[str, tuple[str, str]] = {}
    for entry in compared:
        said = entry.about.get("quantities", {})
        for name in _names_in(row for row in entry.rows if row["split"] in SPLITS):
            label, unit = USUAL.get(name, (name.replace("_", " "), ""))
            known = said.get(name, {})
            labels.setdefault(name, known.get("label", label))
            units.setdefault(name, {})[known.get("unit", unit)] = None
        for name in _names_in(row for row in entry.rows if row["split"] == CODES):
            if metric := METRICS.get(name):
                codes[f"{CODES}:{name}"] = metric.title, metric.unit
    codes.pop(f"{CODES}:rate", None)  # all test images say it better
    terms = {name: (labels[name], " or ".join(filter(None, units[name]))) for name in labels}
    return terms | codes


def _names_in(rows: Iterable[Mapping[str, Any]]) -> dict[str, None]:
    return dict.fromkeys(name for row in rows for name in row["values"])


def curves(
    compared: Iterable[Entry], quantity: str, clock: str = "step", splits: Sequence[str] = SPLITS
) -> list[Curve]:
    """A quantity of each run and split over `clock`, where it was logged; NaN was not finite."""
    of_codes, _, name = quantity.rpartition(":")
    return [
        Curve(entry.name, entry.look, split, *_columns(rows, clock, name))
        for entry in compared
        for split in ((of_codes,) if of_codes else splits)
        if (rows := _rows(entry, split, name))
    ]


def last(entry: Entry) -> dict[str, float | None]:
    """The newest values of held-out images, by the names of `quantities`."""
    found = {}
    for split, prefix in (("test", ""), (CODES, f"{CODES}:")):
        row = next((row for row in reversed(entry.rows) if row["split"] == split), None)
        found |= {f"{prefix}{name}": value for name, value in row["values"].items()} if row else {}
    return found


def paths(compared: Iterable[Entry], across: str, up: str, split: str = "test") -> list[Path]:
    """Two quantities of each run against each other over the rows of `split` that hold both."""
    return [
        Path(entry.name, entry.look, epoch, x, y)
        for entry in compared
        if (rows := _rows(entry, split, across, up))
        for epoch, x, y in [_columns(rows, "epoch", across, up)]
    ]


def surgery(compared: Iterable[Entry]) -> list[Path]:
    """What the rate was spent on: KLz across, I up; at the end as measured, where it was."""
    found = []
    for entry in compared:
        known = paths([entry], *SURGERY, split=CODES)
        measured = [entry.run.evaluation.get(name, {}) for name in SURGERY]
        current = all(one.get("step") == entry.summary.status["step"] for one in measured)
        if all(one.get("value") is not None for one in measured) and (current or not known):
            nowhere = np.array([])
            before = known[0] if known else Path(entry.name, entry.look, *[nowhere] * 3)
            known = [_measured_end(before, entry.summary.status["epoch"] or 0, *measured)]
        found += known
    return found


def _measured_end(path: Path, epoch: float, x: Mapping[str, Any], y: Mapping[str, Any]) -> Path:
    """The path with one more place, and the errors of that."""
    return path._replace(
        epoch=np.append(path.epoch, epoch),
        x=np.append(path.x, x["value"]),
        y=np.append(path.y, y["value"]),
        errors=(x["error"] or 0.0, y["error"] or 0.0),
    )


def ends(paths: Iterable[Path]) -> str:
    """Where paths end, in words."""
    places = ((path.name, *map(words.number, (path.x[-1], path.y[-1]))) for path in paths)
    return "; ".join(f"{name} at {x}, {y}" for name, x, y in places)


def _rows(entry: Entry, split: str, *names: str) -> list[Mapping[str, Any]]:
    return [r for r in entry.rows if r["split"] == split and all(n in r["values"] for n in names)]


def _columns(rows: Sequence[Mapping[str, Any]], clock: str, *names: str) -> list[np.ndarray]:
    times = [row[clock] for row in rows]
    values = ([row["values"][name] for row in rows] for name in names)
    return [np.array(column, dtype=float) for column in (times, *values)]


# Codes.


def clouds(compared: Iterable[Entry]) -> list[Cloud]:
    """The newest codes of each run that has some, where d > 2 on their principal plane."""
    found = []
    for entry in compared:
        steps = entry.run.snapshot_steps()
        if not steps:
            continue
        try:
            arrays = entry.run.snapshot(steps[-1])
        except RunError:  # one that cannot be read; the other runs are drawn
            continue
        axes, points = project(arrays["mean"], arrays.get("plane"), "pca")
        names = ("PC 1", "PC 2") if axes == "pca" else ("z₁", "z₂" if len(axes) > 1 else "class")
        label = arrays["label"]
        up = points[:, 1] if points.shape[1] > 1 else label
        classes = tuple(entry.about.get("classes", ()))
        found.append(Cloud(entry.name, entry.look, names, points[:, 0], up, label, classes))
    return found
