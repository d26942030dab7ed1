"""Who is let in, and what viewers may do."""

import asyncio
import re
import time
from typing import NamedTuple
from urllib.parse import unquote, urlencode

import pytest
from starlette.responses import PlainTextResponse
from streamlit.testing.v1 import AppTest

from dashboard import access, guard, information, server, state
from infovae_core import archive, dispatch, runs, worker
from infovae_core.studies import BoundStudy
from tests import fakes
from tests.test_pages import ROOT, drawn, made, opened

WORD = "correct horse"
PAGES = sorted((ROOT / "pages").glob("*.py"))


# The guard.


class Browser:
    """One who asks a guarded server, and keeps its cookies."""

    def __init__(self, word, host="localhost:8501"):
        self.guard, self.host, self.cookie = guard.Guard(self.server, word), host, ""

    async def server(self, scope, receive, send):
        """What is guarded: it tells everybody everything."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await PlainTextResponse("secret")(scope, receive, send)

    def ask(self, kind, path, body=b"", method="GET"):
        """What is sent back: messages of ASGI."""
        path, _, query = path.partition("?")
        headers = {"host": self.host, "cookie": self.cookie}
        headers["content-type"] = "application/x-www-form-urlencoded"
        scope = {"type": kind, "path": unquote(path), "query_string": query.encode()}
        scope |= {"scheme": "http", "client": ("192.0.2.1", 7), "server": ("localhost", 8501)}
        scope["headers"] = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
        if kind == "http":
            scope["method"] = method
        sent = []

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        return sent

    def get(self, path, method="GET", body=b""):
        """Status, headers and text of the answer."""
        start, *parts = self.ask("http", path, body, method)
        headers = {k.decode(): v.decode() for k, v in start["headers"]}
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].partition(";")[0]
        text = b"".join(part.get("body", b"") for part in parts).decode()
        return Answer(start["status"], headers, text)

    def enter(self, word, path="/"):
        """Fill in the form."""
        return self.get(path, "POST", urlencode({"password": word}).encode())

    @property
    def connects(self):
        """Whether the websocket opens."""
        [sent] = self.ask("websocket", "/_stcore/stream")
        return sent["type"] == "websocket.accept"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


ADDRESSES = ("/", "/runs?x=1", "/api/runs/a/live", "/_stcore/host-config", "/static/x.js")


@pytest.mark.parametrize("cookie", ["", "9999999999.", "9999999999.00", "x.y", "\xe9.\xe9"])
def test_without_the_password_nothing_is_had(cookie):
    browser = Browser(WORD)
    browser.cookie = f"infovae-8501={cookie}"
    for address in ADDRESSES:
        got = browser.get(address)
        assert got.status == 401
        assert "secret" not in got.text
    for address in ("/_stcore/upload_file/a/b", "/api/film"):
        assert browser.get(address, "PUT").status == 401
    assert not browser.connects
    assert browser.get("/_stcore/health").text == "secret"  # its route's own answer


def test_with_the_password_all_is_had_until_one_leaves():
    browser = Browser(WORD)
    assert 'type="password"' in browser.get("/").text
    got = browser.enter(WORD, "/compare?runs=a,b")
    assert (got.status, got.headers["location"]) == (303, "/compare?runs=a,b")
    assert "httponly" in got.headers["set-cookie"].lower()
    assert all(browser.get(address).text == "secret" for address in ADDRESSES)
    assert browser.connects
    assert browser.get(guard.LEAVE).headers["location"] == "/"
    assert browser.get("/").status == 401


@pytest.mark.parametrize("path", ["//evil.example/x", "/%5cevil.example", "///evil.example"])
def test_whoever_gives_the_password_is_led_to_this_host_only(path):
    got = Browser(WORD).enter(WORD, path)
    assert got.status == 303
    assert re.match(r"/[^/\\]", got.headers["location"])


def test_wrong_passwords_are_counted(monkeypatch):
    monkeypatch.setattr(guard, "derived", lambda word: word.encode())
    browser = Browser(WORD)
    said = [browser.enter(f"{i}").status for i in range(guard.TRIES)]
    assert said == [401] * guard.TRIES
    assert browser.enter(WORD).status == 429
    browser.guard._wrong["192.0.2.1"].clear()  # as time does
    assert browser.enter(WORD).status == 303


def test_a_form_that_is_too_long_is_not_read():
    assert Browser(WORD).enter("x" * guard.FORM).status == 413


def test_a_cookie_ends_with_its_time_and_with_the_password():
    key, other = guard.derived(WORD), guard.derived(WORD + "!")
    assert guard.genuine(guard.signed(key), key)
    assert not guard.genuine(guard.signed(key), other)
    assert not guard.genuine(guard.signed(key, time.time() - 1), key)
    until, signature = guard.signed(key).split(".")
    assert not guard.genuine(f"{int(until) + 1}.{signature}", key)


def test_a_server_for_its_own_machine_answers_to_no_other_name(monkeypatch):
    options = {"server.address": "localhost", "server.allowedHosts": []}
    monkeypatch.setattr(guard.st, "get_option", options.get)
    for host in ("localhost", "127.0.0.1:8501", "[::1]:8501"):
        assert Browser(None, host).get("/").text == "secret"
    for host in ("evil.example", "evil.example:8501", "localhost.evil.example", "", "[", "a:b"):
        assert Browser(None, host).get("/api/x").status == 421
        assert not Browser(None, host).connects
    options["server.allowedHosts"] = ["lab.example"]  # Streamlit's own check, from here on
    assert Browser(None, "lab.example").get("/").text == "secret"
    options |= {"server.address": "0.0.0.0", "server.allowedHosts": []}
    assert Browser(None, "lab.example").get("/").text == "secret"


def test_whoever_opens_a_server_to_others_is_warned(monkeypatch):
    options = {"server.address": "localhost"}
    monkeypatch.setattr(guard.st, "get_option", options.get)
    assert guard.warning(None) is None
    for address in ("0.0.0.0", "192.168.1.2", None, ""):
        options["server.address"] = address
        assert guard.PASSWORD in guard.warning(None)
        assert guard.warning(WORD) is None
    monkeypatch.setenv(access.VIEWER, "1")
    assert guard.warning(None) is None


def test_a_short_password_is_refused(monkeypatch):
    monkeypatch.setenv(guard.PASSWORD, WORD)
    assert guard.password() == WORD
    for short in ("", "1234567"):
        monkeypatch.setenv(guard.PASSWORD, short)
        with pytest.raises(SystemExit, match="at least 8"):
            guard.password()
    monkeypatch.delenv(guard.PASSWORD)
    monkeypatch.setattr(guard.st, "secrets", {"password": WORD})
    assert guard.password() == WORD
    monkeypatch.setattr(guard.st, "secrets", {})
    assert guard.password() is None


def test_the_flag_is_taken_up_and_another_refused(monkeypatch):
    monkeypatch.setenv(access.VIEWER, "0")
    for argv in (["app.py"], ["/bin/uvicorn", "--viewer"], [], ["pytest", "-q"]):
        access.settle(argv, "/x/app.py")
        assert not access.viewer()
    with pytest.raises(SystemExit):
        access.settle(["app.py", "--veiwer"], "/x/app.py")
    access.settle(["/x/app.py", "--viewer"], "/x/app.py")
    assert access.viewer()


# Viewers.


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with runs in several states, and a study."""
    root = tmp_path / "runs"
    monkeypatch.setenv("INFOVAE_RUNS", str(root))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    for condition in ("finished", "stopped", "queued", "running"):
        run = made(root, condition)
        run.event("started", 0, about=fakes.about())
        run.log(fakes.row(1, "test"))
        run.save_snapshot(1, fakes.snapshot())
        (run.path / "checkpoint" / "00000001.safetensors").touch()
    archive.obtain(root, BoundStudy())
    return root


