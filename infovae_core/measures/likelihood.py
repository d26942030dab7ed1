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
FEW = 4  # of the chains must count as one at least


@torch.no_grad()
def bound(subject: Subject, progress: Progress) -> Estimates:
    """Distortion from `DRAWS` codes per image, the rate in closed form, and the ELBO."""
    generator, distortion, rate = subject.generator("bound"), [], []
    for x in subject.data.test.x.split(BLOCK // DRAWS):
        q = subject.model.posterior(x)
        noise = torch.randn(
            (DRAWS, *q.mean.shape), generator=generator, dtype=x.dtype, device=x.device
        )
        z = q.mean + q.stddev * noise
        distortion.append(-evidence.log_likelihood(subject.model, z, x).mean(0).double())
        rate.append(estimators.closed_rate(q.mean.double(), q.variance.double()))
    d, r = torch.cat(distortion), torch.cat(rate)
    settings, note = {"draws": DRAWS}, subject.caveat
    return {
        "elbo": of_mean(-d - r, settings=settings, note=note),
        "distortion": of_mean(d, settings=settings, note=note),
        "rate": of_mean(r),
    }


def importance(subject: Subject, progress: Progress) -> Estimates:
    """log p(x) of all held-out images by few draws, corrected by many draws of some of them."""
    x = subject.data.test.x
    rows = spread(len(x), SAMPLED).to(x.device)
    generator = subject.generator("importance")
    fine = evidence.importance(subject.model, x[rows], SAMPLES, generator, progress)
    effective = fine.effective.median().item()
    settings = {
        "samples": SAMPLES,
        "images": len(rows),
        "samples_of_all": ROUGH_SAMPLES,
        "effective_samples": round(effective, 1),
    }
    notes = [subject.caveat]
    if effective < SAMPLES / 100:
        notes.append(
            f"Half of the images have fewer than {effective:.0f} effective draws of {SAMPLES}: the "
            "encoder fits p(z|x) badly, and log p(x) may be well above."
        )
    estimate = corrected(
        subject.rough_log_px, rows, fine.log_px, settings=settings, note=joined(notes)
    )
    return {"log_likelihood_is": estimate, "bits_per_dim": bits(subject, estimate)}


def annealing(subject: Subject, progress: Progress) -> Estimates:
    """log p(x) of all held-out images by importance sampling, corrected by annealing of some."""
    x = subject.data.test.x
    rows = spread(len(x), ANNEALED).to(x.device)
    generator = subject.generator("annealing")
    fine = evidence.annealing(
        subject.model, x[rows], TEMPERATURES, generator=generator, progress=progress
    )
    chains, effective = fine.log_weights.shape[1], fine.effective.median().item()
    settings = {
        "temperatures": TEMPERATURES,
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


def bits(subject: Subject, estimate: Estimate) -> Estimate:
    """A log-likelihood as bits per dimension, where it is one."""
    if subject.caveat:
        return absent(subject.caveat)
    unit = -math.prod(subject.data.shape) * math.log(2)
    levels = "A density of values from 0 to 1, not a probability."
    if steps := subject.grey_steps:
        levels = (
            f"A density of values from 0 to 1; add log₂ {steps} = {math.log2(steps):.2f} to "
            f"compare with probabilities of {steps + 1} grey levels."
        )
    return Estimate(
        value=estimate.value / unit,
        error=estimate.error / -unit,
        low=estimate.high / unit,
        high=estimate.low / unit,
        n=estimate.n,
        settings=estimate.settings,
        note=joined([estimate.note, "" if subject.model.likelihood.binary else levels]),
    )
