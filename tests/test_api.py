"""The routes that live views pull from, asked as a server would ask them."""

import gzip
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import anyio.from_thread
import numpy as np
import pytest
import torch

from dashboard import api, assets, feed, packing, routing, server, waiting
from infovae_core import archive, dispatch, runs, worker
from infovae_core.config import RunConfig
from infovae_core.runs import Run, Tail
from infovae_core.studies import BoundStudy
from tests import fakes
from tests.asking import get, unpack

ROOT = Path(__file__).parent.parent


def news(run, rows=0, events=0, **headers):
    return get(f"/api/runs/{run.id}/live?rows={rows}&events={events}", **headers)


def picture(run, step, query="plane=pca"):
    answer = get(f"/api/runs/{run.id}/snapshots/{step}?{query}")
    assert answer.status == 200, answer.body
    return unpack(answer.body)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    monkeypatch.setattr(feed, "FRESH", 0)
    return tmp_path


@pytest.fixture
def run(root):
    return fakes.start(root)


# What is new.


def test_news_says_what_the_run_is_and_how_far(run):
    fakes.progress(run, 40)
    run.rename("first try")
    heard = news(run).json
    assert (heard["id"], heard["label"], heard["state"]) == (run.id, "first try", "running")
    assert heard["status"]["step"] == 40
    assert heard["about"] == fakes.about()
    assert heard["snapshot"] is None


def test_who_waits_hears_of_the_run_that_is_trained_by_its_label_or_its_settings(
    run, root, monkeypatch
):
    seconds = count()  # looked at once in each
    monkeypatch.setattr(waiting, "second", lambda: next(seconds))
    fakes.progress(run, 40)
    first, second = (runs.create(root, RunConfig()) for _ in range(2))
    for each in (first, second):
        dispatch.enqueue(each)
    called = "InfoVAE α 0.8, λ 5 · Digits"
    assert news(first).json["waits"] == f"waits for {called}"
    assert news(second).json["waits"] == f"waits for {called} and 1 more"
    run.rename("first try")
    assert news(first).json["waits"] == "waits for first try"
    fakes.progress(run, 100, "finished")
    assert news(first).json["waits"] == "waits for a worker to start"
    assert news(run).json["waits"] is None


def test_pieces_asked_for_one_after_the_other_make_the_whole_log(run):
    rows, events, heard_rows, heard_events = 0, 0, [], []
    for step in range(1, 20):
        for i in range(step % 4):  # none, too
            run.log(fakes.row(10 * step + i))
        if step % 5 == 0:
            run.event("warning", step, text="x")
        heard = news(run, rows, events).json
        assert (heard["first"], heard["first_event"]) == (rows, events)
        heard_rows += heard["rows"]
        heard_events += heard["events"]
        rows, events = heard["next"], heard["next_event"]
    whole = news(run).json
    assert (heard_rows, heard_events) == (whole["rows"], whole["events"])
    assert [row["step"] for row in whole["rows"]] == [row["step"] for row in run.rows()]
    assert [e["event"] for e in whole["events"]] == ["started"] + 3 * ["warning"]


def test_a_row_travels_with_six_digits_and_a_hole_where_it_has_no_number(run):
    run.log(fakes.row(3) | {"values": {"total": 1 / 3, "rate": float("nan")}})
    (row,) = news(run).json["rows"]
    assert row["values"] == {"total": 0.333333, "rate": None}
    assert row["step"] == 3
    assert row["split"] == "train"


def test_half_a_line_waits_for_its_other_half(run):
    line = json.dumps(fakes.row(1))
    log = run.path / "metrics.jsonl"
    log.write_text(line[:20])
    assert news(run).json["next"] == 0
    with log.open("a") as file:
        file.write(line[20:] + "\n")
    assert [row["step"] for row in news(run).json["rows"]] == [1]


def test_a_viewer_of_a_longer_log_starts_again(run):
    run.log(fakes.row(1))
    heard = news(run, rows=7, events=9).json
    assert (heard["first"], len(heard["rows"]), heard["first_event"]) == (0, 1, 0)


