"""Mutual information by a fresh critic, fitted to training images, reported on held-out ones."""

from torch import Tensor

from infovae_core import critics, intervals
from infovae_core.critics import Coded
from infovae_core.data import spread
from infovae_core.measures.subject import (
    CODES,
    Codes,
    Estimates,
    Progress,
    Subject,
    absent,
)
from infovae_core.metrics import Estimate
from infovae_core.terms import MutualInformation

LEAST = 50  # images for a critic
TRAINING = {"steps": 3000, "batch": 256, "learning_rate": 3e-4}
GROUP = 512  # images among which InfoNCE looks for the right one
LOWER = "A lower bound: the interval is that of the bound with this critic, and I(x; z) is above."


def critic(
    name: str,
    term: MutualInformation,
    subject: Subject,
    progress: Progress,
    **training: int | float,
) -> Estimates:
    """A bound by a critic fitted to training images and reported on the held-out ones.

    Codes are centred and scaled unit by unit, which leaves I(x; z) as it is.
    """
    held_out = subject.test_x[spread(len(subject.test_x), CODES)]
    if min(len(subject.train_x), len(held_out)) < LEAST:
        return {name: absent(f"A critic needs {LEAST} images to learn and as many to prove.")}
    centre, width = subject.train.z.mean(0), subject.train.z.std(0).clamp_min(1e-6)

    def seen(x: Tensor, codes: Codes) -> Coded:
        return Coded(x.flatten(1), (codes.q.mean - centre) / width, codes.q.stddev / width)

    training = TRAINING | training
    generator = subject.generator(name)
    fitted = critics.fit(
        term,
        seen(subject.train_x, subject.train),
        generator,
        subject.stream(f"{name} weights"),
        progress=progress,
        **training,
    )
    p = seen(held_out, subject.test).draw(generator)
    value, error = critics.report(term, fitted.critic, p, GROUP)
    cap = critics.ceiling(term, len(p.x), GROUP)
    pairs = {"group": GROUP} if term.bound == "nce" else {"shifts": critics.SHIFTS}
    settings = training | pairs | {"best_step": fitted.steps, "widths": list(term.widths)}
    if term.bound == "dv":
        settings["moving"] = term.moving
    if value > cap:
        return {
            name: absent(
                f"{len(p.x)} images can bear out {cap:.1f} nats at most, got {value:.4g}: the "
                "critic has blown up, and its value is no bound."
            )
        }
    interval = intervals.normal(value, error)
    n = len(p.x)
    return {name: Estimate(value, error, *interval, cap, n, settings=settings, note=LOWER)}


def mine(subject: Subject, progress: Progress) -> Estimates:
    """Donsker and Varadhan's bound, trained with the moving average."""
    return critic("mine", MutualInformation("dv"), subject, progress)


def donsker_varadhan(subject: Subject, progress: Progress) -> Estimates:
    """Donsker and Varadhan's bound, trained with its batches' own gradient."""
    return critic("donsker_varadhan", MutualInformation("dv", moving=1.0), subject, progress)


def f_dual(subject: Subject, progress: Progress) -> Estimates:
    """The f-dual of the KL divergence."""
    return critic("f_dual", MutualInformation("kl"), subject, progress)


def info_nce(subject: Subject, progress: Progress) -> Estimates:
    """InfoNCE; in small batches, for every pair of a batch is scored."""
    term = MutualInformation("nce")
    return critic("info_nce", term, subject, progress, steps=1000, batch=128, learning_rate=1e-3)
