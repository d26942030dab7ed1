"""The (α, λ) plane of the InfoVAE family: where an objective lies, and what lies at a point.

At (α, λ) the rate has the coefficient 1 − α and the divergence α + λ − 1; below the line on which
the latter is 0 there is nothing. Loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import ValidationError

from infovae_core.objectives import OBJECTIVES, VAE, BetaVAE, InfoMaxVAE, InfoVAE, Objective


class Point(NamedTuple):
    """A place in the plane."""

    alpha: float
    lam: float


def coordinates(objective: Objective) -> Point | None:
    """Where an objective lies; None for one that is not of the family.

    VAE (0, 1); β-VAE (1 − β, β), whatever the divergence; InfoMax-VAE (1 − β + α, β) with the exact
    I and the divergence KL(q(z) ‖ p(z)), for β R − α I = (β − α) R + α KL(q(z) ‖ p(z)); a bound on
    another divergence than I leads out of the family.
    """
    match objective:
        case VAE():
            return Point(0.0, 1.0)
        case BetaVAE(beta=beta):
            return Point(1 - beta, beta)
        case InfoVAE(alpha=alpha, lam=lam):
            return Point(alpha, lam)
        case InfoMaxVAE(beta=beta, alpha=alpha) if objective.bounds_information:
            return Point(1 - beta + alpha, beta)
    return None


def settings_at(alpha: float, lam: float, name: str) -> dict[str, Any]:
    """The fields that put the objective called `name` at a point, or InfoVAE where it cannot be.

    The VAE and β-VAEs lie on their line only, an InfoMax-VAE lies wherever its ranges reach. A
    point of the forbidden half stands for the one above it on the line.

    Raises: ValidationError for a point out of every range.
    """
    if alpha + lam < 1 - 1e-9:  # a sum that only rounds below is on the line
        lam = 1 - alpha
    for record in _candidates(alpha, lam, name):
        with suppress(ValidationError):
            OBJECTIVES[record["name"]].model_validate(record)
            return record
    return InfoVAE(name="InfoVAE", alpha=alpha, lam=lam).model_dump(exclude_unset=True)


def _candidates(alpha: float, lam: float, name: str) -> Iterator[dict[str, Any]]:
    """What `name` would have to be there, to be checked against its ranges."""
    if name in ("VAE", "BetaVAE") and math.isclose(alpha + lam, 1):
        yield {"name": name} if name == "VAE" and lam == 1 else {"name": "BetaVAE", "beta": lam}
    if name == "InfoMaxVAE":
        reward = max(0.0, round(alpha - 1 + lam, 12))  # what was 10 comes back as 10
        yield {"name": name, "beta": lam, "alpha": reward}
