"""One training loop for every objective, as a generator: the caller decides what to keep.

A run's randomness is its own. Weights come from the seed, the order of the images in epoch e from
(seed, e), the noise from one generator whose state is part of the checkpoint; so a run that is
resumed goes on bit for bit, and runs that differ only in their objective see the same batches.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam

from infovae_core import estimators, fits, networks, pace
from infovae_core.catalogue import SETS
from infovae_core.config import Knobs, RunConfig
from infovae_core.data import Dataset, Split, spread
from infovae_core.randomness import seed_of
from infovae_core.stepper import State, Stepper, turn
from infovae_core.stepper import train_step as train_step  # whose place to look for it is here
from infovae_core.terms import NATS

TRAIN_ROWS = 2000  # about as many training rows as a long run writes
CODES = 1000  # held-out images whose codes such a row compares with one another


class Plan(NamedTuple):
    """How long a run is."""

    steps: int
    steps_per_epoch: int
    epochs: int
    batch_size: int

    @property
    def row_every(self) -> int:
        """Steps between two training rows."""
        return max(10, self.steps // TRAIN_ROWS)


class Row(NamedTuple):
    """The total and its parts, unweighted; nats per image unless the term says otherwise.

    train: mean over the steps since the last row; test: over the whole split; codes: what
    held-out codes carry, by the names in `metrics.METRICS`.
    """

    split: str
    values: dict[str, float]


class Report(NamedTuple):
    """What one step leaves behind."""

    state: State
    rows: tuple[Row, ...]
    turned: Knobs | None = None  # just before this step
    event: dict[str, Any] | None = None  # what else there is to say, as `Run.event` takes it


def resolve_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the first GPU, else the CPU.

    Raises: ValueError where this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[device.type]
    if (device.index or 0) >= present:
        raise ValueError(
            f"the device must be one that this machine has, got {name!r} with {present} "
            f"{device.type} device(s) present; set training.device to auto or cpu"
        )
    return device


def plan(config: RunConfig, data: Dataset) -> Plan:
    """The run's length. An incomplete last batch is left out: every step has one shape."""
    batch_size = min(config.training.batch_size, len(data.train))
    steps_per_epoch = len(data.train) // batch_size
    return Plan(config.epochs * steps_per_epoch, steps_per_epoch, config.epochs, batch_size)


def init(config: RunConfig, data: Dataset) -> State:
    """A fresh state on the device of `data`. The model's weights do not depend on the objective.

    Raises: fits.Misfit where network or likelihood do not fit the data.
    """
    fits.check(config.model, kind_of(data))
    device, dtype, settings = data.train.x.device, data.train.dtype, config.training
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, "weights"))
        x_dim, z_dim = math.prod(data.shape), config.model.latent_dim
        model = networks.build(data.shape, config.model)
        made = {t.name: t.make_critic(x_dim, z_dim) for _, t in config.objective.terms()}
    critics = {
        name: critic.to(device, dtype) for name, critic in made.items() if critic is not None
    }
    model.to(device, dtype)
    adversaries = [w for critic in critics.values() for w in critic.parameters()]
    return State(
        model,
        config.objective,
        critics,
        Adam(model.parameters(), settings.learning_rate, fused=True),
        Adam(adversaries, settings.critic_learning_rate, fused=True) if adversaries else None,
        torch.Generator(device).manual_seed(seed_of(settings.seed, "noise")),
        settings.critic_steps,
    )


def kind_of(data: Dataset) -> fits.Items:
    """What a network must know of the data; a few of them tell whether all are binary."""
    some = data.train.items(slice(100))
    binary = data.dynamic or bool(((some == 0) | (some == 1)).all())
    return fits.Items(data.shape, binary, data.kind == "points")


def train(
    config: RunConfig,
    data: Dataset,
    state: State | None = None,
    turns: Mapping[int, Knobs] | None = None,
    busy: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Report]:
    """Train to the end of the plan, a report after every step.

    Rows come with step 1 and every `Plan.row_every` steps (train), and with the end of the first
    epoch, the last and some between (test and codes, see `pace`). `state` goes on from where a
    checkpoint left it. `turns` are knobs by the step after which they are turned, the config's
    where left out; the caller may add to them meanwhile. `busy` is entered with what takes long.
    """
    state = state or init(config, data)
    if turns is None:
        turns = {turn.step: turn.knobs for turn in config.turns}
    length = plan(config, data)
    steps = Stepper(state, length.steps, config.training, busy)
    while state.step < length.steps:
        epoch, done = divmod(state.step, length.steps_per_epoch)
        order = batches(config.training.seed, epoch, data.train, length.batch_size)
        for rows in order[done:]:
            turned = turns.get(state.step)
            if turned is not None:
                turn(state, turned)
            values = steps(draw(data, rows, state.generator))
            rows_due = tuple(due_rows(state, length, data, values))
            yield Report(state, rows_due, turned, steps.said())


def batches(seed: int, epoch: int, split: Split, batch_size: int) -> Tensor:
    """The rows of each batch of an epoch, [steps, b], on the split's device."""
    order = np.random.default_rng((seed, epoch)).permutation(len(split))
    whole = len(order) // batch_size * batch_size
    return torch.from_numpy(order[:whole].reshape(-1, batch_size)).to(split.x.device)


