"""A run in files that others read: a report, safetensors, ONNX. Loads torch once it is needed.

A file of safetensors has the weights by their names in `model.VAE`, and in its metadata `config`,
the run's as JSON, `shape` of an image, `classes`, `step` and `run`. It needs no checkpoint and no
data set to be loaded again: `load`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from infovae_core import report
from infovae_core.config import RunConfig
from infovae_core.decoders import model_shape
from infovae_core.runs import Run, RunError

if TYPE_CHECKING:
    from infovae_core.model import VAE

PREFIX = "model."  # of the weights in a checkpoint that are not a critic's
OPSET = 20


def checkpoint(run: Run) -> Path:
    """The weights saved last.

    Raises: RunError where there are none.
    """
    files = (run.path / "checkpoint").glob("*.safetensors")
    newest = max((path for path in files if path.stem.isdigit()), default=None)
    if newest is None:
        raise RunError(
            f"a run must have been trained to be exported, got {run.id} without a checkpoint; "
            "train it first"
        )
    return newest


def about(run: Run) -> dict:
    """What the run said of itself when it started.

    Raises: RunError where it never did.
    """
    said = next((event["about"] for event in run.events() if event.get("about")), None)
    if said is None:
        raise RunError(f"a run must have started to be exported, got {run.id}; start it")
    return said


def safetensors(run: Run) -> bytes:
    """The model as the bytes of a safetensors file; needs no torch.

    Raises: RunError where it was never trained.
    """
    from safetensors.numpy import load_file, save

    path, said = checkpoint(run), about(run)
    weights = {
        name.removeprefix(PREFIX): array
        for name, array in load_file(path).items()
        if name.startswith(PREFIX)
    }
    metadata = {
        "format": "pt",
        "run": run.id,
        "step": str(int(path.stem)),
        "config": json.dumps(run.config),
        "shape": json.dumps(model_shape(said["image_shape"])),
        "classes": json.dumps(said["classes"]),
    }
    return save(weights, metadata)


def load(path: Path) -> tuple[VAE, RunConfig]:
    """The model in a safetensors file, ready to encode and decode, and the config of its run.

    Raises: RunError where the file says no config.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    from infovae_core.networks import build

    with safe_open(path, "pt") as file:
        said = file.metadata() or {}
    if not {"config", "shape"} <= said.keys():
        raise RunError(
            f"a model must say config and shape in its metadata, got {path} without; "
            "use a file that `export --to safetensors` has written"
        )
    config = RunConfig.model_validate_json(said["config"])
    model = build(tuple(json.loads(said["shape"])), config.model)
    model.load_state_dict(load_file(path))
    model.eval()
    return model, config


def onnx(run: Run, folder: Path) -> list[Path]:
    """Write `<run>-encoder.onnx`, x → mean and std, and `<run>-decoder.onnx`, z → the mean image.

    The batch may have any size. Raises: RunError where it was never trained or onnxscript, which
    torch exports with, is not there.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RunError(
            "ONNX needs onnxscript, which is not installed; run `pip install onnxscript`"
        ) from error
    import torch

    from infovae_core.model import Decoded, Encoded

    weights = folder / f".{run.id}.safetensors"
    weights.write_bytes(safetensors(run))
    try:
        model, _ = load(weights)
    finally:
        weights.unlink()
    shape = model_shape(about(run)["image_shape"])
    parts = {
        "encoder": (Encoded(model), torch.zeros(2, *shape), ["x"], ["mean", "std"]),
        "decoder": (Decoded(model), torch.zeros(2, model.latent_dim), ["z"], ["x"]),
    }
    written = []
    for name, (part, example, inputs, outputs) in parts.items():
        path = folder / f"{run.id}-{name}.onnx"
        torch.onnx.export(
            part.eval(),
            (example,),
            path,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        written.append(path)
    return written


def write(run: Run, kind: str, folder: Path) -> list[Path]:
    """Write a run into `folder` as one of `FORMATS`, and give the files.

    Raises: RunError where the run has nothing to be written, or the folder cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FORMATS[kind](run, folder)
    except OSError as error:
        raise RunError(
            f"the folder must be writable, got {folder} ({error.strerror}); choose another by --out"
        ) from error


def _safetensors(run: Run, folder: Path) -> list[Path]:
    path = folder / f"{run.id}.safetensors"
    path.write_bytes(safetensors(run))
    return [path]


def _report(run: Run, folder: Path) -> list[Path]:
    path = folder / f"{run.id}.html"
    path.write_text(report.html(run), encoding="utf-8")
    return [path]


FORMATS: dict[str, Callable[[Run, Path], list[Path]]] = {
    "report": _report,
    "safetensors": _safetensors,
    "onnx": onnx,
}
