"""Intervals that hold the truth in 19 of 20 repetitions; numpy only."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Z = 1.959964  # 97.5 % of a standard normal lie below
BOOTSTRAPS = 2000


def normal(value: float, error: float) -> tuple[float, float]:
    """Value ± 1.96 standard errors."""
    return value - Z * error, value + Z * error


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Of a probability, from so many successes in n trials; also near 0 and 1.

    Source: Wilson 1927.
    """
    p, weight = successes / n, Z**2 / n
    middle = (p + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * math.sqrt(p * (1 - p) / n + weight / (4 * n))
    return (
        0.0 if successes == 0 else middle - half,
        1.0 if successes == n else middle + half,
    )


def of_unevenness(
    counts: np.ndarray, statistic: Callable[[np.ndarray], Any], random: np.random.Generator
) -> tuple[float, float, float]:
    """Standard error and interval of a statistic of class shares that is 0 for even ones, else > 0.

    Shares of n draws are less even than what they were drawn from, and those drawn from them again
    less. At the lower end the basic bootstrap, 2 θ̂ minus the quantile, takes that off; at the upper
    end θ̂ + 1.96 errors leaves it, for taken off it may be too much. Near 0, where even shares would
    often give as much, the interval begins there.

    Args:
        counts: of each class, [k].
        statistic: from shares [..., k] to values [...].

    Source: Davison and Hinkley 1997, section 5.2; the coverage is tested.
    """
    n, value = counts.sum(), statistic(counts / counts.sum())

    def again(shares: np.ndarray) -> np.ndarray:
        return statistic(random.multinomial(n, shares, BOOTSTRAPS) / n)

    values = again(counts / n)
    low, error = 2 * value - np.quantile(values, 0.975, method="nearest"), values.std()
    if value <= np.quantile(again(np.full(len(counts), 1 / len(counts))), 0.975):
        low = 0.0
    return float(error), max(0.0, float(low)), float(value + Z * error)
