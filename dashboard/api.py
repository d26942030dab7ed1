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

import anyio
import anyio.to_thread
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.decoding import SERVICE, Busy
from dashboard.packing import BadQuery, compact, join, pack, pack_codes, pack_decoder, shorten
from infovae_core import archive, runs
from infovae_core.runs import Run, RunError, Tail

FRESH = 0.05  # seconds for which what was read of a run is shown without looking again
KEPT_DECODERS = 4  # packed for each run; a browser keeps its own
KEPT_POSTERIORS = 8
MOST_CODES = 1024  # decoded at once
FILM_BYTES = 96_000_000
FILMING = anyio.CapacityLimiter(2)  # films made at once
KEPT = 32  # runs whose logs are kept parsed; answers and snapshots kept packed for each
SHOWN = (
    *("step", "steps", "epoch", "epochs", "rate", "seconds"),
    *("created", "device", "error", "preparing"),
)
FOREVER = "public, max-age=31536000, immutable"
STATIC = {
    name: Path(__file__).parent / name / "static"
    for name in ("live", "family", "latent", "planes", "present", "study", "traverse", "units")
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
        self._decoders: dict[int, bytes] = {}
        self._codes: dict[int, bytes] = {}
        self._looking = threading.Lock()  # for what takes long: news does not wait for it
        self._posteriors: dict[tuple[int, str, str], bytes] = {}
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

    def decoder(self, step: int) -> bytes:
        """A packed decoder, compressed: one that was kept, or made from the last checkpoint."""
        with self._lock:
            if step in self._decoders:
                return self._decoders[step]
        try:
            arrays = self.run.decoder(step)
        except RunError:
            if step != checkpoint_step(self.run):
                raise
            arrays = SERVICE.decoder(self.run, step)
        body = gzip.compress(pack_decoder(step, arrays), 1)  # noise, which no effort makes smaller
        with self._lock:
            make_room(self._decoders, KEPT_DECODERS)
            self._decoders[step] = body
        return body

    def codes(self, step: int) -> bytes:
        """The packed codes of the images that a snapshot holds, compressed."""
        with self._lock:
            if step not in self._codes:
                make_room(self._codes)
                self._codes[step] = gzip.compress(pack_codes(step, self.run.snapshot(step)), 6)
            return self._codes[step]

    def posteriors(self, step: int, plane: str, split: str) -> bytes:
        """The packed posteriors of a split beside the prior, compressed."""
        from dashboard import posteriors

        with self._looking:
            key = step, plane, split
            if key not in self._posteriors:
                packed = posteriors.pack(step, self.run.snapshot(step), plane, split)
                make_room(self._posteriors, KEPT_POSTERIORS)
                self._posteriors[key] = gzip.compress(packed, 1)
            return self._posteriors[key]

    def pictures(self) -> bytes:
        """Pictures of the run's images, packed and compressed; at least those of a snapshot."""
        from dashboard import posteriors

        with self._looking:
            kept, steps = self.run.pictures, self.run.snapshot_steps()
            last = self.run.snapshot(steps[-1]) if steps else {}
            return gzip.compress(posteriors.pack_pictures(kept, last), 6)

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


def make_room(kept: dict, most: int = KEPT) -> None:
    """Forget what was put in first, where there is no room for more."""
    while len(kept) >= most:
        del kept[next(iter(kept))]


def checkpoint_step(run: Run) -> int | None:
    """The step of the newest checkpoint."""
    names = (path.stem for path in (run.path / "checkpoint").glob("*.safetensors"))
    return max((int(name) for name in names if name.isdigit()), default=None)


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """A metric row with as many digits as a plot can show."""
    values = row.get("values")
    return {name: shorten(value) for name, value in row.items()} | {
        "values": {k: shorten(v) for k, v in values.items()} if isinstance(values, dict) else {}
    }


# Routes.

Handler = Callable[..., Response]


def answering(handler: Handler) -> Handler:
    """`handler`, with its errors as JSON."""

    @functools.wraps(handler)
    def answer(request: Request, *more: Any) -> Response:
        try:
            return handler(request, *more)
        except RunError as error:
            return JSONResponse({"error": str(error)}, 404)
        except BadQuery as error:
            return JSONResponse({"error": str(error)}, 400)
        except Busy as error:
            return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "1"})

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
    originals = request.query_params.get("originals", "1") != "0"
    feed = feed_of(request.path_params["id"])
    body = feed.snapshot(request.path_params["step"], plane_of(request), originals)
    return reply(request, body, "application/octet-stream", cache=FOREVER)


def plane_of(request: Request) -> str:
    """The plane a query asks for: pca, or the numbers of its axes."""
    plane = request.query_params.get("plane", "pca")
    return plane if plane == "pca" else ",".join(str(whole(axis)) for axis in plane.split(","))