def draw(data: Dataset, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Some of the training images, [b, *data]; rates are drawn from here."""
    x = data.train.items(rows)
    return torch.bernoulli(x, generator=generator) if data.dynamic else x


def due_rows(state: State, length: Plan, data: Dataset, values: dict[str, Tensor]) -> Iterator[Row]:
    """Add a step's values to the sums; give the rows that this step completes."""
    sums = state.sums
    state.sums = values if sums is None else {k: sums[k] + v for k, v in values.items()}
    if state.step == 1 or state.step % length.row_every == 0 or state.step == length.steps:
        yield Row("train", to_floats(state.sums, steps_since_row(state.step, length)))
        state.sums = None
    epoch, rest = divmod(state.step, length.steps_per_epoch)
    if rest == 0:
        n, weights = len(data.test), sum(w.numel() for w in state.model.parameters())
        codes = pace.codes(min(CODES, n), state.model.latent_dim), pace.CODES_SHARE
        test = pace.test(weights, n, length.batch_size), pace.TEST_SHARE
        ends = epoch in (1, length.epochs)
        if ends or epoch % pace.epochs_between(*codes, length, weights) == 0:
            yield Row("codes", describe_codes(state, data.test))
        if ends or epoch % pace.epochs_between(*test, length, weights) == 0:
            yield Row("test", evaluate(state, data.test, length.batch_size))


def steps_since_row(step: int, length: Plan) -> int:
    """Steps that the training row at `step` averages over; the first row is step 1 alone."""
    before = (step - 1) // length.row_every * length.row_every
    return step - max(before, min(1, step - 1))


def to_floats(values: dict[str, Tensor], divisor: int = 1) -> dict[str, float]:
    """Values off the device, in one transfer."""
    numbers = (torch.stack(list(values.values())).double() / divisor).tolist()
    return dict(zip(values, numbers, strict=True))


@torch.no_grad()
def evaluate(state: State, split: Split, batch_size: int = 128) -> dict[str, float]:
    """The objective's total and parts over a whole split, at one draw of z per image.

    In batches of about the training's size, on which some bounds depend. The noise is the same at
    every call, so that a change of value is a change of the model, and it is not the run's:
    evaluating leaves training as it was.
    """
    generator = torch.Generator(split.x.device).manual_seed(seed_of(0, "evaluation"))
    totals: dict[str, Tensor] = {}
    blocks = max(1, round(len(split) / batch_size))
    for x in (
        split.items(slice(i, None, blocks)) for i in range(blocks)
    ):  # neighbours may be alike, as in MNIST
        p = state.model(x, state.model.draw_noise(x, generator))
        loss = state.objective.loss(p, state.critics)
        for name, value in {"total": loss.total, **loss.parts}.items():
            totals[name] = totals.get(name, 0) + value * len(x)
    return to_floats(totals, len(split))


@torch.no_grad()
def describe_codes(state: State, split: Split) -> dict[str, float]:
    """What the codes of at most `CODES` images carry, and how they lie.

    R = I + TC + dimension-wise KL, active units, log det Cov[q(z)] and KSD². MMD² is left out: it
    takes longer than the rest together. I and what follows from it are limited by log N, N the
    number of images. The noise is the same at every call and not the run's.
    """
    x = split.items(spread(len(split), CODES).to(split.x.device))
    generator = torch.Generator(x.device).manual_seed(seed_of(0, "codes"))
    q = state.model.posterior(x)
    noise = torch.empty_like(q.mean).normal_(generator=generator)
    z = q.mean + q.stddev * noise
    parts = estimators.surgery(q, z)
    values = {
        "rate": parts.rate.mean(),
        "mutual_information": parts.information.mean(),
        "marginal_kl": parts.marginal_kl.mean(),
        "total_correlation": parts.total_correlation.mean(),
        "dimensionwise_kl": parts.dimensionwise_kl.mean(),
        "active_units": estimators.active_units(q.mean, 0.01),
        "active_units_05": estimators.active_units(q.mean, 0.05),
    }
    volume = estimators.log_det_cov(z)[0]
    if volume.isfinite():
        values["log_det_cov_test"] = volume
    if len(z) > 2:
        ksd2, _ = estimators.ksd2_error(z, math.sqrt(z.shape[1]))
        values["ksd2"] = volume.new_tensor(ksd2)
    return to_floats(values)


def about(config: RunConfig, data: Dataset, state: State) -> dict:
    """What a viewer must know to draw the run: quantities with units, classes, shapes."""
    nats = NATS if data.kind == "images" else "nats per point"
    quantities = {
        "total": {"label": "loss", "unit": nats},
        "distortion": {"label": "distortion D", "unit": nats},
    }
    for weight, term in state.objective.terms():
        unit = nats if term.unit == NATS else term.unit
        quantities[term.name] = {"label": term.label, "unit": unit, "weight": weight}
        if term.sight is not None:
            quantities[term.name]["sight"] = term.sight
    return {
        "quantities": quantities,
        "classes": list(data.classes),
        "kind": data.kind,
        "noun": SETS[config.data.name].noun,
        "pictures": "draws" if config.model.network == "pixelcnn" else "means",
        "image_shape": [*data.shape[-2:], *data.shape[:-2]],  # colours last; of points, [k]
        "latent_dim": config.model.latent_dim,
        "codes": min(CODES, len(data.test)),  # compared in a row of codes
        "device": str(data.train.x.device),
        "steps_per_epoch": plan(config, data).steps_per_epoch,
    }