def test_many_viewers_take_one_look_at_the_disk(run, monkeypatch):
    run.save_snapshot(1, fakes.snapshot())
    path = f"/api/runs/{run.id}/snapshots/1"
    monkeypatch.setattr(feed, "FRESH", 1000)
    first = news(run), get(path)
    with monkeypatch.context() as without:
        without.setattr(feed.runs, "find", None)  # whoever looked would fail
        assert (news(run), get(path)) == first
        assert news(run, if_none_match=first[0].headers["etag"]).status == 304
        assert news(run, "x").status == 400
    run.log(fakes.row(1))
    monkeypatch.setattr(feed, "FRESH", 0)
    assert news(run).json["next"] == 1
    run.path.rename(run.path.with_name("elsewhere"))
    assert (news(run).status, get(path).status) == (404, 404)


def test_what_is_at_hand_is_not_waited_for(run, monkeypatch):
    monkeypatch.setattr(feed, "FRESH", 1000)
    of_run = feed.feed_of(run.id)
    assert of_run.news_at_hand(0, 0) is None  # not looked at yet
    had = of_run.news(0, 0)
    assert of_run.news_at_hand(0, 0) == had
    assert of_run.news_at_hand(0, 1) is None  # not packed yet
    assert of_run.snapshot_at_hand(1, "pca", True) is None
    with of_run._lock:  # another reads
        assert of_run.news_at_hand(0, 0) is None


@pytest.mark.parametrize("root_path", ["", "/lab"])
def test_streamlit_is_given_what_is_not_under_api(root_path):
    given = []

    async def streamlit(scope, receive, send):
        given.append(scope["path"])

    async def ask(kind, path, method="GET"):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": kind, "path": root_path + path, "root_path": root_path, "headers": []}
        await routing.Api(streamlit)(scope | {"method": method, "query_string": b""}, None, send)
        return sent and sent[0]["status"]

    assert anyio.run(ask, "http", "/api/nothing") == 404
    assert anyio.run(ask, "http", "/api/nothing", "PUT") == 405
    for kind, path in (("http", "/runs"), ("http", "/apis"), ("websocket", "/api/film")):
        assert not anyio.run(ask, kind, path)
        assert given.pop() == root_path + path
    assert not given


CHANGES = {
    "a row": lambda run: run.log(fakes.row(2)),
    "an event": lambda run: run.event("warning", 2),
    "a snapshot": lambda run: run.save_snapshot(2, fakes.snapshot()),
    "progress": lambda run: fakes.progress(run, 2),
    "the state": lambda run: fakes.progress(run, 0, "paused"),
    "the label": lambda run: run.rename("other"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_travels_until_something_changes(run, change):
    tag = news(run).headers["etag"]
    again = news(run, 1, 1, if_none_match=tag)
    assert (again.status, again.bytes) == (304, b"")
    change(run)
    changed = news(run, 0, 0, if_none_match=tag)
    assert changed.status == 200
    assert changed.headers["etag"] != tag


def test_a_heartbeat_is_no_news(run):
    tag = news(run).headers["etag"]
    run.set_status()
    assert news(run, if_none_match=tag).status == 304


def test_a_client_that_cannot_unzip_gets_plain_json(run):
    plain = news(run, accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert json.loads(plain.bytes) == news(run).json


def test_a_log_is_parsed_once_for_all_viewers(run, monkeypatch):
    parsed, read = [], Tail.read

    def counting(self):
        new = read(self)
        parsed.extend(new)
        return new

    monkeypatch.setattr(Tail, "read", counting)
    for step in range(1, 51):
        run.log(fakes.row(step))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda viewer: news(run, viewer % 3).json["next"], range(30)))
    assert answers == [50] * 30
    assert sum("values" in record for record in parsed) == 50


# Snapshots.


@pytest.mark.parametrize(
    ("dimensions", "plane"),
    [(1, "pca"), (1, "0"), (2, "pca"), (2, "0,1"), (2, "1,0"), (20, "pca"), (20, "3,17")],
)
def test_points_are_off_by_half_a_level_at_most(root, dimensions, plane):
    run, arrays = fakes.start(root, dimensions), fakes.snapshot(dimensions)
    run.save_snapshot(5, arrays)
    header, parts = picture(run, 5, f"plane={plane}")
    mean = arrays["mean"].astype(np.float64)
    if dimensions > 2 and plane == "pca":
        expected, axes = mean @ arrays["plane"], "pca"
    else:
        axes = [int(axis) for axis in plane.split(",")] if plane != "pca" else [0, 1][:dimensions]
        expected = mean[:, axes]
    scale = np.array(header["scale"])
    drawn = np.array(header["low"]) + scale * parts["points"]
    assert header["axes"] == axes
    assert (np.abs(drawn - expected) <= scale / 2 + 1e-6).all()
    np.testing.assert_allclose(scale, np.ptp(expected, axis=0) / packing.POINT_LEVELS, rtol=1e-5)
    np.testing.assert_array_equal(parts["label"], arrays["label"])
    np.testing.assert_array_equal(parts["split"], arrays["split"])
    assert "sees" not in header


def test_the_prior_stays_the_prior_on_a_principal_plane():
    """The plane goes through the origin: the origin of the codes is drawn at the origin."""
    plane = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0]
    _, points = packing.project(np.vstack([np.zeros(5), 2 * plane[:, 0]]), plane, "pca")
    np.testing.assert_allclose(points, [[0, 0], [2, 0]], atol=1e-12)


