"""Read-only HTTP routes: what is new in a run, its snapshots, the files of the components.

What many viewers ask for is made once: a log is parsed as it grows, and every answer is kept as the
compressed bytes that travel until the run changes. Nothing here imports streamlit or torch.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.packing import BadQuery, compact, pack, shorten
from infovae_core import archive, runs
from infovae_core.runs import Run, RunError, Tail

FRESH = 0.05  # seconds for which what was read of a run is shown without looking again
KEPT = 32  # runs whose logs are kept parsed; answers and snapshots kept packed for each
SHOWN = (
    *("step", "steps", "epoch", "epochs", "rate", "seconds"),
    *("created", "device", "error", "preparing"),
)
FOREVER = "public, max-age=31536000, immutable"
STATIC = {
    name: Path(__file__).parent / name / "static"
    for name in ("live", "family", "planes", "study", "units")
}
MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class Feed:
    """One run as all its viewers see it: logs parsed once, answers kept until something changes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._head: dict[str, Any] = {}
        self._version = ""
        self._read_at = -math.inf
        self._answers: dict[tuple[int, int], bytes] = {}
        self._snapshots: dict[tuple[int, str, bool], bytes] = {}
        self._begin(None)

    def _begin(self, created: float | None) -> None:
        """Read the logs from their start, as of a run created then."""
        self._created = created
        self._metrics = Tail(self.run.path / "metrics.jsonl")
        self._journal = Tail(self.run.path / "events.jsonl")
        self._rows: list[str] = []  # each as the JSON that travels
        self._events: list[str] = []
        self._about: Any = None

    def news(self, row: int, event: int) -> tuple[str, bytes]:
        """Version and compressed JSON of the run's state, with rows and events from these on.

        Whoever has had an answer of this version has everything.
        """
        with self._lock:
            self._read()
            row = row if row <= len(self._rows) else 0  # a viewer of an older log starts again
            event = event if event <= len(self._events) else 0
            if (row, event) not in self._answers:
                make_room(self._answers)
                self._answers[row, event] = self._answer(row, event)
            return self._version, self._answers[row, event]

    def snapshot(self, step: int, plane: str, originals: bool) -> bytes:
        """A packed snapshot, compressed; see `packing`."""
        with self._lock:
            key = step, plane, originals
            if key not in self._snapshots:
                make_room(self._snapshots)
                arrays = self.run.snapshot(step)
                self._snapshots[key] = gzip.compress(pack(step, arrays, plane, originals), 6)
            return self._snapshots[key]

    def _read(self) -> None:
        if time.monotonic() - self._read_at < FRESH:
            return
        # Before the logs: who hears that a run has ended has all of its rows.
        status, state, steps = self.run.status, self.run.state, self.run.snapshot_steps()
        if status["created"] != self._created:  # a study may be removed and asked for again
            self._begin(status["created"])
        self._rows += [compact(rounded(row)) for row in self._metrics.read()]
        for event in self._journal.read():
            self._about = event.pop("about", self._about)
            self._events.append(compact(event))
        self._head = {
            "id": self.run.id,
            "label": self.run.label,
            "state": state,
            "status": {name: status[name] for name in SHOWN},
            "about": self._about,
            "next": len(self._rows),
            "next_event": len(self._events),
            "snapshot": steps[-1] if steps else None,
        }
        version = hashlib.blake2b(compact(self._head).encode(), digest_size=8).hexdigest()
        if version != self._version:
            self._version = version
            self._answers.clear()
        self._read_at = time.monotonic()

    def _answer(self, row: int, event: int) -> bytes:
        head = self._head | {"first": row, "first_event": event}
        rows, events = ",".join(self._rows[row:]), ",".join(self._events[event:])
        text = f'{compact(head)[:-1]},"rows":[{rows}],"events":[{events}]}}'
        return gzip.compress(text.encode(), 6)


