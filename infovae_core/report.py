"""A run as one page of HTML that needs no other file: config, curves, codes, traversals, metrics.

Loads no torch: it draws what the run has left behind, and has others decode what it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from html import escape
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from pydantic.fields import FieldInfo

from infovae_core import choices, decoders, drawings, knobs, recipes
from infovae_core.catalogue import called
from infovae_core.colours import CLASSES, OBJECTIVES
from infovae_core.config import RunConfig
from infovae_core.drawings import Line
from infovae_core.metrics import METRICS
from infovae_core.objectives import OBJECTIVES as KINDS
from infovae_core.results import interval, with_error
from infovae_core.runs import Run, RunError

GRID = 15  # images of a manifold along each axis
STOPS = np.linspace(-3, 3, 13)  # of a row for a dimension
ROWS = 10  # dimensions at most
POINTS = 2500  # codes
SHOWN = 20  # held-out images
IMAGE = 34  # px of one on the page
SPLITS = ("train", "test")
STYLE = Path(__file__).with_name("report.css")
GREY = "var(--muted)"
USUAL = {"total": "loss"}  # of a run that has not said how its quantities are called
Decode = Callable[[Run, int, np.ndarray], np.ndarray]  # images u8, or points, of codes [n, d]
INKS = ("var(--ink)", "#6a51a3", "#a66d00", "#0e7c8b", "#8c4a3c")  # of the loss and its parts


def html(run: Run, decode: Decode | None = None) -> str:
    """The page.

    Args:
        decode: what a decoder that does not run without torch makes of codes at a step; it may
            raise RunError. Without it images that were decoded ahead stand for its traversals.

    Raises: RunError, ValidationError where the run's config cannot be read.
    """
    config = RunConfig.model_validate(run.config)
    said = next((event["about"] for event in run.events() if event.get("about")), {})
    steps = run.snapshot_steps()
    snapshot = None
    with suppress(RunError):  # one that cannot be read: the page goes without
        snapshot = run.snapshot(steps[-1]) if steps else None
    noun = said.get("noun", "images")
    sections = [
        head(run, config, said),
        section("What it was asked to do", settings(config)),
        section("What the loss is made of", curves(run, said)),
    ]
    if snapshot is not None:
        sections += [
            section(f"Where the encoder puts the {noun}", plane(snapshot, said), steps[-1]),
            section(f"Held-out {noun}, and what comes back", pairs(snapshot), steps[-1]),
            section("Decoded draws from the prior", samples(snapshot), steps[-1]),
            section(
                "What the decoder makes of codes", traversals(run, snapshot, decode), steps[-1]
            ),
        ]
    sections += [section("Metrics", metrics(run, said)), section("To repeat it", repeat(run))]
    title = escape(name_of(run, config))
    body = "\n".join(filter(None, sections))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE.read_text()}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def name_of(run: Run, config: RunConfig) -> str:
    """Its label, or else what was trained on what."""
    kind = KINDS[config.objective.name].title
    data = called(config.data.model_dump())
    return run.label or f"{kind} on {data}, d = {config.model.latent_dim}"


def section(title: str, content: str, step: int | None = None) -> str:
    """A part of the page; nothing where it is empty."""
    if not content:
        return ""
    stamp = "" if step is None else f" <small>at step {step:,}</small>"
    return f"<section><h2>{escape(title)}{stamp}</h2>\n{content}</section>"


def head(run: Run, config: RunConfig, said: Mapping[str, Any]) -> str:
    """What the run is, and how far."""
    status, name = run.status, config.objective.name
    data = called(config.data.model_dump())
    facts = [KINDS[name].title, data, f"d = {config.model.latent_dim}", run.state]
    if status["step"] is not None:
        facts.append(f"step {status['step']:,} of {status['steps'] or 0:,}")
    if status["seconds"] is not None:
        facts.append(f"{status['seconds']:.0f} s on {said.get('device', status['device'])}")
    if status["created"] is not None:
        facts.append(f"{datetime.fromtimestamp(status['created']):%Y-%m-%d %H:%M}")
    return (
        f'<header><h1><span style="color: {OBJECTIVES.get(name, "#888")}">■</span> '
        f"{escape(name_of(run, config))}</h1><p>{escape(' · '.join(facts))} · {escape(run.id)}</p>"
        "</header>"
    )


def settings(config: RunConfig) -> str:
    """Every field of the config with its value."""
    tables = []
    for part in ("data", "model", "objective", "training"):
        record = getattr(config, part)
        values = record.model_dump(mode="json")
        rows = [
            (field.title or name, _written(field, values[name]))
            for name, field in type(record).model_fields.items()
        ]
        tables.append(table((part.capitalize(), ""), rows))
    return f'<div class="side">{"".join(tables)}</div>'


def _written(field: FieldInfo, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else choices.called(field, value)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts."""
    lines = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(h)}</th>' for h in heads)}</tr>{lines}</table>"


