"""The routes asked as a server would ask them, and their answers read as a browser reads them."""

import gzip
import json
import struct
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

import anyio.from_thread
import numpy as np
from starlette.applications import Starlette
from starlette.middleware import Middleware

from dashboard import routing

APP = Starlette(middleware=[Middleware(routing.Api)])  # as app.py has it
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


def get(url, method="GET", body=b"", **headers):
    """Send a path to the routes exactly as written, which a client library would tidy up."""
    headers = {"accept-encoding": "gzip"} | {k.replace("_", "-"): v for k, v in headers.items()}
    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(partial(ask, url, method, headers, body))


async def ask(url, method, headers, body):
    """The answer to a request; `body` is what it sends, or the function that waits for it."""
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
        return {"type": "http.request", "body": body}

    if callable(body):
        receive = body

    async def send(message):
        sent.append(message)

    await APP(scope, receive, send)
    start, *parts = sent
    received = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], received, b"".join(part.get("body", b"") for part in parts))


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
