"""HTTP routes: what is new in a run, its snapshots, the files of the components.

They write nothing: a POST asks for images of codes, or for a film of pictures. Nothing here imports
streamlit or torch.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard import access
from dashboard.answers import (
    FOREVER,
    answering,
    aside,
    posted,
    promptly,
    reply,
    unknown,
    whole,
)
from dashboard.assets import MEDIA, assets_version, module, packed
from dashboard.decoding import SERVICE, WAITING
from dashboard.feed import checkpoint_step, feed_at_hand, feed_of
from dashboard.limits import Gate
from dashboard.packing import BadQuery, compact, join
from infovae_core import archive, runs

__all__ = ["module", "routes"]

BYTES = "application/octet-stream"
MOST_CODES = 1024  # decoded at once
CODE_BYTES = 4 * 1024 * MOST_CODES
FILM_BYTES = 96_000_000
DECODING = Gate(WAITING, "decoding for others")
FILMING = Gate(2, "making films for others")


def live_at_hand(request: Request) -> Response | None:
    """The answer of `live` where many look at the run: one of them has just had it looked at."""
    feed = feed_at_hand(request.path_params["id"])
    news = feed and feed.news_at_hand(*known(request))
    return news and news_reply(request, *news)


@promptly(live_at_hand)
def live(request: Request) -> Response:
    """GET /api/runs/{id}/live?rows=N&events=M: state, and what was logged from there on."""
    return news_reply(request, *feed_of(request.path_params["id"]).news(*known(request)))


@answering
def study(request: Request) -> Response:
    """GET /api/studies/{id}/live?rows=N&events=M: the same of a study, which is so looked at."""
    feed = feed_of(request.path_params["id"], archive.folder(runs.default_root()))
    if not access.viewer():
        archive.watch(feed.run)
    return news_reply(request, *feed.news(*known(request)))


def known(request: Request) -> tuple[int, int]:
    """How many rows and events whoever asks has already."""
    query = request.query_params
    return whole(query.get("rows", "0")), whole(query.get("events", "0"))


def news_reply(request: Request, version: str, body: bytes) -> Response:
    """What is new to whoever asks."""
    return reply(request, body, "application/json", tag=version, cache="no-store")


def snapshot_at_hand(request: Request) -> Response | None:
    """The answer of `snapshot` where another has just had it."""
    feed = feed_at_hand(request.path_params["id"])
    body = feed and feed.snapshot_at_hand(*drawing(request))
    return body and reply(request, body, BYTES, cache=FOREVER)


@promptly(snapshot_at_hand)
def snapshot(request: Request) -> Response:
    """GET /api/runs/{id}/snapshots/{step}?plane=pca|x,y&originals=0|1: the packed snapshot."""
    body = feed_of(request.path_params["id"]).snapshot(*drawing(request))
    return reply(request, body, BYTES, cache=FOREVER)


def drawing(request: Request) -> tuple[int, str, bool]:
    """Step, plane, and whether with originals."""
    originals = request.query_params.get("originals", "1") != "0"
    return request.path_params["step"], plane_of(request), originals


def plane_of(request: Request) -> str:
    """The plane a query asks for: pca, or the numbers of its axes."""
    plane = request.query_params.get("plane", "pca")
    return plane if plane == "pca" else ",".join(str(whole(axis)) for axis in plane.split(","))


@aside
def posteriors(request: Request) -> Response:
    """GET /api/runs/{id}/posteriors/{step}?plane=pca|x,y&split=train|test: q(z), packed."""
    feed = feed_of(request.path_params["id"])
    split = request.query_params.get("split", "test")
    body = feed.posteriors(request.path_params["step"], plane_of(request), split)
    return reply(request, body, BYTES, cache=FOREVER)


@aside
def pictures(request: Request) -> Response:
    """GET /api/runs/{id}/pictures: small pictures of the images whose codes are drawn, packed."""
    version, body = feed_of(request.path_params["id"]).pictures()
    return reply(request, body, BYTES, tag=version, cache="no-cache")


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


@aside
def decoder(request: Request) -> Response:
    """GET /api/runs/{id}/decoder/{step}: what decodes codes in the browser, packed."""
    feed = feed_of(request.path_params["id"])
    body = feed.decoder(request.path_params["step"])
    return reply(request, body, BYTES, cache=FOREVER)


@answering
def codes(request: Request) -> Response:
    """GET /api/runs/{id}/codes/{step}: all coordinates of the codes of the images shown, packed."""
    body = feed_of(request.path_params["id"]).codes(request.path_params["step"])
    return reply(request, body, BYTES, cache=FOREVER)


@posted(CODE_BYTES, DECODING, f"codes must have {CODE_BYTES:,} bytes at most; ask for fewer")
def decode(request: Request, body: bytearray) -> Response:
    """POST /api/runs/{id}/decode/{step}, f32 [n, d] little-endian: their images, packed.

    For what a browser cannot decode itself. Another process does it; the server waits for nothing.
    """
    run, step = feed_of(request.path_params["id"]).run, request.path_params["step"]
    d = run.config["model"]["latent_dim"]
    if not body or len(body) % (4 * d) or len(body) > 4 * d * MOST_CODES:
        raise BadQuery(
            f"codes must be 1 to {MOST_CODES} times {d} numbers of 4 bytes, got {len(body)} bytes; "
            "ask for fewer or others"
        )
    z = np.frombuffer(body, "<f4").reshape(-1, d)
    if not np.isfinite(z).all():
        raise BadQuery("codes must be finite numbers, got some that are not; ask for others")
    images = SERVICE.images(run, step, z)
    packed = join({"step": step}, {"images": images})
    return reply(request, gzip.compress(packed, 1), BYTES, cache="no-store")


@posted(FILM_BYTES, FILMING, f"a film must have up to {FILM_BYTES:,} bytes; choose fewer pictures")
def film(request: Request, body: bytearray) -> Response:
    """POST /api/film?kind=gif|mp4&rate=N, PNGs each after its length (u32): a film of them."""
    from dashboard import film as films  # Pillow, once somebody asks

    try:
        rate = float(request.query_params.get("rate", "5"))
        media, made = films.film(body, request.query_params.get("kind", ""), rate)
    except ValueError as error:
        raise BadQuery(str(error)) from error
    return Response(made, media_type=media, headers={"Cache-Control": "no-store"})


async def asset(request: Request) -> Response:
    """GET /api/static/{version}/{component}/{name}: a component's file, for good in its version.

    In no thread: it takes less than the way there and back.
    """
    version, component, name = (request.path_params[k] for k in ("version", "component", "name"))
    now = assets_version()
    try:
        body = packed(now, component, name)
    except KeyError:
        return unknown(request)
    cache = FOREVER if version == now else "no-store"
    return reply(request, body, MEDIA[Path(name).suffix], cache=cache)


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
