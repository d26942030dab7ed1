"""A run in files that others read: a report, safetensors, ONNX. Loads torch once it is needed.

A file of safetensors has the weights by their names in `model.VAE`, and in its metadata `config`,
the run's as JSON, `shape` of an image, `classes`, `step` and `run`. It needs no checkpoint and no
data set to be loaded again: `load`.
"""

from __future__ import annotations

import errno
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from infovae_core import report
from infovae_core.config import RunConfig
from infovae_core.decoders import model_shape
from infovae_core.runs import Run, RunError
from infovae_core.runs.files import hindrance

if TYPE_CHECKING:
    from torch import Tensor, nn

    from infovae_core.model import VAE

Tell = Callable[[str], object]

PREFIX = "model."  # of the weights in a checkpoint that are not a critic's
OPSET = 20
TOLD = ("checked: ", "left out: ")  # how what is told of an export begins
PROBES = 3  # images and codes on which what was written is compared with the model
TOLERANCE = 1e-3  # of the largest output: single precision, added up in another order


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
    said = next((event["about"] for event in run.events() if event.get("about")), {})
    if not said.keys() >= {"image_shape", "classes"}:
        raise RunError(f"a run must have started to be exported, got {run.id}; start it")
    return said


def safetensors(run: Run) -> bytes:
    """The model as the bytes of a safetensors file, which were read again; needs no torch.

    Raises: RunError where it was never trained, or its checkpoint cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load, load_file, save

    path, said = checkpoint(run), about(run)
    try:
        weights = _of_model(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(
            f"the checkpoint of run {run.id} must be whole, got {error}; train the run on"
        ) from error
    metadata = {
        "format": "pt",
        "run": run.id,
        "step": str(int(path.stem)),
        "config": json.dumps(run.config),
        "shape": json.dumps(model_shape(said["image_shape"])),
        "classes": json.dumps(said["classes"]),
    }
    data = save(weights, metadata)
    back = load(data)
    same = back.keys() == weights.keys() and all(
        back[name].dtype == weight.dtype and back[name].tobytes() == weight.tobytes()
        for name, weight in weights.items()
    )
    if not same:
        raise RunError("the file must hold the checkpoint's weights, got others; export again")
    return data


def load(path: Path) -> tuple[VAE, RunConfig]:
    """The model in a safetensors file, ready to encode and decode, and the config of its run.

    Raises: RunError where the file says no config.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        said = file.metadata() or {}
    if not {"config", "shape"} <= said.keys():
        raise RunError(
            f"a model must say config and shape in its metadata, got {path} without; "
            "use a file that `export --to safetensors` has written"
        )
    config = RunConfig.model_validate_json(said["config"])
    return _model(json.loads(said["shape"]), config, load_file(path)), config


def restored(run: Run) -> VAE:
    """The model of a run's last checkpoint, ready to encode and decode.

    Raises: RunError where it was never trained.
    """
    from safetensors.torch import load_file

    path, shape = checkpoint(run), model_shape(about(run)["image_shape"])
    return _model(shape, RunConfig.model_validate(run.config), _of_model(load_file(path)))


def _model(shape: Sequence[int], config: RunConfig, weights: dict[str, Any]) -> VAE:
    from infovae_core.networks import build

    model = build(tuple(shape), config.model)
    model.load_state_dict(weights)
    return model.eval()


def _of_model(weights: dict[str, Any]) -> dict[str, Any]:
    """Those of the weights in a checkpoint that are not a critic's."""
    return {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}


