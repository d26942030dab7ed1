"""How often a run looks at itself, so that looking takes a bounded share of its time.

Time is counted in operations, not measured: a run that is resumed or repeated must write the same
rows. Some 10¹¹ operations take a second where they are many; the constants are for what is lost
where they are few.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infovae_core.training import Plan

TEST_SHARE = 0.03  # of the time of training that rows over held-out images take at most
CODES_SHARE = 0.02  # and rows of codes
ROWS = 1000  # about as many rows of either, at most


def step(weights: int, batch: int) -> float:
    """Operations of a step: two for each weight and image, and twice as many for gradients."""
    return 4e7 + 6 * weights * batch


def test(weights: int, n: int, batch: int) -> float:
    """Operations of `training.evaluate` on n images, in batches."""
    return max(1, round(n / batch)) * 1.5e7 + 2 * weights * n


def codes(n: int, d: int) -> float:
    """Operations of `training.describe_codes` on n codes of d numbers, of which all pairs meet."""
    return 1e8 + 290 * n * n * (d + 3)


def epochs_between(work: float, share: float, length: Plan, weights: int) -> int:
    """Epochs from one row that takes so much work to the next."""
    epoch = length.steps_per_epoch * step(weights, length.batch_size)
    return max(1, math.ceil(work / share / epoch), length.epochs // ROWS)
