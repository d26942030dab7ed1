"""The evidence lower bound, and log p(x) itself, of held-out images."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infovae_core import estimators, evidence, intervals
from infovae_core.data import spread
from infovae_core.measures.subject import (
    BLOCK,
    ROUGH_SAMPLES,
    Estimates,
    Progress,
    Subject,
    absent,
    joined,
    of_mean,
)
from infovae_core.metrics import Estimate

DRAWS = 8  # of z per image for the ELBO
SAMPLES, SAMPLED = 5000, 256  # importance samples of each of so many images
TEMPERATURES, ANNEALED = 300, 32
TOP = 255  # the highest of 256 levels
FEW = 4  # of the chains must count as one at least


@torch.no_grad()
def bound(subject: Subject, progress: Progress) -> Estimates:
    """Distortion from `DRAWS` codes per image, the rate in closed form, and the ELBO."""
    draws = subject.fewer(DRAWS, 8)
    generator, distortion, rate = subject.generator("bound"), [], []
    for x in subject.test_x.split(BLOCK // draws):
        q = subject.model.posterior(x)
        noise = torch.randn(
            (draws, *q.mean.shape), generator=generator, dtype=x.dtype, device=x.device
        )
        z = q.mean + q.stddev * noise
        distortion.append(-evidence.log_likelihood(subject.model, z, x).mean(0).double())
        rate.append(estimators.closed_rate(q.mean.double(), q.variance.double()))
    d, r = torch.cat(distortion), torch.cat(rate)
    settings, note = {"draws": draws}, subject.caveat
    return {
        "elbo": of_mean(-d - r, settings=settings, note=note),
        "distortion": of_mean(d, settings=settings, note=note),
        "rate": of_mean(r),
    }


def importance(subject: Subject, progress: Progress) -> Estimates:
    """log p(x) of all held-out images by few draws, corrected by many draws of some of them."""
    x = subject.test_x
    samples = subject.fewer(SAMPLES, 10)
    rows = spread(len(x), subject.fewer(SAMPLED, 4)).to(x.device)
    generator = subject.generator("importance")
    fine = evidence.importance(subject.model, x[rows], samples, generator, progress)
    effective = fine.effective.median().item()
    settings = {
        "samples": samples,
        "images": len(rows),
        "samples_of_all": ROUGH_SAMPLES,
        "effective_samples": round(effective, 1),
    }
    notes = [subject.caveat]
    if effective < samples / 100:
        notes.append(
            f"Half of the images have fewer than {effective:.0f} effective draws of {samples}: the "
            "encoder fits p(z|x) badly, and log p(x) may be well above."
        )
    estimate = corrected(
        subject.rough_log_px, rows, fine.log_px, settings=settings, note=joined(notes)
    )
    return {"log_likelihood_is": estimate, "bits_per_dim": bits(subject, estimate)}


def annealing(subject: Subject, progress: Progress) -> Estimates:
    """log p(x) of all held-out images by importance sampling, corrected by annealing of some."""
    x = subject.test_x
    steps = subject.fewer(TEMPERATURES, 4)
    rows = spread(len(x), subject.fewer(ANNEALED, 4)).to(x.device)
    generator = subject.generator("annealing")
    fine = evidence.annealing(subject.model, x[rows], steps, generator=generator, progress=progress)
    chains, effective = fine.log_weights.shape[1], fine.effective.median().item()
    settings = {
        "temperatures": steps,
        "chains": chains,
        "leapfrog_steps": evidence.LEAPFROGS,
        "images": len(rows),
        "samples_of_all": ROUGH_SAMPLES,
        "acceptance": round(fine.acceptance, 3),
        "spread_of_log_weights": round(fine.log_weights.std(1).mean().item(), 2),
        "effective_chains": round(effective, 1),
    }
    notes = [subject.caveat]
    if effective < chains / FEW:
        notes.append(
            f"Half of the images rest on the weights of fewer than {effective:.1f} of {chains} "
            "chains: log p(x) may be above."
        )
    estimate = corrected(
        subject.rough_log_px, rows, fine.log_px, settings=settings, note=joined(notes)
    )
    return {"log_likelihood_ais": estimate}


def corrected(
    rough: Float[Tensor, " n"],
    rows: Int[Tensor, " k"],
    fine: Float[Tensor, " k"],
    **more: object,
) -> Estimate:
    """The mean of a fine estimate over all n images, which is known of k of them only.

    mean_n(rough) + mean_k(fine − rough): images differ far more from one another than the two
    estimates of one image, so that k may be small. The error counts the choice of the n images
    and of the k among them.
    """
    gap, n, k = fine - rough[rows], len(rough), len(rows)
    value = (rough.mean() + gap.mean()).item()
    between = torch.cov(torch.stack((rough[rows], gap)))
    error = math.sqrt(max(0.0, rough.var() / n + between[1, 1] / k + 2 * between[0, 1] / n))
    low, high = intervals.normal(value, error)
    return Estimate(**{"value": value, "error": error, "low": low, "high": high, "n": n} | more)


LEVELS = {
    "binary": "Of binary images: comparable with other numbers of the same binarisation only.",
    "levels": "Of 256 levels: comparable with other works' bits per dimension.",
    "density": "A density of values from 0 to 1, and log₂ 255 = 7.99 added for 256 levels. The "
    "values were not dequantised: a fair comparison only while σ is well above 1/255.",
}


def bits(subject: Subject, estimate: Estimate) -> Estimate:
    """A log-likelihood as bits per dimension, where it is one.

    A density p of x = k/255 stands for the probability p(x)/255 of the level k. That holds for
    noise of a level's width on x, without which a narrow density gains without bound (Theis, van
    den Oord and Bethge 2016, section 3.1). A density of points stays what it is.
    """
    if subject.caveat:
        return absent(subject.caveat)
    unit = -math.prod(subject.data.shape) * math.log(2)
    kind, points = subject.model.likelihood.of, subject.data.kind == "points"
    offset = math.log2(TOP) if kind == "density" and not points else 0.0
    note = "A density of points, which has no levels." if points else LEVELS[kind]
    if offset and subject.grey_steps not in (None, TOP):
        steps = subject.grey_steps
        note += f" Subtract log₂ ({TOP}/{steps}) = {math.log2(TOP / steps):.2f} for the {steps + 1}"
        note += " levels that these images have."
    return Estimate(
        value=estimate.value / unit + offset,
        error=estimate.error / -unit,
        low=estimate.high / unit + offset,
        high=estimate.low / unit + offset,
        n=estimate.n,
        settings=estimate.settings,
        note=joined([estimate.note, note]),
    )
