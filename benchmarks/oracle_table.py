"""Every estimator beside the exact value, on models and distributions where that is known.

    python -m benchmarks.oracle_table

Prints the Markdown tables of docs/estimators.md, in some minutes.
"""

import argparse
import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

import torch

from infovae_core import critics, estimators, measures, metrics, probes
from infovae_core.critics import Coded
from infovae_core.data import Dataset, Split
from infovae_core.divergences import KERNELS
from infovae_core.intervals import normal
from infovae_core.metrics import METRICS, Estimate
from infovae_core.results import interval, with_error
from infovae_core.terms import MutualInformation
from tests.oracles import GaussianPair, ProbabilisticPCA, gaussian_mmd2, optimal_critic

Rows = Iterable[tuple[str, float | None, Estimate, str]]  # quantity, exact value, estimate, remark
BOUNDS = {
    "mine": MutualInformation("dv"),
    "donsker_varadhan": MutualInformation("dv", moving=1.0),
    "f_dual": MutualInformation("kl"),
    "info_nce": MutualInformation("nce"),
}


def print_table(title: str, rows: Rows) -> None:
    """A heading and a Markdown table."""
    print(f"\n## {title}\n")
    print("| quantity | exact | estimate | 95 % interval | at most | |\n|---|---|---|---|---|---|")
    for name, exact, estimate, remark in rows:
        cells = (
            name,
            "" if exact is None else f"{round(exact, 6) + 0.0:.4g}",
            with_error(estimate.value, estimate.error),
            interval(estimate.low, estimate.high),
            "" if estimate.cap is None else f"{estimate.cap:.3g}",
            remark,
        )
        print("|", " | ".join(cells), "|", flush=True)


def images_of(oracle: ProbabilisticPCA, train: int, test: int) -> Dataset:
    """Images of the model, in two classes by the sign of their first principal direction."""

    def split(count: int) -> Split:
        x = oracle.sample(count)
        return Split(x, (x @ oracle.w[:, 0] > 0).long())

    return Dataset("pca", split(train), split(test), ("low", "high"))


def of_model(oracle: ProbabilisticPCA, exact: Mapping[str, float], train: int, test: int) -> Rows:
    """The metrics named by `exact`, in its order."""
    data = images_of(oracle, train, test)
    found = dict(metrics.evaluate(oracle.model, data, exact))
    for name, truth in exact.items():
        bound = "lower bound" if name in BOUNDS else ""
        yield METRICS[name].title, truth, found[name], bound


def closed_forms(oracle: ProbabilisticPCA) -> dict[str, float]:
    """What is known of a linear encoder, whatever it is."""
    q = oracle.encoder
    aggregated = q.aggregated
    log_det = aggregated.logdet().item()
    variance, basis = torch.linalg.eigh(aggregated)  # the kernels do not see a turn
    of_means = (q.a @ q.s @ q.a.T).diagonal()
    return {
        "elbo": oracle.elbo(),
        "distortion": -oracle.elbo() - q.rate,
        "rate": q.rate,
        "log_likelihood_is": oracle.mean_log_evidence(),
        "log_likelihood_ais": oracle.mean_log_evidence(),
        "bits_per_dim": -oracle.mean_log_evidence() / len(oracle.w) / math.log(2),
        "mutual_information": q.information,
        "marginal_kl": q.marginal_kl,
        "total_correlation": q.total_correlation,
        "dimensionwise_kl": q.dimensionwise_kl,
        "active_units": float((of_means >= 0.01).sum()),
        "active_units_05": float((of_means >= 0.05).sum()),
        "log_det_cov_train": log_det,
        "log_det_cov_test": log_det,
        **{f"mmd2_{k}": gaussian_mmd2(k, basis.T @ q.b, variance) for k in KERNELS},
        **dict.fromkeys(BOUNDS, q.information),
    }


def exact_encoder() -> Rows:
    """The VAE's optimum: q(z|x) = p(z|x)."""
    oracle = ProbabilisticPCA(scales=(2.0, 1.0, 0.3, 0.05), n=8)
    exact = closed_forms(oracle) | {"ksd2": 0.0}
    return of_model(oracle, exact, 5000, 2000)