@pytest.mark.parametrize("points", [[[np.nan, 1], [2, np.inf]], [[np.nan], [np.nan]], [[3], [3]]])
def test_what_is_no_number_is_marked_and_spoils_nothing_else(points):
    points = np.array(points, dtype=np.float32)
    levels, low, scale = packing.quantise(points)
    finite = np.isfinite(points)
    np.testing.assert_array_equal(levels == packing.NO_POINT, ~finite)
    drawn = np.array(low) + np.array(scale) * levels
    np.testing.assert_allclose(drawn[finite], points[finite], atol=1e-4)


def test_images_are_off_by_half_a_level_at_most(run):
    arrays = fakes.snapshot()
    run.save_snapshot(5, arrays)
    header, parts = picture(run, 5)
    for name in ("originals", "reconstructions", "samples"):
        drawn = parts[name].astype(int) * header["grey"]
        assert np.abs(drawn - arrays[name]).max() <= header["grey"] // 2
        assert parts[name].max() <= 15


def test_what_stays_the_same_travels_once(run):
    arrays = fakes.snapshot()
    run.save_snapshot(5, arrays)
    _, first = picture(run, 5)
    np.testing.assert_array_equal(first["index"], arrays["index"])
    np.testing.assert_array_equal(first["shown"], arrays["shown"])
    _, later = picture(run, 5, "originals=0")
    assert not {"originals", "index", "shown"} & later.keys()


def test_a_snapshot_that_does_not_say_which_images_it_shows_is_shown(run):
    arrays = fakes.snapshot()
    del arrays["shown"]
    run.save_snapshot(5, arrays)
    assert "shown" not in picture(run, 5)[1]


def test_a_density_is_one_and_of_the_codes(root):
    width, values = packing.density(np.array([-1.0, 2.0]), np.array([0.5, 1.0]))
    z = np.linspace(-width, width, len(values))
    expected = (normal(z, -1, 0.5) + normal(z, 2, 1)) / 2
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-8)
    run = fakes.start(root, dimensions=1)
    run.save_snapshot(5, fakes.snapshot(1))
    header, parts = picture(run, 5)
    between = 2 * header["width"] / (len(parts["density"]) - 1)
    np.testing.assert_allclose(parts["density"].sum() * between, 1, atol=1e-3)


def normal(z, mean, std):
    return np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def values_of(header, levels):
    """What the browser makes of levels."""
    values = header["sees"]["scale"] * (levels.astype(float) - packing.SIDE) / packing.SIDE
    return np.where(levels == packing.NO_VALUE, np.nan, values)


def sights(root, kind, dimensions, plane="pca"):
    """A snapshot's arrays with what a term sees, and header and parts as they travel."""
    run = fakes.start(root, dimensions)
    arrays = fakes.sight(kind, fakes.snapshot(dimensions))
    run.save_snapshot(5, arrays)
    return arrays, *picture(run, 5, f"plane={plane}")


@pytest.mark.parametrize(("dimensions", "plane"), [(1, "pca"), (2, "pca"), (2, "1,0")])
def test_a_map_travels_where_prior_or_codes_are(root, dimensions, plane):
    arrays, header, parts = sights(root, "field", dimensions, plane)
    said, field = header["sees"], arrays["field"]
    drawn = values_of(header, parts["field"])
    if plane == "1,0":
        drawn = drawn.T
    there = np.isfinite(drawn)
    axis = np.linspace(-5, 5, 33)
    places = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), -1)
    assert there[np.linalg.norm(places, axis=-1) <= 3].all()
    if dimensions == 2:
        assert not there[0, 0]
        assert not there[-1, -1]
    scale = said["scale"]
    assert np.abs(drawn - field.clip(-scale, scale))[there].max() <= scale / packing.SIDE / 2 + 1e-6
    assert scale == pytest.approx(np.quantile(np.abs(field[there]), 0.99), rel=1e-5)
    assert (said["term"], said["reach"]) == ("mmd", 5)


