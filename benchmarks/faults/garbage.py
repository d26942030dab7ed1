"""People who send a dashboard what no browser would, while a run trains and somebody watches."""

import asyncio
import contextlib
import random
import struct
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks.browser import healthy
from benchmarks.classroom import memory_of
from benchmarks.faults.server import Trained, free_port, start, until
from benchmarks.faults.trial import Reference, Row
from benchmarks.sessions import Session

ABREAST = 8  # connections at once
HUGE = 32_000_000  # bytes that are really sent
ANSWERED = 2.0  # seconds that an answer is waited for
GROWTH = 150  # MB that the server's memory may grow by in the second half
HANDSHAKE = (
    "GET /_stcore/stream HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: streamlit\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT, BINARY = 0x81, 0x82  # kinds of frames


def frame(kind: int, payload: bytes, said: int | None = None) -> bytes:
    """A masked frame, which may say that it is longer than it is."""
    return (
        struct.pack(">BBQ", kind, 0xFF, len(payload) if said is None else said) + bytes(4) + payload
    )


def strange(chance: random.Random) -> bytes:
    """What a page asks for, whole and without sense."""
    message = BackMsg()
    state = message.rerun_script
    state.query_string = "run=" + "x" * chance.randrange(100_000)
    state.page_name = chance.choice(("", "nowhere", "../..", "runs"))
    for _ in range(chance.randrange(50)):
        widget = state.widget_states.widgets.add(id=f"$$ID-{chance.random()}-train")
        widget.json_value = "[" * chance.randrange(5000)
    return message.SerializeToString()


OVER_SOCKETS = {
    "nothing": lambda chance: b"",
    "noise": lambda chance: chance.randbytes(chance.randrange(5000)),
    "a message of noise": lambda chance: frame(BINARY, chance.randbytes(chance.randrange(5000))),
    "text": lambda chance: frame(TEXT, chance.randbytes(100)),
    "half a frame": lambda chance: frame(BINARY, chance.randbytes(100), said=10**6),
    "a frame without end": lambda chance: frame(BINARY, b"x", said=2**62),
    "a huge frame": lambda chance: frame(BINARY, bytes(HUGE)),
    "a strange message": lambda chance: frame(BINARY, strange(chance)),
}
POST = "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
PATHS = ("/api/film?kind=gif", "/api/runs/x/decode/1", "/api/runs/x/live", "/_stcore/upload_file/x")
OVER_HTTP = {
    "nothing": lambda chance: b"",
    "noise": lambda chance: chance.randbytes(chance.randrange(5000)),
    "a huge address": lambda chance: b"GET /api/" + b"x" * HUGE,
    "huge headers": lambda chance: b"GET /api/ HTTP/1.1\r\nX: " + b"x" * HUGE,
    "many headers": lambda chance: b"GET /api/ HTTP/1.1\r\n" + b"X: y\r\n" * 10**6,
    "half a body": lambda chance: posted(chance, bytes(100), 10**6),
    "a huge body": lambda chance: posted(chance, bytes(HUGE), HUGE),
    "a body without end": lambda chance: posted(chance, bytes(100), 2**62),
    "a body of noise": lambda chance: posted(chance, noise := chance.randbytes(999), len(noise)),
}


def posted(chance: random.Random, body: bytes, length: int) -> bytes:
    """A request with a body."""
    return POST.format(path=chance.choice(PATHS), length=length).encode() + body


def garbage(root: Path, right: Reference, times: int, chance: random.Random) -> Row:
    """Connections that send garbage over websockets and HTTP, and break off."""
    trained, memory = Trained(root, right), []
    with free_port() as port:
        address, server = f"http://localhost:{port}", start(trained.root, port)
        try:
            until(lambda: healthy(address))
            for begun in range(0, times, ABREAST):
                count = min(ABREAST, times - begun)
                asyncio.run(rudely(address, port, trained, count, chance))
                memory.append(memory_of(server.pid))
                if not healthy(address):
                    trained.lost["the server"] += 1
                trained.look()
        finally:
            server.terminate()
            server.wait()
    trained.end()
    half = len(memory) // 2  # between two collections it swings, for a connection is a cycle
    if half and (growth := max(memory[half:]) - max(memory[:half])) > GROWTH:
        trained.lost[f"memory, {growth:.0f} MB,"] += 1
    return Row("garbage over websockets and HTTP", times, trained.finished, trained.lost)


async def rudely(
    address: str, port: int, trained: Trained, count: int, chance: random.Random
) -> None:
    """So many rude connections, while a session beside them looks at the run."""
    session = await Session.open(address)
    session.query = f"run={trained.run.id}"
    await session.run()
    sent = []
    for _ in range(count):
        over = chance.random() < 0.5
        what = chance.choice(list(OVER_SOCKETS if over else OVER_HTTP))
        sent.append((over, (OVER_SOCKETS if over else OVER_HTTP)[what](chance)))
    await asyncio.gather(*(rude(port, over, data, chance.random()) for over, data in sent))
    try:
        await session.run()
        trained.lost.update(dict.fromkeys(session.errors, 1))
    except Exception as error:
        trained.lost[f"a session ({type(error).__name__})"] += 1
    await session.close()


async def rude(port: int, websocket: bool, data: bytes, patience: float) -> None:
    """Send something, perhaps wait for an answer, and go without a word."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(ANSWERED * patience + 1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if websocket:
                    writer.write(HANDSHAKE.format(port=port).encode())
                    await reader.readuntil(b"\r\n\r\n")
                writer.write(data)
                await writer.drain()
                await reader.read()
            finally:
                writer.transport.abort()