@pytest.fixture
def viewing(monkeypatch):
    monkeypatch.setenv(access.VIEWER, "1")


def tree(root):
    """All that lies in a folder, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize("script", PAGES, ids=lambda path: path.stem)
def test_viewers_are_shown_every_page_and_nothing_to_press(root, viewing, script):
    before = tree(root)
    ids = [run.id for run in runs.list_runs(root)]
    for address in ({}, {"run": ids[1]}, {"runs": ",".join(ids)}):
        page = opened(script, **address)
        assert not [b.key for b in page.button]
        assert not page.get("file_uploader")
        assert not page.get("menu_button")
        assert not [box.key for box in page.text_input if (box.key or "").startswith("config")]
    assert tree(root) == before


def test_viewers_watch_what_trains(root, viewing):
    page = opened(ROOT / "pages/train.py")
    assert access.REASON in "".join(c.value for c in page.caption)
    [running] = [run for run in runs.list_runs(root) if run.state == "running"]
    assert state.to_watch(root) == running


def pressed():  # a script
    import streamlit as st

    from dashboard import state
    from infovae_core import runs

    [run] = [run for run in runs.list_runs(runs.default_root()) if run.state == "stopped"]
    st.button("Delete", key="delete", on_click=state.attempt, args=(run.delete,))
    state.say_refusal()


def test_what_a_viewer_asks_for_all_the_same_is_refused(root, viewing):
    before = tree(root)
    page = drawn(AppTest.from_function(pressed).run())
    page = drawn(page.button(key="delete").click().run())
    assert access.REASON in page.error[0].value.replace("\\", "")
    assert tree(root) == before


def test_a_study_is_shown_to_viewers_once_others_asked_for_it(root, viewing, monkeypatch):
    monkeypatch.setattr(information.st, "session_state", {})
    before = tree(root)
    assert information.ask(BoundStudy()).id == BoundStudy().id
    with pytest.raises(runs.RunError, match="nobody has asked"):
        information.ask(BoundStudy(dimension=7))
    assert tree(root) == before


def test_viewers_upload_nothing_and_their_server_starts_no_worker(viewing, monkeypatch):
    assert Browser(None).get("/_stcore/upload_file/a/b", "PUT").status == 403
    asked = []
    monkeypatch.setattr(worker, "ensure", asked.append)

    async def live():
        async with server.lifespan(None):
            await asyncio.sleep(0.05)

    asyncio.run(live())
    assert not asked
    monkeypatch.setenv(access.VIEWER, "")
    asyncio.run(live())
    assert asked
