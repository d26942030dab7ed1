import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from infovae_core import snapshots, training
from infovae_core.config import RunConfig


def model(digits, d):
    settings = RunConfig.model_validate({"model": {"latent_dim": d, "widths": [16]}})
    return training.init(settings, digits).model


@pytest.mark.parametrize("d", [1, 2, 5])
def test_arrays_describe_the_model(digits, d):
    vae = model(digits, d)
    arrays = snapshots.take(vae, digits)
    with torch.no_grad():
        q = vae.posterior(digits.test.x)
    held_out = arrays["split"] == 1
    np.testing.assert_allclose(arrays["mean"][held_out], q.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(arrays["std"][held_out], q.stddev, rtol=1e-4)
    assert arrays["label"][held_out].tolist() == digits.test.y.tolist()
    shown = digits.test.x[snapshots.one_of_each_class(digits.test)]
    with torch.no_grad():
        decoded = vae.decode(vae.posterior(shown).mean).mean
    assert np.array_equal(arrays["originals"], snapshots.pixels(shown))
    assert np.array_equal(arrays["originals"], snapshots.pixels(digits.test.x[arrays["shown"]]))
    assert np.array_equal(arrays["reconstructions"], snapshots.pixels(decoded))
    assert arrays["samples"].shape == (100, 8, 8)
    assert len(np.unique(arrays["samples"], axis=0)) > 50
    assert ("plane" in arrays) == (d > 2)


def test_shown_images_take_one_of_each_class_in_turn(digits):
    shown = digits.test.y[snapshots.one_of_each_class(digits.test)]
    assert shown.tolist() == list(range(10)) * 4


def test_samples_come_from_the_same_draws_and_leave_the_process_stream_alone(digits):
    vae = model(digits, 2)
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    first = snapshots.take(vae, digits)
    assert torch.equal(torch.randn(3), expected)
    assert np.array_equal(first["samples"], snapshots.take(vae, digits)["samples"])


def test_pixels_are_bytes_with_colour_last():
    image = torch.tensor([0.0, 0.5, 1.0, 1.7, -0.2, 0.25]).reshape(1, 3, 1, 2)
    assert snapshots.pixels(image).tolist() == [[[[0, 255, 0], [128, 255, 64]]]]


def test_plane_is_that_of_pca():
    z = np.random.default_rng(0).normal(size=(400, 5)) * [3, 2, 1, 0.5, 0.1]
    plane = snapshots.principal_plane(z)
    np.testing.assert_allclose(plane.T @ plane, np.eye(2), atol=1e-6)
    expected = PCA(2).fit(z).components_
    np.testing.assert_allclose(np.abs(expected @ plane), np.eye(2), atol=1e-5)


def test_plane_follows_the_one_before_through_mirrors_turns_and_ties():
    random = np.random.default_rng(0)
    z = random.normal(size=(400, 4)) * [2, 2, 0.1, 0.1]  # two directions of equal variance
    before = snapshots.principal_plane(z)
    turned = snapshots.principal_plane(z + 0.05 * random.normal(size=z.shape), -before[:, ::-1])
    np.testing.assert_allclose(turned, -before[:, ::-1], atol=0.05)
    np.testing.assert_allclose(turned.T @ turned, np.eye(2), atol=1e-6)
