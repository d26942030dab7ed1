"""What held-out codes carry, and how they lie: from all pairs of codes and posteriors."""

import math
from dataclasses import replace

import torch

from infovae_core import estimators, intervals
from infovae_core.divergences import KERNELS
from infovae_core.measures.subject import (
    Estimates,
    Progress,
    Subject,
    above,
    absent,
    below,
    of_mean,
)
from infovae_core.metrics import Estimate

BINDS = 0.1  # nats that N codes may leave out before an estimate says so


def surgery(subject: Subject, progress: Progress) -> Estimates:
    """I(x; z), KL(q(z) ‖ p(z)), total correlation and dimension-wise KL from all pairs.

    Where N binds, a value is not the truth, but the truth is bounded: the interval of I reaches up
    to the leave-one-out bound or the rate, whichever is less, and the others' follow. That holds
    for the information in each unit as well, which log N binds later.
    """
    s = estimators.surgery(*subject.test)
    n = len(s.rate)
    information, tc, kl, units = (
        of_mean(terms, settings={"codes": n})
        for terms in (s.information, s.total_correlation, s.marginal_kl, s.dimensionwise_kl)
    )
    top = min(above(s.upper), above(s.rate))
    found = {
        "mutual_information": replace(
            information, high=max(information.value, top), cap=math.log(n)
        ),
        "marginal_kl": of_divergence(kl, low=below(s.marginal_kl - s.missing)),
        "total_correlation": of_divergence(
            tc,
            low=below(s.total_correlation - s.missing),
            high=min(above(s.total_correlation + s.units_missing), kl.high),
        ),
        "dimensionwise_kl": of_divergence(units, low=below(s.dimensionwise_kl - s.units_missing)),
    }
    if min(s.missing.mean(), (s.rate - s.information).mean()) > BINDS:
        note = (
            f"{n} codes are told apart by at most log N = {math.log(n):.2f} nats, which binds "
            "here: the truth is in the interval, not at the value."
        )
        for name in ("mutual_information", "marginal_kl", "total_correlation"):
            found[name] = replace(found[name], note=note)
    if min(s.units_missing.mean(), s.dimensionwise_kl.mean()) > BINDS:
        note = (
            f"{n} codes are too few for the density of each unit, so narrow are the posteriors: "
            "the truth is in the interval, not at the value."
        )
        found["dimensionwise_kl"] = replace(found["dimensionwise_kl"], note=note)
    return found


def of_divergence(estimate: Estimate, low: float, high: float | None = None) -> Estimate:
    """With an interval from `low`, cut at 0: the truth is not below, though an estimate may be."""
    value, high = estimate.value, estimate.high if high is None else high
    return replace(estimate, low=min(value, max(0.0, low)), high=max(0.0, value, high))


def activity(subject: Subject, progress: Progress) -> Estimates:
    """Active units by the encoder's means; the interval moves each unit by its own error."""
    means = subject.test.q.mean.double()
    variance, error = means.var(0, correction=0), estimators.variance_error(means)
    low, high = intervals.normal(variance, error)

    def of(threshold: float) -> Estimate:
        return Estimate(
            value=float(estimators.active_units(means, threshold)),
            low=float((low >= threshold).sum()),
            high=float((high >= threshold).sum()),
            n=len(means),
            settings={"threshold": threshold, "units": means.shape[1]},
        )

    return {"active_units": of(0.01), "active_units_05": of(0.05)}


def covariance(subject: Subject, progress: Progress) -> Estimates:
    """log det Cov of the sampled codes of both splits."""
    estimates = {}
    for name, codes in (("train", subject.train), ("test", subject.test)):
        n, d = codes.z.shape
        value, error = (number.item() for number in estimators.log_det_cov(codes.z))
        if math.isfinite(value):
            low, high = intervals.normal(value, error)
            estimate = Estimate(value, error, low, high, n=n)
        else:
            estimate = absent(f"A covariance of {d} units needs more than {d} images, got {n}.")
        estimates[f"log_det_cov_{name}"] = estimate
    return estimates


def discrepancies(subject: Subject, progress: Progress) -> Estimates:
    """MMD² by every kernel and KSD² of the held-out codes from the prior."""
    z = subject.test.z
    n, d = z.shape
    if n < 3:
        return dict.fromkeys(
            (*(f"mmd2_{kernel}" for kernel in KERNELS), "ksd2"),
            absent(f"Pairs of codes are compared, which takes three images, got {n}."),
        )
    prior = torch.empty_like(z).normal_(generator=subject.generator("prior codes"))
    bandwidth = math.sqrt(d)
    found = {
        f"mmd2_{kernel}": (pair, {"kernel": kernel, "codes": n})
        for kernel, pair in estimators.mmd2_errors(z, prior, progress=progress).items()
    }
    settings = {"bandwidth": round(bandwidth, 4), "codes": n}
    found["ksd2"] = estimators.ksd2_error(z, bandwidth), settings
    return {
        name: Estimate(value, error, *intervals.normal(value, error), n=n, settings=settings)
        for name, ((value, error), settings) in found.items()
    }
