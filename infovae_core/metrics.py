"""What can be measured of a trained model: names, units and help, and `evaluate`.

The numbers are made in `measures`, which is loaded with torch when something is measured; a page
that only names and prints them pays for neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from infovae_core.data import Dataset
    from infovae_core.model import VAE

Better = Literal["higher", "lower", "zero"]
Cost = Literal["cheap", "medium", "dear"]
Progress = Callable[[str, float], object]

NATS = "nats per image"


@dataclass(frozen=True)
class Metric:
    """A quantity in words, and the function that measures it.

    `better` says where an ideal model lies, if that can be said; `cost` is seconds, up to a minute
    or minutes for 10,000 images of MNIST on one core. `function` is a name in `measures`; those
    that share it come from one pass.
    """

    name: str
    title: str
    symbol: str  # LaTeX
    unit: str
    better: Better | None
    cost: Cost
    help: str
    function: str


@dataclass(frozen=True)
class Estimate:
    """A measured value with what is known of its error.

    `error` is a standard error, `low` and `high` an interval that holds the truth in 19 of 20
    repetitions; `note` says what they leave out. `cap` is what the estimator cannot exceed whatever
    the truth, `n` the number of images (or samples) it comes from, `settings` what else made it. A
    value of None could not be had; `note` says why.
    """

    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    cap: float | None = None
    n: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def choose(names: Iterable[str]) -> list[str]:
    """Names of metrics in the order of `METRICS`; "all" and "cheap" stand for as many as that says.

    Raises: ValueError for a name that is neither, and for none at all.
    """
    asked = set(names)
    groups = {"all": set(METRICS), "cheap": {m.name for m in METRICS.values() if m.cost == "cheap"}}
    unknown = asked - set(METRICS) - set(groups)
    if unknown or not asked:
        raise ValueError(
            f"a metric must be all, cheap or one of {', '.join(METRICS)}, "
            f"got {', '.join(sorted(unknown)) or 'none'}; choose from these"
        )
    wanted = asked.union(*(groups[name] for name in asked & set(groups)))
    return [name for name in METRICS if name in wanted]


def evaluate(
    model: VAE,
    data: Dataset,
    names: Iterable[str] = ("cheap",),
    seed: int = 0,
    progress: Progress = lambda name, done: None,
) -> Iterator[tuple[str, Estimate]]:
    """Measure `names` of `model`, each as soon as it is known.

    What comes from one pass is measured in one. Random numbers come from the seed and the function
    alone: a value does not depend on what else is asked for, nor on what is measured meanwhile.

    Args:
        names: names in METRICS; see `choose`.
        progress: called with the name of what is being measured and the share of it that is done;
            what it raises ends the evaluation.

    Raises: ValueError for an unknown name.
    """
    from infovae_core import measures

    wanted = choose(names)
    subject = measures.Subject(model, data, seed)
    for function in dict.fromkeys(METRICS[name].function for name in wanted):
        group = [name for name in wanted if METRICS[name].function == function]
        first = group[0]
        progress(first, 0.0)
        estimates = getattr(measures, function)(subject, lambda done, n=first: progress(n, done))
        yield from ((name, estimates[name]) for name in group)


TABLE = (
    Metric(
        name="elbo",
        title="Evidence lower bound",
        symbol=r"\mathrm{ELBO} = -D - R",
        unit=NATS,
        better="higher",
        cost="cheap",
        help="What a VAE maximises: a lower bound on log p(x) of held-out images.",
        function="bound",
    ),
    Metric(
        name="distortion",
        title="Distortion",
        symbol=r"D = -\mathbb E\,\log p(x \mid z)",
        unit=NATS,
        better="lower",
        cost="cheap",
        help="How badly held-out images are rebuilt from their codes.",
        function="bound",
    ),
    Metric(
        name="rate",
        title="Rate",
        symbol=r"R = \mathbb E\,\mathrm{KL}(q(z \mid x)\,\|\,p(z))",
        unit=NATS,
        better=None,
        cost="cheap",
        help="What a code costs. It is the sum of what the code says about its image, I(x; z), and "
        "of the mismatch of all codes with the prior, KL(q(z) ‖ p(z)).",
        function="bound",
    ),
    Metric(
        name="log_likelihood_is",
        title="Log-likelihood, importance sampled",
        symbol=r"\log p(x) \approx \log \tfrac1K \sum_k \tfrac{p(x \mid z_k)\,p(z_k)}"
        r"{q(z_k \mid x)}",
        unit=NATS,
        better="higher",
        cost="dear",
        help="Log-likelihood of held-out images from many draws of the encoder. A lower bound in "
        "expectation that closes in on log p(x) with the number of draws.",
        function="importance",
    ),
    Metric(
        name="bits_per_dim",
        title="Bits per dimension",
        symbol=r"-\log_2 p(x) / \dim x",
        unit="bits per dimension",
        better="lower",
        cost="dear",
        help="The importance-sampled log-likelihood as the length of a message, per number in an "
        "image. Only where the likelihood is a probability or a density of the images.",
        function="importance",
    ),
    Metric(
        name="log_likelihood_ais",
        title="Log-likelihood, annealed",
        symbol=r"\log p(x) \approx \log \tfrac1C \sum_c \prod_t p(x \mid z_t^c)"
        r"^{\beta_{t+1} - \beta_t}",
        unit=NATS,
        better="higher",
        cost="dear",
        help="Log-likelihood of some held-out images by annealed importance sampling from the "
        "prior. It does not use the encoder, so that it also judges one that is poor.",
        function="annealing",
    ),
    Metric(
        name="mutual_information",
        title="Mutual information",
        symbol=r"I_q(x; z)",
        unit=NATS,
        better="higher",
        cost="cheap",
        help="What a code says about which of N held-out images it came from, from all pairs of "
        "codes and posteriors; at most log N.",
        function="surgery",
    ),
    Metric(
        name="marginal_kl",
        title="Marginal KL",
        symbol=r"\mathrm{KL}(q(z)\,\|\,p(z)) = R - I",
        unit=NATS,
        better="zero",
        cost="cheap",
        help="How far the codes of all images together lie from the prior. Too large by what the "
        "cap keeps from the mutual information.",
        function="surgery",
    ),
    Metric(
        name="total_correlation",
        title="Total correlation",
        symbol=r"\mathrm{KL}(q(z)\,\|\,\textstyle\prod_j q(z_j))",
        unit=NATS,
        better="zero",
        cost="cheap",
        help="How far the units of the code are from independent of one another: one of the two "
        "parts of the marginal KL.",
        function="surgery",
    ),
    Metric(
        name="dimensionwise_kl",
        title="Dimension-wise KL",
        symbol=r"\textstyle\sum_j \mathrm{KL}(q(z_j)\,\|\,p(z_j))",
        unit=NATS,
        better="zero",
        cost="cheap",
        help="How far each unit of the code by itself is from the prior, summed: the other part of "
        "the marginal KL.",
        function="surgery",
    ),
    Metric(
        name="active_units",
        title="Active units, threshold .01",
        symbol=r"\#\{j : \mathrm{Var}_x\,\mathbb E[z_j \mid x] \ge .01\}",
        unit="units",
        better="higher",
        cost="cheap",
        help="Units of the code whose mean moves with the image.",
        function="activity",
    ),
    Metric(
        name="active_units_05",
        title="Active units, threshold .05",
        symbol=r"\#\{j : \mathrm{Var}_x\,\mathbb E[z_j \mid x] \ge .05\}",
        unit="units",
        better="higher",
        cost="cheap",
        help="Units of the code whose mean moves with the image by more than a little.",
        function="activity",
    ),
    Metric(
        name="log_det_cov_train",
        title="Log-determinant of the codes' covariance, training",
        symbol=r"\log\det\mathrm{Cov}[q_{\mathrm{train}}(z)]",
        unit="nats",
        better="zero",
        cost="cheap",
        help="Volume of the cloud of training codes, sampled: 0 is the prior's, above it the codes "
        "are blown up, below it they are pressed together.",
        function="covariance",
    ),
    Metric(
        name="log_det_cov_test",
        title="Log-determinant of the codes' covariance, held out",
        symbol=r"\log\det\mathrm{Cov}[q_{\mathrm{test}}(z)]",
        unit="nats",
        better="zero",
        cost="cheap",
        help="Volume of the cloud of held-out codes, sampled. Where it differs from the training "
        "codes' volume, the encoder has learned its images by heart.",
        function="covariance",
    ),
    Metric(
        name="mmd2_rbf",
        title="MMD², kernel exp(−r²/d²)",
        symbol=r"\mathrm{MMD}^2(q(z), p(z))",
        unit="squared kernel distance",
        better="zero",
        cost="cheap",
        help="Distance of held-out codes from the prior by the kernel of the InfoVAE authors' "
        "code, which is very wide. Unbiased, so that it may be a little below 0.",
        function="discrepancies",
    ),
    Metric(
        name="mmd2_rbf_wide",
        title="MMD², kernel exp(−r²/2d)",
        symbol=r"\mathrm{MMD}^2(q(z), p(z))",
        unit="squared kernel distance",
        better="zero",
        cost="cheap",
        help="Distance of held-out codes from the prior by a Gaussian kernel as wide as the prior "
        "is. Unbiased, so that it may be a little below 0.",
        function="discrepancies",
    ),
    Metric(
        name="mmd2_imq",
        title="MMD², inverse multiquadratic kernels",
        symbol=r"\mathrm{MMD}^2(q(z), p(z))",
        unit="squared kernel distance",
        better="zero",
        cost="cheap",
        help="Distance of held-out codes from the prior by a mean of seven kernels with heavy "
        "tails. Unbiased, so that it may be a little below 0.",
        function="discrepancies",
    ),
    Metric(
        name="ksd2",
        title="Stein discrepancy, squared",
        symbol=r"\mathrm{KSD}^2(q(z), p(z))",
        unit="squared Stein discrepancy",
        better="zero",
        cost="cheap",
        help="Distance of held-out codes from the prior without draws from it. Unbiased, so that "
        "it may be a little below 0.",
        function="discrepancies",
    ),
    Metric(
        name="mine",
        title="Mutual information, MINE",
        symbol=r"\hat I_{\mathrm{MINE}}(x; z)",
        unit=NATS,
        better="higher",
        cost="medium",
        help="Lower bound of Donsker and Varadhan by a fresh critic, trained with MINE's moving "
        "average on codes of training images and reported on held-out ones.",
        function="mine",
    ),
    Metric(
        name="donsker_varadhan",
        title="Mutual information, Donsker–Varadhan",
        symbol=r"\hat I_{\mathrm{DV}}(x; z)",
        unit=NATS,
        better="higher",
        cost="medium",
        help="The same bound by a fresh critic that follows its batches' own gradient.",
        function="donsker_varadhan",
    ),
    Metric(
        name="f_dual",
        title="Mutual information, f-dual",
        symbol=r"\hat I_f(x; z)",
        unit=NATS,
        better="higher",
        cost="medium",
        help="Lower bound from the dual of the KL divergence by a fresh critic. Never tighter than "
        "Donsker and Varadhan's for the same critic.",
        function="f_dual",
    ),
    Metric(
        name="info_nce",
        title="Mutual information, InfoNCE",
        symbol=r"\hat I_{\mathrm{NCE}}(x; z)",
        unit=NATS,
        better="higher",
        cost="dear",
        help="Lower bound by a fresh critic that finds a code's image among B of them; at most "
        "log B.",
        function="info_nce",
    ),
    Metric(
        name="class_mismatch",
        title="Class mismatch of samples",
        symbol=r"\textstyle\sum_c |f_c - 1/K|",
        unit="sum of shares",
        better="lower",
        cost="medium",
        help="Whether images decoded from the prior show every class equally often, as judged by a "
        "classifier trained on real images. 0 is even, 2 − 2/K is one class only.",
        function="samples",
    ),
    Metric(
        name="class_kl",
        title="Class divergence of samples",
        symbol=r"\mathrm{KL}(\mathrm{uniform}\,\|\,f)",
        unit="nats",
        better="lower",
        cost="medium",
        help="The same mismatch as a divergence, which punishes a missing class most.",
        function="samples",
    ),
    Metric(
        name="probe_logistic",
        title="Accuracy of a linear probe",
        symbol=r"\text{accuracy}_{\text{logistic}}",
        unit="%",
        better="higher",
        cost="medium",
        help="Held-out images whose class a logistic regression reads off the code.",
        function="probe_logistic",
    ),
    Metric(
        name="probe_knn",
        title="Accuracy of nearest neighbours",
        symbol=r"\text{accuracy}_{k\text{-NN}}",
        unit="%",
        better="higher",
        cost="medium",
        help="Held-out images whose class most of their five nearest training codes have.",
        function="probe_knn",
    ),
    Metric(
        name="probe_mlp",
        title="Accuracy of a network probe",
        symbol=r"\text{accuracy}_{\text{MLP}}",
        unit="%",
        better="higher",
        cost="dear",
        help="Held-out images whose class a network of the papers' size (1000-500-100) reads off "
        "the code.",
        function="probe_mlp",
    ),
    Metric(
        name="svc_error_100",
        title="Error from 100 labels",
        symbol=r"\text{error}_{100}",
        unit="%",
        better="lower",
        cost="medium",
        help="Held-out images that a support vector machine on codes gets wrong, given the classes "
        "of 100 training images; mean of ten choices of them.",
        function="svc_error_100",
    ),
    Metric(
        name="svc_error_1000",
        title="Error from 1,000 labels",
        symbol=r"\text{error}_{1000}",
        unit="%",
        better="lower",
        cost="medium",
        help="Held-out images that a support vector machine on codes gets wrong, given the classes "
        "of 1,000 training images; mean of ten choices of them.",
        function="svc_error_1000",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in TABLE}
