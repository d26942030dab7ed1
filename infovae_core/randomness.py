"""Seeds for streams of random numbers that must not know of one another."""

import numpy as np


def seed_of(seed: int, purpose: str) -> int:
    """A seed for one purpose of a run; the same for the same two, unrelated for others."""
    return int(np.random.SeedSequence((seed, *purpose.encode())).generate_state(1)[0])
