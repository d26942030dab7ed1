"""What every request passes before anything else sees it: the name of the host, and a password.

The password is that of `INFOVAE_PASSWORD`, or `password` in `.streamlit/secrets.toml`. It stands
before all that the server has: pages, websocket, uploads and the routes of `dashboard.api`. Who has
given it carries a signed cookie, which ends with the password.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sys
import time
from collections import deque
from collections.abc import Sequence
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import streamlit as st
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.errors import StreamlitSecretNotFoundError

from dashboard import access
from dashboard.bodies import Refused, received

PASSWORD = "INFOVAE_PASSWORD"
LEAST = 8  # characters
LASTS = 30 * 86_400  # seconds that a cookie is good for
WITHIN = 600.0  # seconds for which a wrong password makes the next wrong one wait
WAITS = 0.5, 30.0  # seconds that a wrong one waits for its answer, at first and at most
AT_ONCE = 4  # passwords of one address that are checked, or wait for their answer, at once
ADDRESSES = 1000  # whose wrong passwords are remembered
FORM, PATIENCE = 4096, 10.0  # bytes that the form may have, seconds in which it must have come
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OPEN = "/_stcore/health"  # says that the server lives, and nothing else
LEAVE = "/logout"
UPLOAD = "/_stcore/upload_file/"
GUESSING = anyio.CapacityLimiter(1)  # passwords checked at once: each takes 50 ms and 16 MB


def password() -> str | None:
    """What must be known to come in, or None.

    Raises: SystemExit where it is too short, or where the secrets are there and cannot be read.
    """
    said = os.environ.get(PASSWORD)
    if said is None:
        try:
            said = st.secrets.get("password")
        except (StreamlitSecretNotFoundError, OSError, ValueError) as error:
            # The same is raised where there are none.
            if found := [path for path in st.get_option("secrets.files") if os.path.lexists(path)]:
                sys.exit(
                    "the secrets must be readable, for the password may be among them, got "
                    f"{error}; correct or remove {' and '.join(found)}"
                )
            return None
    if said is not None and len(str(said)) < LEAST:
        sys.exit(f"the password must have at least {LEAST} characters, got {len(str(said))}")
    return None if said is None else str(said)


def exposed() -> str | None:
    """The address that others reach this server at, or None where it is this machine's alone."""
    address = st.get_option("server.address")
    return None if address in LOOPBACK else address or "any address"


def warning(word: str | None) -> str | None:
    """What whoever starts the server must know; None where nobody else gets in."""
    if not exposed() or word or access.viewer():
        return None
    return (
        f"Whoever reaches {exposed()} may start and delete runs and read images from this disk: "
        f"set {PASSWORD}, or add -- --viewer"
    )


class Tries:
    """What one address has tried: a place in the line for each password, and when one was wrong."""

    def __init__(self) -> None:
        self.places = anyio.CapacityLimiter(AT_ONCE)
        self._wrong: deque[float] = deque(maxlen=64)

    def wrong(self) -> float:
        """Count a wrong password; seconds that its answer waits, twice as many each time."""
        now = time.monotonic()
        while self._wrong and self._wrong[0] < now - WITHIN:
            self._wrong.popleft()
        self._wrong.append(now)
        first, most = WAITS
        return min(first * 2 ** (len(self._wrong) - 1), most)


