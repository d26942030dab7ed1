import pytest
import torch

from infovae_core.divergences import IMQ_SCALES, KERNELS, mmd2, squared_distances
from tests.oracles import expected_kernel, gaussian_mmd2

MEAN, VARIANCE = torch.tensor([0.8, -0.3, 0.0]), torch.tensor([0.5, 1.5, 1.0])


def samples(n, mean=MEAN, variance=VARIANCE):
    mean, variance = mean.double(), variance.double()
    return mean + variance.sqrt() * torch.randn(n, len(mean)), torch.randn(n, len(mean))


@pytest.mark.parametrize(
    ("kernel", "r2", "d", "value"),
    [
        ("rbf", 9.0, 3, torch.tensor(-1.0).exp()),
        ("rbf_wide", 6.0, 3, torch.tensor(-1.0).exp()),
        ("imq", 0.0, 3, torch.tensor(1.0)),
        ("imq", 6.0, 3, sum(torch.tensor(s / (s + 1)) for s in IMQ_SCALES) / 7),
    ],
)
def test_kernels_are_the_documented_ones(kernel, r2, d, value):
    assert KERNELS[kernel](torch.full((1, 1), r2), d).item() == pytest.approx(value.item())


@pytest.mark.parametrize("kernel", KERNELS)
def test_u_statistic_has_the_closed_form_as_its_mean(kernel):
    values = torch.stack([mmd2(*samples(60), kernel) for _ in range(300)])
    error = values.std() / len(values) ** 0.5
    expected = gaussian_mmd2(kernel, MEAN.double(), VARIANCE.double())
    assert expected > 10 * error  # the test has power
    assert values.mean().item() == pytest.approx(expected, abs=4 * error.item())


@pytest.mark.parametrize("kernel", KERNELS)
def test_v_statistic_is_too_large_by_its_known_bias(kernel):
    n, zero, one = 20, torch.zeros(3), torch.ones(3)
    pairs = [samples(n) for _ in range(400)]
    excess = torch.stack(
        [mmd2(a, b, kernel, unbiased=False) - mmd2(a, b, kernel) for a, b in pairs]
    )
    bias = (
        2
        - expected_kernel(kernel, zero, 2 * VARIANCE.double())
        - expected_kernel(kernel, zero, 2 * one)
    )
    error = excess.std() / len(excess) ** 0.5
    assert excess.mean().item() == pytest.approx(bias.item() / n, abs=4 * error.item())


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("unbiased", [True, False])
def test_equals_the_sums_of_the_definition(kernel, unbiased):
    a, b = torch.randn(5, 3), torch.randn(4, 3)

    def k(x, y):
        return KERNELS[kernel]((x - y).square().sum().reshape(1, 1), 3).item()

    def within(z):
        n = len(z)
        pairs = [(i, j) for i in range(n) for j in range(n) if i != j or not unbiased]
        return sum(k(z[i], z[j]) for i, j in pairs) / len(pairs)

    across = sum(k(x, y) for x in a for y in b) / 20
    expected = within(a) + within(b) - 2 * across
    assert mmd2(a, b, kernel, unbiased).item() == pytest.approx(expected)


def test_v_statistic_of_a_sample_with_itself_is_zero():
    a = torch.randn(30, 2)
    assert mmd2(a, a, unbiased=False).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient_agrees_with_finite_differences(kernel):
    a, b = torch.randn(6, 2, requires_grad=True), torch.randn(7, 2)
    assert torch.autograd.gradcheck(lambda z: mmd2(z, b, kernel), (a,))


def test_distances_stay_non_negative_in_single_precision():
    z = 1e3 + torch.randn(200, 3, dtype=torch.float32)
    assert (squared_distances(z, z) >= 0).all()
