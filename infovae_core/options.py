"""The command line, drawn from the same models as config.json and the forms.

`--config FILE`, `--preset NAME` and `--objective.name NAME`, in this order, decide what the other
options are and what they default to, so they are looked up before the rest is parsed.
"""

from __future__ import annotations

import argparse
import difflib
import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from tyro.conf import Positional, arg, subcommand
from tyro.constructors import (
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from infovae_core import choices, presets
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES, Objective
from infovae_core.runs import default_root
from infovae_core.worker import explain

PROGRAM = "python -m infovae_core"
GUIDE = f"""Train information-maximising VAEs, and keep what they do in run directories.

  {PROGRAM} train
      InfoVAE on the digits that scikit-learn carries
  {PROGRAM} train --data.name mnist --objective.name BetaVAE --objective.beta 4
      each objective has options of its own: train --objective.name BetaVAE --help
  {PROGRAM} train --preset infomax-mnist-fc
      as published; train --help lists the presets
  {PROGRAM} train --config runs/RUN_ID/config.json --training.seed 1
      the same again, but for one thing
  {PROGRAM} resume runs/RUN_ID
      go on where a run stopped
  {PROGRAM} repeat runs/RUN_ID
      the same again, the knobs turned on the way included
  {PROGRAM} evaluate runs/RUN_ID --metrics all
      measure what it has learned, with errors
  {PROGRAM} export runs/RUN_ID --to report
      a page to read or send; or the model, --to safetensors, --to onnx
  {PROGRAM} list
      all runs, newest first

While it trains, a run shows in the dashboard too: streamlit run app.py"""


PRESET_HELP = (
    "Published settings to start from, as far as this program can carry them: "
    + "; ".join(f"{name} ({preset.title})" for name, preset in presets.PRESETS.items())
    + "."
)


class UsageError(Exception):
    """A command line that cannot be followed; the message is one line and names the remedy.

    No ValueError, which tyro would put into a box of its own.
    """


@dataclass
class Train:
    """Train a model here and now. Ctrl-C stops with a checkpoint that `resume` goes on from."""

    config: Annotated[Path | None, arg(metavar="FILE")] = None
    """A config.json to start from; the other options change single values of it."""
    preset: Annotated[str | None, arg(metavar="NAME", help=PRESET_HELP)] = None
    runs: Annotated[Path, arg(metavar="DIR")] = field(default_factory=default_root)
    """Where run directories are kept."""
    values: Annotated[RunConfig, arg(name="")] = field(default_factory=RunConfig)


@dataclass
class Resume:
    """Go on with a stopped, paused, failed or interrupted run, here and now."""

    run: Annotated[Positional[Path], arg(metavar="RUN_DIR")]
    """The run directory, as `train` prints it."""


@dataclass
class Repeat:
    """Train a new run that does what another did: its settings, and its turns at the same steps."""

    run: Annotated[Positional[Path], arg(metavar="RUN_DIR")]
    """The run directory, as `train` prints it."""


@dataclass
class Evaluate:
    """Measure the last checkpoint of a run that is at rest; print and keep what was measured."""

    run: Annotated[Positional[Path], arg(metavar="RUN_DIR")]
    """The run directory, as `train` prints it."""
    metrics: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ("cheap",)
    """Names of metrics, or `cheap` for those that take seconds, or `all`."""
    seed: int = 0
    """Of all that is drawn: the same seed gives the same numbers."""


@dataclass
class Export:
    """Write a run as a page to read, or its model for other programs; print the files."""

    run: Annotated[Positional[Path], arg(metavar="RUN_DIR")]
    """The run directory, as `train` prints it."""
    to: Literal["report", "safetensors", "onnx"] = "report"
    """report: one page of HTML that needs no other file; safetensors: the weights, with the config
    in the metadata; onnx: encoder and decoder, a file each."""
    out: Annotated[Path, arg(metavar="DIR")] = Path()
    """Where the files are written."""


@dataclass
class List:
    """List the runs, newest first."""

    runs: Annotated[Path, arg(metavar="DIR")] = field(default_factory=default_root)
    """Where run directories are kept."""


PARSING = threading.Lock()  # tyro keeps a registry, and standard error is one for all threads

Command = Train | Resume | Repeat | Evaluate | Export | List


def parse(args: Sequence[str]) -> Command:
    """The command that `args` ask for.

    Raises: UsageError; SystemExit(0) after --help.
    """
    start = starting_point(args) if args[:1] == ["train"] else RunConfig()
    commands = (
        Annotated[Train, subcommand("train", default=Train(values=start))]
        | Annotated[Resume, subcommand("resume")]
        | Annotated[Repeat, subcommand("repeat")]
        | Annotated[Evaluate, subcommand("evaluate")]
        | Annotated[Export, subcommand("export")]
        | Annotated[List, subcommand("list")]
    )
    try:
        with PARSING, redirect_stderr(io.StringIO()) as said:
            command, unknown = tyro.cli(
                commands,
                args=args,
                prog=PROGRAM,
                description=GUIDE,
                registry=REGISTRY,
                return_unknown_args=True,
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise UsageError(f"{in_one_line(said.getvalue())}; see --help") from end
    if unknown:
        raise UsageError(misunderstood(unknown[0], command))
    return command


def starting_point(args: Sequence[str]) -> RunConfig:
    """The config that the options change: of what file, preset and objective `args` name."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--config", nargs="?")
    peek.add_argument("--preset", nargs="?")
    peek.add_argument("--objective.name", nargs="?", dest="objective")
    named, _ = peek.parse_known_args(args)
    config = RunConfig() if named.config is None else read(Path(named.config))
    if named.preset is not None:
        try:
            config = presets.find(named.preset).over(config)
        except ValidationError as error:  # the file's turns are those of another objective
            raise UsageError(f"--preset {named.preset}: {explain(error)}") from error
        except ValueError as error:
            raise UsageError(f"--preset: {error}") from error
    if named.objective in OBJECTIVES and named.objective != config.objective.name:
        config = config.model_copy(update={"objective": OBJECTIVES[named.objective]()})
    return config


def read(file: Path) -> RunConfig:
    """The config in a file."""
    try:
        return RunConfig.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"--config must name a readable file, got {file} ({error.strerror}); check the path"
        ) from error
    except ValidationError as error:
        raise UsageError(f"--config {file}: {explain(error)}") from error


def misunderstood(word: str, command: Command) -> str:
    """What to say of a word that no option or argument takes."""
    if not word.startswith("-"):
        return f"an option must start with --, got {word!r}; see --help"
    options = [f"--{name.replace('_', '-')}" for name in vars(command) if name != "values"]
    if isinstance(command, Train):
        values = command.values.model_dump(exclude={"turns"})
        options += [f"--{name.replace('_', '-')}" for name in dotted(values)]
        chosen, name = command.values.objective.name, word.removeprefix("--objective.")
        owners = [k for k, cls in OBJECTIVES.items() if name in cls.model_fields]
        if name != word and owners and chosen not in owners:
            return (
                f"{word} must belong to the objective, got {chosen}, which has none; "
                f"add --objective.name {owners[0]}"
            )
    close = difflib.get_close_matches(word, options, n=1)
    return f"there is no option {word}; " + (f"did you mean {close[0]}?" if close else "see --help")


def dotted(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The leaves of nested dicts, as `data.name`."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def in_one_line(box: str) -> str:
    """What tyro says in the first section of its box, which is what went wrong.

    Where it cannot draw a box, the title stands above that section and a rule.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│ ") for line in plain.splitlines() if not line.startswith(("╭", "╰"))]
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.strip("─-"):
            sections[-1].append(line)
        else:
            sections.append([])
    title, *rest = sections
    said = title if "╭" in plain or not rest else rest[0]
    return " ".join(said).rstrip(".")


def drawn_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that are options; the others are said in a file only."""
    return {
        name: about
        for name, about in model.model_fields.items()
        if (about.json_schema_extra or {}).get("widget", True)
    }


REGISTRY = ConstructorRegistry()


@REGISTRY.struct_rule
def options_of(info: StructTypeInfo) -> StructConstructorSpec | None:
    """How tyro draws our models: as they are in their default, to be checked as a whole."""
    if not (isinstance(info.type, type) and issubclass(info.type, BaseModel)):
        return None
    fields, drawn = [], drawn_fields(info.type)
    kept = {name: getattr(info.default, name) for name in info.type.model_fields.keys() - drawn}
    for name, about in drawn.items():
        value, kind = getattr(info.default, name), about.annotation
        text = " ".join(filter(None, [about.description, choices.spelled(about)]))
        if isinstance(value, BaseModel):
            kind = type(value)
        elif name == "name" and issubclass(info.type, Objective):
            kind, text = Literal[tuple(OBJECTIVES)], "Each has options of its own, shown with it."
        fields.append(StructFieldSpec(name=name, type=kind, default=value, helptext=text))

    def build(**values: Any) -> Any:
        if info.type is not RunConfig:
            return values
        try:
            return RunConfig.model_validate(kept | values)
        except ValidationError as error:
            raise UsageError(explain(error)) from error

    build.__doc__ = info.type.__doc__.strip().splitlines()[0]
    return StructConstructorSpec(instantiate=build, fields=tuple(fields))