def test_a_map_goes_as_far_as_the_codes_do():
    mean = np.array([[4.6, -4.6], [0, 0]])
    there = packing.occupied(mean, 5, 33)
    assert there[-2:, :2].all()
    assert not there[-2:, -2:].any()
    assert packing.occupied(np.array([[np.nan, 0], [1e9, 0]]), 5, 33)[16, 16]


@pytest.mark.parametrize("plane", ["pca", "3,17"])
def test_of_many_dimensions_the_points_have_the_values(root, plane):
    arrays, header, parts = sights(root, "field", 20, plane)
    scale = header["sees"]["scale"]
    assert "reach" not in header["sees"]
    drawn = values_of(header, parts["field"])
    assert (
        np.abs(drawn - arrays["field"].clip(-scale, scale)).max() <= scale / packing.SIDE / 2 + 1e-6
    )


@pytest.mark.parametrize(
    ("dimensions", "plane"), [(1, "pca"), (2, "pca"), (2, "1,0"), (20, "pca"), (20, "3,17")]
)
def test_arrows_are_projected_as_the_points_are(root, dimensions, plane):
    arrays, header, parts = sights(root, "flow", dimensions, plane)
    _, expected = packing.project(arrays["flow"], arrays.get("plane"), plane)
    scale = header["sees"]["scale"]
    assert scale == pytest.approx(np.abs(expected).max())
    assert (
        np.abs(values_of(header, parts["flow"]) - expected).max() <= scale / packing.SIDE / 2 + 1e-6
    )
    np.testing.assert_array_equal(parts["pushed"], arrays["pushed"])


def test_histograms_of_scores_share_their_bins_and_lose_nothing(root):
    arrays, header, parts = sights(root, "scores", 2)
    said, shares = header["sees"], parts["shares"]
    bins = np.linspace(*said["ends"], shares.shape[1] + 1)
    middles = (bins[1:] + bins[:-1]) / 2
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    for name, share, mean in zip(("together", "apart"), shares, said["means"], strict=True):
        assert mean == pytest.approx(arrays[name].mean(), rel=1e-4)
        assert share @ middles == pytest.approx(mean, abs=middles[1] - middles[0])
        inside = np.histogram(arrays[name], bins)[0][1:-1] / len(arrays[name])
        np.testing.assert_allclose(share[1:-1], inside, atol=1e-6)
    assert said["bound"] == 1.5


@pytest.mark.parametrize("kind", fakes.SIGHTS)
def test_what_is_seen_is_marked_where_it_is_no_number(root, kind):
    run = fakes.start(root)
    arrays = fakes.sight(kind, fakes.snapshot())
    for name in {"field", "flow", "together", "apart", "bound"} & arrays.keys():
        arrays[name] = np.full_like(arrays[name], np.nan)
    run.save_snapshot(5, arrays)
    header, parts = picture(run, 5)
    if kind == "scores":
        assert (header["sees"]["bound"], parts["shares"].sum()) == (None, 0)
    else:
        assert (parts[kind] == packing.NO_VALUE).all()


@pytest.mark.parametrize("kind", fakes.SIGHTS)
@pytest.mark.parametrize("dimensions", [2, 20])
def test_what_is_seen_costs_8_kB_at_most(kind, dimensions):
    arrays = fakes.snapshot(dimensions, count=5000)
    sizes = [
        len(gzip.compress(packing.pack(5, seen, "pca", False), 6))
        for seen in (arrays, fakes.sight(kind, arrays))
    ]
    assert 0 < sizes[1] - sizes[0] < 8000


def test_five_thousand_codes_fit_into_25_kB(run):
    run.save_snapshot(5, fakes.snapshot(count=5000))
    answer = get(f"/api/runs/{run.id}/snapshots/5?originals=0")
    _, parts = unpack(answer.body)
    images = gzip.compress(parts["reconstructions"].tobytes() + parts["samples"].tobytes())
    assert len(answer.bytes) - len(images) < 25_000