def make_room(kept: dict) -> None:
    """Forget what was put in first, where there is no room for more."""
    while len(kept) >= KEPT:
        del kept[next(iter(kept))]


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """A metric row with as many digits as a plot can show."""
    values = row.get("values")
    return {name: shorten(value) for name, value in row.items()} | {
        "values": {k: shorten(v) for k, v in values.items()} if isinstance(values, dict) else {}
    }


# Routes.

Handler = Callable[[Request], Response]


def answering(handler: Handler) -> Handler:
    """`handler`, with its errors as JSON."""

    @functools.wraps(handler)
    def answer(request: Request) -> Response:
        try:
            return handler(request)
        except RunError as error:
            return JSONResponse({"error": str(error)}, 404)
        except BadQuery as error:
            return JSONResponse({"error": str(error)}, 400)

    return answer


@answering
def live(request: Request) -> Response:
    """GET /api/runs/{id}/live?rows=N&events=M: state, and what was logged from there on."""
    return news_of(feed_of(request.path_params["id"]), request)


@answering
def study(request: Request) -> Response:
    """GET /api/studies/{id}/live?rows=N&events=M: the same of a study, which is so looked at."""
    feed = feed_of(request.path_params["id"], archive.folder(runs.default_root()))
    archive.watch(feed.run)
    return news_of(feed, request)


def news_of(feed: Feed, request: Request) -> Response:
    """What is new to whoever asks."""
    query = request.query_params
    version, body = feed.news(whole(query.get("rows", "0")), whole(query.get("events", "0")))
    return reply(request, body, "application/json", tag=version, cache="no-store")


@answering
def snapshot(request: Request) -> Response:
    """GET /api/runs/{id}/snapshots/{step}?plane=pca|x,y&originals=0|1: the packed snapshot."""
    query = request.query_params
    plane = query.get("plane", "pca")
    if plane != "pca":
        plane = ",".join(str(whole(axis)) for axis in plane.split(","))
    feed = feed_of(request.path_params["id"])
    body = feed.snapshot(request.path_params["step"], plane, query.get("originals", "1") != "0")
    return reply(request, body, "application/octet-stream", cache=FOREVER)


def asset(request: Request) -> Response:
    """GET /api/static/{version}/{component}/{name}: a component's file, for good in its version."""
    version, component, name = (request.path_params[k] for k in ("version", "component", "name"))
    found = [p for p in assets() if (p.name, p.parent) == (name, STATIC.get(component))]
    if not found:
        return unknown(request)
    body = gzip.compress(found[0].read_bytes(), 6)
    cache = FOREVER if version == assets_version() else "no-store"
    return reply(request, body, MEDIA[found[0].suffix], cache=cache)


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


_feeds: dict[Path, Feed] = {}
_feeding = threading.Lock()


def feed_of(id: str, root: Path | None = None) -> Feed:
    """The one feed of a run, whoever asks. Raises: RunError where there is no such run."""
    run = runs.find((root or runs.default_root()).resolve(), id)
    with _feeding:
        feed = _feeds.pop(run.path, None) or Feed(run)
        make_room(_feeds)
        _feeds[run.path] = feed  # asked for last, forgotten last
    return feed


def assets() -> Iterable[Path]:
    """The components' own files."""
    files = (path for folder in STATIC.values() for path in folder.iterdir())
    return sorted(path for path in files if path.suffix in MEDIA)


def assets_version() -> str:
    """Changes whenever one of them does: they are one tree and may import each other."""
    stamps = [(path.name, path.stat().st_mtime_ns) for path in assets()]
    return hashlib.blake2b(repr(stamps).encode(), digest_size=6).hexdigest()


def module(component: str) -> str:
    """The address of a component's entry."""
    return f"/api/static/{assets_version()}/{component}/main.js"


routes = [
    Route("/api/runs/{id}/live", live),
    Route("/api/runs/{id}/snapshots/{step:int}", snapshot),
    Route("/api/studies/{id}/live", study),
    Route("/api/static/{version}/{component}/{name}", asset),
    Route("/api/{rest:path}", unknown),
]
