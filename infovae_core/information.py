"""Estimators of mutual information where it is known; generators, as `training.train` is.

The pair is a linear encoder's: x ~ N(0, I), q(z|x) = N(ρ x, (1 − ρ²) I), so that q(z) = N(0, I) and
I_q(x; z) = −(D/2) log(1 − ρ²). Equal settings give equal rows, bit for bit, on one kind of CPU.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam

from infovae_core.distributions import DiagonalNormal
from infovae_core.estimators import mutual_information
from infovae_core.model import Pass
from infovae_core.randomness import seed_of
from infovae_core.stepper import descend
from infovae_core.studies import BoundStudy, PointStudy, Study
from infovae_core.terms import MutualInformation

ROW_EVERY = 10  # steps, or more where a study has more than
ROWS = 80  # of each kind
LATE = 4  # the last quarter of the steps so far is what the critic has come to say

# Those of `bounds.BOUNDS` that are in nats and bound I itself; MINE is Donsker and Varadhan's with
# another gradient.
ESTIMATORS: dict[str, Callable[..., MutualInformation]] = {
    "kl": partial(MutualInformation, "kl"),
    "dv": partial(MutualInformation, "dv", moving=1.0),
    "mine": partial(MutualInformation, "dv"),
    "nce": partial(MutualInformation, "nce"),
}


class Row(NamedTuple):
    """Values by estimator, in nats; `kind` says which of their statistics."""

    at: int  # the step, or the number of points
    kind: str
    values: dict[str, float]


class Report(NamedTuple):
    """How much of `Study.work` is done, and the rows that this has completed."""

    done: int
    rows: tuple[Row, ...] = ()


def encode(x: Float[Tensor, "n d"], rho: float) -> DiagonalNormal:
    """q(z|x) = N(ρ x, (1 − ρ²) I)."""
    return DiagonalNormal.of(rho * x, torch.full_like(x, math.sqrt(1 - rho**2)))


def draw(count: int, study: Study, generator: torch.Generator) -> Pass:
    """`count` fresh images, their posteriors, and a code of each."""
    noise = torch.randn(3, count, study.dimension, generator=generator)
    q = encode(noise[0], study.rho)
    z = q.mean + q.stddev * noise[1]
    return Pass(noise[0], q, z, log_px=torch.zeros(count), prior=noise[2])  # there is no decoder


def train_critics(study: BoundStudy) -> Iterator[Report]:
    """A critic for each of `ESTIMATORS`, all trained on the same pairs; a report after every step.

    The critics begin with the same weights. A value is that of a batch before the critic learns
    from it, so that it never judges what it has seen.

    Rows are of four kinds: `mean` and `sd` of the batches since the last row, `late mean` and
    `late sd` of the last quarter of all so far.
    """
    generator = torch.Generator().manual_seed(seed_of(study.seed, "pairs"))
    terms = {name: make((study.width,) * 2) for name, make in ESTIMATORS.items()}
    critics = {name: make_critic(term, study) for name, term in terms.items()}
    optimizer = Adam(
        (w for critic in critics.values() for w in critic.parameters()),
        study.learning_rate,
        fused=True,
    )
    values, every = torch.empty(study.steps, len(terms)), max(ROW_EVERY, study.steps // ROWS)
    for step in range(1, study.steps + 1):
        p = draw(study.batch_size, study, generator)
        losses = torch.stack([term.critic_loss(p, critics[name]) for name, term in terms.items()])
        values[step - 1] = -losses.detach()
        descend(optimizer, losses.sum())
        rows: list[Row] = []
        if step % every == 0:
            for prefix, since in (("", step - every), ("late ", step - max(every, step // LATE))):
                rows += spread(step, values[since:step], tuple(terms), prefix)
        yield Report(step, tuple(rows))


def make_critic(term: MutualInformation, study: BoundStudy) -> nn.Module:
    """The critic of one bound, with weights from the study's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(study.seed, "critic"))
        return term.make_critic(study.dimension, study.dimension)


def vary_points(study: PointStudy) -> Iterator[Report]:
    """`estimators.mutual_information` of N fresh points, again and again, for more and more.

    Rows are the `mean` and `sd` of the repeats with N points. `done` counts pairs of points.
    """
    generator, done = torch.Generator().manual_seed(seed_of(study.seed, "points")), 0
    for n, repeats in zip(study.POINTS, study.repeats, strict=True):
        values = torch.empty(repeats, 1)
        for repeat in range(repeats):
            p = draw(n, study, generator)
            values[repeat] = mutual_information(p.q, p.z)
            done += n * n
            last = repeat == repeats - 1
            yield Report(done, spread(n, values, ("empirical",)) if last else ())


def spread(
    at: int, values: Float[Tensor, "n k"], names: tuple[str, ...], prefix: str = ""
) -> tuple[Row, Row]:
    """Mean and standard deviation of each column."""
    std, mean = torch.std_mean(values.double(), 0)
    return tuple(
        Row(at, prefix + kind, dict(zip(names, statistic.tolist(), strict=True)))
        for kind, statistic in (("mean", mean), ("sd", std))
    )


PROCEDURES: dict[str, Callable[..., Iterator[Report]]] = {
    "bounds": train_critics,
    "points": vary_points,
}