def test_a_snapshot_is_kept_for_good_and_packed_once(run, monkeypatch):
    run.save_snapshot(5, fakes.snapshot())
    loaded, load = [], Run.snapshot

    def counting(self, step):
        loaded.append(step)
        return load(self, step)

    monkeypatch.setattr(Run, "snapshot", counting)
    url = f"/api/runs/{run.id}/snapshots/5?plane=0,1"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(get, [url] * 16))
    assert len({answer.bytes for answer in answers}) == 1
    assert loaded == [5]
    assert "immutable" in answers[0].headers["cache-control"]


@pytest.mark.parametrize(
    "plane", ["0,2", "0", "0,0", "0,1,0", "-1,0", "x", "", "0;1", "99999999999,0"]
)
def test_axes_that_a_run_does_not_have_are_refused(run, plane):
    run.save_snapshot(5, fakes.snapshot())
    answer = get(f"/api/runs/{run.id}/snapshots/5?plane={plane}")
    assert answer.status == 400
    assert "got" in answer.json["error"]


# Refusals.


@pytest.mark.parametrize("rows", ["-1", "x", "1.5", "", "9" * 30, "²"])
def test_a_number_that_is_none_is_refused(run, rows):
    assert news(run, rows=rows).status == 400


def test_a_step_without_snapshot_is_not_found(run):
    assert get(f"/api/runs/{run.id}/snapshots/7").status == 404


HOSTILE = [
    "nobody",
    "..",
    ".",
    ".worker",
    "%2e%2e",
    "..%2f..%2fetc",
    "../../etc",
    "%00",
    "a" * 5000,
    "%ff%fe",
    "..\\..",
    "C:",
]


@pytest.mark.parametrize("tail", ["live", "snapshots/1"])
@pytest.mark.parametrize("id", HOSTILE)
def test_nothing_outside_of_the_runs_is_read(run, id, tail):
    (run.root / ".worker").mkdir()
    (run.root / "config.json").write_text("{}")
    answer = get(f"/api/runs/{id}/{tail}")
    assert answer.status == 404
    assert answer.json["error"]
    assert str(run.root) not in answer.body.decode()


def test_nothing_can_be_written(run):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert get(f"/api/runs/{run.id}/live", method).status == 405


def test_a_deleted_run_is_not_found_any_more(run):
    assert news(run).status == 200
    fakes.progress(run, 3, "finished")
    run.delete()
    assert news(run).status == 404


# Studies.


def study_row(step):
    return {"step": step, "epoch": 0, "seconds": 0, "split": "mean", "values": {"kl": 1 / step}}


def test_a_study_is_heard_of_under_its_own_address_and_knows_that_it_is_looked_at(root):
    study = archive.obtain(root, BoundStudy())
    study.log(study_row(10))
    watched = study.path / "requests" / "watched"
    watched.unlink()
    answer = get(f"/api/studies/{study.id}/live?rows=0&events=0")
    assert [row["step"] for row in answer.json["rows"]] == [10]
    assert watched.exists()
    assert get(f"/api/runs/{study.id}/live").status == 404
    assert get("/api/studies/..%2f..%2fetc/live").status == 404


def test_a_study_removed_and_asked_for_again_begins_anew(root):
    for rows in (3, 2):
        study = archive.obtain(root, BoundStudy())
        for step in range(1, rows + 1):
            study.log(study_row(step))
        heard = get(f"/api/studies/{study.id}/live?rows=0&events=0").json
        assert [row["step"] for row in heard["rows"]] == list(range(1, rows + 1))
        study.delete()


def test_who_hears_of_the_end_has_all_rows(run, monkeypatch):
    read = Tail.read

    def last_row_and_end(tail):
        rows = read(tail)
        if tail.path.name == "metrics.jsonl" and not rows:
            run.log(fakes.row(1))
            fakes.progress(run, 1, "finished")
        return rows

    monkeypatch.setattr(Tail, "read", last_row_and_end)
    heard = [news(run).json for _ in range(2)]
    assert [(h["state"], len(h["rows"])) for h in heard] == [("running", 0), ("finished", 1)]


# The components' own files.


