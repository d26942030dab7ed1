"""The routes that live views pull from, asked as a server would ask them."""

import gzip
import json
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

import anyio.from_thread
import numpy as np
import pytest
from starlette.applications import Starlette

from dashboard import api, packing, server
from infovae_core.runs import Run, Tail
from tests import fakes

APP = Starlette(routes=api.routes)
TYPES = {"u1": np.uint8, "u2": np.uint16, "i2": np.int16, "i4": np.int32, "f4": np.float32}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    bytes: bytes  # as they travelled

    @property
    def body(self):
        zipped = self.headers.get("content-encoding") == "gzip"
        return gzip.decompress(self.bytes) if zipped else self.bytes

    @property
    def json(self):
        return json.loads(self.body)


def get(url, method="GET", **headers):
    """Send a path to the routes exactly as written, which a client library would tidy up."""
    headers = {"accept-encoding": "gzip"} | {k.replace("_", "-"): v for k, v in headers.items()}
    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(partial(ask, url, method, headers))


async def ask(url, method, headers):
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    await APP(scope, receive, send)
    start, *parts = sent
    received = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], received, b"".join(part.get("body", b"") for part in parts))


def news(run, rows=0, events=0, **headers):
    return get(f"/api/runs/{run.id}/live?rows={rows}&events={events}", **headers)


def picture(run, step, query="plane=pca"):
    answer = get(f"/api/runs/{run.id}/snapshots/{step}?{query}")
    assert answer.status == 200, answer.body
    return unpack(answer.body)


def unpack(data):
    """Header and arrays, read as the browser reads them."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    arrays = {}
    for name, (kind, shape, offset) in header["arrays"].items():
        start = 4 + length + offset
        assert start % 4 == 0, "a typed array must lie at a multiple of its item's size"
        arrays[name] = np.frombuffer(data, TYPES[kind], int(np.prod(shape)), start).reshape(shape)
    return header, arrays


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    monkeypatch.setattr(api, "FRESH", 0)
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


# The view's own files.


def test_the_views_files_are_kept_for_good_under_their_version():
    url = f"/api/live/{api.assets_version()}/main.js"
    answer = get(url)
    assert answer.body == (api.STATIC / "main.js").read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert get("/api/live/older/main.js").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["__init__.py", "..%2f__init__.py", "none.js", ".."])
def test_no_other_file_is_served(name):
    assert get(f"/api/live/{api.assets_version()}/{name}").status == 404


def test_every_module_finds_what_it_imports():
    for module in api.STATIC.glob("*.js"):
        text = module.read_text(encoding="utf-8")
        for names, source in re.findall(r'^import \{([^}]*)\} from "\./(.*)";$', text, re.M):
            exported = (api.STATIC / source).read_text(encoding="utf-8")
            for name in names.replace(",", " ").split():
                assert re.search(rf"^export (class|function|const) {name}\b", exported, re.M), name
                assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{module.name}: {name} is unused"


def test_the_routes_load_neither_streamlit_nor_torch():
    code = "import sys, dashboard.api; print({'streamlit', 'torch', 'pandas'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == "set()"


# The server.


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

    monkeypatch.setattr(server.worker, "ensure", ensure)
    monkeypatch.setattr(server, "EVERY", 0.001)
    with anyio.from_thread.start_blocking_portal() as portal:
        portal.call(live_a_little)
