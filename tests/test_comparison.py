"""Runs side by side: names and looks, what they logged and what was measured, as arrays."""

import numpy as np
import pytest

from dashboard import comparison, palette, scores, state
from dashboard.limits import Cache
from dashboard.state import listing
from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.metrics import METRICS
from infovae_core.objectives import VAE, BetaVAE, InfoMaxVAE, InfoVAE
from tests import fakes


@pytest.fixture
def make(tmp_path):
    """A run with rows whose values say which step they are of, times `scale`."""

    def make(objective, scale=1.0, steps=50, **config):
        run = runs.create(tmp_path, RunConfig(objective=objective, **config))
        run.event("started", 0, about=fakes.about())
        names = ["total", "distortion", "rate"] + ["mmd"] * isinstance(objective, InfoVAE)
        for step in range(1, steps + 1):
            for split in ("train", "test") if step % 10 == 0 else ("train",):
                row = fakes.row(step, split)
                run.log(row | {"values": {name: scale * row["values"][name] for name in names}})
        fakes.progress(run, steps, "finished")
        return run

    return make


def measured(value, **more):
    return {"value": value, "step": 50} | more


def test_runs_are_told_apart_by_name_and_by_marker(make):
    made = [make(VAE()), make(BetaVAE(beta=2), label="two"), make(VAE()), make(VAE(), label="two")]
    compared = comparison.entries(made)
    assert len({entry.name for entry in compared}) == 4
    assert compared[0].name.startswith("VAE · ")
    assert len({entry.look.marker for entry in compared}) == 4
    assert compared[1].look.colour == palette.OBJECTIVES["BetaVAE"]
    assert compared[0].look.colour == palette.OBJECTIVES["VAE"]
    shades = [compared[i].look.colour for i in (0, 2, 3)]
    assert len(set(shades)) == 3
    alone = comparison.entries([made[1]])
    assert alone[0].name == "two"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a · VAE", "a · β-VAE"], ["VAE", "β-VAE"]),
        (["a · b · x", "a · b · y"], ["x", "y"]),
        (["a · x · 0", "a · y · 0"], ["x · 0", "y · 0"]),
        (["a · x", "a"], ["a · x", "a"]),
        (["a · x"], ["a · x"]),
    ],
)
def test_what_all_labels_begin_with_is_left_out(make, labels, names):
    compared = comparison.entries([make(VAE(), label=label, steps=0) for label in labels])
    assert [entry.name for entry in compared] == names


def test_a_list_of_choices_never_names_two_runs_alike(make):
    made = [make(VAE()), make(VAE()), make(VAE(), label="one")]
    listed = comparison.choices([state.summary(run) for run in made])
    assert list(listed) == [run.id for run in made]
    assert len(set(listed.values())) == 3
    assert listed[made[2].id] == "one · VAE · Digits, d = 2"
    said = comparison.choices([state.summary(make(VAE(), label="lecture · VAE"))])
    assert list(said.values()) == ["lecture · VAE · Digits, d = 2"]


def test_quantities_are_those_of_all_runs_with_label_and_unit(make):
    known = comparison.quantities(comparison.entries([make(VAE()), make(InfoVAE())]))
    assert list(known) == ["total", "distortion", "rate", "mmd"]
    assert known["mmd"] == ("MMD²(q(z), p(z))", "squared kernel distance")
    assert known["rate"] == ("rate R", fakes.NATS)


def test_images_and_points_on_one_axis_are_both_named(make):
    points = make(VAE())
    about = fakes.about()
    about["quantities"]["rate"]["unit"] = "nats per point"
    points.event("started", 0, about=about)
    known = comparison.quantities(comparison.entries([make(VAE()), points]))
    assert known["rate"] == ("rate R", "nats per image or nats per point")
    assert known["distortion"] == ("distortion D", fakes.NATS)


