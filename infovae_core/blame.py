"""Which term made a training blow up: the steps before it are repeated, the last taken apart.

A step that spoils the weights has forgotten why: the gradients of all terms have become one. To
take each alone would cost every step a pass per term; to repeat a few costs only runs that failed.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from infovae_core import checkpoints, training
from infovae_core.config import Knobs, RunConfig
from infovae_core.data import Dataset
from infovae_core.precision import computing
from infovae_core.stepper import State, draw_noise
from infovae_core.tape import as_now, put_back


class Blame(NamedTuple):
    """What was not finite first, and where."""

    step: int
    values: tuple[str, ...] = ()  # terms of the loss, or
    gradients: tuple[str, ...] = ()  # terms of a finite loss by their gradients, or
    critics: tuple[str, ...] = ()  # terms by what their critics descend


def find(
    config: RunConfig,
    data: Dataset,
    folder: Path,
    turns: Mapping[int, Knobs],
    last: int,
    ended: Callable[[], object],
) -> Blame | None:
    """What first made a weight anything but finite up to the step `last`.

    The run is repeated from the checkpoint in `folder`, or from its start where there is none. None
    where it does not come to that again, for a GPU may not repeat itself, or `ended()` is true.
    """
    state = checkpoints.load(config, data, folder) or training.init(config, data)
    critics = [w for critic in state.critics.values() for w in critic.parameters()]
    before = _now(state)
    for _ in training.train(config, data, state, turns):
        if not _finite([*state.model.parameters(), *critics]):
            with computing(config.training.precision, state.generator.device):
                return _of_step(config, data, state, *before)
        if state.step >= last or ended():
            return None
        before = _now(state)
    return None


def _now(state: State) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """What the next step's pass depends on: the model's weights, and the noise to come."""
    return as_now(state.model.parameters()), state.generator.get_state()


def _of_step(
    config: RunConfig,
    data: Dataset,
    state: State,
    weights: list[tuple[Tensor, Tensor]],
    noise: Tensor,
) -> Blame | None:
    """What was not finite in the step that `state` has just taken, from the weights before it.

    The critics are as that step's loss saw them: they descend before the model does.
    """
    put_back(weights)
    state.generator.set_state(noise)
    length = training.plan(config, data)
    epoch, done = divmod(state.step - 1, length.steps_per_epoch)
    rows = training.batches(config.training.seed, epoch, data.train, length.batch_size)[done]
    x = training.draw(data, rows, state.generator)
    p = state.model(x, draw_noise(state, x)[:, : len(x)])
    spoiled = tuple(k for k, critic in state.critics.items() if not _finite(critic.parameters()))
    if spoiled and _finite([p.z]):
        return Blame(state.step, critics=spoiled)
    parts = _weighted(state, state.objective.loss(p, state.critics).parts)
    if values := tuple(name for name, part in parts.items() if not _finite([part])):
        return Blame(state.step, values=values)
    gradients = tuple(name for name, part in parts.items() if not _finite(_slopes(part, state)))
    return Blame(state.step, gradients=gradients) if gradients else None


def _weighted(state: State, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts of the total that are followed, as they enter it."""
    weights = {"distortion": 1.0} | {term.name: w for w, term in state.objective.terms()}
    return {name: weights[name] * part for name, part in parts.items() if weights[name]}


def _slopes(part: Tensor, state: State) -> list[Tensor]:
    """The gradients of one part for the model's weights."""
    found = torch.autograd.grad(
        part, [*state.model.parameters()], retain_graph=True, allow_unused=True
    )
    return [gradient for gradient in found if gradient is not None]


def _finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
