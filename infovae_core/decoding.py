"""Decoders with torch: taken from a model while it trains, restored to decode any code.

`python -m infovae_core.decoding` is a process that decodes for those who have no torch: it answers
the questions on its standard input until that ends, see `serve`.
"""

import functools
import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributions import Distribution

from infovae_core.checkpoints import latest
from infovae_core.config import ModelConfig, RunConfig
from infovae_core.decoders import WEIGHT, Arrays, model_shape, span, weights
from infovae_core.decoders import about as said_of
from infovae_core.distributions import picture
from infovae_core.errors import explain
from infovae_core.model import VAE
from infovae_core.networks import Reshape, build
from infovae_core.runs import Run, RunError
from infovae_core.snapshots import BLOCK, as_drawn, rows_of
from infovae_core.store import Progress, quiet

KINDS: dict[type[nn.Module], str] = {  # what `decoders.decode` and the browser can do
    nn.Linear: "linear",
    nn.ReLU: "relu",
    nn.SiLU: "silu",
    nn.Tanh: "tanh",
}
PORTABLE = 8_000_000  # bytes of weights up to which a decoder is given away to be run elsewhere
ATLAS = 2_000_000  # bytes of images decoded ahead
FINEST, COARSEST = 32, 9  # images along an axis of an atlas
LEAST, MOST, ROOM = 3.0, 20.0, 1.05  # of an atlas's reach, and beyond nearly all codes
KEPT = 8  # decoders that the process keeps ready
NICE = 5

Decode = Callable[[Float[Tensor, "n d"]], Shaped[np.ndarray, "n *item"]]


@torch.no_grad()
def take(
    model: VAE,
    shape: tuple[int, ...],
    snapshot: Mapping[str, np.ndarray],
    progress: Progress = quiet,
) -> Arrays:
    """The decoder of a model as arrays, see `decoders`; no generator is asked.

    Args:
        shape: of an image; snapshot: of the same step, for where its codes lie.
    """
    kept = {f"{WEIGHT}{name}": halved(value) for name, value in model.decoder.state_dict().items()}
    small = sum(array.nbytes for array in kept.values()) <= PORTABLE
    layers = program(model.decoder) if small and model.likelihood.link else None
    said = {
        "shape": list(shape),
        "latent_dim": model.latent_dim,
        "link": model.likelihood.link,
        "layers": layers,
        "span": None if len(shape) > 1 else span(snapshot.get("originals", np.ones(1))),
    }
    if layers is None:
        said["reach"], drawn = atlas(model, shape, snapshot, progress)
        kept |= drawn
    return {"about": np.array(json.dumps(said)), **kept}


def program(decoder: nn.Module) -> list[list[str]] | None:
    """What a decoder of fully connected layers does, in order; None for any other."""
    if type(decoder) is not nn.Sequential:
        return None
    steps = []
    for name, layer in decoder.named_children():
        if type(layer) is Reshape:
            continue
        kind = KINDS.get(type(layer))
        if kind is None or (kind == "linear" and layer.bias is None):
            return None
        steps.append([kind, name] if kind == "linear" else [kind])
    return steps


def halved(values: Tensor) -> np.ndarray:
    """A tensor off the device; floats in half precision where they have room in it."""
    array = values.cpu().numpy()
    if not np.issubdtype(array.dtype, np.floating):
        return array
    largest = np.finfo(np.float16).max
    return array.astype(np.float16 if np.abs(array).max(initial=0) <= largest else np.float32)


def atlas(
    model: VAE,
    shape: tuple[int, ...],
    snapshot: Mapping[str, np.ndarray],
    progress: Progress = quiet,
) -> tuple[float, Arrays]:
    """The reach, and the arrays atlas and, for d > 2, plane; see `decoders`."""
    d, plane = model.latent_dim, snapshot.get("plane")
    codes = snapshot["mean"] if plane is None else snapshot["mean"] @ plane
    reach = float(np.clip(ROOM * np.quantile(np.nan_to_num(np.abs(codes)), 0.995), LEAST, MOST))
    axes, like = min(d, 2), next(model.decoder.parameters())
    places = int(np.clip((ATLAS / math.prod(shape)) ** (1 / axes), COARSEST, FINEST ** (3 - axes)))
    if isinstance(model.decoder(torch.zeros(1, d).to(like)), Distribution):
        places = COARSEST ** (3 - axes)  # it draws pixel by pixel, which takes its time
    axis = torch.linspace(-reach, reach, places)
    grid = torch.stack(torch.meshgrid(*[axis] * axes, indexing="ij"), -1).flatten(0, -2)
    z = grid if plane is None else grid @ torch.from_numpy(plane).T.to(grid)
    images = decoded(model.decode, z, like, rows_of(shape, progress, "the plane's images"))
    drawn = {"atlas": images.reshape(*[places] * axes, *images.shape[1:])}
    return reach, drawn if plane is None else drawn | {"plane": plane}


