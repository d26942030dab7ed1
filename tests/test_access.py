"""Who is let in, and what viewers may do."""

import asyncio
import json
import re
import time
from typing import NamedTuple
from urllib.parse import unquote, urlencode

import anyio
import pytest
from starlette.responses import PlainTextResponse
from streamlit.runtime import secrets
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
        self.receive = None  # what waits for a body, in place of it

    async def server(self, scope, receive, send):
        """What is guarded: it tells everybody everything."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await PlainTextResponse("secret")(scope, receive, send)

    def ask(self, kind, path, body=b"", method="GET"):
        """What is sent back: messages of ASGI."""
        return asyncio.run(self.send(kind, path, body, method))

    async def send(self, kind, path, body, method):
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

        await self.guard(scope, self.receive or receive, send)
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
        return self.opens("/_stcore/stream")

    def opens(self, path):
        """Whether a websocket opens there."""
        [sent] = self.ask("websocket", path)
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


@pytest.fixture
def delays(monkeypatch):
    """Seconds that answers were to wait, which they do not here."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(guard.anyio, "sleep", sleep)
    monkeypatch.setattr(guard, "derived", lambda word: word.encode())
    return waited


def test_wrong_passwords_wait_twice_as_long_each_time_and_the_right_one_never(delays, monkeypatch):
    browser, (first, most) = Browser(WORD), guard.WAITS
    assert [browser.enter(f"{i}").status for i in range(9)] == [401] * 9
    assert delays == [min(first * 2**i, most) for i in range(9)]
    assert delays[-1] == most
    assert browser.enter(WORD).status == 303
    assert len(delays) == 9
    browser.cookie = ""
    browser.enter("0")
    assert len(delays) == 10
    assert delays.pop() == most  # whoever knows it helps none who guesses behind the same address
    later = time.monotonic() + guard.WITHIN + 1
    monkeypatch.setattr(guard.time, "monotonic", lambda: later)
    browser.enter("0")
    assert delays.pop() == first


def test_so_many_wrong_passwords_of_an_address_wait_at_once(monkeypatch):
    checked, answered = [], []
    monkeypatch.setattr(guard, "derived", lambda word: checked.append(word) or word.encode())

    async def all_of_them():
        browser, go = Browser(WORD), anyio.Event()
        monkeypatch.setattr(guard.anyio, "sleep", lambda seconds: go.wait())

        async def one(word):
            await browser.send("http", "/", urlencode({"password": word}).encode(), "POST")
            answered.append(word)

        async with anyio.create_task_group() as tasks:
            for i in range(2 * guard.AT_ONCE):
                tasks.start_soon(one, f"{i}")
            await anyio.wait_all_tasks_blocked()
            while len(checked) <= guard.AT_ONCE:  # the server's own password among them
                await asyncio.sleep(0.001)
            await anyio.wait_all_tasks_blocked()
            assert (len(checked), answered) == (1 + guard.AT_ONCE, [])
            go.set()

    anyio.run(all_of_them)
    assert sorted(checked[1:]) == sorted(answered) == [f"{i}" for i in range(2 * guard.AT_ONCE)]


def test_a_password_that_does_not_come_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.01)
    browser = Browser(WORD)
    browser.receive = anyio.sleep_forever
    assert browser.enter(WORD).status == 408


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
    options |= {"server.address": "0.0.0.0"}
    assert Browser(None, "lab.example").get("/").text == "secret"


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_a_server_with_names_answers_to_no_other(monkeypatch, address):
    options = {
        "server.address": address,
        "server.allowedHosts": ["Lab.example", "*.school.org"],
    }
    monkeypatch.setattr(guard.st, "get_option", options.get)
    for host in ("localhost:8501", "lab.example", "LAB.example:443", "room.school.org"):
        assert Browser(None, host).get("/").text == "secret"
    for host in ("evil.example", "school.org", "evilschool.org", "x.lab.example", ""):
        assert Browser(None, host).get("/api/x").status == 421
        assert not Browser(None, host).connects
    options["server.allowedHosts"] = ["*"]
    assert Browser(None, "lab.example").get("/").text == "secret"


def test_a_path_that_all_lies_under_changes_nothing(monkeypatch, viewing):
    options = {"server.address": "0.0.0.0", "server.baseUrlPath": "/lab/"}
    monkeypatch.setattr(guard.st, "get_option", options.get)
    browser = Browser(WORD)
    assert browser.get("/lab/_stcore/health").text == "secret"
    assert 'type="password"' in browser.get("/lab/runs").text
    for path in ("/lab/api/x", "/api/x", "/lab/_stcore/host-config"):
        assert "error" in json.loads(browser.get(path).text)
    assert browser.enter(WORD, "/lab/compare?runs=a").headers["location"] == "/lab/compare?runs=a"
    assert browser.get("/lab/runs").text == "secret"
    for path in ("/lab/_stcore/upload_file/a/b", "/_stcore/upload_file/a/b"):
        assert browser.get(path, "PUT").status == 403
        assert browser.opens(path)  # nothing is uploaded so
    assert browser.get("/lab/logout").headers["location"] == "/lab/"
    assert browser.get("/lab/runs").status == 401


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


@pytest.mark.parametrize("text", ["password = correct horse", b"\xff"])
def test_secrets_that_cannot_be_read_let_nobody_in_without_a_password(tmp_path, monkeypatch, text):
    file = tmp_path / "secrets.toml"
    monkeypatch.delenv(guard.PASSWORD, raising=False)
    monkeypatch.setattr(guard.st, "get_option", {"secrets.files": [str(file)]}.get)
    monkeypatch.setattr(secrets.config, "get_option", {"secrets.files": [str(file)]}.get)
    monkeypatch.setattr(guard.st, "secrets", secrets.Secrets())
    assert guard.password() is None  # there is no such file
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit, match=f"the secrets must be readable.*{re.escape(str(file))}"):
        guard.password()
    file.write_text(f'password = "{WORD}"')
    assert guard.password() == WORD


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


@pytest.mark.parametrize("name", ["runs", "latent", "traverse"])
def test_viewers_without_a_run_hear_who_can_train_one(name, tmp_path, monkeypatch, viewing):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    [said] = opened(ROOT / f"pages/{name}.py").info
    assert "without --viewer" in said.value
    assert "Train a model" not in said.value


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
    monkeypatch.setattr(server, "FIRST", 0)

    async def live():
        async with server.lifespan(None):
            await asyncio.sleep(0.05)

    asyncio.run(live())
    assert not asked
    monkeypatch.setenv(access.VIEWER, "")
    asyncio.run(live())
    assert asked