@pytest.mark.parametrize(("clock", "factor"), [("step", 1), ("epoch", 1 / 10), ("seconds", 1 / 7)])
def test_curves_are_what_was_logged(make, clock, factor):
    compared = comparison.entries([make(VAE(), 2.0), make(InfoVAE(), 3.0)])
    drawn = comparison.curves(compared, "distortion", clock)
    assert [(c.name, c.split) for c in drawn] == [
        (entry.name, split) for entry in compared for split in ("train", "test")
    ]
    for curve, scale in zip(drawn, (2, 2, 3, 3), strict=True):
        steps = np.arange(1, 51) if curve.split == "train" else np.arange(10, 51, 10)
        np.testing.assert_allclose(curve.x, steps * factor)
        np.testing.assert_allclose(curve.y, scale * 2 / steps)
    assert [c.name for c in comparison.curves(compared, "mmd", splits=["test"])] == [
        compared[1].name
    ]


def test_a_value_that_is_not_finite_leaves_a_gap(make):
    run = make(VAE(), steps=1)
    run.log(fakes.row(2) | {"values": {"total": float("inf")}})
    [curve] = comparison.curves(comparison.entries([run]), "total")
    np.testing.assert_array_equal(curve.y, [1, np.nan])


def test_rows_are_read_once_and_again_when_there_are_more(make):
    run = make(VAE(), steps=3)
    assert state.rows(run) is state.rows(run)
    run.log(fakes.row(4))
    with (run.path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 5}\n{"st')
    assert [row["step"] for row in state.rows(run)] == [1, 2, 3, 4]


def test_rows_are_kept_within_a_room_and_once_for_each_run(make, monkeypatch):
    kept = Cache(1, size=lambda logged: logged.size)
    monkeypatch.setattr(listing, "_ROWS", kept)
    first, second = make(VAE(), steps=3), make(VAE(), steps=5)
    for run in (first, second, first):
        state.rows(run)
        assert kept.taken == listing.HELD * (run.path / "metrics.jsonl").stat().st_size
    first.log(fakes.row(4))
    state.rows(first)
    assert kept.taken == listing.HELD * (first.path / "metrics.jsonl").stat().st_size


def test_a_path_takes_the_test_rows_that_hold_both(make):
    run = make(VAE(), 5.0)
    run.log(fakes.row(60, "test") | {"values": {"rate": 1.0}})
    [path] = comparison.paths(comparison.entries([run]), "rate", "distortion")
    steps = np.arange(10, 51, 10)
    np.testing.assert_allclose(path.x, 15 / steps)
    np.testing.assert_allclose(path.y, 10 / steps)
    np.testing.assert_allclose(path.epoch, steps / 10)


def codes_row(step, **values):
    return fakes.row(step, "codes") | {"values": values}


def test_what_codes_carry_is_a_quantity_of_its_own(make):
    run = make(InfoMaxVAE(), steps=20)
    run.log(fakes.row(20, "test") | {"values": {"mutual_information": 1.0}})  # the objective's term
    run.log(codes_row(20, mutual_information=2.0, rate=3.0, unheard_of=4.0))
    compared = comparison.entries([run])
    known = comparison.quantities(compared)
    assert known["codes:mutual_information"] == ("Mutual information", fakes.NATS)
    assert not {"codes:rate", "codes:unheard_of"} & known.keys()
    [own] = comparison.curves(compared, "mutual_information")
    [codes] = comparison.curves(compared, "codes:mutual_information")
    assert (own.split, own.y.tolist()) == ("test", [1.0])
    assert (codes.split, codes.y.tolist()) == ("codes", [2.0])
    assert comparison.last(compared[0]) == {
        "mutual_information": 1.0,
        "codes:mutual_information": 2.0,
        "codes:rate": 3.0,
        "codes:unheard_of": 4.0,
    }


def test_the_rate_is_information_and_marginal_kl_as_logged_and_then_as_measured(make):
    run = make(VAE(), steps=50)
    run.log(codes_row(10, mutual_information=1.0, marginal_kl=0.5))
    run.log(codes_row(50, mutual_information=2.0, marginal_kl=0.25))
    [path] = comparison.surgery(comparison.entries([run]))
    assert (path.x.tolist(), path.y.tolist(), path.errors) == ([0.5, 0.25], [1.0, 2.0], None)
    for name, value, error in (("mutual_information", 2.5, 0.1), ("marginal_kl", 0.75, 0.2)):
        run.save_evaluation({name: measured(value, error=error)})
    [path] = comparison.surgery(comparison.entries([run]))
    assert (path.x.tolist(), path.y.tolist()) == ([0.5, 0.25, 0.75], [1.0, 2.0, 2.5])
    assert path.epoch.tolist() == [1, 5, 5]
    assert path.errors == (0.2, 0.1)
    assert comparison.ends([path]) == "VAE at 0.75, 2.5"
    fakes.progress(run, 60, "finished")  # it was trained on since
    [path] = comparison.surgery(comparison.entries([run]))
    assert path.x.tolist() == [0.5, 0.25]


def test_a_run_without_rows_of_codes_is_where_it_was_measured(make):
    run, other = make(VAE()), make(VAE())
    for name, value in (("mutual_information", 2.5), ("marginal_kl", 0.75)):
        run.save_evaluation({name: measured(value, step=10)})
    [path] = comparison.surgery(comparison.entries([run, other]))
    assert (path.x.tolist(), path.y.tolist(), path.errors) == ([0.75], [2.5], (0.0, 0.0))


def test_the_table_holds_what_was_measured_and_what_was_logged_last(make):
    first, second = make(VAE(), 2.0), make(InfoVAE(), 3.0)
    first.save_evaluation(
        {
            "distortion": measured(20.0, error=0.5),
            "mutual_information": measured(1.0, low=0.5, high=1.5, cap=9.0, step=10),
        }
    )
    table = scores.table(comparison.entries([first, second]))
    names = [column.name for column in table.columns]
    assert names[:2] == ["distortion", "mutual_information"]
    assert set(names[2:]) == {f"logged_{name}" for name in fakes.QUANTITIES}
    columns = {column.name: column for column in table.columns}
    assert columns["distortion"].better == METRICS["distortion"].better
    assert columns["distortion"].unit == METRICS["distortion"].unit
    assert str(table.rows[0].cell(columns["distortion"])) == "20.00 ± 0.50"
    assert str(table.rows[0].cell(columns["mutual_information"])) == "1.00 [0.500, 1.50]*"
    assert not table.rows[1].cell(columns["distortion"]).known
    assert table.rows[1].cell(columns["logged_rate"]).value == pytest.approx(9 / 50)
    assert table.best(columns["logged_distortion"]) == {0}
    assert table.best(columns["logged_total"]) == set()  # objectives' totals do not compare
    second.save_evaluation({"distortion": measured(10.0)})
    table = scores.table(comparison.entries([first, second]))
    assert "logged_distortion" not in [column.name for column in table.columns]
    assert "logged_rate" in [column.name for column in table.columns]
    second.log(codes_row(50, mutual_information=2.0, marginal_kl=-0.5))
    columns = {c.name: c for c in scores.table(comparison.entries([first, second])).columns}
    assert "logged_codes:mutual_information" in columns  # of the second it was not measured
    assert columns["logged_codes:marginal_kl"].better == "zero"
    second.save_evaluation({"mutual_information": measured(2.0)})
    columns = [c.name for c in scores.table(comparison.entries([first, second])).columns]
    assert "logged_codes:mutual_information" not in columns


def test_what_does_not_compare_is_not_judged(make):
    likelihood = {"likelihood": "gaussian"}
    runs_ = [make(VAE()), make(VAE(), model=likelihood), make(VAE(), model={"latent_dim": 5})]
    for run in runs_:
        found = {name: measured(1.0) for name in ("elbo", "mmd2_imq", "probe_knn")}
        run.save_evaluation(found)
        run.log(codes_row(50, ksd2=0.5))
    a, b, c = comparison.entries(runs_)

    def better(*compared):
        return {column.name: column.better for column in scores.table(compared).columns}

    judged = better(a, a)
    assert judged["elbo"] == judged["probe_knn"] == "higher"
    assert judged["mmd2_imq"] == judged["logged_codes:ksd2"] == "zero"
    assert judged["logged_distortion"] == "lower"
    judged = better(a, b)
    assert judged["elbo"] is judged["logged_distortion"] is None
    assert judged["mmd2_imq"] == "zero"
    judged = better(a, c)
    assert judged["elbo"] == judged["probe_knn"] == "higher"
    assert judged["mmd2_imq"] is judged["logged_codes:ksd2"] is None
    [d] = comparison.entries([make(VAE(), data={"name": "mnist"})])
    assert set(better(a, d).values()) == {None}
    shown = scores.table([a, c])
    assert scores.kernels_differ([a, c], shown)
    assert not scores.kernels_differ([a, c], shown.without(["mmd2_imq", "logged_codes:ksd2"]))
    assert not scores.kernels_differ([a, b], scores.table([a, b]))


def test_logged_information_is_known_to_be_capped_by_the_number_of_codes(make):
    run = make(VAE())
    run.event("started", 0, about=fakes.about() | {"codes": 100})
    run.log(codes_row(50, mutual_information=4.6, marginal_kl=0.5))
    table = scores.table(comparison.entries([run]))
    columns = {column.name: column for column in table.columns}
    [row] = table.rows
    assert row.cell(columns["logged_codes:mutual_information"]).cap == pytest.approx(np.log(100))
    assert str(row.cell(columns["logged_codes:mutual_information"])).endswith("⊤")
    assert row.cell(columns["logged_codes:marginal_kl"]).cap is None


def test_facts_that_all_runs_share_are_said_once(make):
    pair = comparison.entries([make(VAE(), training={"seed": 1}), make(BetaVAE())])
    shared, table = scores.common(pair), scores.table(pair)
    assert shared["Data"] == "Digits"
    assert table.shared == shared
    assert [row.id for row in table.rows] == [entry.run.id for entry in pair]
    assert table.facts == ["Objective", "Seed"]
    assert [row.facts["Seed"] for row in table.rows] == ["1", "0"]
    assert scores.common(pair[:1]) == {}
    assert scores.table(pair[:1]).rows[0].facts["Data"] == "Digits"


def test_runs_whose_distortions_mean_different_things_are_said(make):
    likelihood = {"model": {"likelihood": "gaussian"}}
    made = [make(VAE()), make(VAE(), **likelihood), make(VAE(), data={"name": "mnist"})]
    a, b, c = comparison.entries(made)
    assert scores.disagreements([a, a]) == []
    assert scores.disagreements([a, b]) == ["likelihood"]
    assert scores.disagreements([a, b, c]) == ["data set", "likelihood"]


def test_a_broken_run_is_compared_as_far_as_it_goes(make):
    run = make(VAE(), label="broken")
    (run.path / "config.json").write_text("{")
    compared = comparison.entries([run, make(VAE())])
    assert scores.table(compared).rows[0].name == run.id
    assert scores.disagreements(compared)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_clouds_are_the_newest_codes_on_the_plane_that_is_drawn(make, dimensions):
    run, arrays = make(VAE()), fakes.snapshot(dimensions)
    assert comparison.clouds(comparison.entries([run])) == []
    run.save_snapshot(1, fakes.snapshot(dimensions, seed=1))
    run.save_snapshot(2, arrays)
    [cloud] = comparison.clouds(comparison.entries([run]))
    expected = arrays["mean"] @ arrays["plane"] if dimensions > 2 else arrays["mean"]
    np.testing.assert_allclose(cloud.x, expected[:, 0])
    np.testing.assert_allclose(cloud.y, expected[:, 1] if dimensions > 1 else arrays["label"])
    assert cloud.axes[0] == ("PC 1" if dimensions > 2 else "z₁")