def curves(run: Run, said: Mapping[str, Any]) -> str:
    """A plot of each quantity."""
    rows = run.rows()
    plots = []
    for i, (name, about) in enumerate(said.get("quantities", {}).items()):
        lines = []
        for split in SPLITS:
            mine = [row for row in rows if row.get("split") == split and name in row["values"]]
            if mine:
                steps = [row["step"] for row in mine]
                lines.append(Line(split, steps, [row["values"][name] for row in mine]))
        if lines:
            title = f"{about['label']}, {about['unit']}"
            plots.append(drawings.plot(title, lines, INKS[i % len(INKS)]))
    if not plots:
        return ""
    key = f"<p>Solid: training {said.get('noun', 'images')}. Dashed: held out.</p>"
    return f'{key}<div class="plots">{"".join(plots)}</div>'


def plane(snapshot: Mapping[str, np.ndarray], said: Mapping[str, Any]) -> str:
    """The codes on the plane on which the dashboard draws them."""
    mean, names = snapshot["mean"], "z₁ across, z₂ up"
    if mean.shape[1] > 2:
        mean, names = mean @ snapshot["plane"], "first two principal components"
    elif mean.shape[1] == 1:
        spread = np.linspace(-1, 1, len(mean), dtype=mean.dtype)
        mean, names = np.column_stack([mean[:, 0], spread]), "z across"
    classes = said.get("classes", ())
    key = "".join(
        f'<span class="key"><span style="color: {CLASSES[i % len(CLASSES)]}">●</span> '
        f"{escape(name)}</span>"
        for i, name in enumerate(classes)
    )
    drawn = drawings.codes(mean[-POINTS:], snapshot["label"][-POINTS:], CLASSES, names)
    return f"<p>Dashed: the prior at 1σ and 2σ. {key}</p>{drawn}"


def pairs(snapshot: Mapping[str, np.ndarray]) -> str:
    """Images above their reconstructions, or points joined to theirs."""
    if _are_points(snapshot):
        x, back = (snapshot[name] for name in ("originals", "reconstructions"))
        drawn = drawings.points(
            [(x, GREY), (back, INKS[1])],
            decoders.span(x),
            "Held-out points and their reconstructions",
            lines=np.stack((x, back), 1) if x.shape[1] > 1 else (),
        )
        return f"<p>Grey: x. Coloured: x̂. {_axes(x)}</p>{drawn}"
    both = [snapshot[name][:SHOWN] for name in ("originals", "reconstructions")]
    said = "Held-out images above their reconstructions"
    return drawings.sheet(np.concatenate(both), len(both[0]), said, enlarged(both[0]))


def samples(snapshot: Mapping[str, np.ndarray]) -> str:
    """Decoded draws, points beside held-out ones."""
    if _are_points(snapshot):
        x, means = snapshot["originals"], snapshot["samples"]
        said = "Held-out points, and the means of draws of the prior"
        drawn = drawings.points([(x, GREY), (means, INKS[1])], decoders.span(x), said)
        return f"<p>Grey: held-out points. Coloured: means. {_axes(x)}</p>{drawn}"
    images = snapshot["samples"]
    return drawings.sheet(images, SHOWN, "Images decoded from draws of the prior", enlarged(images))


