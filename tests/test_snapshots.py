import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from infovae_core import sights, snapshots, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.randomness import seed_of


def state(digits, d, **objective):
    settings = {"model": {"latent_dim": d, "widths": [16]}, "objective": objective}
    return training.init(RunConfig.model_validate(settings), digits)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_arrays_describe_the_model(digits, d):
    fresh = state(digits, d, name="VAE")
    vae, arrays = fresh.model, snapshots.take(fresh, digits)
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
    assert "sees" not in arrays


def test_shown_images_take_one_of_each_class_in_turn(digits):
    shown = digits.test.y[snapshots.one_of_each_class(digits.test)]
    assert shown.tolist() == list(range(10)) * 4


def test_samples_come_from_the_same_draws_and_leave_the_process_stream_alone(digits):
    fresh = state(digits, 2, name="VAE")
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    first = snapshots.take(fresh, digits)
    assert torch.equal(torch.randn(3), expected)
    assert np.array_equal(first["samples"], snapshots.take(fresh, digits)["samples"])


SEEING = {
    "mmd": {"name": "InfoVAE", "kernel": "rbf_wide"},
    "stein": {"name": "InfoVAE", "divergence": "stein"},
    "jensen": {"name": "InfoVAE", "divergence": "jensen", "critic_widths": [8]},
    "marginal_kl": {"name": "InfoVAE", "divergence": "kl", "critic_widths": [8]},
    "mutual_information": {"name": "InfoMaxVAE", "bound": "dv", "critic_widths": [8]},
}


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize(("name", "objective"), SEEING.items(), ids=SEEING)
def test_what_a_term_sees_is_that_of_draws_beside_the_prior(digits, name, objective, d):
    fresh = state(digits, d, **objective)
    arrays = snapshots.take(fresh, digits)
    assert arrays["sees"] == name
    with torch.no_grad():
        x = digits.train.x[: snapshots.SEEN]
        q = fresh.model.posterior(x)
        noise = sights.even_noise(len(x), d, seed_of(0, "overlay")).float()
        sample = sights.Sample(x, q.mean + q.stddev * noise, noise)
        [term] = [term for _, term in fresh.objective.terms() if term.name == name]
        sight = term.sees(sample, fresh.critics.get(name))
        expected = sight.arrays(torch.from_numpy(arrays["mean"]))
    assert expected
    for key, values in expected.items():
        np.testing.assert_allclose(arrays[key], values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("d", [2, 5])
def test_nothing_is_seen_where_every_code_is_drawn_from_the_prior(digits, d):
    collapsed = state(digits, d, name="InfoVAE")
    with torch.no_grad():
        for weights in list(collapsed.model.encoder.parameters())[-2:]:
            weights.zero_()
    assert not snapshots.take(collapsed, digits)["field"].any()


def test_a_run_that_is_looked_at_trains_as_one_that_is_not(digits):
    few = Dataset("few", Split(digits.train.x[:256], digits.train.y[:256]), digits.test, ())
    settings = {"training": {"epochs": 2}, "objective": SEEING["mutual_information"]}
    config = RunConfig.model_validate(settings)
    ends = []
    for looked_at in (False, True):
        for report in training.train(config, few):
            if looked_at:
                snapshots.take(report.state, few)
        ends.append(report.state)
    alone, watched = ends
    assert torch.equal(alone.generator.get_state(), watched.generator.get_state())
    for one, other in (
        (alone.model, watched.model),
        (alone.critics["mutual_information"], watched.critics["mutual_information"]),
    ):
        for name, values in one.state_dict().items():
            assert torch.equal(values, other.state_dict()[name]), name


def test_codes_of_images_that_are_drawn_anew_each_time_are_of_one_drawing(digits):
    grey = Dataset("grey", digits.train, digits.test, digits.classes, dynamic=True)
    fresh = state(digits, 2, name="VAE")
    first, again = (snapshots.take(fresh, grey) for _ in range(2))
    trained_on = first["split"] == 0
    assert np.array_equal(first["mean"], again["mean"])
    with torch.no_grad():
        of_grey = fresh.model.posterior(digits.train.x).mean
    assert not np.allclose(first["mean"][trained_on], of_grey, atol=1e-2)


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
