"""What the server refuses, and what it keeps: however many ask for however much."""

import threading
from contextlib import ExitStack

import anyio
import anyio.from_thread
import numpy as np
import pytest

from dashboard import answers, api, bodies, feed, posteriors
from dashboard.limits import Busy, Cache, Gate, Room
from infovae_core.runs import Run
from tests import fakes
from tests.asking import ask, get, unpack

POSTS = [route.path for route in api.routes if "POST" in (route.methods or ())]
GATES = [(POSTS[0], api.DECODING), (POSTS[1], api.FILMING)]
PAGE = "http://lab.example.org:8501"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(root):
    return fakes.start(root)


def where(path, run):
    return path.replace("{id}", run.id).replace("{step:int}", "5")


# Whose page asks.

OURS = [
    {},  # no browser
    {
        "sec-fetch-site": "same-origin",
        "origin": "https://lab.example.org",
        "host": "127.0.0.1:8501",
    },
    {"sec-fetch-site": "none"},
    {"origin": "http://localhost:8501", "host": "localhost:8501"},
    {"origin": "http://127.0.0.1:8501", "host": "127.0.0.1:8501"},
    {"origin": "http://192.168.0.7:8501", "host": "192.168.0.7:8501"},
    {"origin": "http://[fd00::7]:8501", "host": "[FD00::7]:8501"},
    {"origin": "http://lab", "host": "lab:80"},
    {"origin": "https://lab.example.org", "host": "lab.example.org:443"},
    {
        "origin": "https://Lab.example.org",
        "host": "10.0.0.2:8501",
        "x-forwarded-host": "lab.example.org, inner:8080",
    },
]
FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:3000", "host": "localhost:8501"},
    {"sec-fetch-site": "cross-site", "origin": PAGE, "host": "lab.example.org:8501"},
    {"origin": "http://evil.example.org", "host": "lab.example.org"},
    {"origin": "http://lab.example.org:3000", "host": "lab.example.org:8501"},
    {"origin": "http://lab.example.org.evil.org", "host": "lab.example.org"},
    {"origin": "null", "host": "lab.example.org"},
    {"origin": "http://[", "host": "lab.example.org"},
    {"origin": "", "host": ""},
    {
        "origin": "http://evil.example.org",
        "host": "10.0.0.2",
        "x-forwarded-host": "lab.example.org",
    },
]


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_pages_of_this_server_are_answered_wherever_they_were_opened(headers):
    assert not answers.foreign(headers)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_sites_are_not(headers):
    assert answers.foreign(headers)


@pytest.mark.parametrize("path", POSTS)
def test_no_post_of_another_site_is_followed(run, path):
    answer = get(where(path, run), "POST", bytes(8), origin=PAGE, host="localhost:8501")
    assert answer.status == 403
    assert "X-Forwarded-Host" in answer.json["error"]
    assert get(where(path, run), "POST", b"", origin=PAGE, host=PAGE[7:]).status == 400


# How much.


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_says_it_is_too_large_is_not_read(run, path):
    async def never():
        raise AssertionError("the body was read")

    answer = get(where(path, run), "POST", never, content_length=str(10**12))
    assert answer.status == 413
    assert "choose fewer" in answer.json["error"] or "ask for fewer" in answer.json["error"]


@pytest.mark.parametrize("path", POSTS)
def test_a_body_is_read_no_further_than_its_limit(run, path, monkeypatch):
    read = []

    async def endless():
        read.append(1 << 22)
        return {"type": "http.request", "body": bytes(1 << 22), "more_body": True}

    assert get(where(path, run), "POST", endless).status == 413
    assert sum(read) <= api.FILM_BYTES + (1 << 23)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_does_not_come_is_not_waited_for_for_ever(run, path, monkeypatch):
    monkeypatch.setattr(bodies, "PATIENCE", 0.01)
    assert get(where(path, run), "POST", anyio.sleep_forever).status == 408


@pytest.mark.parametrize(("path", "gate"), GATES)
def test_who_comes_too_many_is_told_so_before_the_body_is_read(run, path, gate):
    async def never():
        raise AssertionError("the body was read")

    with ExitStack() as full:
        for _ in range(int(gate.limiter.total_tokens)):
            full.enter_context(gate.inside())
        answer = get(where(path, run), "POST", never)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "try again in a moment" in answer.json["error"]
    assert get(where(path, run), "POST", b"").status == 400  # there is room again


@pytest.mark.parametrize(("path", "gate"), GATES)
def test_who_sends_slowly_keeps_none_out_that_has_sent_all(run, path, gate, monkeypatch):
    """However many send nothing; their bodies together have an end."""
    monkeypatch.setattr(bodies, "PATIENCE", 20)
    slow = 3 * gate.most

    async def all_of_them():
        async with anyio.create_task_group() as tasks:
            for _ in range(slow):
                tasks.start_soon(ask, where(path, run), "POST", {}, anyio.sleep_forever)
            await anyio.wait_all_tasks_blocked()
            status = (await ask(where(path, run), "POST", {}, b"")).status
            tasks.cancel_scope.cancel()
        return status

    with anyio.from_thread.start_blocking_portal() as portal:
        assert portal.call(all_of_them) == 400


def test_bodies_that_are_read_at_once_take_no_more_than_there_is_room_for():
    room = Room(100, "reading")
    with room.share() as one, room.share() as other:
        one(60)
        with pytest.raises(Busy, match="busy reading; try again"):
            other(41)
        other(40)
        assert room.taken == 100
    assert room.taken == 0
    with room.share() as one:
        one(100)


