"""What a study of estimators is asked to do: frozen records, as `config.RunConfig` is for a run.

All studies are of one pair: x ~ N(0, I) and z = ρ x + √(1 − ρ²) ε in D dimensions, whose mutual
information is known. Importing this module loads no torch.
"""

from __future__ import annotations

import hashlib
import math
from typing import ClassVar, Literal

from pydantic import Field

from infovae_core.config import Record

EDITION = 1  # to be raised where equal settings no longer give equal rows


def information_of(dimension: int, rho: float) -> float:
    """I(x; z) = −(D/2) log(1 − ρ²); nats."""
    return -dimension / 2 * math.log1p(-(rho**2))


def correlation_of(dimension: int, information: float) -> float:
    """ρ = √(1 − e^(−2I/D)), with which the pair has that many nats."""
    return math.sqrt(-math.expm1(-2 * information / dimension))


class Study(Record):
    """Base class: the pair, as each study says it."""

    study: str
    dimension: int
    seed: int = Field(0, ge=0, lt=2**31, title="Seed", description="Fixes weights and samples.")

    @property
    def id(self) -> str:
        """A name that equal settings share, and no others."""
        settings = f"{EDITION} {self.model_dump_json()}"
        return f"{self.study}-{hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()}"

    @property
    def exact(self) -> float:
        """I(x; z); nats."""
        raise NotImplementedError

    @property
    def work(self) -> int:
        """How much there is to do, in the unit in which the study reports what it has done."""
        raise NotImplementedError


class BoundStudy(Study):
    """Critics that learn the bounds on I, one each, on the same pairs."""

    study: Literal["bounds"] = "bounds"
    dimension: int = Field(
        5,
        ge=1,
        le=40,
        title="Dimension D",
        description="Numbers in x, and in z. I grows in proportion to it.",
    )
    rho: float = Field(
        0.8,
        ge=0,
        le=0.99,
        title="Correlation ρ",
        description="Of each number in x with its partner in z. Near 1 it takes I to infinity.",
        json_schema_extra={"step": 0.01},
    )
    batch_size: Literal[16, 32, 64, 128, 256] = Field(
        64,
        title="Batch size B",
        description="Pairs in a step, fresh ones each time. InfoNCE scores all B² combinations, "
        "and cannot say more than log B.",
    )
    width: Literal[16, 32, 64, 128, 256] = Field(
        64, title="Width", description="Units in each of the critic's two hidden layers."
    )
    learning_rate: Literal[0.0001, 0.0003, 0.001, 0.003, 0.01] = Field(
        0.001, title="Learning rate", description="Step size of Adam."
    )
    steps: Literal[500, 1000, 2000, 4000, 8000] = Field(
        2000, title="Steps", description="Batches that the critics learn from."
    )

    @property
    def exact(self) -> float:
        return information_of(self.dimension, self.rho)

    @property
    def work(self) -> int:
        return self.steps


class PointStudy(Study):
    """The empirical I_q(x; z) of N encoded points, for more and more of them."""

    POINTS: ClassVar = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

    study: Literal["points"] = "points"
    dimension: int = Field(
        2,
        ge=1,
        le=40,
        title="Dimension d",
        description="Numbers in a code z.",
    )
    information: float = Field(
        5.0,
        ge=0.1,
        le=12,
        title="Information I",
        description="What a code tells of its image, in nats. ρ is chosen so that this is exact.",
        json_schema_extra={"step": 0.1},
    )

    @property
    def rho(self) -> float:
        """The correlation with which the pair has this information."""
        return correlation_of(self.dimension, self.information)

    @property
    def exact(self) -> float:
        return self.information

    @property
    def repeats(self) -> tuple[int, ...]:
        """How often each of `POINTS` is drawn anew: many times where that is cheap."""
        return tuple(min(40, max(3, 20_000 // n)) for n in self.POINTS)

    @property
    def work(self) -> int:
        return sum(n * n * times for n, times in zip(self.POINTS, self.repeats, strict=True))


STUDIES: dict[str, type[Study]] = {"bounds": BoundStudy, "points": PointStudy}