@pytest.mark.parametrize("component", assets.STATIC)
def test_a_components_files_are_kept_for_good_under_their_version(component):
    answer = get(f"/api/static/{assets.assets_version()}/{component}/main.js")
    assert answer.body == (assets.STATIC[component] / "main.js").read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    older = get(f"/api/static/older/{component}/main.js")
    assert older.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("component", assets.STATIC)
def test_an_entry_names_all_that_its_modules_import(component):
    text = get(api.module(component)).body.decode()
    assert text.endswith('export { mount } from "./main.js";\n')
    named = re.findall(r'"(.*)";$', text, re.M)
    folder = assets.STATIC[component]
    paths = {name: assets.served(folder / assets.ENTRY, name) for name in named}
    for path in paths.values():
        imported = re.findall(r'from "(\..*)";$', path.read_text(encoding="utf-8"), re.M)
        assert {assets.served(path, address) for address in imported} <= set(paths.values())
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    "name",
    [
        "live/__init__.py",
        "live/..%2f__init__.py",
        "live/none.js",
        "live/..",
        "none/main.js",
        "live",
    ],
)
def test_no_other_file_is_served_nor_its_name_kept(name):
    kept = assets.packed.cache_info().currsize
    assert get(f"/api/static/{assets.assets_version()}/{name}").status == 404
    assert assets.packed.cache_info().currsize == kept


@pytest.mark.parametrize("module", [p for p in assets.assets() if p.suffix == ".js"], ids=str)
def test_every_module_finds_what_it_imports(module):
    text = module.read_text(encoding="utf-8")
    for names, source in re.findall(r'^import \{([^}]*)\} from "(\..*)";$', text, re.M):
        *above, file = source.split("/")
        folder = module.parent if above == ["."] else assets.STATIC[above[1]]
        exported = (folder / file).read_text(encoding="utf-8")
        for name in names.replace(",", " ").split():
            assert re.search(
                rf"^export (async )?(class|function|const) {name}\b", exported, re.M
            ), name
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is unused"


def test_the_routes_load_neither_streamlit_nor_torch():
    code = "import sys, dashboard.api; print({'streamlit', 'torch', 'pandas'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == "set()"


# The server.


def test_the_server_answers_before_it_has_loaded_the_core():
    code = "import sys, app; print([name for name in sys.modules if name.startswith('infovae')])"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == "[]"


