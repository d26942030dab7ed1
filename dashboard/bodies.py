"""What is sent to the server, read whole, and no more of it than is allowed."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from starlette.requests import Request

PATIENCE = 120.0  # seconds in which a body must have come


class Refused(Exception):
    """A request that is answered with this status; the message names the remedy."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def received(
    request: Request,
    most: int,
    too_large: str,
    patience: float | None = None,
    take: Callable[[int], object] = lambda size: None,
) -> bytearray:
    """The body of a request.

    Args:
        patience: seconds in which it must have come, `PATIENCE` unless said.
        take: is told of so many bytes before they are kept, and may refuse them.

    Raises: Refused where it is larger than `most` bytes, or slow.
    """
    refused = Refused(413, too_large)
    patience = PATIENCE if patience is None else patience
    said = request.headers.get("content-length", "0")
    if said.isascii() and said.isdecimal() and int(said[:20]) > most:
        raise refused
    body = bytearray()
    try:
        with anyio.fail_after(patience):
            async for piece in request.stream():
                if len(body) + len(piece) > most:
                    raise refused
                take(len(piece))
                body += piece
    except TimeoutError as error:
        text = f"a request must come within {patience:g} s; try again by a faster way"
        raise Refused(408, text) from error
    return body
