"""Intervals that hold the truth in 19 of 20 repetitions; numpy only."""

import math
from collections.abc import Callable

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
    return max(0.0, middle - half), min(1.0, middle + half)


def of_counts(
    counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], random: np.random.Generator
) -> tuple[float, float, float]:
    """Standard error and interval of a statistic ≥ 0 of class shares, by the basic bootstrap.

    Shares of n draws lie farther apart than what they were drawn from, and those drawn from them
    farther again: the basic interval, 2 θ̂ minus the quantiles, takes that off.

    Args:
        counts: of each class, [k].
        statistic: from shares [..., k] to values [...].

    Source: Davison and Hinkley 1997, section 5.2.
    """
    n = counts.sum()
    again = statistic(random.multinomial(n, counts / n, BOOTSTRAPS) / n)
    low, high = 2 * statistic(counts / n) - np.quantile(again, (0.975, 0.025), method="nearest")
    return float(again.std()), max(0.0, float(low)), max(0.0, float(high))