def enlarged(images: np.ndarray) -> float:
    """How much to enlarge them."""
    return max(1, IMAGE // images.shape[1])


def traversals(run: Run, snapshot: Mapping[str, np.ndarray], decode: Decode | None = None) -> str:
    """The manifold of two dimensions, or a row for each of those that carry most."""
    steps = run.decoder_steps()
    arrays = run.decoder(steps[-1]) if steps else {}
    points, d = _are_points(snapshot), snapshot["mean"].shape[1]
    if not arrays or (points and d > 2):
        return ""
    z = codes(rates(snapshot))
    try:
        drawn = _decoded(run, steps[-1], arrays, z.reshape(-1, d), decode)
    except RunError as error:
        rest = "" if points else _atlas(arrays)
        return f"<p>{escape(str(error))}</p>{rest}"
    if drawn is None:
        return "" if points else _atlas(arrays)
    drawn = drawn.reshape(*z.shape[:-1], *drawn.shape[1:])
    if points:
        return _net(drawn, snapshot["originals"], d)
    if d > 2:
        return f'<div class="rows">{"".join(_rows(drawn, rates(snapshot)))}</div>'
    images = drawn.reshape(-1, *drawn.shape[d:])
    if d == 2:
        images = drawn.swapaxes(0, 1)[::-1].reshape(images.shape)
    said = "Images over quantiles of the prior, z₁ across and z₂ up"
    return f"<p>{said}.</p>{drawings.sheet(images, GRID, said, enlarged(images))}"


def codes(kl: np.ndarray) -> np.ndarray:
    """The codes of the traversals: a grid [n, d] or [n, n, d] over the quantiles of the prior.

    For d > 2 a row [k, m, d] for each of the k dimensions of largest rate `kl`.
    """
    d = len(kl)
    if d <= 2:
        quantiles = [NormalDist().inv_cdf((i + 0.5) / GRID) for i in range(GRID)]
        return np.stack(np.meshgrid(*[quantiles] * d, indexing="ij"), -1).astype(np.float32)
    first = np.argsort(-kl)[:ROWS]
    z = np.zeros((len(first), len(STOPS), d), np.float32)
    z[np.arange(len(first)), :, first] = STOPS
    return z


def _decoded(
    run: Run, step: int, arrays: Mapping[str, np.ndarray], z: np.ndarray, decode: Decode | None
) -> np.ndarray | None:
    """Images u8 or points of codes [n, d]; None where nobody can decode them."""
    if decoders.runs_anywhere(arrays):
        means = decoders.decode(arrays, z)
        return means if means.ndim == 2 else pixels(means)
    return None if decode is None else decode(run, step, z)


def _are_points(snapshot: Mapping[str, np.ndarray]) -> bool:
    return snapshot["originals"].ndim == 2


def _axes(points: np.ndarray) -> str:
    if points.shape[1] == 1:
        return "x across."
    of = f", of {points.shape[1]} values" if points.shape[1] > 2 else ""
    return f"x₁ across and x₂ up{of}."


def _net(means: np.ndarray, x: np.ndarray, d: int) -> str:
    """Where the decoder puts the lines of a grid over the prior's quantiles, among points x."""
    if x.shape[1] == 1:
        return ""
    lines = [means] if d == 1 else [*means, *means.swapaxes(0, 1)]
    said = "Lines over quantiles of the prior, as the decoder puts them among held-out points"
    drawn = drawings.points([(x, GREY)], decoders.span(x), said, lines)
    return f"<p>{said}. {_axes(x)}</p>{drawn}"


def _rows(images: np.ndarray, kl: np.ndarray) -> Iterator[str]:
    for row, j in zip(images, np.argsort(-kl)[:ROWS], strict=True):
        said = f"z{j + 1} from −3 to 3, the others 0"
        yield f"<b>z<sub>{j + 1}</sub> <small>{kl[j]:.2g} nats</small></b>"
        yield f"<div>{drawings.sheet(row, len(STOPS), said, enlarged(row))}</div>"


def rates(snapshot: Mapping[str, np.ndarray]) -> np.ndarray:
    """E KL(q(zⱼ|x) ‖ N(0, 1)) of each dimension, nats."""
    mean, std = snapshot["mean"].astype(np.float64), snapshot["std"].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.mean(0.5 * (std**2 + mean**2 - 1) - np.log(std), axis=0))


def _atlas(arrays: Mapping[str, np.ndarray]) -> str:
    images = arrays["atlas"]
    if images.shape[0] != images.shape[1]:
        return ""
    count = len(images)
    rows = images.swapaxes(0, 1)[::-1].reshape(-1, *images.shape[2:])
    said = "Images over the plane of the codes"
    return f"<p>{said}.</p>{drawings.sheet(rows, count, said)}"


def pixels(means: np.ndarray) -> np.ndarray:
    """Means in [0, 1] as bytes, colour last."""
    levels = np.rint(np.clip(means, 0, 1) * 255).astype(np.uint8)
    return np.moveaxis(levels, 1, -1) if levels.ndim == 4 else levels


def metrics(run: Run, said: Mapping[str, Any]) -> str:
    """What was measured on demand, and the newest values on held-out items."""
    rows = []
    for name, record in run.evaluation.items():
        title = METRICS[name].title if name in METRICS else name
        unit = METRICS[name].unit if name in METRICS else ""
        value = with_error(record["value"], record["error"])
        between = interval(record["low"], record["high"])
        rows.append((title, value, between, unit, record["note"] or ""))
    measured = table(("metric", "value", "95 % interval", "unit", ""), rows) if rows else ""
    last = run.last("test")
    if last is None:
        return measured
    quantities, noun = said.get("quantities", {}), said.get("noun", "images")
    values = [
        (
            quantities.get(name, {}).get("label", USUAL.get(name, name)),
            "–" if value is None else f"{value:.6g}",
        )
        for name, value in last["values"].items()
    ]
    newest = table((f"held-out {noun}, step {last['step']:,}", ""), values)
    return f'<div class="side">{newest}{measured}</div>'


def repeat(run: Run) -> str:
    """What trains it again, exactly."""
    with suppress(RunError):
        config = knobs.replica(run)
        texts = (recipes.command(config), recipes.python(config))
        return "".join(f"<pre>{escape(text)}</pre>" for text in texts)
    return ""