def poor_encoder() -> Rows:
    """Codes that are moved, spread and turned, so that no part of the rate is 0."""
    oracle = ProbabilisticPCA(scales=(2.0, 1.0, 0.3, 0.05), n=8)
    oracle.worsen(shift=0.1, wider=1.2)
    with torch.no_grad():
        oracle.model.encoder.weight[1] += 0.5 * oracle.model.encoder.weight[0]
    return of_model(oracle, closed_forms(oracle), 5000, 2000)


def binding_cap() -> Rows:
    """More information than N codes can show."""
    oracle = ProbabilisticPCA(scales=(2.0,) * 10, n=20, sigma=0.4)
    names = ("rate", "mutual_information", "marginal_kl", "total_correlation", *BOUNDS)
    exact = closed_forms(oracle)
    return of_model(oracle, {name: exact[name] for name in names}, 5000, 2000)


def optimal_critics() -> Rows:
    """Bounds by the critic that knows the density ratio, ρ = 0.8."""
    for d in (1, 4, 10):
        pair = GaussianPair(0.8, d)
        x, _ = pair.sample(5000)
        p = Coded(x, 0.8 * x, torch.full_like(x, 0.6)).draw(torch.Generator().manual_seed(1))
        for name in ("donsker_varadhan", "f_dual", "info_nce"):
            critic = optimal_critic(pair, shift=float(name == "f_dual"))
            value, error = critics.report(BOUNDS[name], critic, p, 512)
            cap = math.log(5000 // critics.groups(5000, 512)) if name == "info_nce" else None
            estimate = Estimate(value, error, *normal(value, error), cap)
            yield f"{METRICS[name].title}, d = {d}", pair.information, estimate, ""


def stein() -> Rows:
    """KSD² of N(μ, I)."""
    for d, shift in ((2, 0.0), (2, 0.5), (20, 0.2)):
        value, error = estimators.ksd2_error(torch.randn(5000, d) + shift, math.sqrt(d))
        exact = d * shift**2 * (1 + 2 / d) ** (-d / 2)
        estimate = Estimate(value, error, *normal(value, error))
        yield f"{METRICS['ksd2'].title}, N(μ, I), d = {d}, μ_j = {shift}", exact, estimate, ""


def classifiers() -> Rows:
    """Two normal clouds, 2 apart, in three dimensions: no classifier does better than Φ(1)."""

    def clouds(count: int) -> probes.Labelled:
        y = torch.arange(count) % 2
        x = torch.randn(count, 3)
        x[:, 0] += 2 * y
        return probes.Labelled(x, y)

    best = 100 * NormalDist().cdf(1.0)
    subject = Known(clouds(5000), clouds(5000))
    for name in ("probe_logistic", "probe_knn", "probe_mlp"):
        [estimate] = getattr(measures, METRICS[name].function)(subject, print_nothing).values()
        yield METRICS[name].title, best, estimate, "the best there is"
    for name in ("svc_error_100", "svc_error_1000"):
        [estimate] = getattr(measures, METRICS[name].function)(subject, print_nothing).values()
        yield METRICS[name].title, 100 - best, estimate, "the least there is"


class Known(measures.Subject):
    """A subject whose codes are given, not encoded."""

    def __init__(self, known: probes.Labelled, test: probes.Labelled) -> None:
        super().__init__(None, Dataset("clouds", Split(*known), Split(*test), ("0", "1")), 0)
        self.__dict__["labelled"] = (known, test)


def print_nothing(done: float) -> None:
    """Report to nobody."""


def even_samples() -> Rows:
    """Both classes are as likely under the prior."""
    oracle = ProbabilisticPCA(scales=(2.0, 1.0), n=6)
    exact = {"class_mismatch": 0.0, "class_kl": 0.0}
    return of_model(oracle, exact, 5000, 2000)


TABLES = {
    "Probabilistic PCA with its exact encoder: 4 units, 8 pixels, N = 2,000": exact_encoder,
    "The same with a poor encoder: moved, spread, turned": poor_encoder,
    "Where log N binds: probabilistic PCA, 10 units, N = 2,000": binding_cap,
    "Gaussian pairs of correlation .8, the optimal critic, N = 5,000": optimal_critics,
    "Stein discrepancy of a moved normal distribution, N = 5,000": stein,
    "Classifiers on two normal clouds of codes, N = 5,000": classifiers,
    "Classes of samples, both equally likely": even_samples,
}


def main() -> None:
    """Print all tables."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for title, rows in TABLES.items():
        torch.manual_seed(0)
        print_table(title, rows())


if __name__ == "__main__":
    main()