def test_the_first_page_finds_all_of_ours_loaded(tmp_path):
    code = """
import sys
from streamlit.testing.v1 import AppTest
from dashboard import access, warm

warm.load()
loaded = set(sys.modules)
page = AppTest.from_file("pages/train.py", default_timeout=60).run()
later = [n for n in set(sys.modules) - loaded if n.startswith(("dashboard", "infovae_core"))]
print(bool(page.button), later)
"""
    output = subprocess.run(
        [sys.executable, "-c", code.replace("pages/", f"{ROOT}/pages/")],
        cwd=ROOT,
        env=os.environ | {"INFOVAE_RUNS": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert output.stdout.strip() == "True []"


def test_the_server_asks_for_a_worker_until_it_ends_and_forgives_failure(monkeypatch):
    asked = []

    def ensure(root):
        asked.append(root)
        if len(asked) == 1:
            raise OSError("no space left on device")

    async def live_a_little():
        async with server.lifespan(None):
            while len(asked) < 3:
                await anyio.sleep(0.001)

    monkeypatch.setattr(worker, "ensure", ensure)
    monkeypatch.setattr(server, "EVERY", 0.001)
    monkeypatch.setattr(server, "FIRST", 0)
    with anyio.from_thread.start_blocking_portal() as portal:
        portal.call(live_a_little)


# Decoders.

STANDARD = torch.distributions.Normal(torch.tensor(0.0), torch.tensor(1.0))


def decoder_arrays(seed=0, d=2):
    """A decoder of two layers, as a run keeps it."""
    random = np.random.default_rng(seed)
    sizes = [(16, d), (64, 16)]
    layers, arrays = [], {}
    for i, shape in enumerate(sizes):
        arrays[f"w.{i}.weight"] = random.normal(size=shape).astype(np.float16)
        arrays[f"w.{i}.bias"] = random.normal(size=shape[0]).astype(np.float32)
        layers += [["linear", str(i)], ["relu"]]
    said = {"shape": [8, 8], "latent_dim": d, "link": "sigmoid", "layers": layers[:-1]}
    return {"about": np.array(json.dumps(said)), **arrays}


def test_a_decoder_travels_bit_for_bit_and_is_kept_by_browsers(run):
    arrays = decoder_arrays()
    run.save_decoder(5, arrays)
    answer = get(f"/api/runs/{run.id}/decoder/5")
    assert "immutable" in answer.headers["cache-control"]
    header, parts = unpack(answer.body)
    assert header["layers"] == [["linear", "0"], ["relu"], ["linear", "1"]]
    assert (header["step"], header["link"], header["shape"]) == (5, "sigmoid", [8, 8])
    for i in range(2):
        weight = parts[f"{i}.weight"].view(np.float16)
        assert np.array_equal(weight, arrays[f"w.{i}.weight"])
        assert np.array_equal(parts[f"{i}.bias"], arrays[f"w.{i}.bias"])
    assert get(f"/api/runs/{run.id}/decoder/6").status == 404


def test_an_atlas_travels_without_the_weights(run):
    said = {"shape": [3, 2, 2], "latent_dim": 5, "link": None, "layers": None, "reach": 3.0}
    atlas = np.arange(4 * 4 * 12, dtype=np.uint8).reshape(4, 4, 2, 2, 3)
    plane = np.eye(5, 2, dtype=np.float32)
    arrays = {"about": np.array(json.dumps(said)), "atlas": atlas, "plane": plane}
    run.save_decoder(5, arrays | {"w.0": np.zeros(9, np.float16)})
    header, parts = unpack(get(f"/api/runs/{run.id}/decoder/5").body)
    assert set(parts) == {"atlas", "plane"}
    assert np.array_equal(parts["atlas"], atlas)
    assert header["reach"] == 3.0


def test_the_steps_say_what_can_be_drawn_and_decoded_and_what_it_takes(run):
    heard = get(f"/api/runs/{run.id}/snapshots").json
    assert heard == {"steps": [], "decoders": [], "bytes": 0}
    for step in (3, 8):
        run.save_snapshot(step, fakes.snapshot())
    run.save_decoder(8, decoder_arrays())
    (run.path / "checkpoint" / "00000012.safetensors").touch()
    heard = get(f"/api/runs/{run.id}/snapshots").json
    assert (heard["steps"], heard["decoders"]) == ([3, 8], [8, 12])
    assert heard["bytes"] == sum(p.stat().st_size for p in run.path.rglob("*.npz"))


def test_codes_have_all_coordinates_and_the_rate_of_each(run):
    arrays = fakes.snapshot(dimensions=5)
    run.save_snapshot(5, arrays)
    header, parts = unpack(get(f"/api/runs/{run.id}/codes/5").body)
    held_out = {int(i): k for k, i in enumerate(arrays["index"]) if arrays["split"][k]}
    at = [held_out[int(i)] for i in arrays["shown"]]
    assert np.array_equal(parts["mean"], arrays["mean"][at])
    assert np.array_equal(parts["originals"], arrays["originals"])
    mean, std = arrays["mean"], arrays["std"]
    q, p = torch.distributions.Normal(*map(torch.tensor, (mean, std))), STANDARD
    kl = torch.distributions.kl_divergence(q, p).mean(0)
    np.testing.assert_allclose(header["kl"], kl, rtol=1e-4)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "1 to 1024 times 2"),
        (b"123", 400, "got 3 bytes"),
        (np.full((1, 2), np.nan, "<f4").tobytes(), 400, "finite"),
        (bytes(8 * 1025), 400, "ask for fewer"),
        (bytes(5_000_000), 413, "4,194,304 bytes at most; ask for fewer"),
    ],
)
def test_codes_that_cannot_be_decoded_are_refused(run, body, status, said):
    answer = get(f"/api/runs/{run.id}/decode/5", "POST", body)
    assert answer.status == status
    assert said in answer.json["error"]


def test_decoded_images_travel_as_they_are(run, monkeypatch):
    def images(run, step, z):
        return (step * np.abs(z).astype(np.uint8))[:, :, None]

    monkeypatch.setattr(api.SERVICE, "images", images)
    z = np.arange(6, dtype="<f4").reshape(3, 2)
    _, parts = unpack(get(f"/api/runs/{run.id}/decode/5", "POST", z.tobytes()).body)
    assert np.array_equal(parts["images"][:, :, 0], 5 * z)