@answering
def posteriors(request: Request) -> Response:
    """GET /api/runs/{id}/posteriors/{step}?plane=pca|x,y&split=train|test: q(z), packed."""
    feed = feed_of(request.path_params["id"])
    split = request.query_params.get("split", "test")
    body = feed.posteriors(request.path_params["step"], plane_of(request), split)
    return reply(request, body, "application/octet-stream", cache=FOREVER)


@answering
def pictures(request: Request) -> Response:
    """GET /api/runs/{id}/pictures: small pictures of the images whose codes are drawn, packed."""
    body = feed_of(request.path_params["id"]).pictures()
    return reply(request, body, "application/octet-stream", cache="no-store")


@answering
def steps(request: Request) -> Response:
    """GET /api/runs/{id}/snapshots: the steps that can be drawn, those that can be decoded, bytes.

    In place of decoders that were not kept, the last checkpoint's can be had.
    """
    run = feed_of(request.path_params["id"]).run
    drawn, decoded, last = run.snapshot_steps(), run.decoder_steps(), checkpoint_step(run)
    if last is not None and last not in decoded:
        decoded = sorted([*decoded, last])
    said = {"steps": drawn, "decoders": decoded, "bytes": run.kept_bytes}
    return reply(
        request, gzip.compress(compact(said).encode()), "application/json", cache="no-store"
    )


@answering
def decoder(request: Request) -> Response:
    """GET /api/runs/{id}/decoder/{step}: what decodes codes in the browser, packed."""
    feed = feed_of(request.path_params["id"])
    body = feed.decoder(request.path_params["step"])
    return reply(request, body, "application/octet-stream", cache=FOREVER)


@answering
def codes(request: Request) -> Response:
    """GET /api/runs/{id}/codes/{step}: all coordinates of the codes of the images shown, packed."""
    body = feed_of(request.path_params["id"]).codes(request.path_params["step"])
    return reply(request, body, "application/octet-stream", cache=FOREVER)


async def decode(request: Request) -> Response:
    """POST /api/runs/{id}/decode/{step}, f32 [n, d] little-endian: their images, packed.

    For what a browser cannot decode itself. Another process does it; the server waits for nothing.
    """
    body = await received(request, MOST_CODES * 4 * 1024)
    return await anyio.to_thread.run_sync(_decode, request, body, limiter=SERVICE.limiter)


@answering
def _decode(request: Request, body: bytes | None) -> Response:
    run, step = feed_of(request.path_params["id"]).run, request.path_params["step"]
    d = run.config["model"]["latent_dim"]
    if not body or len(body) % (4 * d) or len(body) > 4 * d * MOST_CODES:
        raise BadQuery(
            f"codes must be 1 to {MOST_CODES} times {d} numbers of 4 bytes, got "
            f"{'more' if body is None else len(body)} bytes; ask for fewer or others"
        )
    z = np.frombuffer(body, "<f4").reshape(-1, d)
    if not np.isfinite(z).all():
        raise BadQuery("codes must be finite numbers, got some that are not; ask for others")
    images = SERVICE.images(run, step, z)
    packed = join({"step": step}, {"images": images})
    return reply(request, gzip.compress(packed, 1), "application/octet-stream", cache="no-store")


async def film(request: Request) -> Response:
    """POST /api/film?kind=gif|mp4&rate=N, PNGs each after its length (u32): a film of them."""
    body = await received(request, FILM_BYTES)
    return await anyio.to_thread.run_sync(_film, request, body, limiter=FILMING)


@answering
def _film(request: Request, body: bytes | None) -> Response:
    from dashboard import film as films  # Pillow, once somebody asks

    if body is None:
        raise BadQuery(f"a film must have up to {FILM_BYTES} bytes of pictures; choose fewer")
    try:
        rate = float(request.query_params.get("rate", "5"))
        media, made = films.film(body, request.query_params.get("kind", ""), rate)
    except ValueError as error:
        raise BadQuery(str(error)) from error
    return Response(made, media_type=media, headers={"Cache-Control": "no-store"})


async def received(request: Request, most: int) -> bytes | None:
    """The body of a request; None where it is larger than `most` bytes."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size <= most:
            pieces.append(piece)
    return b"".join(pieces) if size <= most else None


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
    Route("/api/runs/{id}/snapshots", steps),
    Route("/api/runs/{id}/snapshots/{step:int}", snapshot),
    Route("/api/runs/{id}/codes/{step:int}", codes),
    Route("/api/runs/{id}/posteriors/{step:int}", posteriors),
    Route("/api/runs/{id}/pictures", pictures),
    Route("/api/runs/{id}/decoder/{step:int}", decoder),
    Route("/api/runs/{id}/decode/{step:int}", decode, methods=["POST"]),
    Route("/api/studies/{id}/live", study),
    Route("/api/film", film, methods=["POST"]),
    Route("/api/static/{version}/{component}/{name}", asset),
    Route("/api/{rest:path}", unknown),
]