def test_a_server_that_decodes_for_as_many_as_it_can_answers_the_next_at_once(run, monkeypatch):
    """The ninth hears so while the eight still wait; these get what they asked for."""
    go, asked = threading.Event(), []

    def images(run, step, z):
        asked.append(z)
        assert go.wait(20)
        return np.zeros((len(z), 8, 8), np.uint8)

    monkeypatch.setattr(api.SERVICE, "images", images)
    url = f"/api/runs/{run.id}/decode/5"
    got = []

    async def one():
        got.append((await ask(url, "POST", {}, bytes(8))).status)

    async def all_of_them():
        async with anyio.create_task_group() as tasks:
            for _ in range(api.WAITING):
                tasks.start_soon(one)
            while len(asked) < api.WAITING:
                await anyio.sleep(0.001)
            refused = await ask(url, "POST", {}, bytes(8))
            assert not got
            go.set()
        return refused

    with anyio.from_thread.start_blocking_portal() as portal:
        assert portal.call(all_of_them).status == 503
    assert got == [200] * api.WAITING


def test_a_gate_lets_in_as_many_as_it_says_and_again_when_they_leave():
    gate = Gate(2, "counting")
    with gate.inside(), gate.inside(), pytest.raises(Busy, match="busy counting; try again"):
        gate.inside().__enter__()
    with pytest.raises(KeyError), gate.inside():
        raise KeyError
    with gate.inside(), gate.inside():
        pass


# What is kept.


def test_a_cache_keeps_what_was_asked_for_last_and_no_more_bytes_than_it_has_room_for():
    cache = Cache(100)
    random = np.random.default_rng(0)
    last = {}  # as it should be, oldest first
    for _ in range(500):
        key = int(random.integers(0, 12))
        if random.random() < 0.5:
            assert cache.get(key) == last.get(key)
            if key in last:
                last[key] = last.pop(key)
            continue
        value = bytes(int(random.integers(1, 50)))
        cache.put(key, value)
        last.pop(key, None)
        last[key] = value
        while sum(map(len, last.values())) > 100:
            del last[next(iter(last))]
        assert cache.taken == sum(map(len, last.values())) <= 100
    assert cache.put("large", bytes(500)) == cache.get("large")  # alone
    assert cache.taken == 500
    cache.clear()
    assert (cache.taken, cache.get("large")) == (0, None)
    assert [cache.obtain("x", lambda n=n: bytes(n)) for n in (3, 4)] == [bytes(3)] * 2


def test_what_is_packed_of_all_runs_is_bounded_in_bytes(root, monkeypatch):
    monkeypatch.setattr(feed, "PACKED", Cache(100_000))
    runs = [fakes.start(root) for _ in range(3)]
    for each in runs:
        for step in range(1, 6):
            each.save_snapshot(step, fakes.snapshot(seed=step))
            assert get(f"/api/runs/{each.id}/snapshots/{step}").status == 200
            assert 0 < feed.PACKED.taken <= 100_000


def test_logs_are_kept_of_as_many_runs_as_there_is_room_for(root, monkeypatch):
    monkeypatch.setattr(feed, "LOGS", 5000)
    monkeypatch.setattr(feed, "_feeds", {})
    runs = [fakes.start(root) for _ in range(6)]
    for each in runs:
        for step in range(1, 21):
            each.log(fakes.row(step))
        assert len(get(f"/api/runs/{each.id}/live").json["rows"]) == 20
    assert 1 <= len(feed._feeds) < 6
    assert len(get(f"/api/runs/{runs[0].id}/live").json["rows"]) == 20  # read anew


def test_pictures_are_packed_once_for_all_viewers_and_anew_once_they_are_others(run, monkeypatch):
    made, pack = [], posteriors.pack_pictures
    monkeypatch.setattr(posteriors, "pack_pictures", lambda *args: made.append(args) or pack(*args))
    url = f"/api/runs/{run.id}/pictures"

    def heard(**headers):
        answer = get(url, **headers)
        return answer.headers["etag"], answer

    run.save_snapshot(1, fakes.snapshot())
    tags = [heard()[0] for _ in range(3)]
    assert (len(set(tags)), len(made)) == (1, 1)
    assert not unpack(heard()[1].body)[0]["whole"]
    assert heard(if_none_match=tags[0])[1].status == 304
    run.save_pictures(
        {
            "pictures": np.zeros((4, 8, 8), np.uint8),
            "split": np.zeros(4, np.uint8),
            "index": np.arange(4, dtype=np.int32),
        }
    )
    tag, answer = heard(if_none_match=tags[0])
    assert tag != tags[0]
    assert unpack(answer.body)[0]["whole"]
    run.save_snapshot(2, fakes.snapshot())
    assert heard()[0] == tag
    assert len(made) == 2


def test_a_decoder_is_read_once_for_all_viewers(run, monkeypatch):
    read, load = [], Run.decoder

    def counting(self, step):
        read.append(step)
        return load(self, step)

    monkeypatch.setattr(Run, "decoder", counting)
    run.save_decoder(5, {"about": np.array('{"layers": []}')})
    assert {get(f"/api/runs/{run.id}/decoder/5").status for _ in range(3)} == {200}
    assert read == [5]