def decoded(
    decode: Callable[[Tensor], Any],
    z: Float[Tensor, "n d"],
    like: Tensor,
    progress: Callable[[float], object] = lambda done: None,
) -> Shaped[np.ndarray, "n *item"]:
    """What a view shows of codes, on the device and in the precision of `like`.

    Images are u8 [n, h, w(, c)], points f32 [n, k]. `progress` hears of the share of each block
    that is drawn, where it is drawn value by value.
    """
    blocks = z.to(like).split(BLOCK)
    drawn = [as_drawn(picture(decode(block), progress=progress)) for block in blocks]
    return np.concatenate(drawn)


def restore(config: ModelConfig, arrays: Mapping[str, np.ndarray]) -> Decode:
    """A function that decodes, from a decoder's arrays."""
    shape = tuple(said_of(arrays)["shape"])
    model = build(shape, config)
    tensors = {name: torch.from_numpy(array) for name, array in weights(arrays).items()}
    model.decoder.load_state_dict(tensors)
    model.eval()
    like = next(model.decoder.parameters())
    return lambda z: decoded(model.decode, z, like)


@torch.no_grad()
def of_run(run: Run, step: int) -> Arrays:
    """A run's decoder at a step: as it is kept, or out of the checkpoint of that step.

    Raises: RunError where there is neither.
    """
    with suppress(RunError):
        return run.decoder(step)
    if latest(run.path / "checkpoint") != step:
        raise RunError(
            f"a decoder must be of a step at which it was kept, got {step} in run {run.id}; "
            "choose one of decoder_steps(), or the last"
        )
    config = RunConfig.model_validate(run.config).model
    shape = image_shape(run)
    model = build(shape, config)
    with safe_open(run.path / "checkpoint" / f"{step:08d}.safetensors", "pt") as file:
        names = [name for name in file.keys() if name.startswith("model.decoder.")]  # noqa: SIM118
        model.decoder.load_state_dict(
            {name.removeprefix("model.decoder."): file.get_tensor(name) for name in names}
        )
    model.eval()
    steps = run.snapshot_steps()
    return take(model, shape, run.snapshot(steps[-1]) if steps else nothing_seen(model.latent_dim))


def image_shape(run: Run) -> tuple[int, ...]:
    """Of one of a run's items, colour first."""
    said = next((e["about"] for e in run.events() if e.get("about")), None)
    if said is None:
        raise RunError(f"a run must have started to be decoded, got {run.id}; start it")
    return model_shape(said["image_shape"])


def nothing_seen(d: int) -> Arrays:
    """In place of a snapshot, where there is none."""
    plane = {"plane": np.eye(d, 2, dtype=np.float32)} if d > 2 else {}
    return {"mean": np.zeros((1, d), np.float32), **plane}


@functools.lru_cache(maxsize=KEPT)
def decoder_of(path: Path, step: int) -> Decode:
    """The decoder of a run at a step, ready to decode."""
    run = Run(path)
    return restore(RunConfig.model_validate(run.config).model, of_run(run, step))


@torch.no_grad()
def answer(question: dict[str, Any]) -> Arrays:
    """The arrays asked for: of a run's decoder, or the `images` of the codes `z`.

    A question has run, the directory, step, and z, [n, d] or null for the decoder.
    """
    path, step, z = Path(question["run"]), question["step"], question["z"]
    if z is None:
        return of_run(Run(path), step)
    return {"images": decoder_of(path, step)(torch.tensor(z, dtype=torch.float32))}


def serve(questions: io.BufferedIOBase, answers: io.BufferedIOBase) -> None:
    """Answer until there are no more questions.

    A question is a line of JSON, an answer a line of JSON and then an .npz: the line says how many
    `bytes`, or the `error` in place of them.
    """
    for line in questions:
        body, said = b"", {}
        try:
            body = npz(answer(json.loads(line)))
        except Exception as error:  # whoever asked must hear of it
            said["error"] = explain(error)
        answers.write(json.dumps(said | {"bytes": len(body)}).encode() + b"\n" + body)
        answers.flush()


def npz(arrays: Arrays) -> bytes:
    """Arrays as the bytes of an .npz file."""
    with io.BytesIO() as file:
        np.savez(file, **arrays)
        return file.getvalue()


if __name__ == "__main__":
    torch.set_num_threads(1)  # it is not to slow down a training beside it
    with suppress(AttributeError):  # where processes have no niceness
        os.nice(NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
