"""Objectives: distortion plus a weighted sum of terms, minimised. One class per paper.

An objective *is* its hyper-parameters: a frozen pydantic model that reads itself from JSON, draws
itself as a form and prints itself as a formula. Nothing here imports torch until a loss is asked
for, so that a form costs milliseconds.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor, nn

    from infovae_core.model import Pass
    from infovae_core.terms import Term

Divergence = Literal["mmd", "stein", "jensen", "kl"]
Kernel = Literal["rbf", "rbf_wide", "imq"]
Bound = Literal["kl", "dv", "reverse_kl", "pearson", "hellinger", "js", "nce"]
Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=8192)], ...], Field(min_length=1, max_length=12)
]

SYMBOLS: dict[str, str] = {  # of the divergences, as their formulas write them
    "mmd": r"\mathrm{MMD}^2",
    "stein": r"\mathrm{KSD}^2",
    "jensen": r"\mathrm{JSD}",
    "kl": r"\mathrm{KL}(q(z)\,\|\,p(z))",
}


INFORMATION: dict[str, str] = {  # what each bound is a lower bound on, as formulas write it
    "kl": r"\hat I(x; z)",
    "dv": r"\hat I(x; z)",
    "reverse_kl": r"\hat I_{\mathrm{rev}}(x; z)",
    "pearson": r"\hat I_{\chi^2}(x; z)",
    "hellinger": r"\hat I_{\mathrm{H}}(x; z)",
    "js": r"\hat I_{\mathrm{JS}}(x; z)",
    "nce": r"\hat I(x; z)",
}


class Loss(NamedTuple):
    """What one pass costs: the scalar to descend, and the parts it is made of."""

    total: Tensor
    parts: dict[str, Tensor]  # by term name; unweighted, nats per image


class Objective(BaseModel, frozen=True):
    """Base class: a subclass says its `weights`, its `symbols` and its `terms`, in one order."""

    model_config = ConfigDict(extra="forbid")

    title: ClassVar[str]
    source: ClassVar[str]
    formula: ClassVar[str]  # LaTeX, with the hyper-parameters' letters
    structure: ClassVar[tuple[str, ...]] = ()  # fields that decide which terms and critics it has

    def check_turn(self, new: Objective) -> None:
        """Whether a run in training may go on with `new`: its terms and critics must stay.

        Raises: ValueError where they would be others.
        """
        fixed = ("name", *self.structure)
        for field in fixed:
            now, wanted = getattr(self, field), getattr(new, field, None)
            if now != wanted:
                raise ValueError(
                    f"a run in training must keep its {', '.join(fixed)}, got {field} {wanted} "
                    f"for {now}; start another run"
                )

    @property
    def weights(self) -> tuple[float, ...]:
        """The coefficient of each term."""
        raise NotImplementedError

    @property
    def symbols(self) -> tuple[str, ...]:
        """Each term as LaTeX."""
        raise NotImplementedError

    def terms(self) -> tuple[tuple[float, Term], ...]:
        """Each term beside its weight."""
        raise NotImplementedError

    def latex(self) -> str:
        """The formula with the present coefficients in place of the letters, as LaTeX."""
        out = "D"
        for weight, symbol in zip(self.weights, self.symbols, strict=True):
            factor = "" if abs(weight) == 1 else rf"{number(abs(weight))}\,"
            out += rf" {'-' if weight < 0 else '+'} {factor}{symbol}"
        return out

    def loss(self, p: Pass, critics: dict[str, nn.Module]) -> Loss:
        """D + Σ weight · term, in nats per image, with every part beside the total.

        A term of weight zero is measured but not followed: it adds nothing to the total, not even
        a rounding error, so that members of the family which coincide do so bit for bit.
        """
        import torch

        parts = {"distortion": p.distortion.mean()}
        total = parts["distortion"]
        for weight, term in self.terms():
            with nullcontext() if weight else torch.no_grad():
                parts[term.name] = term(p, critics.get(term.name))
            if weight:
                total = torch.add(total, parts[term.name], alpha=weight)
        return Loss(total, parts)

    def critic_loss(self, p: Pass, critics: dict[str, nn.Module]) -> Tensor:
        """What the critics descend: the sum of their own losses, on a pass without gradient."""
        losses = (
            term.critic_loss(p, critics[term.name])
            for _, term in self.terms()
            if term.name in critics
        )
        return sum(losses, start=p.z.new_zeros(()))


class VAE(Objective):
    r"""The negative evidence lower bound, D + R.

    Source: Kingma and Welling 2014, eq. 10.
    """

    title = "VAE"
    source = "Kingma & Welling 2014"
    formula = r"D + R"

    name: Literal["VAE"] = "VAE"

    @property
    def weights(self) -> tuple[float, ...]:
        return (1.0,)

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("R",)

    def terms(self) -> tuple[tuple[float, Term], ...]:
        from infovae_core.terms import Rate

        return tuple(zip(self.weights, (Rate(),), strict=True))


class BetaVAE(Objective):
    r"""D + β R: a rate that costs more (β > 1) or less (β < 1) than its nats.

    Source: Higgins et al. 2017, eq. 4.
    """

    title = "β-VAE"
    source = "Higgins et al. 2017"
    formula = r"D + \beta\,R"

    name: Literal["BetaVAE"] = "BetaVAE"
    beta: float = Field(
        2.0,
        ge=0,
        le=100,
        title="β",
        description="Weight of the rate. 1 is the VAE; larger codes less, smaller codes more.",
    )

    @property
    def weights(self) -> tuple[float, ...]:
        return (self.beta,)

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("R",)

    def terms(self) -> tuple[tuple[float, Term], ...]:
        from infovae_core.terms import Rate

        return tuple(zip(self.weights, (Rate(),), strict=True))


class InfoVAE(Objective):
    r"""D + (1 − α) R + (α + λ − 1) Div(q(z), p(z)).

    λ is meaningless without the divergence and its scale: for MMD, see `divergences.KERNELS`.

    Raises: ValueError where α + λ < 1, which would reward q(z) for leaving the prior.
    Source: Zhao, Song and Ermon 2017 (arXiv 1706.02262), eq. 6.
    """

    title = "InfoVAE"
    source = "Zhao, Song & Ermon 2017"
    formula = r"D + (1-\alpha)\,R + (\alpha+\lambda-1)\,\mathrm{Div}(q(z), p(z))"
    structure = ("divergence", "critic_widths")

    name: Literal["InfoVAE"] = "InfoVAE"
    alpha: float = Field(
        0.8,
        ge=-100,
        le=100,
        title="α",
        description="Preference for information between image and code. 0 keeps the VAE's rate; "
        "1 drops it and leaves the divergence alone; above 1 the rate is rewarded, which only a "
        "divergence that grows along with it (KL) can hold.",
    )
    lam: float = Field(
        5.0,
        ge=0,
        le=100_000,
        title="λ",
        description="Weight of matching q(z) to the prior. What a value does depends on the "
        "divergence and, for MMD, on the kernel.",
    )
    divergence: Divergence = Field(
        "mmd",
        title="Divergence",
        description="How far the aggregated posterior q(z) is from the prior p(z). MMD: maximum "
        "mean discrepancy; Stein: Stein variational gradient; Jensen–Shannon: adversarial, as in "
        "the AAE; KL: adversarial, by density ratio.",
        json_schema_extra={
            "called": {"mmd": "MMD", "stein": "Stein", "jensen": "Jensen–Shannon", "kl": "KL"}
        },
    )
    kernel: Kernel = Field(
        "rbf",
        title="Kernel",
        description="Of the MMD, d the latent dimension. RBF: exp(−‖a−b‖²/d²), the authors'; "
        "RBF (wide): exp(−‖a−b‖²/2d); IMQ: mean of C/(C+‖a−b‖²) over seven widths C.",
        json_schema_extra={
            "shown_if": {"divergence": "mmd"},
            "called": {"rbf": "RBF", "rbf_wide": "RBF (wide)", "imq": "IMQ"},
        },
    )
    statistic: Literal["u", "v"] = Field(
        "u",
        title="Statistic",
        description="Of the MMD. u: unbiased, may dip below 0; v: biased upwards, the authors'.",
        json_schema_extra={"shown_if": {"divergence": "mmd"}, "folded": True},
    )
    critic_widths: Widths = Field(
        (256, 128),
        title="Critic widths",
        description="Hidden layers of the critic t(z) of the adversarial divergences.",
        json_schema_extra={"shown_if": {"divergence": ["jensen", "kl"]}, "folded": True},
    )

    @model_validator(mode="after")
    def _minimises_the_divergence(self) -> InfoVAE:
        if self.alpha + self.lam < 1 - 1e-9:  # the β-VAE's line α + λ = 1 may round below
            raise ValueError(
                "alpha + lam must be at least 1 so that the divergence is minimised, "
                f"got {self.alpha:g} + {self.lam:g}; raise lam to at least {1 - self.alpha:g}"
            )
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        divergence = self.alpha + self.lam - 1
        return (1 - self.alpha, divergence if divergence > 1e-9 else 0.0)

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("R", SYMBOLS[self.divergence])

    def terms(self) -> tuple[tuple[float, Term], ...]:
        from infovae_core.terms import DIVERGENCES, Rate

        divergence = DIVERGENCES[self.divergence](self)
        return tuple(zip(self.weights, (Rate(), divergence), strict=True))


class InfoMaxVAE(Objective):
    r"""D + β R − α Î(x; z), Î a variational lower bound on the mutual information.

    With the exact I this is InfoVAE(α′ = 1 − β + α, λ′ = β) with Div = KL(q(z) ‖ p(z)).

    Source: Rezaabad and Vishwanath 2020 (arXiv 1912.13361), eq. 6.
    """

    title = "InfoMax-VAE"
    source = "Rezaabad & Vishwanath 2020"
    formula = r"D + \beta\,R - \alpha\,\hat I(x; z)"
    structure = ("bound", "critic_widths")

    name: Literal["InfoMaxVAE"] = "InfoMaxVAE"
    beta: float = Field(
        1.0,
        ge=0,
        le=100,
        title="β",
        description="Weight of the rate, as in the β-VAE.",
    )
    alpha: float = Field(
        5.0,
        ge=0,
        le=100,
        title="α",
        description="Reward for mutual information between image and code.",
    )
    bound: Bound = Field(
        "kl",
        title="Bound",
        description="The lower bound on I(x; z) that the critic tightens. "
        "KL: the f-dual of the paper; Donsker–Varadhan: with MINE's gradient; InfoNCE: slow, for "
        "it scores every pair of a batch; the others bound other divergences of q(x, z) "
        "from p(x) q(z).",
        json_schema_extra={
            "called": {
                "kl": "KL",
                "dv": "Donsker–Varadhan",
                "reverse_kl": "reverse KL",
                "pearson": "Pearson χ²",
                "hellinger": "Hellinger",
                "js": "Jensen–Shannon",
                "nce": "InfoNCE",
            }
        },
    )
    critic_widths: Widths = Field(
        (256, 128),
        title="Critic widths",
        description="Hidden layers of the critic t(x, z). The paper's has 1000, 400, 100.",
        json_schema_extra={"folded": True},
    )

    @property
    def weights(self) -> tuple[float, ...]:
        return (self.beta, -self.alpha)

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("R", INFORMATION[self.bound])

    @property
    def bounds_information(self) -> bool:
        """Whether the bound is on I itself, not on another divergence of the same two."""
        return INFORMATION[self.bound] == INFORMATION["kl"]

    def terms(self) -> tuple[tuple[float, Term], ...]:
        from infovae_core.terms import MutualInformation, Rate

        information = MutualInformation(bound=self.bound, widths=self.critic_widths)
        return tuple(zip(self.weights, (Rate(), information), strict=True))


def number(value: float) -> str:
    r"""A number as LaTeX, to six digits: 1000, 0.5, 2 \cdot 10^{-7}."""
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


OBJECTIVES: dict[str, type[Objective]] = {
    "VAE": VAE,
    "BetaVAE": BetaVAE,
    "InfoVAE": InfoVAE,
    "InfoMaxVAE": InfoMaxVAE,
}
