"""What repeats a run exactly, to be copied: a command line, or a few lines of Python.

Loads no torch.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Iterator
from pathlib import PurePath
from pprint import pformat
from typing import Any

from infovae_core import options
from infovae_core.config import RunConfig

WIDTH = 88  # columns of a line of Python
PYTHON = """from infovae_core import data, startup, training
from infovae_core.config import RunConfig

startup.load_torch()  # as a worker does: denormal numbers, threads and TF32 decide about bits
config = RunConfig.model_validate(
{config}
)
images = data.load(config.data, training.resolve_device(config.training.device))
for report in training.train(config, images):
    for row in report.rows:
        print(report.state.step, row.split, row.values)
"""


def python(config: RunConfig) -> str:
    """A script that trains the same model and prints the same rows."""
    said = pformat(differences(config), width=WIDTH - 4, sort_dicts=False)
    return PYTHON.format(config="\n".join(f"    {line}" for line in said.splitlines()))


def command(config: RunConfig) -> str:
    """A command that trains the same model: options where they can say it, else a file."""
    words = [*options.PROGRAM.split(), "train", *_options(differences(config))]
    if not config.turns and _understood(*words[3:]) == config:
        return shlex.join(words)
    said = json.dumps(differences(config), indent=1, ensure_ascii=False)
    return f"{options.PROGRAM} train --config /dev/stdin <<'END'\n{said}\nEND"


def differences(config: RunConfig) -> dict[str, Any]:
    """The fields that are not as they are by default, nested as in a config file."""
    said = _unlike(config.model_dump(mode="json"), RunConfig().model_dump(mode="json"))
    name = config.objective.name
    if name != RunConfig().objective.name:  # whose defaults are others
        plain = type(config.objective)().model_dump(mode="json")
        mine = _unlike(config.objective.model_dump(mode="json"), plain)
        said["objective"] = {"name": name} | mine
    elif "objective" in said:
        said["objective"] = {"name": name} | said["objective"]
    if config.turns:
        turns = (turn.model_dump(mode="json", exclude_none=True) for turn in config.turns)
        said["turns"] = list(turns)
    return said


def _unlike(values: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    said = {}
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(usual.get(name), dict):
            if inner := _unlike(value, usual[name]):
                said[name] = inner
        elif name not in usual or value != usual[name]:
            said[name] = value
    return said


def _options(said: dict[str, Any], prefix: str = "--") -> Iterator[str]:
    for name, value in said.items():
        option = f"{prefix}{name.replace('_', '-')}"
        if isinstance(value, dict):
            yield from _options(value, f"{option}.")
        elif isinstance(value, bool):
            head, _, last = option.rpartition(".")
            yield option if value else f"{head}.no-{last}"
        elif isinstance(value, list):
            yield from (option, *map(str, value))
        else:
            yield from (option, str(PurePath(value)) if isinstance(value, PurePath) else str(value))


@functools.lru_cache(maxsize=256)
def _understood(*words: str) -> RunConfig | None:
    """What the command line makes of these words; a page asks each time that it is drawn."""
    try:
        return options.parse(words).values
    except (options.UsageError, SystemExit):
        return None
