"""The steps of a run: what one changes, how it is taken, and from when on from a tape."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infovae_core import products
from infovae_core.capture import Captured
from infovae_core.config import Knobs, TrainingConfig
from infovae_core.model import VAE
from infovae_core.objectives import Objective
from infovae_core.precision import computing
from infovae_core.tape import Tape

SETTLED = 200  # steps without a turn after which one is recorded,
RECORDED_FROM = 500  # where as many are ahead: see benchmarks.recording
RESTED = 2000  # steps without a turn after which the tape may be compiled
COMPILED_FROM = 50_000  # steps ahead, from which "auto" compiles them
NEVER = sys.maxsize
BUSY = {
    "compiled": "Compiling the steps, up to a minute",
    "captured": "Capturing the steps as a CUDA graph",
}


@dataclass
class State:
    """Everything that changes while a run trains, and nothing else."""

    model: VAE
    objective: Objective
    critics: dict[str, nn.Module]  # by term
    optimizer: Optimizer
    critic_optimizer: Optimizer | None
    generator: torch.Generator
    critic_steps: int = 1  # for each step of the model
    step: int = 0
    turned: int = 0  # after which step knobs were turned last
    sums: dict[str, Tensor] | None = None  # of each value over the steps since the last row


Step = Callable[[Tensor, Tensor], dict[str, Tensor]]  # of images and noise


def train_step(
    state: State, objective: Objective, x: Tensor, noise: Tensor | None = None
) -> dict[str, Tensor]:
    """Steps of the critics, then one of the model, on the images x [b, *data].

    Each further step of the critics takes fresh codes of the same images. Returns the total and
    its parts as tensors on the device: nothing waits for it here.

    Args:
        noise: as `draw_noise` gives it, which it is left out for.
    """
    noise = draw_noise(state, x) if noise is None else noise
    first, *further = noise.split(len(x), 1)
    p = state.model(x, first)
    if state.critic_optimizer is not None:
        descend(state.critic_optimizer, objective.critic_loss(p.detach(), state.critics))
        for again in further:
            with torch.no_grad():
                q = state.model(x, again)
            descend(state.critic_optimizer, objective.critic_loss(q, state.critics))
    loss = objective.loss(p, state.critics)
    descend(state.optimizer, loss.total)
    return {"total": loss.total.detach()} | {k: v.detach() for k, v in loss.parts.items()}


class Stepper:
    """Takes the steps of a run: as `train_step` does and, after `SETTLED` of them, from its tape.

    Knobs are on the tape as they were: once they are turned, that begins anew. Which steps are
    taken from a compiled tape is decided by step, turns and plan alone: a run that is resumed
    compiles the same. Compiling waits for `RESTED` steps, so that a hand at the knobs does not.
    On a CUDA GPU a tape is not compiled but captured as one graph.

    Args:
        end: the run's last step.
        settings: of which `compile` and `precision` are asked.
        busy: entered with what takes so long that viewers should hear of it.
    """

    def __init__(
        self,
        state: State,
        end: int,
        settings: TrainingConfig,
        busy: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.state, self.end, self.settings, self.busy = state, end, settings, busy
        self.event: dict[str, Any] | None = None
        self._begin()

    def _begin(self) -> None:
        state = self.state
        self.turned, self.objective, self.rates = state.turned, state.objective, rates(state)
        self.step: Step = partial(train_step, state, state.objective)
        self.record_at = state.turned + SETTLED
        self.compile_at = state.turned + RESTED
        if self.end - self.record_at < RECORDED_FROM:
            self.record_at = NEVER
        left = self.end - self.compile_at
        asked = self.settings.compile
        size = self.settings.batch_size
        if asked == "off" or (asked == "auto" and not pays(state, left, size)):
            self.compile_at = NEVER

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        with computing(self.settings.precision, x.device):
            return self._take(x)

    def _take(self, x: Tensor) -> dict[str, Tensor]:
        state, noise = self.state, draw_noise(self.state, x)
        if self._turned():
            self._begin()
        if state.step >= self.record_at:
            self.record_at = NEVER
            self._change("recorded", lambda: self._tape(x, noise))
        if state.step >= self.compile_at:
            self.compile_at = NEVER
            if not isinstance(self.step, partial):  # else it could not be recorded
                self._compile(x, noise)
        values = self.step(x, noise)
        state.step += 1
        return values

    def _turned(self) -> bool:
        """Whether knobs were turned, if only to where they had been: a resumed run sees no more."""
        state = self.state
        same = self.objective is state.objective and self.rates == rates(state)
        return self.turned != state.turned or not same

    def _tape(self, x: Tensor, noise: Tensor) -> Tape:
        return Tape(self.step, changing(self.state), x, noise, onednn=products.pay())

    def _compile(self, x: Tensor, noise: Tensor) -> None:
        began, tape = time.monotonic(), self.step
        what, make = ("captured", Captured) if on_gpu(x) else ("compiled", Tape.compiled)
        with self.busy(f"{BUSY[what]}; stop or pause after it"):
            self._change(what, lambda: make(tape, changing(self.state), x, noise))
        if self.step is not tape:
            self.event = {"kind": "compiled", "seconds": round(time.monotonic() - began, 1)}

    def _change(self, what: str, make: Callable[[], Step]) -> None:
        """Take further steps another way or, where there is none, go on and say so."""
        try:
            self.step = make()
        except Exception as error:
            said = (str(error).strip() or repr(error)).splitlines()[0]
            text = f"the step could not be {what} and is taken as before, only slower: {said}"
            self.event = {"kind": "warning", "text": text}

    def said(self) -> dict[str, Any] | None:
        """What there is to say since the last call."""
        event, self.event = self.event, None
        return event


def pays(state: State, steps: int, batch_size: int) -> bool:
    """Whether the compiler's time comes back: not on a GPU unasked, nor with convolutions.

    Later where most of a step's time are products that oneDNN has shortened already.
    """
    modules = list(state.model.modules())
    convolves = any(isinstance(m, nn.modules.conv._ConvNd) for m in modules)
    largest = max((m.weight.numel() for m in modules if isinstance(m, nn.Linear)), default=0)
    shortened = products.pay() and largest * batch_size >= products.LEAST
    least = COMPILED_FROM * (4 if shortened else 1)
    return steps >= least and not convolves and state.generator.device.type == "cpu"


def on_gpu(x: Tensor) -> bool:
    """Whether steps on x are captured where they would be compiled elsewhere."""
    return x.device.type == "cuda"


def rates(state: State) -> list[float]:
    """The learning rates of model and critics."""
    optimizers = (state.optimizer, state.critic_optimizer)
    return [group["lr"] for o in optimizers if o is not None for group in o.param_groups]


def changing(state: State) -> list[Tensor]:
    """The tensors that a step changes."""
    optimizers = (state.optimizer, state.critic_optimizer)
    kept = [v for o in optimizers if o is not None for s in o.state.values() for v in s.values()]
    modules = (state.model, *state.critics.values())
    return kept + [w for m in modules for w in (*m.parameters(), *m.buffers())]


def draw_noise(state: State, x: Tensor) -> Tensor:
    """The run's own noise for a step on the images x: of a pass for each step of the critics."""
    passes = 1 if state.critic_optimizer is None else state.critic_steps
    return state.model.draw_noise(x, state.generator, passes)


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    """One step of `optimizer` along the gradient of its own parameters only."""
    optimizer.zero_grad()
    loss.backward(inputs=[w for group in optimizer.param_groups for w in group["params"]])
    optimizer.step()


def turn(state: State, knobs: Knobs) -> None:
    """Give a state in training new knobs, from its next step on.

    Raises: ValueError where the objective's terms or critics would be others.
    """
    if knobs.objective is not None:
        state.objective.check_turn(knobs.objective)
        state.objective = knobs.objective
    state.turned = state.step
    for optimizer, rate in (
        (state.optimizer, knobs.learning_rate),
        (state.critic_optimizer, knobs.critic_learning_rate),
    ):
        if optimizer is not None and rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate
