"""The page Latent space: the posteriors that it asks for, pictures, and the run it chooses."""

import json

import numpy as np
import pytest
import torch

from dashboard import feed, posteriors
from dashboard.limits import Cache
from infovae_core import aggregate, runs, snapshots, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset, Split
from infovae_core.pulse import Pulse
from infovae_core.recorder import Recorder
from infovae_core.runs import Run
from tests import fakes
from tests.asking import get, unpack
from tests.test_pages import ROOT, drawn, opened, texts

LATENT = ROOT / "pages/latent.py"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    return tmp_path


def kept(root, d=2, **changes) -> tuple[Run, dict]:
    """A run with one snapshot."""
    run, arrays = fakes.start(root, d), fakes.snapshot(d) | changes
    run.save_snapshot(10, arrays)
    return run, arrays


def asked(run, query=""):
    answer = get(f"/api/runs/{run.id}/posteriors/10?{query}")
    assert answer.status == 200, answer.body
    return unpack(answer.body)


def of_split(arrays, split):
    return [arrays[name][arrays["split"] == split] for name in ("mean", "std", "label")]


# What travels.


@pytest.mark.parametrize(("split", "number"), [("train", 0), ("test", 1)])
@pytest.mark.parametrize(("d", "plane"), [(1, "0"), (2, "0,1"), (5, "pca"), (5, "4,1")])
def test_posteriors_arrive_as_they_are_but_for_rounding(root, d, plane, split, number):
    run, arrays = kept(root, d)
    mean, std, label = of_split(arrays, number)
    header, got = asked(run, f"plane={plane}&split={split}")
    low, scale = (np.array(part) for part in header["mean"])
    np.testing.assert_allclose(low + scale * got["mean"], mean, atol=scale.max())
    bottom, ratio = header["std"]
    np.testing.assert_allclose(bottom * ratio ** got["std"].astype(float), std, rtol=0.01)
    assert got["label"].tolist() == label.tolist()
    assert got["index"].tolist() == arrays["index"][arrays["split"] == number].tolist()
    basis = arrays["plane"] if plane == "pca" else np.eye(d)[:, list(map(int, plane.split(",")))]
    np.testing.assert_allclose(got["basis"], basis, atol=1e-6)
    points = np.array(header["low"]) + np.array(header["scale"]) * got["points"]
    np.testing.assert_allclose(points, mean @ basis, atol=1e-3)
    np.testing.assert_allclose(got["spread"][:, 0], std**2 @ basis[:, 0] ** 2, rtol=1e-4)


@pytest.mark.parametrize(("d", "plane"), [(1, "0"), (2, "0,1"), (5, "pca")])
def test_densities_have_a_mass_of_one_and_units_come_by_their_rate(root, d, plane):
    run, arrays = kept(root, d)
    mean, std, _ = of_split(arrays, 1)
    header, got = asked(run, f"plane={plane}")
    cells = got["density"].shape[0]
    mass = got["density"].sum() * (2 * header["reach"] / cells) ** min(d, 2)
    assert mass == pytest.approx(1, abs=0.01)
    wide = 2 * np.array(header["width"]) / got["marginals"].shape[1]
    np.testing.assert_allclose(got["marginals"].sum(1) * wide, 1, atol=0.01)
    assert got["rings"].sum() * header["farthest"] / len(got["rings"]) == pytest.approx(1, abs=0.01)
    assert got["chi"].sum() * header["farthest"] / len(got["chi"]) == pytest.approx(1, abs=0.01)
    rates = aggregate.rates(mean, std)
    assert header["order"] == np.argsort(-rates).tolist()
    assert header["rate"] == pytest.approx(rates.sum(), rel=1e-4)
    covariance = aggregate.covariance(mean, std)
    assert header["log_det"] == pytest.approx(np.linalg.slogdet(covariance)[1], abs=1e-4)
    order = header["order"]
    np.testing.assert_allclose(got["covariance"], covariance[np.ix_(order, order)], atol=1e-5)


def test_draws_keep_their_noise_from_step_to_step(root):
    run, arrays = kept(root)
    moved = arrays | {"mean": arrays["mean"] + 1}
    run.save_snapshot(20, moved)
    draws = []
    for step in (10, 20):
        header, got = unpack(get(f"/api/runs/{run.id}/posteriors/{step}").body)
        draws.append(np.array(header["low"]) + np.array(header["scale"]) * got["draws"])
    np.testing.assert_allclose(draws[1], draws[0] + 1, atol=1e-3)


ONE_FOR_EACH = ("mean", "std", "points", "draws", "spread", "label", "index", "norm")


@pytest.mark.parametrize("plane", ["pca", "4,1"])
def test_of_many_units_fewer_codes_travel_but_every_number_is_of_all(root, monkeypatch, plane):
    run, arrays = kept(root, 5)
    header, got = asked(run, f"plane={plane}")
    monkeypatch.setattr(posteriors, "NUMBERS", 100)
    monkeypatch.setattr(feed, "PACKED", Cache(0))
    fewer, few = asked(run, f"plane={plane}")
    assert (len(got["mean"]), len(few["mean"]), fewer["count"]) == (60, 20, 60)
    for name in header.keys() - {"mean", "std", "low", "scale", "arrays"}:  # levels of those sent
        assert fewer[name] == header[name], name
    for name in got.keys() - set(ONE_FOR_EACH):
        assert np.array_equal(few[name], got[name]), name
    assert set(few["index"]) <= set(got["index"])
    mean, std, _ = of_split(arrays, 1)
    edges = np.array(header["width"])[:, None] * np.linspace(-1, 1, posteriors.BARS + 1)
    below = aggregate.cdf(mean, std, edges)
    np.testing.assert_allclose(few["marginals"], aggregate.per_cell(below, edges), rtol=1e-4)
    np.testing.assert_allclose(fewer["gap"], aggregate.marginal_kl(below, edges), rtol=1e-4)


@pytest.mark.parametrize("d", [2, 41, 60])
def test_a_units_density_diverges_less_than_its_posteriors_do(root, d):
    """KL(q(z_j) ‖ p) ≤ R_j, for KL is convex; seen on screen where both are of the same codes."""
    random = np.random.default_rng(d)
    count = 6000
    arrays = fakes.snapshot(d, count=count)
    spread = np.linspace(0, 2, d)  # from units that say nothing to units that say much
    arrays["mean"] = (spread * random.standard_t(2, (count, d))).astype(np.float32)
    arrays["std"] = np.full((count, d), 0.3, np.float32)
    header, _ = posteriors.measure(arrays, "train")
    for kl, gap in zip(header["kl"], header["gap"], strict=True):
        assert gap <= kl * (1 + 1e-5)


@pytest.mark.parametrize(
    ("query", "changes", "said"),
    [
        ("split=all", {}, "split must be one of train, test, got 'all'"),
        ("plane=0,7", {}, "plane must be pca or 2 different axes below 2"),
        ("", {"std": None}, "older version without std"),
        ("", {"mean": np.full((300, 2), np.nan, np.float32)}, "finite test codes, got none"),
    ],
)
def test_what_cannot_be_shown_is_said(root, query, changes, said):
    run, arrays = fakes.start(root), fakes.snapshot() | changes
    run.save_snapshot(10, {k: v for k, v in arrays.items() if v is not None})
    answer = get(f"/api/runs/{run.id}/posteriors/10?{query}")
    assert answer.status == 400
    assert said in answer.json["error"]


# Pictures.


def test_pictures_are_those_of_the_codes_and_written_once(root, digits):
    run = runs.create(root, RunConfig(model={"widths": [8]}))
    config = RunConfig.model_validate(run.config)
    state = training.init(config, digits)
    writer = Recorder(run, config, digits, Pulse(run))
    writer._snapshot(state)
    written, arrays = run.pictures, run.snapshot(state.step)
    for name in ("split", "index"):
        assert written[name].tolist() == arrays[name].tolist()
    both = [snapshots.pixels(part.x) for part in (digits.train, digits.test)]
    assert np.array_equal(written["pictures"], np.concatenate(both))
    stamp = (run.path / "pictures.npz").stat().st_mtime_ns
    writer._snapshot(state)
    assert (run.path / "pictures.npz").stat().st_mtime_ns == stamp
    header, got = unpack(get(f"/api/runs/{run.id}/pictures").body)
    assert header["whole"]
    levels = got["pictures"].astype(int) * header["grey"]
    np.testing.assert_allclose(levels, written["pictures"], atol=header["grey"] / 2 + 0.5)


def test_large_pictures_shrink_and_many_are_left_out(monkeypatch):
    x = torch.rand(20, 3, 64, 48)
    split = Split(x, torch.zeros(20, dtype=torch.long))
    small = snapshots.shrunk(x)
    assert small.shape == (20, 3, 32, 24)
    means = x.unflatten(3, (24, 2)).unflatten(2, (32, 2)).mean((3, 5))
    np.testing.assert_allclose(small, means, rtol=1e-6)
    monkeypatch.setattr(snapshots, "PICTURES", 2 * 7 * 3 * 32 * 24)
    arrays = snapshots.pictures(Dataset("noise", split, split, ("0",)))
    assert arrays["pictures"].shape == (14, 32, 24, 3)
    assert arrays["index"].tolist() == 2 * list(range(7))


def test_a_run_without_pictures_has_those_of_its_snapshots(root):
    run, arrays = kept(root)
    header, got = unpack(get(f"/api/runs/{run.id}/pictures").body)
    assert not header["whole"]
    assert got["index"].tolist() == arrays["shown"].tolist()
    assert set(got["split"]) == {1}
    empty = unpack(get(f"/api/runs/{fakes.start(root).id}/pictures").body)
    assert len(empty[1]["pictures"]) == 0


# The page.


def view(page):
    """What the page gives to its component."""
    [component] = page.get("bidi_component")
    return json.loads(component.proto.json)


def test_without_runs_it_says_what_to_do(root):
    page = opened(LATENT)
    assert not page.get("bidi_component")
    assert "No runs yet" in page.info[0].value


def test_it_shows_the_run_that_the_address_names_and_puts_another_there(root):
    first, second = (kept(root)[0] for _ in range(2))
    page = opened(LATENT, run=first.id, plane="1,0")
    assert view(page)["run"] == first.id
    page.selectbox[0].set_value(second.id)
    drawn(page.run())
    assert view(page)["run"] == second.id
    assert page.query_params["run"] == second.id
    page.query_params["run"] = first.id  # as when one goes back
    drawn(page.run())
    assert view(page)["run"] == first.id


def test_a_run_that_is_not_there_is_said(root):
    run, _ = kept(root)
    page = opened(LATENT, run="gone")
    assert "no run “gone”" in texts(page)
    assert view(page)["run"] == run.id


def test_what_was_measured_stands_beside_the_picture_with_its_help(root):
    run, _ = kept(root)
    run.save_evaluation({"mmd2_rbf": {"value": 0.5, "step": 10}, "elbo": {"value": -90.0}})
    given = view(opened(LATENT, run=run.id))
    assert json.loads(given["measured"])["mmd2_rbf"]["value"] == 0.5
    facts = json.loads(given["facts"])
    assert [fact["symbol"] for fact in facts][:3] == ["I(x; z)", "KL(q(z) ‖ p(z))", "R"]
    assert all(fact["help"] and fact["unit"] and fact["title"] for fact in facts)
