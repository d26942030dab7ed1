import pytest
import torch

from infovae_core.divergences import (
    IMQ_SCALES,
    KERNELS,
    ksd2,
    mmd2,
    squared_distances,
    svgd_direction,
    witness,
)
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


@pytest.mark.parametrize("kernel", KERNELS)
def test_witness_is_the_closed_form_for_normals(kernel):
    n, one = 20_000, torch.ones(3)
    places = torch.tensor([[0.0, 0, 0], [0.8, -0.3, 0], [-1, 1, 0.5], [3, 0, -2]])
    a, b = samples(n)
    expected = torch.stack(
        [
            expected_kernel(kernel, z - MEAN, VARIANCE) - expected_kernel(kernel, z, one)
            for z in places
        ]
    )
    error = 4 * 0.5 * (2 / n) ** 0.5  # a kernel lies between 0 and 1
    assert expected.abs().max() > 3 * error  # the test has power
    torch.testing.assert_close(witness(places, a, b, kernel), expected.double(), atol=error, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_witness_adds_up_to_the_v_statistic_and_its_slope_is_what_is_followed(kernel):
    a, b = (0.7 + torch.randn(150, 2)).requires_grad_(), torch.randn(90, 2)
    value = mmd2(a, b, kernel, unbiased=False)
    fixed = a.detach()
    z = fixed.clone().requires_grad_()
    f = witness(z, fixed, b, kernel)
    torch.testing.assert_close(f.mean() - witness(b, fixed, b, kernel).mean(), value)
    [followed] = torch.autograd.grad(value, a)
    [slope] = torch.autograd.grad(f.sum(), z)
    torch.testing.assert_close(followed, 2 / len(a) * slope)


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


@pytest.mark.parametrize("h", [0.7, 2**0.5])
@pytest.mark.parametrize("mean", [(0.0, 0.0), (0.6, -0.3), (1.5, 0.0)])
def test_stein_discrepancy_of_a_shifted_normal_has_the_closed_form_as_its_mean(h, mean):
    mean = torch.tensor(mean)
    values = torch.stack([ksd2(mean + torch.randn(60, 2), h) for _ in range(400)])
    expected = mean.square().sum().item() * (1 + 2 / h**2) ** (-len(mean) / 2)
    error = values.std().item() / len(values) ** 0.5
    assert values.mean().item() == pytest.approx(expected, abs=4 * error)


def test_stein_discrepancy_equals_its_definition_by_automatic_differentiation():
    z, h = torch.randn(5, 3), 1.3

    def u(a, b):
        def k(a, b):
            return torch.exp(-(a - b).square().sum() / (2 * h**2))

        along_a, along_b = torch.func.grad(k, 0)(a, b), torch.func.grad(k, 1)(a, b)
        trace = torch.func.jacrev(torch.func.grad(k, 1), 0)(a, b).trace()
        return k(a, b) * a @ b - a @ along_b - b @ along_a + trace

    every = torch.stack([torch.stack([u(a, b) for b in z]) for a in z])
    torch.testing.assert_close(ksd2(z, h, unbiased=False), every.mean())
    off_diagonal = (every.sum() - every.trace()) / 20
    torch.testing.assert_close(ksd2(z, h), off_diagonal)


def test_svgd_direction_equals_its_definition_by_automatic_differentiation():
    z, elsewhere, h = torch.randn(6, 2), torch.randn(4, 2), 0.9

    def k(a, b):
        return torch.exp(-(a - b).square().sum() / (2 * h**2))

    def expected(at):
        return torch.stack(
            [torch.stack([k(b, a) * -b + torch.func.grad(k)(b, a) for b in z]).mean(0) for a in at]
        )

    torch.testing.assert_close(svgd_direction(z, h), expected(z))
    torch.testing.assert_close(svgd_direction(z, h, elsewhere), expected(elsewhere))


def test_svgd_direction_has_mean_zero_under_the_prior_and_points_home_elsewhere():
    point = torch.tensor([[0.7, -0.4]])

    def at_point(centre):
        """φ at one point, from samples of N(centre, I) without the point's own contribution."""
        n = 500
        z = torch.cat((point, centre + torch.randn(n, 2)))
        return (svgd_direction(z, 1.0)[0] * (n + 1) + point[0]) / n

    at_prior = torch.stack([at_point(0.0) for _ in range(100)])
    error = at_prior.std(0) / 10
    assert (at_prior.mean(0).abs() < 4 * error).all()
    assert at_point(3.0).mean() < -10 * error.max()
