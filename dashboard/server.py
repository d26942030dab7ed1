"""What the web server does besides answering: it loads what pages need and keeps a warm worker.

Importing this loads nothing of the core, so that the server answers the sooner.
"""

from __future__ import annotations

import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio

from dashboard import access, warm

SOON = 0.2  # seconds, in which a browser asks for most of Streamlit's scripts
EVERY = 10.0  # seconds
FIRST = 4.0  # seconds, in which a page loads: beside it, loading torch slows both
INTERNET = (socket.AF_INET, socket.AF_INET6)

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """For as long as the server lives, keep a worker: queued runs start after a restart, too.

    Not where it only shows.
    """
    answer_at_once()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prepare)
        if not access.viewer():
            tasks.start_soon(keep_worker)
        yield
        tasks.cancel_scope.cancel()
    if decoding := sys.modules.get("dashboard.decoding"):
        decoding.SERVICE.stop()


def answer_at_once() -> None:
    """Have small answers sent without waiting for the client's acknowledgement of the last one.

    asyncio would see to it, but not for the sockets that Streamlit opens without naming a protocol;
    connections inherit it from the socket that listens.
    """
    for each in gc.get_objects():
        # by type(): some objects warn when asked for their class
        if issubclass(type(each), socket.socket) and each.family in INTERNET:
            with suppress(OSError):  # closed, or no stream
                if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def prepare() -> None:
    """Load what the first page needs, which would load it too, and later."""
    await anyio.sleep(SOON)
    try:
        await anyio.to_thread.run_sync(warm.load)
    except Exception:  # the page will show it
        logger.exception("what pages need could not be loaded")


async def keep_worker() -> None:
    """Ask for a worker again and again, at first once a browser has had time for its first page.

    Pressing Train does not wait for that.
    """
    await anyio.sleep(FIRST)
    while True:
        try:
            await anyio.to_thread.run_sync(warm.load)  # not by the thread that answers everybody
            from infovae_core import runs, worker

            await anyio.to_thread.run_sync(worker.ensure, runs.default_root())
        except Exception:  # a full disk, say; the dashboard is of use without a worker
            logger.exception("no worker could be started; trying again in %g s", EVERY)
        await anyio.sleep(EVERY)
