import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from infovae_core import probes
from infovae_core.probes import Labelled, Scale


def two_clouds(count, apart, d=3, dtype=None):
    """Classes N(0, I) and N(apart · e₁, I): the best accuracy is Φ(apart/2)."""
    y = torch.arange(count) % 2
    x = torch.randn(count, d)
    x[:, 0] += apart * y
    return Labelled(x, y)


def by_network(known, z):
    model = probes.network(known, (32,), torch.Generator().manual_seed(0), 0, epochs=5)
    return probes.classify(model, z)


PROBES = {"logistic": probes.logistic, "nearest": probes.nearest, "network": by_network}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_comes_near_the_best_accuracy_and_not_above(name):
    known, test = two_clouds(2000, 2.0), two_clouds(4000, 2.0)
    right = (PROBES[name](known, test.x) == test.y).double().mean().item()
    best, error = NormalDist().cdf(1.0), 0.5 / math.sqrt(4000)
    assert best - (0.06 if name == "nearest" else 0.03) < right < best + 3 * error


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_of_codes_that_say_nothing_guesses(name):
    known, test = two_clouds(1000, 0.0), two_clouds(2000, 0.0)
    right = (PROBES[name](known, test.x) == test.y).double().mean().item()
    assert right == pytest.approx(0.5, abs=0.05)


def test_the_nearest_codes_vote_and_the_nearest_of_all_decides_a_tie():
    known = Labelled(
        torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0]]), torch.tensor([0, 0, 1, 2, 2])
    )
    z = torch.tensor([[0.5], [10.4], [1.6]])
    assert probes.nearest(known, z, 3).tolist() == [0, 2, 0]
    assert probes.nearest(known, z, 2).tolist() == [0, 2, 1]
    assert probes.nearest(known, z, 99).tolist() == [0, 2, 0]


def test_one_scale_for_all_units_keeps_a_silent_one_silent():
    z = torch.stack((3 + 2 * torch.randn(5000), 1e-3 * torch.randn(5000)), 1)
    scaled = Scale.of(z)(z)
    assert scaled.mean(0).tolist() == pytest.approx([0, 0], abs=1e-9)
    assert scaled.var(0, correction=0).mean().item() == pytest.approx(1)
    assert scaled[:, 1].std() < 2e-3
    assert Scale.of(torch.ones(5, 2))(torch.ones(5, 2)).tolist() == [[0, 0]] * 5


# Few labels


def test_a_machine_on_few_labels_comes_near_the_best_error():
    known, test = two_clouds(2000, 3.0), two_clouds(3000, 3.0)
    errors = [
        probes.svc_error(known, test, 100, 500, np.random.default_rng(i)).error for i in range(3)
    ]
    best = 1 - NormalDist().cdf(1.5)
    assert best - 0.015 < np.mean(errors) < best + 0.04


def test_the_test_codes_have_no_say_in_gamma():
    known, test = two_clouds(600, 1.0), two_clouds(500, 1.0)
    other = Labelled(test.x.flip(0) * 3, 1 - test.y)
    for seed in range(3):
        found = [
            probes.svc_error(known, part, 50, 200, np.random.default_rng(seed))
            for part in (test, other)
        ]
        assert found[0].gamma == found[1].gamma
        assert found[0].error != found[1].error


def test_labels_are_shared_out_equally_and_never_twice():
    y = np.repeat([0, 1, 2], [500, 30, 4])
    chosen = probes.balanced(y, 60, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == 60
    counts = np.bincount(y[chosen])
    assert counts[2] == 4
    assert abs(counts[0] - counts[1]) <= 1
    again = probes.balanced(y, 60, np.random.default_rng(1))
    assert set(again.tolist()) != set(chosen.tolist())
