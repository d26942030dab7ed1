"""What no browser would send, and what others see of it."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from benchmarks.faults.garbage import OVER_HTTP, OVER_SOCKETS, rude
from benchmarks.sessions import Session


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "http"])
def test_garbage_disturbs_nobody(server, websocket):
    port, chance = urlsplit(server).port, random.Random(0)
    garbage = [make(chance) for make in (OVER_SOCKETS if websocket else OVER_HTTP).values()]

    async def beside_a_session():
        session = await Session.open(server)
        await session.run("runs")
        await asyncio.gather(*(rude(port, websocket, data, 0) for data in garbage))
        await session.run("compare")
        await session.close()
        assert session.errors == []

    # In a thread of its own: a browser's tests before these leave a running loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, beside_a_session()).result()
