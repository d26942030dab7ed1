"""How the routes answer: bodies compressed once, errors as JSON, posts only of the page's own."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboard.bodies import Refused, received
from dashboard.limits import Busy, Gate, Room
from dashboard.packing import BadQuery
from infovae_core.runs import RunError

FOREVER = "public, max-age=31536000, immutable"
PORTS = {"http": ":80", "https": ":443"}  # that an address need not name
ASIDE = anyio.CapacityLimiter(16)  # threads for what takes long: news does not wait for one

Handler = Callable[..., Response]


def refusal(error: Exception) -> Response:
    """An error as an answer."""
    if isinstance(error, Refused):
        status = error.status
    else:
        status = 404 if isinstance(error, RunError) else 503 if isinstance(error, Busy) else 400
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": str(error)}, status, headers=headers)


def answering(handler: Handler) -> Handler:
    """`handler`, with its errors as JSON."""

    @functools.wraps(handler)
    def answer(request: Request, *more: Any) -> Response:
        try:
            return handler(request, *more)
        except (RunError, BadQuery, Busy, Refused) as error:
            return refusal(error)

    return answer


def aside(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """`answering`, in a thread that none waits for who asks for what is quick."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        return await anyio.to_thread.run_sync(answering(handler), request, limiter=ASIDE)

    return answer


def promptly(
    at_hand: Callable[[Request], Response | None],
) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """`answering`, without a thread where `at_hand` has the answer, for which it never waits.

    A thread takes as long as all the rest of an answer that is at hand.
    """
    here = answering(at_hand)

    def decorated(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            return here(request) or await run_in_threadpool(answering(handler), request)

        return answer

    return decorated


def posted(
    most: int, gate: Gate, too_large: str
) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """`answering` a POST: the handler is given the request and its body.

    Pages of other sites are refused, as is whoever comes while `gate` is full, before the body is
    read; of a body no more than `most` bytes are. Whoever sends slowly keeps none from coming in
    that has sent all: bodies are read before the gate, and together take what those inside may,
    and one more.

    Args:
        too_large: what is said of a larger one.
    """

    bodies = Room((gate.most + 1) * most, gate.what)

    def decorated(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            try:
                if foreign(request.headers):
                    raise Refused(
                        403,
                        "a request must come from a page of this server, got one from elsewhere; "
                        "open the dashboard itself, and have a proxy pass Host or X-Forwarded-Host",
                    )
                with gate.inside():
                    pass  # else nothing is sent in vain
                with bodies.share() as take:
                    body = await received(request, most, too_large, take=take)
                    with gate.inside():
                        return await anyio.to_thread.run_sync(
                            answering(handler), request, body, limiter=gate.limiter
                        )
            except (Busy, Refused) as error:
                return refusal(error)

        return answer

    return decorated


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site has a browser ask this.

    A browser says so itself where the page came by https or from this machine; elsewhere the
    page's origin must be the host that was asked, or that a proxy in front says was asked, which no
    page of another site can claim. Whoever says neither is no browser.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    try:
        page = urlsplit(origin.lower())
    except ValueError:
        return True
    port = PORTS.get(page.scheme, "")
    asked = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
    hosts = {host.strip().lower().removesuffix(port) for host in asked} - {""}
    return page.netloc.removesuffix(port) not in hosts


def unknown(request: Request) -> Response:
    """Whatever else is asked for under /api/."""
    return JSONResponse({"error": "there is nothing at this address"}, 404)


def reply(request: Request, body: bytes, media: str, *, cache: str, tag: str = "") -> Response:
    """A 200 of gzipped `body`, or a 304 to those who have it already."""
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    headers["X-Content-Type-Options"] = "nosniff"
    if tag:
        headers["ETag"] = f'"{tag}"'
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, media_type=media, headers=headers)


def whole(text: str) -> int:
    """The number a query writes."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadQuery(
            f"a number must be whole and not negative, got {text[:20]!r}; ask for 0 or more"
        )
    return int(text)
