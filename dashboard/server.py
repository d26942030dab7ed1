"""What the web server does besides answering: it keeps a warm worker waiting."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from dashboard.decoding import SERVICE
from infovae_core import runs, worker

EVERY = 10.0  # seconds

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """For as long as the server lives, keep a worker: queued runs start after a restart, too."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_worker)
        yield
        tasks.cancel_scope.cancel()
    SERVICE.stop()


async def keep_worker() -> None:
    """Ask for a worker again and again."""
    while True:
        try:
            await anyio.to_thread.run_sync(worker.ensure, runs.default_root())
        except Exception:  # a full disk, say; the dashboard is of use without a worker
            logger.exception("no worker could be started; trying again in %g s", EVERY)
        await anyio.sleep(EVERY)