def probes(model: VAE, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Images [n, *data] and codes [n, d], the same each time, on which models are compared."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(PROBES, *shape, generator=generator)
    return x, torch.randn(PROBES, model.latent_dim, generator=generator)


def outputs(model: VAE, x: Tensor, z: Tensor) -> dict[str, list[Tensor]]:
    """What `parts` of a model make of images and codes."""
    import torch

    given = {"x": x, "z": z}
    with torch.no_grad():
        made = {name: part(given[takes]) for name, (part, takes, _) in parts(model).items()}
    return {name: list(m) if isinstance(m, tuple) else [m] for name, m in made.items()}


def parts(model: VAE) -> dict[str, tuple[nn.Module, str, list[str]]]:
    """Encoder, x → mean and std, and decoder, z → the mean image, with what each takes and gives.

    No decoder where p(x|z) has no mean to be computed in one pass, as a PixelCNN's.
    """
    import torch
    from torch.distributions import Distribution

    from infovae_core.model import Decoded, Encoded

    found = {"encoder": (Encoded(model), "x", ["mean", "std"])}
    like = next(model.parameters())
    with torch.no_grad():
        in_one_pass = not isinstance(
            model.decoder(torch.zeros(1, model.latent_dim).to(like)), Distribution
        )
    return found | ({"decoder": (Decoded(model), "z", ["x"])} if in_one_pass else {})


def onnx(run: Run, folder: Path, tell: Tell) -> list[Path]:
    """Write `<run>-encoder.onnx`, x → mean and std, and `<run>-decoder.onnx`, z → the mean image.

    The batch may have any size. Each is loaded again and computes what the model does. Raises:
    RunError where it does not, where the run was never trained, or where onnxscript, which torch
    exports with, is not there.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RunError(
            "ONNX needs onnxscript, which is not installed; run `pip install onnxscript`"
        ) from error
    import torch

    model, shape = restored(run), model_shape(about(run)["image_shape"])
    x, z = probes(model, shape)
    expected, written = outputs(model, x, z), []
    for name, (part, takes, gives) in parts(model).items():
        path = folder / f"{run.id}-{name}.onnx"
        torch.onnx.export(
            part.eval(),
            ({"x": x, "z": z}[takes][:2],),
            path,
            input_names=[takes],
            output_names=gives,
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            dynamo=True,
            verbose=False,
        )
        off = difference(path, {takes: {"x": x, "z": z}[takes].numpy()}, expected[name])
        tell(
            f"checked: {path.name}, loaded again, is off the model by {off:.0e} of the largest "
            f"{' or '.join(gives)} on {PROBES} {'images' if takes == 'x' else 'codes'}"
        )
        written.append(path)
    if "decoder" not in expected:
        tell("left out: the decoder, which draws pixel by pixel and is no one pass")
    return written


def difference(path: Path, given: dict[str, np.ndarray], expected: Sequence[Tensor]) -> float:
    """By how much an ONNX file's outputs differ from the model's, as a share of the largest.

    Raises: RunError where that is more than rounding.
    """
    from onnx.reference import ReferenceEvaluator

    got = ReferenceEvaluator(str(path)).run(None, given)
    worst = 0.0
    for array, wanted in zip(got, expected, strict=True):
        off = np.abs(array - wanted.numpy()).max() / np.abs(wanted.numpy()).max().clip(1e-9)
        worst = max(worst, float(off) if np.isfinite(off) else math.inf)
    if worst > TOLERANCE:
        raise RunError(
            f"ONNX must compute what the model does, got {path.name}, which is off by {worst:.1g} "
            "of the largest output; use the safetensors file, or another version of onnxscript"
        )
    return worst


def write(run: Run, kind: str, folder: Path, tell: Tell = lambda text: None) -> list[Path]:
    """Write a run into `folder` as one of `FORMATS`, and give the files.

    They appear once they are whole and checked; what was there under their names stays until then.

    Args:
        tell: is told what was checked, sentence by sentence.

    Raises: RunError where the run has nothing to be written, or the folder cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as made:
            files = FORMATS[kind](run, Path(made), tell)
            return [path.replace(folder / path.name) for path in files]
    except OSError as error:
        raise RunError(why_not(error, folder)) from error


def why_not(error: OSError, folder: Path) -> str:
    """Why nothing could be written into a folder, and what to do."""
    where = error.filename2 or error.filename or folder
    other = "choose another folder by --out"
    if said := hindrance(error, folder, room=f"free some or {other}", other=other):
        return said
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"the folder must be one, got {where}, which is a file or lies in one; {other}"
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY):
        return f"the export must be a new file or replace one, got a folder at {where}; {other}"
    return (
        f"the run must be read and the export written, got {error.strerror or error} at {where}; "
        f"try again, or {other}"
    )


def _safetensors(run: Run, folder: Path, tell: Tell) -> list[Path]:
    import torch

    path = folder / f"{run.id}.safetensors"
    path.write_bytes(safetensors(run))
    model, shape = restored(run), model_shape(about(run)["image_shape"])
    given = probes(model, shape)
    expected, got = outputs(model, *given), outputs(load(path)[0], *given)
    for name, arrays in expected.items():
        if not all(map(torch.equal, arrays, got[name])):
            raise RunError(
                f"the file must hold the model, got {path.name}, whose {name} gives something "
                "else; export again"
            )
    tell(
        f"checked: {path.name}, loaded again, has the checkpoint's weights bit for bit and gives "
        f"the model's {' and '.join(expected)} outputs for {PROBES} items"
    )
    return [path]


def _report(run: Run, folder: Path, tell: Tell) -> list[Path]:
    path = folder / f"{run.id}.html"
    path.write_text(report.html(run, decode), encoding="utf-8")
    return [path]


def decode(run: Run, step: int, z: Float[np.ndarray, "n d"]) -> np.ndarray:
    """Images u8 [n, h, w(, c)] or points f32 [n, k] of codes, by torch in this process.

    Raises: RunError where the decoder of that step cannot be had.
    """
    from infovae_core import decoding

    return decoding.answer({"run": run.path, "step": step, "z": z})["images"]


FORMATS: dict[str, Callable[[Run, Path, Tell], list[Path]]] = {
    "report": _report,
    "safetensors": _safetensors,
    "onnx": onnx,
}
