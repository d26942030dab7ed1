"""What was measured of the runs that are compared, and whether it compares."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from dashboard import words
from dashboard.comparison import CODES, Entry, last, quantities
from dashboard.tables import Cell, Column, Row, Table
from infovae_core import choices, runs
from infovae_core.config import ModelConfig
from infovae_core.metrics import METRICS

DATA = "data set"
DECIDING = {  # what must agree for distortions to mean the same
    DATA: ("data", "name"),
    "file": ("data", "path"),
    "size of the images": ("data", "size"),
    "grey or colour": ("data", "grey"),
    "binarisation": ("data", "binarize"),
    "likelihood": ("model", "likelihood"),
    "σ of the likelihood": ("model", "sigma"),
}
LIKEWISE = ("distortion", "rate")  # logged as they are measured; other terms are the objective's
OF_LIKELIHOOD = ("elbo", "distortion", "log_likelihood_is", "log_likelihood_ais", "bits_per_dim")
OF_KERNEL = ("mmd2_rbf", "mmd2_rbf_wide", "mmd2_imq", "ksd2")  # whose width follows from d


def table(compared: Sequence[Entry]) -> Table:
    """What was measured of the runs, and for the rest what they logged last of held-out images.

    Of the facts about the runs, those that all share are left out; see `common`.
    """
    measured = {entry: entry.run.evaluation for entry in compared}
    unlike = incomparable(compared)
    points = {entry.about.get("kind") for entry in compared} == {"points"}
    said = words.of_points if points else str
    columns = [
        Column(
            m.name, m.title, m.unit, None if m.name in unlike else m.better, m.symbol, said(m.help)
        )
        for m in METRICS.values()
        if any(m.name in found for found in measured.values())
    ]
    known = sorted(quantities(compared).items(), key=lambda item: not _same(item[0]))
    logged = [
        Column(f"logged_{key}", f"{label}, last logged", unit, *_judged(key, unlike, said))
        for key, (label, unit) in known  # what does not hang on the objective comes first
        if not all(_same(key) in found for found in measured.values())
    ]
    facts = [_facts(entry) for entry in compared]
    shared = common(compared)
    return Table(
        [*columns, *logged],
        [
            Row(
                entry.name,
                {name: fact for name, fact in said.items() if name not in shared},
                _measured(entry, measured[entry]) | _logged(entry),
                id=entry.run.id,
                settled=entry.run.state not in runs.ACTIVE,
            )
            for entry, said in zip(compared, facts, strict=True)
        ],
        shared,
    )


def common(compared: Sequence[Entry]) -> dict[str, str]:
    """The facts that are the same for all runs, where there are several; never the objective."""
    first, *others = (_facts(entry) for entry in compared)
    return {
        name: fact
        for name, fact in first.items()
        if name != "Objective" and others and all(other.get(name) == fact for other in others)
    }


def _facts(entry: Entry) -> dict[str, str]:
    config, status = _config(entry), entry.summary.status
    data, model = config.get("data", {}), config.get("model", {})
    done = status["epoch"]
    facts = {
        "Objective": entry.settings,
        "Data": entry.summary.data,
        "Training images": data.get("limit"),
        "Network": _called("network", model),
        "d": model.get("latent_dim"),
        "Likelihood": _called("likelihood", model),
        "Seed": config.get("training", {}).get("seed"),
        "Epochs": None if done is None else words.number(done),
    }
    return {name: str(fact) for name, fact in facts.items() if fact is not None}


def _called(name: str, model: Mapping[str, Any]) -> str | None:
    """What a choice of the model is called."""
    value = model.get(name)
    return None if value is None else choices.called(ModelConfig.model_fields[name], value)


def _measured(entry: Entry, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Cell]:
    step = entry.summary.status["step"]
    return {
        name: Cell(
            **{part: record[part] for part in ("value", "error", "low", "high", "cap", "note")},
            stale=None not in (step, record["step"]) and record["step"] < step,
            count=_counts(name),
        )
        for name, record in found.items()
    }


def _logged(entry: Entry) -> dict[str, Cell]:
    """With the cap where that follows from the number of codes."""
    codes = entry.about.get("codes") or 0
    caps = {f"{CODES}:mutual_information": math.log(codes)} if codes else {}
    return {
        f"logged_{k}": Cell(value, cap=caps.get(k), count=_counts(_same(k)))
        for k, value in last(entry).items()
    }


def _counts(name: str) -> bool:
    """Whether a metric is a whole number of units."""
    return name in METRICS and METRICS[name].unit == "units"


def _same(key: str) -> str:
    """The metric that measures what was logged under `key`, or ""."""
    split, _, name = key.rpartition(":")
    return name if split == CODES or name in LIKEWISE else ""


def _judged(key: str, unlike: Container[str], said: Callable[[str], str]) -> list[Any]:
    """Where the better values of a logged quantity lie, its symbol and its help, if it has some."""
    metric = METRICS.get(_same(key))
    if metric is None:
        return []
    return [None if metric.name in unlike else metric.better, metric.symbol, said(metric.help)]


def disagreements(compared: Iterable[Entry]) -> list[str]:
    """In which respects the runs differ that must agree for D and the ELBO to be comparable."""
    configs = [_config(entry) for entry in compared]
    return [
        what
        for what, (section, field) in DECIDING.items()
        if len({str(config.get(section, {}).get(field) or None) for config in configs}) > 1
    ]


def incomparable(compared: Sequence[Entry]) -> set[str]:
    """Metrics whose values mean different things for these runs, so that none is the best."""
    differing = disagreements(compared)
    if DATA in differing:
        return set(METRICS)
    unlike = set(OF_LIKELIHOOD) if differing else set()
    return unlike | (set(OF_KERNEL) if len(dimensions(compared)) > 1 else set())


def dimensions(compared: Iterable[Entry]) -> set[Any]:
    """Of the codes; kernels are wider where there are more, so that their distances differ."""
    return {_config(entry).get("model", {}).get("latent_dim") for entry in compared}


def kernels_differ(compared: Iterable[Entry], shown: Table) -> bool:
    """Whether the table has distances that do not compare, for they are of other kernels."""
    names = {column.name.removeprefix("logged_codes:") for column in shown.columns}
    return len(dimensions(compared)) > 1 and not names.isdisjoint(OF_KERNEL)


def _config(entry: Entry) -> Mapping[str, Any]:
    config = {} if entry.summary.problem else entry.run.config
    return {name: part for name, part in config.items() if isinstance(part, dict)}