class Guard:
    """Middleware around the whole server; `word` is the password, None where there is none."""

    def __init__(self, app: ASGIApp, word: str | None) -> None:
        self.app = app
        allowed = [host.strip().lower() for host in st.get_option("server.allowedHosts") or ()]
        self.hosts = (*LOOPBACK, *allowed) if allowed or not exposed() else ("*",)
        base = (st.get_option("server.baseUrlPath") or "").strip("/")
        self.base = f"/{base}" if base else ""
        self._key = None if word is None else derived(word)
        self._tries: dict[str, Tries] = {}  # by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request pass."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """What a request is answered that goes no further."""
        asked = HTTPConnection(scope)
        if not allowed(host_of(asked), self.hosts):
            # A page elsewhere whose name was made to lead here must not drive this dashboard.
            return JSONResponse(
                {"error": "this server has other names; add this one by --server.allowedHosts"}, 421
            )
        method = scope["method"] if scope["type"] == "http" else None
        path = scope["path"]
        if path.startswith(f"{self.base}/"):
            path = path.removeprefix(self.base)
        if access.viewer() and path.startswith(UPLOAD) and method not in (None, "OPTIONS"):
            return JSONResponse({"error": access.REASON}, 403)
        if self._key is None or path == OPEN:
            return None
        name = cookie_name(asked)
        if path == LEAVE:
            answer = RedirectResponse(f"{self.base}/", 303)
            answer.delete_cookie(name)
            return answer
        if genuine(asked.cookies.get(name, ""), self._key):
            return None
        if method == "POST" and is_form(asked):
            return await self._let_in(Request(scope, receive), name)
        if path.startswith(("/api/", "/_stcore/")) or method is None:
            return JSONResponse({"error": "this dashboard asks for its password; reload"}, 401)
        return page("")

    async def _let_in(self, request: Request, name: str) -> Response:
        """The answer to a password: at once to the right one, later and later to wrong ones."""
        try:
            body = await received(request, FORM, "That is too long for a password.", PATIENCE)
        except Refused as error:
            return page(str(error), error.status)
        guess = parse_qs(body.decode(errors="replace")).get("password", [""])[0]
        address = request.client.host if request.client else ""
        tries = self._tries.pop(address, None) or Tries()
        self._tries[address] = tries  # asked last, forgotten last
        while len(self._tries) > ADDRESSES:
            del self._tries[next(iter(self._tries))]
        async with tries.places:
            key = await anyio.to_thread.run_sync(derived, guess, limiter=GUESSING)
            if not hmac.compare_digest(key, self._key):
                await anyio.sleep(tries.wrong())
                return page("That is not the password.")
        # Where it was asked for, and never to another host.
        query = request.scope["query_string"].decode("latin-1")
        path = "/" + request.scope["path"].lstrip("/\\")
        answer = RedirectResponse(f"{path}?{query}" if query else path, 303)
        answer.set_cookie(
            name,
            signed(self._key),
            max_age=LASTS,
            httponly=True,
            samesite="lax",
            secure=request.scope["scheme"] == "https",
        )
        return answer


def derived(word: str) -> bytes:
    """The key that a password makes, at a cost that keeps one from guessing."""
    return hashlib.scrypt(word.encode(), salt=b"infovae-lab", n=2**14, r=8, p=1)


def signed(key: bytes, until: float | None = None) -> str:
    """A cookie that is good until a Unix time: the time, and who could have written it."""
    until = int(time.time() + LASTS if until is None else until)
    return f"{until}.{_signature(key, str(until))}"


def genuine(cookie: str, key: bytes) -> bool:
    """Whether a cookie was signed with `key` and is still good."""
    until, _, signature = cookie.partition(".")
    right = hmac.compare_digest(signature.encode(), _signature(key, until).encode())
    return right and until.isascii() and until.isdecimal() and int(until) > time.time()


def _signature(key: bytes, until: str) -> str:
    return hmac.new(key, until.encode(), hashlib.sha256).hexdigest()


def host_of(asked: HTTPConnection) -> str | None:
    """The name that a request gives the server, without the port."""
    said = re.fullmatch(
        r"\[([^\]]*)\]|([^:]*)", re.sub(r":\d+$", "", asked.headers.get("host", ""))
    )
    return (said[1] or said[2]).lower() if said else None


def allowed(host: str | None, hosts: Sequence[str]) -> bool:
    """Whether a name is one of `hosts`, among which "*" is any and "*.x" whatever ends in ".x"."""
    named = host is not None and any(
        host.endswith(said[1:]) if said.startswith("*.") else host == said for said in hosts
    )
    return named or "*" in hosts


def cookie_name(asked: HTTPConnection) -> str:
    """Cookies know hosts but no ports; servers on one host keep theirs apart."""
    _, port = asked.scope.get("server") or ("", None)
    return f"infovae-{port or 'lab'}"


def is_form(asked: HTTPConnection) -> bool:
    """Whether what is sent is what the page of the password sends."""
    return asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def page(said: str, status: int = 401) -> HTMLResponse:
    """Where the password is asked for; nothing in it comes from whoever asks."""
    return HTMLResponse(
        PAGE.replace("SAID", said),
        status,
        {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            "form-action 'self'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
        },
    )


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>InfoVAE Lab</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
form { max-width: 20rem; margin: 20vh auto 0; padding: 0 1rem; display: grid; gap: .75rem; }
h1 { font-size: 1.25rem; margin: 0; }
label { display: grid; gap: .25rem; }
input, button { font: inherit; padding: .5rem .75rem; border: 1px solid #8888; }
button { background: #2c4a7e; color: #fff; border: 0; }
p { margin: 0; min-height: 1.5em; }
</style>
<form method="post">
<h1>InfoVAE Lab</h1>
<label>Password <input type="password" name="password" required autofocus
 autocomplete="current-password"></label>
<button>Enter</button>
<p role="alert">SAID</p>
</form>
</html>
"""
