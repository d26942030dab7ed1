"""Which classes samples show, and how well classes are read off codes."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infovae_core import intervals, probes
from infovae_core.data import spread
from infovae_core.distributions import picture
from infovae_core.measures.subject import (
    BLOCK,
    Estimates,
    Progress,
    Subject,
    absent,
)
from infovae_core.metrics import Estimate
from infovae_core.probes import Labelled

PRIOR_SAMPLES = 10_000  # images whose classes are counted
CLASSIFIER, CLASSIFIER_STEPS = (256,), 2000
LOGISTIC = 20_000  # training codes that are enough for a linear probe
MLP_PROBE, MLP_EPOCHS = (1000, 500, 100), 20
REPEATS, VALIDATION, LEAST_VALIDATION = 10, 1000, 100
STUDENT_9 = 2.262  # 97.5 % of Student's t with 9 degrees of freedom lie below


def samples(subject: Subject, progress: Progress) -> Estimates:
    """Shares of the classes among images decoded from the prior."""
    data, names = subject.data, ("class_mismatch", "class_kl")
    classes = len(data.classes)
    if reason := too_few_classes(subject.train_y):
        return dict.fromkeys(names, absent(reason))
    judge = probes.network(
        Labelled(subject.train_x, subject.train_y),
        CLASSIFIER,
        subject.generator("classifier"),
        subject.stream("classifier weights"),
        epochs=max(5, CLASSIFIER_STEPS * 128 // len(subject.train_x)),
        progress=lambda done: progress(done / 2),
    )
    right = (probes.classify(judge, subject.test_x) == data.test.y.cpu()).double().mean().item()
    images = drawn(subject, lambda done: progress((1 + done) / 2))
    counts = np.bincount(probes.classify(judge, images).numpy(), minlength=classes)
    settings = {
        "classifier": list(CLASSIFIER),
        "accuracy_of_classifier": round(right, 4),
        "shares": (counts / counts.sum()).tolist(),
    }
    absentees = [name for name, count in zip(data.classes, counts, strict=True) if count == 0]
    missing = f"No sample shows {', '.join(absentees)}: the divergence is infinite."
    random = np.random.default_rng(subject.stream("bootstrap"))
    estimates = {}
    for name, statistic in zip(names, (total_mismatch, kl_from_uniform), strict=True):
        if name == "class_kl" and absentees:
            estimates[name] = absent(missing)
            continue
        error, low, high = intervals.of_unevenness(counts, statistic, random)
        value = float(statistic(counts / counts.sum()))
        estimates[name] = Estimate(value, error, low, high, n=PRIOR_SAMPLES, settings=settings)
    return estimates


@torch.no_grad()
def drawn(subject: Subject, progress: Progress) -> Float[Tensor, "n *data"]:
    """Decoded prior draws: the mean of p(x|z), or a draw from it where it has none to show."""
    like = subject.test_x
    noise = torch.randn(
        (PRIOR_SAMPLES, subject.model.latent_dim),
        generator=subject.generator("prior samples"),
        dtype=like.dtype,
        device=like.device,
    )
    generator = subject.generator("draws of pixels")
    blocks = noise.split(BLOCK)
    images = [
        picture(
            subject.model.decode(z), generator, lambda done, i=i: progress((i + done) / len(blocks))
        )
        for i, z in enumerate(blocks)
    ]
    return torch.cat(images)


def total_mismatch(shares: np.ndarray) -> np.ndarray | np.floating:
    """Σ_c |f_c − 1/K|."""
    return np.abs(shares - 1 / shares.shape[-1]).sum(-1)


def kl_from_uniform(shares: np.ndarray) -> np.ndarray | np.floating:
    """KL(uniform ‖ f) = −log K − mean_c log f_c; infinite where a class is missing."""
    with np.errstate(divide="ignore"):
        return -math.log(shares.shape[-1]) - np.log(shares).mean(-1)


def probe_logistic(subject: Subject, progress: Progress) -> Estimates:
    """Accuracy of a linear classifier on codes."""
    known, test = subject.labelled
    known = known.at(spread(len(known.y), LOGISTIC))
    classes = partial(probes.logistic, known, test.x)
    return accuracy("probe_logistic", known, test, classes, penalty=1.0)


def probe_knn(subject: Subject, progress: Progress) -> Estimates:
    """Accuracy of the nearest training codes."""
    known, test = subject.labelled
    classes = partial(probes.nearest, known, test.x)
    return accuracy("probe_knn", known, test, classes, neighbours=probes.NEIGHBOURS)


def probe_mlp(subject: Subject, progress: Progress) -> Estimates:
    """Accuracy of the papers' network on codes."""
    known, test = subject.labelled

    def classes() -> Tensor:
        generator, seed = subject.generator("probe"), subject.stream("probe weights")
        model = probes.network(
            known, MLP_PROBE, generator, seed, epochs=MLP_EPOCHS, progress=progress
        )
        return probes.classify(model, test.x)

    widths = list(MLP_PROBE)
    return accuracy("probe_mlp", known, test, classes, widths=widths, epochs=MLP_EPOCHS)


def accuracy(
    name: str,
    known: Labelled,
    test: Labelled,
    classes: Callable[[], Int[Tensor, " n"]],
    **settings: object,
) -> Estimates:
    """Share of the test codes whose class is right, in per cent."""
    if reason := too_few_classes(known.y):
        return {name: absent(reason)}
    n, right = len(test.y), int((classes() == test.y.cpu()).sum())
    share = right / n
    low, high = intervals.wilson(right, n)
    error = math.sqrt(share * (1 - share) / n)
    settings = {"codes": "means", "training_codes": len(known.y)} | settings
    return {name: Estimate(100 * share, 100 * error, 100 * low, 100 * high, n=n, settings=settings)}


def svc_error(labels: int, subject: Subject, progress: Progress) -> Estimates:
    """Error of a support vector machine on codes, over `REPEATS` choices of the labels."""
    name = f"svc_error_{labels}"
    known, test = subject.labelled
    validation = min(VALIDATION, len(known.y) - labels)
    reason = too_few_classes(known.y)
    if validation < LEAST_VALIDATION:
        needed = labels + LEAST_VALIDATION
        reason = f"{needed} training images are needed, to choose γ on others; got {len(known.y)}."
    if reason:
        return {name: absent(reason)}
    repeats = []
    for repeat in range(REPEATS):
        random = np.random.default_rng((subject.stream(name), repeat))
        repeats.append(probes.svc_error(known, test, labels, validation, random))
        progress((repeat + 1) / REPEATS)
    errors = 100 * np.array([repeat.error for repeat in repeats])
    value, error = float(errors.mean()), float(errors.std(ddof=1) / math.sqrt(REPEATS))
    half = STUDENT_9 * error
    return {
        name: Estimate(
            value,
            error,
            max(0.0, value - half),
            value + half,
            n=len(test.y),
            settings={
                "codes": "means",
                "labels": labels,
                "C": probes.SOFTNESS,
                "repeats": REPEATS,
                "validation": validation,
                "gamma": float(np.median([repeat.gamma for repeat in repeats])),
            },
            note="The interval is over choices of the labels; the held-out images are the same.",
        )
    }


svc_error_100 = partial(svc_error, 100)
svc_error_1000 = partial(svc_error, 1000)


def too_few_classes(y: Int[Tensor, " n"]) -> str:
    """Why classes cannot be told apart, or nothing."""
    return "" if len(y.unique()) > 1 else "Classes are told apart, got training images of one only."
