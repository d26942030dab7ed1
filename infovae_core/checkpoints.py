"""Checkpoints: weights as safetensors, optimiser and generator state beside them.

`<step>.state.pt` is written first and `<step>.safetensors` last, each by renaming; a step counts
once both are there, and older steps go after it. A kill at any moment leaves a whole checkpoint.
"""

import io
import os
from pathlib import Path

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import nn

from infovae_core import training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset
from infovae_core.errors import out_of_memory
from infovae_core.randomness import seed_of
from infovae_core.runs import RunError
from infovae_core.training import State


def save(state: State, folder: Path) -> None:
    """Write `state` as the newest checkpoint of `folder`; earlier ones are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, rest = _files(folder, state.step)
    record = {
        "step": state.step,
        "turned": state.turned,
        "sums": state.sums,
        "objective": state.objective.model_dump_json(),
        "device": state.generator.device.type,
        "generator": state.generator.get_state(),
        "optimizer": state.optimizer.state_dict(),
        "critic_optimizer": state.critic_optimizer and state.critic_optimizer.state_dict(),
    }
    # In memory first: where the disk is full, the writers of torch and safetensors do not say so.
    with io.BytesIO() as data:
        torch.save(record, data)
        _replace(rest, data.getvalue())
    _replace(weights, to_bytes({k: w.contiguous() for k, w in _whole(state).state_dict().items()}))
    for old in folder.iterdir():
        if old not in (weights, rest):
            old.unlink()


def latest(folder: Path) -> int | None:
    """The step of the newest whole checkpoint, or None."""
    steps = (int(path.stem) for path in folder.glob("*.safetensors") if path.stem.isdigit())
    return max((step for step in steps if _files(folder, step)[1].exists()), default=None)


def load(config: RunConfig, data: Dataset, folder: Path) -> State | None:
    """The newest checkpoint as a state on the device of `data`, or None where there is none.

    On another kind of device than it was saved on, the run goes on with fresh noise.

    Raises: RunError where it is broken; where memory, disk or device are what fails, that error.
    """
    step = latest(folder)
    if step is None:
        return None
    state, content = training.init(config, data), _content(folder, step)
    try:
        _fill(state, config, *content)
    except Exception as error:  # torch has one for each way in which a file is broken
        if out_of_memory(error):
            raise
        got = " ".join(str(error).split())[:200]
        raise RunError(
            f"the checkpoint of step {step} must be whole and of this run, got "
            f"{type(error).__name__}: {got}; remove {folder} to train from the start"
        ) from error
    return state


def _fill(state: State, config: RunConfig, weights: bytes, rest: bytes) -> None:
    """Make a fresh state what the files say."""
    _whole(state).load_state_dict(from_bytes(weights))
    record = torch.load(io.BytesIO(rest), map_location="cpu", weights_only=True)
    state.step, state.turned = record["step"], record.get("turned", 0)
    state.objective = type(state.objective).model_validate_json(record["objective"])
    state.sums = record["sums"] and {
        name: value.to(state.generator.device) for name, value in record["sums"].items()
    }
    if record["device"] == state.generator.device.type:
        state.generator.set_state(record["generator"])
    else:
        state.generator.manual_seed(seed_of(config.training.seed, f"noise from step {state.step}"))
    state.optimizer.load_state_dict(record["optimizer"])
    if state.critic_optimizer is not None:
        state.critic_optimizer.load_state_dict(record["critic_optimizer"])


def _whole(state: State) -> nn.Module:
    """Model and critics as one module, whose tensors have dotted names."""
    return nn.ModuleDict({"model": state.model, "critics": nn.ModuleDict(state.critics)})


def _files(folder: Path, step: int) -> tuple[Path, Path]:
    return folder / f"{step:08d}.safetensors", folder / f"{step:08d}.state.pt"


def _content(folder: Path, step: int) -> tuple[bytes, bytes]:
    """Both files; what torch's own reader says of a broken one looks like a broken disk."""
    weights, rest = _files(folder, step)
    try:
        return weights.read_bytes(), rest.read_bytes()
    except IsADirectoryError as error:
        raise RunError(
            f"the checkpoint of step {step} must be two files, got a folder at {error.filename}; "
            f"remove {folder} to train from the start"
        ) from error


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
